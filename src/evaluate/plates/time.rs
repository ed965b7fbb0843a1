//! Figures of time series: autocorrelation, running mean.

use crate::metrics::{Band, mean_absolute_error, running_mean};
use crate::report::axis::plain;
use crate::report::chart::Layer;
use crate::report::style::FRAME;
use crate::report::{Axis, Chart, Figure, Grid, Numbers, Stroke};
use crate::rollout::settings::LaneKind;

use super::{Evaluation, Plate, both, line_with_band, listed, reach};
use crate::evaluate::measure::{MAX_LAG, Measured};

/// Lines at which an autocorrelation counts as that of truth.
const ALIKE: f64 = 0.03;
/// And as none.
const NONE: f64 = 0.1;

/// Mean absolute error of the autocorrelation at lags 1 to 10 against truth.
pub fn acf_error(model: &Measured, truth: &Measured) -> Option<f64> {
    let of = |m: &Measured| -> Option<Vec<f64>> {
        Some(m.acf.as_ref()?.iter().map(|b| b.estimate).collect())
    };
    mean_absolute_error(&of(model)?, &of(truth)?)
}

pub(super) fn acf(e: &Evaluation<'_>) -> Option<Plate> {
    let truth = e.truth()?;
    let known = truth.acf.as_ref()?;
    let lags: Vec<f64> = (0..=MAX_LAG).map(|l| l as f64).collect();
    let label = format!("lag, {}", e.world.step());
    let mut numbers = Numbers::default();
    let mut whole = Chart::new(
        "(a) autocorrelation",
        Axis::linear(label.clone(), 0.0, MAX_LAG as f64),
        Axis::linear("autocorrelation", -0.15, 1.05),
    );
    let mut apart = Vec::new();
    let mut most: Vec<f64> = vec![-0.02, 0.02];
    for m in &e.measured {
        let Some(acf) = &m.acf else { continue };
        for (lag, band) in lags.iter().zip(acf) {
            numbers.band(m.method.label(), "autocorrelation", Some(*lag), band);
        }
        whole
            .layers
            .extend(line_with_band(&lags, acf, m.method.style(), true));
        if m.method == truth.method {
            let band: Vec<[f64; 3]> = lags
                .iter()
                .zip(known)
                .map(|(x, b)| [*x, b.low - b.estimate, b.high - b.estimate])
                .collect();
            apart.push(Layer::Band {
                points: band,
                color: m.method.style().color,
            });
            continue;
        }
        let minus: Vec<Band> = acf
            .iter()
            .zip(known)
            .map(|(b, t)| Band {
                estimate: b.estimate - t.estimate,
                low: b.low - t.estimate,
                high: b.high - t.estimate,
            })
            .collect();
        // What is far off belongs in the other chart.
        if m.method.follows() {
            most.extend(reach(&minus));
        }
        apart.extend(line_with_band(&lags, &minus, m.method.style(), true));
    }
    let mut second = Chart::new(
        "(b) model minus truth",
        Axis::linear(label, 0.0, MAX_LAG as f64),
        Axis::around("difference", most),
    );
    second.layers = apart;
    second
        .layers
        .push(Layer::Level(0.0, Stroke::solid(FRAME, 1.0)));
    for m in e.models() {
        if let Some(error) = acf_error(m, truth) {
            let name = "mean absolute error, lags 1-10";
            numbers.push(m.method.label(), name, None, error);
        }
    }
    let error = |k: LaneKind| acf_error(e.of(k)?, truth);
    let lag_one = |k: LaneKind| Some(e.of(k)?.acf.as_ref()?.get(1)?.estimate);
    let follow: Vec<String> = [LaneKind::Guided, LaneKind::Video, LaneKind::GuidedVideo]
        .into_iter()
        .filter_map(|k| {
            Some(format!(
                "{} {}",
                k.label().to_lowercase(),
                plain(error(k)?, 4)
            ))
        })
        .collect();
    let alone = lag_one(LaneKind::Unconditional)
        .map(|r| {
            format!(
                " Frames made without guidance have {} at lag 1.",
                plain(r, 3)
            )
        })
        .unwrap_or_default();
    let guided = error(LaneKind::Guided).map(|v| v <= ALIKE);
    let unrelated = lag_one(LaneKind::Unconditional).map(|r| r.abs() <= NONE);
    let video = error(LaneKind::Video).is_none_or(|v| v <= ALIKE);
    Some(Plate {
        id: "acf",
        title: "Autocorrelation in time".into(),
        caption: format!(
            "Autocorrelation{} at lags 0 to 10; bands: 95 % of block bootstraps. (b): the same minus truth's.",
            if e.world.globe.is_some() {
                " of anomalies from each series' own monthly means, mean over the area,"
            } else {
                ""
            }
        ),
        sentence: format!(
            "Mean absolute error of the correlation at lags 1 to 10: {}.{alone}",
            listed(&follow)
        ),
        agrees: both(guided, unrelated).map(|a| a && video),
        scene: Figure {
            charts: vec![whole, second],
            grid: Grid {
                columns: 2,
                aspect: 0.85,
                gap: 18.0,
            },
            legend: e.legend(),
            color_bar: None,
        }
        .scene(),
        numbers,
    })
}

/// Frames of a running mean: a year, or a fifth of the run where it is shorter.
fn window(frames: usize, globe: bool) -> usize {
    let most = if globe { 365 } else { 500 };
    (frames / 5).clamp(1, most)
}

pub(super) fn running(e: &Evaluation<'_>) -> Option<Plate> {
    let truth = e.truth()?;
    let globe = e.world.globe.is_some();
    let frames = e
        .models()
        .filter_map(|m| m.runs.first())
        .map(|r| r.mean.len())
        .max()?;
    let window = window(frames, globe);
    let mut numbers = Numbers::default();
    let (mut means, mut stds) = (Vec::new(), Vec::new());
    let (mut low, mut high) = (Vec::new(), Vec::new());
    let mut last_frame = 1.0_f64;
    for m in &e.measured {
        for (what, layers, range) in [
            ("mean", &mut means, &mut low),
            ("standard deviation", &mut stds, &mut high),
        ] {
            let series: Vec<Vec<f64>> = m
                .runs
                .iter()
                .filter_map(|r| running_mean(if what == "mean" { &r.mean } else { &r.std }, window))
                .collect();
            let length = series.iter().map(Vec::len).min().unwrap_or(0).min(frames);
            // About 200 points a line are enough to see.
            let every = length.div_ceil(200).max(1);
            let at: Vec<usize> = (0..length).step_by(every).collect();
            let Some(bands) =
                super::super::measure::bootstrap(e.plan.seed).bands(series.len(), |pick| {
                    let mean = |i: &usize| {
                        let drawn = pick.iter().filter_map(|s| series.get(*s)?.get(*i));
                        drawn.sum::<f64>() / pick.len() as f64
                    };
                    Some(at.iter().map(mean).collect())
                })
            else {
                continue;
            };
            let xs: Vec<f64> = at.iter().map(|i| (i + window) as f64).collect();
            last_frame = last_frame.max(xs.last().copied().unwrap_or(1.0));
            range.extend(bands.iter().map(|b| b.estimate));
            range.extend(bands.iter().flat_map(|b| [b.low, b.high]));
            let name = format!("running {what}, {}", e.world.units);
            for (x, band) in xs.iter().zip(&bands) {
                numbers.band(m.method.label(), &name, Some(*x), band);
            }
            let [band, line] = line_with_band(&xs, &bands, m.method.style(), false);
            if series.len() > 1 {
                layers.push(band);
            }
            layers.push(line);
        }
    }
    let label = format!("time, {}", e.world.step());
    let chart = |title: &str, what: &str, values: Vec<f64>, layers: Vec<Layer>| Chart {
        layers,
        ..Chart::new(
            title,
            Axis::linear(label.clone(), window as f64, last_frame),
            Axis::around(format!("{what}, {}", e.world.units), values),
        )
    };
    // The mean of turbulence on a torus is 0: an axis of rounding errors would mislead.
    if !globe {
        low.extend([-0.02 * e.world.std, 0.02 * e.world.std]);
    }
    let offset = |k: LaneKind| -> Option<f64> {
        let mean = |m: &Measured| {
            let all: Vec<f64> = m
                .runs
                .iter()
                .flat_map(|r| if globe { &r.mean } else { &r.std })
                .copied()
                .collect();
            (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
        };
        Some(100.0 * (mean(e.of(k)?)? / mean(truth)? - 1.0))
    };
    let kinds = [
        LaneKind::Guided,
        LaneKind::Video,
        LaneKind::GuidedVideo,
        LaneKind::Unconditional,
    ];
    let parts: Vec<String> = kinds
        .into_iter()
        .filter_map(|k| {
            Some(format!(
                "{} {} %",
                k.label().to_lowercase(),
                plain(offset(k)?, 1)
            ))
        })
        .collect();
    let what = if globe {
        "global mean"
    } else {
        "standard deviation"
    };
    let (guided, video) = (offset(LaneKind::Guided), offset(LaneKind::Video));
    for k in kinds {
        if let Some(v) = offset(k) {
            numbers.push(k.label(), &format!("{what} minus truth's, %"), None, v);
        }
    }
    Some(Plate {
        id: "running-mean",
        title: "Running mean and standard deviation".into(),
        caption: format!(
            "Means over {window} {}: (a) of the mean over the {}, (b) of the standard deviation over it. Lines: mean of \
             the runs; bands: 95 % of bootstraps over runs.",
            e.world.step(),
            if globe { "globe" } else { "box" }
        ),
        sentence: format!(
            "Over the whole run the {what} differs from truth's by: {}.",
            listed(&parts)
        ),
        agrees: guided
            .zip(video)
            .map(|(g, v)| g.abs() <= 3.0 && g.abs() <= v.abs()),
        scene: Figure {
            charts: vec![
                chart("(a) mean", "mean", low, means),
                chart("(b) standard deviation", "standard deviation", high, stds),
            ],
            grid: Grid {
                columns: 2,
                aspect: 0.75,
                gap: 18.0,
            },
            legend: e.legend(),
            color_bar: None,
        }
        .scene(),
        numbers,
    })
}
