//! A day from its intervals: unit, missing and negative values, the mean over the day.

use std::sync::{Mutex, PoisonError};

use super::RainFiles;
use super::amount::Conversion;
use super::index::{Index, Slot};
use super::source::{Handles, Reading, guarded};
use crate::data::calendar::{Calendar, Date};
use crate::error::{Result, UserError};
use crate::field::Globe;

/// Values below zero by no more than this (mm/day), or by two steps of the packing, are noise.
const NOISE: f64 = 0.05;

/// More than this in a day (mm) has not been measured anywhere (the record is 1825 mm).
const LARGEST: f64 = 5000.0;

/// Duplicates compared when the files are opened; the others when their day is read.
const COMPARED: usize = 32;

impl RainFiles {
    pub(super) fn new(
        readings: Vec<Reading>,
        handles: Handles,
        index: Index,
        globe: Globe,
        calendar: Calendar,
    ) -> Self {
        let first = Date {
            year: 1,
            month: 1,
            day: 1,
        };
        Self {
            factors: vec![1.0; readings.len()],
            packing: vec![0.0; readings.len()],
            readings,
            handles,
            index,
            globe,
            calendar,
            always_missing: None,
            facts: super::facts::RainFacts::empty(calendar, first),
            questions: Vec::new(),
            below: Mutex::new((0, 0.0)),
        }
    }

    pub(super) fn apply(&mut self, conversion: &Conversion) {
        self.factors.clone_from(&conversion.factors);
        self.packing.clone_from(&conversion.packing);
    }

    /// `count` times from a slot on, in the file's unit, NaN where missing.
    pub(super) fn raw(&self, slot: Slot, count: usize) -> Result<Vec<f64>> {
        let file = slot.file as usize;
        let reading = &self.readings[file];
        guarded(&reading.path, || {
            let open = self.handles.get(file, &reading.path)?;
            reading.slab(&open, slot.at as usize, count)
        })
    }

    /// Mean of the intervals of a day, mm/day.
    pub(super) fn read_day(&self, i: usize) -> Result<Vec<f32>> {
        let n = self.index.per_day;
        let Some(slots) = self.index.slots.get(i * n..(i + 1) * n) else {
            return Err(UserError::new(
                format!("{} has no day {i}", self.name()),
                format!("it holds {} days, counted from 0", self.days()),
                "Ask for a day that is there",
            ));
        };
        let cells = self.globe.len();
        let mut sum = vec![0.0_f64; cells];
        let mut start = 0;
        while start < n {
            // Intervals that follow each other in a file are read together.
            let first = slots[start];
            let at_once = self.readings[first.file as usize].at_once();
            let mut count = 1;
            while start + count < n
                && count < at_once
                && slots[start + count].file == first.file
                && slots[start + count].at == first.at + count as u32
            {
                count += 1;
            }
            let values = self.raw(first, count)?;
            for frame in values.chunks_exact(cells) {
                self.add(i, first.file as usize, frame, &mut sum)?;
            }
            start += count;
        }
        let day = i * n..(i + 1) * n;
        let from = self.index.duplicates.partition_point(|d| d.0 < day.start);
        for &(position, other) in self.index.duplicates[from..]
            .iter()
            .take_while(|d| d.0 < day.end)
        {
            self.compare(position, other)?;
        }
        let share = 1.0 / n as f64;
        if let Some(cell) = sum.iter().position(|v| v * share > LARGEST) {
            return Err(self.at(
                i,
                slots[0].file as usize,
                cell,
                format!("{:.4e} mm/day, more than ever fell", sum[cell] * share),
                "Check the unit (--units), or correct the file",
            ));
        }
        Ok(sum.into_iter().map(|v| (v * share) as f32).collect())
    }

    /// Adds one interval in mm/day, with noise below zero set to zero.
    fn add(&self, day: usize, file: usize, frame: &[f64], sum: &mut [f64]) -> Result<()> {
        let factor = self.factors[file];
        let noise = NOISE.max(2.0 * self.packing[file]);
        let mut below = (0_u64, 0.0_f64);
        for (cell, (&value, total)) in frame.iter().zip(sum.iter_mut()).enumerate() {
            if value.is_nan() {
                if self.always_missing.as_ref().is_some_and(|m| m[cell]) {
                    *total = f64::NAN;
                    continue;
                }
                let missing = frame
                    .iter()
                    .enumerate()
                    .filter(|(c, v)| {
                        v.is_nan() && !self.always_missing.as_ref().is_some_and(|m| m[*c])
                    })
                    .count();
                let more = match missing - 1 {
                    0 => "a missing value".to_owned(),
                    n => format!("a missing value, as {n} other cells have"),
                };
                return Err(self.at(
                    day,
                    file,
                    cell,
                    more,
                    "Fill the gap, or leave out the days that have it",
                ));
            }
            let amount = value * factor;
            if amount < 0.0 {
                if amount < -noise {
                    return Err(self.at(
                        day,
                        file,
                        cell,
                        format!("{amount:.4e} mm/day, below zero by more than packing noise"),
                        "Check that the variable is precipitation and its unit is right, or correct the file",
                    ));
                }
                below = (below.0 + 1, below.1.min(amount));
                continue;
            }
            *total += amount;
        }
        if below.0 > 0 {
            let mut seen = self.below.lock().unwrap_or_else(PoisonError::into_inner);
            *seen = (seen.0 + below.0, seen.1.min(below.1));
        }
        Ok(())
    }

    /// Some of the duplicates, evenly spread.
    pub(super) fn check_some_duplicates(&self) -> Result<()> {
        let all = &self.index.duplicates;
        let every = all.len().div_ceil(COMPARED).max(1);
        all.iter()
            .step_by(every)
            .try_for_each(|&(position, other)| self.compare(position, other))
    }

    /// Two values of one interval must be equal, but for the packing.
    fn compare(&self, position: usize, other: Slot) -> Result<()> {
        let used = self.index.slots[position];
        let (a, b) = (self.raw(used, 1)?, self.raw(other, 1)?);
        let (fa, fb) = (used.file as usize, other.file as usize);
        let (ka, kb) = (self.factors[fa], self.factors[fb]);
        let packing = if fa == fb {
            0.0
        } else {
            0.51 * (self.packing[fa] + self.packing[fb])
        };
        let differ = a.iter().zip(&b).position(|(a, b)| {
            let (a, b) = (a * ka, b * kb);
            let near = (a - b).abs() <= packing + 1e-6 * a.abs().max(b.abs());
            let equal = near || (a.is_nan() && b.is_nan());
            !equal
        });
        let Some(cell) = differ else {
            return Ok(());
        };
        let mut error = self.at(
            position / self.index.per_day,
            fa,
            cell,
            format!(
                "two different values: {:.6} and {:.6} mm/day",
                a[cell] * ka,
                b[cell] * kb
            ),
            "Leave out one of the files, or correct the time axis",
        );
        if fa != fb {
            error.cause.push_str(&format!(
                " (the second in {})",
                self.readings[fb].path.display()
            ));
        }
        Err(error)
    }

    /// An error that says where.
    fn at(&self, day: usize, file: usize, cell: usize, what: String, remedy: &str) -> UserError {
        let (j, i) = (cell / self.globe.nx, cell % self.globe.nx);
        let (lat, lon) = (
            self.globe.lat.get(j).copied().unwrap_or(f64::NAN),
            self.globe.lon(i),
        );
        let side = if lat < 0.0 { "S" } else { "N" };
        UserError::new(
            format!("Cannot use {}", self.readings[file].path.display()),
            format!(
                "{} at {:.2} {side} {lon:.2} E: {what}",
                self.date(day),
                lat.abs()
            ),
            remedy,
        )
    }
}
