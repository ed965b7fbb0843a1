//! Whether a long run drifts: running means, figures of blocks of frames, and a drift held against truth's own spread.

use std::collections::VecDeque;

use super::moments::{MapMoments, Overall};
use super::rain::{spread, trend};
use super::weights::Weights;

/// Means over `window` consecutive values: entry i is that of values `i..i + window`. `None` where there are fewer
/// values than `window`, or `window` is 0.
pub fn running_mean(series: &[f64], window: usize) -> Option<Vec<f64>> {
    if window == 0 || series.len() < window {
        return None;
    }
    let mean = |part: &[f64]| part.iter().sum::<f64>() / window as f64;
    Some(series.windows(window).map(mean).collect())
}

/// [`running_mean`] value by value.
#[derive(Debug, Clone)]
pub struct RunningMean {
    window: usize,
    last: VecDeque<f64>,
}

impl RunningMean {
    /// Over this many values (0 counts as 1).
    pub fn new(window: usize) -> Self {
        Self {
            window: window.max(1),
            last: VecDeque::new(),
        }
    }

    /// Takes the next value and gives the mean of the newest `window`; `None` until there are so many.
    pub fn push(&mut self, value: f64) -> Option<f64> {
        self.last.push_back(value);
        if self.last.len() > self.window {
            self.last.pop_front();
        }
        // Summed anew: a difference to the last sum would carry its rounding, or a NaN, along forever.
        (self.last.len() == self.window).then(|| self.last.iter().sum::<f64>() / self.window as f64)
    }
}

/// Mean and standard deviation of consecutive blocks of frames. What is left at the end of a series is dropped.
#[derive(Debug, Clone)]
pub struct BlockMoments {
    length: usize,
    block: MapMoments,
    done: Vec<Overall>,
}

impl BlockMoments {
    /// Blocks of this many frames (0 counts as 1).
    pub fn new(length: usize) -> Self {
        Self {
            length: length.max(1),
            block: MapMoments::default(),
            done: Vec::new(),
        }
    }

    /// Takes the next frame. `false`, and ignored, where it does not fit (see [`MapMoments::push`]) or the weights do
    /// not.
    pub fn push(&mut self, frame: &[f32], weights: Weights) -> bool {
        if !weights.fit(frame.len()) || !self.block.push(frame) {
            return false;
        }
        if self.block.frames() == self.length {
            self.done.extend(self.block.overall(weights));
            self.block = MapMoments::default();
        }
        true
    }

    /// The next frame belongs to another series: a block in progress is dropped.
    pub fn end_series(&mut self) {
        self.block = MapMoments::default();
    }

    /// The whole blocks so far.
    pub fn blocks(&self) -> &[Overall] {
        &self.done
    }
}

/// Drift of a figure of blocks of a run, beside how much truth's blocks differ among themselves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    /// Change along the straight line through the run's blocks, from the first to the last.
    pub change: f64,
    /// Standard error of the change, blocks taken as independent; NaN with two blocks.
    pub standard_error: f64,
    /// Standard deviation among truth's blocks (denominator n - 1).
    pub spread: f64,
    /// Mean of the run's blocks minus that of truth's.
    pub offset: f64,
}

impl Drift {
    /// From one figure a block. `None` with fewer than two blocks of either, or where a value is not finite.
    pub fn of(run: &[f64], truth: &[f64]) -> Option<Self> {
        let points: Vec<(f64, f64)> = (0..u32::MAX)
            .map(f64::from)
            .zip(run.iter().copied())
            .collect();
        let line = trend(&points)?;
        let spread = spread(truth)?;
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let steps = run.len() as f64 - 1.0;
        Some(Self {
            change: line.slope * steps,
            standard_error: line.standard_error * steps,
            spread,
            offset: mean(run) - mean(truth),
        })
    }

    /// Whether the change is within the spread of truth's blocks.
    pub fn holds(&self) -> bool {
        self.change.abs() <= self.spread
    }
}
