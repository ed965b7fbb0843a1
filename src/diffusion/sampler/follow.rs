//! Steps along the flow of a Gaussian law ([`crate::diffusion::flow`]): from pure noise to the first evaluation, and between
//! evaluations.

use burn::tensor::Tensor;

use super::{Evaluation, Sampler, StepContext, Wanted, acts};
use crate::diffusion::flow::{Advance, Flow, Guide, Judged};

/// A law whose flow is followed.
#[derive(Clone, Copy)]
pub struct Follow<'a> {
    /// The law.
    pub flow: &'a dyn Flow,
    /// For each row, the strength of the law that its network knows without any guidance: 0 for an image model, 1 for one
    /// that sees the history.
    pub known: &'a [f32],
    /// Whether what the discriminator says of the way down to the first evaluation is wanted too.
    pub trace: bool,
    /// Whether it is the law of the discriminator that guides.
    pub judges: bool,
}

impl Sampler {
    /// One evaluation; between them the flow of the law. Without a law, Euler's exponential step.
    pub(super) fn step_flow(
        &mut self,
        ctx: &StepContext<'_>,
        here: f64,
        there: f64,
    ) -> Vec<Evaluation> {
        let mut evaluations = match &ctx.flow {
            Some(follow) if self.next == 0 => self.follow_to(ctx, follow, here),
            _ => Vec::new(),
        };
        let denoised = ctx.denoiser.denoise(&self.x, here);
        if let Some(follow) = &ctx.flow
            && let Some((judged, evaluation)) =
                self.advance_judged(ctx, follow, (here, there), &denoised)
        {
            evaluations.push(evaluation);
            self.moved(judged.x, judged.beyond, here);
            return evaluations;
        }
        let guided = Self::judged(ctx, &self.x, here, denoised);
        let estimate = guided.total();
        evaluations.push(guided.evaluation);
        if there == 0.0 {
            self.x = estimate;
            return evaluations;
        }
        let Some(follow) = &ctx.flow else {
            let keep = (there / here) as f32;
            self.x = self.x.clone().mul_scalar(keep) + estimate.mul_scalar(1.0 - keep);
            return evaluations;
        };
        let usable = self.past.usable();
        let (next, beyond) = follow.flow.advance(&Advance {
            x: &self.x,
            estimate: Some(&estimate),
            before: self.past.beyond(),
            usable: &usable,
            from: here,
            to: there,
            strengths: &follow.strengths(ctx, here),
        });
        self.moved(next, beyond, here);
        evaluations
    }

    /// A step along a law that guides itself, where it can.
    fn advance_judged(
        &self,
        ctx: &StepContext<'_>,
        follow: &Follow<'_>,
        (here, there): (f64, f64),
        denoised: &Tensor<4>,
    ) -> Option<(Judged, Evaluation)> {
        if !follow.judges || ctx.discriminator.is_none() {
            return None;
        }
        let (usable, strengths) = (self.past.usable(), follow.strengths(ctx, here));
        let step = Advance {
            x: &self.x,
            estimate: Some(denoised),
            before: self.past.beyond(),
            usable: &usable,
            from: here,
            to: there,
            strengths: &strengths,
        };
        let guide = Guide {
            strengths: &acting(ctx, here),
            known: follow.known,
        };
        let judged = follow.flow.advance_judged(&step, &guide)?;
        let evaluation = self.evaluation(ctx, here, &judged, || denoised.clone());
        Some((judged, evaluation))
    }

    /// What a law that guides itself says of the state before; fields, if wanted, are made as everywhere.
    fn evaluation(
        &self,
        ctx: &StepContext<'_>,
        sigma: f64,
        judged: &Judged,
        denoised: impl FnOnce() -> Tensor<4>,
    ) -> Evaluation {
        let fields = (ctx.wanted == Wanted::Fields)
            .then(|| Self::judged(ctx, &self.x, sigma, denoised()).evaluation);
        Evaluation {
            sigma,
            logit: Some(judged.logit.clone()),
            ratio: Some(judged.ratio.clone()),
            fields: fields.and_then(|e| e.fields),
        }
    }

    /// Takes a new state, and what the estimate knew beyond the law at noise level `here`.
    fn moved(&mut self, x: Tensor<4>, beyond: Option<Tensor<4>>, here: f64) {
        self.x = x;
        let past = &mut self.past;
        past.beyond = beyond.map(|r| (r, here));
        past.usable.fill(usize::from(past.beyond.is_some()));
    }

    /// Follows the law alone from pure noise to the first evaluation. Where a trace is wanted, returns what the discriminator
    /// says on the way, with the law's estimate in the place of the network's.
    fn follow_to(
        &mut self,
        ctx: &StepContext<'_>,
        follow: &Follow<'_>,
        first: f64,
    ) -> Vec<Evaluation> {
        let [lo, hi] = [ctx.guidance.sigma_lo, ctx.guidance.sigma_hi].map(f64::from);
        let traced = follow.trace && ctx.discriminator.is_some();
        let mut from = self.top;
        let mut evaluations = Vec::new();
        for to in leap_stops((lo, hi), from, first) {
            let strengths = follow.strengths(ctx, (from * to).sqrt());
            let step = Advance::law(&self.x, from, to, &strengths);
            let guide = Guide {
                strengths: &acting(ctx, from),
                known: follow.known,
            };
            let estimate = || {
                let law = Advance::law(&self.x, from, 0.0, follow.known);
                follow.flow.advance(&law).0
            };
            let judged = (traced && follow.judges)
                .then(|| follow.flow.advance_judged(&step, &guide))
                .flatten();
            self.x = match judged {
                Some(judged) => {
                    evaluations.push(self.evaluation(ctx, from, &judged, estimate));
                    judged.x
                }
                None => {
                    if traced {
                        let guided = Self::judged(ctx, &self.x, from, estimate());
                        evaluations.push(guided.evaluation);
                    }
                    follow.flow.advance(&step).0
                }
            };
            from = to;
        }
        evaluations
    }
}

impl Follow<'_> {
    /// Strength of the law in each row while guidance acts as at `sigma`. What the network knows itself is taken back by
    /// `min(strength, 1)` ([`super::Judgement::correction`]).
    fn strengths(&self, ctx: &StepContext<'_>, sigma: f64) -> Vec<f32> {
        let acts = acts(ctx.guidance, sigma);
        let strengths = ctx.strengths.iter().zip(self.known);
        strengths
            .map(|(&s, &known)| match acts {
                true => s + known * (1.0 - s.min(1.0)),
                false => known,
            })
            .collect()
    }
}

/// Parts of a leap, in `ln sigma`.
const LEAP: f64 = 1.4;

/// Noise levels at which a leap from `from` down to `to` stops: so that D's answer can be followed on the way, where guidance
/// begins or ends, and at `to`.
pub(crate) fn leap_stops((lo, hi): (f64, f64), from: f64, to: f64) -> Vec<f64> {
    if to >= from {
        return Vec::new();
    }
    let parts = ((from / to).ln() / LEAP).ceil().max(1.0);
    let part = |i: u32| from * (to / from).powf(f64::from(i) / parts);
    let mut stops: Vec<f64> = (1..parts as u32).map(part).collect();
    stops.extend([hi, lo].into_iter().filter(|s| *s > to && *s < from));
    stops.push(to);
    stops.sort_by(|a, b| b.total_cmp(a));
    stops.dedup();
    stops
}

/// Strength of the guidance in each row at a noise level.
fn acting(ctx: &StepContext<'_>, sigma: f64) -> Vec<f32> {
    let acts = acts(ctx.guidance, sigma);
    let strengths = ctx.strengths.iter();
    strengths.map(|&s| if acts { s } else { 0.0 }).collect()
}
