//! Settings of a shipped model, one at a time: each sweep is an axis of [`crate::sweep`] with all other settings as the
//! model's card suggests them, judged by its criterion.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::{Result, UserError};
use crate::model::Model;
use crate::rollout::engine::Engine;
use crate::rollout::settings::{DiscriminatorKind, RolloutSpec, Settings};
use crate::rollout::suggested::suggested;
use crate::study::config::refuse;
use crate::study::results::{Cell, Curve, Plot, Results, Table, short};
use crate::study::{Halt, Lab, Outcome};
use crate::sweep::{Axis, Finished, Knob, Point, best, criterion, points, run, usable};

/// Frames of the rollout that is timed.
const TIMED: usize = 8;
/// Errors below this are drawn there.
const SMALLEST: f64 = 1e-3;

/// What is varied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// A shipped model by name, or a model folder.
    pub model: String,
    /// Members and frames of a rollout.
    pub members: usize,
    /// See `members`.
    pub frames: usize,
    /// The axes, one after another.
    pub sweeps: Vec<Sweep>,
}

/// One axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// Name in tables and figures.
    pub title: String,
    /// The setting and its values, as `eddyscope sweep --over` takes them.
    pub over: String,
    /// Other settings, one value each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixed: Vec<String>,
    /// What the paper chose.
    pub paper: String,
}

impl Sweep {
    fn axes(&self) -> Result<(Axis, Vec<Axis>)> {
        let axis = |text: &str| -> Result<Axis> {
            text.parse().map_err(|e: String| {
                UserError::new(
                    format!("The study's axis {text} does not fit"),
                    e,
                    "correct it, or begin with a copy of models/studies/ablation.toml",
                )
            })
        };
        let fixed: Vec<Axis> = self.fixed.iter().map(|t| axis(t)).collect::<Result<_>>()?;
        refuse(
            fixed.iter().all(|a| a.values.len() == 1),
            "what is fixed in a sweep has one value",
        )?;
        Ok((axis(&self.over)?, fixed))
    }

    /// The points, in the order of the axis, and the axis.
    fn points(&self, base: &dyn Fn(DiscriminatorKind) -> Settings) -> Result<(Vec<Point>, Axis)> {
        let (axis, fixed) = self.axes()?;
        let encoder = fixed
            .iter()
            .any(|a| a.knob == Knob::Discriminator && a.values == ["encoder"]);
        let kind = match encoder {
            true => DiscriminatorKind::Encoder,
            false => DiscriminatorKind::TwoTower,
        };
        let all: Vec<Axis> = std::iter::once(axis.clone()).chain(fixed).collect();
        Ok((points(&all, &base(kind))?, axis))
    }
}

impl Study {
    pub(super) fn validate(&self) -> Result<()> {
        refuse(
            (1..=64).contains(&self.members) && self.frames >= 12 && !self.sweeps.is_empty(),
            "study.members lies between 1 and 64, study.frames is at least 12, study.sweeps has at least one",
        )?;
        for sweep in &self.sweeps {
            sweep.points(&|_| Settings::default())?;
        }
        Ok(())
    }

    pub(super) fn run(&self, lab: &Lab, results: &mut Results) -> Outcome<()> {
        let model = Model::open(&self.model)?;
        let mut engine = Engine::new(&model, lab.compute.clone())?;
        let globe = model.card.data.globe.is_some();
        let (members, frames) = lab.rollout(self.members, self.frames);
        let spec = RolloutSpec {
            seed: lab.seed,
            members,
            ..RolloutSpec::default()
        };
        results.made_of = Some(format!(
            "Shipped model `{}` (sha256 {}), {members} members over {frames} frames, seed {}; seconds are those of the fastest \
             of {TIMED} frames of one member",
            model.card.name,
            model.hash().get(..12).unwrap_or_default(),
            lab.seed
        ));
        let mut made = Vec::new();
        for sweep in &self.sweeps {
            let (all, axis) = sweep.points(&|kind| suggested(&model.card, kind))?;
            let mut finished = Vec::new();
            for point in &all {
                let size = (&spec, frames);
                finished.push(one(lab, &mut engine, &model.hash(), point, size)?);
            }
            made.push((sweep, axis, all, finished));
        }
        // Timed apart and one after another, so that what a frame costs can be compared.
        let single = RolloutSpec {
            members: 1,
            ..spec.clone()
        };
        for (sweep, axis, all, mut finished) in made {
            for (point, done) in all.iter().zip(&mut finished) {
                let size = (&single, TIMED);
                let timed = one(lab, &mut engine, &model.hash(), point, size)?;
                done.figures.fastest_frame = timed.figures.fastest_frame;
            }
            results.tables.push(table(sweep, &axis, &finished, globe));
            let letter = char::from(b'a' + (results.plots.len() % 26) as u8);
            results.plots.push(errors(sweep, &axis, &finished, letter));
            let letter = char::from(b'a' + (results.plots.len() % 26) as u8);
            results.plots.push(cost(&axis, &finished, letter));
            results.findings.push(sentence(sweep, &axis, &finished));
        }
        results.findings.push(criterion(globe));
        Ok(())
    }
}

/// One point, made once: sweeps that cross share it.
fn one(
    lab: &Lab,
    engine: &mut Engine,
    hash: &str,
    point: &Point,
    (spec, frames): (&RolloutSpec, usize),
) -> Outcome<Finished> {
    let (g, s) = (&point.settings.guidance, &point.settings.sampler);
    let kind = if frames == TIMED { "seconds-" } else { "" };
    let name = format!(
        "{kind}{:?}-lambda={}-m={}-steps={}",
        g.discriminator, g.strength, g.history, s.steps
    );
    let recipe =
        json!({ "settings": point.settings, "rollout": spec, "frames": frames, "model": hash });
    let made: Finished = lab.once(&name, &recipe, || {
        let scratch = lab.out.join("measured").join(&name);
        let go_on = || match (lab.stop)() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        run::make(engine, point, spec, frames, &scratch, &go_on)?.ok_or(Halt::Stopped)
    })?;
    // The values of the axis at hand, not those of the sweep that made it.
    Ok(Finished {
        values: point
            .values
            .iter()
            .map(|(knob, value)| (knob.name().to_owned(), value.clone()))
            .collect(),
        ..made
    })
}

/// Position of a point on its axis.
fn place(p: &Finished) -> Option<f64> {
    p.values.first()?.1.parse().ok()
}

fn value(p: &Finished) -> String {
    p.values.first().map(|v| v.1.clone()).unwrap_or_default()
}

fn table(sweep: &Sweep, axis: &Axis, points: &[Finished], globe: bool) -> Table {
    let third = match globe {
        true => "wet share minus truth's",
        false => "dynamics skill minus truth's",
    };
    let mut table = Table::new(
        &sweep.title.replace(", ", "-"),
        &format!(
            "{} varied, all else as the model's card suggests. Seconds of the fastest of {TIMED} frames of one member.",
            axis.knob.name()
        ),
        &[
            axis.knob.name(),
            "score",
            "autocorrelation error, lags 1-10",
            "std ratio",
            third,
            "spectrum error",
            "seconds a frame",
            "blew up at frame",
        ],
    );
    let winner = best(points).map(value);
    for p in points {
        let f = &p.figures;
        let own = value(p);
        let mark = match winner.as_deref() == Some(&own) {
            true => format!("**{own}**"),
            false => own,
        };
        let sound = |v: Option<f64>| -> Cell { v.filter(|_| p.blow_up.is_none()).into() };
        table.row(vec![
            mark.into(),
            p.score.into(),
            sound(f.acf_error),
            sound(f.std_ratio),
            sound(f.skill_difference.or(f.wet_difference)),
            sound(f.spectrum_error),
            f.fastest_frame.into(),
            p.blow_up
                .as_ref()
                .map_or_else(|| "-".to_owned(), |(frame, _)| (frame + 1).to_string())
                .into(),
        ]);
    }
    table
}

fn errors(sweep: &Sweep, axis: &Axis, points: &[Finished], letter: char) -> Plot {
    type Read = fn(&Finished) -> Option<f64>;
    let readings: [(&str, Read); 4] = [
        ("autocorrelation error", |p| p.figures.acf_error),
        ("|std ratio - 1|", |p| {
            p.figures.std_ratio.map(|r| (r - 1.0).abs())
        }),
        ("|skill - truth's|", |p| {
            let f = &p.figures;
            f.skill_difference.or(f.wet_difference).map(f64::abs)
        }),
        ("spectrum error", |p| p.figures.spectrum_error),
    ];
    let curves = readings.map(|(name, read)| {
        let sound = points.iter().filter(|p| p.blow_up.is_none());
        let line = sound
            .filter_map(|p| Some([place(p)?, read(p)?.max(SMALLEST)]))
            .collect();
        Curve::made(name, line)
    });
    Plot {
        title: format!("({letter}) {}", sweep.title),
        x: axis.knob.name().into(),
        y: format!("error (at least {SMALLEST})"),
        log: [false, true],
        range: None,
        curves: curves.into(),
        upright: None,
    }
}

fn cost(axis: &Axis, points: &[Finished], letter: char) -> Plot {
    let line: Vec<[f64; 2]> = points
        .iter()
        .filter_map(|p| Some([place(p)?, p.figures.fastest_frame?]))
        .collect();
    let top = line.iter().map(|p| p[1]).fold(0.0, f64::max);
    Plot {
        title: format!("({letter}) its cost"),
        x: axis.knob.name().into(),
        y: "seconds a frame".into(),
        log: [false, false],
        range: Some([0.0, 1.1 * top.max(1e-3)]),
        curves: vec![Curve::made("seconds a frame", line)],
        upright: None,
    }
}

fn sentence(sweep: &Sweep, axis: &Axis, points: &[Finished]) -> String {
    let knob = axis.knob.name();
    let plain = |v: Option<f64>| short(v.unwrap_or(f64::NAN));
    let wet = points.iter().any(|p| p.figures.wet_difference.is_some());
    let third = if wet { "wet share" } else { "dynamics skill" };
    let mut text = match best(points) {
        Some(p) => {
            let f = &p.figures;
            format!(
                "{}: best at {knob} {} (score {}: autocorrelation error {}, std {} of truth's, {third} off by {}, spectrum error \
                 {}, {} seconds a frame).",
                sweep.title,
                value(p),
                plain(p.score),
                plain(f.acf_error),
                plain(f.std_ratio),
                plain(f.skill_difference.or(f.wet_difference)),
                plain(f.spectrum_error),
                plain(f.fastest_frame)
            )
        }
        None => format!("{}: every rollout blew up.", sweep.title),
    };
    let unguided = points.iter().find(|p| p.strength() == 0.0);
    if let Some(p) = unguided {
        text.push_str(&format!(
            " Without guidance the score is {}.",
            plain(p.score)
        ));
    }
    if axis.knob == Knob::Lambda
        && let Some(limit) = usable(points)
    {
        text.push_str(&format!(
            " No rollout blew up at strengths up to {limit}, one did at the next."
        ));
    }
    text.push_str(&format!(" The paper: {}.", sweep.paper));
    text
}
