//! The denoising of a frame, made again.

use std::sync::Arc;
use std::time::Instant;

use crate::data::{NORMALISED_STD, Normaliser};
use crate::diffusion::sampler::{Evaluation, Fields};
use crate::diffusion::to_vec;
use crate::error::{Result, UserError};
use crate::metrics::rain::RainGrid;
use crate::metrics::shell_power;

use super::super::engine::Engine;
use super::super::frame::DenoisingTrace;
use super::super::lanes::{Lanes, WrittenRun};
use super::super::sampled::FrameInProgress;
use super::super::settings::{LaneKind, RolloutSpec};
use super::specimen::Specimen;

/// Evaluations whose fields are kept; with more of them, every second, third, ... is (the curves have all).
pub const MOST_STOPS: usize = 256;

/// How the values of noised fields are written: normalised values times a factor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unit {
    /// One normalised unit in the unit written.
    pub factor: f32,
    /// Whether it is the unit of the data (else: standard deviations of a cell, of transformed amounts).
    pub physical: bool,
}

impl Unit {
    /// The data's own unit where the normalisation is one scale; else standard deviations.
    pub fn of(normaliser: &Normaliser) -> Self {
        match normaliser {
            Normaliser::Scale(scale) => Self {
                factor: *scale,
                physical: true,
            },
            Normaliser::Amounts(_) => Self {
                factor: (1.0 / NORMALISED_STD) as f32,
                physical: false,
            },
        }
    }
}

/// What one evaluation saw in one row. Fields are row-major `(y, x)`.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The noised candidate `x_i`, in [`Unit`].
    pub x: Arc<[f32]>,
    /// The image model's clean estimate, physical units.
    pub estimate: Arc<[f32]>,
    /// The clean estimate with the guidance added, physical units.
    pub guided: Arc<[f32]>,
    /// What guidance adds to the clean estimate: `lambda sigma^2 grad logit` (with the two-tower discriminator also what is
    /// taken back of the estimate), in [`Unit`]. Divided by `sigma^2` it is the guidance that is added to the score.
    pub shift: Arc<[f32]>,
    /// The score `(estimate - x) / sigma^2`, in one over [`Unit`].
    pub score: Arc<[f32]>,
    /// The discriminator's logit.
    pub logit: f32,
    /// `|s|`, normalised units.
    pub score_norm: f32,
    /// `|lambda d|`, normalised units.
    pub guidance_norm: f32,
    /// Power by wavenumber of `x`, of the estimate, and of the guided estimate, in [`Unit`] squared.
    pub spectra: [Vec<f64>; 3],
}

/// One evaluation of the networks.
#[derive(Debug, Clone)]
pub struct Stop {
    /// Its place in the traces.
    pub evaluation: usize,
    /// Solver step that it belongs to, from 0.
    pub step: usize,
    /// Noise level of `x`, normalised units.
    pub sigma: f64,
    /// Without guidance, with guidance.
    pub rows: [Seen; 2],
}

/// Whether the frame made again is the one that was kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Agreement {
    /// Bit for bit.
    Equal,
    /// Not bit for bit: rms difference, physical units.
    Differs(f64),
}

/// A frame's denoising.
#[derive(Debug, Clone)]
pub struct Denoising {
    /// What was looked at.
    pub specimen: Arc<Specimen>,
    /// Without guidance, with guidance.
    pub kinds: [LaneKind; 2],
    /// D and `|lambda d| / |s|` at every evaluation.
    pub traces: [DenoisingTrace; 2],
    /// Evaluations with their fields, in the order in which the solver asked.
    pub stops: Vec<Stop>,
    /// Power by wavenumber of the finished frames, in [`Unit`] squared.
    pub spectra: [Vec<f64>; 2],
    /// Whether the frame of the lane came out as it was kept.
    pub agreement: Agreement,
    /// Unit of the noised fields.
    pub unit: Unit,
    /// Seconds it took.
    pub seconds: f64,
}

/// Makes a frame again, with and without guidance. `watch` hears the steps done and their number, and answers whether to go
/// on; `None` when it was stopped.
///
/// # Errors
/// A specimen of another model, a discriminator that the model does not have.
pub fn denoise(
    engine: &Engine,
    specimen: Arc<Specimen>,
    watch: &mut dyn FnMut((usize, usize)) -> bool,
) -> Result<Option<Denoising>> {
    let began = Instant::now();
    let cells = engine.cells();
    let fits = |frame: &Arc<[f32]>| frame.len() == cells;
    let first = specimen
        .settings_at(0)
        .filter(|_| fits(&specimen.kept) && specimen.history.iter().all(fits));
    let Some(first) = first else {
        return Err(UserError::new(
            "This frame cannot be looked at",
            "it is of another model",
            "open the model that made it",
        ));
    };
    let lanes = lanes_of(engine, &specimen)?;
    let kinds = specimen.pair();
    let Some(mut frame) =
        FrameInProgress::begin_member(engine, &lanes, &kinds, first, true, specimen.member)
    else {
        return Err(UserError::new(
            "This frame cannot be looked at",
            "its lane has no history",
            "choose a later frame",
        ));
    };
    frame.show_fields();
    let reader = Reader::of(engine);
    let all = first.sampler.solver.evaluations(frame.progress().1);
    let every = all.div_ceil(MOST_STOPS).max(1);
    let mut stops = Vec::new();
    let mut evaluation = 0;
    let mut step = 0;
    while !frame.is_done() {
        if !watch(frame.progress()) {
            return Ok(None);
        }
        let Some(settings) = specimen.settings_at(step) else {
            break;
        };
        for e in frame.step(engine, &lanes, settings)? {
            if let Some(fields) = &e.fields
                && (evaluation % every == 0 || evaluation + 1 == all)
            {
                stops.push(reader.stop(&e, fields, evaluation, step));
            }
            evaluation += 1;
        }
        step += 1;
    }
    let made = frame.finish(engine);
    let of = |kind: LaneKind| {
        let lane = made.iter().find(|l| l.kind == kind)?;
        Some((lane.members.first()?.clone(), lane.trace.clone()))
    };
    let (Some(without), Some(with)) = (of(kinds[0]), of(kinds[1])) else {
        return Err(UserError::new(
            "This frame cannot be looked at",
            "the sampler gave no frame",
            "choose another frame",
        ));
    };
    let again = if specimen.lane == kinds[0] {
        &without.0
    } else {
        &with.0
    };
    Ok(Some(Denoising {
        agreement: agreement(again, &specimen.kept),
        spectra: [&without.0, &with.0].map(|frame| {
            let mut normalised = Vec::with_capacity(cells);
            engine.normaliser.normalise(frame, &mut normalised);
            reader.spectrum(&reader.written(&normalised))
        }),
        traces: [without.1, with.1],
        unit: reader.unit,
        kinds,
        stops,
        specimen,
        seconds: began.elapsed().as_secs_f64(),
    }))
}

/// Lanes whose next frame is the specimen's: both lanes with its history.
pub(super) fn lanes_of(engine: &Engine, specimen: &Specimen) -> Result<Lanes> {
    let spec = RolloutSpec {
        seed: specimen.seed,
        members: 1,
        ..RolloutSpec::default()
    };
    let last: Vec<_> = specimen
        .history
        .iter()
        .rev()
        .map(|frame| vec![Arc::clone(frame)])
        .collect();
    let [without, with] = specimen.pair();
    let Some((calendar, date)) = specimen.date else {
        return Ok(Lanes::from_frames(&spec, last.len(), specimen.frame, &last));
    };
    let first = calendar.days_from_date(date) - specimen.frame as i64;
    let run = WrittenRun {
        start_frames: last.len(),
        calendar,
        first: calendar.date_from_days(first),
        frames: specimen.frame,
        last,
    };
    // A lane that is switched on takes over the guided lane's history.
    let mut lanes = Lanes::resume(engine, &spec, LaneKind::Guided, &run)?;
    lanes.switch(without, true);
    lanes.switch(with, true);
    Ok(lanes)
}

/// Reads fields off an evaluation.
struct Reader<'a> {
    engine: &'a Engine,
    unit: Unit,
    rain: Option<RainGrid>,
}

impl<'a> Reader<'a> {
    fn of(engine: &'a Engine) -> Self {
        Self {
            engine,
            unit: Unit::of(&engine.normaliser),
            rain: engine.climate.as_ref().map(|c| RainGrid::new(&c.globe)),
        }
    }

    /// Normalised values in [`Unit`].
    fn written(&self, normalised: &[f32]) -> Vec<f32> {
        normalised.iter().map(|v| v * self.unit.factor).collect()
    }

    /// Power by wavenumber: of the box's shells, or along the circles of latitude.
    fn spectrum(&self, values: &[f32]) -> Vec<f64> {
        let [ny, _] = self.engine.shape();
        let power = match &self.rain {
            Some(grid) => grid.zonal_power(values),
            None => shell_power(&[values], ny),
        };
        power.unwrap_or_default()
    }

    fn stop(&self, e: &Evaluation, fields: &Fields, evaluation: usize, step: usize) -> Stop {
        let cells = self.engine.cells();
        let (x, d, g) = (
            to_vec(fields.x.clone()),
            to_vec(fields.denoised.clone()),
            to_vec(fields.guidance.clone()),
        );
        let [score, guidance] = fields.norms(e.sigma);
        let logit = e.logit.clone().map(to_vec);
        let row = |row: usize| {
            let part = |v: &[f32]| v.get(row * cells..(row + 1) * cells).map(<[f32]>::to_vec);
            let (x, d, g) = (
                part(&x).unwrap_or_default(),
                part(&d).unwrap_or_default(),
                part(&g).unwrap_or_default(),
            );
            let guided: Vec<f32> = d.iter().zip(&g).map(|(d, g)| d + g).collect();
            let per = 1.0 / (e.sigma * e.sigma * f64::from(self.unit.factor));
            let s = d.iter().zip(&x);
            let s = s.map(|(d, x)| (f64::from(d - x) * per) as f32).collect();
            let physical = |v: &[f32]| self.engine.normaliser.physical(v).0.into();
            let at = |v: &[f32]| v.get(row).copied().unwrap_or(f32::NAN);
            let written = [&x, &d, &guided].map(|v| self.written(v));
            Seen {
                spectra: [0, 1, 2].map(|i| self.spectrum(&written[i])),
                estimate: physical(&d),
                guided: physical(&guided),
                shift: self.written(&g).into(),
                score: s,
                logit: logit.as_deref().map_or(f32::NAN, at),
                score_norm: at(&score),
                guidance_norm: at(&guidance),
                x: self.written(&x).into(),
            }
        };
        Stop {
            evaluation,
            step,
            sigma: e.sigma,
            rows: [row(0), row(1)],
        }
    }
}

fn agreement(again: &[f32], kept: &[f32]) -> Agreement {
    let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits();
    if again.len() == kept.len() && again.iter().zip(kept).all(same) {
        return Agreement::Equal;
    }
    let squares = again.iter().zip(kept);
    let squares = squares.map(|(a, b)| f64::from(a - b) * f64::from(a - b));
    let mean = squares.sum::<f64>() / again.len().max(1) as f64;
    Agreement::Differs(mean.sqrt())
}
