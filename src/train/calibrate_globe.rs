//! Calibration of the two-tower discriminator on the globe: the numbers of its closed form in the wavelet basis, measured
//! on days that the networks were not trained on.

use burn::tensor::{Device, Tensor, TensorData};

use crate::data::Dataset;
use crate::data::dataset::Part;
use crate::diffusion::global_mean::{GlobalMean, Joint, Sensitivity};
use crate::diffusion::wavelet::{WaveletBasis, band_count, bands};
use crate::diffusion::wavelet_tower::{ForecastSpread, Keep, WaveletCalibration, WaveletTables};
use crate::diffusion::{Context, Denoise, to_vec};
use crate::error::Result;
use crate::random::{NoiseKey, Stream};
use crate::rollout::engine::HISTORY;

/// Days between two used for the power of the data.
const POWER_STRIDE: usize = 5;
/// Windows of the regression, at most.
const WINDOWS: usize = 1200;
/// Weight of a band's mean beside a coefficient's own figures: single coefficients are noisy.
const SHRINK: f64 = 0.5;
/// Noise levels at which the gain is measured, and their ends.
const GAIN_LEVELS: usize = 14;
const GAIN_SIGMA: (f64, f64) = (0.005, 80.0);
/// Above this noise level the gain is 0: there the tower knows better, and what is measured is noise.
const GAIN_TOP: f64 = 3.0;
/// Windows a noise level.
const GAIN_WINDOWS: usize = 64;
/// Rows that go through the networks together.
const BATCH: usize = 8;
/// The spread of a coefficient is at most this times its climatological power: a day may be more uncertain than the
/// climate, but not without bound.
const SPREAD_LIMIT: f32 = 1.5;

/// What is calibrated.
pub struct GlobeSubject<'a> {
    /// The history tower.
    pub tower: &'a dyn ForecastSpread,
    /// The image model.
    pub denoiser: &'a dyn Denoise,
    /// Training and validation days.
    pub data: &'a Dataset,
    /// Shares of a forecast's departure from what is usual that are kept.
    pub keep: Keep,
    /// How the global mean depends on the cells; `None` leaves the errors independent.
    pub sensitivity: Option<&'a Sensitivity>,
    /// Share of the variance of the global mean's error that the law keeps; `None` = as measured.
    pub global_ratio: Option<f32>,
    /// Where to compute.
    pub device: &'a Device,
}

/// Sums by coefficient.
struct Sums {
    xm: Vec<f64>,
    mm: Vec<f64>,
    xx: Vec<f64>,
    variance: Vec<f64>,
}

impl GlobeSubject<'_> {
    fn shape(&self) -> [usize; 2] {
        let g = self.data.grid();
        [g.ny, g.nx]
    }

    fn tensor(&self, values: Vec<f32>, rows: usize, channels: usize) -> Tensor<4> {
        let [ny, nx] = self.shape();
        Tensor::from_data(
            TensorData::new(values, [rows, channels, ny, nx]),
            self.device,
        )
    }

    /// Histories and next days of windows that end at (run, day).
    fn windows(&self, ends: &[(usize, usize)]) -> (Tensor<4>, Tensor<4>) {
        let (mut history, mut next) = (Vec::new(), Vec::new());
        for &(run, day) in ends {
            next.extend_from_slice(self.data.frame(run, day + 1).unwrap_or(&[]));
            for past in 0..HISTORY {
                history.extend_from_slice(self.data.frame(run, day - past).unwrap_or(&[]));
            }
        }
        (
            self.tensor(history, ends.len(), HISTORY),
            self.tensor(next, ends.len(), 1),
        )
    }

    /// Ends of the windows of the validation days, evenly spread.
    fn ends(&self) -> Vec<(usize, usize)> {
        let last = self.data.frames().saturating_sub(1);
        let all: Vec<(usize, usize)> = self
            .data
            .runs(Part::Validation)
            .flat_map(|run| (HISTORY - 1..last).map(move |day| (run, day)))
            .collect();
        let step = all.len().div_ceil(WINDOWS).max(1);
        all.into_iter().step_by(step).collect()
    }

    /// Measures everything. `progress(done, total)` is called as the work goes on.
    ///
    /// # Errors
    /// Numbers that cannot be used, as from a tower that was not trained.
    pub fn calibrate(
        &self,
        seed: u64,
        progress: &dyn Fn(usize, usize),
    ) -> Result<(WaveletCalibration, WaveletTables)> {
        let [ny, nx] = self.shape();
        let basis = WaveletBasis::new(ny, nx, self.device);
        let total = 5 + GAIN_LEVELS;
        let mut tables = WaveletTables {
            power: self.power(&basis),
            beta: Vec::new(),
            spread: Vec::new(),
        };
        progress(1, total);
        let map = bands(ny, nx);
        let mut missed = Vec::new();
        for m in 0..HISTORY {
            let sums = self.regression(&basis, m);
            let (beta, spread, left) = sums.fitted(&map, band_count(ny, nx));
            missed.push((left / sums.xx.iter().sum::<f64>().max(1e-12)) as f32);
            tables.beta.push(beta);
            tables.spread.push(spread);
            progress(2 + m, total);
        }
        let global = self.sensitivity.map(|sensitivity| {
            let measured: Vec<f32> = (0..HISTORY)
                .map(|m| self.together(&basis, &tables, sensitivity, m, missed[m]))
                .collect();
            GlobalMean {
                ratio: match self.global_ratio {
                    Some(ratio) => vec![ratio; HISTORY],
                    None => measured.clone(),
                },
                measured,
            }
        });
        let (lo, hi) = (GAIN_SIGMA.0.ln(), GAIN_SIGMA.1.ln());
        let levels: Vec<f64> = (0..GAIN_LEVELS)
            .map(|i| lo + (hi - lo) * i as f64 / (GAIN_LEVELS - 1) as f64)
            .collect();
        let mut gains = Vec::new();
        for (level, l) in levels.iter().enumerate() {
            gains.push(if l.exp() > GAIN_TOP {
                vec![0.0; band_count(ny, nx)]
            } else {
                self.gain(&basis, &tables, l.exp(), seed, level)
            });
            progress(6 + level, total);
        }
        let calibration = WaveletCalibration {
            shape: [ny, nx],
            spread_limit: SPREAD_LIMIT,
            gain_log_sigma: levels.iter().map(|l| *l as f32).collect(),
            gain: smooth(&gains),
            missed,
            keep: self.keep.clone(),
            global,
        };
        calibration.validate()?;
        Ok((calibration, tables))
    }

    /// Mean power of each coefficient over the training days.
    fn power(&self, basis: &WaveletBasis) -> Vec<f32> {
        let cells = self.data.grid().len();
        let mut sum = vec![0.0; cells];
        let mut count = 0.0;
        for run in self.data.runs(Part::Training) {
            let days: Vec<usize> = (0..self.data.frames()).step_by(POWER_STRIDE).collect();
            for chunk in days.chunks(4 * BATCH) {
                let mut values = Vec::with_capacity(chunk.len() * cells);
                for &day in chunk {
                    values.extend_from_slice(self.data.frame(run, day).unwrap_or(&[]));
                }
                let x = basis.transform(self.tensor(values, chunk.len(), 1));
                add_products(&mut sum, &to_vec(x), None);
                count += chunk.len() as f64;
            }
        }
        sum.iter().map(|v| (v / count) as f32).collect()
    }

    fn regression(&self, basis: &WaveletBasis, m: usize) -> Sums {
        let cells = self.data.grid().len();
        let zero = || vec![0.0; cells];
        let mut s = Sums {
            xm: zero(),
            mm: zero(),
            xx: zero(),
            variance: zero(),
        };
        for chunk in self.ends().chunks(BATCH) {
            let (history, next) = self.windows(chunk);
            let forecast = self.tower.forecast(&history, Context::history(m), basis);
            let mu = to_vec(basis.transform(forecast.mean));
            let x = to_vec(basis.transform(next));
            add_products(&mut s.xm, &x, Some(&mu));
            add_products(&mut s.mm, &mu, None);
            add_products(&mut s.xx, &x, None);
            for row in to_vec(forecast.log_variance.exp()).chunks_exact(cells) {
                for (sum, v) in s.variance.iter_mut().zip(row) {
                    *sum += f64::from(*v);
                }
            }
        }
        s
    }

    /// Variance of the error of the global mean, to first order, divided by what independent coefficients give.
    fn together(
        &self,
        basis: &WaveletBasis,
        tables: &WaveletTables,
        sensitivity: &Sensitivity,
        m: usize,
        missed: f32,
    ) -> f32 {
        let [ny, nx] = self.shape();
        let table = |v: &[f32]| {
            Tensor::<4>::from_data(TensorData::new(v.to_vec(), [1, 1, ny, nx]), self.device)
        };
        let (c, beta, spread) = (
            table(&tables.power).clamp_min(1e-6),
            table(&tables.beta[m]),
            table(&tables.spread[m]),
        );
        // Each day in units of what independence expects of it, so that no season outweighs the others.
        let mut found = Vec::new();
        for chunk in self.ends().chunks(BATCH) {
            let (history, next) = self.windows(chunk);
            let forecast = self.tower.forecast(&history, Context::history(m), basis);
            let mean = basis.transform(forecast.mean) * beta.clone();
            let s =
                (forecast.log_variance.exp() * spread.clone()).min_pair(c.clone() * SPREAD_LIMIT);
            let u = sensitivity.gradient(basis.inverse(mean.clone()), missed);
            let joint = Joint::new(basis.transform(u), &s, 1.0);
            let (along, expected) = joint.measure(basis.transform(next) - mean);
            for (a, e) in to_vec(along).iter().zip(to_vec(expected)) {
                found.push(f64::from(*a) / f64::from(e).sqrt().max(1e-15));
            }
        }
        let count = found.len().max(1) as f64;
        let mean = found.iter().sum::<f64>() / count;
        let variance = found.iter().map(|f| (f - mean).powi(2)).sum::<f64>() / count;
        (variance as f32).clamp(0.01, 4.0)
    }

    /// The least-squares weight of what the image model knows beyond the Gaussian, by band, for the longest history.
    fn gain(
        &self,
        basis: &WaveletBasis,
        tables: &WaveletTables,
        sigma: f64,
        seed: u64,
        level: usize,
    ) -> Vec<f64> {
        let [ny, nx] = self.shape();
        let (cells, m) = (ny * nx, HISTORY - 1);
        let table = |v: &[f32]| {
            Tensor::<4>::from_data(TensorData::new(v.to_vec(), [1, 1, ny, nx]), self.device)
        };
        let (c, beta, spread) = (
            table(&tables.power).clamp_min(1e-6),
            table(&tables.beta[m]),
            table(&tables.spread[m]),
        );
        let s2 = (sigma * sigma) as f32;
        let w_c = c.clone() / (c.clone() + s2);
        let all = self.ends();
        let (mut ed, mut dd) = (vec![0.0; cells], vec![0.0; cells]);
        for batch in 0..GAIN_WINDOWS / BATCH {
            let key = NoiseKey {
                seed,
                stream: Stream::Calibration,
                member: batch as u32,
                frame: level as u32,
                step: 0,
            };
            let ends: Vec<(usize, usize)> = key
                .uniform(BATCH)
                .into_iter()
                .map(|u| all[((u * all.len() as f64) as usize).min(all.len() - 1)])
                .collect();
            let (history, next) = self.windows(&ends);
            let z = NoiseKey { step: 1, ..key }.normal_f32(BATCH * cells);
            let x = next.clone() + self.tensor(z, BATCH, 1) * sigma as f32;
            let forecast = self.tower.forecast(&history, Context::history(m), basis);
            let mean = basis.transform(forecast.mean) * beta.clone();
            let s =
                (forecast.log_variance.exp() * spread.clone()).min_pair(c.clone() * SPREAD_LIMIT);
            let xw = basis.transform(x.clone());
            let closed = mean.clone() + s.clone() / (s + s2) * (xw.clone() - mean);
            let error = basis.transform(next) - closed;
            let delta = basis.transform(self.denoiser.denoise(&x, sigma)) - w_c.clone() * xw;
            let (error, delta) = (to_vec(error), to_vec(delta));
            add_products(&mut ed, &error, Some(&delta));
            add_products(&mut dd, &delta, None);
        }
        let map = bands(ny, nx);
        let count = band_count(ny, nx);
        let (ed, dd) = (by_band(&ed, &map, count), by_band(&dd, &map, count));
        ed.iter()
            .zip(&dd)
            .map(|(e, d)| (e / d.max(1e-12)).clamp(0.0, 1.0))
            .collect()
    }
}

impl Sums {
    /// `beta` and the factor on the tower's variance, by coefficient, each drawn to its band's figure; and the sum of the
    /// squares that the forecast misses.
    fn fitted(&self, map: &[usize], count: usize) -> (Vec<f32>, Vec<f32>, f64) {
        let mean = |v: &[f64]| by_band(v, map, count);
        let (xm, mm) = (mean(&self.xm), mean(&self.mm));
        let drawn = |own: f64, band: f64| own + SHRINK * band;
        let beta: Vec<f64> = map
            .iter()
            .enumerate()
            .map(|(k, &b)| {
                let over = drawn(self.mm[k], mm[b]).max(1e-12);
                (drawn(self.xm[k], xm[b]) / over).clamp(0.0, 1.0)
            })
            .collect();
        let left: Vec<f64> = (0..map.len())
            .map(|k| self.xx[k] - 2.0 * beta[k] * self.xm[k] + beta[k] * beta[k] * self.mm[k])
            .collect();
        let (rest, variance) = (mean(&left), mean(&self.variance));
        let spread = map
            .iter()
            .enumerate()
            .map(|(k, &b)| {
                let over = drawn(self.variance[k], variance[b]).max(1e-12);
                (drawn(left[k], rest[b]) / over) as f32
            })
            .collect();
        let total = left.iter().sum();
        (beta.into_iter().map(|b| b as f32).collect(), spread, total)
    }
}

/// Mean over the coefficients of each band.
fn by_band(values: &[f64], map: &[usize], count: usize) -> Vec<f64> {
    let (mut sum, mut n) = (vec![0.0; count], vec![0.0; count]);
    for (v, &b) in values.iter().zip(map) {
        sum[b] += v;
        n[b] += 1.0;
    }
    sum.iter()
        .zip(&n)
        .map(|(s, n)| s / f64::max(*n, 1.0))
        .collect()
}

/// Smooth in ln sigma: the gain is, and single levels are noisy.
fn smooth(gains: &[Vec<f64>]) -> Vec<Vec<f32>> {
    (0..gains.len())
        .map(|i| {
            let (a, b) = (i.saturating_sub(1), (i + 1).min(gains.len() - 1));
            (0..gains[i].len())
                .map(|g| ((gains[a][g] + 2.0 * gains[i][g] + gains[b][g]) / 4.0) as f32)
                .collect()
        })
        .collect()
}

/// Adds `a b` (or `a a`) of every row to `sum`.
fn add_products(sum: &mut [f64], a: &[f32], b: Option<&[f32]>) {
    let n = sum.len();
    let b = b.unwrap_or(a);
    for (a, b) in a.chunks_exact(n).zip(b.chunks_exact(n)) {
        for ((s, &a), &b) in sum.iter_mut().zip(a).zip(b) {
            *s += f64::from(a) * f64::from(b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::wavelet_tower::SpreadForecast;

    const SHAPE: (usize, usize) = (16, 32);
    const PHI: f32 = 0.6;

    /// `x_{n+1} = PHI x_n + noise` of a known power: everything that is fitted is known.
    fn world() -> Dataset {
        let cells = SHAPE.0 * SHAPE.1;
        let (frames, runs) = (120, 4);
        let innovation = 0.5 * (1.0 - PHI * PHI).sqrt();
        let mut values = Vec::new();
        for run in 0..runs {
            let mut x = vec![0.0f32; cells];
            for frame in 0..frames + 20 {
                let key = NoiseKey {
                    seed: 9,
                    stream: Stream::Test,
                    member: run,
                    frame,
                    step: 0,
                };
                for (x, z) in x.iter_mut().zip(key.normal_f32(cells)) {
                    *x = PHI * *x + innovation * z;
                }
                if frame >= 20 {
                    values.extend_from_slice(&x);
                }
            }
        }
        let seasons = vec![0.0; runs as usize * frames as usize];
        Dataset::on_globe(SHAPE, frames as usize, values, seasons, 2, 0).unwrap()
    }

    /// A forecaster that is twice too bold and knows half of its spread.
    struct Bold;

    impl ForecastSpread for Bold {
        fn forecast(&self, history: &Tensor<4>, _: Context, _: &WaveletBasis) -> SpreadForecast {
            let last = history.clone().narrow(1, 0, 1);
            let variance = 0.5 * 0.25 * (1.0 - PHI * PHI);
            SpreadForecast {
                log_variance: last.zeros_like() + variance.ln(),
                mean: last * (2.0 * PHI),
                usual: None,
            }
        }
    }

    /// The exact image model of these data: a Gaussian of power 0.25.
    struct Exact;

    impl Denoise for Exact {
        fn denoise(&self, x: &Tensor<4>, sigma: f64) -> Tensor<4> {
            x.clone() * (0.25 / (0.25 + sigma * sigma)) as f32
        }
    }

    #[test]
    fn what_is_known_is_found() {
        let data = world();
        let device = Device::flex();
        let (calibration, tables) = GlobeSubject {
            tower: &Bold,
            denoiser: &Exact,
            data: &data,
            keep: Keep::default(),
            sensitivity: None,
            global_ratio: None,
            device: &device,
        }
        .calibrate(0, &|_, _| ())
        .unwrap();
        let mean = |v: &[f32]| v.iter().map(|x| f64::from(*x)).sum::<f64>() / v.len() as f64;
        assert!(
            (mean(&tables.power) - 0.25).abs() < 0.01,
            "{}",
            mean(&tables.power)
        );
        for m in 0..HISTORY {
            assert!(
                (mean(&tables.beta[m]) - 0.5).abs() < 0.02,
                "{}",
                mean(&tables.beta[m])
            );
            assert!(
                (mean(&tables.spread[m]) - 2.0).abs() < 0.06,
                "{}",
                mean(&tables.spread[m])
            );
        }
        assert_eq!(
            calibration.gain[GAIN_LEVELS - 1],
            vec![0.0; band_count(16, 32)]
        );
    }
}
