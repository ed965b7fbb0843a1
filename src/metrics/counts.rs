//! Distributions in constant memory: counts of values of either sign in bins of equal relative width.

/// Values nearer to 0 than this count as 0.
const SMALLEST: f32 = 1.0 / 1_048_576.0;

/// Values further from 0 than this count as this.
const LARGEST: f32 = 1_048_576.0;

/// Bits of the mantissa that a bin drops: 8 of 23 are left, so a bin is 0.2 to 0.4 % wide and its middle within 0.2 %
/// of what is in it.
const DROPPED: u32 = 15;

/// Counts of values.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueCounts {
    /// Ascending: the largest negative first, 0 in the middle.
    bins: Vec<u64>,
    total: u64,
    sum: f64,
}

impl Default for ValueCounts {
    fn default() -> Self {
        Self {
            bins: vec![0; 2 * side() + 1],
            total: 0,
            sum: 0.0,
        }
    }
}

fn rounded(size: f32) -> u32 {
    (size.to_bits() + (1 << (DROPPED - 1))) >> DROPPED
}

/// Number of bins on each side of 0.
fn side() -> usize {
    (rounded(LARGEST) - rounded(SMALLEST)) as usize + 1
}

fn bin(value: f32) -> usize {
    let size = value.abs();
    if size < SMALLEST {
        return side();
    }
    let away = (rounded(size.min(LARGEST)) - rounded(SMALLEST)) as usize + 1;
    if value < 0.0 {
        side() - away
    } else {
        side() + away
    }
}

/// The value that a bin stands for.
fn value(bin: usize) -> f64 {
    let size = |away: usize| {
        let bits = (rounded(SMALLEST) + away as u32 - 1) << DROPPED;
        f64::from(f32::from_bits(bits))
    };
    match bin.cmp(&side()) {
        std::cmp::Ordering::Less => -size(side() - bin),
        std::cmp::Ordering::Equal => 0.0,
        std::cmp::Ordering::Greater => size(bin - side()),
    }
}

impl ValueCounts {
    /// Counts a value. `false`, and ignored, where it is not finite.
    pub fn push(&mut self, value: f64) -> bool {
        if !value.is_finite() {
            return false;
        }
        self.bins[bin(value as f32)] += 1;
        self.total += 1;
        self.sum += value;
        true
    }

    /// Counts the values of a frame; those that are not finite are left out.
    pub fn add(&mut self, values: &[f32]) {
        for &v in values {
            self.push(f64::from(v));
        }
    }

    /// Adds the counts of another series.
    pub fn merge(&mut self, other: &Self) {
        for (a, b) in self.bins.iter_mut().zip(&other.bins) {
            *a += b;
        }
        self.total += other.total;
        self.sum += other.sum;
    }

    /// Number of values.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Mean of the values as they came; `None` without values.
    pub fn mean(&self) -> Option<f64> {
        (self.total > 0).then(|| self.sum / self.total as f64)
    }

    /// Quantile (0 to 1), linear between order statistics, within 0.2 % of the values' own; `None` without values.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let rank = share.clamp(0.0, 1.0) * self.total.checked_sub(1)? as f64;
        let (low, part) = (rank.floor() as u64, rank.fract());
        let first = self.ordered(low)?;
        if part == 0.0 {
            return Some(first);
        }
        Some(first + part * (self.ordered(low + 1)? - first))
    }

    /// The value of this rank, 0 for the smallest.
    fn ordered(&self, rank: u64) -> Option<f64> {
        let mut below = 0;
        self.bins
            .iter()
            .position(|count| {
                below += count;
                below > rank
            })
            .map(value)
    }

    /// Share of the values above a threshold (whole bins, by the value that each stands for); `None` without values.
    pub fn share_above(&self, threshold: f64) -> Option<f64> {
        let above = |(bin, count): (usize, &u64)| if value(bin) > threshold { *count } else { 0 };
        let count: u64 = self.bins.iter().enumerate().map(above).sum();
        (self.total > 0).then(|| count as f64 / self.total as f64)
    }

    /// Share of the sum of all values that those above a threshold bring. `None` where the sum is not positive.
    pub fn amount_above(&self, threshold: f64) -> Option<f64> {
        let (mut above, mut all) = (0.0, 0.0);
        for (bin, &count) in self.bins.iter().enumerate().filter(|(_, c)| **c > 0) {
            let amount = value(bin) * count as f64;
            all += amount;
            if value(bin) > threshold {
                above += amount;
            }
        }
        (all > 0.0).then(|| above / all)
    }

    /// W1 (area between the two distribution functions), in the units of the values. `None` where one has no values.
    pub fn w1(&self, other: &Self) -> Option<f64> {
        if self.total == 0 || other.total == 0 {
            return None;
        }
        let (n, m) = (self.total as f64, other.total as f64);
        let (mut sum, mut below, mut before) = (0.0, [0_u64; 2], 0.0);
        for (bin, (a, b)) in self.bins.iter().zip(&other.bins).enumerate() {
            if *a == 0 && *b == 0 {
                continue;
            }
            let here = value(bin);
            let apart = (below[0] as f64 / n - below[1] as f64 / m).abs();
            if apart > 0.0 {
                sum += apart * (here - before);
            }
            below = [below[0] + a, below[1] + b];
            before = here;
        }
        Some(sum)
    }

    /// Counts between ascending edges, one fewer than edges: `edges[i] <= value < edges[i + 1]`, in the last also the
    /// upper edge (numpy's rule), by the value that each bin stands for.
    pub fn histogram(&self, edges: &[f64]) -> Vec<u64> {
        let mut counts = vec![0; edges.len().saturating_sub(1)];
        let Some(last) = edges.last() else {
            return counts;
        };
        for (bin, &count) in self.bins.iter().enumerate().filter(|(_, c)| **c > 0) {
            let v = value(bin);
            let slot = if v == *last {
                edges.len().checked_sub(2)
            } else {
                edges.partition_point(|e| *e <= v).checked_sub(1)
            };
            if let Some(slot) = slot.and_then(|s| counts.get_mut(s)) {
                *slot += count;
            }
        }
        counts
    }
}
