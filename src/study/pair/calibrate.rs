//! The numbers of the joint closed form, measured as [`crate::train::calibrate`] measures those of one variable.

use burn::tensor::{Device, Tensor};

use super::law::{Judged, Numbers, Spread, weights};
use super::matrix::{
    Matrix, ZERO, cholesky, clamp, diagonal, inverse, norm, product, sum, transpose,
};
use super::nets::Seer;
use super::{PairData, tensor};
use crate::data::dataset::Part;
use crate::diffusion::basis::{Shells, SpectralBasis};
use crate::diffusion::two_tower::DEAD_POWER;
use crate::diffusion::{Denoise, to_vec};
use crate::nn::HISTORY;
use crate::random::{NoiseKey, Stream};
use crate::study::{Lab, Outcome};

/// Frames between two used for the covariance, windows between two of the regression.
const POWER_STRIDE: usize = 5;
const WINDOW_STRIDE: usize = 5;
/// Noise levels of the gain, their ends, and the one above which it is 0.
const GAIN_LEVELS: usize = 14;
const GAIN_SIGMA: (f64, f64) = (0.005, 80.0);
const GAIN_TOP: f64 = 0.9;
/// Batches a noise level, and rows of one.
const GAIN_BATCHES: usize = 6;
const BATCH: usize = 8;
/// Least power, and least share of the variance that a forecast is taken to miss.
const FLOOR: f64 = 1e-9;
const LEAST: f64 = 1e-4;

/// Means of products of pairs, by shell.
struct Products<'a> {
    shells: &'a Shells,
    sum: Vec<Matrix>,
    count: Vec<f64>,
}

impl<'a> Products<'a> {
    fn new(shells: &'a Shells) -> Self {
        Self {
            shells,
            sum: vec![ZERO; shells.count()],
            count: vec![0.0; shells.count()],
        }
    }

    /// Adds `a b^T` of `[rows, 2, n, n]`.
    fn add(&mut self, a: &[f32], b: &[f32]) {
        let cells = self.shells.n * self.shells.n;
        for (a, b) in a.chunks_exact(2 * cells).zip(b.chunks_exact(2 * cells)) {
            for (k, &g) in self.shells.groups().iter().enumerate() {
                for i in 0..2 {
                    for j in 0..2 {
                        self.sum[g][i][j] +=
                            f64::from(a[i * cells + k]) * f64::from(b[j * cells + k]);
                    }
                }
                self.count[g] += 1.0;
            }
        }
    }

    fn mean(&self) -> Vec<Matrix> {
        let each = self.sum.iter().zip(&self.count);
        each.map(|(s, n)| sum(ZERO, 1.0 / n.max(1.0), *s)).collect()
    }
}

/// What is calibrated.
pub struct Subject<'a> {
    /// The laboratory.
    pub lab: &'a Lab<'a>,
    /// What forecasts.
    pub seer: &'a Seer,
    /// The image model of both.
    pub denoiser: &'a dyn Denoise,
    /// Frames.
    pub data: &'a PairData,
    /// What is judged.
    pub judged: Judged,
}

impl Subject<'_> {
    fn device(&self) -> &Device {
        self.lab.device()
    }

    /// Measures everything.
    ///
    /// # Errors
    /// A stop.
    pub fn calibrate(&self) -> Outcome<Numbers> {
        let n = self.data.side();
        let resolved = (n - 1) / 3;
        let shells = Shells::new(n, resolved);
        let basis = SpectralBasis::new(n, self.device());
        let raw = self.covariance(&shells, &basis);
        let live: Vec<bool> = raw
            .iter()
            .map(|c| c[0][0].min(c[1][1]) > f64::from(DEAD_POWER) && cholesky(*c).is_some())
            .collect();
        let c: Vec<Matrix> = raw
            .iter()
            .zip(&live)
            .map(|(c, live)| match live {
                true => self.judged.of(*c),
                false => diagonal(c[0][0].max(FLOOR), c[1][1].max(FLOOR)),
            })
            .collect();
        let mut numbers = Numbers {
            n,
            resolved,
            judged: self.judged,
            b: Vec::new(),
            s: Vec::new(),
            live,
            gain_log_sigma: Vec::new(),
            gain: Vec::new(),
            c,
        };
        for m in 0..HISTORY {
            self.lab.check()?;
            (self.lab.progress)("calibration", m as f64 / (HISTORY + GAIN_LEVELS) as f64);
            let (b, s) = self.regression(&shells, &basis, &numbers, m);
            numbers.b.push(b);
            numbers.s.push(s);
        }
        let (lo, hi) = (GAIN_SIGMA.0.ln(), GAIN_SIGMA.1.ln());
        let mut raw = Vec::new();
        for level in 0..GAIN_LEVELS {
            self.lab.check()?;
            let done = (HISTORY + level) as f64 / (HISTORY + GAIN_LEVELS) as f64;
            (self.lab.progress)("calibration", done);
            let l = lo + (hi - lo) * level as f64 / (GAIN_LEVELS - 1) as f64;
            numbers.gain_log_sigma.push(l);
            raw.push(match l.exp() > GAIN_TOP {
                true => [vec![0.0; shells.count()], vec![0.0; shells.count()]],
                false => self.gain(&shells, &basis, &numbers, l.exp(), level),
            });
        }
        // Smooth in ln sigma: the gain is, and single levels are noisy.
        numbers.gain = (0..GAIN_LEVELS)
            .map(|i| {
                let (before, after) = (i.saturating_sub(1), (i + 1).min(GAIN_LEVELS - 1));
                if before == i || after == i {
                    return raw[i].clone();
                }
                [0, 1].map(|v| {
                    (0..shells.count())
                        .map(|g| (raw[before][v][g] + 2.0 * raw[i][v][g] + raw[after][v][g]) / 4.0)
                        .collect()
                })
            })
            .collect();
        Ok(numbers)
    }

    /// Covariance of the training frames in each shell.
    fn covariance(&self, shells: &Shells, basis: &SpectralBasis) -> Vec<Matrix> {
        let mut products = Products::new(shells);
        for run in self.data.of[0].runs(Part::Training) {
            let frames: Vec<usize> = (0..self.data.of[0].frames())
                .step_by(POWER_STRIDE)
                .collect();
            for chunk in frames.chunks(BATCH) {
                let values: Vec<f32> = chunk
                    .iter()
                    .flat_map(|f| self.data.frame(run, *f))
                    .collect();
                let x = tensor(values, [chunk.len(), 2, shells.n, shells.n], self.device());
                let x = to_vec(basis.transform(x));
                products.add(&x, &x);
            }
        }
        products.mean()
    }

    /// `B` and `S` of history length `m`, on validation runs. What the regression misses is measured as a share of the
    /// variance there, `R = L^-1 <e e^T> L^-T` with `L L^T` the covariance of the same frames; its eigenvalues are moved
    /// into (0, 1], and `S` is that share of `C`.
    fn regression(
        &self,
        shells: &Shells,
        basis: &SpectralBasis,
        numbers: &Numbers,
        m: usize,
    ) -> (Vec<Matrix>, Vec<Matrix>) {
        let [mut xm, mut mm, mut xx] = [(); 3].map(|()| Products::new(shells));
        let last = self.data.of[0].frames().saturating_sub(1);
        let ends: Vec<(usize, usize)> = self.data.of[0]
            .runs(Part::Validation)
            .flat_map(|run| {
                (HISTORY..last)
                    .step_by(WINDOW_STRIDE)
                    .map(move |f| (run, f))
            })
            .collect();
        for chunk in ends.chunks(BATCH) {
            let (history, next) = self.data.windows(chunk, self.device());
            let mu = to_vec(basis.transform(self.seer.forecast(&history, m)));
            let x = to_vec(basis.transform(next));
            xm.add(&x, &mu);
            mm.add(&mu, &mu);
            xx.add(&x, &x);
        }
        let (xm, mm, xx) = (xm.mean(), mm.mean(), xx.mean());
        (0..shells.count())
            .map(|g| self.shell(numbers, g, [xm[g], mm[g], xx[g]]))
            .unzip()
    }

    fn shell(&self, numbers: &Numbers, g: usize, [xm, mm, xx]: [Matrix; 3]) -> (Matrix, Matrix) {
        let c = numbers.c[g];
        if !numbers.live[g] {
            return (ZERO, c);
        }
        let (xm, mm, xx) = (self.judged.of(xm), self.judged.of(mm), self.judged.of(xx));
        let ridge = 1e-6 * (mm[0][0] + mm[1][1]) + 1e-12;
        let mut b = inverse(sum(mm, ridge, diagonal(1.0, 1.0)))
            .map_or(ZERO, |inverse| product(xm, inverse));
        match self.judged {
            Judged::Both => {
                let size = norm(b);
                if size > 1.0 {
                    b = sum(ZERO, 1.0 / size, b);
                }
            }
            _ => {
                let keep = |v: usize| match self.judged.covers(v) {
                    true => b[v][v].clamp(0.0, 1.0),
                    false => 0.0,
                };
                b = diagonal(keep(0), keep(1));
            }
        }
        let bx = product(b, transpose(xm));
        let missed = sum(
            sum(sum(xx, -1.0, bx), -1.0, transpose(bx)),
            1.0,
            product(product(b, mm), transpose(b)),
        );
        let roots = cholesky(xx).zip(cholesky(c));
        let Some((of_xx, of_c)) = roots else {
            return (ZERO, c);
        };
        let Some(inverse) = inverse(of_xx) else {
            return (ZERO, c);
        };
        let share = clamp(
            product(product(inverse, missed), transpose(inverse)),
            LEAST,
            1.0,
        );
        let mut s = product(product(of_c, share), transpose(of_c));
        if let Judged::Alone(v) = self.judged {
            s = diagonal(
                if v == 0 { s[0][0] } else { c[0][0] },
                if v == 1 { s[1][1] } else { c[1][1] },
            );
        }
        (b, s)
    }

    /// The gain of each variable at one noise level, on training runs: how much of what the image model knows beyond the
    /// Gaussian helps the closed form's estimate, by least squares in each shell, clipped to [0, 1].
    fn gain(
        &self,
        shells: &Shells,
        basis: &SpectralBasis,
        numbers: &Numbers,
        sigma: f64,
        level: usize,
    ) -> [Vec<f64>; 2] {
        let (n, m) = (shells.n, HISTORY - 1);
        let spread = |of: &[Matrix]| Spread::new(shells, of, self.device());
        let weight = |of: &[Matrix]| -> Vec<Matrix> {
            of.iter().map(|a| weights(*a, sigma * sigma).0).collect()
        };
        let b = spread(&numbers.b[m]);
        let (w_c, w_s) = (spread(&weight(&numbers.c)), spread(&weight(&numbers.s[m])));
        let [mut ed, mut dd] = [(); 2].map(|()| Products::new(shells));
        let runs = self.data.of[0].runs(Part::Training);
        let last = self.data.of[0].frames() - 1;
        for batch in 0..GAIN_BATCHES {
            let key = NoiseKey {
                seed: self.lab.seed,
                stream: Stream::Calibration,
                member: batch as u32,
                frame: level as u32,
                step: 0,
            };
            let ends: Vec<(usize, usize)> = key
                .uniform(2 * BATCH)
                .chunks_exact(2)
                .map(|u| {
                    let run = runs.start + (u[0] * runs.len() as f64) as usize;
                    let frame = HISTORY + (u[1] * (last - HISTORY) as f64) as usize;
                    (run, frame.min(last - 1))
                })
                .collect();
            let (history, next) = self.data.windows(&ends, self.device());
            let z = NoiseKey { step: 1, ..key }.normal_f32(BATCH * 2 * n * n);
            let z: Tensor<4> = tensor(z, [BATCH, 2, n, n], self.device());
            let x = next.clone() + z.mul_scalar(sigma as f32);
            let mean = b.times(&basis.transform(self.seer.forecast(&history, m)));
            let xf = basis.transform(x.clone());
            let closed = mean.clone() + w_s.times(&(xf.clone() - mean));
            let error = to_vec(basis.transform(next) - closed);
            let delta = basis.transform(self.denoiser.denoise(&x, sigma)) - w_c.times(&xf);
            let delta = to_vec(delta);
            ed.add(&error, &delta);
            dd.add(&delta, &delta);
        }
        let (ed, dd) = (ed.mean(), dd.mean());
        [0, 1].map(|v| {
            let each = ed.iter().zip(&dd);
            each.map(|(e, d)| (e[v][v] / d[v][v].max(1e-12)).clamp(0.0, 1.0))
                .collect()
        })
    }
}
