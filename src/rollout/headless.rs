//! A rollout without a window: the guided lane alone, to a series with its recipe.

use std::ops::ControlFlow;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::data::Series;
use crate::error::Result;
use crate::field::Grid;
use crate::metrics;

use super::diagnostics::LaneStream;
use super::engine::Engine;
use super::frame::LaneDiagnostics;
use super::lanes::Lanes;
use super::recorder::blow_up;
use super::sampled::FrameInProgress;
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
    /// Guidance and sampler.
    pub settings: Settings,
    /// Seed, members, start.
    pub rollout: RolloutSpec,
}

impl RunRecipe {
    /// The recipe of a run on this engine.
    pub fn new(engine: &Engine, settings: &Settings, spec: &RolloutSpec, frames: usize) -> Self {
        Self {
            program: "eddyscope".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            model: engine.card.name.clone(),
            model_hash: engine.model_hash.clone(),
            device: engine.compute.name.clone(),
            frames,
            settings: settings.clone(),
            rollout: spec.clone(),
        }
    }
}

/// A finished (or stopped) run.
pub struct HeadlessRun {
    /// `history + 1` start frames, then the generated ones, physical units.
    pub series: Series,
    /// Seconds each generated frame took, all members together.
    pub frame_seconds: Vec<f64>,
    /// Share of the time spent in the discriminator.
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

/// Makes `frames` frames. `progress(done)` is called after each frame and may stop the run; what was made is kept.
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
    settings.validate()?;
    let mut lanes = Lanes::start(engine, spec, settings.guidance.history)?;
    let kind = LaneKind::Guided;
    let start: Vec<_> = lanes.start_history(kind);
    let wanted = settings.guidance.history + 1;
    let start = &start[start.len().saturating_sub(wanted)..];
    let mut made: Vec<Vec<std::sync::Arc<[f32]>>> = start.to_vec();

    let data_std = engine.card.truth.std;
    let (mut frame_seconds, mut guidance_seconds) = (Vec::with_capacity(frames), 0.0);
    let (mut blown, mut interrupted) = (None, false);
    let mut stream = LaneStream::default();
    for members in &made {
        stream.push_start(members);
    }
    for done in 0..frames {
        let began = Instant::now();
        let Some(mut frame) = FrameInProgress::begin(engine, &lanes, &[kind], settings, false)
        else {
            break;
        };
        while !frame.is_done() {
            frame.step(engine, &lanes, settings)?;
        }
        guidance_seconds += frame.guidance_seconds;
        let Some(lane) = frame.finish(engine).pop() else {
            break;
        };
        if let Some(b) = blow_up(&lane.members, data_std) {
            blown = Some((done, b.what));
            break;
        }
        let before = lanes.last(kind).cloned().unwrap_or_default();
        lanes.push(kind, lane.members.clone());
        lanes.advance();
        made.push(lane.members);
        frame_seconds.push(began.elapsed().as_secs_f64());
        let unforced: Vec<Vec<f32>> = before
            .iter()
            .map(|x| engine.solver.unforced_frame(x))
            .collect();
        if let Some(members) = made.last() {
            stream.push(members, &unforced);
        }
        if progress(done + 1).is_break() {
            interrupted = done + 1 < frames;
            break;
        }
    }

    let interval = engine.solver.params().frame_interval();
    let grid = Grid::periodic(engine.side());
    let mut series = Series::zeros(grid, spec.members, made.len(), interval)?;
    let cells = grid.len();
    for (time, members) in made.iter().enumerate() {
        for (member, frame) in members.iter().enumerate() {
            let at = (member * made.len() + time) * cells;
            series.values[at..at + cells].copy_from_slice(frame);
        }
    }
    series.start_frames = start.len();
    series.t0 = (1.0 - start.len() as f64) * interval;
    let recipe = RunRecipe::new(engine, settings, spec, frames);
    series.recipe = serde_json::to_string(&recipe).ok();
    let generated: Vec<&[f32]> = made[start.len()..]
        .iter()
        .flat_map(|members| members.iter().map(|m| &m[..]))
        .collect();
    let total: f64 = frame_seconds.iter().sum();
    Ok(HeadlessRun {
        series,
        guidance_share: if total > 0.0 {
            guidance_seconds / total
        } else {
            0.0
        },
        frame_seconds,
        blow_up: blown,
        interrupted,
        strength: settings.guidance.strength,
        figures: stream.figures(data_std),
        spectrum_error: metrics::shell_power(&generated, engine.side())
            .and_then(|run| metrics::spectrum_error(&run, &engine.card.truth.spectrum))
            .unwrap_or(f64::NAN),
        kurtosis: metrics::kurtosis(&generated).unwrap_or(f64::NAN),
    })
}
