//! The joint closed form of two variables.
//!
//! As [`crate::diffusion::two_tower`], with 2 x 2 matrices for each shell of wavenumbers: `C` the covariance of vorticity
//! and tracer, `B` the regression of the truth on the forecast, `S` the covariance of what it misses, `S <= C`. For the
//! pair `x_k` of coefficients
//!
//! `logit = sum_k [ x^T (C+s^2)^-1 x - (x - B mu)^T (S+s^2)^-1 (x - B mu) + ln det(C+s^2) - ln det(S+s^2) ] / 2`
//!
//! and with `W_A = A (A + s^2)^-1` what guidance adds to the clean estimate is `B mu + W_S (x - B mu) - W_C x`. A
//! discriminator that judges one variable alone has for the other one `B = 0` and `S = C`, and so no gradient there.

use std::rc::Rc;

use burn::tensor::{Device, Tensor};

use super::matrix::{Matrix, ZERO, cholesky, determinant, diagonal, inverse, product, sum};
use super::nets::Seer;
use crate::diffusion::basis::{Shells, SpectralBasis};
use crate::diffusion::{Conditioned, Context, Control, Discriminate, Judgement};
use crate::nn::HISTORY;

/// What of the two variables a discriminator judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// Both, with what ties them.
    Both,
    /// Both, each by a law of its own: the matrices are diagonal.
    Apart,
    /// One of them.
    Alone(usize),
}

impl Judged {
    /// Whether a variable is judged.
    pub fn covers(self, variable: usize) -> bool {
        match self {
            Self::Both | Self::Apart => true,
            Self::Alone(own) => own == variable,
        }
    }

    /// A matrix without what this judgement does not know of.
    pub fn of(self, a: Matrix) -> Matrix {
        match self {
            Self::Both => a,
            _ => diagonal(a[0][0], a[1][1]),
        }
    }
}

/// What calibration measures, by shell.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbers {
    /// Points a side.
    pub n: usize,
    /// Largest resolved wavenumber in each direction.
    pub resolved: usize,
    /// What is judged.
    pub judged: Judged,
    /// Covariance of the data.
    pub c: Vec<Matrix>,
    /// Regression of the truth on the forecast, for history lengths 0..=3.
    pub b: Vec<Vec<Matrix>>,
    /// Covariance of what it misses, for history lengths 0..=3.
    pub s: Vec<Vec<Matrix>>,
    /// Whether the data have power there.
    pub live: Vec<bool>,
    /// Natural logarithms of the noise levels of `gain`, ascending.
    pub gain_log_sigma: Vec<f64>,
    /// Weight of what the image model knows beyond the Gaussian, `[level][variable][shell]`.
    pub gain: Vec<[Vec<f64>; 2]>,
}

impl Numbers {
    /// The gain at a noise level, linear in its logarithm; 1 for a variable that is not judged.
    fn gain_at(&self, sigma: f64) -> [Vec<f64>; 2] {
        let l = sigma.max(1e-12).ln();
        let grid = &self.gain_log_sigma;
        let above = grid.partition_point(|&g| g <= l);
        let (low, high) = (
            above.saturating_sub(1),
            above.min(grid.len().saturating_sub(1)),
        );
        let f = match grid.get(low).zip(grid.get(high)) {
            Some((a, b)) if b > a => ((l - a) / (b - a)).clamp(0.0, 1.0),
            _ => 0.0,
        };
        [0, 1].map(|v| {
            if !self.judged.covers(v) {
                return vec![1.0; self.c.len()];
            }
            let pairs = self.gain[low][v].iter().zip(&self.gain[high][v]);
            pairs.map(|(a, b)| (1.0 - f) * a + f * b).collect()
        })
    }
}

/// Matrices of the shells, spread over the coefficients.
pub struct Spread([[Tensor<4>; 2]; 2]);

impl Spread {
    /// One matrix for each shell.
    pub fn new(shells: &Shells, of: &[Matrix], device: &Device) -> Self {
        let entry = |i: usize, j: usize| {
            let values: Vec<f32> = of.iter().map(|m| m[i][j] as f32).collect();
            shells.spread(&values, device)
        };
        Self([[entry(0, 0), entry(0, 1)], [entry(1, 0), entry(1, 1)]])
    }

    /// The product with `[rows, 2, n, n]`.
    pub fn times(&self, x: &Tensor<4>) -> Tensor<4> {
        let [a, b] = [0, 1].map(|v| x.clone().narrow(1, v, 1));
        let row = |i: usize| a.clone() * self.0[i][0].clone() + b.clone() * self.0[i][1].clone();
        Tensor::cat(vec![row(0), row(1)], 1)
    }
}

/// Two numbers of each shell, spread over the coefficients, `[1, 2, n, n]`.
fn spread_pair(shells: &Shells, of: &[Vec<f64>; 2], device: &Device) -> Tensor<4> {
    let each = of.iter().map(|v| {
        let values: Vec<f32> = v.iter().map(|v| *v as f32).collect();
        shells.spread(&values, device)
    });
    Tensor::cat(each.collect(), 1)
}

/// `A (A + s^2)^-1` and `(A + s^2)^-1`; without an inverse, zero.
pub fn weights(a: Matrix, s2: f64) -> (Matrix, Matrix) {
    let precision = inverse(sum(a, s2, diagonal(1.0, 1.0))).unwrap_or(ZERO);
    (product(a, precision), precision)
}

/// A two-tower discriminator of both variables, of histories `[rows, 8, n, n]` and candidates `[rows, 2, n, n]`.
pub struct PairTwoTower {
    seer: Seer,
    law: Rc<Law>,
}

struct Law {
    numbers: Numbers,
    shells: Shells,
    basis: SpectralBasis,
    /// 1 where the data have power.
    live: Tensor<4>,
    device: Device,
}

impl PairTwoTower {
    /// Joins a forecaster with its numbers.
    pub fn new(seer: Seer, numbers: Numbers, device: &Device) -> Self {
        let shells = Shells::new(numbers.n, numbers.resolved);
        let live: Vec<f32> = numbers
            .live
            .iter()
            .map(|l| f32::from(u8::from(*l)))
            .collect();
        Self {
            seer,
            law: Rc::new(Law {
                basis: SpectralBasis::new(numbers.n, device),
                live: shells.spread(&live, device),
                shells,
                numbers,
                device: device.clone(),
            }),
        }
    }

    /// `B mu` in the spectral basis.
    fn mean(&self, history: &Tensor<4>, m: usize) -> Tensor<4> {
        let law = &self.law;
        let mu = law.basis.transform(self.seer.forecast(history, m));
        Spread::new(&law.shells, &law.numbers.b[m], &law.device).times(&mu)
    }
}

impl Discriminate for PairTwoTower {
    fn condition(&self, history: &Tensor<4>, context: Context) -> Box<dyn Conditioned> {
        let m = context.m.min(HISTORY - 1);
        Box::new(Prepared {
            mean: self.mean(history, m),
            law: Rc::clone(&self.law),
            m,
        })
    }
}

impl Control for PairTwoTower {
    fn forecast_with_noise(
        &self,
        history: &Tensor<4>,
        context: Context,
        noise: Tensor<4>,
    ) -> Tensor<4> {
        let (law, m) = (&self.law, context.m.min(HISTORY - 1));
        let roots: Vec<Matrix> = law.numbers.s[m]
            .iter()
            .map(|s| cholesky(*s).unwrap_or(ZERO))
            .collect();
        // White noise stays white in an orthonormal basis.
        let z = Spread::new(&law.shells, &roots, &law.device).times(&noise);
        law.basis
            .transform((self.mean(history, m) + z) * law.live.clone())
    }
}

struct Prepared {
    law: Rc<Law>,
    mean: Tensor<4>,
    m: usize,
}

impl Conditioned for Prepared {
    fn judge(&self, x: &Tensor<4>, sigma: f64, denoised: &Tensor<4>) -> Judgement {
        let law = &self.law;
        let s2 = sigma * sigma;
        let (marginal, conditional) = (&law.numbers.c, &law.numbers.s[self.m]);
        let spread = |of: Vec<Matrix>| Spread::new(&law.shells, &of, &law.device);
        let both = |of: &[Matrix]| -> (Spread, Spread) {
            let (w, p) = of.iter().map(|a| weights(*a, s2)).unzip();
            (spread(w), spread(p))
        };
        let ((w_c, p_c), (w_s, p_s)) = (both(marginal), both(conditional));

        let xf = law.basis.transform(x.clone());
        let off = xf.clone() - self.mean.clone();
        let gaussian = w_c.times(&xf);
        let shift = self.mean.clone() + w_s.times(&off) - gaussian.clone();

        let logs: Vec<f32> = marginal
            .iter()
            .zip(conditional)
            .map(|(c, s)| {
                let one = |a: Matrix| determinant(sum(a, s2, diagonal(1.0, 1.0)));
                (one(*c) / one(*s)).ln() as f32
            })
            .collect();
        let squares = xf.clone() * p_c.times(&xf) - off.clone() * p_s.times(&off);
        let per_mode = squares.sum_dim(1) + law.shells.spread(&logs, &law.device);
        let [rows, _, n, _] = x.dims();
        let logit = per_mode
            .reshape([rows, n * n])
            .sum_dim(1)
            .reshape([rows])
            .mul_scalar(0.5);

        let df = law.basis.transform(denoised.clone());
        let judged = [0, 1].map(|v| vec![f64::from(u8::from(law.numbers.judged.covers(v))); 1]);
        let judged: Vec<f32> = judged.iter().flatten().map(|v| *v as f32).collect();
        let judged = super::tensor(judged, [1, 2, 1, 1], &law.device);
        let gain = spread_pair(&law.shells, &law.numbers.gain_at(sigma), &law.device);
        let taken = gain.neg().add_scalar(1.0) * law.live.clone();
        // Where the data have no power everything is taken back: nothing may live there.
        let dead = law.live.clone().neg().add_scalar(1.0);
        let correction = ((df.clone() - gaussian) * taken + df * dead) * judged;
        Judgement {
            logit,
            shift: law.basis.transform(shift),
            correction: Some(law.basis.transform(correction.neg())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::to_vec;
    use crate::random::{NoiseKey, Stream};

    const N: usize = 8;

    fn noise(frame: u32, channels: usize) -> Tensor<4> {
        let key = NoiseKey {
            seed: 5,
            stream: Stream::Test,
            member: 0,
            frame,
            step: 0,
        };
        let values = key.normal_f32(channels * N * N);
        super::super::tensor(values, [1, channels, N, N], &Device::flex())
    }

    fn numbers(judged: Judged) -> Numbers {
        let count = Shells::new(N, N / 3).count();
        let c: Vec<Matrix> = (0..count)
            .map(|g| [[0.4, 0.2], [0.2, 0.3 + 0.01 * g as f64]])
            .collect();
        let s = match judged {
            Judged::Both => [[0.1, 0.04], [0.04, 0.06]],
            _ => diagonal(0.1, 0.06),
        };
        let c: Vec<Matrix> = c.into_iter().map(|c| judged.of(c)).collect();
        let s: Vec<Matrix> = c
            .iter()
            .map(|c| match judged {
                Judged::Alone(0) => diagonal(s[0][0], c[1][1]),
                _ => s,
            })
            .collect();
        let b = match judged {
            Judged::Alone(0) => diagonal(0.9, 0.0),
            _ => [[0.9, 0.1], [0.0, 0.8]],
        };
        Numbers {
            n: N,
            resolved: N / 3,
            judged,
            b: vec![vec![judged.of(b); count]; HISTORY],
            s: vec![s; HISTORY],
            live: vec![true; count],
            gain_log_sigma: vec![-2.0, 1.0],
            gain: vec![
                [vec![0.5; count], vec![0.25; count]],
                [vec![0.0; count], vec![0.0; count]],
            ],
            c,
        }
    }

    /// Forecasts half of the last frame.
    fn discriminator(judged: Judged) -> (PairTwoTower, Tensor<4>) {
        let config = crate::nn::UNetConfig {
            channels: vec![8],
            blocks: vec![1],
            up_blocks: vec![],
            attention: vec![false],
            patch: 1,
            out_channels: 2,
            ..crate::nn::UNetConfig::vorticity(super::super::PairTower::IN_CHANNELS, 0)
        };
        let tower = super::super::PairTower::seeded(&config, 1, &Device::flex());
        let guide = PairTwoTower::new(Seer::Both(tower), numbers(judged), &Device::flex());
        (guide, noise(0, 8).mul_scalar(0.4))
    }

    /// The logit is quadratic in x, so a central difference of any step is exact but for rounding.
    #[test]
    fn gradient_agrees_with_finite_differences() {
        for judged in [Judged::Both, Judged::Apart, Judged::Alone(0)] {
            let (guide, history) = discriminator(judged);
            let conditioned = guide.condition(&history, Context::history(2));
            for sigma in [0.1, 0.7, 4.0] {
                let x = noise(1, 2).mul_scalar(0.6);
                let gradient = conditioned.judge(&x, sigma, &x).shift;
                let gradient = gradient.div_scalar((sigma * sigma) as f32);
                let along = noise(2, 2);
                let logit = |sign: f32| {
                    let moved = x.clone() + along.clone().mul_scalar(sign * 0.3);
                    f64::from(to_vec(conditioned.judge(&moved, sigma, &x).logit)[0])
                };
                let difference = (logit(1.0) - logit(-1.0)) / 0.6;
                let exact = to_vec(gradient * along)
                    .iter()
                    .map(|v| f64::from(*v))
                    .sum::<f64>();
                let bound = 2e-3 * exact.abs().max(1.0);
                assert!(
                    (difference - exact).abs() < bound,
                    "{judged:?} {sigma}: {difference} {exact}"
                );
            }
        }
    }

    /// What judges the vorticity alone leaves the tracer as it is.
    #[test]
    fn a_variable_that_is_not_judged_is_not_moved() {
        let (guide, history) = discriminator(Judged::Alone(0));
        let conditioned = guide.condition(&history, Context::history(3));
        let x = noise(1, 2);
        let found = conditioned.judge(&x, 0.3, &noise(3, 2));
        for t in [found.shift, found.correction.unwrap()] {
            let v = to_vec(t);
            assert!(v[N * N..].iter().all(|v| v.abs() < 1e-5));
            assert!(v[..N * N].iter().any(|v| v.abs() > 0.01));
        }
    }

    /// Draws of the control have the covariance S about the forecast.
    #[test]
    fn the_control_draws_both_together() {
        let (guide, history) = discriminator(Judged::Both);
        let draw = |z: Tensor<4>| guide.forecast_with_noise(&history, Context::history(1), z);
        let still = draw(Tensor::zeros([1, 2, N, N], &Device::flex()));
        let (mut aa, mut ab, mut bb) = (0.0, 0.0, 0.0);
        for i in 0..60 {
            let v = to_vec(draw(noise(10 + i, 2)) - still.clone());
            for (a, b) in v[..N * N].iter().zip(&v[N * N..]) {
                let (a, b) = (f64::from(*a), f64::from(*b));
                (aa, ab, bb) = (aa + a * a, ab + a * b, bb + b * b);
            }
        }
        let count = 60.0 * (N * N) as f64;
        for (found, exact) in [(aa, 0.1), (ab, 0.04), (bb, 0.06)] {
            assert!(
                (found / count - exact).abs() < 0.01,
                "{} {exact}",
                found / count
            );
        }
    }
}
