//! Figures of single years: what may drift in a long run.

use super::amounts::AmountCounts;
use super::day::{PERCENTILES, RainGrid};
use super::season::{REGIONS, region_mean};

/// Names of [`YearFigures::values`].
pub const YEAR_FIGURES: [&str; 7] = [
    "global mean",
    "wet share of the cells",
    "75th percentile",
    "90th percentile",
    "95th percentile",
    "99th percentile",
    "99.9th percentile",
];

/// Figures of one year of one series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct YearFigures {
    /// Number of the year in its series, from 0.
    pub year: usize,
    /// Global mean (mm/day), wet share of the cells, [`PERCENTILES`] (mm/day).
    pub values: [f64; 7],
    /// Mean of each calendar month in each of [`REGIONS`], mm/day; NaN where a month has no day or a region no cell.
    pub regions: [[f64; 12]; 3],
}

/// The year in progress.
#[derive(Debug, Clone, Default)]
struct Sums {
    days: usize,
    global_mean: f64,
    wet: f64,
    amounts: AmountCounts,
    regions: [[f64; 12]; 3],
    months: [f64; 12],
}

/// Collects the figures of whole years; what is left at the end of a series is dropped.
#[derive(Debug, Clone)]
pub struct Years {
    grid: RainGrid,
    regions: [Vec<(usize, f64)>; 3],
    length: usize,
    sums: Sums,
    next: usize,
    done: Vec<YearFigures>,
}

impl Years {
    /// For series whose years have `length` days.
    pub fn new(grid: &RainGrid, length: usize) -> Self {
        Self {
            regions: REGIONS.map(|r| r.cells(grid.globe())),
            grid: grid.clone(),
            length: length.max(1),
            sums: Sums::default(),
            next: 0,
            done: Vec::new(),
        }
    }

    /// Takes the next day, mm/day; `month0` is its month, 0 for January. Ignored where it does not fit.
    pub fn push(&mut self, frame: &[f32], month0: usize) {
        if month0 >= 12 || !self.grid.fits(frame) {
            return;
        }
        let s = &mut self.sums;
        s.days += 1;
        s.global_mean += self.grid.mean(frame);
        s.wet += self.grid.wet(frame).1;
        s.amounts.add(frame);
        s.months[month0] += 1.0;
        for (sum, cells) in s.regions.iter_mut().zip(&self.regions) {
            sum[month0] += region_mean(cells, frame);
        }
        if s.days == self.length {
            self.finish();
        }
    }

    fn finish(&mut self) {
        let s = std::mem::take(&mut self.sums);
        let n = s.days as f64;
        let mut values = [s.global_mean / n, s.wet / n, 0.0, 0.0, 0.0, 0.0, 0.0];
        for (value, p) in values[2..].iter_mut().zip(PERCENTILES) {
            *value = s.amounts.percentile(p);
        }
        self.done.push(YearFigures {
            year: self.next,
            values,
            regions: s
                .regions
                .map(|sums| std::array::from_fn(|m| sums[m] / s.months[m])),
        });
        self.next += 1;
    }

    /// The next day does not follow: a year in progress is dropped.
    pub fn gap(&mut self) {
        self.sums = Sums::default();
    }

    /// The next day begins another series, whose years are counted from 0.
    pub fn end_series(&mut self) {
        self.gap();
        self.next = 0;
    }

    /// The whole years so far, of all series.
    pub fn years(&self) -> &[YearFigures] {
        &self.done
    }
}
