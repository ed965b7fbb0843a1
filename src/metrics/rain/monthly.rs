//! Means of the calendar months by cell: the climatology of a series.

/// Sums of each calendar month.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MonthlyMeans {
    sums: Vec<Vec<f64>>,
    counts: [f64; 12],
}

impl MonthlyMeans {
    /// For frames of this many cells.
    pub fn new(cells: usize) -> Self {
        Self {
            sums: vec![vec![0.0; cells]; 12],
            counts: [0.0; 12],
        }
    }

    /// Takes a frame of a month (0 is January). `false`, and ignored, where it does not fit.
    pub fn push(&mut self, frame: &[f32], month0: usize) -> bool {
        self.add(frame, month0, 1.0)
    }

    /// Takes a frame out again.
    pub fn remove(&mut self, frame: &[f32], month0: usize) {
        self.add(frame, month0, -1.0);
    }

    fn add(&mut self, frame: &[f32], month0: usize, sign: f64) -> bool {
        let Some(sums) = self.sums.get_mut(month0) else {
            return false;
        };
        if sums.len() != frame.len() {
            return false;
        }
        for (s, &v) in sums.iter_mut().zip(frame) {
            *s += sign * f64::from(v);
        }
        self.counts[month0] += sign;
        true
    }

    /// Adds the sums of another series on the same grid.
    pub fn merge(&mut self, other: &Self) {
        for (a, b) in self.sums.iter_mut().zip(&other.sums) {
            for (a, b) in a.iter_mut().zip(b) {
                *a += b;
            }
        }
        for (a, b) in self.counts.iter_mut().zip(&other.counts) {
            *a += b;
        }
    }

    /// Frames of each month.
    pub fn counts(&self) -> [f64; 12] {
        self.counts
    }

    /// The mean of each month, `[12][cells]`, mm/day; NaN in a month without frames.
    pub fn means(&self) -> Vec<Vec<f32>> {
        let mean = |(sums, count): (&Vec<f64>, &f64)| -> Vec<f32> {
            sums.iter().map(|s| (s / count) as f32).collect()
        };
        self.sums.iter().zip(&self.counts).map(mean).collect()
    }

    /// Mean of all frames in a cell; NaN without frames.
    pub fn mean(&self, cell: usize) -> f64 {
        let total: f64 = self.sums.iter().filter_map(|m| m.get(cell)).sum();
        total / self.counts.iter().sum::<f64>()
    }
}
