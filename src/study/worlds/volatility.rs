//! A panel of returns with stochastic volatility, drawn as an image: heavy tails, memory only in the amplitude.
//!
//! `r_t = exp(h_t / 2) e_t`, `h_t = persistence h_{t-1} + sqrt(1 - persistence^2) s w_t` in every cell (an asset), `e`
//! white in space and time, `w` smooth in space (neighbours are of one trade) and white in time; `h` has variance `s^2`.
//! Known (Taylor 1986; Taylor 1994, "Modeling stochastic volatility"): variance `exp(s^2/2)`, kurtosis `3 exp(s^2)`,
//! autocorrelation of the returns 0, of their sizes at lag j `(exp(s^2 p^j / 4) - 1) / (pi/2 exp(s^2/4) - 1)`.

use serde::{Deserialize, Serialize};

use super::{check, noise};
use crate::error::Result;

/// A panel of returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volatility {
    /// Share of the log-variance that the next frame keeps.
    pub persistence: f64,
    /// Standard deviation of the log-variance.
    pub spread: f64,
    /// Length over which neighbours are alike, cells.
    pub length: f64,
}

impl Default for Volatility {
    fn default() -> Self {
        Self {
            persistence: 0.95,
            spread: 1.0,
            length: 3.0,
        }
    }
}

impl Volatility {
    pub(super) fn validate(&self) -> Result<()> {
        check(
            (0.0..1.0).contains(&self.persistence)
                && (0.0..=3.0).contains(&self.spread)
                && (0.1..=8.0).contains(&self.length),
            "returns need a persistence in 0..1, a spread of at most 3 and a length from 0.1 to 8 cells",
        )
    }

    pub(super) fn fill(&self, values: &mut [f32], n: usize, seed: u64, run: u32) {
        let fresh = (1.0 - self.persistence * self.persistence).sqrt() * self.spread;
        let mut h = Vec::new();
        for (t, frame) in values.chunks_exact_mut(n * n).enumerate() {
            let w = smooth(&noise(seed, run, t as u32, 0, n * n), n, self.length);
            if t == 0 {
                h = w.into_iter().map(|w| self.spread * w).collect();
            } else {
                for (h, w) in h.iter_mut().zip(w) {
                    *h = self.persistence * *h + fresh * w;
                }
            }
            let e = noise(seed, run, t as u32, 1, n * n);
            for ((v, e), h) in frame.iter_mut().zip(e).zip(&h) {
                *v = ((0.5 * h).exp() * e) as f32;
            }
        }
    }

    /// Kurtosis of the returns.
    pub fn kurtosis(&self) -> f64 {
        3.0 * (self.spread * self.spread).exp()
    }

    /// Autocorrelation of the sizes of the returns.
    pub fn acf_of_size(&self, lag: usize) -> f64 {
        let s2 = self.spread * self.spread;
        if lag == 0 {
            return 1.0;
        }
        let shared = (s2 * self.persistence.powi(lag as i32) / 4.0).exp() - 1.0;
        shared / (std::f64::consts::FRAC_PI_2 * (s2 / 4.0).exp() - 1.0)
    }
}

/// White noise averaged with Gaussian weights of this length on the periodic grid, brought back to variance 1.
fn smooth(white: &[f64], n: usize, length: f64) -> Vec<f64> {
    let reach = ((3.0 * length).ceil() as usize).min(n / 2);
    let mut weights: Vec<f64> = (0..n)
        .map(|i| {
            let off = i.min(n - i);
            let inside = off <= reach;
            f64::from(u8::from(inside)) * (-0.5 * (off as f64 / length).powi(2)).exp()
        })
        .collect();
    let norm = weights.iter().map(|w| w * w).sum::<f64>().sqrt();
    weights.iter_mut().for_each(|w| *w /= norm);
    let along = |from: &[f64], index: &dyn Fn(usize, usize) -> usize| -> Vec<f64> {
        let mut out = vec![0.0; n * n];
        for line in 0..n {
            for i in 0..n {
                out[index(line, i)] = (0..n)
                    .map(|j| weights[j] * from[index(line, (i + j) % n)])
                    .sum();
            }
        }
        out
    };
    let rows = along(white, &|line, i| line * n + i);
    along(&rows, &|line, i| i * n + line)
}

/// Autocorrelation of the sizes of pooled values, means removed; lags `0..=max`. NaN where there is none.
pub fn acf_of_size(members: &[Vec<Vec<f32>>], max: usize) -> Vec<f64> {
    let all = members.iter().flatten().flatten();
    let count = all.clone().count().max(1) as f64;
    let mean = all.clone().map(|v| f64::from(v.abs())).sum::<f64>() / count;
    let off = |v: &f32| f64::from(v.abs()) - mean;
    let power = all.map(|v| off(v).powi(2)).sum::<f64>() / count;
    (0..=max)
        .map(|lag| {
            let (mut sum, mut pairs) = (0.0, 0.0);
            for frames in members {
                for (now, later) in frames.iter().zip(frames.iter().skip(lag)) {
                    sum += now
                        .iter()
                        .zip(later)
                        .map(|(a, b)| off(a) * off(b))
                        .sum::<f64>();
                    pairs += now.len() as f64;
                }
            }
            sum / pairs / power
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{kurtosis, pooled_acf};
    use crate::study::worlds::{Amount, World, tests::members};

    #[test]
    fn tails_and_memory_are_those_of_the_formulas() {
        let law = Volatility {
            persistence: 0.9,
            spread: 0.8,
            length: 1.0,
        };
        let amount = Amount {
            runs: 8,
            validation_runs: 0,
            frames: 250,
        };
        let world = World::Volatility(law.clone());
        let series = world.series(24, amount, 11, &|| false).unwrap();
        let views = members(&series);
        let all: Vec<&[f32]> = views.iter().flatten().copied().collect();
        let found = kurtosis(&all).unwrap();
        assert!(
            (found / law.kurtosis() - 1.0).abs() < 0.06,
            "{found} {}",
            law.kurtosis()
        );
        let plain = pooled_acf(&views, 3).unwrap();
        assert!(plain[1].abs() < 0.01 && plain[2].abs() < 0.01, "{plain:?}");
        let owned: Vec<Vec<Vec<f32>>> = views
            .iter()
            .map(|m| m.iter().map(|f| f.to_vec()).collect())
            .collect();
        let sizes = acf_of_size(&owned, 5);
        for (lag, found) in sizes.iter().enumerate().skip(1) {
            let exact = law.acf_of_size(lag);
            assert!((found - exact).abs() < 0.015, "lag {lag}: {found} {exact}");
        }
    }

    #[test]
    fn smooth_noise_keeps_variance_one_and_ties_neighbours() {
        let n = 32;
        let (mut power, mut product) = (0.0, 0.0);
        for t in 0..40 {
            let w = smooth(&noise(1, 0, t, 0, n * n), n, 2.0);
            power += w.iter().map(|v| v * v).sum::<f64>();
            product += (0..n * n)
                .map(|i| w[i] * w[(i / n) * n + (i + 2) % n])
                .sum::<f64>();
        }
        let count = (40 * n * n) as f64;
        assert!((power / count - 1.0).abs() < 0.12, "{}", power / count);
        // Two cells apart: exp(-d^2 / (4 length^2)) = exp(-1/4).
        assert!((product / power - (-0.25f64).exp()).abs() < 0.05);
    }
}
