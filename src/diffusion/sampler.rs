//! One frame from noise, step by step: stochastic Heun (two forms), the multistep solvers, and the flow of a law.
//!
//! The state is `[rows, 1, height, width]`; all rows share the noise levels, each row has its own guidance strength
//! (0 for the unconditional lane), so that lanes and members go through the networks together.

mod evaluation;
mod follow;

use burn::tensor::{Tensor, TensorData};

use super::multistep::{Multistep, weights};
use super::schedule::{churned, levels};
use super::{Conditioned, Denoise};
use crate::rollout::settings::{GuidanceSettings, SamplerSettings, Solver};

pub use self::evaluation::{Evaluation, Fields, Wanted};
pub use self::follow::Follow;
pub(crate) use self::follow::leap_stops;

/// What a step needs from outside; may change from one step to the next.
pub struct StepContext<'a> {
    /// The image model.
    pub denoiser: &'a dyn Denoise,
    /// The discriminator, conditioned on the history; `None` samples without.
    pub discriminator: Option<&'a dyn Conditioned>,
    /// Interval and form of the guidance.
    pub guidance: &'a GuidanceSettings,
    /// Guidance strength of each row.
    pub strengths: &'a [f32],
    /// The Gaussian law of the frame, for [`Solver::Flow`].
    pub flow: Option<Follow<'a>>,
    /// Standard normal noise for step i, `[rows, 1, height, width]`; a pure function of i.
    pub noise: &'a dyn Fn(usize) -> Tensor<4>,
    /// What is wanted of the evaluations. It changes nothing in the state.
    pub wanted: Wanted,
}

/// A frame on its way from noise.
pub struct Sampler {
    settings: SamplerSettings,
    levels: Vec<f64>,
    x: Tensor<4>,
    /// Noise level of `x` before the first step.
    top: f64,
    next: usize,
    past: Past,
}

/// What a multistep solver keeps of the steps before.
#[derive(Default)]
struct Past {
    /// Estimates and their noise levels, the newest first.
    estimates: Vec<(Tensor<4>, f64)>,
    /// The state that the newest of them was made from the last step with.
    x: Option<Tensor<4>>,
    /// What the last of them knew beyond a law whose flow is followed, and its noise level.
    beyond: Option<(Tensor<4>, f64)>,
    /// How many of the estimates each row may use.
    usable: Vec<usize>,
}

/// The guided estimate in two parts: what stands for the score, and what stands for the guidance.
struct Guided {
    score_part: Tensor<4>,
    shift: Option<Tensor<4>>,
    evaluation: Evaluation,
}

impl Guided {
    fn total(&self) -> Tensor<4> {
        match &self.shift {
            Some(s) => self.score_part.clone() + s.clone(),
            None => self.score_part.clone(),
        }
    }
}

impl Sampler {
    /// Begins a frame. `noise` is standard normal `[rows, 1, height, width]`; with `warm` the frame begins at the given
    /// clean frames plus noise of the given level instead of at pure noise.
    pub fn new(
        settings: &SamplerSettings,
        noise: Tensor<4>,
        warm: Option<(Tensor<4>, f32)>,
    ) -> Self {
        let top = warm.as_ref().map_or(settings.sigma_max, |(_, s)| *s);
        let levels = levels(settings, f64::from(top));
        let rows = noise.dims()[0];
        let x = noise.mul_scalar(top);
        let x = match warm {
            Some((clean, _)) => x + clean,
            None => x,
        };
        Self {
            settings: settings.clone(),
            levels,
            x,
            top: f64::from(top),
            next: 0,
            past: Past {
                usable: vec![0; rows],
                ..Past::default()
            },
        }
    }

    /// Says that what guides the given rows is no longer what it was at the step before: their next step looks at no
    /// earlier estimate. A multistep method extrapolates from the last estimates; where one stands under another strength
    /// than the next, that carries the frame as far beyond its new place as it was from it.
    pub fn guided_anew(&mut self, rows: &[bool]) {
        for (usable, &anew) in self.past.usable.iter_mut().zip(rows) {
            if anew {
                *usable = 0;
            }
        }
    }

    /// Steps done and their number.
    pub fn progress(&self) -> (usize, usize) {
        (self.next, self.levels.len() - 1)
    }

    /// Whether the frame is done.
    pub fn is_done(&self) -> bool {
        self.next + 1 >= self.levels.len()
    }

    /// The noise levels of this frame, descending to 0.
    pub fn levels(&self) -> &[f64] {
        &self.levels
    }

    /// The state: the clean frame once [`Self::is_done`], in normalised units.
    pub fn state(&self) -> &Tensor<4> {
        &self.x
    }

    fn evaluate(&self, ctx: &StepContext<'_>, x: &Tensor<4>, sigma: f64) -> Guided {
        Self::judged(ctx, x, sigma, ctx.denoiser.denoise(x, sigma))
    }

    fn judged(ctx: &StepContext<'_>, x: &Tensor<4>, sigma: f64, denoised: Tensor<4>) -> Guided {
        let judgement = ctx.discriminator.map(|d| d.judge(x, sigma, &denoised));
        let active = acts(ctx.guidance, sigma) && ctx.strengths.iter().any(|&l| l != 0.0);
        let (score_part, shift) = match &judgement {
            Some(j) if active => {
                let weight = |f: &dyn Fn(f32) -> f32| {
                    by_row(ctx.strengths.iter().map(|&l| f(l)).collect(), x)
                };
                let shift = j.shift.clone() * weight(&|l| l);
                let score_part = match &j.correction {
                    Some(c) => denoised.clone() + c.clone() * weight(&|l| l.min(1.0)),
                    None => denoised.clone(),
                };
                (score_part, Some(shift))
            }
            _ => (denoised.clone(), None),
        };
        let fields = (ctx.wanted > Wanted::Nothing).then(|| Fields {
            x: x.clone(),
            guidance: match &shift {
                Some(s) => score_part.clone() - denoised.clone() + s.clone(),
                None => denoised.zeros_like(),
            },
            denoised,
        });
        let evaluation = Evaluation {
            sigma,
            logit: judgement.map(|j| j.logit),
            ratio: fields.as_ref().map(Fields::ratio),
            fields: fields.filter(|_| ctx.wanted == Wanted::Fields),
        };
        Guided {
            score_part,
            shift,
            evaluation,
        }
    }

    /// Does one solver step; returns its network evaluations (one or two). Does nothing when done.
    pub fn step(&mut self, ctx: &StepContext<'_>) -> Vec<Evaluation> {
        if self.is_done() {
            return Vec::new();
        }
        let i = self.next;
        let (here, there) = (self.levels[i], self.levels[i + 1]);
        let evaluations = match (Multistep::of(self.settings.solver), self.settings.solver) {
            (Some(multistep), _) => self.step_multistep(ctx, multistep, here, there),
            (None, Solver::Flow) => self.step_flow(ctx, here, there),
            (None, solver) => self.step_heun(ctx, i, here, there, solver == Solver::AsPrinted),
        };
        self.next += 1;
        evaluations
    }

    /// One evaluation; the estimates of the steps before are used again. The first steps, and the first after the guidance
    /// changed, are of lower order.
    fn step_multistep(
        &mut self,
        ctx: &StepContext<'_>,
        multistep: Multistep,
        here: f64,
        there: f64,
    ) -> Vec<Evaluation> {
        let guided = self.evaluate(ctx, &self.x, here);
        let estimate = guided.total();
        if there == 0.0 {
            self.x = estimate;
            return vec![guided.evaluation];
        }
        let past = &mut self.past;
        past.estimates.insert(0, (estimate, here));
        if multistep.corrects
            && let Some(before) = &past.x
        {
            // Rows that know no earlier estimate stay where the prediction took them.
            let last = past.estimates[1].1;
            let corrected = past.combined(&self.x, before, last, here, |usable| {
                let sigmas = past.sigmas(usable);
                (usable > 0).then(|| weights(&sigmas, last, here))
            });
            self.x = corrected;
        }
        let next = past.combined(&self.x, &self.x, here, there, |usable| {
            let sigmas = past.sigmas(usable.min(multistep.order - 1));
            Some(multistep.prediction(&sigmas, here, there))
        });
        past.x = multistep
            .corrects
            .then(|| std::mem::replace(&mut self.x, next.clone()));
        self.x = next;
        past.estimates.truncate(2);
        let kept = past.estimates.len();
        for usable in &mut past.usable {
            *usable = (*usable + 1).min(kept);
        }
        vec![guided.evaluation]
    }

    /// Stochastic Heun (Karras et al. 2022, algorithm 2). `as_printed`: the update of Hess et al. 2025, algorithm 1,
    /// lines 8 and 13: the guidance enters each slope in full, so that it counts 1.5 times, and is scaled by the noise
    /// level before churn.
    fn step_heun(
        &mut self,
        ctx: &StepContext<'_>,
        i: usize,
        here: f64,
        there: f64,
        as_printed: bool,
    ) -> Vec<Evaluation> {
        let lifted = churned(here, f64::from(self.settings.churn), self.settings.steps);
        let x = if lifted > here {
            let amount = (lifted * lifted - here * here).sqrt() * f64::from(self.settings.s_noise);
            self.x.clone() + (ctx.noise)(i).mul_scalar(amount as f32)
        } else {
            self.x.clone()
        };
        let dt = there - lifted;
        let first = self.evaluate(ctx, &x, lifted);
        let score1 = (x.clone() - first.score_part.clone()).div_scalar(lifted as f32);
        // -lambda t grad logit, with t the churned level (heun) or the one before churn (as printed).
        let scale1 = if as_printed {
            here / (lifted * lifted)
        } else {
            1.0 / lifted
        };
        let guide1 = first
            .shift
            .as_ref()
            .map(|s| s.clone().mul_scalar(-scale1 as f32));
        let slope1 = plus(score1.clone(), guide1.clone());
        let euler = x.clone() + slope1.clone().mul_scalar(dt as f32);
        if there == 0.0 {
            self.x = euler;
            return vec![first.evaluation];
        }
        let second = self.evaluate(ctx, &euler, there);
        let score2 = (euler - second.score_part.clone()).div_scalar(there as f32);
        let guide2 = second
            .shift
            .as_ref()
            .map(|s| s.clone().mul_scalar((-1.0 / there) as f32));
        let slope = if as_printed {
            let half = plus(score2, guide2).mul_scalar(0.5);
            plus(score1.mul_scalar(0.5), guide1) + half
        } else {
            (slope1 + plus(score2, guide2)).mul_scalar(0.5)
        };
        self.x = x + slope.mul_scalar(dt as f32);
        vec![first.evaluation, second.evaluation]
    }
}

/// Whether guidance acts at a noise level.
fn acts(guidance: &GuidanceSettings, sigma: f64) -> bool {
    (f64::from(guidance.sigma_lo)..=f64::from(guidance.sigma_hi)).contains(&sigma)
}

impl Past {
    /// What the last estimate knew beyond a law, and its noise level.
    fn beyond(&self) -> Option<(&Tensor<4>, f64)> {
        self.beyond.as_ref().map(|(r, sigma)| (r, *sigma))
    }

    /// Whether a row may use it.
    fn usable(&self) -> Vec<bool> {
        self.usable.iter().map(|&n| n > 0).collect()
    }

    /// Noise levels of the newest estimate and of `earlier` ones before it.
    fn sigmas(&self, earlier: usize) -> Vec<f64> {
        self.estimates
            .iter()
            .take(earlier + 1)
            .map(|(_, s)| *s)
            .collect()
    }

    /// `(there / here) from + sum of weights times estimates`, with the weights that a row's number of usable estimates
    /// gives; a row without weights stays at `x`.
    fn combined(
        &self,
        x: &Tensor<4>,
        from: &Tensor<4>,
        here: f64,
        there: f64,
        weights: impl Fn(usize) -> Option<Vec<f64>>,
    ) -> Tensor<4> {
        let by_usable: Vec<Option<Vec<f64>>> = (0..=self.estimates.len()).map(weights).collect();
        let Some(&first) = self.usable.first() else {
            return x.clone();
        };
        let decay = (there / here) as f32;
        if self.usable.iter().all(|&n| n == first) {
            let Some(weights) = &by_usable[first] else {
                return x.clone();
            };
            let terms = self.estimates.iter().zip(weights);
            return terms.fold(from.clone().mul_scalar(decay), |sum, ((d, _), &w)| {
                sum + d.clone().mul_scalar(w as f32)
            });
        }
        let of_rows = |f: &dyn Fn(&Option<Vec<f64>>) -> f64| {
            let values = self.usable.iter().map(|&n| f(&by_usable[n]) as f32);
            by_row(values.collect(), x)
        };
        let stays = of_rows(&|w| f64::from(u8::from(w.is_none())));
        let moves = of_rows(&|w| w.as_ref().map_or(0.0, |_| there / here));
        let start = x.clone() * stays + from.clone() * moves;
        let terms = self.estimates.iter().enumerate();
        terms.fold(start, |sum, (i, (d, _))| {
            let w =
                |w: &Option<Vec<f64>>| w.as_ref().and_then(|w| w.get(i)).copied().unwrap_or(0.0);
            sum + d.clone() * of_rows(&w)
        })
    }
}

/// One number a row, to be multiplied with `[rows, 1, height, width]` on the device of `like`.
fn by_row(values: Vec<f32>, like: &Tensor<4>) -> Tensor<4> {
    let rows = values.len();
    Tensor::from_data(TensorData::new(values, [rows, 1, 1, 1]), &like.device())
}

fn plus(a: Tensor<4>, b: Option<Tensor<4>>) -> Tensor<4> {
    match b {
        Some(b) => a + b,
        None => a,
    }
}
