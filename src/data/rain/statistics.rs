//! Figures of a whole series: what a reader can be tested by, and a generator must reach.

use serde::Serialize;

use super::RainFiles;
use crate::error::Result;

/// Percentiles that are given.
pub const PERCENTILES: [f64; 6] = [50.0, 75.0, 90.0, 95.0, 99.0, 99.9];

/// Amounts below this are no wet day, mm/day.
const WET: f32 = 0.1;

/// Step of the cube root in the histogram: 0.15 % of 10 mm/day.
const STEP: f64 = 1e-3;

/// Figures of a series; means over the globe are weighted by area, shares and percentiles count cells.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RainStatistics {
    /// Days that were read.
    pub days: usize,
    /// Mean over globe and days, mm/day.
    pub mean: f64,
    /// Standard deviation of the daily global mean, mm/day.
    pub mean_std: f64,
    /// Share of values that are exactly 0.
    pub zeros: f64,
    /// Share of values of 0.1 mm/day and more.
    pub wet: f64,
    /// Values of [`PERCENTILES`], mm/day.
    pub percentiles: [f64; PERCENTILES.len()],
    /// Largest value, mm/day.
    pub largest: f64,
    /// Values below zero that were set to zero.
    pub below_zero: u64,
}

impl RainFiles {
    /// Reads all days; `progress` hears of each and may say stop (then the figures are those of the days read).
    ///
    /// # Errors
    /// As [`RainFiles::day`].
    pub fn statistics(&self, mut progress: impl FnMut(usize) -> bool) -> Result<RainStatistics> {
        let mut counts: Vec<u64> = Vec::new();
        let mut means = Vec::with_capacity(self.days());
        let (mut values, mut zeros, mut wet, mut largest) = (0_u64, 0_u64, 0_u64, 0.0_f32);
        for i in 0..self.days() {
            let day = self.day(i)?;
            let there: Vec<f64> = day.iter().map(|&v| f64::from(v)).collect();
            means.push(super::probe::mean(self.globe(), &there));
            for &v in day.iter().filter(|v| !v.is_nan()) {
                values += 1;
                zeros += u64::from(v == 0.0);
                wet += u64::from(v >= WET);
                largest = largest.max(v);
                let bin = (f64::from(v).cbrt() / STEP) as usize;
                if bin >= counts.len() {
                    counts.resize(bin + 1, 0);
                }
                counts[bin] += 1;
            }
            if !progress(i) {
                break;
            }
        }
        let n = means.len().max(1) as f64;
        let mean = means.iter().sum::<f64>() / n;
        let variance = means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / n;
        let share = |count: u64| count as f64 / values.max(1) as f64;
        Ok(RainStatistics {
            days: means.len(),
            mean,
            mean_std: variance.sqrt(),
            zeros: share(zeros),
            wet: share(wet),
            percentiles: PERCENTILES.map(|p| percentile(&counts, values as f64 * p / 100.0)),
            largest: f64::from(largest),
            below_zero: self.below_zero().0,
        })
    }
}

/// The amount below which so many of the counted values lie.
fn percentile(counts: &[u64], target: f64) -> f64 {
    let mut below = 0.0;
    for (bin, &count) in counts.iter().enumerate() {
        let count = count as f64;
        if below + count >= target && count > 0.0 {
            let within = ((target - below) / count).clamp(0.0, 1.0);
            return ((bin as f64 + within) * STEP).powi(3);
        }
        below += count;
    }
    0.0
}
