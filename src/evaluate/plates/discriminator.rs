//! Figures of the discriminators: what they see while noise goes out of a frame, and how well their probabilities hold.

use crate::metrics::Reliability;
use crate::report::axis::plain;
use crate::report::chart::Layer;
use crate::report::style::{FRAME, INK, WEAK};
use crate::report::{Axis, Chart, Figure, Grid, Marker, Numbers, Stroke, Style};
use crate::rollout::settings::{DiscriminatorKind, LaneKind};

use super::{Evaluation, Plate, line_with_band, listed};
use crate::evaluate::discriminator::{Judged, Watched, name};
use crate::evaluate::measure::bootstrap;
use crate::evaluate::method::Method;
use crate::evaluate::timings::median;

fn probability(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

/// Median over the watched frames at each noise level, of the probability or of the logit.
fn along(w: &Watched, pick: &[usize], logit: bool) -> Vec<f64> {
    (0..w.sigma.len())
        .map(|i| {
            let all: Vec<f64> = pick
                .iter()
                .filter_map(|k| w.logits.get(*k)?.get(i))
                .map(|v| f64::from(*v))
                .map(|v| if logit { v } else { probability(v) })
                .collect();
            median(&all)
        })
        .collect()
}

/// A logit on an axis that is linear up to 1 and logarithmic beyond.
fn folded(v: f64) -> f64 {
    if v.abs() <= 1.0 {
        v
    } else {
        v.signum() * (1.0 + v.abs().log10())
    }
}

pub(super) fn denoising(e: &Evaluation<'_>) -> Option<Plate> {
    let watched = &e.discriminators.watched;
    let mut kinds: Vec<DiscriminatorKind> = Vec::new();
    for w in watched {
        if !kinds.contains(&w.discriminator) {
            kinds.push(w.discriminator);
        }
    }
    let mut numbers = Numbers::default();
    let mut charts = Vec::new();
    for kind in &kinds {
        let of_kind = || watched.iter().filter(|w| w.discriminator == *kind);
        let (mut shown, mut raw) = (Vec::new(), Vec::new());
        let mut reach = vec![-2.0, 2.0];
        let (mut first, mut last) = (1.0_f64, 1.0_f64);
        for w in of_kind() {
            let style = Method::Lane(w.lane).style();
            let xs: Vec<f64> = w.sigma.iter().map(|s| f64::from(*s)).collect();
            first = xs.first().copied().unwrap_or(1.0);
            last = xs.last().copied().unwrap_or(1.0);
            let draw = bootstrap(e.plan.seed);
            if let Some(bands) = draw.bands(w.logits.len(), |p| Some(along(w, p, false))) {
                for (x, b) in xs.iter().zip(&bands) {
                    numbers.band(
                        w.lane.label(),
                        &format!("median D, {}", name(*kind)),
                        Some(*x),
                        b,
                    );
                }
                shown.extend(line_with_band(&xs, &bands, style, true));
            }
            if let Some(bands) = draw.bands(w.logits.len(), |p| Some(along(w, p, true))) {
                for (x, b) in xs.iter().zip(&bands) {
                    numbers.band(
                        w.lane.label(),
                        &format!("median logit, {}", name(*kind)),
                        Some(*x),
                        b,
                    );
                }
                let folded: Vec<_> = bands
                    .iter()
                    .map(|b| crate::metrics::Band {
                        estimate: folded(b.estimate),
                        low: folded(b.low),
                        high: folded(b.high),
                    })
                    .collect();
                reach.extend(folded.iter().flat_map(|b| [b.low, b.high]));
                raw.extend(line_with_band(&xs, &folded, style, true));
            }
        }
        let strength = of_kind().next().map_or(1.0, |w| w.strength);
        let letter = |k: usize| char::from(b'a' + k as u8);
        let x = Axis::log(
            "noise level σ (std of the data: 0.5)",
            first * 1.2,
            last / 1.2,
        );
        charts.push(Chart {
            layers: shown,
            ..Chart::new(
                format!("({}) {}, λ = {strength}", letter(charts.len()), name(*kind)),
                x.clone(),
                Axis::linear("D", -0.04, 1.04),
            )
        });
        let ticks = [-1000.0, -100.0, -10.0, -1.0, 0.0, 1.0, 10.0, 100.0, 1000.0];
        let y = Axis::around("logit of D", reach);
        let ticks: Vec<(f64, String)> = ticks
            .into_iter()
            .filter(|v| folded(*v) >= y.lo && folded(*v) <= y.hi)
            .map(|v| (folded(v), plain(v, 0)))
            .collect();
        charts.push(
            Chart {
                layers: raw,
                ..Chart::new(
                    format!("({}) its logit", letter(charts.len())),
                    x,
                    y.with_ticks(ticks),
                )
            }
            .with(Layer::Level(0.0, Stroke::solid(FRAME, 1.0))),
        );
    }
    let end = |kind: DiscriminatorKind, lane: LaneKind| {
        let w = watched
            .iter()
            .find(|w| w.discriminator == kind && w.lane == lane)?;
        let all: Vec<usize> = (0..w.logits.len()).collect();
        along(w, &all, false).last().copied()
    };
    let parts: Vec<String> = kinds
        .iter()
        .filter_map(|k| {
            Some(format!(
                "of the {} discriminator ends at {} with guidance and at {} without",
                name(*k),
                plain(end(*k, LaneKind::Guided)?, 2),
                plain(end(*k, LaneKind::Unconditional)?, 2)
            ))
        })
        .collect();
    let own = e.plan.settings.guidance.discriminator;
    let agrees = end(own, LaneKind::Guided)
        .zip(end(own, LaneKind::Unconditional))
        .map(|(g, u)| g > 0.9 && u < 0.1);
    let mut legend: Vec<(String, Style)> = Vec::new();
    for w in watched {
        let entry = (w.lane.label().to_owned(), Method::Lane(w.lane).style());
        if !legend.contains(&entry) {
            legend.push(entry);
        }
    }
    (!charts.is_empty()).then(|| Plate {
        id: "denoising",
        title: "The discriminator along the denoising".into(),
        caption: "Median of D, and of its logit, over first frames from starts of truth, as the noise goes out (from left to \
                  right); video rows are judged too. Bands: 95 % of bootstraps over frames. The axis of the logit is linear up to 1, \
                  logarithmic beyond."
            .into(),
        sentence: format!("The median D {}.", listed(&parts)),
        agrees,
        scene: Figure {
            charts,
            grid: Grid { columns: 2, aspect: 0.62, gap: 18.0 },
            legend,
            color_bar: None,
        }
        .scene(),
        numbers,
    })
}

/// Bins of the reliability diagram.
const BINS: usize = 10;

/// Judgements that a bin must have to be shown.
const ENOUGH: u64 = 5;

fn reliable(j: &Judged, pick: &[usize]) -> Reliability {
    let mut all = Reliability::new(BINS);
    for k in pick {
        if let (Some(p), Some(n)) = (j.positive.get(*k), j.negative.get(*k)) {
            all.push(probability(f64::from(*p)), true);
            all.push(probability(f64::from(*n)), false);
        }
    }
    all
}

/// Colours from little noise to much.
fn shade(k: usize, n: usize) -> [u8; 3] {
    let map = crate::render::ColorMap::Batlow;
    map.entry((20.0 + 190.0 * k as f64 / (n.max(2) - 1) as f64) as u8)
}

pub(super) fn reliability(e: &Evaluation<'_>) -> Option<Plate> {
    let judged = &e.discriminators.judged;
    let mut kinds: Vec<DiscriminatorKind> = Vec::new();
    for j in judged {
        if !kinds.contains(&j.discriminator) {
            kinds.push(j.discriminator);
        }
    }
    let levels = judged
        .iter()
        .filter(|j| Some(&j.discriminator) == kinds.first())
        .count();
    let mut numbers = Numbers::default();
    let mut charts = Vec::new();
    let mut legend = Vec::new();
    let mut errors = Vec::new();
    let markers = [
        Marker::Disc,
        Marker::Square,
        Marker::Up,
        Marker::Down,
        Marker::Diamond,
    ];
    let mut summary = Vec::new();
    for kind in &kinds {
        let mut diagram = Chart::new(
            format!(
                "({}) {}",
                char::from(b'a' + charts.len() as u8),
                name(*kind)
            ),
            Axis::linear("D says", 0.0, 1.0),
            Axis::linear(
                if charts.is_empty() { "comes true" } else { "" },
                -0.04,
                1.04,
            ),
        );
        let diagonal = Style {
            width: 0.8,
            ..Style::CLIMATOLOGY
        };
        diagram.layers.push(Layer::Line {
            points: vec![[0.0, 0.0], [1.0, 1.0]],
            style: diagonal,
            marks: false,
        });
        let (mut xs, mut ece) = (Vec::new(), Vec::new());
        for (k, j) in judged
            .iter()
            .filter(|j| j.discriminator == *kind)
            .enumerate()
        {
            let style = Style {
                color: shade(k, levels),
                dash: &[],
                marker: markers[k % markers.len()],
                width: 1.3,
            };
            if charts.is_empty() {
                legend.push((format!("σ = {}", j.sigma), style));
            }
            let all: Vec<usize> = (0..j.positive.len()).collect();
            let points: Vec<[f64; 2]> = reliable(j, &all)
                .bins()
                .iter()
                .filter(|b| b.count >= ENOUGH)
                .map(|b| [b.predicted, b.observed])
                .collect();
            for p in &points {
                numbers.push(
                    name(*kind),
                    &format!("comes true, σ = {}", j.sigma),
                    Some(p[0]),
                    p[1],
                );
            }
            diagram.layers.push(Layer::Line {
                points,
                style,
                marks: true,
            });
            let bands = bootstrap(e.plan.seed).bands(j.positive.len(), |pick| {
                Some(vec![reliable(j, pick).ece()?])
            });
            if let Some(band) = bands.and_then(|b| b.first().copied()) {
                numbers.band(
                    name(*kind),
                    "expected calibration error",
                    Some(j.sigma),
                    &band,
                );
                xs.push(j.sigma);
                ece.push(band);
            }
        }
        let mean = ece.iter().map(|b| b.estimate).sum::<f64>() / ece.len().max(1) as f64;
        summary.push(format!("{} {}", name(*kind), plain(mean, 3)));
        errors.push((*kind, xs, ece));
        charts.push(diagram);
    }
    let ends = errors
        .iter()
        .flat_map(|(_, _, b)| b.iter().flat_map(|b| [b.low, b.high]))
        .chain([0.0]);
    let mut last = Chart::new(
        format!(
            "({}) calibration error",
            char::from(b'a' + charts.len() as u8)
        ),
        Axis::log("noise level σ", 0.014, 60.0),
        Axis::around("expected calibration error", ends),
    );
    for (k, (_, xs, bands)) in errors.iter().enumerate() {
        let style = match k {
            0 => Style {
                color: INK,
                dash: &[],
                marker: Marker::Disc,
                width: 1.6,
            },
            _ => Style {
                color: WEAK,
                dash: &[5.0, 3.0],
                marker: Marker::Square,
                width: 1.4,
            },
        };
        last.layers.extend(line_with_band(xs, bands, style, true));
        legend.push((name(kinds[k]).into(), style));
    }
    charts.push(last);
    (!kinds.is_empty()).then(|| Plate {
        id: "reliability",
        title: "Reliability of the discriminator by noise level".into(),
        caption: format!(
            "{} true successors and as many frames drawn from all of truth, noised; bins of D with {ENOUGH} or more. On the diagonal D means \
             what it says. Expected calibration error: mean distance from it.",
            judged.first().map_or(0, |j| j.positive.len())
        ),
        sentence: format!("Mean of the calibration error over noise levels: {}.", listed(&summary)),
        agrees: None,
        scene: Figure {
            grid: Grid { columns: charts.len(), aspect: 1.0, gap: 14.0 },
            charts,
            legend,
            color_bar: None,
        }
        .scene(),
        numbers,
    })
}
