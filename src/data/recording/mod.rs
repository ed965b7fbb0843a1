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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_clip_opens() {
        let clip = shipped_clip().unwrap();
        assert_eq!(
            (clip.days(), clip.globe().ny(), clip.globe().nx),
            (730, 48, 96)
        );
        assert_eq!(clip.date(0).to_string(), "2059-01-01");
        assert_eq!(clip.date(729).to_string(), "2060-12-31");
        assert!(clip.info().source.contains("SPEEDY") && clip.info().terms.contains("licence"));
        let mean = (0..730)
            .map(|i| clip.globe().mean(&clip.day(i).unwrap()))
            .sum::<f64>()
            / 730.0;
        assert!((mean - 2.641).abs() < 1e-3, "{mean}");
    }
}
