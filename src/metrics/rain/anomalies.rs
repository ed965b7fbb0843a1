//! Sums from which the autocorrelation of anomalies follows, by cell:
//! `ACF(j) = sum_{n>j} (a_n - abar)(a_{n-j} - abar) / (N var)`, denominator N, with the sums over several series pooled.
//!
//! The mean is removed at the end: of `sum a_n a_{n-j}` goes `abar (sum a_n + sum a_{n-j})` over the pairs, and these are
//! the sum over all frames without the first (last) j frames of each series.

use std::collections::VecDeque;

/// Frames kept: the newest and one for each lag.
fn ring(max_lag: usize) -> usize {
    max_lag + 1
}

/// The sums.
#[derive(Debug, Clone)]
pub struct AnomalySums {
    max_lag: usize,
    /// Frames times members.
    frames: f64,
    sum: Vec<f64>,
    /// `sum a_n a_{n-j}`, `[lag][cell]`.
    cross: Vec<Vec<f64>>,
    pairs: Vec<f64>,
    /// Sum over the first j frames of each series, `[lag][cell]`, and over the last j of those that ended.
    head: Vec<Vec<f64>>,
    tail: Vec<Vec<f64>>,
    /// The newest frames of the series in progress, newest first; one array a member.
    recent: VecDeque<Vec<Vec<f32>>>,
    /// Frames of the series in progress.
    length: usize,
}

impl AnomalySums {
    /// For frames of so many cells and lags `0..=max_lag`.
    pub fn new(cells: usize, max_lag: usize) -> Self {
        let by_lag = || vec![vec![0.0; cells]; max_lag + 1];
        Self {
            max_lag,
            frames: 0.0,
            sum: vec![0.0; cells],
            cross: by_lag(),
            pairs: vec![0.0; max_lag + 1],
            head: by_lag(),
            tail: by_lag(),
            recent: VecDeque::new(),
            length: 0,
        }
    }

    /// Takes the next frame of all members; each of `cells` values, as many members as before.
    pub fn push(&mut self, members: Vec<Vec<f32>>) {
        self.recent.push_front(members);
        self.recent.truncate(ring(self.max_lag));
        self.length += 1;
        self.newest(1.0);
    }

    /// Takes the newest frame out again. `older` is the frame `max_lag + 1` before it, if the series has one.
    pub fn pop(&mut self, older: Option<Vec<Vec<f32>>>) {
        if self.length == 0 {
            return;
        }
        self.newest(-1.0);
        self.length -= 1;
        self.recent.pop_front();
        if let Some(older) = older {
            self.recent.push_back(older);
        }
    }

    /// Adds or subtracts what the newest frame brings.
    fn newest(&mut self, sign: f64) {
        let Some(newest) = self.recent.front() else {
            return;
        };
        for (lag, old) in self.recent.iter().enumerate() {
            for (a, b) in newest.iter().zip(old) {
                for ((c, &a), &b) in self.cross[lag].iter_mut().zip(a).zip(b) {
                    *c += sign * (f64::from(a) * f64::from(b));
                }
                self.pairs[lag] += sign;
            }
        }
        for a in newest {
            self.frames += sign;
            add(&mut self.sum, a, sign);
            // Frame number `length` (from 1) belongs to the first j frames for j >= length.
            for head in self.head.iter_mut().skip(self.length.max(1)) {
                add(head, a, sign);
            }
        }
    }

    /// Ends the series in progress: the next frame does not follow the last one.
    pub fn end_series(&mut self) {
        for (i, frame) in self.recent.iter().enumerate() {
            for tail in self.tail.iter_mut().skip(i + 1) {
                for a in frame {
                    add(tail, a, 1.0);
                }
            }
        }
        self.recent.clear();
        self.length = 0;
    }

    /// Mean over cells with weights, of cells whose variance exceeds `floor(cell)`. `None` where there is none; a lag
    /// without a pair is NaN.
    pub fn acf(
        &self,
        weight: impl Fn(usize) -> f64,
        floor: impl Fn(usize) -> f64,
    ) -> Option<Vec<f64>> {
        let n = self.frames;
        let mut ended = self.tail.clone();
        for (i, frame) in self.recent.iter().enumerate().take(self.max_lag) {
            for tail in ended.iter_mut().skip(i + 1) {
                frame.iter().for_each(|a| add(tail, a, 1.0));
            }
        }
        let mut figures = vec![0.0; self.max_lag + 1];
        let mut total = 0.0;
        for (cell, total_of_cell) in self.sum.iter().enumerate() {
            let w = weight(cell);
            let mean = total_of_cell / n;
            let variance = self.cross[0][cell] / n - mean * mean;
            if w <= 0.0 || !variance.is_finite() || variance <= floor(cell) {
                continue;
            }
            total += w;
            for (lag, figure) in figures.iter_mut().enumerate() {
                let ends = 2.0 * total_of_cell - self.head[lag][cell] - ended[lag][cell];
                let covariance =
                    self.cross[lag][cell] - mean * ends + self.pairs[lag] * mean * mean;
                *figure += w * covariance / (n * variance);
            }
        }
        if total == 0.0 {
            return None;
        }
        let of = |(f, pairs): (&f64, &f64)| if *pairs > 0.0 { f / total } else { f64::NAN };
        Some(figures.iter().zip(&self.pairs).map(of).collect())
    }
}

fn add(sums: &mut [f64], values: &[f32], sign: f64) {
    for (s, &v) in sums.iter_mut().zip(values) {
        *s += sign * f64::from(v);
    }
}
