//! The two-tower discriminator on the globe: the closed form in a wavelet basis, with a spread that depends on the state.
//!
//! The history tower forecasts the next day's mean in cells and, for every wavelet coefficient k, the variance `S_k(h)` of
//! what it misses. With `C_k` the climatological power of the coefficient (the fields are standardised, their mean is 0),
//!
//! `logit(x; h, s) = sum_k [ x_k^2/(C_k+s^2) - (x_k - beta_k mu_k)^2/(S_k+s^2) + ln((C_k+s^2)/(S_k+s^2)) ] / 2`
//!
//! as in [`super::two_tower`], which also explains the correction `-(1 - g) delta`.

use std::rc::Rc;

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::wavelet::{WaveletBasis, band_count};
use super::{Conditioned, Context, Control, Discriminate, Judgement};
use crate::error::{Result, UserError};

/// Power below which a coefficient is not believed.
const FLOOR: f32 = 1e-6;

/// What calibration measures by band; kept in the model's card. The tables by coefficient (`power`, `beta`, `spread`) lie
/// in the model's tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaveletCalibration {
    /// Rows and columns.
    pub shape: [usize; 2],
    /// `S` is at most this times `C`.
    pub spread_limit: f32,
    /// Natural logarithms of the noise levels of `gain`, ascending.
    pub gain_log_sigma: Vec<f32>,
    /// Weight in [0, 1] of what the image model knows beyond the Gaussian, by noise level and band.
    pub gain: Vec<Vec<f32>>,
    /// Share of the variance of the validation days that the forecast misses, for history lengths 0..=3.
    #[serde(default)]
    pub missed: Vec<f32>,
    /// How much of a forecast's departure from what is usual is kept.
    #[serde(default)]
    pub keep: Keep,
}

/// Share, by band, of a forecast's departure from what is usual that is kept; empty = all of it.
///
/// A tower sees departures that last (the season, a band of rain in the wrong place) only in histories in which they are
/// true. In a rollout its own errors become such departures, and nothing calls them back; a share a little below 1 in
/// the coarse bands does. Usual is the season's mean for a tower that is told the date, and the year's for one that is
/// not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keep {
    /// For a tower that is told the date.
    pub told: Vec<f32>,
    /// For one that is not.
    pub untold: Vec<f32>,
}

impl Keep {
    /// Whether the shares fit a number of bands.
    pub fn fits(&self, bands: usize) -> bool {
        [&self.told, &self.untold].into_iter().all(|shares| {
            shares.is_empty()
                || (shares.len() == bands && shares.iter().all(|v| (0.0..=1.0).contains(v)))
        })
    }
}

impl WaveletCalibration {
    /// Checks the sizes and values.
    ///
    /// # Errors
    /// A card that was edited by hand or cut short.
    pub fn validate(&self) -> Result<()> {
        let bands = band_count(self.shape[0], self.shape[1]);
        let checks = [
            (
                self.gain.len() == self.gain_log_sigma.len() && self.gain.len() >= 2,
                "gain and gain_log_sigma must have the same length, at least 2",
            ),
            (
                self.gain_log_sigma.windows(2).all(|w| w[0] < w[1]),
                "gain_log_sigma must ascend",
            ),
            (
                self.gain
                    .iter()
                    .all(|g| g.len() == bands && g.iter().all(|v| (0.0..=1.0).contains(v))),
                "gain needs a number from 0 to 1 for every band of the grid",
            ),
            (
                self.keep.fits(bands),
                "keep needs a number from 0 to 1 for every band of the grid",
            ),
            (
                self.spread_limit.is_finite() && self.spread_limit > 0.0,
                "spread_limit must be above 0",
            ),
        ];
        match checks.into_iter().find(|(fits, _)| !fits) {
            None => Ok(()),
            Some((_, what)) => Err(UserError::new(
                "The calibration in the model card is not usable",
                what,
                "run `eddyscope train calibrate` again for this model",
            )),
        }
    }

    /// `g` at a noise level, by band: linear in ln sigma, clamped at the ends.
    pub fn gain_at(&self, sigma: f64) -> Vec<f32> {
        let l = sigma.max(1e-12).ln() as f32;
        let grid = &self.gain_log_sigma;
        let last = grid.len() - 1;
        let i = grid.partition_point(|&g| g <= l).clamp(1, last) - 1;
        let f = ((l - grid[i]) / (grid[i + 1] - grid[i])).clamp(0.0, 1.0);
        self.gain[i]
            .iter()
            .zip(&self.gain[i + 1])
            .map(|(a, b)| (1.0 - f) * a + f * b)
            .collect()
    }
}

/// The tables by coefficient; each `ny * nx` values in the basis' layout.
#[derive(Debug, Clone)]
pub struct WaveletTables {
    /// Climatological power `C`.
    pub power: Vec<f32>,
    /// Regression of the truth on the forecast, by history length.
    pub beta: Vec<Vec<f32>>,
    /// Factor on the tower's variance, by history length.
    pub spread: Vec<Vec<f32>>,
}

/// What a tower says of the next day.
pub struct SpreadForecast {
    /// Mean, in cells, `[rows, 1, ny, nx]`.
    pub mean: Tensor<4>,
    /// Natural logarithm of the variance of what the mean misses, by wavelet coefficient, `[rows, 1, ny, nx]`.
    pub log_variance: Tensor<4>,
    /// What is usual at the season that was told, in cells, `[1 or rows, 1, ny, nx]`; `None` = the year's mean, 0.
    pub usual: Option<Tensor<4>>,
}

/// Variance that a tower's map of zeros stands for: a fraction of the data's (0.25).
const FIRST_VARIANCE: f32 = 0.1;
/// Range of the logarithm of the variance.
const LOG_VARIANCE: (f32, f32) = (-9.0, 3.0);

/// The logarithm of the variance by coefficient, `[rows, 1, ny, nx]`, from a tower's maps `[rows, bands, ny, nx]`. A
/// tower without maps knows no spread: then every coefficient has the same.
pub fn log_variance(maps: Option<Tensor<4>>, mean: &Tensor<4>, basis: &WaveletBasis) -> Tensor<4> {
    let gathered = match maps {
        Some(maps) => basis.from_band_maps(maps),
        None => mean.zeros_like(),
    };
    (gathered + FIRST_VARIANCE.ln()).clamp(LOG_VARIANCE.0, LOG_VARIANCE.1)
}

/// A forecaster that knows how far it may be off.
pub trait ForecastSpread {
    /// `history` `[rows, 4, ny, nx]`, newest first.
    fn forecast(
        &self,
        history: &Tensor<4>,
        context: Context,
        basis: &WaveletBasis,
    ) -> SpreadForecast;
}

/// The closed form over any forecaster.
pub struct WaveletTower<F> {
    tower: F,
    law: Rc<Law>,
}

struct Law {
    calibration: WaveletCalibration,
    basis: WaveletBasis,
    c: Tensor<4>,
    beta: Vec<Tensor<4>>,
    spread: Vec<Tensor<4>>,
    /// Shares of [`Keep`], told and untold, by coefficient.
    keep: [Tensor<4>; 2],
    device: Device,
}

impl<F: ForecastSpread> WaveletTower<F> {
    /// Joins a tower, its calibration and its tables.
    ///
    /// # Errors
    /// A calibration or tables that are not usable.
    pub fn new(
        tower: F,
        calibration: WaveletCalibration,
        tables: &WaveletTables,
        device: &Device,
    ) -> Result<Self> {
        calibration.validate()?;
        let [ny, nx] = calibration.shape;
        let all = || {
            std::iter::once(&tables.power)
                .chain(&tables.beta)
                .chain(&tables.spread)
        };
        if tables.beta.len() != 4
            || tables.spread.len() != 4
            || all().any(|t| t.len() != ny * nx || t.iter().any(|v| !v.is_finite()))
        {
            return Err(UserError::new(
                "The tables of the discriminator are not usable",
                format!("power, beta and spread must hold {ny} x {nx} finite numbers each"),
                "run `eddyscope train calibrate` again for this model",
            ));
        }
        let tensor = |v: &[f32], floor: f32| {
            let v: Vec<f32> = v.iter().map(|x| x.max(floor)).collect();
            Tensor::from_data(TensorData::new(v, [1, 1, ny, nx]), device)
        };
        let basis = WaveletBasis::new(ny, nx, device);
        let share = |by_band: &[f32]| {
            if by_band.is_empty() {
                basis.spread(&vec![1.0; basis.band_count()], device)
            } else {
                basis.spread(by_band, device)
            }
        };
        let law = Law {
            keep: [
                share(&calibration.keep.told),
                share(&calibration.keep.untold),
            ],
            c: tensor(&tables.power, FLOOR),
            beta: tables.beta.iter().map(|b| tensor(b, 0.0)).collect(),
            spread: tables.spread.iter().map(|s| tensor(s, 1e-3)).collect(),
            basis,
            calibration,
            device: device.clone(),
        };
        Ok(Self {
            tower,
            law: Rc::new(law),
        })
    }

    fn prepare(&self, history: &Tensor<4>, context: Context) -> Prepared {
        let law = &self.law;
        let m = context.m.min(3);
        let forecast = self
            .tower
            .forecast(history, Context { m, ..context }, &law.basis);
        let keep = match context.season {
            Some(_) => &law.keep[0],
            None => &law.keep[1],
        };
        let kept = law.beta[m].clone() * keep.clone();
        let mean = law.basis.transform(forecast.mean);
        let mean = match forecast.usual {
            Some(usual) => {
                let usual = law.basis.transform(usual);
                usual.clone() + (mean - usual) * kept
            }
            None => mean * kept,
        };
        let s = forecast.log_variance.exp() * law.spread[m].clone();
        let limit = law.c.clone() * law.calibration.spread_limit;
        Prepared {
            law: Rc::clone(law),
            mean,
            s: s.min_pair(limit).clamp_min(FLOOR * 0.1),
        }
    }
}

impl<F: ForecastSpread> Discriminate for WaveletTower<F> {
    fn condition(&self, history: &Tensor<4>, context: Context) -> Box<dyn Conditioned> {
        Box::new(self.prepare(history, context))
    }
}

impl<F: ForecastSpread> Control for WaveletTower<F> {
    fn forecast_with_noise(
        &self,
        history: &Tensor<4>,
        context: Context,
        noise: Tensor<4>,
    ) -> Tensor<4> {
        let p = self.prepare(history, context);
        self.law.basis.inverse(p.mean + p.s.sqrt() * noise)
    }
}

struct Prepared {
    law: Rc<Law>,
    /// `beta mu` in the wavelet basis.
    mean: Tensor<4>,
    /// `S`.
    s: Tensor<4>,
}

impl Conditioned for Prepared {
    fn judge(&self, x: &Tensor<4>, sigma: f64, denoised: &Tensor<4>) -> Judgement {
        let law = &self.law;
        let s2 = (sigma * sigma) as f32;
        let marginal = law.c.clone() + s2;
        let conditional = self.s.clone() + s2;
        let w_c = law.c.clone() / marginal.clone();
        let w_s = self.s.clone() / conditional.clone();

        let xw = law.basis.transform(x.clone());
        let off = xw.clone() - self.mean.clone();
        let gaussian = w_c * xw.clone();
        let shift = self.mean.clone() + w_s * off.clone() - gaussian.clone();

        let per_coefficient = xw.clone() * xw / marginal.clone()
            - off.clone() * off / conditional.clone()
            + (marginal / conditional).log();
        let [rows, _, ny, nx] = per_coefficient.dims();
        let logit = per_coefficient
            .reshape([rows, ny * nx])
            .sum_dim(1)
            .reshape([rows])
            .mul_scalar(0.5);

        let taken: Vec<f32> = law
            .calibration
            .gain_at(sigma)
            .iter()
            .map(|g| 1.0 - g)
            .collect();
        let taken = law.basis.spread(&taken, &law.device);
        let known = law.basis.transform(denoised.clone()) - gaussian;
        Judgement {
            logit,
            shift: law.basis.inverse(shift),
            correction: Some(law.basis.inverse(known * taken).neg()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::to_vec;
    use crate::random::{NoiseKey, Stream};

    const SHAPE: [usize; 2] = [16, 32];

    /// Half of the last frame, and a spread that differs from row to row of the history.
    struct Half;

    impl ForecastSpread for Half {
        fn forecast(
            &self,
            history: &Tensor<4>,
            _: Context,
            basis: &WaveletBasis,
        ) -> SpreadForecast {
            let last = history.clone().narrow(1, 0, 1);
            let bands = basis.band_count();
            let [rows, _, ny, nx] = last.dims();
            SpreadForecast {
                log_variance: basis
                    .from_band_maps(last.clone().expand([rows, bands, ny, nx]) * 0.5 - 2.5),
                mean: last * 0.5,
                usual: None,
            }
        }
    }

    fn tower() -> WaveletTower<Half> {
        let n = SHAPE[0] * SHAPE[1];
        let bands = band_count(SHAPE[0], SHAPE[1]);
        let power = (0..n).map(|i| 0.1 + 0.4 * (i % 7) as f32 / 6.0).collect();
        WaveletTower::new(
            Half,
            WaveletCalibration {
                shape: SHAPE,
                spread_limit: 1.5,
                gain_log_sigma: vec![-4.0, 0.0],
                gain: vec![vec![1.0; bands], vec![0.0; bands]],
                missed: vec![],
                keep: Keep::default(),
            },
            &WaveletTables {
                power,
                beta: vec![vec![0.9; n]; 4],
                spread: vec![vec![1.1; n]; 4],
            },
            &Device::flex(),
        )
        .unwrap()
    }

    fn noise(frame: u32, channels: usize) -> Tensor<4> {
        let key = NoiseKey {
            seed: 12,
            stream: Stream::Test,
            member: 0,
            frame,
            step: 0,
        };
        let values = key.normal_f32(channels * SHAPE[0] * SHAPE[1]);
        let shape = [1, channels, SHAPE[0], SHAPE[1]];
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    const CONTEXT: Context = Context { m: 3, season: None };

    /// The logit is quadratic in x, so a central difference of any step is exact but for rounding.
    #[test]
    fn gradient_agrees_with_finite_differences() {
        let tower = tower();
        let conditioned = tower.condition(&(noise(0, 4) * 0.5), CONTEXT);
        for sigma in [0.05, 0.5, 5.0] {
            let x = noise(1, 1) * 0.5 + noise(2, 1) * sigma as f32;
            let gradient = conditioned
                .judge(&x, sigma, &x)
                .shift
                .div_scalar((sigma * sigma) as f32);
            let along = noise(3, 1);
            let h = 0.5 * sigma as f32;
            let logit = |sign: f32| {
                let moved = x.clone() + along.clone() * (sign * h);
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

    /// With a Gaussian image model and g = 0 the guided estimate is the conditional Gaussian's.
    #[test]
    fn guided_estimate_is_the_conditional_mean() {
        let tower = tower();
        let history = noise(0, 4) * 0.5;
        let p = tower.prepare(&history, CONTEXT);
        let x = noise(1, 1);
        let sigma = 1.5; // above the levels of the gain: g = 0
        let law = &tower.law;
        let s2 = (sigma * sigma) as f32;
        let xw = law.basis.transform(x.clone());
        let own = law
            .basis
            .inverse(law.c.clone() / (law.c.clone() + s2) * xw.clone());
        let j = p.judge(&x, sigma, &own);
        let guided = own + j.shift + j.correction.unwrap();
        let expected = law
            .basis
            .inverse(p.mean.clone() + p.s.clone() / (p.s.clone() + s2) * (xw - p.mean.clone()));
        let worst = to_vec((guided - expected).abs().max())[0];
        assert!(worst < 1e-5, "{worst}");
    }

    #[test]
    fn control_has_the_forecast_mean_and_spread() {
        let tower = tower();
        let history = noise(0, 4) * 0.5;
        let p = tower.prepare(&history, CONTEXT);
        let mut ratio = 0.0;
        for i in 0..40 {
            let x = tower.forecast_with_noise(&history, CONTEXT, noise(100 + i, 1));
            let off = tower.law.basis.transform(x) - p.mean.clone();
            ratio += f64::from(to_vec((off.square() / p.s.clone()).mean())[0]) / 40.0;
        }
        assert!((ratio - 1.0).abs() < 0.05, "{ratio}");
    }

    #[test]
    fn unusable_calibrations_are_refused() {
        let good = tower().law.calibration.clone();
        good.validate().unwrap();
        let broken: [fn(&mut WaveletCalibration); 6] = [
            |c| c.keep.told = vec![0.5; 2],
            |c| c.gain.truncate(1),
            |c| c.gain[0].truncate(2),
            |c| c.gain[1][0] = 1.5,
            |c| c.gain_log_sigma.reverse(),
            |c| c.spread_limit = f32::NAN,
        ];
        for b in broken {
            let mut c = good.clone();
            b(&mut c);
            assert!(c.validate().is_err());
        }
        assert_eq!(good.gain_at(1e-9)[0], 1.0);
        assert!((good.gain_at((-2.0f64).exp())[0] - 0.5).abs() < 1e-6);
        assert_eq!(good.gain_at(1e9)[0], 0.0);
    }
}
