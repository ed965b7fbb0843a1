//! A step along the flow of the law whose estimate its own discriminator guides on the way.
//!
//! With `l = min(s, 1)`, strength `s` of the guidance and `lambda` of the law, the guided estimate of a coefficient is
//! `d + l (cx x + cd d) + s (sx x + sm m)` ([`super::Law::weights`]), and the law's `W_C x + lambda (sx x + sm m)`: all of it
//! is linear in state, estimate and forecast, so that guidance is a matter of weights.

use std::rc::Rc;

use burn::tensor::{Tensor, TensorData};
use rustfft::num_complex::Complex32;

use super::{Advance, DEAD_POWER, FLOOR, Guide, Guided, Judged, Law, Moved, STEPS_KEPT, Span};
use crate::diffusion::to_vec;

/// What the weights depend on: history length; strength of the law, of the guidance and of what is known; noise levels.
pub(super) type Key = (usize, [u64; 6]);

/// A row's strengths.
#[derive(Clone, Copy)]
pub(super) struct Strengths {
    law: f32,
    guidance: f32,
    known: f32,
}

impl Strengths {
    /// Of row number `row`; without a guide nothing is guided.
    pub fn of(step: &Advance<'_>, guide: Option<&Guide<'_>>, row: usize) -> Self {
        let of = |strengths: &[f32]| strengths.get(row).copied().unwrap_or(0.0);
        Self {
            law: of(step.strengths),
            guidance: guide.map_or(0.0, |g| of(g.strengths)),
            known: guide.map_or(0.0, |g| of(g.known)),
        }
    }

    /// What the weights of a step depend on; `before` is the noise level of the estimate before, if it is used.
    pub fn key(&self, m: usize, step: &Advance<'_>, before: Option<f64>) -> Key {
        let [law, guidance, known] = self.numbers();
        let all = [
            law,
            guidance,
            known,
            step.from,
            step.to,
            before.unwrap_or(0.0),
        ];
        (m, all.map(f64::to_bits))
    }

    fn numbers(&self) -> [f64; 3] {
        [self.law, self.guidance, self.known].map(f64::from)
    }
}

impl Law {
    /// See [`super::Flow::advance_judged`]; `modes` has a forecast for each row.
    pub(super) fn advance_judged(
        &self,
        step: &Advance<'_>,
        guide: &Guide<'_>,
        m: usize,
        modes: &[Vec<Complex32>],
    ) -> Judged {
        let shape = step.x.dims();
        let cells = shape[2] * shape[3];
        let x = to_vec(step.x.clone());
        let estimates = step.estimate.map(|e| to_vec(e.clone()));
        let before = step.before.map(|(r, _)| to_vec(r.clone()));
        let (mut next, mut remainder) = (Vec::with_capacity(x.len()), Vec::new());
        let (mut logit, mut ratio) = (Vec::new(), Vec::new());
        for ((row, x), forecast) in x.chunks_exact(cells).enumerate().zip(modes) {
            let strengths = Strengths::of(step, Some(guide), row);
            let earlier = step.before_of(row);
            let weights = self.guided_weights(m, strengths, step, earlier);
            let moved = Moved {
                x,
                estimate: super::part(&estimates, row, cells),
                before: super::part(&before, row, cells).filter(|_| earlier.is_some()),
            };
            // The last step of a row without guidance ends at the estimate as it is.
            let plain = moved
                .estimate
                .filter(|_| step.to == 0.0 && strengths.guidance == 0.0);
            let said = self.fourier.advance_judged(
                &moved,
                forecast,
                &weights,
                plain.is_none(),
                &mut next,
                &mut remainder,
            );
            next.extend_from_slice(plain.unwrap_or_default());
            logit.push(said.logit);
            ratio.push(said.ratio);
        }
        let device = &self.device;
        let tensor = |v: Vec<f32>| Tensor::from_data(TensorData::new(v, shape), device);
        let by_row = |v: Vec<f32>| Tensor::from_data(TensorData::new(v, [shape[0]]), device);
        let known = step.estimate.is_some();
        Judged {
            x: tensor(next),
            beyond: known.then(|| tensor(remainder)),
            logit: by_row(logit),
            ratio: by_row(ratio),
        }
    }

    /// Weights of a step, one for each group; `before` is the noise level of the estimate before, if it is used.
    pub(super) fn guided_weights(
        &self,
        m: usize,
        strengths: Strengths,
        step: &Advance<'_>,
        before: Option<f64>,
    ) -> Rc<Vec<Guided>> {
        let (mut kept, key) = (
            self.guided_steps.borrow_mut(),
            strengths.key(m, step, before),
        );
        if kept.len() >= STEPS_KEPT && !kept.contains_key(&key) {
            kept.clear();
        }
        let weights = kept.entry(key).or_insert_with(|| {
            let span = Span::new(step.from, step.to, before);
            let c = &self.calibration;
            let groups = c.c.iter().zip(&c.s[m]).zip(c.gain_at(step.from));
            let of = |((&power, &missed), keep): ((&f32, &f32), f32)| {
                let taken = (power > DEAD_POWER).then(|| 1.0 - f64::from(keep));
                let [power, missed] = [power, missed].map(|v| f64::from(v.max(FLOOR)));
                guided(&span, power, missed, taken, strengths.numbers())
            };
            Rc::new(groups.map(of).collect())
        });
        Rc::clone(weights)
    }
}

/// Of coefficients with power `power`, of which a forecast misses `missed`; `taken` is the share of what the image model knows
/// that is taken back, `None` in dead coefficients, where nothing may live.
fn guided(
    span: &Span,
    power: f64,
    missed: f64,
    taken: Option<f64>,
    [law, guidance, known]: [f64; 3],
) -> Guided {
    let s2 = span.from * span.from;
    let (marginal, conditional) = (power + s2, missed + s2);
    let w_c = power / marginal;
    // S / (S + s^2) - C / (C + s^2) without a difference of two numbers near 1.
    let shift = [
        s2 * (missed - power) / (marginal * conditional),
        s2 / conditional,
    ];
    let correction = match taken {
        Some(taken) => [w_c * taken, -taken],
        None => [0.0, -1.0],
    };
    let back = guidance.min(1.0);
    let added = [
        back * correction[0] + guidance * shift[0],
        back * correction[1],
        guidance * shift[1],
    ];
    let of_law = [w_c + law * shift[0], law * shift[1]];
    // What law and guidance have in common leaves no digits lost: it is subtracted here.
    let remainder = [added[0] - of_law[0], 1.0 + added[1], added[2] - of_law[1]];
    let ends = span.to == 0.0;
    let w = span.weights(power, missed, law);
    Guided {
        estimate: [(w_c + known * shift[0]) as f32, (known * shift[1]) as f32],
        guidance: added.map(|v| v as f32),
        remainder: remainder.map(|v| v as f32),
        scale: if ends { 1.0 } else { w.scale },
        keep: w.keep,
        mean: w.mean,
        now: if ends { 1.0 } else { w.now },
        before: w.before,
        marginal: (1.0 / marginal) as f32,
        conditional: (1.0 / conditional) as f32,
        logarithm: (marginal / conditional).ln(),
    }
}
