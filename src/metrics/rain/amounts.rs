//! Percentiles over any number of days in constant memory: counts of amounts in bins of equal relative width.

/// Amounts up to this, mm/day, count as none.
const SMALLEST: f32 = 1.0 / 1024.0;

/// Bits of the mantissa that a bin drops: 8 of 23 are left, so a bin is 0.2 to 0.4 % wide and its middle within 0.2 %
/// of what is in it. Amounts that were rounded to 8 bits are met exactly.
const DROPPED: u32 = 15;

/// Bins up to 4096 mm/day; what is larger goes into the last.
const LARGEST: f32 = 4096.0;

/// Counts of amounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmountCounts {
    /// No rain first.
    bins: Vec<u64>,
    total: u64,
}

impl Default for AmountCounts {
    fn default() -> Self {
        Self {
            bins: vec![0; bin(LARGEST) + 1],
            total: 0,
        }
    }
}

fn rounded(value: f32) -> u32 {
    (value.to_bits() + (1 << (DROPPED - 1))) >> DROPPED
}

fn bin(value: f32) -> usize {
    if value > SMALLEST {
        1 + (rounded(value.min(LARGEST)) - rounded(SMALLEST)) as usize
    } else {
        0
    }
}

/// The amount that a bin stands for.
fn amount(bin: usize) -> f64 {
    match bin.checked_sub(1) {
        None => 0.0,
        Some(above) => f64::from(f32::from_bits(
            (rounded(SMALLEST) + above as u32) << DROPPED,
        )),
    }
}

impl AmountCounts {
    /// Counts the values of a frame.
    pub fn add(&mut self, values: &[f32]) {
        for &v in values {
            self.bins[bin(v)] += 1;
        }
        self.total += values.len() as u64;
    }

    /// Takes a frame's values out again.
    pub fn remove(&mut self, values: &[f32]) {
        for &v in values {
            let count = &mut self.bins[bin(v)];
            *count = count.saturating_sub(1);
        }
        self.total = self.total.saturating_sub(values.len() as u64);
    }

    /// Adds the counts of another series.
    pub fn merge(&mut self, other: &Self) {
        for (a, b) in self.bins.iter_mut().zip(&other.bins) {
            *a += b;
        }
        self.total += other.total;
    }

    /// Number of values.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// A percentile (0 to 100), linear between order statistics, within 0.2 % of the values' own; NaN without values.
    pub fn percentile(&self, p: f64) -> f64 {
        let Some(last) = self.total.checked_sub(1) else {
            return f64::NAN;
        };
        let rank = (p.clamp(0.0, 100.0) / 100.0) * last as f64;
        let (low, share) = (rank.floor() as u64, rank.fract());
        let (mut below, mut first) = (0, None);
        for (i, count) in self.bins.iter().enumerate() {
            below += count;
            if first.is_none() && below > low {
                first = Some(amount(i));
            }
            if let Some(first) = first
                && (share == 0.0 || below > low + 1)
            {
                return first + share * (amount(i) - first);
            }
        }
        first.unwrap_or(f64::NAN)
    }
}
