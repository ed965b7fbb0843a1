//! The two-tower discriminator on the globe: the closed form in a wavelet basis, with a spread that depends on the state.
//!
//! The history tower forecasts the next day's mean in cells and, for every wavelet coefficient k, the variance `S_k(h)` of
//! what it misses. With `C_k` the climatological power of the coefficient (the fields are standardised, their mean is 0),
//!
//! `logit(x; h, s) = sum_k [ x_k^2/(C_k+s^2) - (x_k - beta_k mu_k)^2/(S_k+s^2) + ln((C_k+s^2)/(S_k+s^2)) ] / 2`
//!
//! as in [`super::two_tower`], which also explains the correction `-(1 - g) delta`. Where the card has measured it, the
//! errors are not independent: see [`super::global_mean`].

use std::rc::Rc;

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::flow::{Advance, Composed, Flow, Span};
use super::global_mean::{GlobalMean, Joint, Sensitivity};
use super::wavelet::{WaveletBasis, band_count};
use super::{Conditioned, Context, Control, Discriminate, Judgement, to_vec};
use crate::error::{Result, UserError};
use crate::nn::on_cpu;

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
    /// How the errors hang together in the global mean; `None` = not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global: Option<GlobalMean>,
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
                self.global
                    .as_ref()
                    .is_none_or(|g| g.ratio.len() == 4 && g.ratio.iter().all(|r| *r > 0.0)),
                "global.ratio needs a number above 0 for each history length",
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
    sensitivity: Option<Sensitivity>,
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
        sensitivity: Option<Sensitivity>,
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
            sensitivity,
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
        let s = s.min_pair(limit).clamp_min(FLOOR * 0.1);
        let joint = match (&law.calibration.global, &law.sensitivity) {
            (Some(global), Some(sensitivity)) => {
                let missed = law.calibration.missed.get(m).copied().unwrap_or(0.0);
                let cells = law.basis.inverse(mean.clone());
                let u = law.basis.transform(sensitivity.gradient(cells, missed));
                Some(Joint::new(u, &s, global.ratio[m]))
            }
            _ => None,
        };
        Prepared {
            law: Rc::clone(law),
            mean,
            s,
            joint,
        }
    }
}

impl<F: ForecastSpread> Discriminate for WaveletTower<F> {
    fn condition(&self, history: &Tensor<4>, context: Context) -> Box<dyn Conditioned> {
        Box::new(self.prepare(history, context))
    }

    fn unconditional_flow(&self) -> Option<Box<dyn Flow>> {
        Some(Box::new(Unconditional(Rc::clone(&self.law))))
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
        let error = p.s.sqrt() * noise;
        let error = match &p.joint {
            Some(joint) => joint.tame(error),
            None => error,
        };
        self.law.basis.inverse(p.mean + error)
    }
}

struct Prepared {
    law: Rc<Law>,
    /// `beta mu` in the wavelet basis.
    mean: Tensor<4>,
    /// `S`.
    s: Tensor<4>,
    joint: Option<Joint>,
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
        let mut shift = self.mean.clone() + w_s * off.clone() - gaussian.clone();
        let mut beyond = None;
        if let Some(joint) = &self.joint {
            let w = off.clone() / conditional.clone();
            let (more, square, det) = joint.beyond(&w, &conditional);
            shift = shift - more * s2;
            beyond = Some((square + det).reshape([-1]).mul_scalar(0.5));
        }

        let per_coefficient = xw.clone() * xw / marginal.clone()
            - off.clone() * off / conditional.clone()
            + (marginal / conditional).log();
        let [rows, _, ny, nx] = per_coefficient.dims();
        let logit = per_coefficient
            .reshape([rows, ny * nx])
            .sum_dim(1)
            .reshape([rows])
            .mul_scalar(0.5);
        let logit = match beyond {
            Some(b) => logit - b,
            None => logit,
        };

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

    fn flow(&self) -> Option<&dyn Flow> {
        Some(self)
    }
}

impl Flow for Prepared {
    /// That the errors hang together in the global mean is left to the remainder.
    fn advance(&self, step: &Advance<'_>) -> (Tensor<4>, Option<Tensor<4>>) {
        self.law.advance(step, &self.s, Some(&self.mean))
    }
}

/// The law of any day: the power alone. The season is left to the remainder.
struct Unconditional(Rc<Law>);

impl Flow for Unconditional {
    fn advance(&self, step: &Advance<'_>) -> (Tensor<4>, Option<Tensor<4>>) {
        self.0.advance(step, &self.0.c, None)
    }
}

impl Law {
    /// A step along the flow; `s` and `mean` are `[1 or rows, 1, ny, nx]` in the basis.
    fn advance(
        &self,
        step: &Advance<'_>,
        s: &Tensor<4>,
        mean: Option<&Tensor<4>>,
    ) -> (Tensor<4>, Option<Tensor<4>>) {
        let x = self.basis.transform(step.x.clone());
        let estimate = step.estimate.map(|e| self.basis.transform(e.clone()));
        let (next, remainder) = if on_cpu(&x) {
            self.advance_by_hand(step, s, mean, x, estimate)
        } else {
            Composed {
                c: &self.c,
                s,
                mean,
            }
            .advance(step, x, estimate)
        };
        (self.basis.inverse(next), remainder)
    }

    /// The same without burn between the coefficients.
    fn advance_by_hand(
        &self,
        step: &Advance<'_>,
        s: &Tensor<4>,
        mean: Option<&Tensor<4>>,
        x: Tensor<4>,
        estimate: Option<Tensor<4>>,
    ) -> (Tensor<4>, Option<Tensor<4>>) {
        let shape = x.dims();
        let cells = shape[2] * shape[3];
        let known = estimate.is_some();
        let (c, s, x) = (to_vec(self.c.clone()), to_vec(s.clone()), to_vec(x));
        let [mean, estimate, before] =
            [mean.cloned(), estimate, step.before.map(|(r, _)| r.clone())]
                .map(|t| t.map(to_vec).unwrap_or_default());
        let mut next = Vec::with_capacity(x.len());
        let mut remainder = Vec::new();
        for (row, x) in x.chunks_exact(cells).enumerate() {
            let strength = f64::from(step.strengths.get(row).copied().unwrap_or(0.0));
            let earlier = step.before_of(row);
            let span = Span::new(step.from, step.to, earlier);
            // Of one row or of all; 0 where it is not known.
            let at = |v: &[f32], k: usize| {
                let row = if v.len() == cells { 0 } else { row };
                v.get(row * cells + k).copied().unwrap_or(0.0)
            };
            for (k, &x) in x.iter().enumerate() {
                let w = span.weights(f64::from(c[k]), f64::from(at(&s, k)), strength);
                let m = at(&mean, k);
                let mut to = w.keep * x + w.mean * m;
                if known {
                    let r = w.scale * (at(&estimate, k) - w.law_x * x - w.law_m * m);
                    let b = earlier.map_or(0.0, |_| at(&before, k));
                    to += w.now * r + w.before * b;
                    remainder.push(r);
                }
                next.push(to);
            }
        }
        let tensor = |v: Vec<f32>| Tensor::from_data(TensorData::new(v, shape), &self.device);
        (tensor(next), known.then(|| tensor(remainder)))
    }
}

#[cfg(test)]
mod tests;
