//! The two-tower discriminator in closed form: a history tower predicts, a Gaussian law per wavenumber compares.
//!
//! For each coefficient k of the spectral basis, with `C` the power of the data, `S` the power of what the tower
//! misses and `beta mu` the calibrated forecast,
//!
//! `logit(x; h, s) = sum_k [ |x_k|^2/(C_k+s^2) - |x_k - beta_k mu_k|^2/(S_k+s^2) + ln((C_k+s^2)/(S_k+s^2)) ] / 2`
//!
//! which is `log p(x|h) - log p(x)` of two Gaussians: at lambda = 1 its gradient turns the score of `p(x)` into that of
//! `p(x|h)`. Where the image model knows more than the Gaussian `p(x)`, that knowledge `delta = D - W_C x` is taken
//! back by `(1 - g) delta`, `g(sigma, shell)` fitted by least squares, so that it does not count twice.
//!
//! All of it is linear in the basis, and so is a step along the law's flow ([`super::flow`]): a guided step is one pass, on
//! the CPU through Fourier space (`judged`), elsewhere composed of burn's operations (`composed`).

mod composed;
mod judged;

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use burn::tensor::{Device, Tensor, TensorData};
use rustfft::num_complex::Complex32;
use serde::{Deserialize, Serialize};

use super::basis::{Shells, SpectralBasis};
use super::flow::{self, Advance, Flow, Guide, Judged, Span};
use super::fourier_law::{FourierLaw, Guided, Moved, Weights};
use super::{Conditioned, Context, Control, Discriminate, Judgement, to_vec};
use crate::error::{Result, UserError};
use crate::nn::on_cpu;

/// Power below which a coefficient counts as dead: the data have no variance there.
pub const DEAD_POWER: f32 = 1e-8;

/// What calibration measures, by shell group; kept in the model's card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Points a side.
    pub n: usize,
    /// Largest resolved wavenumber in each direction.
    pub resolved: usize,
    /// Power of the data.
    pub c: Vec<f32>,
    /// Regression of the truth on the forecast, in [0, 1]; for history lengths 0..=3.
    pub beta: Vec<Vec<f32>>,
    /// Power of what the calibrated forecast misses, at most `c`; for history lengths 0..=3.
    pub s: Vec<Vec<f32>>,
    /// Natural logarithms of the noise levels of `gain`, ascending.
    pub gain_log_sigma: Vec<f32>,
    /// Weight in [0, 1] of what the image model knows beyond the Gaussian, by noise level and group.
    pub gain: Vec<Vec<f32>>,
}

impl Calibration {
    /// Checks the sizes and values.
    ///
    /// # Errors
    /// A card that was edited by hand or cut short.
    pub fn validate(&self) -> Result<()> {
        let groups = Shells::new(self.n.max(2), self.resolved).count();
        let fail = |what: String| {
            Err(UserError::new(
                "The calibration in the model card is not usable",
                what,
                "run `eddyscope train calibrate` again for this model",
            ))
        };
        if self.beta.len() != 4 || self.s.len() != 4 {
            return fail("it must hold beta and s for history lengths 0, 1, 2 and 3".into());
        }
        if self.gain.len() != self.gain_log_sigma.len() || self.gain.len() < 2 {
            return fail("gain and gain_log_sigma must have the same length, at least 2".into());
        }
        if !self.gain_log_sigma.windows(2).all(|w| w[0] < w[1]) {
            return fail("gain_log_sigma must ascend".into());
        }
        let tables = std::iter::once(&self.c)
            .chain(&self.beta)
            .chain(&self.s)
            .chain(&self.gain);
        for t in tables {
            if t.len() != groups {
                return fail(format!("a table has {} entries, not {groups}", t.len()));
            }
            if t.iter().any(|v| !v.is_finite() || *v < 0.0) {
                return fail("a table has a negative or non-finite entry".into());
            }
        }
        Ok(())
    }

    /// `g` at a noise level, by group: linear in ln sigma, clamped at the ends.
    pub fn gain_at(&self, sigma: f64) -> Vec<f32> {
        let l = sigma.max(1e-12).ln() as f32;
        let grid = &self.gain_log_sigma;
        let last = grid.len() - 1;
        if l <= grid[0] {
            return self.gain[0].clone();
        }
        if l >= grid[last] {
            return self.gain[last].clone();
        }
        let i = grid.partition_point(|&g| g <= l).clamp(1, last) - 1;
        let f = (l - grid[i]) / (grid[i + 1] - grid[i]);
        self.gain[i]
            .iter()
            .zip(&self.gain[i + 1])
            .map(|(a, b)| (1.0 - f) * a + f * b)
            .collect()
    }
}

/// A calibrated forecast of the next frame from the last ones.
pub trait Forecast {
    /// `history` `[rows, 4, height, width]`, newest first -> `[rows, 1, height, width]`.
    fn forecast(&self, history: &Tensor<4>, m: usize) -> Tensor<4>;
}

/// The closed form over any forecaster.
pub struct TwoTower<F> {
    tower: F,
    law: Rc<Law>,
}

/// The Gaussian laws, spread over the coefficients.
struct Law {
    calibration: Calibration,
    shells: Shells,
    basis: SpectralBasis,
    c: Tensor<4>,
    live: Tensor<4>,
    beta: Vec<Tensor<4>>,
    s: Vec<Tensor<4>>,
    fourier: FourierLaw,
    steps: RefCell<HashMap<StepKey, Rc<Vec<flow::Weights>>>>,
    guided_steps: RefCell<HashMap<judged::Key, Rc<Vec<Guided>>>>,
    on_device: RefCell<HashMap<judged::Key, composed::OnDevice>>,
    device: Device,
}

/// What the weights of a step along the flow depend on: history length, strength, noise levels.
type StepKey = (usize, [u64; 4]);

/// Steps whose weights are kept.
const STEPS_KEPT: usize = 256;

/// Power below which no coefficient is believed.
const FLOOR: f32 = 1e-9;

impl<F: Forecast> TwoTower<F> {
    /// Joins a tower and its calibration.
    ///
    /// # Errors
    /// A calibration that is not usable.
    pub fn new(tower: F, calibration: Calibration, device: &Device) -> Result<Self> {
        calibration.validate()?;
        let shells = Shells::new(calibration.n, calibration.resolved);
        let spread = |v: &[f32]| shells.spread(v, device);
        let live: Vec<f32> = calibration
            .c
            .iter()
            .map(|&c| if c > DEAD_POWER { 1.0 } else { 0.0 })
            .collect();
        let floored = |v: &[f32]| v.iter().map(|x| x.max(FLOOR)).collect::<Vec<_>>();
        let law = Law {
            basis: SpectralBasis::new(calibration.n, device),
            c: spread(&floored(&calibration.c)),
            live: spread(&live),
            beta: calibration.beta.iter().map(|b| spread(b)).collect(),
            s: calibration.s.iter().map(|s| spread(&floored(s))).collect(),
            fourier: FourierLaw::new(&shells),
            steps: RefCell::default(),
            guided_steps: RefCell::default(),
            on_device: RefCell::default(),
            shells,
            calibration,
            device: device.clone(),
        };
        Ok(Self {
            tower,
            law: Rc::new(law),
        })
    }

    /// The tower.
    pub fn tower(&self) -> &F {
        &self.tower
    }
}

impl<F: Forecast> Control for TwoTower<F> {
    fn forecast_with_noise(
        &self,
        history: &Tensor<4>,
        context: Context,
        noise: Tensor<4>,
    ) -> Tensor<4> {
        let (law, m) = (&self.law, context.m.min(3));
        let mu = law.basis.transform(self.tower.forecast(history, m)) * law.beta[m].clone();
        // White noise stays white in an orthonormal basis; dead coefficients stay empty.
        let z = noise * law.s[m].clone().sqrt();
        law.basis.transform((mu + z) * law.live.clone())
    }
}

impl<F: Forecast> Discriminate for TwoTower<F> {
    fn condition(&self, history: &Tensor<4>, context: Context) -> Box<dyn Conditioned> {
        Box::new(self.prepare(history, context.m.min(3)))
    }

    fn unconditional_flow(&self) -> Option<Box<dyn Flow>> {
        Some(Box::new(Unconditional(Rc::clone(&self.law))))
    }
}

impl<F: Forecast> TwoTower<F> {
    fn prepare(&self, history: &Tensor<4>, m: usize) -> Prepared {
        Prepared {
            law: Rc::clone(&self.law),
            forecast: self.tower.forecast(history, m),
            m,
            mean: OnceCell::new(),
            modes: OnceCell::new(),
        }
    }
}

struct Prepared {
    law: Rc<Law>,
    /// `mu` in cells.
    forecast: Tensor<4>,
    m: usize,
    /// `beta mu` in the spectral basis, made when it is asked for.
    mean: OnceCell<Tensor<4>>,
    /// `beta mu` in Fourier space, row after row, made when it is asked for.
    modes: OnceCell<Vec<Vec<Complex32>>>,
}

impl Conditioned for Prepared {
    fn judge(&self, x: &Tensor<4>, sigma: f64, denoised: &Tensor<4>) -> Judgement {
        if [x, denoised, &self.forecast].into_iter().all(on_cpu)
            && let Some(judgement) = self.judge_in_fourier_space(x, sigma, denoised)
        {
            return judgement;
        }
        self.judge_composed(x, sigma, denoised)
    }

    fn flow(&self) -> Option<&dyn Flow> {
        Some(self)
    }
}

impl Flow for Prepared {
    fn advance(&self, step: &Advance<'_>) -> (Tensor<4>, Option<Tensor<4>>) {
        if on_cpu(&self.forecast) && self.law.fits(step) {
            return self.law.advance(step, self.m, Some(self.modes()));
        }
        let moved = self
            .law
            .advance_composed(step, None, self.m, Some(self.mean()));
        (moved.x, moved.beyond)
    }

    fn advance_judged(&self, step: &Advance<'_>, guide: &Guide<'_>) -> Option<Judged> {
        let (law, m) = (&self.law, self.m);
        Some(match on_cpu(&self.forecast) && law.fits(step) {
            true => law.advance_judged(step, guide, m, self.modes()),
            false => law.advance_composed(step, Some(guide), m, Some(self.mean())),
        })
    }
}

/// The law of any frame.
struct Unconditional(Rc<Law>);

impl Flow for Unconditional {
    fn advance(&self, step: &Advance<'_>) -> (Tensor<4>, Option<Tensor<4>>) {
        if self.0.fits(step) {
            return self.0.advance(step, 0, None);
        }
        let moved = self.0.advance_composed(step, None, 0, None);
        (moved.x, moved.beyond)
    }
}

impl Prepared {
    fn mean(&self) -> &Tensor<4> {
        let law = &self.law;
        self.mean
            .get_or_init(|| law.basis.transform(self.forecast.clone()) * law.beta[self.m].clone())
    }

    fn modes(&self) -> &[Vec<Complex32>] {
        let law = &self.law;
        let cells = law.calibration.n * law.calibration.n;
        self.modes.get_or_init(|| {
            let beta = &law.calibration.beta[self.m];
            to_vec(self.forecast.clone())
                .chunks_exact(cells)
                .map(|field| law.fourier.forecast(field, beta))
                .collect()
        })
    }

    /// From burn's operations, on any device.
    fn judge_composed(&self, x: &Tensor<4>, sigma: f64, denoised: &Tensor<4>) -> Judgement {
        let law = &self.law;
        let mean = self.mean();
        let s2 = (sigma * sigma) as f32;
        let marginal = law.c.clone() + s2;
        let conditional = law.s[self.m].clone() + s2;
        let w_c = law.c.clone() / marginal.clone();
        let w_s = law.s[self.m].clone() / conditional.clone();

        let xf = law.basis.transform(x.clone());
        let off = xf.clone() - mean.clone();
        let gaussian = w_c * xf.clone();
        let shift = mean.clone() + w_s * off.clone() - gaussian.clone();

        let per_mode = xf.clone() * xf / marginal.clone() - off.clone() * off / conditional.clone()
            + (marginal / conditional).log();
        let rows = per_mode.dims()[0];
        let modes = law.calibration.n * law.calibration.n;
        let logit = per_mode
            .reshape([rows, modes])
            .sum_dim(1)
            .reshape([rows])
            .mul_scalar(0.5);

        let df = law.basis.transform(denoised.clone());
        let keep = law.calibration.gain_at(sigma);
        let taken: Vec<f32> = keep.iter().map(|g| 1.0 - g).collect();
        let taken = law.shells.spread(&taken, &law.device);
        // In dead coefficients everything is taken back: nothing may live there.
        let dead = law.live.clone().neg().add_scalar(1.0);
        let correction = ((df.clone() - gaussian) * taken * law.live.clone() + df * dead).neg();
        Judgement {
            logit,
            shift: law.basis.transform(shift),
            correction: Some(law.basis.transform(correction)),
        }
    }

    /// The same without burn, for tensors of the CPU; `None` where the sizes are not those of the law.
    fn judge_in_fourier_space(
        &self,
        x: &Tensor<4>,
        sigma: f64,
        denoised: &Tensor<4>,
    ) -> Option<Judgement> {
        let law = &self.law;
        let n = law.calibration.n;
        let shape = x.dims();
        let rows = shape[0];
        if shape != [rows, 1, n, n] || denoised.dims() != shape || self.forecast.dims() != shape {
            return None;
        }
        let modes = self.modes();
        let weights = law.weights(self.m, sigma);
        let (x, denoised) = (x.clone().into_data(), denoised.clone().into_data());
        let fields = x.as_slice::<f32>().ok()?.chunks_exact(n * n);
        let estimates = denoised.as_slice::<f32>().ok()?.chunks_exact(n * n);
        let mut shift = Vec::with_capacity(rows * n * n);
        let mut correction = Vec::with_capacity(rows * n * n);
        let logit: Vec<f32> = fields
            .zip(estimates)
            .zip(modes)
            .map(|((x, denoised), forecast)| {
                let fourier = &law.fourier;
                fourier.judge(x, denoised, forecast, &weights, &mut shift, &mut correction)
            })
            .collect();
        let device = &law.device;
        let tensor = |v: Vec<f32>| Tensor::from_data(TensorData::new(v, shape), device);
        Some(Judgement {
            logit: Tensor::from_data(TensorData::new(logit, [rows]), device),
            shift: tensor(shift),
            correction: Some(tensor(correction)),
        })
    }
}

/// The values of a row.
fn part(values: &Option<Vec<f32>>, row: usize, cells: usize) -> Option<&[f32]> {
    values.as_ref()?.get(row * cells..(row + 1) * cells)
}

impl Law {
    /// Whether a step can go through [`FourierLaw`].
    fn fits(&self, step: &Advance<'_>) -> bool {
        let n = self.calibration.n;
        let shape = step.x.dims();
        let tensors = [Some(step.x), step.estimate, step.before.map(|(b, _)| b)];
        tensors.into_iter().flatten().all(on_cpu)
            && shape == [shape[0], 1, n, n]
            && step.estimate.is_none_or(|e| e.dims() == shape)
    }

    /// A step along the flow in Fourier space; `modes` has a forecast for each row.
    fn advance(
        &self,
        step: &Advance<'_>,
        m: usize,
        modes: Option<&[Vec<Complex32>]>,
    ) -> (Tensor<4>, Option<Tensor<4>>) {
        let shape = step.x.dims();
        let cells = shape[2] * shape[3];
        let x = to_vec(step.x.clone());
        let estimates = step.estimate.map(|e| to_vec(e.clone()));
        let before = step.before.map(|(r, _)| to_vec(r.clone()));
        let (mut next, mut remainder) = (Vec::with_capacity(x.len()), Vec::new());
        for (row, x) in x.chunks_exact(cells).enumerate() {
            let strength = step.strengths.get(row).copied().unwrap_or(0.0);
            let earlier = step.before_of(row);
            let weights = self.step_weights(m, strength, step.from, step.to, earlier);
            let moved = Moved {
                x,
                estimate: part(&estimates, row, cells),
                before: part(&before, row, cells).filter(|_| earlier.is_some()),
            };
            let forecast = modes.and_then(|m| m.get(row)).map(Vec::as_slice);
            let (next, remainder) = (&mut next, &mut remainder);
            (self.fourier).advance(&moved, forecast, &weights, next, remainder);
        }
        let tensor = |v: Vec<f32>| Tensor::from_data(TensorData::new(v, shape), &self.device);
        let known = step.estimate.is_some();
        (tensor(next), known.then(|| tensor(remainder)))
    }

    /// Weights of a step, one for each group.
    fn step_weights(
        &self,
        m: usize,
        strength: f32,
        from: f64,
        to: f64,
        before: Option<f64>,
    ) -> Rc<Vec<flow::Weights>> {
        let strength = f64::from(strength);
        let numbers = [strength, from, to, before.unwrap_or(0.0)];
        let (mut known, key) = (self.steps.borrow_mut(), (m, numbers.map(f64::to_bits)));
        if known.len() >= STEPS_KEPT && !known.contains_key(&key) {
            known.clear();
        }
        let weights = known.entry(key).or_insert_with(|| {
            let span = Span::new(from, to, before);
            let groups = self.calibration.c.iter().zip(&self.calibration.s[m]);
            let of = |(&c, &s): (&f32, &f32)| {
                let [c, s] = [c, s].map(|v| f64::from(v.max(FLOOR)));
                span.weights(c, s, strength)
            };
            Rc::new(groups.map(of).collect())
        });
        Rc::clone(weights)
    }

    /// What [`FourierLaw`] is told of each group.
    fn weights(&self, m: usize, sigma: f64) -> Vec<Weights> {
        let c = &self.calibration;
        let s2 = sigma * sigma;
        let groups = c.c.iter().zip(&c.s[m]).zip(c.gain_at(sigma));
        groups
            .map(|((&power, &missed), keep)| {
                let live = power > DEAD_POWER;
                let [power, missed] = [power, missed].map(|v| f64::from(v.max(FLOOR)));
                let (marginal, conditional) = (power + s2, missed + s2);
                let taken = if live { 1.0 - keep } else { 0.0 };
                Weights {
                    // S / (S + s^2) - C / (C + s^2) without a difference of two numbers near 1.
                    shift_x: (s2 * (missed - power) / (marginal * conditional)) as f32,
                    shift_m: (s2 / conditional) as f32,
                    correction_x: (power / marginal) as f32 * taken,
                    // In dead coefficients everything is taken back: nothing may live there.
                    correction_d: if live { -taken } else { -1.0 },
                    marginal: (1.0 / marginal) as f32,
                    conditional: (1.0 / conditional) as f32,
                    logarithm: (marginal / conditional).ln(),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
