//! Figures of the rollout on screen, for the sentences and goals of a lesson: over the newest frames that were made under
//! the settings in force, so that what is said is about what the learner just did.

use std::fmt::Write as _;

use super::super::state::State;
use super::super::widgets::number;
use crate::rollout::frame::FrameSet;
use crate::rollout::settings::{LaneKind, Settings, Start};

/// Frames looked at.
const WINDOW: usize = 24;
/// Frames before which a figure of time is not said.
const LEAST: usize = 6;
/// Lanes that have figures.
const LANES: [(LaneKind, &str); 3] = [
    (LaneKind::Truth, "truth"),
    (LaneKind::Unconditional, "unconditional"),
    (LaneKind::Guided, "guided"),
];
/// Figures of a lane.
const OF_LANE: [&str; 9] = [
    "r1", "r2", "r4", "std", "change", "skill", "d", "push", "blown",
];
/// Figures of the rollout.
const PLAIN: [&str; 8] = [
    "frames",
    "strength",
    "history",
    "warm",
    "mistaken",
    "guess",
    "suggested",
    "steps",
];

/// Every figure's name.
pub fn figure_names() -> Vec<String> {
    let lanes = LANES
        .iter()
        .flat_map(|(_, lane)| OF_LANE.iter().map(move |f| format!("{lane}.{f}")));
    PLAIN.iter().map(|p| (*p).to_owned()).chain(lanes).collect()
}

/// Figures at one moment.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    values: Vec<(String, f64)>,
}

impl Figures {
    /// A figure; NaN where there is none yet.
    pub fn get(&self, name: &str) -> f64 {
        let found = self.values.iter().find(|(n, _)| n == name);
        found.map_or(f64::NAN, |(_, v)| *v)
    }

    /// Sets one.
    pub fn set(&mut self, name: &str, value: f64) {
        self.values.retain(|(n, _)| n != name);
        self.values.push((name.to_owned(), value));
    }

    /// Of the newest frames of the rollout from number `from` on.
    pub fn of(state: &State, from: usize) -> Self {
        let mut out = Self::default();
        let settings = &state.prefs.settings;
        let g = &settings.guidance;
        out.set("strength", g.strength.into());
        out.set("history", g.history as f64);
        out.set("steps", settings.sampler.steps as f64);
        out.set("suggested", state.strength_marks().0.into());
        out.set("mistaken", f64::from(u8::from(g.belief.is_some())));
        let warm = match settings.sampler.start {
            Start::Noise => 0.0,
            Start::Warm { sigma } => sigma.into(),
        };
        out.set("warm", warm);
        let frames: Vec<&FrameSet> = state
            .archive
            .frames
            .iter()
            .rev()
            .take_while(|f| f.index >= from && f.index > 3 && alike(&f.settings, settings))
            .take(WINDOW)
            .map(AsRef::as_ref)
            .collect();
        let made = state
            .archive
            .frames
            .iter()
            .rev()
            .take_while(|f| f.index >= from && f.index > 3 && alike(&f.settings, settings))
            .count();
        out.set("frames", made as f64);
        for (kind, name) in LANES {
            out.lane(name, kind, &frames);
            let blown = state.blow_ups[kind.index()].is_some();
            out.set(&format!("{name}.blown"), f64::from(u8::from(blown)));
        }
        out
    }

    /// `frames` newest first.
    fn lane(&mut self, name: &str, kind: LaneKind, frames: &[&FrameSet]) {
        let lanes: Vec<_> = frames
            .iter()
            .filter_map(|f| f.lanes[kind.index()].as_ref())
            .collect();
        let enough = lanes.len() >= LEAST;
        let mean = |of: &dyn Fn(usize) -> Option<f64>| {
            let all: Vec<f64> = (0..lanes.len())
                .filter_map(of)
                .filter(|v| v.is_finite())
                .collect();
            match all.len() {
                0 => f64::NAN,
                n => all.iter().sum::<f64>() / n as f64,
            }
        };
        for (figure, lag) in [("r1", 1), ("r2", 2), ("r4", 4)] {
            let (mut cross, mut early, mut late) = (0.0, 0.0, 0.0);
            for pair in lanes.windows(lag + 1) {
                let (Some(x), Some(y)) = (pair.first(), pair.last()) else {
                    continue;
                };
                for (x, y) in x.members.iter().zip(&y.members) {
                    cross += dot(x, y);
                    early += dot(y, y);
                    late += dot(x, x);
                }
            }
            let r = if enough && lanes.len() > lag + 1 {
                cross / (early * late).sqrt()
            } else {
                f64::NAN
            };
            self.set(&format!("{name}.{figure}"), r);
        }
        let of = |figure: &str| format!("{name}.{figure}");
        let stat = |v: f64| if enough { v } else { f64::NAN };
        self.set(&of("std"), stat(mean(&|i| Some(lanes[i].stats.std))));
        self.set(
            &of("change"),
            stat(mean(&|i| Some(lanes[i].stats.rmse_to_previous))),
        );
        self.set(
            &of("skill"),
            stat(mean(&|i| Some(lanes[i].stats.dynamics_skill))),
        );
        // D at the noise level nearest 1, where it begins to see.
        let d = mean(&|i| {
            let trace = &lanes[i].trace;
            let near = |s: f32| f64::from(s.max(1e-6)).ln().abs();
            let at = (0..trace.sigma.len())
                .min_by(|a, b| near(trace.sigma[*a]).total_cmp(&near(trace.sigma[*b])))?;
            let logit = f64::from(*trace.logit.get(at)?);
            Some(1.0 / (1.0 + (-logit).exp()))
        });
        self.set(&of("d"), stat(d));
        // The largest share of guidance in a step.
        let push = mean(&|i| {
            let ratios = lanes[i].trace.guidance_ratio.iter();
            ratios.map(|r| f64::from(*r)).reduce(f64::max)
        });
        self.set(&of("push"), stat(push));
    }
}

/// Whether two settings make frames of the same kind.
fn alike(a: &Settings, b: &Settings) -> bool {
    a.guidance == b.guidance && a.sampler == b.sampler
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(x, y)| f64::from(*x) * f64::from(*y))
        .sum()
}

/// Names in braces.
pub fn placeholders(text: &str) -> Vec<&str> {
    text.split('{')
        .skip(1)
        .filter_map(|part| part.split_once('}').map(|(name, _)| name.trim()))
        .collect()
}

/// A text with its figures put in.
pub fn filled(text: &str, figures: &Figures) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        out.push_str(&shown(name.trim(), figures.get(name.trim())));
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// A figure with the decimals that it deserves.
pub fn shown(name: &str, value: f64) -> String {
    let decimals = match name {
        "frames" | "history" | "steps" => 0,
        _ => 2,
    };
    number(value, decimals)
}

/// Something to be reached: `guided.r1 > 0.9`, `strength < 0.1`, `guided.r1 > unconditional.r1`.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    left: String,
    relation: Relation,
    right: Side,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Relation {
    Above,
    Below,
    AtLeast,
    AtMost,
    Is,
}

#[derive(Debug, Clone, PartialEq)]
enum Side {
    Number(f64),
    Figure(String),
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let signs = [
            (">=", Relation::AtLeast),
            ("<=", Relation::AtMost),
            (">", Relation::Above),
            ("<", Relation::Below),
            ("=", Relation::Is),
        ];
        let split = signs
            .into_iter()
            .find_map(|(sign, relation)| text.split_once(sign).map(|(l, r)| (l, relation, r)));
        let Some((left, relation, right)) = split else {
            return Err(format!(
                "\"{text}\" is no condition: write it as \"guided.r1 > 0.9\", with >, <, >=, <= or ="
            ));
        };
        let (left, right) = (left.trim(), right.trim());
        let names = figure_names();
        let unknown = |name: &str| {
            format!(
                "there is no figure named {name}; there are: {}",
                names.join(", ")
            )
        };
        if !names.iter().any(|n| n == left) {
            return Err(unknown(left));
        }
        let right = match right.parse::<f64>() {
            Ok(value) if value.is_finite() => Side::Number(value),
            _ if names.iter().any(|n| n == right) => Side::Figure(right.to_owned()),
            _ => return Err(unknown(right)),
        };
        Ok(Self {
            left: left.to_owned(),
            relation,
            right,
        })
    }

    /// Whether it is reached; what is not known yet is not.
    pub fn holds(&self, figures: &Figures) -> bool {
        let left = figures.get(&self.left);
        let right = match &self.right {
            Side::Number(value) => *value,
            Side::Figure(name) => figures.get(name),
        };
        match self.relation {
            Relation::Above => left > right,
            Relation::Below => left < right,
            Relation::AtLeast => left >= right,
            Relation::AtMost => left <= right,
            Relation::Is => (left - right).abs() < 1e-6,
        }
    }

    /// Where it stands ("guided.r1 0.62").
    pub fn now(&self, figures: &Figures) -> String {
        let mut out = String::new();
        let _ = write!(out, "{} ", words(&self.left));
        let value = figures.get(&self.left);
        if value.is_finite() {
            out.push_str(&shown(&self.left, value));
        } else {
            out.push('…');
        }
        out
    }
}

/// A figure's name in words.
fn words(name: &str) -> String {
    let (lane, figure) = name.split_once('.').unwrap_or(("", name));
    let figure = match figure {
        "r1" => "lag-1 correlation",
        "r2" => "lag-2 correlation",
        "r4" => "lag-4 correlation",
        "change" => "change per frame",
        "skill" => "dynamics skill",
        "d" => "D",
        "strength" => "λ",
        "history" => "m",
        "frames" => "frames so far",
        "warm" => "warm start σ",
        other => other,
    };
    match lane {
        "" => figure.to_owned(),
        lane => format!("{lane} {figure}"),
    }
}
