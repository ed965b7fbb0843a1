//! How long frames take.

use crate::metrics::Band;
use crate::report::axis::{plain, significant};
use crate::report::chart::{Chart, Layer};
use crate::report::scene::Anchor;
use crate::report::style::INK;
use crate::report::{Axis, Figure, Grid, Numbers};
use crate::rollout::settings::LaneKind;

use super::{Evaluation, Plate, listed};
use crate::evaluate::measure::bootstrap;
use crate::evaluate::method::Method;
use crate::evaluate::timings::{Timing, median};

/// Median over frames that were picked.
fn over(seconds: &[f64], seed: u64) -> Option<Band> {
    bootstrap(seed).band(seconds.len(), |pick| {
        let all: Vec<f64> = pick
            .iter()
            .filter_map(|i| seconds.get(*i).copied())
            .collect();
        Some(median(&all))
    })
}

pub(super) fn speed(e: &Evaluation<'_>) -> Option<Plate> {
    let mut numbers = Numbers::default();
    let found: Vec<(&Timing, Band)> = e
        .timings
        .iter()
        .filter_map(|t| Some((t, over(&t.seconds, e.plan.seed)?)))
        .collect();
    let most = found
        .iter()
        .map(|(_, b)| b.high.max(b.estimate))
        .fold(0.0, f64::max);
    let mut chart = Chart::new(
        "",
        Axis::bare(""),
        Axis::linear("seconds a frame", 0.0, 1.18 * most),
    );
    chart.x.hi = found.len() as f64;
    for (k, (t, band)) in found.iter().enumerate() {
        let x = k as f64 + 0.5;
        let style = Method::Lane(t.lane).style();
        numbers.band(t.lane.label(), "seconds a frame of one member", None, band);
        let inside = median(&t.guidance);
        numbers.push(t.lane.label(), "of them in the discriminator", None, inside);
        let whole = [x - 0.3, x + 0.3, 0.0, band.estimate];
        chart.layers.push(Layer::Bars {
            bars: vec![whole],
            color: style.color,
            alpha: 0.45,
        });
        let part = [x - 0.3, x + 0.3, 0.0, inside];
        chart.layers.push(Layer::Bars {
            bars: vec![part],
            color: style.color,
            alpha: 1.0,
        });
        chart.layers.push(Layer::Whiskers {
            points: vec![[x, band.low, band.high]],
            color: INK,
        });
        chart.layers.push(Layer::Note {
            at: [x, band.high.max(band.estimate) + 0.03 * most],
            anchor: Anchor::Middle,
            text: format!("{} s", significant(band.estimate)),
            color: INK,
        });
    }
    let of = |k: LaneKind| {
        found
            .iter()
            .find(|(t, _)| t.lane == k)
            .map(|f| f.1.estimate)
    };
    let more = |with: LaneKind, without: LaneKind| {
        let (a, b) = (of(with)?, of(without)?);
        Some(format!(
            "{} takes {} % {} than {}",
            with.label().to_lowercase(),
            plain(100.0 * (a / b - 1.0).abs(), 0),
            if a < b { "less" } else { "more" },
            without.label().to_lowercase()
        ))
    };
    let parts: Vec<String> = [
        more(LaneKind::Guided, LaneKind::Unconditional),
        more(LaneKind::GuidedVideo, LaneKind::Video),
    ]
    .into_iter()
    .flatten()
    .collect();
    let extra = of(LaneKind::Guided)
        .zip(of(LaneKind::Unconditional))
        .map(|(a, b)| a / b - 1.0);
    (!found.is_empty()).then(|| Plate {
        id: "timings",
        title: "Time of a frame".into(),
        caption: "Median seconds of a frame of one member, lanes by turns on the same machine; the dark part is the \
                  discriminator's: its look at the history, and its judgement where the solver does not take that in its own step. Whiskers: 95 % of bootstraps. The paper: guidance adds 3 % (vorticity) and 8 % (precipitation)."
            .into(),
        sentence: match parts.is_empty() {
            true => "One lane was timed.".into(),
            false => format!("{}.", capital(&listed(&parts))),
        },
        agrees: extra.map(|v| v <= 0.15),
        scene: Figure {
            charts: vec![chart],
            grid: Grid { columns: 1, aspect: 0.36, gap: 0.0 },
            legend: found
                .iter()
                .map(|(t, _)| (t.lane.label().to_owned(), Method::Lane(t.lane).style()))
                .collect(),
            color_bar: None,
        }
        .scene(),
        numbers,
    })
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or(String::new(), |c| c.to_uppercase().chain(letters).collect())
}
