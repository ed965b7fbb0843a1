//! Calibration of the two-tower discriminator: the numbers of its closed form, measured on data.
//!
//! Without it a rollout blows up: where the data have no variance the tower's noise would be taken for signal and grow
//! from frame to frame.

use burn::tensor::{Device, Tensor, TensorData};

use crate::data::Dataset;
use crate::data::dataset::Part;
use crate::diffusion::Denoise;
use crate::diffusion::basis::{Shells, SpectralBasis};
use crate::diffusion::to_vec;
use crate::diffusion::two_tower::{Calibration, DEAD_POWER, Forecast};
use crate::error::Result;
use crate::random::{NoiseKey, Stream};
use crate::rollout::engine::HISTORY;

/// Frames between two used for the power of the data.
const POWER_STRIDE: usize = 20;
/// Frames between two windows used for the regression.
const WINDOW_STRIDE: usize = 10;
/// Noise levels at which the gain is measured, and their ends.
const GAIN_LEVELS: usize = 14;
const GAIN_SIGMA: (f64, f64) = (0.005, 80.0);
/// Above this noise level the gain is 0: there the tower knows better, and what is measured is noise.
const GAIN_TOP: f64 = 0.9;
/// Windows a noise level.
const GAIN_WINDOWS: usize = 48;
/// Rows that go through the networks together.
const BATCH: usize = 8;
/// Power below which nothing is measured.
const FLOOR: f64 = 1e-9;

/// What is calibrated.
pub struct Subject<'a> {
    /// The history tower.
    pub tower: &'a dyn Forecast,
    /// The image model.
    pub denoiser: &'a dyn Denoise,
    /// Training and validation runs.
    pub data: &'a Dataset,
    /// Largest resolved wavenumber of the data.
    pub resolved: usize,
    /// See [`super::config::TowerTraining::missed_factor`].
    pub missed_factor: f64,
    /// Where to compute.
    pub device: &'a Device,
}

impl Subject<'_> {
    fn side(&self) -> usize {
        self.data.grid().nx
    }

    /// `history` `[rows, 4, n, n]` and next frames `[rows, 1, n, n]` of windows that end at (run, frame).
    fn windows(&self, ends: &[(usize, usize)]) -> (Tensor<4>, Tensor<4>) {
        let n = self.side();
        let (mut history, mut next) = (Vec::new(), Vec::new());
        for &(run, frame) in ends {
            next.extend_from_slice(self.data.frame(run, frame + 1).unwrap_or(&[]));
            for past in 0..HISTORY {
                history.extend_from_slice(self.data.frame(run, frame - past).unwrap_or(&[]));
            }
        }
        let rows = ends.len();
        (
            Tensor::from_data(TensorData::new(history, [rows, HISTORY, n, n]), self.device),
            Tensor::from_data(TensorData::new(next, [rows, 1, n, n]), self.device),
        )
    }

    /// Measures everything. `progress(done, total)` is called as the work goes on.
    ///
    /// # Errors
    /// Numbers that cannot be used, as from a tower that was not trained.
    pub fn calibrate(&self, seed: u64, progress: &dyn Fn(usize, usize)) -> Result<Calibration> {
        let n = self.side();
        let shells = Shells::new(n, self.resolved);
        let basis = SpectralBasis::new(n, self.device);
        let total = 5 + GAIN_LEVELS;
        let power = self.power(&shells, &basis);
        progress(1, total);
        let mut beta = Vec::new();
        let mut s = Vec::new();
        for m in 0..HISTORY {
            let (b, mut rest) = self.regression(&shells, &basis, &power, m);
            for (rest, &power) in rest.iter_mut().zip(&power) {
                *rest = (*rest * self.missed_factor).min(power.max(*rest));
            }
            beta.push(b);
            s.push(rest);
            progress(2 + m, total);
        }
        let mut calibration = Calibration {
            n,
            resolved: self.resolved,
            c: single(&power),
            beta: beta.iter().map(|v| single(v)).collect(),
            s: s.iter().map(|v| single(v)).collect(),
            gain_log_sigma: Vec::new(),
            gain: Vec::new(),
        };
        let (lo, hi) = (GAIN_SIGMA.0.ln(), GAIN_SIGMA.1.ln());
        let mut gains: Vec<Vec<f64>> = Vec::new();
        for level in 0..GAIN_LEVELS {
            let l = lo + (hi - lo) * level as f64 / (GAIN_LEVELS - 1) as f64;
            calibration.gain_log_sigma.push(l as f32);
            gains.push(if l.exp() > GAIN_TOP {
                vec![0.0; shells.count()]
            } else {
                self.gain(&shells, &basis, &calibration, l.exp(), seed, level)
            });
            progress(6 + level, total);
        }
        // Smooth in ln sigma: the gain is, and single levels are noisy.
        calibration.gain = (0..GAIN_LEVELS)
            .map(|i| {
                if i == 0 || i == GAIN_LEVELS - 1 {
                    return single(&gains[i]);
                }
                (0..shells.count())
                    .map(|g| ((gains[i - 1][g] + 2.0 * gains[i][g] + gains[i + 1][g]) / 4.0) as f32)
                    .collect()
            })
            .collect();
        calibration.validate()?;
        Ok(calibration)
    }

    /// Mean power of the training frames in each shell.
    fn power(&self, shells: &Shells, basis: &SpectralBasis) -> Vec<f64> {
        let cells = shells.n * shells.n;
        let mut sum = vec![0.0; cells];
        let mut count = 0.0;
        for run in self.data.runs(Part::Training) {
            let frames: Vec<usize> = (0..self.data.frames()).step_by(POWER_STRIDE).collect();
            for chunk in frames.chunks(BATCH) {
                let mut values = Vec::with_capacity(chunk.len() * cells);
                for &f in chunk {
                    values.extend_from_slice(self.data.frame(run, f).unwrap_or(&[]));
                }
                let x = Tensor::from_data(
                    TensorData::new(values, [chunk.len(), 1, shells.n, shells.n]),
                    self.device,
                );
                add_products(&mut sum, &to_vec(basis.transform(x)), None);
                count += chunk.len() as f64;
            }
        }
        sum.iter_mut().for_each(|v| *v /= count);
        shells.mean(&sum)
    }

    /// `beta` and `S` of history length `m`, on validation runs: the regression of the truth on the forecast in each
    /// shell, clipped to [0, 1], and the power of what it leaves, at most that of the data.
    fn regression(
        &self,
        shells: &Shells,
        basis: &SpectralBasis,
        power: &[f64],
        m: usize,
    ) -> (Vec<f64>, Vec<f64>) {
        let cells = shells.n * shells.n;
        let (mut xm, mut mm, mut xx) = (vec![0.0; cells], vec![0.0; cells], vec![0.0; cells]);
        let mut ends = Vec::new();
        for run in self.data.runs(Part::Validation) {
            let last = self.data.frames().saturating_sub(1);
            ends.extend((HISTORY..last).step_by(WINDOW_STRIDE).map(|f| (run, f)));
        }
        for chunk in ends.chunks(BATCH) {
            let (history, next) = self.windows(chunk);
            let mu = to_vec(basis.transform(self.tower.forecast(&history, m)));
            let x = to_vec(basis.transform(next));
            add_products(&mut xm, &x, Some(&mu));
            add_products(&mut mm, &mu, None);
            add_products(&mut xx, &x, None);
        }
        let (xm, mm, xx) = (shells.mean(&xm), shells.mean(&mm), shells.mean(&xx));
        let mut beta = vec![0.0; shells.count()];
        let mut rest = vec![0.0; shells.count()];
        for g in 0..shells.count() {
            let b = (xm[g] / mm[g].max(1e-12)).clamp(0.0, 1.0);
            let left = xx[g] - 2.0 * b * xm[g] + b * b * mm[g];
            let c = power[g].max(FLOOR);
            // To the normalisation of C, which comes from the training runs.
            let s = (left * c / xx[g].max(1e-30)).clamp(FLOOR, c);
            let dead = b < 1e-3 || c <= f64::from(DEAD_POWER);
            beta[g] = if dead { 0.0 } else { b };
            rest[g] = if dead { c } else { s };
        }
        (beta, rest)
    }

    /// The gain at one noise level, on training runs: how much of what the image model knows beyond the Gaussian helps
    /// the closed form's estimate, by least squares in each shell, clipped to [0, 1].
    fn gain(
        &self,
        shells: &Shells,
        basis: &SpectralBasis,
        calibration: &Calibration,
        sigma: f64,
        seed: u64,
        level: usize,
    ) -> Vec<f64> {
        let cells = shells.n * shells.n;
        let runs = self.data.runs(Part::Training);
        let spread = |v: &[f32]| shells.spread(v, self.device);
        let m = HISTORY - 1;
        let beta = spread(&calibration.beta[m]);
        let s2 = (sigma * sigma) as f32;
        let weight = |p: &[f32]| {
            let p = spread(&p.iter().map(|v| v.max(FLOOR as f32)).collect::<Vec<_>>());
            p.clone() / (p + s2)
        };
        let (w_c, w_s) = (weight(&calibration.c), weight(&calibration.s[m]));
        let (mut ed, mut dd) = (vec![0.0; cells], vec![0.0; cells]);
        for batch in 0..GAIN_WINDOWS / BATCH {
            let key = NoiseKey {
                seed,
                stream: Stream::Calibration,
                member: batch as u32,
                frame: level as u32,
                step: 0,
            };
            let u = key.uniform(2 * BATCH);
            let last = self.data.frames() - 1;
            let ends: Vec<(usize, usize)> = u
                .chunks_exact(2)
                .map(|u| {
                    let run = runs.start + (u[0] * runs.len() as f64) as usize;
                    let frame = HISTORY + (u[1] * (last - HISTORY) as f64) as usize;
                    (run, frame.min(last - 1))
                })
                .collect();
            let (history, next) = self.windows(&ends);
            let z = NoiseKey { step: 1, ..key }.normal_f32(BATCH * cells);
            let z = Tensor::<4>::from_data(
                TensorData::new(z, [BATCH, 1, shells.n, shells.n]),
                self.device,
            );
            let x = next.clone() + z.mul_scalar(sigma as f32);
            let mean = basis.transform(self.tower.forecast(&history, m)) * beta.clone();
            let xf = basis.transform(x.clone());
            let closed = mean.clone() + w_s.clone() * (xf.clone() - mean);
            let error = basis.transform(next) - closed;
            let delta = basis.transform(self.denoiser.denoise(&x, sigma)) - w_c.clone() * xf;
            let (error, delta) = (to_vec(error), to_vec(delta));
            add_products(&mut ed, &error, Some(&delta));
            add_products(&mut dd, &delta, None);
        }
        let (ed, dd) = (shells.mean(&ed), shells.mean(&dd));
        ed.iter()
            .zip(&dd)
            .map(|(e, d)| (e / d.max(1e-12)).clamp(0.0, 1.0))
            .collect()
    }
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

fn single(v: &[f64]) -> Vec<f32> {
    v.iter().map(|x| *x as f32).collect()
}
