//! Confidence bands by resampling: members or start dates drawn with replacement, or blocks of a series in time.
//! Percentile intervals; every draw is a function of the seed alone.

use crate::random::{NoiseKey, Stream};

/// How to resample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    /// Names the draws.
    pub seed: u64,
    /// Number of draws.
    pub resamples: usize,
    /// Share of the draws inside of the band.
    pub level: f64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self {
            seed: 1,
            resamples: 1000,
            level: 0.95,
        }
    }
}

/// A figure and its band.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// The figure of all units; NaN where it is undefined.
    pub estimate: f64,
    /// Lower end; NaN where no draw gave a figure.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Bootstrap {
    /// Band of `figure`, a function of the units (members, start dates) that were picked: their numbers, repeats
    /// included. Draws for which it is `None` or not finite are left out. `None` without units, or where the figure of
    /// all units is undefined.
    pub fn band(
        &self,
        units: usize,
        mut figure: impl FnMut(&[usize]) -> Option<f64>,
    ) -> Option<Band> {
        let bands = self.bands(units, |pick| figure(pick).map(|v| vec![v]))?;
        bands.first().copied().filter(|b| b.estimate.is_finite())
    }

    /// [`Bootstrap::band`] of several figures of the same draws. A figure that is NaN for all units has a band of NaN.
    /// `None` without units, or where `figures` of all units is `None`.
    pub fn bands(
        &self,
        units: usize,
        figures: impl FnMut(&[usize]) -> Option<Vec<f64>>,
    ) -> Option<Vec<Band>> {
        self.block_bands(units, 1, figures)
    }

    /// Band of a figure of a series of `length` frames. Blocks of `block` consecutive frames are drawn (the first frame
    /// follows the last one), so that what is correlated within a block stays so; the picked frames are `length` many.
    /// `None` as in [`Bootstrap::band`], or where `block` is 0.
    pub fn block_band(
        &self,
        length: usize,
        block: usize,
        mut figure: impl FnMut(&[usize]) -> Option<f64>,
    ) -> Option<Band> {
        let bands = self.block_bands(length, block, |pick| figure(pick).map(|v| vec![v]))?;
        bands.first().copied().filter(|b| b.estimate.is_finite())
    }

    /// [`Bootstrap::block_band`] of several figures.
    pub fn block_bands(
        &self,
        length: usize,
        block: usize,
        mut figures: impl FnMut(&[usize]) -> Option<Vec<f64>>,
    ) -> Option<Vec<Band>> {
        if length == 0 || block == 0 {
            return None;
        }
        let all: Vec<usize> = (0..length).collect();
        let estimates = figures(&all)?;
        let mut draws = vec![Vec::with_capacity(self.resamples); estimates.len()];
        let mut pick = Vec::with_capacity(length + block);
        for resample in 0..self.resamples {
            pick.clear();
            for u in self.uniform(resample, length.div_ceil(block)) {
                let first = ((u * length as f64) as usize).min(length - 1);
                pick.extend((first..first + block).map(|i| i % length));
            }
            pick.truncate(length);
            for (draws, value) in draws.iter_mut().zip(figures(&pick).unwrap_or_default()) {
                if value.is_finite() {
                    draws.push(value);
                }
            }
        }
        let of = |(estimate, draws): (f64, Vec<f64>)| self.interval(estimate, draws);
        Some(estimates.into_iter().zip(draws).map(of).collect())
    }

    fn uniform(&self, resample: usize, n: usize) -> Vec<f64> {
        NoiseKey {
            seed: self.seed,
            stream: Stream::Bootstrap,
            member: 0,
            frame: resample as u32,
            step: 0,
        }
        .uniform(n)
    }

    fn interval(&self, estimate: f64, mut draws: Vec<f64>) -> Band {
        draws.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let Some(last) = draws.len().checked_sub(1) else {
                return f64::NAN;
            };
            let rank = share.clamp(0.0, 1.0) * last as f64;
            let (low, part) = (rank.floor() as usize, rank.fract());
            draws[low] + part * (draws[(low + 1).min(last)] - draws[low])
        };
        let tail = 0.5 * (1.0 - self.level);
        let undefined = !estimate.is_finite();
        Band {
            estimate,
            low: if undefined { f64::NAN } else { at(tail) },
            high: if undefined { f64::NAN } else { at(1.0 - tail) },
        }
    }
}
