//! Whether a probability means what it says: reliability diagram, expected calibration error, Brier score.

/// One bin of a reliability diagram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReliabilityBin {
    /// Mean of the probabilities in the bin.
    pub predicted: f64,
    /// Share of the cases that were true.
    pub observed: f64,
    /// Number of cases.
    pub count: u64,
}

/// Counts of cases in equal bins of probability; a value on an edge belongs to the lower bin (scikit-learn's
/// `calibration_curve`, strategy `uniform`).
#[derive(Debug, Clone, PartialEq)]
pub struct Reliability {
    predicted: Vec<f64>,
    true_cases: Vec<u64>,
    counts: Vec<u64>,
    squares: f64,
}

impl Reliability {
    /// With this many bins (0 counts as 1).
    pub fn new(bins: usize) -> Self {
        let bins = bins.max(1);
        Self {
            predicted: vec![0.0; bins],
            true_cases: vec![0; bins],
            counts: vec![0; bins],
            squares: 0.0,
        }
    }

    /// Takes a case: the probability that was given, and whether it came true. `false`, and ignored, where it is no
    /// probability.
    pub fn push(&mut self, probability: f64, came_true: bool) -> bool {
        if !(0.0..=1.0).contains(&probability) {
            return false;
        }
        let bins = self.counts.len();
        let step = 1.0 / bins as f64;
        let mut bin = ((probability / step) as usize).min(bins - 1);
        // The division rounds: the edges themselves decide.
        while bin > 0 && probability <= bin as f64 * step {
            bin -= 1;
        }
        while bin + 1 < bins && probability > (bin + 1) as f64 * step {
            bin += 1;
        }
        self.predicted[bin] += probability;
        self.counts[bin] += 1;
        self.true_cases[bin] += u64::from(came_true);
        self.squares += (probability - f64::from(u8::from(came_true))).powi(2);
        true
    }

    /// Adds the cases of another. `false`, and nothing done, where the bins differ.
    pub fn merge(&mut self, other: &Self) -> bool {
        if self.counts.len() != other.counts.len() {
            return false;
        }
        for i in 0..self.counts.len() {
            self.predicted[i] += other.predicted[i];
            self.counts[i] += other.counts[i];
            self.true_cases[i] += other.true_cases[i];
        }
        self.squares += other.squares;
        true
    }

    /// Number of cases.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The bins that have a case, by probability.
    pub fn bins(&self) -> Vec<ReliabilityBin> {
        let of = |i: usize| {
            let count = self.counts[i];
            (count > 0).then(|| ReliabilityBin {
                predicted: self.predicted[i] / count as f64,
                observed: self.true_cases[i] as f64 / count as f64,
                count,
            })
        };
        (0..self.counts.len()).filter_map(of).collect()
    }

    /// Expected calibration error: mean over cases of `|observed - predicted|` of their bin. `None` without cases.
    pub fn ece(&self) -> Option<f64> {
        let total = self.total() as f64;
        let share = |b: &ReliabilityBin| b.count as f64 / total * (b.observed - b.predicted).abs();
        (total > 0.0).then(|| self.bins().iter().map(share).sum())
    }

    /// Brier score: mean square of probability minus outcome. `None` without cases.
    pub fn brier(&self) -> Option<f64> {
        let total = self.total();
        (total > 0).then(|| self.squares / total as f64)
    }
}

/// Reliability by noise level.
#[derive(Debug, Clone, PartialEq)]
pub struct ReliabilityByNoise {
    levels: Vec<(f64, Reliability)>,
}

impl ReliabilityByNoise {
    /// For these noise levels sigma, each with so many bins.
    pub fn new(sigmas: &[f64], bins: usize) -> Self {
        Self {
            levels: sigmas
                .iter()
                .map(|&s| (s, Reliability::new(bins)))
                .collect(),
        }
    }

    /// Takes a case of the noise level with this number. `false`, and ignored, where there is none or it is no
    /// probability.
    pub fn push(&mut self, level: usize, probability: f64, came_true: bool) -> bool {
        self.levels
            .get_mut(level)
            .is_some_and(|(_, r)| r.push(probability, came_true))
    }

    /// Noise levels with their diagrams.
    pub fn levels(&self) -> &[(f64, Reliability)] {
        &self.levels
    }
}
