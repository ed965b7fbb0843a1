//! Days of precipitation to training data: transform, statistics of every cell, runs of a year's length.

use std::sync::Arc;

use rayon::prelude::*;

use super::config::GlobeData;
use crate::data::dataset::Dataset;
use crate::data::{Amounts, Calendar, Date};
use crate::error::{Result, UserError};
use crate::field::Globe;

/// Days on a globe, mm/day.
pub struct Days {
    /// The grid.
    pub grid: Globe,
    /// Calendar of the dates.
    pub calendar: Calendar,
    /// Date of each day, ascending.
    pub dates: Vec<Date>,
    /// `[day][ny][nx]`, mm/day.
    pub amounts: Vec<f32>,
    /// Where they come from, as the files say.
    pub source: String,
}

impl Days {
    /// One day, mm/day.
    pub fn day(&self, i: usize) -> &[f32] {
        let cells = self.grid.len();
        self.amounts.get(i * cells..(i + 1) * cells).unwrap_or(&[])
    }

    /// Index of the first day kept for validation.
    pub fn split(&self, config: &GlobeData) -> usize {
        self.dates.len().saturating_sub(config.validation_days)
    }

    /// Stretches without a gap within `range`, each of exactly `length` days.
    fn runs(&self, range: std::ops::Range<usize>, length: usize) -> Vec<usize> {
        let mut starts = Vec::new();
        let (mut first, mut next) = (range.start, range.start);
        while next < range.end {
            let follows = next == first
                || self.calendar.days_from_date(self.dates[next])
                    == self.calendar.days_from_date(self.dates[next - 1]) + 1;
            if !follows {
                first = next;
            }
            next += 1;
            if next - first == length {
                starts.push(first);
                first = next;
            }
        }
        starts
    }
}

/// Statistics of every cell over the days before the split.
///
/// # Errors
/// No day to take them from.
pub fn statistics(days: &Days, config: &GlobeData) -> Result<Amounts> {
    let (cells, split) = (days.grid.len(), days.split(config));
    if split < 30 {
        return Err(UserError::new(
            "Cannot train on these days",
            format!(
                "of {} days {} are kept for validation, and {split} are too few to take statistics from",
                days.dates.len(),
                config.validation_days
            ),
            "give more days, or keep fewer for validation (validation_days in the training file)",
        ));
    }
    let by_cell: Vec<[f32; 3]> = (0..cells)
        .into_par_iter()
        .map(|cell| {
            let mut values: Vec<f64> = (0..split)
                .map(|day| {
                    config
                        .transform
                        .forward(f64::from(days.amounts[day * cells + cell]))
                })
                .collect();
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let var = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
            values.sort_unstable_by(f64::total_cmp);
            let at = (config.cap_quantile * (n - 1.0)) as usize;
            let cap = values[at.min(values.len() - 1)] * f64::from(config.cap_factor);
            let std = var.sqrt().max(f64::from(config.std_floor));
            // A cell that is always dry may still show a trace.
            [mean as f32, std as f32, (cap as f32).max(config.std_floor)]
        })
        .collect();
    let column = |i: usize| by_cell.iter().map(|c| c[i]).collect::<Vec<f32>>();
    let amounts = Amounts {
        transform: config.transform,
        dry: config.dry,
        mean: column(0),
        std: column(1),
        cap: column(2),
        adjust: Vec::new(),
        rows: Vec::new(),
    };
    amounts.validate(cells)?;
    Ok(amounts)
}

/// Normalised runs of a year's length.
///
/// # Errors
/// Too few days without a gap.
pub fn dataset(
    days: &Days,
    amounts: &Arc<Amounts>,
    config: &GlobeData,
    seed: u64,
) -> Result<Dataset> {
    let split = days.split(config);
    let year = match days.calendar {
        Calendar::Day360 => 360,
        Calendar::Standard | Calendar::NoLeap => 365,
    };
    // Short sets make shorter runs, so that none of the two parts is empty.
    let length = year.min(split / 2).min(days.dates.len() - split).max(1);
    let training = days.runs(0..split, length);
    let validation = days.runs(split..days.dates.len(), length);
    let mut values =
        Vec::with_capacity((training.len() + validation.len()) * length * days.grid.len());
    let mut seasons = Vec::new();
    for &start in training.iter().chain(&validation) {
        for day in start..start + length {
            amounts.normalise(days.day(day), &mut values);
            seasons.push(days.calendar.year_fraction(days.dates[day]) as f32);
        }
    }
    Dataset::on_globe(
        (days.grid.ny(), days.grid.nx),
        length,
        values,
        seasons,
        validation.len(),
        seed,
    )
}

/// Mean and 90th percentile of each calendar month over the training days, mm/day: `[12][ny * nx]` both.
pub fn climatology(days: &Days, config: &GlobeData) -> [Vec<Vec<f32>>; 2] {
    let (cells, split) = (days.grid.len(), days.split(config));
    let of_month = |month: u8| -> (Vec<f32>, Vec<f32>) {
        let own: Vec<usize> = (0..split)
            .filter(|&i| days.dates[i].month == month)
            .collect();
        let by_cell: Vec<(f32, f32)> = (0..cells)
            .into_par_iter()
            .map(|cell| {
                let mut values: Vec<f32> = own
                    .iter()
                    .map(|&day| days.amounts[day * cells + cell])
                    .collect();
                if values.is_empty() {
                    return (0.0, 0.0);
                }
                let sum: f64 = values.iter().map(|&v| f64::from(v)).sum();
                values.sort_unstable_by(f32::total_cmp);
                let at = (0.9 * (values.len() - 1) as f64).round() as usize;
                ((sum / values.len() as f64) as f32, values[at])
            })
            .collect();
        by_cell.into_iter().unzip()
    };
    let (mean, p90) = (1..=12).map(of_month).unzip();
    [mean, p90]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Transform;
    use crate::data::dataset::Part;

    fn config(validation_days: usize) -> GlobeData {
        GlobeData {
            validation_days,
            grid: None,
            transform: Transform::CubeRoot,
            dry: 0.001,
            std_floor: 0.1,
            cap_quantile: 0.9995,
            cap_factor: 1.05,
            adjust: crate::train::config::Adjust::Off,
        }
    }

    fn days(n: usize, gap_at: usize) -> Days {
        let grid = Globe::cell_centred(4, 8).unwrap();
        let first = Calendar::NoLeap.days_from_date(Date {
            year: 2001,
            month: 1,
            day: 1,
        });
        let shift = |i: usize| i64::from(i >= gap_at);
        Days {
            dates: (0..n)
                .map(|i| Calendar::NoLeap.date_from_days(first + i as i64 + shift(i)))
                .collect(),
            amounts: (0..n * grid.len())
                .map(|i| {
                    let (day, cell) = (i / grid.len(), i % grid.len());
                    // Cell 0 never has rain.
                    (cell as f32) * (1.0 + (day as f32 * 0.7).sin())
                })
                .collect(),
            grid,
            calendar: Calendar::NoLeap,
            source: "test".into(),
        }
    }

    #[test]
    fn every_cell_has_std_one_half_and_dry_cells_survive() {
        let (days, config) = (days(1095, 2000), config(365));
        let amounts = Arc::new(statistics(&days, &config).unwrap());
        assert_eq!(amounts.std[0], 0.1);
        let data = dataset(&days, &amounts, &config, 0).unwrap();
        assert_eq!(data.runs(Part::Training), 0..2);
        assert_eq!(data.runs(Part::Validation), 2..3);
        let (mut sum, mut square, mut n) = (0.0, 0.0, 0.0);
        for run in 0..2 {
            for f in 0..data.frames() {
                let v = f64::from(data.frame(run, f).unwrap()[5]);
                sum += v;
                square += v * v;
                n += 1.0;
                assert_eq!(data.frame(run, f).unwrap()[0], 0.0);
            }
        }
        let std = (square / n - (sum / n) * (sum / n)).sqrt();
        assert!(
            (std - 0.5).abs() < 1e-3 && (sum / n).abs() < 1e-3,
            "{std} {sum}"
        );
        assert_eq!(data.season(1, 0), Some(0.0));
        assert!((data.season(0, 364).unwrap() - 364.0 / 365.0).abs() < 1e-6);
    }

    #[test]
    fn no_run_reaches_over_a_gap() {
        let days = days(800, 100);
        let starts = days.runs(0..800, 90);
        assert_eq!(&starts[..3], &[0, 100, 190]);
        let few = statistics(&days, &config(790));
        assert!(few.is_err());
    }
}
