//! Mean and variance by cell of a growing series, in constant memory (Welford's update: no digits lost to a large mean).

use super::weights::Weights;

/// Mean and variance by cell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MapMoments {
    frames: usize,
    mean: Vec<f64>,
    /// Sum of squared deviations from the mean.
    squares: Vec<f64>,
}

/// Mean and standard deviation over cells and frames, in the units of the field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overall {
    /// Weighted mean.
    pub mean: f64,
    /// Root of the weighted mean square deviation from it.
    pub std: f64,
}

impl MapMoments {
    /// Takes the next frame. `false`, and ignored, where it is empty, differs in size from the first, or holds a value
    /// that is not finite.
    pub fn push(&mut self, frame: &[f32]) -> bool {
        if frame.is_empty() || frame.iter().any(|v| !v.is_finite()) {
            return false;
        }
        if self.frames == 0 {
            self.mean = vec![0.0; frame.len()];
            self.squares = vec![0.0; frame.len()];
        }
        if frame.len() != self.mean.len() {
            return false;
        }
        self.frames += 1;
        let share = 1.0 / self.frames as f64;
        for ((&v, mean), squares) in frame.iter().zip(&mut self.mean).zip(&mut self.squares) {
            let away = f64::from(v) - *mean;
            *mean += share * away;
            *squares += away * (f64::from(v) - *mean);
        }
        true
    }

    /// Adds the frames of another series. `false`, and nothing done, where the two differ in size.
    pub fn merge(&mut self, other: &Self) -> bool {
        if other.frames == 0 {
            return true;
        }
        if self.frames == 0 {
            *self = other.clone();
            return true;
        }
        if self.mean.len() != other.mean.len() {
            return false;
        }
        let (a, b) = (self.frames as f64, other.frames as f64);
        let theirs = other.mean.iter().zip(&other.squares);
        for ((mean, squares), (m, s)) in self.mean.iter_mut().zip(&mut self.squares).zip(theirs) {
            let away = m - *mean;
            *mean += away * b / (a + b);
            *squares += s + away * away * a * b / (a + b);
        }
        self.frames += other.frames;
        true
    }

    /// Number of frames so far.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Mean by cell; `None` without frames.
    pub fn mean(&self) -> Option<&[f64]> {
        (self.frames > 0).then_some(&self.mean)
    }

    /// Variance in time by cell, denominator N; `None` without frames.
    pub fn variance(&self) -> Option<Vec<f64>> {
        let n = self.frames as f64;
        (self.frames > 0).then(|| self.squares.iter().map(|s| s / n).collect())
    }

    /// Mean minus that of truth, by cell. `None` where one has no frames or the two differ in size.
    pub fn bias(&self, truth: &Self) -> Option<Vec<f64>> {
        let (x, y) = (self.mean()?, truth.mean()?);
        (x.len() == y.len()).then(|| x.iter().zip(y).map(|(x, y)| x - y).collect())
    }

    /// `<|bias|>`, see [`MapMoments::bias`]; `None` also where the weights do not fit.
    pub fn absolute_bias(&self, truth: &Self, weights: Weights) -> Option<f64> {
        let map = self.bias(truth)?;
        weights.mean(map.iter().map(|b| b.abs()), map.len())
    }

    /// Mean and standard deviation over all cells and frames. `None` without frames, or where the weights do not fit.
    pub fn overall(&self, weights: Weights) -> Option<Overall> {
        let mean = weights.mean(self.mean()?.iter().copied(), self.mean.len())?;
        let n = self.frames as f64;
        // Variance in time plus that of the time mean over cells.
        let square = |(m, s): (&f64, &f64)| s / n + (m - mean).powi(2);
        let squares = self.mean.iter().zip(&self.squares).map(square);
        let variance = weights.mean(squares, self.mean.len())?;
        Some(Overall {
            mean,
            std: variance.sqrt(),
        })
    }
}
