//! Amounts of precipitation to normalised values and back.
//!
//! A [`Transform`] tames the tail of the amounts; then every cell is standardised with its own mean and standard
//! deviation to a standard deviation of 0.5. On the way back amounts below the dry threshold become exactly zero, and a
//! cell's value is capped at what the training data have there, so that an error of the tail cannot feed on itself.

use serde::{Deserialize, Serialize};

use super::dataset::NORMALISED_STD;
use crate::error::{Result, UserError};

/// Amount (mm/day, never negative) to a value with a milder tail.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Transform {
    /// `p^(1/3)`.
    CubeRoot,
    /// `ln(p + epsilon) - ln(epsilon)` (Hess et al. 2025, with epsilon = 1e-4 m = 0.1 mm).
    Log {
        /// mm/day.
        epsilon: f64,
    },
}

impl Transform {
    /// The transformed amount; 0 for no rain.
    pub fn forward(self, amount: f64) -> f64 {
        let p = amount.max(0.0);
        match self {
            Self::CubeRoot => p.cbrt(),
            Self::Log { epsilon } => (p / epsilon).ln_1p(),
        }
    }

    /// The amount of a transformed value; never negative.
    pub fn inverse(self, value: f64) -> f64 {
        let y = value.max(0.0);
        match self {
            Self::CubeRoot => y * y * y,
            Self::Log { epsilon } => epsilon * y.exp_m1(),
        }
    }

    /// Checks its numbers.
    ///
    /// # Errors
    /// An epsilon that is not above 0.
    pub fn validate(self) -> Result<()> {
        match self {
            Self::Log { epsilon } if !(epsilon.is_finite() && epsilon > 0.0) => {
                Err(UserError::new(
                    "The transform of the amounts cannot be used",
                    format!("epsilon is {epsilon}"),
                    "give an epsilon above 0 (the paper's is 0.1 mm/day)",
                ))
            }
            _ => Ok(()),
        }
    }
}

/// Transform and statistics of every cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Amounts {
    /// Transform of the amounts.
    pub transform: Transform,
    /// Amounts below this are written as no rain, mm/day.
    pub dry: f32,
    /// Mean of the transformed amount in each cell.
    pub mean: Vec<f32>,
    /// Its standard deviation in each cell, floored.
    pub std: Vec<f32>,
    /// Largest transformed amount that a cell may show.
    pub cap: Vec<f32>,
    /// Correction of the marginal law: where a sample says the first transformed amount, the second is meant. Linear
    /// between its points, which ascend; shifted beyond the last. Empty = none.
    pub adjust: Vec<[f32; 2]>,
    /// Correction of the mean of each row: the factor by which amounts are multiplied after [`Self::adjust`]. Empty = none.
    pub rows: Vec<f32>,
}

impl Amounts {
    /// Checks sizes and values against a grid of `cells`.
    ///
    /// # Errors
    /// Tables of another size, or with values that cannot be.
    pub fn validate(&self, cells: usize) -> Result<()> {
        self.transform.validate()?;
        let tables = [&self.mean, &self.std, &self.cap];
        let fits = tables
            .iter()
            .all(|t| t.len() == cells && t.iter().all(|v| v.is_finite()))
            && self.std.iter().all(|&v| v > 0.0)
            && self.dry.is_finite()
            && self.dry >= 0.0
            && self
                .adjust
                .iter()
                .flatten()
                .all(|v| v.is_finite() && *v >= 0.0)
            && self
                .adjust
                .windows(2)
                .all(|w| w[0][0] < w[1][0] && w[0][1] <= w[1][1])
            && (self.rows.is_empty() || cells.is_multiple_of(self.rows.len()))
            && self.rows.iter().all(|&f| f.is_finite() && f > 0.0);
        if fits {
            return Ok(());
        }
        Err(UserError::new(
            "The model's table of amounts cannot be used",
            format!(
                "mean, std and cap must hold {cells} finite numbers, std above 0, dry not below; adjust must ascend, rows lie above 0"
            ),
            "restore the model folder, or assemble the model again: eddyscope train calibrate",
        ))
    }

    /// The sample's transformed amount that stands for a transformed amount: the inverse of [`Self::adjusted`].
    fn unadjusted(&self, y: f64) -> f64 {
        let (Some(first), Some(last)) = (self.adjust.first(), self.adjust.last()) else {
            return y;
        };
        if y <= f64::from(first[1]) {
            return f64::from(first[0]);
        }
        if y >= f64::from(last[1]) {
            return y - f64::from(last[1] - last[0]);
        }
        let i = self.adjust.partition_point(|p| f64::from(p[1]) < y);
        let ([x0, y0], [x1, y1]) = (
            self.adjust[i - 1].map(f64::from),
            self.adjust[i].map(f64::from),
        );
        x0 + (y - y0) / (y1 - y0) * (x1 - x0)
    }

    /// The factor of a cell's row.
    fn factor(&self, cell: usize) -> f64 {
        let columns = self.mean.len() / self.rows.len().max(1);
        let row = cell / columns.max(1);
        self.rows.get(row).map_or(1.0, |&f| f64::from(f))
    }

    /// Amounts (mm/day) to normalised values, added to the end of `out`. Where the marginal law is corrected they become
    /// what the model would have sampled for them.
    pub fn normalise(&self, amounts: &[f32], out: &mut Vec<f32>) {
        out.extend(
            amounts
                .iter()
                .zip(self.mean.iter().zip(&self.std))
                .enumerate()
                .map(|(cell, (&p, (&m, &s)))| {
                    let p = f64::from(p) / self.factor(cell);
                    let y = self.unadjusted(self.transform.forward(p));
                    ((y - f64::from(m)) / f64::from(s) * NORMALISED_STD) as f32
                }),
        );
    }

    /// The transformed amount that a sample's transformed amount stands for.
    pub(crate) fn adjusted(&self, y: f64) -> f64 {
        let point = |i: usize| self.adjust[i].map(f64::from);
        let (Some(first), Some(last)) = (self.adjust.first(), self.adjust.last()) else {
            return y;
        };
        if y <= f64::from(first[0]) {
            return y.min(f64::from(first[1]));
        }
        if y >= f64::from(last[0]) {
            return y + f64::from(last[1] - last[0]);
        }
        let i = self.adjust.partition_point(|p| f64::from(p[0]) <= y);
        let ([x0, y0], [x1, y1]) = (point(i - 1), point(i));
        y0 + (y - x0) / (x1 - x0) * (y1 - y0)
    }

    /// Normalised values to amounts (mm/day), and how many cells were capped. A value that is not finite stays so: the
    /// watch for a blow-up must see it.
    pub fn amounts(&self, normalised: &[f32]) -> (Vec<f32>, usize) {
        let mut capped = 0;
        let cells = self.mean.iter().zip(&self.std).zip(&self.cap);
        let amounts = normalised
            .iter()
            .zip(cells)
            .enumerate()
            .map(|(cell, (&z, ((&m, &s), &cap)))| {
                let y = f64::from(z) / NORMALISED_STD * f64::from(s) + f64::from(m);
                if !y.is_finite() {
                    return f32::NAN;
                }
                let y = self.adjusted(y);
                let y = match self.factor(cell) {
                    1.0 => y,
                    factor => self.transform.forward(self.transform.inverse(y) * factor),
                };
                if y > f64::from(cap) {
                    capped += 1;
                }
                let p = self.transform.inverse(y.min(f64::from(cap))) as f32;
                if p < self.dry { 0.0 } else { p }
            })
            .collect();
        (amounts, capped)
    }
}

/// Physical values to normalised ones and back, in any world.
#[derive(Debug, Clone, PartialEq)]
pub enum Normaliser {
    /// Physical = normalised x scale.
    Scale(f32),
    /// Amounts of precipitation.
    Amounts(std::sync::Arc<Amounts>),
}

impl Normaliser {
    /// Physical values of one frame to normalised ones, added to the end of `out`.
    pub fn normalise(&self, physical: &[f32], out: &mut Vec<f32>) {
        match self {
            Self::Scale(scale) => {
                let factor = 1.0 / scale;
                out.extend(physical.iter().map(|v| v * factor));
            }
            Self::Amounts(a) => a.normalise(physical, out),
        }
    }

    /// As [`Self::normalise`], into a new list.
    pub fn normalised(&self, physical: &[f32]) -> Vec<f32> {
        let mut out = Vec::with_capacity(physical.len());
        self.normalise(physical, &mut out);
        out
    }

    /// Normalised values of one frame to physical ones, and how many cells were capped.
    pub fn physical(&self, normalised: &[f32]) -> (Vec<f32>, usize) {
        match self {
            Self::Scale(scale) => (normalised.iter().map(|v| v * scale).collect(), 0),
            Self::Amounts(a) => a.amounts(normalised),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(transform: Transform) -> Amounts {
        Amounts {
            transform,
            dry: 0.001,
            mean: vec![0.3, 1.0, 0.01],
            std: vec![0.5, 0.9, 0.1],
            cap: vec![9.0, 9.0, 9.0],
            adjust: Vec::new(),
            rows: Vec::new(),
        }
    }

    const BOTH: [Transform; 2] = [Transform::CubeRoot, Transform::Log { epsilon: 0.1 }];

    #[test]
    fn there_and_back_is_exact() {
        for t in BOTH {
            for p in [0.0, 1e-3, 0.1, 1.0, 25.4, 74.5, 1e3] {
                let back = t.inverse(t.forward(p));
                assert!((back - p).abs() <= 1e-13 * p, "{t:?} {p} {back}");
            }
            let a = table(t);
            for p in [0.0f32, 0.002, 0.1, 1.0, 25.4, 74.5] {
                let mut z = Vec::new();
                a.normalise(&[p; 3], &mut z);
                let (back, capped) = a.amounts(&z);
                // Single precision of the normalised value is all that is lost.
                assert!(
                    back.iter().all(|b| (b - p).abs() <= 4e-6 * p),
                    "{t:?} {p} {back:?}"
                );
                assert_eq!(capped, 0);
            }
        }
    }

    #[test]
    fn no_amount_is_negative_and_drizzle_is_dry() {
        for t in BOTH {
            let a = table(t);
            let (amounts, _) = a.amounts(&[-100.0, -0.6, -0.04]);
            assert!(
                amounts.iter().all(|&p| p >= 0.0 && !(p > 0.0 && p < a.dry)),
                "{amounts:?}"
            );
            assert_eq!(amounts[0].to_bits(), 0.0f32.to_bits(), "no negative zero");
            assert_eq!(t.forward(-3.0), 0.0);
            assert_eq!(t.inverse(-3.0), 0.0);
        }
    }

    #[test]
    fn the_marginal_law_is_corrected_between_and_beyond_its_points() {
        let mut a = table(Transform::CubeRoot);
        a.adjust = vec![[0.1, 0.0], [1.0, 1.0], [3.0, 2.0]];
        assert!(a.validate(3).is_ok());
        for (from, to) in [
            (-1.0, -1.0),
            (0.1, 0.0),
            (0.55, 0.5),
            (2.0, 1.5),
            (3.0, 2.0),
            (4.0, 3.0),
        ] {
            assert!(
                (a.adjusted(from) - to).abs() < 1e-6,
                "{from} {}",
                a.adjusted(from)
            );
        }
        for y in [0.5, 1.0, 1.5, 2.0, 2.5, 4.0] {
            assert!((a.adjusted(a.unadjusted(y)) - y).abs() < 1e-6, "{y}");
        }
        let mut before = f64::NEG_INFINITY;
        for i in -20..100 {
            let y = a.adjusted(f64::from(i) * 0.05);
            assert!(y >= before, "it keeps the order");
            before = y;
        }
        a.adjust[2][1] = 0.5;
        assert!(a.validate(3).is_err());
    }

    #[test]
    fn the_mean_of_each_row_is_corrected() {
        for t in BOTH {
            let mut a = table(t);
            let z = [0.4, 0.1, 3.0];
            let plain = a.amounts(&z).0;
            a.rows = vec![1.25, 1.0, 0.5];
            assert!(a.validate(3).is_ok());
            let (scaled, _) = a.amounts(&z);
            for ((s, p), f) in scaled.iter().zip(&plain).zip(&a.rows) {
                assert!((s - p * f).abs() < 1e-5 * p, "{t:?} {s} {p}");
            }
            let mut back = Vec::new();
            a.normalise(&scaled, &mut back);
            assert!(
                back.iter().zip(z).all(|(b, z)| (b - z).abs() < 1e-5),
                "{back:?}"
            );
            a.rows = vec![1.0, 1.0];
            assert!(a.validate(3).is_err(), "3 cells are not 2 rows");
            a.rows = vec![0.0];
            assert!(a.validate(3).is_err());
        }
    }

    #[test]
    fn the_cap_acts_and_is_counted() {
        let mut a = table(Transform::CubeRoot);
        a.cap = vec![2.0; 3];
        let (amounts, capped) = a.amounts(&[100.0, 0.0, 100.0]);
        assert_eq!((amounts[0], amounts[2], capped), (8.0, 8.0, 2));
        assert!(a.amounts(&[f32::NAN, 0.0, f32::INFINITY]).0[0].is_nan());
        assert!(a.validate(3).is_ok() && a.validate(4).is_err());
        a.std[1] = 0.0;
        assert!(a.validate(3).is_err());
    }
}
