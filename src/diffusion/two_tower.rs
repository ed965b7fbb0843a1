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

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::basis::{Shells, SpectralBasis};
use super::{Conditioned, Context, Control, Discriminate, Judgement};
use crate::error::{Result, UserError};

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
    law: std::rc::Rc<Law>,
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
    device: Device,
}

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
        let floored = |v: &[f32]| v.iter().map(|x| x.max(1e-9)).collect::<Vec<_>>();
        let law = Law {
            basis: SpectralBasis::new(calibration.n, device),
            c: spread(&floored(&calibration.c)),
            live: spread(&live),
            beta: calibration.beta.iter().map(|b| spread(b)).collect(),
            s: calibration.s.iter().map(|s| spread(&floored(s))).collect(),
            shells,
            calibration,
            device: device.clone(),
        };
        Ok(Self {
            tower,
            law: std::rc::Rc::new(law),
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
        let m = context.m.min(3);
        let mu = self.law.basis.transform(self.tower.forecast(history, m));
        Box::new(Prepared {
            law: std::rc::Rc::clone(&self.law),
            mean: mu * self.law.beta[m].clone(),
            m,
        })
    }
}

struct Prepared {
    law: std::rc::Rc<Law>,
    /// `beta mu` in the spectral basis.
    mean: Tensor<4>,
    m: usize,
}

impl Conditioned for Prepared {
    fn judge(&self, x: &Tensor<4>, sigma: f64, denoised: &Tensor<4>) -> Judgement {
        let law = &self.law;
        let s2 = (sigma * sigma) as f32;
        let marginal = law.c.clone() + s2;
        let conditional = law.s[self.m].clone() + s2;
        let w_c = law.c.clone() / marginal.clone();
        let w_s = law.s[self.m].clone() / conditional.clone();

        let xf = law.basis.transform(x.clone());
        let off = xf.clone() - self.mean.clone();
        let gaussian = w_c * xf.clone();
        let shift = self.mean.clone() + w_s * off.clone() - gaussian.clone();

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
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;
    use crate::diffusion::gaussian::GaussianWorld;
    use crate::diffusion::to_vec;
    use crate::random::{NoiseKey, Stream};

    const N: usize = 16;
    const HISTORY: usize = 4;

    fn noise(frame: u32, channels: usize, device: &Device) -> Tensor<4> {
        let key = NoiseKey {
            seed: 11,
            stream: Stream::Test,
            member: 0,
            frame,
            step: 0,
        };
        let values = key.normal_f32(channels * N * N);
        Tensor::from_data(TensorData::new(values, [1, channels, N, N]), device)
    }

    /// The logit is quadratic in x, so a central difference of any step is exact but for rounding.
    #[test]
    fn gradient_agrees_with_finite_differences() {
        let device = Device::flex();
        let world = GaussianWorld::new(N, &device);
        let discriminator = world.discriminator().unwrap();
        let conditioned = discriminator.condition(
            &noise(0, HISTORY, &device).mul_scalar(0.5),
            Context::history(3),
        );
        for sigma in [0.05, 0.5, 5.0] {
            let x =
                world.draw(noise(1, 1, &device)) + noise(2, 1, &device).mul_scalar(sigma as f32);
            let gradient = conditioned
                .judge(&x, sigma, &x)
                .shift
                .div_scalar((sigma * sigma) as f32);
            let along = noise(3, 1, &device);
            let h = 0.5 * sigma as f32;
            let logit = |sign: f32| {
                let moved = x.clone() + along.clone().mul_scalar(sign * h);
                f64::from(to_vec(conditioned.judge(&moved, sigma, &x).logit)[0])
            };
            let difference = (logit(1.0) - logit(-1.0)) / (2.0 * f64::from(h));
            let exact: f64 = to_vec(gradient * along).iter().map(|v| f64::from(*v)).sum();
            assert!(
                (difference - exact).abs() < 1e-3 * exact.abs().max(1.0),
                "sigma {sigma}: {difference} {exact}"
            );
        }
    }

    #[test]
    fn cards_that_were_cut_short_are_refused() {
        let device = Device::flex();
        let world = GaussianWorld::new(N, &device);
        let good = world.discriminator().unwrap().law.calibration.clone();
        good.validate().unwrap();
        let broken: [fn(&mut Calibration); 5] = [
            |c| c.beta.truncate(3),
            |c| c.c.truncate(5),
            |c| c.s[2][3] = f32::NAN,
            |c| c.gain_log_sigma.reverse(),
            |c| c.gain.truncate(1),
        ];
        for b in broken {
            let mut c = good.clone();
            b(&mut c);
            assert!(c.validate().is_err());
        }
    }

    #[test]
    fn the_gain_is_linear_between_its_levels_and_flat_beyond() {
        let c = Calibration {
            n: 2,
            resolved: 1,
            c: vec![1.0],
            beta: vec![vec![1.0]; 4],
            s: vec![vec![1.0]; 4],
            gain_log_sigma: vec![-1.0, 0.0, 2.0],
            gain: vec![vec![0.0], vec![1.0], vec![0.5]],
        };
        for (l, g) in [
            (-5.0, 0.0),
            (-1.0, 0.0),
            (-0.5, 0.5),
            (0.0, 1.0),
            (1.0, 0.75),
            (9.0, 0.5),
        ] {
            let found = c.gain_at(f64::exp(l))[0];
            assert!((found - g).abs() < 1e-5, "{l}: {found} {g}");
        }
    }
}
