//! Daily precipitation on a latitude-longitude grid, read lazily from one or several NetCDF files.
//!
//! Opening looks at the metadata, and at a few times of the values; a day is read when it is asked for. What was
//! recognised is told by [`RainFiles::facts`]; a guess that could be wrong is a [`Question`], and no day is given out
//! before it is answered through [`Choices`].
//!
//! | file | what it does |
//! |---|---|
//! | `opening` | from paths to a series: variable, grid, times, questions |
//! | `layout` | which variable is precipitation, and what its dimensions stand for |
//! | `file_meta` | what one file says of itself |
//! | `axes` | latitudes and longitudes to a globe |
//! | `times`, `index` | time axes to days, gaps, duplicates |
//! | `units`, `amount` | units to mm/day |
//! | `source` | slabs of values from a file |
//! | `reading` | a day: missing and negative values, mean over the day |
//! | `probe`, `facts` | a first look, and what is said of it |
//! | `statistics` | figures of all days |
//! | [`choices`] | questions and answers |

mod amount;
mod axes;
pub mod choices;
mod facts;
mod file_meta;
mod index;
mod layout;
mod opening;
mod probe;
mod reading;
mod source;
mod statistics;
mod times;
mod units;

use std::path::PathBuf;
use std::sync::Mutex;

pub use axes::Rows;
pub use choices::{Accumulated, Choices, Question, Stamp, Topic};
pub use facts::RainFacts;
pub use statistics::{PERCENTILES, RainStatistics};
pub use units::Unit;

use crate::data::calendar::{Calendar, Date};
use crate::error::{Result, UserError};
use crate::field::Globe;

/// A series of days in one or several files.
pub struct RainFiles {
    readings: Vec<source::Reading>,
    handles: source::Handles,
    index: index::Index,
    globe: Globe,
    calendar: Calendar,
    /// Factor to mm/day of each file.
    factors: Vec<f64>,
    /// Distance of two packed values in mm/day of each file.
    packing: Vec<f64>,
    /// Cells that are missing in all times looked at.
    always_missing: Option<Vec<bool>>,
    facts: RainFacts,
    questions: Vec<Question>,
    /// Values below zero that were set to zero, and the lowest.
    below: Mutex<(u64, f64)>,
}

impl RainFiles {
    /// Opens files as one series; they may overlap and come in any order.
    ///
    /// # Errors
    /// Each way in which a file can be unfit, with its name, the cause and a remedy.
    pub fn open(paths: &[PathBuf], choices: &Choices) -> Result<Self> {
        opening::open(paths, choices)
    }

    /// What was recognised.
    pub fn facts(&self) -> &RainFacts {
        &self.facts
    }

    /// Guesses that must be confirmed: with any left, [`RainFiles::day`] refuses.
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// The grid of the days.
    pub fn globe(&self) -> &Globe {
        &self.globe
    }

    /// The calendar.
    pub fn calendar(&self) -> Calendar {
        self.calendar
    }

    /// Number of whole days.
    pub fn days(&self) -> usize {
        self.index.days.len()
    }

    /// Date of day `i`; that of the last one beyond the end.
    pub fn date(&self, i: usize) -> Date {
        let days = &self.index.days;
        let day = days.get(i).or(days.last()).copied().unwrap_or(0);
        self.calendar.date_from_days(day)
    }

    /// Day of a date, if it is there.
    pub fn index_of(&self, date: Date) -> Option<usize> {
        if !self.calendar.has(date) {
            return None;
        }
        let day = self.calendar.days_from_date(date);
        self.index.days.binary_search(&day).ok()
    }

    /// Each `i` where day `i` does not follow day `i - 1`.
    pub fn breaks(&self) -> &[usize] {
        &self.index.breaks
    }

    /// Names of the files.
    pub fn paths(&self) -> impl Iterator<Item = &std::path::Path> {
        self.readings.iter().map(|r| r.path.as_path())
    }

    /// Cells that are missing in all times looked at (`true`), if there are any.
    pub fn always_missing(&self) -> Option<&[bool]> {
        self.always_missing.as_deref()
    }

    /// Values below zero met so far in the days that were read, and the lowest, mm/day. They were set to zero.
    pub fn below_zero(&self) -> (u64, f64) {
        *self
            .below
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Day `i` in mm/day: rows south to north, columns from the globe's first one eastwards. Cells that are missing in all
    /// times are NaN.
    ///
    /// # Errors
    /// Open questions; a day out of range; damage; missing values, values below zero by more than packing noise, and
    /// amounts that cannot be, each with date and cell.
    pub fn day(&self, i: usize) -> Result<Vec<f32>> {
        self.answered()?;
        self.read_day(i)
    }

    /// Refuses while a question is open.
    ///
    /// # Errors
    /// Names the first question and the option that answers it.
    pub fn answered(&self) -> Result<()> {
        let Some(q) = self.questions.first() else {
            return Ok(());
        };
        let more = match self.questions.len() - 1 {
            0 => String::new(),
            n => format!(" ({n} more question{})", if n == 1 { "" } else { "s" }),
        };
        let options: Vec<&str> = q.options.iter().take(8).map(String::as_str).collect();
        Err(UserError::new(
            format!("A question about {} is open", self.name()),
            format!("{}{more}", q.text),
            format!(
                "Answer it with {} {} (one of: {}; likely {}), or take all guesses with --guess",
                q.topic.flag(),
                q.guess,
                options.join(", "),
                q.guess
            ),
        ))
    }

    /// Name for people: the file's, with the number of the others.
    pub fn name(&self) -> String {
        let first = self.readings.first().and_then(|r| r.path.file_name());
        let first = first.map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        match self.readings.len() {
            0 | 1 => first,
            n => format!("{first} and {} more", n - 1),
        }
    }
}

impl std::fmt::Debug for RainFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RainFiles")
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}
