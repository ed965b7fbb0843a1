//! The figure of waiting times.

use crate::metrics::{Band, WaitingTimes};
use crate::report::axis::significant;
use crate::report::chart::Layer;
use crate::report::style::FRAME;
use crate::report::{Axis, Chart, Figure, Grid, Numbers, Stroke};
use crate::rollout::settings::LaneKind;

use super::{Evaluation, Plate, line_with_band, listed};
use crate::evaluate::measure::{EXTREME, waiting_of};

pub(super) fn waiting(e: &Evaluation<'_>) -> Option<Plate> {
    let truth = e.truth()?;
    let known = truth.waiting()?;
    let longest = e
        .measured
        .iter()
        .filter_map(|m| Some(m.waiting()?.counts().len()))
        .max()?;
    // Bins of equal ratio, of whole frames.
    let mut edges = vec![1usize];
    while let Some(last) = edges.last().copied().filter(|l| *l < longest) {
        edges.push((last as f64 * 1.45).ceil().max(last as f64 + 1.0) as usize);
    }
    let centres: Vec<f64> = edges
        .windows(2)
        .map(|w| ((w[0] * (w[1] - 1)) as f64).sqrt())
        .collect();
    let density = |waiting: &WaitingTimes| -> Vec<f64> {
        let total = waiting.total() as f64;
        let counts = waiting.histogram(&edges);
        counts
            .iter()
            .zip(edges.windows(2))
            .map(|(c, w)| *c as f64 / total / (w[1] - w[0]) as f64)
            .collect()
    };
    let mut numbers = Numbers::default();
    let (mut layers, mut ratios) = (Vec::new(), Vec::new());
    let mut all = Vec::new();
    let base = density(&known);
    for m in &e.measured {
        let Some(bands) = m.over_runs(e.plan.seed, |runs| Some(density(&waiting_of(runs)?))) else {
            continue;
        };
        for (x, b) in centres.iter().zip(&bands) {
            numbers.band(
                m.method.label(),
                &format!("density, 1 / {}", e.world.step().trim_end_matches('s')),
                Some(*x),
                b,
            );
        }
        all.extend(bands.iter().map(|b| b.estimate));
        layers.extend(line_with_band(&centres, &bands, m.method.style(), true));
        let ratio: Vec<Band> = bands
            .iter()
            .zip(&base)
            .map(|(b, t)| Band {
                estimate: b.estimate / t,
                low: b.low / t,
                high: b.high / t,
            })
            .collect();
        if m.method != truth.method {
            ratios.extend(line_with_band(&centres, &ratio, m.method.style(), true));
        }
        if let Some(w1) = m.over_runs(e.plan.seed, |runs| {
            Some(vec![waiting_of(runs)?.w1(&known)?])
        }) {
            let name = format!("W1 of waiting times against truth, {}", e.world.step());
            numbers.band(m.method.label(), &name, None, &w1[0]);
        }
    }
    let x = Axis::log(
        format!("waiting time, {}", e.world.step()),
        0.85,
        edges.last().map_or(10.0, |v| *v as f64),
    );
    let charts = vec![
        Chart {
            layers,
            ..Chart::new(
                "(a) distribution",
                x.clone(),
                Axis::log_around(
                    format!("density, 1 / {}", e.world.step().trim_end_matches('s')),
                    all,
                ),
            )
        },
        Chart {
            layers: ratios,
            ..Chart::new(
                "(b) relative to truth",
                x,
                Axis::log("model / truth", 0.2, 5.0),
            )
        }
        .with(Layer::Level(1.0, Stroke::solid(FRAME, 1.0))),
    ];
    let w1 = |k: LaneKind| e.of(k)?.waiting()?.w1(&known);
    let parts: Vec<String> = LaneKind::ALL
        .into_iter()
        .filter(|k| *k != LaneKind::Truth)
        .filter_map(|k| {
            Some(format!(
                "{} {}",
                k.label().to_lowercase(),
                significant(w1(k)?)
            ))
        })
        .collect();
    Some(Plate {
        id: "waiting-times",
        title: "Waiting times between extremes".into(),
        caption: format!(
            "Times between values above truth's local {EXTREME}th percentile, all cells. Bands: 95 % of bootstraps over runs."
        ),
        sentence: format!(
            "The distance W1 between the distribution of waiting times and truth's, in {}: {}.",
            e.world.step(),
            listed(&parts)
        ),
        agrees: w1(LaneKind::Guided)
            .zip(w1(LaneKind::Video))
            .map(|(g, v)| g <= v),
        scene: Figure {
            charts,
            grid: Grid {
                columns: 2,
                aspect: 0.8,
                gap: 18.0,
            },
            legend: e.legend(),
            color_bar: None,
        }
        .scene(),
        numbers,
    })
}
