//! Which days forecasts start from, and which days the climatological ensemble is drawn from.

use std::ops::Range;
use std::sync::Arc;

use crate::data::Date;
use crate::data::recording::Recording;
use crate::error::{Result, UserError};
use crate::random::{NoiseKey, Stream};

/// Days of the year to both sides of the verifying one from which the climatological ensemble is drawn.
const WINDOW: i64 = 15;

/// Days nearer than this to the verifying one do not enter the climatological ensemble.
pub const APART: usize = 60;

/// Days of which each has `before` days in a row before it and `after` days after it: `count` of them, evenly spread over
/// the recording, so that the seasons are covered.
///
/// # Errors
/// A recording with fewer such days.
pub fn spread(
    recording: &dyn Recording,
    count: usize,
    before: usize,
    after: usize,
) -> Result<Vec<usize>> {
    let edges: Vec<usize> = std::iter::once(0)
        .chain(recording.breaks().iter().copied())
        .chain(std::iter::once(recording.days()))
        .collect();
    let fit: Vec<usize> = edges
        .windows(2)
        .flat_map(|e| within(e[0]..e[1], before, after))
        .collect();
    if fit.len() < count || count == 0 {
        return Err(UserError::new(
            format!("{} forecasts cannot start from {}", count, recording.name()),
            format!(
                "a start needs {before} days in a row before it and {after} after it; {} of its {} days have them",
                fit.len(),
                recording.days()
            ),
            "ask for fewer --starts or --leads, or give files with more days",
        ));
    }
    Ok(evenly(&fit, count))
}

/// Frames of a row of frames that have so many before and after them in it.
pub fn within(row: Range<usize>, before: usize, after: usize) -> Range<usize> {
    let first = row.start + before;
    first..row.end.saturating_sub(after).max(first)
}

/// The middle of each of `count` equal parts of a list that has as many; none of an empty one.
pub fn evenly<T: Copy>(all: &[T], count: usize) -> Vec<T> {
    (0..count)
        .filter_map(|k| all.get((2 * k + 1) * all.len() / (2 * count)).copied())
        .collect()
}

/// Day of the year, counted so that the parts of years of different length correspond.
fn place(recording: &dyn Recording, date: Date) -> f64 {
    365.0 * recording.calendar().year_fraction(date)
}

/// An ensemble without knowledge of the weather: `members` days of other times, within 15 days of the same day of the year,
/// drawn with the seed. `None` where the recording has no such day.
///
/// # Errors
/// A day that cannot be read.
pub fn climatological(
    recording: &dyn Recording,
    day: usize,
    members: usize,
    seed: u64,
) -> Result<Option<Vec<Arc<[f32]>>>> {
    let at = place(recording, recording.date(day));
    let near = |i: usize| {
        let apart = (place(recording, recording.date(i)) - at).rem_euclid(365.0);
        apart.min(365.0 - apart) <= WINDOW as f64
    };
    let choice: Vec<usize> = (0..recording.days())
        .filter(|&i| i.abs_diff(day) > APART && near(i))
        .collect();
    if choice.is_empty() {
        return Ok(None);
    }
    let key = NoiseKey {
        seed,
        stream: Stream::Climatology,
        member: 0,
        frame: day as u32,
        step: 0,
    };
    let drawn = draw(&key.uniform(members), choice);
    drawn
        .into_iter()
        .map(|i| recording.day(i))
        .collect::<Result<_>>()
        .map(Some)
}

/// Draws one of the choice for each number in `[0, 1)`, none twice while there is another; nothing from no choice.
pub fn draw(uniform: &[f64], choice: Vec<usize>) -> Vec<usize> {
    if choice.is_empty() {
        return Vec::new();
    }
    let mut left = choice.clone();
    uniform
        .iter()
        .map(|u| {
            if left.is_empty() {
                left.clone_from(&choice);
            }
            let at = ((u * left.len() as f64) as usize).min(left.len() - 1);
            left.swap_remove(at)
        })
        .collect()
}
