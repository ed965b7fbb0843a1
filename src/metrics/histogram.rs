//! Histograms with equal bins, and the distance between two samples.

/// Counts in equal bins; `low <= v < high`, the upper edge in the last bin (numpy's rule).
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    edges: Vec<f64>,
    counts: Vec<u64>,
    below: u64,
    above: u64,
}

impl Histogram {
    /// `bins` equal bins between `low` and `high`. `None` without bins, or where the edges do not ascend.
    pub fn new(low: f64, high: f64, bins: usize) -> Option<Self> {
        let width = (high - low) / bins as f64;
        let fits = bins > 0 && width.is_finite() && width > 0.0;
        fits.then(|| {
            let mut edges: Vec<f64> = (0..bins).map(|i| low + width * i as f64).collect();
            edges.push(high);
            Self {
                edges,
                counts: vec![0; bins],
                below: 0,
                above: 0,
            }
        })
    }

    /// Counts a value; one that is not a number is left out.
    pub fn push(&mut self, value: f64) {
        let (Some(&low), Some(&high)) = (self.edges.first(), self.edges.last()) else {
            return;
        };
        if value < low {
            self.below += 1;
        } else if value > high {
            self.above += 1;
        } else if value.is_finite() {
            let bin = self.edges.partition_point(|e| *e <= value).max(1) - 1;
            let bin = bin.min(self.counts.len() - 1);
            self.counts[bin] += 1;
        }
    }

    /// Edges of the bins, one more than bins.
    pub fn edges(&self) -> &[f64] {
        &self.edges
    }

    /// Values in each bin.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Values below and above all bins.
    pub fn outside(&self) -> (u64, u64) {
        (self.below, self.above)
    }

    /// Counts divided by width and by the number of values in the bins; NaN where there is none.
    pub fn density(&self) -> Vec<f64> {
        let total: u64 = self.counts.iter().sum();
        let of =
            |(edges, count): (&[f64], &u64)| *count as f64 / (total as f64 * (edges[1] - edges[0]));
        self.edges.windows(2).zip(&self.counts).map(of).collect()
    }
}

/// W1 between two samples: the area between their distribution functions, in the units of the values (scipy's
/// `wasserstein_distance`). `None` where one is empty or a value is not finite.
pub fn wasserstein(u: &[f64], v: &[f64]) -> Option<f64> {
    wasserstein_weighted(u, &vec![1.0; u.len()], v, &vec![1.0; v.len()])
}

/// [`wasserstein`] of samples whose values have weights. `None` also where a weight is negative, weights and values
/// differ in number, or the weights of a sample add up to 0.
pub fn wasserstein_weighted(
    u: &[f64],
    u_weights: &[f64],
    v: &[f64],
    v_weights: &[f64],
) -> Option<f64> {
    let total = |values: &[f64], weights: &[f64]| {
        let unfit = |w: &f64| !w.is_finite() || *w < 0.0;
        if values.len() != weights.len()
            || values.iter().any(|x| !x.is_finite())
            || weights.iter().any(unfit)
        {
            return None;
        }
        Some(weights.iter().sum::<f64>()).filter(|sum| *sum > 0.0 && sum.is_finite())
    };
    let (u_total, v_total) = (total(u, u_weights)?, total(v, v_weights)?);
    let of_u = u.iter().zip(u_weights).map(|(x, w)| (*x, w / u_total));
    let of_v = v.iter().zip(v_weights).map(|(x, w)| (*x, -w / v_total));
    let mut steps: Vec<(f64, f64)> = of_u.chain(of_v).collect();
    steps.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut sum, mut apart) = (0.0, 0.0_f64);
    for pair in steps.windows(2) {
        apart += pair[0].1;
        sum += apart.abs() * (pair[1].0 - pair[0].0);
    }
    Some(sum)
}
