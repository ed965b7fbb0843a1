//! What the discriminator says of pairs of frames: of truth's own next frame, and of a frame of another time. Its
//! reliability by noise level, live; one noise level a frame, so that a frame costs two rows of the networks more.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::closed_form::Belief;
use crate::diffusion::{Context, to_vec};
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

/// What the discriminator was and what it was told, when it was asked: its kind, history length, whether the season, its
/// belief of a world with known answers.
type Asked = (DiscriminatorKind, usize, bool, Option<Belief>);

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

    /// Forgets the answers, some of which were about frames that are gone; `truths` are the frames of truth that are left,
    /// newest first.
    pub fn go_back(&mut self, truths: impl Iterator<Item = Arc<[f32]>>) {
        *self = Self {
            past: truths.take(APART + STRANGERS).collect(),
            ..Self::default()
        };
    }

    /// Asks of truth's next frame and of a stranger, both with truth's history before the frame in progress. A
    /// discriminator that the model does not have says nothing.
    pub fn judge(
        &mut self,
        engine: &Engine,
        lanes: &Lanes,
        next: &Arc<[f32]>,
        settings: &Settings,
    ) {
        let g = &settings.guidance;
        let Ok(discriminator) = engine.discriminator(g.discriminator) else {
            return;
        };
        let told: Context = context(engine, lanes, settings);
        let asked = (g.discriminator, told.m, told.season.is_some(), told.belief);
        if self.asked != Some(asked) {
            *self = Self {
                asked: Some(asked),
                past: std::mem::take(&mut self.past),
                ..Self::default()
            };
        }
        let Some(apart) = self.past.len().checked_sub(APART).filter(|n| *n > 0) else {
            return;
        };
        let level = self.next % SIGMAS.len();
        let Some(stranger) = self.past.get(APART + (self.next / SIGMAS.len()) % apart) else {
            return;
        };
        let mut history = Vec::new();
        if !lanes.append_history(engine, LaneKind::Truth, &mut history) {
            return;
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
        let conditioned = discriminator.condition(&history, told);
        let logits = to_vec(conditioned.judge(&x, sigma, &denoised).logit);
        for (logit, follows) in logits.into_iter().zip([true, false]) {
            let chance = 1.0 / (1.0 + (-f64::from(logit)).exp());
            self.levels[level].push(chance, follows);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{DeviceRequest, select};
    use crate::model::Model;
    use crate::rollout::settings::RolloutSpec;

    #[test]
    fn another_belief_and_going_back_begin_anew() {
        let model = Model::open("gaussian-process").unwrap();
        let compute = select(DeviceRequest::Cpu).unwrap();
        let mut engine = Engine::new(&model, compute).unwrap();
        let mut lanes = Lanes::start(&mut engine, &RolloutSpec::default(), 3).unwrap();
        let mut settings = Settings::default();
        let mut pairs = Pairs::default();
        let mut go = |pairs: &mut Pairs, settings: &Settings, frames: usize| {
            for _ in 0..frames {
                let truth = lanes.next_truth(&mut engine).unwrap().members;
                pairs.judge(&engine, &lanes, &truth[0], settings);
                pairs.remember(&truth[0]);
                lanes.push(LaneKind::Truth, truth);
                lanes.advance();
            }
        };
        let total = |pairs: &Pairs| pairs.levels.iter().map(Reliability::total).sum::<u64>();
        go(&mut pairs, &settings, APART + 5);
        assert_eq!(
            total(&pairs),
            8,
            "two answers a frame, once there are strangers"
        );
        settings.guidance.belief = Some(Belief::default());
        go(&mut pairs, &settings, 1);
        assert_eq!(total(&pairs), 2);
        let left: Vec<_> = pairs.past.iter().skip(3).cloned().collect();
        pairs.go_back(left.clone().into_iter());
        assert!(pairs.figures().is_none() && pairs.past.iter().eq(&left));
        go(&mut pairs, &settings, 1);
        assert_eq!(total(&pairs), 2);
    }
}
