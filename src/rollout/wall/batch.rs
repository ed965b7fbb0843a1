//! One frame of several tiles at once.
//!
//! Rows of a batch share the noise levels; each has its own strength, history length and interval of guidance. The image
//! model sees all rows together. The discriminator is conditioned once for each history length, and judges the rows that
//! look at so much of the past.

use std::collections::VecDeque;
use std::sync::Arc;

use burn::tensor::Tensor;

use crate::diffusion::flow::Flow;
use crate::diffusion::sampler::{Follow, Sampler, StepContext, Wanted};
use crate::diffusion::{Conditioned, Context, to_vec};
use crate::error::Result;
use crate::random::{NoiseKey, Stream};

use super::super::engine::{Engine, HISTORY};
use super::super::settings::{GuidanceSettings, SamplerSettings, Settings, Solver, Start};
use super::judge::Judge;

/// A row: one frame of one rollout.
pub(in super::super) struct Row<'a> {
    /// Whose frame it is, for the caller.
    pub tag: usize,
    /// Last frames, newest first, physical units.
    pub history: &'a VecDeque<Arc<[f32]>>,
    /// Member whose noise it draws.
    pub member: u32,
    /// Its settings.
    pub settings: &'a Settings,
    /// What the discriminator is told.
    pub context: Context,
}

/// What the rows of a batch have in common.
pub(in super::super) fn together(a: &Settings, b: &Settings) -> bool {
    a.sampler == b.sampler && a.guidance.discriminator == b.guidance.discriminator
}

/// A frame of all rows on its way.
pub(in super::super) struct Batch {
    sampler: Sampler,
    tags: Vec<usize>,
    members: Vec<u32>,
    strengths: Vec<f32>,
    /// Form of the guidance; it acts at all levels here, the judge knows the intervals.
    guidance: GuidanceSettings,
    judge: Option<Judge>,
    /// The law of any frame, for [`Solver::Flow`] where nothing is guided.
    unconditional: Option<Box<dyn Flow>>,
    /// What the image model knows of a forecast: nothing.
    known: Vec<f32>,
    seed: u64,
    frame: usize,
}

impl Batch {
    /// Begins frame number `frame` of rows that go [`together`].
    ///
    /// # Errors
    /// A discriminator that the model does not have.
    pub fn begin(engine: &Engine, mut rows: Vec<Row<'_>>, seed: u64, frame: usize) -> Result<Self> {
        // Rows with the same context lie side by side.
        rows.sort_by_key(|r| r.context.m);
        let cells = engine.cells();
        let mut history = Vec::with_capacity(rows.len() * HISTORY * cells);
        for row in &rows {
            for past in 0..HISTORY {
                match row.history.get(past) {
                    Some(frame) => engine.normaliser.normalise(frame, &mut history),
                    None => history.extend(std::iter::repeat_n(0.0, cells)),
                }
            }
        }
        let history = engine.tensor(history, rows.len(), HISTORY);
        let settings = rows.first().map(|r| r.settings.clone()).unwrap_or_default();
        let strengths: Vec<f32> = rows.iter().map(|r| r.settings.guidance.strength).collect();
        let judge = match strengths.iter().any(|s| *s != 0.0) {
            true => Some(Judge::new(
                engine,
                settings.guidance.discriminator,
                &rows,
                &history,
            )?),
            false => None,
        };
        let members: Vec<u32> = rows.iter().map(|r| r.member).collect();
        let noise = noise(engine, &members, seed, frame, 0);
        let tags: Vec<usize> = rows.iter().map(|r| r.tag).collect();
        let sampler = engine.sampler(&settings);
        let follows = sampler.solver == Solver::Flow;
        Ok(Self {
            sampler: begin(&sampler, noise, &history),
            unconditional: follows.then(|| engine.unconditional_flow()).flatten(),
            known: vec![0.0; tags.len()],
            tags,
            members,
            strengths,
            guidance: GuidanceSettings {
                sigma_lo: 0.0,
                sigma_hi: f32::MAX,
                ..settings.guidance
            },
            judge,
            seed,
            frame,
        })
    }

    /// Steps done and their number.
    pub fn progress(&self) -> (usize, usize) {
        self.sampler.progress()
    }

    /// Whether all steps are done.
    pub fn is_done(&self) -> bool {
        self.sampler.is_done()
    }

    /// One solver step of all rows.
    pub fn step(&mut self, engine: &Engine) {
        let (members, seed, frame) = (&self.members, self.seed, self.frame);
        let noise = |i: usize| noise(engine, members, seed, frame, i as u16 + 1);
        let judge = self.judge.as_ref();
        let flow = match judge {
            Some(judge) if judge.flows => Some(judge as &dyn Flow),
            _ => self.unconditional.as_deref(),
        };
        self.sampler.step(&StepContext {
            denoiser: engine.denoiser.as_ref(),
            discriminator: self.judge.as_ref().map(|j| j as &dyn Conditioned),
            guidance: &self.guidance,
            strengths: &self.strengths,
            flow: flow.map(|flow| Follow {
                flow,
                known: &self.known,
                trace: false,
                judges: judge.is_some_and(|judge| judge.flows),
            }),
            noise: &noise,
            wanted: Wanted::Nothing,
        });
    }

    /// The frames, physical units, each with its tag.
    pub fn finish(self, engine: &Engine) -> Vec<(usize, Arc<[f32]>)> {
        let values = to_vec(self.sampler.state().clone());
        let frames = values.chunks_exact(engine.cells());
        self.tags
            .into_iter()
            .zip(frames)
            .map(|(tag, frame)| (tag, engine.normaliser.physical(frame).0.into()))
            .collect()
    }
}

fn begin(settings: &SamplerSettings, noise: Tensor<4>, history: &Tensor<4>) -> Sampler {
    let warm = match settings.start {
        Start::Noise => None,
        Start::Warm { sigma } => Some((history.clone().narrow(1, 0, 1), sigma)),
    };
    Sampler::new(settings, noise, warm)
}

/// The noise of one step, the one that the lanes of a rollout draw for the same member.
fn noise(engine: &Engine, members: &[u32], seed: u64, frame: usize, step: u16) -> Tensor<4> {
    let cells = engine.cells();
    let mut values = Vec::with_capacity(members.len() * cells);
    let mut known: Option<(u32, usize)> = None;
    for member in members {
        match known {
            // Linked tiles draw the same noise.
            Some((m, at)) if m == *member => values.extend_from_within(at..at + cells),
            _ => {
                known = Some((*member, values.len()));
                let key = NoiseKey {
                    seed,
                    stream: Stream::Sampler,
                    member: *member,
                    frame: frame as u32,
                    step,
                };
                values.extend(key.normal_f32(cells));
            }
        }
    }
    engine.tensor(values, members.len(), 1)
}
