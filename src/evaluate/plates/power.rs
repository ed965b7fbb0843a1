//! Figures of amplitude: spectra, extremes.

use crate::metrics::rain::zonal_spectrum_error;
use crate::metrics::{Band, ValueCounts, exceedances, spectrum_error};
use crate::report::axis::plain;
use crate::report::chart::Layer;
use crate::report::style::FRAME;
use crate::report::{Axis, Chart, Figure, Grid, Numbers, Stroke};
use crate::rollout::settings::LaneKind;

use super::{Evaluation, Plate, line_with_band, listed, reach};
use crate::evaluate::measure::{Measured, mean_of};

/// Mean distance of a spectrum from truth's: `mean |log10(model / truth)|`.
pub fn distance(e: &Evaluation<'_>, model: &Measured) -> Option<f64> {
    let (model, truth) = (model.spectrum()?, e.truth()?.spectrum()?);
    match e.world.globe {
        Some(_) => zonal_spectrum_error(&model, &truth),
        None => spectrum_error(&model, &truth),
    }
}

pub(super) fn spectrum(e: &Evaluation<'_>) -> Option<Plate> {
    let truth = e.truth()?.spectrum()?;
    let globe = e.world.globe.is_some();
    // As far as there is power: the solver keeps the shells of its 2/3 rule.
    let floor = 1e-7
        * truth
            .iter()
            .copied()
            .filter(|v| v.is_finite())
            .fold(0.0, f64::max);
    let last = (1..truth.len()).take_while(|k| truth[*k] > floor).last()?;
    let last = if globe {
        last
    } else {
        last.min(e.world.shape[0] / 3)
    };
    let shells: Vec<usize> = (1..=last).collect();
    let xs: Vec<f64> = shells.iter().map(|k| *k as f64).collect();
    let mut numbers = Numbers::default();
    let (mut layers, mut ratios) = (Vec::new(), Vec::new());
    let (mut all, mut near) = (Vec::new(), vec![0.8, 1.25]);
    let unit = format!("power, ({})²", e.world.units);
    for m in &e.measured {
        let Some(bands) = m.over_units(e.plan.seed, |units| {
            let mean = mean_of(&units.iter().map(|u| &u.spectrum).collect::<Vec<_>>())?;
            Some(
                shells
                    .iter()
                    .map(|k| mean.get(*k).copied().unwrap_or(f64::NAN))
                    .collect(),
            )
        }) else {
            continue;
        };
        for (x, b) in xs.iter().zip(&bands) {
            numbers.band(m.method.label(), &unit, Some(*x), b);
        }
        all.extend(bands.iter().map(|b| b.estimate));
        layers.extend(line_with_band(&xs, &bands, m.method.style(), false));
        if m.method == e.truth()?.method {
            continue;
        }
        let relative: Vec<Band> = bands
            .iter()
            .zip(&shells)
            .map(|(b, k)| Band {
                estimate: b.estimate / truth[*k],
                low: b.low / truth[*k],
                high: b.high / truth[*k],
            })
            .collect();
        near.extend(relative.iter().map(|b| b.estimate));
        ratios.extend(line_with_band(&xs, &relative, m.method.style(), false));
        if let Some(d) = distance(e, m) {
            numbers.push(
                m.method.label(),
                "spectrum error, mean |log10 ratio|",
                None,
                d,
            );
        }
    }
    let label = if globe {
        "zonal wavenumber"
    } else {
        "wavenumber"
    };
    let x = Axis::log(label, 0.9, last as f64 * 1.05);
    let charts = vec![
        Chart {
            layers,
            ..Chart::new(
                "(a) spectrum",
                x.clone(),
                Axis::log_around(unit.clone(), all),
            )
        },
        Chart {
            layers: ratios,
            ..Chart::new(
                "(b) relative to truth",
                x,
                Axis::log_around("model / truth", near),
            )
        }
        .with(Layer::Level(1.0, Stroke::solid(FRAME, 1.0))),
    ];
    let parts: Vec<String> = e
        .models()
        .filter_map(|m| {
            Some(format!(
                "{} {}",
                m.method.label().to_lowercase(),
                plain(distance(e, m)?, 3)
            ))
        })
        .collect();
    Some(Plate {
        id: "spectrum",
        title: "Spectrum".into(),
        caption: match globe {
            true => "Power of zonal wavenumbers, mean over rows by area and over days.".into(),
            false => "Mean power of a mode of vorticity in shells of the wavenumber, where the solver resolves it.".into(),
        },
        sentence: format!("Mean size of log10(model / truth): {}.", listed(&parts)),
        agrees: None,
        scene: Figure {
            charts,
            grid: Grid { columns: 2, aspect: 0.8, gap: 18.0 },
            legend: e.legend(),
            color_bar: None,
        }
        .scene(),
        numbers,
    })
}

/// Percentiles at which extremes are compared.
const PERCENTS: [f64; 8] = [50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.99];

pub(super) fn extremes(e: &Evaluation<'_>) -> Option<Plate> {
    let truth = e.truth()?.values();
    let smallest = e.measured.iter().map(|m| m.values().total()).min()? as f64;
    let percents: Vec<f64> = PERCENTS
        .iter()
        .copied()
        // Enough values beyond it in each sample (neighbours are alike), and not the dry half of rain.
        .filter(|p| smallest * (1.0 - p / 100.0) > 500.0)
        .filter(|p| {
            truth
                .quantile(p / 100.0)
                .is_some_and(|v| v > 0.05 * e.world.std)
        })
        .collect();
    // Equal ratios of the share beyond.
    let place = |p: f64| -((1.0 - p / 100.0).log10());
    let xs: Vec<f64> = percents.iter().map(|p| place(*p)).collect();
    let mut numbers = Numbers::default();
    let (mut levels, mut often) = (Vec::new(), Vec::new());
    let (mut all, mut near) = (Vec::new(), vec![0.8, 1.25]);
    let mut worst: Vec<(LaneKind, f64)> = Vec::new();
    for m in &e.measured {
        let of = |units: &[&crate::evaluate::measure::Unit]| {
            let mut values = ValueCounts::default();
            for unit in units {
                values.merge(&unit.values);
            }
            exceedances(&truth, &values, &percents)
        };
        let Some(bands) = m.over_units(e.plan.seed, |u| {
            Some(of(u)?.iter().map(|x| x.run).collect())
        }) else {
            continue;
        };
        for (p, b) in percents.iter().zip(&bands) {
            numbers.band(
                m.method.label(),
                &format!("value at the percentile, {}", e.world.units),
                Some(*p),
                b,
            );
        }
        all.extend(bands.iter().map(|b| b.estimate));
        levels.extend(line_with_band(&xs, &bands, m.method.style(), true));
        if m.method == e.truth()?.method {
            continue;
        }
        let Some(ratio) = m.over_units(e.plan.seed, |u| {
            Some(of(u)?.iter().map(|x| x.frequency_ratio).collect())
        }) else {
            continue;
        };
        for (p, b) in percents.iter().zip(&ratio) {
            numbers.band(
                m.method.label(),
                "how often above truth's percentile, relative to truth",
                Some(*p),
                b,
            );
        }
        near.extend(reach(&ratio).filter(|v| *v > 0.2 && *v < 5.0));
        let far = percents
            .iter()
            .zip(&ratio)
            .filter(|(p, _)| **p >= 95.0)
            .map(|(_, b)| b.estimate);
        let far = far.max_by(|a, b| a.ln().abs().total_cmp(&b.ln().abs()));
        if let (Some(far), Some(kind)) = (
            far,
            LaneKind::ALL
                .into_iter()
                .find(|k| k.label() == m.method.label()),
        ) {
            worst.push((kind, far));
        }
        often.extend(line_with_band(&xs, &ratio, m.method.style(), true));
    }
    let (lo, hi) = (*xs.first()?, *xs.last()?);
    let ticks: Vec<(f64, String)> = percents
        .iter()
        .filter(|p| **p != 99.5)
        .map(|p| (place(*p), format!("{p}")))
        .collect();
    let x = || Axis::linear("percentile", lo - 0.1, hi + 0.15).with_ticks(ticks.clone());
    let charts = vec![
        Chart {
            layers: levels,
            ..Chart::new(
                "(a) value at the percentile",
                x(),
                Axis::around(format!("{}, {}", e.world.quantity, e.world.units), all),
            )
        },
        Chart {
            layers: often,
            ..Chart::new(
                "(b) how often above truth's percentile",
                x(),
                Axis::log_around("model / truth", near),
            )
        }
        .with(Layer::Level(1.0, Stroke::solid(FRAME, 1.0))),
    ];
    let parts: Vec<String> = worst
        .iter()
        .map(|(k, v)| format!("{} {}", k.label().to_lowercase(), plain(*v, 2)))
        .collect();
    Some(Plate {
        id: "extremes",
        title: "Power of extremes".into(),
        caption: "Percentiles of all values; the axis has equal ratios of the share beyond. Bands: 95 % of block bootstraps.".into(),
        sentence: format!(
            "From the 95th percentile on, how often a model is beyond truth's level, at its worst, relative to truth: {}.",
            listed(&parts)
        ),
        agrees: None,
        scene: Figure {
            charts,
            grid: Grid { columns: 2, aspect: 0.8, gap: 18.0 },
            legend: e.legend(),
            color_bar: None,
        }
        .scene(),
        numbers,
    })
}
