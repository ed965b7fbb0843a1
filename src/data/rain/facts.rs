//! What was recognised in the files, to be read by a person before anything is done with them.

use std::fmt;

use serde::Serialize;

use super::axes::Rows;
use crate::data::calendar::{Calendar, Date};

/// Everything that was recognised.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RainFacts {
    /// Number of files.
    pub files: usize,
    /// Name of the variable.
    pub variable: String,
    /// Its `long_name` or standard name.
    pub long_name: Option<String>,
    /// Its unit as the files write it (those of all files, where they differ).
    pub units: Vec<String>,
    /// How it becomes mm/day.
    pub conversion: String,
    /// Packed into integers (`scale_factor`, `add_offset`).
    pub packed: bool,
    /// Calendar.
    pub calendar: Calendar,
    /// Hours from stamp to stamp.
    pub step_hours: f64,
    /// What the stamps stand for.
    pub stamps: String,
    /// First day.
    pub first: Date,
    /// Last day.
    pub last: Date,
    /// Whole days.
    pub days: usize,
    /// Last day before and first day after each gap.
    pub gaps: Vec<(Date, Date)>,
    /// Days left out since hours are missing: date, intervals there, intervals of a day.
    pub incomplete: Vec<(Date, usize, usize)>,
    /// Intervals that are there twice with equal values.
    pub duplicates: usize,
    /// Times that had to be put in order.
    pub reordered: bool,
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// Kind of rows.
    pub kind_of_rows: Rows,
    /// Rows run north to south in the files.
    pub north_first: bool,
    /// First and last latitude, south to north.
    pub latitudes: (f64, f64),
    /// Longitude of the first and of the last column, as the first file has them.
    pub longitudes: (f64, f64),
    /// Member that is read, and how many there are.
    pub member: Option<(usize, usize)>,
    /// Cells that are missing in all times looked at.
    pub missing_cells: usize,
    /// Area-weighted mean of the first time, mm/day.
    pub first_mean: f64,
    /// Cells slightly below zero in the times looked at, which are set to zero, and the lowest, mm/day.
    pub negatives: (u64, f64),
    /// How many times were looked at.
    pub looked_at: usize,
    /// Other things to know.
    pub notes: Vec<String>,
}

impl RainFacts {
    /// Facts of nothing yet.
    pub(super) fn empty(calendar: Calendar, date: Date) -> Self {
        Self {
            files: 0,
            variable: String::new(),
            long_name: None,
            units: Vec::new(),
            conversion: String::new(),
            packed: false,
            calendar,
            step_hours: 24.0,
            stamps: String::new(),
            first: date,
            last: date,
            days: 0,
            gaps: Vec::new(),
            incomplete: Vec::new(),
            duplicates: 0,
            reordered: false,
            rows: 0,
            columns: 0,
            kind_of_rows: Rows::Uneven,
            north_first: false,
            latitudes: (0.0, 0.0),
            longitudes: (0.0, 0.0),
            member: None,
            missing_cells: 0,
            first_mean: f64::NAN,
            negatives: (0, 0.0),
            looked_at: 0,
            notes: Vec::new(),
        }
    }

    fn grid(&self) -> String {
        let order = if self.north_first {
            "north to south"
        } else {
            "south to north"
        };
        format!(
            "{} x {} ({}, {:.4} to {:.4} N, in the files {order}; longitudes {:.4} to {:.4})",
            self.rows,
            self.columns,
            self.kind_of_rows,
            self.latitudes.0,
            self.latitudes.1,
            self.longitudes.0,
            self.longitudes.1
        )
    }

    fn days_text(&self) -> String {
        let mut text = format!("{} to {}, {} days", self.first, self.last, self.days);
        match self.gaps.as_slice() {
            [] => text.push_str(", no gap"),
            [first, rest @ ..] => {
                text.push_str(&format!(
                    ", {} gap{} (from {} to {}{})",
                    self.gaps.len(),
                    if rest.is_empty() { "" } else { "s" },
                    first.0,
                    first.1,
                    if rest.is_empty() { "" } else { ", …" }
                ));
            }
        }
        text
    }
}

/// A unit in quotes, or that there is none.
fn quoted(unit: &str) -> String {
    match unit {
        "" => "none".into(),
        _ => format!("\"{unit}\""),
    }
}

impl fmt::Display for RainFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, value: &str| writeln!(f, "{name:<12} {value}");
        let name = match &self.long_name {
            Some(long) => format!("{} ({long})", self.variable),
            None => self.variable.clone(),
        };
        line("variable", &name)?;
        let units: Vec<String> = self.units.iter().map(|u| quoted(u)).collect();
        let packed = if self.packed {
            ", packed into integers"
        } else {
            ""
        };
        line(
            "unit",
            &format!("{}{packed}; {}", units.join(", "), self.conversion),
        )?;
        line("days", &self.days_text())?;
        line("calendar", self.calendar.cf_name())?;
        line(
            "time",
            &format!("a value every {} h, {}", self.step_hours, self.stamps),
        )?;
        for (date, there, of) in self.incomplete.iter().take(3) {
            line(
                "left out",
                &format!("{date}: {there} of {of} times are there"),
            )?;
        }
        if self.incomplete.len() > 3 {
            line(
                "left out",
                &format!(
                    "and {} more days that are not whole",
                    self.incomplete.len() - 3
                ),
            )?;
        }
        if self.duplicates > 0 {
            line(
                "duplicates",
                &format!(
                    "times given twice, with equal values (the first is used): {}",
                    self.duplicates
                ),
            )?;
        }
        if self.reordered {
            line("order", "times put in order")?;
        }
        line("grid", &self.grid())?;
        if let Some((member, of)) = self.member {
            line("member", &format!("index {member} of {of}"))?;
        }
        let missing = match self.missing_cells {
            0 => "none in the times looked at".to_owned(),
            n => format!(
                "{n} of {} cells in all {} times looked at",
                self.rows * self.columns,
                self.looked_at
            ),
        };
        line("missing", &missing)?;
        if self.negatives.0 > 0 {
            line(
                "below zero",
                &format!(
                    "{} values in {} times looked at, the lowest {:.2e} mm/day: packing noise, set to zero",
                    self.negatives.0, self.looked_at, self.negatives.1
                ),
            )?;
        }
        line(
            "global mean",
            &format!("{:.3} mm/day in the first time", self.first_mean),
        )?;
        for note in &self.notes {
            line("note", note)?;
        }
        line("files", &self.files.to_string())
    }
}
