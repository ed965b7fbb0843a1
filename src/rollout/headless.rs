//! A rollout without a window: one lane, frame after frame. Turbulence goes to a series in memory; rain goes to a file
//! day by day ([`super::headless_rain`]).

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::data::Series;
use crate::error::{Result, UserError};
use crate::field::Grid;
use crate::metrics;

use super::diagnostics::LaneStream;
use super::engine::Engine;
use super::frame::LaneDiagnostics;
use super::lanes::Lanes;
pub(crate) use super::recorder::blow_up;
use super::recorder::unforced;
use super::sampled::{FrameInProgress, forecaster, forecaster_frame};
use super::settings::{LaneKind, RolloutSpec, Settings};

/// Everything that made a run: with it, the same model and the same kind of device, the run can be made again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecipe {
    /// `eddyscope`.
    pub program: String,
    /// Version of the program.
    pub version: String,
    /// Name of the model.
    pub model: String,
    /// sha256 of the model, hex.
    pub model_hash: String,
    /// Device that computed it.
    pub device: String,
    /// Number of generated frames asked for.
    pub frames: usize,
    /// Which lane it is.
    #[serde(default = "guided", skip_serializing_if = "is_guided")]
    pub lane: LaneKind,
    /// Guidance and sampler.
    pub settings: Settings,
    /// Seed, members, start.
    pub rollout: RolloutSpec,
}

fn guided() -> LaneKind {
    LaneKind::Guided
}

fn is_guided(lane: &LaneKind) -> bool {
    *lane == LaneKind::Guided
}

impl RunRecipe {
    /// The recipe of a run on this engine.
    pub fn new(engine: &Engine, job: &Job<'_>) -> Self {
        Self {
            program: "eddyscope".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            model: engine.card.name.clone(),
            model_hash: engine.model_hash.clone(),
            device: engine.compute.name.clone(),
            frames: job.frames,
            lane: job.lane,
            settings: job.settings.clone(),
            rollout: job.spec.clone(),
        }
    }
}

/// What is to be made.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// Start, seed, members.
    pub spec: &'a RolloutSpec,
    /// Guidance and sampler.
    pub settings: &'a Settings,
    /// A lane that is made rather than given.
    pub lane: LaneKind,
    /// Number of generated frames.
    pub frames: usize,
}

/// What a run says beside its frames.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Seconds each frame took, all members together.
    pub frame_seconds: Vec<f64>,
    /// Share of the time spent in the discriminator, as [`FrameInProgress::guidance_seconds`] has it.
    pub guidance_share: f64,
    /// First frame (counted among the generated ones) that had left the data, and what was seen; it is not kept.
    pub blow_up: Option<(usize, String)>,
    /// Whether it was stopped from outside.
    pub interrupted: bool,
}

/// A finished (or stopped) run.
pub struct HeadlessRun {
    /// `history + 1` start frames, then the generated ones, physical units.
    pub series: Series,
    /// Seconds each generated frame took, all members together.
    pub frame_seconds: Vec<f64>,
    /// Share of the time spent in the discriminator, as [`FrameInProgress::guidance_seconds`] has it.
    pub guidance_share: f64,
    /// First frame (counted among the generated ones) that had left the data, and what was seen; it is not in the series.
    pub blow_up: Option<(usize, String)>,
    /// Whether it was stopped from outside.
    pub interrupted: bool,
    /// Guidance strength it was made with.
    pub strength: f32,
    /// Autocorrelation, dynamics and std over the generated frames.
    pub figures: LaneDiagnostics,
    /// `mean |log10(run / truth)|` of the mean power of shells 1..=20.
    pub spectrum_error: f64,
    /// Kurtosis of the generated frames.
    pub kurtosis: f64,
}

impl HeadlessRun {
    /// Mean absolute error of the autocorrelation at lags 1..=10 against `truth` (lags 0..=10).
    pub fn acf_mae(&self, truth: &[f64]) -> f64 {
        metrics::mean_absolute_error(&self.figures.acf, truth).unwrap_or(f64::NAN)
    }
}

/// A frame as the loop gives it.
pub(crate) struct Step<'a> {
    /// Frames generated so far, this one counted.
    pub done: usize,
    /// Its number.
    pub index: usize,
    /// The frame before it, one array a member.
    pub before: &'a [Arc<[f32]>],
    /// The frame, one array a member.
    pub members: &'a [Arc<[f32]>],
}

/// Refuses a lane that the model cannot make, before anything is written.
///
/// # Errors
/// A discriminator that the model does not have; the truth lane.
pub(crate) fn check_lane(engine: &Engine, job: &Job<'_>) -> Result<()> {
    let guidance = &job.settings.guidance;
    match job.lane {
        LaneKind::Guided if guidance.strength != 0.0 => {
            engine.discriminator(guidance.discriminator).map(|_| ())
        }
        LaneKind::Guided | LaneKind::Unconditional => Ok(()),
        LaneKind::Forecaster => forecaster(engine).map(|_| ()),
        LaneKind::Video => engine.video().map(|_| ()),
        LaneKind::GuidedVideo => {
            engine.video()?;
            match guidance.video_strength {
                0.0 => Ok(()),
                _ => engine.discriminator(guidance.discriminator).map(|_| ()),
            }
        }
        LaneKind::Truth => Err(UserError::new(
            "The truth lane cannot be generated",
            "it is given: by the solver, or by recorded days",
            "choose the lane guided, unconditional, forecaster, video or guided-video",
        )),
    }
}

/// Makes the frames from number `made` (counted among the generated ones) on; `take` gets each and may stop the run.
///
/// # Errors
/// A discriminator that the model does not have, and what `take` says.
pub(crate) fn drive(
    engine: &mut Engine,
    lanes: &mut Lanes,
    job: &Job<'_>,
    made: usize,
    take: &mut dyn FnMut(&mut Engine, Step<'_>) -> Result<ControlFlow<()>>,
) -> Result<Outcome> {
    let mut out = Outcome::default();
    let mut guidance_seconds = 0.0;
    for done in made..job.frames {
        let began = Instant::now();
        let (members, guidance) = next_frame(engine, lanes, job)?;
        guidance_seconds += guidance;
        if let Some(b) = blow_up(engine, job.lane, &members) {
            out.blow_up = Some((done, b.what));
            break;
        }
        let before = lanes.last(job.lane).cloned().unwrap_or_default();
        let index = lanes.next;
        lanes.push(job.lane, members.clone());
        lanes.advance();
        out.frame_seconds.push(began.elapsed().as_secs_f64());
        let step = Step {
            done: done + 1,
            index,
            before: &before,
            members: &members,
        };
        if take(engine, step)?.is_break() {
            out.interrupted = done + 1 < job.frames;
            break;
        }
    }
    let total: f64 = out.frame_seconds.iter().sum();
    if total > 0.0 {
        out.guidance_share = guidance_seconds / total;
    }
    Ok(out)
}

/// The next frame of the lane, and the seconds that its discriminator took.
pub(crate) fn next_frame(
    engine: &Engine,
    lanes: &Lanes,
    job: &Job<'_>,
) -> Result<(Vec<Arc<[f32]>>, f64)> {
    match job.lane {
        LaneKind::Forecaster => Ok((forecaster_frame(engine, lanes, job.settings)?, 0.0)),
        LaneKind::Truth => Err(UserError::new(
            "The truth lane cannot be generated",
            "it is given: by the solver, or by recorded days",
            "choose the lane guided, unconditional, forecaster, video or guided-video",
        )),
        LaneKind::Guided | LaneKind::Unconditional | LaneKind::Video | LaneKind::GuidedVideo => {
            let none = || {
                UserError::new(
                    "There is nothing to go on from",
                    "the lane has no frame",
                    "this is a fault of the program; please report it",
                )
            };
            let mut frame = FrameInProgress::begin(engine, lanes, &[job.lane], job.settings, false)
                .ok_or_else(none)?;
            while !frame.is_done() {
                frame.step(engine, lanes, job.settings)?;
            }
            let seconds = frame.guidance_seconds;
            let lane = frame.finish(engine).pop().ok_or_else(none)?;
            Ok((lane.members, seconds))
        }
    }
}

/// Makes `frames` frames of the guided lane of turbulence. `progress(done)` is called after each frame and may stop the
/// run; what was made is kept.
///
/// # Errors
/// Settings out of range, a start file that cannot be used, a discriminator that the model does not have.
pub fn run(
    engine: &mut Engine,
    spec: &RolloutSpec,
    settings: &Settings,
    frames: usize,
    progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<HeadlessRun> {
    let job = Job {
        spec,
        settings,
        lane: LaneKind::Guided,
        frames,
    };
    run_lane(engine, &job, progress)
}

/// Makes frames of any lane of turbulence.
///
/// # Errors
/// See [`run`].
pub fn run_lane(
    engine: &mut Engine,
    job: &Job<'_>,
    progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<HeadlessRun> {
    let Job { spec, settings, .. } = *job;
    settings.validate()?;
    check_lane(engine, job)?;
    let mut lanes = Lanes::start(engine, spec, settings.guidance.history)?;
    let start: Vec<_> = lanes.start_history(job.lane);
    let wanted = settings.guidance.history + 1;
    let start = &start[start.len().saturating_sub(wanted)..];
    let mut made: Vec<Vec<Arc<[f32]>>> = start.to_vec();

    let data_std = engine.card.truth.std;
    let mut stream = LaneStream::default();
    for members in &made {
        stream.push_start(members);
    }
    let outcome = drive(engine, &mut lanes, job, 0, &mut |engine, step| {
        made.push(step.members.to_vec());
        let unforced = unforced(engine, step.before);
        stream.push(step.members, &unforced);
        Ok(progress(step.done))
    })?;

    let interval = engine.frame_interval();
    let [side, _] = engine.shape();
    let grid = Grid::periodic(side);
    let mut series = Series::zeros(grid, spec.members, made.len(), interval)?;
    let cells = grid.len();
    for (time, members) in made.iter().enumerate() {
        for (member, frame) in members.iter().enumerate() {
            let at = (member * made.len() + time) * cells;
            series.values[at..at + cells].copy_from_slice(frame);
        }
    }
    if engine.card.closed_form.is_some() {
        series.variable = engine.card.quantity.clone();
        series.units = "1".into();
    }
    series.start_frames = start.len();
    series.t0 = (1.0 - start.len() as f64) * interval;
    let recipe = RunRecipe::new(engine, job);
    series.recipe = serde_json::to_string(&recipe).ok();
    let generated: Vec<&[f32]> = made[start.len()..]
        .iter()
        .flat_map(|members| members.iter().map(|m| &m[..]))
        .collect();
    Ok(HeadlessRun {
        series,
        guidance_share: outcome.guidance_share,
        frame_seconds: outcome.frame_seconds,
        blow_up: outcome.blow_up,
        interrupted: outcome.interrupted,
        strength: settings.guidance.strength,
        figures: stream.figures(data_std),
        spectrum_error: metrics::shell_power(&generated, side)
            .and_then(|run| metrics::spectrum_error(&run, &engine.card.truth.spectrum))
            .unwrap_or(f64::NAN),
        kurtosis: metrics::kurtosis(&generated).unwrap_or(f64::NAN),
    })
}
