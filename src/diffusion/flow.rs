//! The probability flow of a Gaussian law, followed exactly; what an estimate knows beyond the law, by a multistep rule.
//!
//! In the law's basis let `C` be the power of the data, `m` and `S` the mean and the power of what is forecast, `lambda` the
//! strength. The law's own guided estimate is
//!
//! `G(x; s) = C/(C+s^2) x + lambda (m + S/(S+s^2) (x - m) - C/(C+s^2) x)`,
//!
//! linear in `x`, so that the flow `dx/ds = (x - D)/s` of any estimate `D = G + r` has the solution
//!
//! `x(b) = A x(a) + B m + int_b^a k(s) r(s) d ln s`,  `k(s) = h(b)/h(s)`,  `A = h(b)/h(a)`,
//! `h(s)^2 = (C+s^2)^(1-lambda) (S+s^2)^lambda`,  `B = int_b^a k(s) lambda s^2/(S+s^2) d ln s`
//!
//! (exponential integrators: Hochbruck and Ostermann 2010; for diffusion models with the linear part `x/s` alone: Zhang and
//! Chen 2022, Lu et al. 2022; that an image model is nearly a Gaussian law at high noise: Wang and Vastola 2024). The
//! remainder is interpolated linearly in `ln s` in units of `s/sqrt(C+s^2)`, the scale of what noise hides. Where the law
//! says everything, one step is exact at any length; where it says little, this is a solver of second order.

use burn::tensor::{Tensor, TensorData};

/// A Gaussian law of the next frame (or of any frame) whose probability flow is known.
pub trait Flow {
    /// Moves rows from a noise level to a lower one; to 0 in one Euler step, which ends at the law's own estimate. Returns
    /// the new state, and what the estimate knew beyond the law, for the next step; the latter is in the law's own units and
    /// basis.
    fn advance(&self, step: &Advance<'_>) -> (Tensor<4>, Option<Tensor<4>>);

    /// The same where the step's estimate is still to be guided by this law's discriminator, as
    /// [`super::Conditioned::judge`] says, in one pass: guidance then costs next to nothing beside the step. A step to 0 ends
    /// at the guided estimate. `None` where there is no such pass: then judge, and [`Self::advance`].
    fn advance_judged(&self, _step: &Advance<'_>, _guide: &Guide<'_>) -> Option<Judged> {
        None
    }
}

/// How the estimate of a step is guided.
#[derive(Clone, Copy)]
pub struct Guide<'a> {
    /// Strength of the guidance in each row at the step's noise level.
    pub strengths: &'a [f32],
    /// In a step without an estimate, the strength in each row at which the law's own takes its place.
    pub known: &'a [f32],
}

/// A step that was guided on its way.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The new state, `[rows, 1, height, width]`.
    pub x: Tensor<4>,
    /// What the guided estimate knew beyond the law, as [`Flow::advance`] returns it.
    pub beyond: Option<Tensor<4>>,
    /// `log(D / (1 - D))` of the state before, `[rows]`.
    pub logit: Tensor<1>,
    /// Norm of the guidance divided by the norm of the score there, `[rows]`.
    pub ratio: Tensor<1>,
}

/// A step along a [`Flow`].
#[derive(Clone, Copy)]
pub struct Advance<'a> {
    /// The state at `from`, `[rows, 1, height, width]`.
    pub x: &'a Tensor<4>,
    /// The guided estimate for it; `None` follows the law alone.
    pub estimate: Option<&'a Tensor<4>>,
    /// What the estimate of the step before knew beyond the law, and its noise level.
    pub before: Option<(&'a Tensor<4>, f64)>,
    /// Whether a row may use it.
    pub usable: &'a [bool],
    /// Noise level of the state, and where to.
    pub from: f64,
    /// See [`Self::from`].
    pub to: f64,
    /// Strength `lambda` of the law in each row.
    pub strengths: &'a [f32],
}

impl<'a> Advance<'a> {
    /// The law alone.
    pub fn law(x: &'a Tensor<4>, from: f64, to: f64, strengths: &'a [f32]) -> Self {
        Self {
            x,
            estimate: None,
            before: None,
            usable: &[],
            from,
            to,
            strengths,
        }
    }

    /// Noise level of the estimate before, where row `row` may use it.
    pub(super) fn before_of(&self, row: usize) -> Option<f64> {
        let usable = self.usable.get(row).copied().unwrap_or(false);
        self.before.filter(|_| usable).map(|(_, sigma)| sigma)
    }
}

/// A point of the quadrature over `ln s`, and the interpolated remainder there in units of `s / sqrt(C + s^2)`.
#[derive(Debug, Clone, Copy)]
struct Node {
    s2: f64,
    weight: f64,
    /// Weight times `s` times the share of the present remainder, and of the one before.
    now: f64,
    before: f64,
}

/// From one noise level to the next: everything that does not depend on the coefficient.
#[derive(Debug, Clone)]
pub(super) struct Span {
    pub from: f64,
    pub to: f64,
    nodes: Vec<Node>,
}

/// What becomes of one coefficient in a step.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Weights {
    /// `remainder = scale (estimate - law_x x - law_m m)`.
    pub scale: f32,
    /// See [`Self::scale`].
    pub law_x: f32,
    /// See [`Self::scale`].
    pub law_m: f32,
    /// `next = keep x + mean m + now remainder + before remainder_before`.
    pub keep: f32,
    /// See [`Self::keep`].
    pub mean: f32,
    /// See [`Self::keep`].
    pub now: f32,
    /// See [`Self::keep`].
    pub before: f32,
}

/// A square root as a sum of logarithms where the strength is not 0 or 1.
fn root(c: f64, s: f64, lambda: f64) -> f64 {
    if lambda == 1.0 {
        s.sqrt()
    } else if lambda == 0.0 {
        c.sqrt()
    } else {
        (0.5 * ((1.0 - lambda) * c.ln() + lambda * s.ln())).exp()
    }
}

impl Span {
    /// `before`: noise level of the remainder before the present one.
    pub fn new(from: f64, to: f64, before: Option<f64>) -> Self {
        if to <= 0.0 {
            let nodes = Vec::new();
            return Self { from, to, nodes };
        }
        let (lo, hi) = (to.ln(), from.ln());
        // Between two levels of a usual step four points would do.
        let count = (4.0 + 2.0 * (hi - lo)).clamp(6.0, 24.0) as usize;
        let nodes = gauss_legendre(count)
            .into_iter()
            .map(|(x, weight)| {
                let l = 0.5 * ((hi - lo) * x + hi + lo);
                let weight = 0.5 * (hi - lo) * weight;
                // Levels that coincide, as settings may have it, span no line.
                let before = before.filter(|&b| b > from);
                let share = before.map_or(0.0, |b| (hi - l) / (b.ln() - hi));
                let s = l.exp();
                Node {
                    s2: s * s,
                    weight,
                    now: weight * s * (1.0 + share),
                    before: -weight * s * share,
                }
            })
            .collect();
        Self { from, to, nodes }
    }

    /// Of a coefficient with power `c`, power `s` of what its forecast misses, at strength `lambda`.
    pub fn weights(&self, c: f64, s: f64, lambda: f64) -> Weights {
        let (from2, to2) = (self.from * self.from, self.to * self.to);
        let end = root(c + to2, s + to2, lambda);
        let (mut mean, mut now, mut before) = (0.0, 0.0, 0.0);
        for node in &self.nodes {
            let (marginal, conditional) = (c + node.s2, s + node.s2);
            let k = end / root(marginal, conditional, lambda);
            mean += k * node.weight * node.s2 / conditional;
            let scaled = k / marginal.sqrt();
            now += scaled * node.now;
            before += scaled * node.before;
        }
        let (w_c, w_s) = (c / (c + from2), s / (s + from2));
        let (law_x, law_m) = (w_c + lambda * (w_s - w_c), lambda * (1.0 - w_s));
        if self.nodes.is_empty() {
            return Weights {
                keep: law_x as f32,
                mean: law_m as f32,
                ..Weights::default()
            };
        }
        Weights {
            scale: ((c + from2).sqrt() / self.from) as f32,
            law_x: law_x as f32,
            law_m: law_m as f32,
            keep: (end / root(c + from2, s + from2, lambda)) as f32,
            mean: (lambda * mean) as f32,
            now: now as f32,
            before: before as f32,
        }
    }
}

/// The same in burn's operations, on any device, in the law's basis.
pub(super) struct Composed<'a> {
    /// Power of the data, `[1, 1, h, w]`.
    pub c: &'a Tensor<4>,
    /// Power of what the forecast misses, `[1 or rows, 1, h, w]`.
    pub s: &'a Tensor<4>,
    /// The forecast, `[1 or rows, 1, h, w]`; `None` = none, for strengths of 0.
    pub mean: Option<&'a Tensor<4>>,
}

impl Composed<'_> {
    /// `x` and `estimate` are those of `step` in the basis; so are the results.
    pub fn advance(
        &self,
        step: &Advance<'_>,
        x: Tensor<4>,
        estimate: Option<Tensor<4>>,
    ) -> (Tensor<4>, Option<Tensor<4>>) {
        let rows = x.dims()[0];
        let device = x.device();
        let by_row = |f: &dyn Fn(usize) -> f32| {
            let values: Vec<f32> = (0..rows).map(f).collect();
            Tensor::<4>::from_data(TensorData::new(values, [rows, 1, 1, 1]), &device)
        };
        let lambda = by_row(&|row| step.strengths.get(row).copied().unwrap_or(0.0));
        let span = Span::new(step.from, step.to, None);
        let shares = Span::new(step.from, step.to, step.before.map(|(_, sigma)| sigma));
        let points = span.nodes.len();
        let at = |s: f64| Tensor::<4>::full([1, 1, 1, 1], (s * s) as f32, &device);
        let here = at(step.from);
        let law_of = |x: Tensor<4>| {
            let w_c = self.c.clone() / (self.c.clone() + here.clone());
            let w_s = self.s.clone() / (self.s.clone() + here.clone());
            let law = x * (w_c.clone() + (w_s.clone() - w_c) * lambda.clone());
            match self.mean {
                Some(mean) => law + mean.clone() * w_s.neg().add_scalar(1.0) * lambda.clone(),
                None => law,
            }
        };
        if points == 0 {
            return (law_of(x), None);
        }
        let along = |f: &dyn Fn(&Node) -> f64, of: &Span| {
            let values: Vec<f32> = of.nodes.iter().map(|n| f(n) as f32).collect();
            Tensor::<4>::from_data(TensorData::new(values, [1, points, 1, 1]), &device)
        };
        // ln h at noise levels `s2`.
        let log_h = |s2: Tensor<4>| {
            let marginal = (self.c.clone() + s2.clone()).log();
            let conditional = (self.s.clone() + s2).log();
            (marginal.clone() + (conditional - marginal) * lambda.clone()).mul_scalar(0.5)
        };
        let end = log_h(at(step.to));
        let keep = (end.clone() - log_h(here.clone())).exp();
        let s2 = along(&|n| n.s2, &span);
        let k = (end - log_h(s2.clone())).exp();
        let mut next = x.clone() * keep;
        if let Some(mean) = self.mean {
            let share = s2.clone() / (self.s.clone() + s2.clone()) * along(&|n| n.weight, &span);
            next = next + (k.clone() * share).sum_dim(1) * lambda.clone() * mean.clone();
        }
        let Some(estimate) = estimate else {
            return (next, None);
        };
        let law = law_of(x);
        let scale = (self.c.clone() + here.clone())
            .sqrt()
            .div_scalar(step.from as f32);
        let remainder = (estimate - law) * scale;
        let scaled = k * (self.c.clone() + s2).powf_scalar(-0.5);
        let integral =
            |f: &dyn Fn(&Node) -> f64, of: &Span| (scaled.clone() * along(f, of)).sum_dim(1);
        let alone = integral(&|n| n.now, &span);
        next = match step.before {
            None => next + alone * remainder.clone(),
            Some((before, _)) => {
                let usable = by_row(&|row| f32::from(u8::from(step.before_of(row).is_some())));
                // Where the remainder before may not be used, the present one alone counts.
                let change = integral(&|n| n.before, &shares) * usable;
                next + alone * remainder.clone() + change * (before.clone() - remainder.clone())
            }
        };
        (next, Some(remainder))
    }
}

/// Points and weights of the Gauss-Legendre quadrature on [-1, 1].
fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    (1..=n)
        .map(|i| {
            let mut x = (std::f64::consts::PI * (i as f64 - 0.25) / (n as f64 + 0.5)).cos();
            let mut slope = 1.0;
            // Newton's method from the asymptotic zeros of the Legendre polynomial; it doubles the digits each time.
            for _ in 0..6 {
                let (mut p, mut before) = (1.0, 0.0);
                for k in 1..=n {
                    let k = k as f64;
                    (p, before) = (((2.0 * k - 1.0) * x * p - (k - 1.0) * before) / k, p);
                }
                slope = n as f64 * (x * p - before) / (x * x - 1.0);
                x -= p / slope;
            }
            (x, 2.0 / ((1.0 - x * x) * slope * slope))
        })
        .collect()
}

#[cfg(test)]
mod tests;
