//! The discriminator watched while frames are made, and judged on frames of truth.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::diffusion::{Context, to_vec};
use crate::error::Result;
use crate::random::{NoiseKey, Stream};
use crate::rollout::engine::{Engine, HISTORY};
use crate::rollout::sampled::FrameInProgress;
use crate::rollout::settings::{DiscriminatorKind, LaneKind, Settings};

use super::forecasts::Experiment;
use super::runs::Tick;
use super::sample::Frame;

/// Noise levels at which the discriminator is judged, in units where the data's standard deviation is 0.5.
pub const LEVELS: [f64; 7] = [0.02, 0.1, 0.3, 1.0, 3.0, 10.0, 40.0];

/// Pairs that go through the networks at once.
const BATCH: usize = 8;

/// How a discriminator saw the frames of a lane as noise went out of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watched {
    /// Which discriminator looked.
    pub discriminator: DiscriminatorKind,
    /// Which lane.
    pub lane: LaneKind,
    /// Guidance strength of the guided lanes.
    pub strength: f32,
    /// Noise levels, descending.
    pub sigma: Vec<f32>,
    /// Its logit at each of them, frame by frame.
    pub logits: Vec<Vec<f32>>,
}

/// What a discriminator said of true and false successors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// Which discriminator.
    pub discriminator: DiscriminatorKind,
    /// Noise level.
    pub sigma: f64,
    /// Its logits of the true successors.
    pub positive: Vec<f32>,
    /// Of frames drawn from all of truth.
    pub negative: Vec<f32>,
}

/// All that is known of the discriminators.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Discriminators {
    /// Along the denoising.
    pub watched: Vec<Watched>,
    /// On truth.
    pub judged: Vec<Judged>,
}

/// The discriminators of a model.
pub fn kinds(engine: &Engine) -> Vec<DiscriminatorKind> {
    [DiscriminatorKind::TwoTower, DiscriminatorKind::Encoder]
        .into_iter()
        .filter(|k| engine.discriminator(*k).is_ok())
        .collect()
}

/// Name of a discriminator in figures.
pub fn name(kind: DiscriminatorKind) -> &'static str {
    match kind {
        DiscriminatorKind::TwoTower => "two-tower",
        DiscriminatorKind::Encoder => "encoder",
    }
}

/// The settings under which a discriminator guides: the evaluation's own, or its suggested strength.
fn settings(experiment: &Experiment<'_>, engine: &Engine, kind: DiscriminatorKind) -> Settings {
    let mut settings = experiment.plan.settings.clone();
    if settings.guidance.discriminator != kind {
        let suggested = match kind {
            DiscriminatorKind::TwoTower => {
                engine.card.two_tower.as_ref().map(|c| c.suggested_strength)
            }
            DiscriminatorKind::Encoder => {
                engine.card.encoder.as_ref().map(|c| c.suggested_strength)
            }
        };
        settings.guidance.discriminator = kind;
        settings.guidance.strength = suggested.unwrap_or(1.0);
    }
    settings
}

/// Watches and judges; a result of the same recipe is read from its file. `None` where the work was stopped.
///
/// # Errors
/// A place that cannot be written.
pub fn discriminators(
    engine: &mut Engine,
    experiment: &Experiment<'_>,
    tick: Tick<'_>,
) -> Result<Option<Discriminators>> {
    let plan = experiment.plan;
    let mut recipe = plan.recipe(engine, None, "discriminators", 1);
    recipe["watched"] = json!(plan.sizes.watched);
    recipe["pairs"] = json!(plan.sizes.pairs);
    recipe["starts"] = json!(experiment.starts);
    recipe["levels"] = json!(LEVELS);
    let path = plan.out.join("runs").join("discriminators.json");
    super::store::cached(&path, &recipe, || {
        let kinds = kinds(engine);
        let total = kinds.len() * (plan.sizes.watched + plan.sizes.pairs);
        let mut done = 0;
        let mut stop = |more: usize| {
            done += more;
            tick("discriminators", done, total).is_break()
        };
        let mut all = Discriminators::default();
        for kind in kinds {
            let Some(watched) = watch(engine, experiment, kind, &mut stop)? else {
                return Ok(None);
            };
            all.watched.extend(watched);
            let Some(judged) = judge(engine, experiment, kind, &mut stop)? else {
                return Ok(None);
            };
            all.judged.extend(judged);
        }
        Ok(Some(all))
    })
}

/// Makes first frames of all sampled lanes from starts of truth, with the discriminator looking on.
fn watch(
    engine: &mut Engine,
    experiment: &Experiment<'_>,
    kind: DiscriminatorKind,
    stop: &mut dyn FnMut(usize) -> bool,
) -> Result<Option<Vec<Watched>>> {
    let settings = settings(experiment, engine, kind);
    let lanes: Vec<LaneKind> = LaneKind::SAMPLED
        .into_iter()
        .filter(|k| !k.is_video() || engine.video.is_some())
        .collect();
    let mut out: Vec<Watched> = Vec::new();
    for k in 0..experiment.plan.sizes.watched {
        let start = k % experiment.starts.len().max(1);
        let mut history = experiment.lanes(engine, start, 1)?;
        // Starts that come again have other noise.
        history.spec.seed = history.spec.seed.wrapping_add(1000 + k as u64);
        let Some(mut frame) = FrameInProgress::begin(engine, &history, &lanes, &settings, true)
        else {
            continue;
        };
        while !frame.is_done() {
            frame.step(engine, &history, &settings)?;
        }
        for lane in frame.finish(engine) {
            if lane.trace.logit.iter().any(|v| !v.is_finite()) {
                continue;
            }
            match out.iter_mut().find(|w| w.lane == lane.kind) {
                Some(watched) => watched.logits.push(lane.trace.logit),
                None => out.push(Watched {
                    discriminator: kind,
                    lane: lane.kind,
                    strength: settings.guidance.strength,
                    sigma: lane.trace.sigma,
                    logits: vec![lane.trace.logit],
                }),
            }
        }
        if stop(1) {
            return Ok(None);
        }
    }
    Ok(Some(out))
}

/// Shows the discriminator true successors and frames drawn from all of truth, each with noise.
fn judge(
    engine: &Engine,
    experiment: &Experiment<'_>,
    kind: DiscriminatorKind,
    stop: &mut dyn FnMut(usize) -> bool,
) -> Result<Option<Vec<Judged>>> {
    let guidance = &experiment.plan.settings.guidance;
    let discriminator = engine.discriminator(kind)?;
    let mut out: Vec<Judged> = LEVELS
        .iter()
        .map(|sigma| Judged {
            discriminator: kind,
            sigma: *sigma,
            positive: Vec::new(),
            negative: Vec::new(),
        })
        .collect();
    let pairs = pairs(experiment);
    for (number, batch) in pairs.chunks(BATCH).enumerate() {
        let rows = 2 * batch.len();
        let (mut history, mut clean) = (Vec::new(), Vec::new());
        let two = |pair: &Pair| [pair.next.clone(), pair.other.clone()];
        for (pair, candidate) in batch.iter().flat_map(|p| two(p).map(|c| (p, c))) {
            for frame in &pair.history {
                engine.normaliser.normalise(frame, &mut history);
            }
            engine.normaliser.normalise(&candidate, &mut clean);
        }
        let history = engine.tensor(history, rows, HISTORY);
        let clean = engine.tensor(clean, rows, 1);
        let conditioned = discriminator.condition(&history, Context::history(guidance.history));
        for (level, judged) in out.iter_mut().enumerate() {
            let key = NoiseKey {
                seed: experiment.plan.seed,
                stream: Stream::Calibration,
                member: 1 + level as u32,
                frame: number as u32,
                step: 0,
            };
            let noise = key.normal_f32(rows * engine.cells());
            let x = clean.clone() + engine.tensor(noise, rows, 1) * judged.sigma as f32;
            let denoised = engine.denoiser.denoise(&x, judged.sigma);
            let logits = to_vec(conditioned.judge(&x, judged.sigma, &denoised).logit);
            for pair in logits
                .chunks_exact(2)
                .filter(|p| p.iter().all(|v| v.is_finite()))
            {
                judged.positive.push(pair[0]);
                judged.negative.push(pair[1]);
            }
        }
        if stop(batch.len()) {
            return Ok(None);
        }
    }
    Ok(Some(out))
}

/// A history, its successor, and another frame.
struct Pair {
    history: Vec<Frame>,
    next: Frame,
    other: Frame,
}

/// Pairs spread over all of truth.
fn pairs(experiment: &Experiment<'_>) -> Vec<Pair> {
    let mut places = Vec::new();
    for (k, run) in experiment.truth.sample.runs.iter().enumerate() {
        let breaks = &run.breaks;
        let within = |i: &usize| {
            !breaks
                .iter()
                .any(|b| (*i + 2 - HISTORY..*i + 2).contains(b))
        };
        let last = run.frames.len().saturating_sub(1);
        places.extend((HISTORY - 1..last).filter(within).map(|i| (k, i)));
    }
    let count = experiment.plan.sizes.pairs.min(places.len());
    let chosen = super::starts::evenly(&places, count);
    let key = NoiseKey {
        seed: experiment.plan.seed,
        stream: Stream::Calibration,
        member: 0,
        frame: 0,
        step: 1,
    };
    chosen
        .iter()
        .zip(key.uniform(count))
        .filter_map(|((run, frame), u)| {
            let (history, next) = experiment.pair(*run, *frame)?;
            Some(Pair {
                history,
                next,
                other: experiment.any(u),
            })
        })
        .collect()
}
