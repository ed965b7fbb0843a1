//! How far consecutive Hovmoeller rows of a series are apart: the three named forms of W1, at once and streaming.

use super::counts::ValueCounts;
use super::hovmoeller::{w1_mass, w1_mass_periodic, w1_value};

/// A form of W1 between two rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum W1Form {
    /// [`w1_mass`]: mass moved along the row.
    Mass,
    /// [`w1_mass_periodic`]: mass moved along the row as a circle.
    MassPeriodic,
    /// [`w1_value`]: values, whatever their place.
    Value,
}

impl W1Form {
    /// All forms.
    pub const ALL: [W1Form; 3] = [W1Form::Mass, W1Form::MassPeriodic, W1Form::Value];

    /// Name in tables.
    pub fn name(self) -> &'static str {
        match self {
            W1Form::Mass => "mass",
            W1Form::MassPeriodic => "mass-periodic",
            W1Form::Value => "value",
        }
    }

    /// The distance; `None` where it is undefined: rows of different length, empty, all 0, or not finite.
    pub fn distance(self, p: &[f32], q: &[f32]) -> Option<f64> {
        match self {
            W1Form::Mass => w1_mass(p, q),
            W1Form::MassPeriodic => w1_mass_periodic(p, q),
            W1Form::Value => w1_value(p, q),
        }
    }
}

/// Distances between consecutive rows, one fewer than rows; NaN where undefined.
pub fn row_distances(rows: &[Vec<f32>], form: W1Form) -> Vec<f64> {
    let distance = |pair: &[Vec<f32>]| form.distance(&pair[0], &pair[1]).unwrap_or(f64::NAN);
    rows.windows(2).map(distance).collect()
}

/// Distributions of the distances between consecutive rows, in constant memory.
#[derive(Debug, Clone, Default)]
pub struct RowDistances {
    last: Option<Vec<f32>>,
    counts: [ValueCounts; 3],
    undefined: [u64; 3],
}

impl RowDistances {
    /// Takes the next row.
    pub fn push(&mut self, row: &[f32]) {
        if let Some(last) = &self.last {
            for (k, form) in W1Form::ALL.into_iter().enumerate() {
                match form.distance(last, row) {
                    Some(d) if self.counts[k].push(d) => {}
                    _ => self.undefined[k] += 1,
                }
            }
        }
        self.last = Some(row.to_vec());
    }

    /// The next row does not follow the last one.
    pub fn end_series(&mut self) {
        self.last = None;
    }

    /// Adds the distances of another series.
    pub fn merge(&mut self, other: &Self) {
        for k in 0..3 {
            self.counts[k].merge(&other.counts[k]);
            self.undefined[k] += other.undefined[k];
        }
    }

    /// Distribution of a form. Its bins tell distances from 2^-20 on apart; nearer rows count as equal.
    pub fn counts(&self, form: W1Form) -> &ValueCounts {
        &self.counts[form as usize]
    }

    /// Mean distance; `None` without one.
    pub fn mean(&self, form: W1Form) -> Option<f64> {
        self.counts(form).mean()
    }

    /// Steps for which a form was undefined (rows without rain).
    pub fn undefined(&self, form: W1Form) -> u64 {
        self.undefined[form as usize]
    }
}
