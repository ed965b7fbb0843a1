//! Autocorrelation in time.
//!
//! Two definitions are in use. [`acf`] (and [`StreamingAcf`], the same numbers frame by frame) is that of the paper and of
//! statsmodels' `acf(adjusted=False)`: per cell, its own mean removed, denominator N. For a series of N frames it is
//! biased towards 0 by a factor of `1 - j/N` and by the removed mean, so it must be compared with truth of the same
//! length. [`pooled_acf`] takes the mean as known (0) and pools all cells: no such bias, and it is what the figures `acf`
//! and `acf_mae` of a rollout use. On long series of a field without a mean the two agree.

use std::collections::VecDeque;

use super::weights::Weights;

/// Autocorrelation at lags `0..=max_lag` of one series of frames, by cell, averaged over the cells that vary. Lags of N
/// frames or more are NaN. `None` without frames, with frames of different sizes, or where no cell varies (a constant
/// field, a single frame).
pub fn acf(frames: &[&[f32]], max_lag: usize) -> Option<Vec<f64>> {
    let mut stream = StreamingAcf::new(max_lag);
    let cells = frames.first()?.len();
    for frame in frames {
        if frame.len() != cells {
            return None;
        }
        stream.push(frame);
    }
    stream.acf()
}

/// [`acf`] of a growing series: each frame costs `max_lag + 1` multiplications a cell.
#[derive(Debug, Clone)]
pub struct StreamingAcf {
    max_lag: usize,
    count: usize,
    /// The first frame, subtracted from all: keeps the sums small where the mean is large.
    offset: Vec<f32>,
    /// Sum over all frames, by cell.
    sum: Vec<f64>,
    /// `sum_n x_n x_{n-j}` by lag and cell.
    cross: Vec<Vec<f64>>,
    first: Vec<Vec<f64>>,
    last: VecDeque<Vec<f64>>,
}

impl StreamingAcf {
    /// For lags `0..=max_lag`.
    pub fn new(max_lag: usize) -> Self {
        Self {
            max_lag,
            count: 0,
            offset: Vec::new(),
            sum: Vec::new(),
            cross: Vec::new(),
            first: Vec::new(),
            last: VecDeque::new(),
        }
    }

    /// Takes the next frame. A frame of another size than the first is ignored.
    pub fn push(&mut self, frame: &[f32]) {
        if self.count == 0 {
            self.offset = frame.to_vec();
            self.sum = vec![0.0; frame.len()];
            self.cross = vec![vec![0.0; frame.len()]; self.max_lag + 1];
        }
        if frame.len() != self.offset.len() {
            return;
        }
        let x: Vec<f64> = frame
            .iter()
            .zip(&self.offset)
            .map(|(&v, &o)| f64::from(v) - f64::from(o))
            .collect();
        for (s, v) in self.sum.iter_mut().zip(&x) {
            *s += v;
        }
        if self.first.len() < self.max_lag {
            self.first.push(x.clone());
        }
        self.last.push_front(x);
        // Lag j pairs the new frame, last[0], with last[j].
        let (newest, lags) = (&self.last[0], self.cross.iter_mut().zip(&self.last));
        for (cross, old) in lags {
            for ((c, a), b) in cross.iter_mut().zip(newest).zip(old) {
                *c += a * b;
            }
        }
        self.last.truncate(self.max_lag);
        self.count += 1;
    }

    /// Number of frames so far.
    pub fn frames(&self) -> usize {
        self.count
    }

    /// The autocorrelation so far; see [`acf`] for what is undefined.
    pub fn acf(&self) -> Option<Vec<f64>> {
        self.weighted_acf(Weights::EVEN)
    }

    /// [`StreamingAcf::acf`] with weighted cells; `None` also where the weights do not fit.
    pub fn weighted_acf(&self, weights: Weights) -> Option<Vec<f64>> {
        if !weights.fit(self.sum.len()) {
            return None;
        }
        let mut sums = vec![0.0; self.max_lag + 1];
        let mut varying = 0.0;
        for cell in 0..self.sum.len() {
            let weight = weights.of(cell);
            if weight <= 0.0 {
                continue;
            }
            if let Some(figures) = self.of_cell(cell) {
                varying += weight;
                for (sum, figure) in sums.iter_mut().zip(figures) {
                    *sum += weight * figure;
                }
            }
        }
        (varying > 0.0).then(|| sums.iter().map(|s| s / varying).collect())
    }

    /// By lag and cell, `[0..=max_lag][cells]`: NaN in cells that do not vary (masked out of all means) and at lags of N
    /// frames or more. `None` without frames.
    pub fn maps(&self) -> Option<Vec<Vec<f64>>> {
        let cells = self.sum.len();
        let mut maps = vec![vec![f64::NAN; cells]; self.max_lag + 1];
        for cell in 0..cells {
            for (map, figure) in maps.iter_mut().zip(self.of_cell(cell).unwrap_or_default()) {
                map[cell] = figure;
            }
        }
        (self.count > 0).then_some(maps)
    }

    /// Number of cells that do not vary.
    pub fn masked(&self) -> usize {
        let cells = 0..self.sum.len();
        cells.filter(|&c| self.of_cell(c).is_none()).count()
    }

    /// All lags of a cell; `None` where it does not vary.
    fn of_cell(&self, cell: usize) -> Option<Vec<f64>> {
        let n = self.count as f64;
        let total = self.sum[cell];
        let mean = total / n;
        let variance = self.cross[0][cell] / n - mean * mean;
        // What rounding leaves of a constant cell is no variance.
        if variance.is_nan() || variance <= 1e-14 * mean * mean {
            return None;
        }
        let (mut early, mut late) = (total, total);
        let mut figure = |lag: usize| {
            if lag >= self.count {
                return f64::NAN;
            }
            if lag > 0 {
                // Without the last `lag` frames, and without the first.
                early -= self.last[lag - 1][cell];
                late -= self.first[lag - 1][cell];
            }
            let pairs = n - lag as f64;
            let covariance = self.cross[lag][cell] - mean * (early + late) + pairs * mean * mean;
            covariance / (n * variance)
        };
        Some((0..=self.max_lag).map(&mut figure).collect())
    }
}

/// [`acf`] of data with seasons: the mean of each cell in each calendar month of the series is removed first. `months0`
/// is the month of each frame, 0 for January. `None` also where a month is none, frames and months differ in number, the
/// weights do not fit, or a value is not finite. Cells whose anomalies do not vary are masked.
pub fn anomaly_acf(
    frames: &[&[f32]],
    months0: &[usize],
    max_lag: usize,
    weights: Weights,
) -> Option<Vec<f64>> {
    let cells = frames.first()?.len();
    let unfit = |f: &&[f32]| f.len() != cells || f.iter().any(|v| !v.is_finite());
    if frames.len() != months0.len()
        || months0.iter().any(|m| *m >= 12)
        || !weights.fit(cells)
        || frames.iter().any(unfit)
    {
        return None;
    }
    let mut counts = [0.0; 12];
    months0.iter().for_each(|&m| counts[m] += 1.0);
    let (mut sums, mut varying) = (vec![0.0; max_lag + 1], 0.0);
    for cell in 0..cells {
        let weight = weights.of(cell);
        let mut means = [0.0; 12];
        for (frame, &m) in frames.iter().zip(months0) {
            means[m] += f64::from(frame[cell]) / counts[m];
        }
        let away = |(frame, &m): (&&[f32], &usize)| f64::from(frame[cell]) - means[m];
        let series: Vec<f64> = frames.iter().zip(months0).map(away).collect();
        let product = |lag: usize| -> f64 {
            let pairs = series.iter().zip(series.get(lag..).unwrap_or_default());
            pairs.map(|(a, b)| a * b).sum()
        };
        let square = product(0);
        let size = means.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        if weight <= 0.0 || square <= 1e-26 * size * size * series.len() as f64 {
            continue;
        }
        varying += weight;
        for (lag, sum) in sums.iter_mut().enumerate() {
            *sum += weight * product(lag) / square;
        }
    }
    let of = |(lag, sum): (usize, &f64)| {
        if lag < frames.len() {
            sum / varying
        } else {
            f64::NAN
        }
    };
    (varying > 0.0).then(|| sums.iter().enumerate().map(of).collect())
}

/// Pooled autocorrelation about zero at lags `0..=max_lag` of one or more members, oldest frame first:
/// `<x_n x_{n-j}> / sqrt(<x_n^2> <x_{n-j}^2>)`, all means over members, pairs of frames and cells. Lags without a pair,
/// or without power, are NaN. `None` without frames or where all values are 0.
pub fn pooled_acf(members: &[Vec<&[f32]>], max_lag: usize) -> Option<Vec<f64>> {
    let lag_figure = |lag: usize| {
        let (mut cross, mut early, mut late) = (0.0, 0.0, 0.0);
        for frames in members {
            for (old, new) in frames.iter().zip(frames.iter().skip(lag)) {
                for (&a, &b) in old.iter().zip(*new) {
                    let (a, b) = (f64::from(a), f64::from(b));
                    cross += a * b;
                    early += a * a;
                    late += b * b;
                }
            }
        }
        // 0 / 0 where there is no pair or no power.
        cross / (early * late).sqrt()
    };
    let figures: Vec<f64> = (0..=max_lag).map(lag_figure).collect();
    (!figures[0].is_nan()).then_some(figures)
}

/// Mean of `|model - truth|` over lags `1..=10` (or as many as both have). `None` where there is no such lag or a value
/// is not finite.
pub fn mean_absolute_error(model: &[f64], truth: &[f64]) -> Option<f64> {
    let differences: Vec<f64> = model
        .iter()
        .zip(truth)
        .skip(1)
        .take(10)
        .map(|(x, y)| (x - y).abs())
        .collect();
    let mean = differences.iter().sum::<f64>() / differences.len() as f64;
    mean.is_finite().then_some(mean)
}
