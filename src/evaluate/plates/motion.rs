//! Figures of motion: Hovmoeller diagrams and the distances between their rows.

use crate::metrics::W1Form;
use crate::render::cpu;
use crate::report::axis::significant;
use crate::report::chart::Layer;
use crate::report::{Axis, Chart, Figure, Grid, Numbers};
use crate::rollout::settings::LaneKind;

use super::maps::{color_bar, look, short};
use super::{Evaluation, Plate, line_with_band, listed};
use crate::evaluate::measure::{Measured, Unit};

/// Diagrams in a row: one or two rows without gaps, where that can be.
fn columns_of(count: usize) -> usize {
    if count <= 4 {
        count.max(1)
    } else {
        count.div_ceil(2)
    }
}

pub(super) fn hovmoeller(e: &Evaluation<'_>) -> Option<Plate> {
    let globe = e.world.globe.is_some();
    // A mean over cells varies less than they do.
    let mut look = look(e.world);
    if !globe {
        look.range = crate::render::ValueRange::for_std(0.7 * e.world.std);
    }
    let mut numbers = Numbers::default();
    let mut charts = Vec::new();
    // Only the first diagram of a row names times: all show the same ones.
    let rows = e.measured.iter().map(|m| m.rows.len()).min()?;
    for (k, m) in e.measured.iter().enumerate() {
        let columns = m.rows.first().map_or(0, Vec::len);
        if rows == 0 || columns == 0 {
            continue;
        }
        // Time runs downwards.
        let pixels: Vec<u8> = m
            .rows
            .iter()
            .take(rows)
            .flatten()
            .map(|v| cpu::color_of(*v, &look))
            .flat_map(|[r, g, b]| [r, g, b, 255])
            .collect();
        let side = if globe { "longitude, °E" } else { "y / π" };
        let extent = if globe { 360.0 } else { 2.0 };
        let first = k % columns_of(e.measured.len()) == 0;
        let mut y = Axis::linear(
            if first {
                format!("time, {}", e.world.step())
            } else {
                String::new()
            },
            rows as f64,
            0.0,
        );
        if !first {
            y.ticks.clear();
        }
        let x = Axis::linear(side, 0.0, extent).with_ticks(match globe {
            true => [0.0, 120.0, 240.0].map(|v| (v, format!("{v:.0}"))).to_vec(),
            false => [0.0, 1.0, 2.0].map(|v| (v, format!("{v:.0}"))).to_vec(),
        });
        let name = short(m);
        charts.push(Chart::new(name, x, y).with(Layer::Pixels(columns, rows, pixels)));
        for (time, row) in m.rows.iter().enumerate() {
            let mean = row.iter().map(|v| f64::from(*v)).sum::<f64>() / columns as f64;
            numbers.push(
                m.method.label(),
                &format!("mean of the row, {}", e.world.units),
                Some(time as f64),
                mean,
            );
        }
    }
    let smooth = |k: LaneKind| {
        let rows = &e.of(k)?.rows;
        let (mut change, mut size) = (0.0, 0.0);
        for pair in rows.windows(2) {
            for (a, b) in pair[0].iter().zip(&pair[1]) {
                change += f64::from(b - a).powi(2);
                size += f64::from(*a).powi(2) + f64::from(*b).powi(2);
            }
        }
        (size > 0.0).then(|| 1.0 - change / size)
    };
    let parts: Vec<String> = LaneKind::ALL
        .into_iter()
        .filter_map(|k| {
            let v = smooth(k)?;
            numbers.push(k.label(), "likeness of consecutive rows", None, v);
            Some(format!("{} {}", k.label().to_lowercase(), significant(v)))
        })
        .collect();
    let agrees = match (
        smooth(LaneKind::Truth),
        smooth(LaneKind::Guided),
        smooth(LaneKind::Unconditional),
    ) {
        (Some(t), Some(g), Some(u)) => Some((g - t).abs() < 0.1 && u < t - 0.1),
        _ => None,
    };
    Some(Plate {
        id: "hovmoeller",
        title: "Hovmöller diagrams".into(),
        caption: match globe {
            true => "Mean over 10S-10N of the first run; time runs downwards.".into(),
            false => {
                "Mean over the 10 central columns of the first run; time runs downwards.".into()
            }
        },
        sentence: format!(
            "Streaks that go on from row to row are motion; unrelated frames leave noise. Likeness of consecutive rows (1: equal, 0: unrelated without a mean): {}.",
            listed(&parts)
        ),
        agrees,
        scene: Figure {
            charts,
            grid: Grid {
                columns: columns_of(e.measured.len()),
                aspect: 1.1,
                gap: 10.0,
            },
            legend: Vec::new(),
            color_bar: Some(color_bar(
                &look,
                format!("{}, {}", e.world.quantity, e.world.units),
            )),
        }
        .scene(),
        numbers,
    })
}

/// Density of the distances of some blocks over bins.
fn density(units: &[&Unit], form: W1Form, edges: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; edges.len() - 1];
    let mut total = 0.0;
    for unit in units {
        let counts = unit.distances.counts(form);
        for (s, c) in sums.iter_mut().zip(counts.histogram(edges)) {
            *s += c as f64;
        }
        total += counts.total() as f64;
    }
    sums.iter()
        .zip(edges.windows(2))
        .map(|(s, w)| s / total / (w[1] - w[0]))
        .collect()
}

fn counts(m: &Measured, form: W1Form) -> crate::metrics::ValueCounts {
    let mut all = crate::metrics::ValueCounts::default();
    for unit in &m.units {
        all.merge(unit.distances.counts(form));
    }
    all
}

pub(super) fn distances(e: &Evaluation<'_>) -> Option<Plate> {
    let truth = e.truth()?;
    let mut numbers = Numbers::default();
    let mut charts = Vec::new();
    let mut shift: Vec<(LaneKind, f64)> = Vec::new();
    let forms = [W1Form::Value, W1Form::Mass, W1Form::MassPeriodic];
    for (k, form) in forms.into_iter().enumerate() {
        let known = counts(truth, form);
        let high = e
            .measured
            .iter()
            .filter_map(|m| counts(m, form).quantile(0.995))
            .fold(0.0, f64::max);
        if high <= 0.0 {
            continue;
        }
        let edges: Vec<f64> = (0..=20).map(|i| high * f64::from(i) / 20.0).collect();
        let centres: Vec<f64> = edges.windows(2).map(|w| 0.5 * (w[0] + w[1])).collect();
        let (mut layers, mut values) = (Vec::new(), vec![0.0]);
        for m in &e.measured {
            let Some(bands) = m.over_units(e.plan.seed, |u| Some(density(u, form, &edges))) else {
                continue;
            };
            let name = format!("density of distances, {}", form.name());
            for (x, b) in centres.iter().zip(&bands) {
                numbers.band(m.method.label(), &name, Some(*x), b);
            }
            let own = counts(m, form);
            if let (Some(mean), Some(w1)) = (own.mean(), own.w1(&known)) {
                numbers.push(
                    m.method.label(),
                    &format!("mean distance, {}", form.name()),
                    None,
                    mean,
                );
                numbers.push(
                    m.method.label(),
                    &format!("W1 of distances against truth's, {}", form.name()),
                    None,
                    w1,
                );
                if form == W1Form::Value
                    && let Some(base) = known.mean()
                    && let Some(kind) = LaneKind::ALL
                        .into_iter()
                        .find(|k| k.label() == m.method.label())
                {
                    shift.push((kind, mean / base));
                }
            }
            values.extend(bands.iter().map(|b| b.estimate));
            layers.extend(line_with_band(&centres, &bands, m.method.style(), false));
        }
        let mut y = Axis::around(if k == 0 { "density" } else { "" }, values);
        y.lo = 0.0;
        y.ticks = Vec::new();
        let title = format!("({}) {}", char::from(b'a' + k as u8), form.name());
        let x = Axis::linear("W1 of consecutive rows", 0.0, high);
        let ticks = crate::report::axis::linear_ticks(0.0, high, 3);
        charts.push(Chart {
            layers,
            ..Chart::new(title, x.with_ticks(ticks), y)
        });
    }
    let of = |k: LaneKind| shift.iter().find(|s| s.0 == k).map(|s| s.1);
    let parts: Vec<String> = shift
        .iter()
        .filter(|(k, _)| *k != LaneKind::Truth)
        .map(|(k, v)| format!("{} {}", k.label().to_lowercase(), significant(*v)))
        .collect();
    let columns = charts.len().max(1);
    let agrees = of(LaneKind::Guided)
        .zip(of(LaneKind::Unconditional))
        .map(|(g, u)| {
            let video = of(LaneKind::Video).is_none_or(|v| (v - 1.0).abs() < 0.15);
            (g - 1.0).abs() < 0.15 && video && u > 1.15
        });
    (!charts.is_empty()).then(|| Plate {
        id: "row-distances",
        title: "Distances between consecutive Hovmöller rows".into(),
        caption: "How often the rows of consecutive frames are so far apart, in three forms of the distance W1. Bands: 95 % of block bootstraps.".into(),
        sentence: format!("Mean distance of consecutive rows (by value) divided by truth's: {}.", listed(&parts)),
        agrees,
        scene: Figure {
            charts,
            grid: Grid { columns, aspect: 0.95, gap: 14.0 },
            legend: e.legend(),
            color_bar: None,
        }
        .scene(),
        numbers,
    })
}
