//! Reading the days of a run or of a recording, one after the other, and what is read off them.

use std::ops::ControlFlow;
use std::path::PathBuf;

use crate::data::rain::{Choices, RainFiles, Topic};
use crate::data::recording::{FileRecording, Recording};
use crate::error::{Result, UserError};
use crate::field::Globe;
use crate::metrics::RainStream;
use crate::metrics::rain::{MonthlyMeans, RainSummary, YearFigures, Years};

/// What the days of all members say together.
pub struct Survey {
    /// Members.
    pub members: usize,
    /// Days of a member.
    pub days: usize,
    /// First and last day that entered.
    pub span: [String; 2],
    /// Figures over all days; the anomalies are those from the series' own monthly climatology.
    pub summary: RainSummary,
    /// Monthly climatology, `[12][cells]`, mm/day; NaN in months that never come.
    pub monthly: Vec<Vec<f32>>,
    /// Whole years of all members.
    pub years: Vec<YearFigures>,
}

/// The members in files as recordings on a grid: on that of the files where none is asked for. All members, unless one is
/// chosen.
///
/// # Errors
/// Files that cannot be read, open questions (other than which member).
pub fn open(
    paths: &[PathBuf],
    choices: &Choices,
    grid: Option<&Globe>,
) -> Result<Vec<FileRecording>> {
    let files = RainFiles::open(paths, choices)?;
    let grid = grid.unwrap_or(files.globe()).clone();
    let about_members = |f: &RainFiles| f.questions().iter().any(|q| q.topic == Topic::Member);
    match files.facts().member {
        Some((_, count)) if choices.member.is_none() && (count > 1 || about_members(&files)) => (0
            ..count)
            .map(|k| {
                let choices = Choices {
                    member: Some(k),
                    ..choices.clone()
                };
                FileRecording::open(paths, &choices, &grid)
            })
            .collect(),
        _ => Ok(vec![FileRecording::new(files, &grid)?]),
    }
}

/// Reads all days of all members twice, one day at a time: the monthly climatology, then the figures. `None` where
/// `tick`, called for every day of both passes, asks to stop.
///
/// # Errors
/// Days that cannot be read; no day left after `skip`.
pub fn survey(
    members: &[&dyn Recording],
    skip: usize,
    tick: &mut dyn FnMut() -> ControlFlow<()>,
) -> Result<Option<Survey>> {
    let Some(first) = members.first().filter(|m| m.days() > skip) else {
        let (name, days) = members
            .first()
            .map_or((String::new(), 0), |m| (m.name(), m.days()));
        return Err(UserError::new(
            format!("There is nothing to judge in {name}"),
            format!("it holds {days} days, and the first {skip} are left out"),
            "make a longer run, or leave out fewer days (--skip)",
        ));
    };
    let month = |r: &dyn Recording, i: usize| usize::from(r.date(i).month.saturating_sub(1));
    let mut monthly = MonthlyMeans::new(first.globe().len());
    for member in members {
        for i in skip..member.days() {
            monthly.push(&member.day(i)?, month(*member, i));
            if tick().is_break() {
                return Ok(None);
            }
        }
    }
    let monthly = monthly.means();
    let unfit = || {
        UserError::new(
            format!("The members of {} do not fit together", first.name()),
            "their grids differ, or a value is missing",
            "compare files of one run",
        )
    };
    let mut stream = RainStream::with_climatology(first.globe(), &monthly).ok_or_else(unfit)?;
    // A year of the calendar without leap days.
    let length = first.calendar().year_length(2001) as usize;
    let mut years = Years::new(stream.grid(), length);
    for member in members {
        for i in skip..member.days() {
            if i > skip && member.breaks().binary_search(&i).is_ok() {
                stream.end_series();
                years.gap();
            }
            let (day, month) = (member.day(i)?, month(*member, i));
            if !stream.push(&[&day], month) {
                return Err(unfit());
            }
            years.push(&day, month);
            if tick().is_break() {
                return Ok(None);
            }
        }
        stream.end_series();
        years.end_series();
    }
    Ok(Some(Survey {
        members: members.len(),
        days: first.days() - skip,
        span: [
            first.date(skip).to_string(),
            first.date(first.days() - 1).to_string(),
        ],
        summary: stream.figures(),
        monthly,
        years: years.years().to_vec(),
    }))
}
