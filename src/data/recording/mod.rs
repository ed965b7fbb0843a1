//! Recorded days on a model's grid: truth to compare with and to start from.

mod clip;
mod from_files;

use std::sync::Arc;

pub use clip::{Clip, ClipInfo};
pub use from_files::FileRecording;

use crate::data::calendar::{Calendar, Date};
use crate::error::Result;
use crate::field::Globe;

/// A series of days on one grid, amounts in mm/day, rows south to north.
pub trait Recording: Send {
    /// The grid.
    fn globe(&self) -> &Globe;
    /// The calendar.
    fn calendar(&self) -> Calendar;
    /// Number of days.
    fn days(&self) -> usize;
    /// Date of day `i`.
    fn date(&self, i: usize) -> Date;
    /// Day `i`, mm/day.
    ///
    /// # Errors
    /// A day out of range, or one that cannot be read.
    fn day(&self, i: usize) -> Result<Arc<[f32]>>;
    /// Day of a date, if it is there.
    fn index_of(&self, date: Date) -> Option<usize>;
    /// Each `i` where day `i` does not follow day `i - 1`.
    fn breaks(&self) -> &[usize];
    /// Name for people.
    fn name(&self) -> String;
}

/// The clip that comes with the program: days of the test split that no shipped model was trained or tuned on.
///
/// # Errors
/// A build whose asset is damaged.
pub fn shipped_clip() -> Result<Clip> {
    Clip::read(include_bytes!("../../../assets/precipitation-test.png"))
}
