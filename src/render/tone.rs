//! From values to the places of a colour map: linear, logarithmic, or by how often a value occurs.

use serde::{Deserialize, Serialize};

use super::ValueRange;

/// Knots that a tone may have; `field.wgsl` has as many.
pub const KNOTS: usize = 8;

/// Scale of the colours, as chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Equal steps of the value.
    Linear,
    /// Equal ratios of the value.
    #[default]
    Log,
    /// Equal shares of the wet cells.
    Quantile,
}

impl Scale {
    /// All, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::Log, Self::Quantile, Self::Linear];

    /// Name in the window.
    pub fn label(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Log => "log",
            Self::Quantile => "quantile",
        }
    }
}

/// A monotone curve from values to 0..1: straight between its knots, in the value or in its logarithm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tone {
    /// Whether the knots stand in the natural logarithm of the value.
    pub log: bool,
    count: usize,
    knots: [[f32; 2]; KNOTS],
}

impl Tone {
    /// Equal steps.
    pub fn linear(range: ValueRange) -> Self {
        Self::through(false, &[[range.lo, 0.0], [range.hi, 1.0]])
    }

    /// Equal ratios; the range lies above 0.
    pub fn log(range: ValueRange) -> Self {
        Self::through(true, &[[range.lo.ln(), 0.0], [range.hi.ln(), 1.0]])
    }

    /// By the share of the wet values below: `wet` is the share of all values above `range.lo`, `quantiles` gives shares of
    /// all values (0..1) with their value, ascending.
    pub fn quantiles(range: ValueRange, wet: f64, quantiles: &[(f64, f64)]) -> Self {
        let mut knots = vec![[range.lo.ln(), 0.0]];
        for (share, value) in quantiles {
            let t = 1.0 - (1.0 - share) / wet.max(1e-6);
            let x = (*value as f32).ln();
            let fits = |last: &[f32; 2]| x > last[0] && t as f32 > last[1];
            if x < range.hi.ln() && t < 1.0 && knots.last().is_some_and(fits) {
                knots.push([x, t as f32]);
            }
        }
        knots.truncate(KNOTS - 1);
        knots.push([range.hi.ln(), 1.0]);
        Self::through(true, &knots)
    }

    fn through(log: bool, given: &[[f32; 2]]) -> Self {
        let mut knots = [[0.0; 2]; KNOTS];
        let count = given.len().min(KNOTS);
        knots[..count].copy_from_slice(&given[..count]);
        Self { log, count, knots }
    }

    /// The knots: value (or its logarithm) and place.
    pub fn knots(&self) -> &[[f32; 2]] {
        &self.knots[..self.count]
    }

    /// Place of a value in 0..1, clipped.
    pub fn place(&self, value: f32) -> f32 {
        let x = if self.log {
            value.max(1e-30).ln()
        } else {
            value
        };
        let mut t = 0.0;
        for pair in self.knots().windows(2) {
            let [[x0, t0], [x1, t1]] = [pair[0], pair[1]];
            if x >= x0 && x1 > x0 {
                t = t0 + (t1 - t0) * ((x - x0) / (x1 - x0)).min(1.0);
            }
        }
        t.clamp(0.0, 1.0)
    }

    /// Value of a place in 0..1: the inverse of [`Self::place`].
    pub fn value(&self, t: f32) -> f32 {
        let mut x = self.knots().first().map_or(0.0, |k| k[0]);
        for pair in self.knots().windows(2) {
            let [[x0, t0], [x1, t1]] = [pair[0], pair[1]];
            if t >= t0 && t1 > t0 {
                x = x0 + (x1 - x0) * ((t - t0) / (t1 - t0)).min(1.0);
            }
        }
        if self.log { x.exp() } else { x }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: ValueRange = ValueRange { lo: 0.1, hi: 100.0 };

    #[test]
    fn decades_stand_evenly_on_the_logarithmic_scale() {
        let tone = Tone::log(RANGE);
        for (value, t) in [
            (0.01, 0.0),
            (0.1, 0.0),
            (1.0, 1.0 / 3.0),
            (10.0, 2.0 / 3.0),
            (1e4, 1.0),
        ] {
            assert!((tone.place(value) - t).abs() < 1e-5, "{value}");
        }
        assert_eq!(tone.place(-3.0), 0.0);
    }

    #[test]
    fn quantiles_give_equal_shares_of_the_wet_cells() {
        let known = [
            (0.75, 1.27),
            (0.9, 6.3),
            (0.95, 12.5),
            (0.99, 25.4),
            (0.999, 38.0),
        ];
        let tone = Tone::quantiles(RANGE, 0.475, &known);
        assert!((tone.place(6.3) - (1.0 - 0.1 / 0.475)).abs() < 1e-5);
        for t in [0.0f32, 0.2, 0.5, 0.77, 0.9, 0.999] {
            assert!((tone.place(tone.value(t)) - t).abs() < 1e-4, "{t}");
        }
        // Values that do not ascend are left out instead of breaking the curve.
        let odd = Tone::quantiles(
            RANGE,
            0.475,
            &[(0.75, 0.01), (0.9, f64::NAN), (0.95, 500.0)],
        );
        assert_eq!(odd.knots().len(), 2);
    }

    #[test]
    fn linear_is_what_it_says() {
        let tone = Tone::linear(ValueRange { lo: -2.0, hi: 2.0 });
        assert!((tone.place(1.0) - 0.75).abs() < 1e-6 && (tone.value(0.75) - 1.0).abs() < 1e-6);
    }
}
