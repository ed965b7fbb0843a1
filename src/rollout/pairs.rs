//! What the discriminator says of pairs of frames: of truth's own next frame, and of a frame of another time. Its
//! reliability by noise level, live; one noise level a frame, so that a frame costs two rows of the networks more.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::diffusion::{Context, to_vec};
use crate::error::Result;
use crate::metrics::Reliability;
use crate::random::{NoiseKey, Stream};

use super::engine::{Engine, HISTORY};
use super::frame::PairFigures;
use super::lanes::Lanes;
use super::sampled::context;
use super::settings::{DiscriminatorKind, LaneKind, Settings};

/// Noise levels, normalised units.
const SIGMAS: [f64; 6] = [0.03, 0.1, 0.3, 1.0, 3.0, 10.0];
/// Bins of probability.
const BINS: usize = 10;
/// Frames kept as frames of another time.
const STRANGERS: usize = 24;
/// How many frames a stranger must lie back: truth has forgotten it by then.
const APART: usize = 12;

/// What the discriminator was, when it was asked.
type Asked = (DiscriminatorKind, usize, bool);

/// Counts of its answers.
#[derive(Clone)]
pub(super) struct Pairs {
    asked: Option<Asked>,
    levels: Vec<Reliability>,
    next: usize,
    past: VecDeque<Arc<[f32]>>,
}

impl Default for Pairs {
    fn default() -> Self {
        Self {
            asked: None,
            levels: vec![Reliability::new(BINS); SIGMAS.len()],
            next: 0,
            past: VecDeque::new(),
        }
    }
}

impl Pairs {
    /// Remembers a frame of truth.
    pub fn remember(&mut self, frame: &Arc<[f32]>) {
        self.past.push_front(Arc::clone(frame));
        self.past.truncate(APART + STRANGERS);
    }

    /// Asks of truth's next frame and of a stranger, both with truth's history before the frame in progress.
    ///
    /// # Errors
    /// A discriminator that the model does not have.
    pub fn judge(
        &mut self,
        engine: &Engine,
        lanes: &Lanes,
        next: &Arc<[f32]>,
        settings: &Settings,
    ) -> Result<()> {
        let g = &settings.guidance;
        let told: Context = context(engine, lanes, settings);
        let asked = (g.discriminator, told.m, told.season.is_some());
        if self.asked != Some(asked) {
            *self = Self {
                asked: Some(asked),
                past: std::mem::take(&mut self.past),
                ..Self::default()
            };
        }
        let Some(apart) = self.past.len().checked_sub(APART).filter(|n| *n > 0) else {
            return Ok(());
        };
        let level = self.next % SIGMAS.len();
        let Some(stranger) = self.past.get(APART + (self.next / SIGMAS.len()) % apart) else {
            return Ok(());
        };
        let mut history = Vec::new();
        if !lanes.append_history(engine, LaneKind::Truth, &mut history) {
            return Ok(());
        }
        self.next += 1;
        let cells = engine.cells();
        // The first member's.
        history.truncate(HISTORY * cells);
        history.extend_from_within(..);
        let history = engine.tensor(history, 2, HISTORY);
        let sigma = SIGMAS[level];
        let mut noised = Vec::with_capacity(2 * cells);
        engine.normaliser.normalise(next, &mut noised);
        engine.normaliser.normalise(stranger, &mut noised);
        for (row, values) in noised.chunks_exact_mut(cells).enumerate() {
            let noise = NoiseKey {
                seed: lanes.spec.seed,
                stream: Stream::Calibration,
                member: row as u32,
                frame: lanes.next as u32,
                step: level as u16,
            };
            for (v, z) in values.iter_mut().zip(noise.normal_f32(cells)) {
                *v += sigma as f32 * z;
            }
        }
        let x = engine.tensor(noised, 2, 1);
        let denoised = engine.denoiser.denoise(&x, sigma);
        let discriminator = engine.discriminator(g.discriminator)?;
        let conditioned = discriminator.condition(&history, told);
        let logits = to_vec(conditioned.judge(&x, sigma, &denoised).logit);
        for (logit, follows) in logits.into_iter().zip([true, false]) {
            let chance = 1.0 / (1.0 + (-f64::from(logit)).exp());
            self.levels[level].push(chance, follows);
        }
        Ok(())
    }

    /// The counts so far; `None` before the first.
    pub fn figures(&self) -> Option<PairFigures> {
        let any = self.levels.iter().any(|l| l.total() > 0);
        any.then(|| PairFigures {
            sigmas: SIGMAS.to_vec(),
            levels: self.levels.clone(),
        })
    }
}
