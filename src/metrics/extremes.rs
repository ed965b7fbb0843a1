//! Extremes: how often, and with how much of the whole, a run passes what is rare in truth; and return levels.

use super::counts::ValueCounts;
use super::weights::Weights;

/// What is beyond a percentile of truth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exceedance {
    /// The percentile, 0 to 100.
    pub percent: f64,
    /// Its value in truth and in the run, in the units of the field.
    pub truth: f64,
    /// See `truth`.
    pub run: f64,
    /// How much more often than truth the run is above truth's value; NaN where truth never is.
    pub frequency_ratio: f64,
    /// The same for the amount that falls above it, as share of the whole; NaN where undefined (signed fields).
    pub amount_ratio: f64,
}

/// Compares at percentiles of truth. `None` where one of the two has no values.
pub fn exceedances(
    truth: &ValueCounts,
    run: &ValueCounts,
    percents: &[f64],
) -> Option<Vec<Exceedance>> {
    let of = |&percent: &f64| {
        let level = truth.quantile(percent / 100.0)?;
        let ratio = |x: Option<f64>, y: Option<f64>| match (x, y) {
            (Some(x), Some(y)) if y > 0.0 => x / y,
            _ => f64::NAN,
        };
        Some(Exceedance {
            percent,
            truth: level,
            run: run.quantile(percent / 100.0)?,
            frequency_ratio: ratio(run.share_above(level), truth.share_above(level)),
            amount_ratio: ratio(run.amount_above(level), truth.amount_above(level)),
        })
    };
    percents.iter().map(of).collect()
}

/// Levels that are passed once in so many blocks on average, from the largest values of blocks (years): of n maxima the
/// r-th largest returns after `(n + 1) / r` blocks (Weibull's plotting position), in between linear in the logarithm of
/// the period. NaN beyond the record (`n + 1` blocks), for periods that reach below it, and without maxima; values that
/// are not finite are left out.
pub fn return_levels(maxima: &[f64], periods: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = maxima.iter().copied().filter(|m| m.is_finite()).collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let n = sorted.len() as f64;
    let of = |&period: &f64| {
        // Rank among the maxima, 1 for the largest.
        let rank = (n + 1.0) / period;
        if !(1.0..=n).contains(&rank) {
            return f64::NAN;
        }
        let above = rank.floor();
        let longer = ((n + 1.0) / above).ln();
        let shorter = ((n + 1.0) / (above + 1.0)).ln();
        let share = (longer - period.ln()) / (longer - shorter);
        let at = |rank: f64| sorted[(rank as usize).clamp(1, sorted.len()) - 1];
        at(above) + share * (at(above + 1.0) - at(above))
    };
    periods.iter().map(of).collect()
}

/// Largest value of each cell in each whole block of frames (years). What is left at the end of a series is dropped.
#[derive(Debug, Clone)]
pub struct BlockMaxima {
    length: usize,
    frames: usize,
    block: Vec<f32>,
    done: Vec<Vec<f32>>,
}

impl BlockMaxima {
    /// Blocks of this many frames (0 counts as 1).
    pub fn new(length: usize) -> Self {
        Self {
            length: length.max(1),
            frames: 0,
            block: Vec::new(),
            done: Vec::new(),
        }
    }

    /// Takes the next frame. `false`, and ignored, where it is empty, differs in size from the first, or holds a value
    /// that is not finite.
    pub fn push(&mut self, frame: &[f32]) -> bool {
        let cells = self.done.first().unwrap_or(&self.block).len();
        let unfit = frame.is_empty() || (cells > 0 && frame.len() != cells);
        if unfit || frame.iter().any(|v| !v.is_finite()) {
            return false;
        }
        if self.frames == 0 {
            self.block = frame.to_vec();
        }
        for (largest, &v) in self.block.iter_mut().zip(frame) {
            *largest = largest.max(v);
        }
        self.frames += 1;
        if self.frames == self.length {
            self.done.push(std::mem::take(&mut self.block));
            self.frames = 0;
        }
        true
    }

    /// The next frame does not follow the last one: a block in progress is dropped.
    pub fn end_series(&mut self) {
        self.frames = 0;
        self.block = Vec::new();
    }

    /// `[block][cell]`.
    pub fn maxima(&self) -> &[Vec<f32>] {
        &self.done
    }

    /// [`return_levels`] of each cell, weighted mean over cells. NaN where undefined, or where the weights do not fit.
    pub fn return_levels(&self, periods: &[f64], weights: Weights) -> Vec<f64> {
        let cells = self.done.first().map_or(0, Vec::len);
        let by_cell: Vec<Vec<f64>> = (0..cells)
            .map(|cell| {
                let maxima: Vec<f64> = self.done.iter().map(|b| f64::from(b[cell])).collect();
                return_levels(&maxima, periods)
            })
            .collect();
        let mean = |p: usize| weights.mean(by_cell.iter().map(|levels| levels[p]), cells);
        (0..periods.len())
            .map(|p| mean(p).unwrap_or(f64::NAN))
            .collect()
    }
}
