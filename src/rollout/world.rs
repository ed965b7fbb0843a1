//! What a rollout starts from and is compared with: the solver's turbulence, recorded days, or a process with known law.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use crate::closed_form::Process;
use crate::data::rain::Choices;
use crate::data::recording::{FileRecording, Recording, shipped_clip};
use crate::data::regrid::Regrid;
use crate::data::{Calendar, Date};
use crate::error::{Result, UserError};
use crate::field::Globe;
use crate::random::{NoiseKey, Stream};
use crate::sim;

use super::engine::HISTORY;
use super::settings::RolloutSpec;

/// What goes on as truth.
pub enum World {
    /// The solver.
    Solver(Box<sim::Solver>),
    /// Recorded days on the model's grid.
    Recorded(Rc<dyn Recording>),
    /// A world with known answers.
    Process(Box<dyn Process>),
}

impl World {
    /// Time between frames: in the solver's unit, or a day.
    pub fn frame_interval(&self) -> f64 {
        match self {
            Self::Solver(solver) => solver.params().frame_interval(),
            Self::Recorded(_) | Self::Process(_) => 1.0,
        }
    }

    /// The solver, where truth has one.
    pub fn solver(&mut self) -> Option<&mut sim::Solver> {
        match self {
            Self::Solver(solver) => Some(solver),
            Self::Recorded(_) | Self::Process(_) => None,
        }
    }

    /// The recording, where truth is one.
    pub fn recording(&self) -> Option<&Rc<dyn Recording>> {
        match self {
            Self::Solver(_) | Self::Process(_) => None,
            Self::Recorded(recording) => Some(recording),
        }
    }
}

/// The recording that comes with the program, on a model's grid.
///
/// # Errors
/// A build whose asset is damaged.
pub fn shipped_recording(globe: &Globe) -> Result<Rc<dyn Recording>> {
    let clip = shipped_clip()?;
    let regrid = Regrid::new(clip.globe(), globe);
    if regrid.is_identity() {
        return Ok(Rc::new(clip));
    }
    Ok(Rc::new(Regridded {
        inner: Box::new(clip),
        regrid,
        globe: globe.clone(),
    }))
}

/// A person's own files as a recording on a model's grid.
///
/// # Errors
/// Files that cannot be read, or that leave a question open.
pub fn files_as_recording(
    paths: &[PathBuf],
    choices: &Choices,
    globe: &Globe,
) -> Result<Rc<dyn Recording>> {
    Ok(Rc::new(FileRecording::open(paths, choices, globe)?))
}

/// A recording of another grid.
struct Regridded {
    inner: Box<dyn Recording>,
    regrid: Regrid,
    globe: Globe,
}

impl Recording for Regridded {
    fn globe(&self) -> &Globe {
        &self.globe
    }

    fn calendar(&self) -> Calendar {
        self.inner.calendar()
    }

    fn days(&self) -> usize {
        self.inner.days()
    }

    fn date(&self, i: usize) -> Date {
        self.inner.date(i)
    }

    fn day(&self, i: usize) -> Result<Arc<[f32]>> {
        Ok(self.regrid.apply(&self.inner.day(i)?).into())
    }

    fn index_of(&self, date: Date) -> Option<usize> {
        self.inner.index_of(date)
    }

    fn breaks(&self) -> &[usize] {
        self.inner.breaks()
    }

    fn name(&self) -> String {
        self.inner.name()
    }
}

/// The days of a rollout: its dates, and the recorded day that truth shows for each.
#[derive(Clone)]
pub struct Days {
    recording: Rc<dyn Recording>,
    calendar: Calendar,
    /// Days from 0001-01-01 to frame 0.
    first: i64,
    /// Day of the recording that is frame 0.
    start: usize,
    /// Whole years in the recording.
    years: i32,
}

impl Days {
    /// The start that a rollout asks for, and its number of start frames: [`HISTORY`] of them, or fewer (`history + 1` at
    /// least) where the recording has no more days in a row.
    ///
    /// # Errors
    /// A date that is not in the recording, too few days before it, a recording without so many days in a row.
    pub fn begin(
        recording: Rc<dyn Recording>,
        spec: &RolloutSpec,
        history: usize,
    ) -> Result<(Self, usize)> {
        let needed = (history + 1).min(HISTORY);
        let last = match spec.start_date {
            Some(date) => at_date(recording.as_ref(), date, needed)?,
            None => chosen(recording.as_ref(), spec.seed, needed)?,
        };
        let frames = days_in_a_row(recording.as_ref(), last).min(HISTORY);
        let start = last + 1 - frames;
        let days = Self::at(recording, start);
        Ok((days, frames))
    }

    /// The days from a day of the recording on.
    fn at(recording: Rc<dyn Recording>, start: usize) -> Self {
        let calendar = recording.calendar();
        let span = |i: usize| calendar.days_from_date(recording.date(i));
        let whole = span(recording.days().saturating_sub(1)) - span(0) + 1;
        // The length of a year without a leap day: a leap day more or less is still a whole year.
        let year = i64::from(calendar.year_length(1));
        Self {
            first: span(start),
            calendar,
            start,
            years: (whole / year).max(1) as i32,
            recording,
        }
    }

    /// The days of a rollout in another calendar, whose frame 0 has this date: to go on with a run.
    pub fn resume(recording: Rc<dyn Recording>, calendar: Calendar, first: Date) -> Self {
        Self {
            first: calendar.days_from_date(first),
            calendar,
            ..Self::at(recording, 0)
        }
    }

    /// Date of a frame.
    pub fn date(&self, frame: usize) -> Date {
        self.calendar.date_from_days(self.first + frame as i64)
    }

    /// Where a frame stands in its year, in `[0, 1)`.
    pub fn season(&self, frame: usize) -> f64 {
        self.calendar.year_fraction(self.date(frame))
    }

    /// The calendar.
    pub fn calendar(&self) -> Calendar {
        self.calendar
    }

    /// The recorded day for a frame, and its values (mm/day).
    ///
    /// # Errors
    /// A day that cannot be read.
    pub fn truth(&self, frame: usize) -> Result<(Date, Arc<[f32]>)> {
        let i = self.index(frame);
        Ok((self.recording.date(i), self.recording.day(i)?))
    }

    /// The recorded day for a frame: the one of its date; where the recording has none, the same day of the year so many
    /// whole recordings before, or of another year that has it. A pure function of the frame's number.
    fn index(&self, frame: usize) -> usize {
        let date = self.date(frame);
        let of_year = |year: i32| {
            let most = self.calendar.month_length(year, date.month);
            self.recording.index_of(Date {
                year,
                month: date.month,
                day: date.day.min(most as u8),
            })
        };
        let days = self.recording.days().max(1);
        let (oldest, newest) = (
            self.recording.date(0).year,
            self.recording.date(days - 1).year,
        );
        let turns = (date.year - oldest).max(0) / self.years;
        std::iter::once(date.year)
            .chain((1..=turns).map(|k| date.year - k * self.years))
            // A day that came before rather than one that comes later.
            .chain((oldest..=date.year.min(newest)).rev())
            .chain((oldest..=newest).rev())
            .find_map(of_year)
            // Less than a year is recorded: its days again and again, whatever the season.
            .unwrap_or((self.start + frame) % days)
    }
}

/// Days in a row that end at day `i`, itself counted.
fn days_in_a_row(recording: &dyn Recording, i: usize) -> usize {
    let breaks = recording.breaks();
    let before = breaks.partition_point(|&b| b <= i);
    let first = before
        .checked_sub(1)
        .and_then(|b| breaks.get(b))
        .copied()
        .unwrap_or(0);
    i + 1 - first.min(i)
}

fn cannot_start(recording: &dyn Recording, cause: String, remedy: String) -> UserError {
    UserError::new(
        format!("Cannot start from {}", recording.name()),
        cause,
        remedy,
    )
}

/// First and last day, for people.
fn span(recording: &dyn Recording) -> String {
    let last = recording.days().saturating_sub(1);
    format!("{} to {}", recording.date(0), recording.date(last))
}

/// The day of a date, with `needed` days in a row that end there.
fn at_date(recording: &dyn Recording, date: Date, needed: usize) -> Result<usize> {
    let calendar = recording.calendar();
    if !calendar.has(date) {
        return Err(cannot_start(
            recording,
            format!(
                "there is no {date} in its calendar ({})",
                calendar.cf_name()
            ),
            format!("choose a start date from {}", span(recording)),
        ));
    }
    let Some(i) = recording.index_of(date) else {
        return Err(cannot_start(
            recording,
            format!("it has no {date}; it holds days from {}", span(recording)),
            "choose a start date among them, or leave it out".into(),
        ));
    };
    let row = days_in_a_row(recording, i);
    if row < needed {
        return Err(cannot_start(
            recording,
            format!(
                "a history length of {} needs {needed} days in a row that end at {date}, and there are {row}",
                needed - 1
            ),
            format!(
                "choose a later start date, or a history length of {}",
                row - 1
            ),
        ));
    }
    Ok(i)
}

/// The day that a seed chooses, among those with enough days in a row before them.
fn chosen(recording: &dyn Recording, seed: u64, needed: usize) -> Result<usize> {
    let days = recording.days();
    let edges: Vec<usize> = std::iter::once(0)
        .chain(recording.breaks().iter().copied())
        .chain(std::iter::once(days))
        .collect();
    let runs = |length: usize| -> Vec<(usize, usize)> {
        edges
            .windows(2)
            .map(|e| (e[0], e[1].saturating_sub(e[0]) + 1))
            .filter(|(_, n)| *n > length)
            .map(|(first, n)| (first + length - 1, n - length))
            .collect()
    };
    // All the frames that a discriminator can use, or else as many as it needs.
    let mut choice = runs(HISTORY);
    if choice.is_empty() {
        choice = runs(needed);
    }
    let count: usize = choice.iter().map(|(_, n)| n).sum();
    let key = NoiseKey {
        seed,
        stream: Stream::InitialState,
        member: 0,
        frame: 0,
        step: 0,
    };
    let u = key.uniform(1).first().copied().unwrap_or(0.5);
    let mut at = ((u * count as f64) as usize).min(count.saturating_sub(1));
    for (first, n) in choice {
        if at < n {
            return Ok(first + at);
        }
        at -= n;
    }
    Err(cannot_start(
        recording,
        format!("a start needs {needed} days in a row, and it holds {days} day(s)"),
        "give files that hold more days, or a history length of 0".into(),
    ))
}

#[cfg(test)]
#[path = "world_tests.rs"]
mod tests;
