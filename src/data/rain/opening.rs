//! From paths to a series of days: what is recognised, what is asked.

use std::path::{Path, PathBuf};

use super::RainFiles;
use super::amount::{self, Conversion};
use super::choices::{Choices, Question, Stamp, Topic};
use super::facts::RainFacts;
use super::file_meta::{self, FileMeta, NEEDED};
use super::index::{self, Standing};
use super::layout::{self, Candidates, Role};
use super::probe;
use super::source::{Handles, Reading, guarded};
use crate::data::files::cannot_read;
use crate::data::rain::times::DAY;
use crate::error::{Result, UserError};
use crate::field::Globe;

/// See [`RainFiles::open`].
pub(super) fn open(paths: &[PathBuf], choices: &Choices) -> Result<RainFiles> {
    let Some(first) = paths.first() else {
        return Err(UserError::new(
            "There is no file to read",
            "no file was named",
            NEEDED,
        ));
    };
    let mut questions = Vec::new();
    let handles = Handles::default();
    let variable = guarded(first, || {
        let file = handles.get(0, first)?;
        let found = layout::candidates(&file).map_err(|e| super::source::damaged(first, &e))?;
        choose_variable(first, &found, choices, &mut questions)
    })?;
    let metas = paths
        .iter()
        .enumerate()
        .map(|(i, path)| {
            guarded(path, || {
                file_meta::read(path, &*handles.get(i, path)?, &variable)
            })
        })
        .collect::<Result<Vec<FileMeta>>>()?;
    let globe = metas[0].placed.globe.clone();
    let readings = readings(paths, &variable, &metas, &globe, choices, &mut questions)?;

    let step = common_step(paths, &metas)?;
    let timing = timing(paths, &metas, step, &variable, choices, &mut questions)?;
    let calendar = metas[0].time.calendar;
    let index = index::build(&timing.middles, step);
    if index.days.is_empty() {
        return Err(cannot_read(
            first,
            format!(
                "it holds no whole day: at most {} of {} times of a day are there",
                index.incomplete.iter().map(|d| d.1).max().unwrap_or(0),
                index.per_day
            ),
            "Give files that hold whole days (for ERA5 hours 01 to 24 of a day, the last one stamped 00 of the next day)",
        ));
    }

    let mut files = RainFiles::new(readings, handles, index, globe, calendar);
    let conversion = amount::recognise(&files, &metas, &variable, step, choices, &mut questions)?;
    files.apply(&conversion);
    let probed = probe::look(&files)?;
    files.always_missing = probed.missing.clone();
    files.facts = facts(
        &files,
        &metas,
        &variable,
        step,
        &timing,
        &conversion,
        &probed,
    );
    if choices.guess {
        for q in &questions {
            files.facts.notes.push(format!(
                "guessed: {} {} ({})",
                q.topic.flag(),
                q.guess,
                q.text
            ));
        }
        questions.clear();
    }
    files.questions = questions;
    files.check_some_duplicates()?;
    Ok(files)
}

fn choose_variable(
    path: &Path,
    found: &Candidates,
    choices: &Choices,
    questions: &mut Vec<Question>,
) -> Result<String> {
    if let Some(name) = &choices.variable {
        return Ok(name.clone());
    }
    let ask = |questions: &mut Vec<Question>, options: &[String], text: &str| {
        questions.push(Question {
            topic: Topic::Variable,
            text: text.into(),
            options: options.to_vec(),
            guess: options.first().cloned().unwrap_or_default(),
        });
    };
    match (found.known.as_slice(), found.other.as_slice()) {
        ([only], _) => Ok(only.clone()),
        ([first, ..], _) => {
            ask(
                questions,
                &found.known,
                "Several variables may be the precipitation: which one is meant?",
            );
            Ok(first.clone())
        }
        ([], [first, ..]) => {
            ask(
                questions,
                &found.other,
                "No variable is named as precipitation is: which one is meant?",
            );
            Ok(first.clone())
        }
        ([], []) => Err(match found.off_grid.first() {
            Some(name) => cannot_read(
                path,
                format!("its variable {name} does not stand on a latitude-longitude grid"),
                "Regrid it to a regular latitude-longitude grid first, for instance with: cdo remapcon,r360x180 in.nc out.nc",
            ),
            None => cannot_read(
                path,
                match found.all.as_slice() {
                    [] => "it has no variables".to_owned(),
                    all => format!(
                        "it has no field on a latitude-longitude grid; it has: {}",
                        all.join(", ")
                    ),
                },
                NEEDED,
            ),
        }),
    }
}

/// How each file is read; all must stand on the same grid, wherever their first row and column are.
fn readings(
    paths: &[PathBuf],
    variable: &str,
    metas: &[FileMeta],
    globe: &Globe,
    choices: &Choices,
    questions: &mut Vec<Question>,
) -> Result<Vec<Reading>> {
    let members = |m: &FileMeta| {
        let member = m.dimensions.iter().find(|d| d.role == Role::Member);
        member.map_or(1, |d| d.size)
    };
    let member = choices.member.unwrap_or(0);
    let most = metas.iter().map(members).max().unwrap_or(1);
    if choices.member.is_none() && most > 1 {
        questions.push(Question {
            topic: Topic::Member,
            text: format!(
                "The files hold an ensemble of {most} members: which one (counted from 0) is read?"
            ),
            options: (0..most.min(1000)).map(|m| m.to_string()).collect(),
            guess: "0".into(),
        });
    }
    let mut out = Vec::with_capacity(paths.len());
    for (path, meta) in paths.iter().zip(metas) {
        if meta.time.calendar != metas[0].time.calendar {
            return Err(cannot_read(
                path,
                format!(
                    "its calendar is {}, that of {} is {}",
                    meta.time.calendar.cf_name(),
                    paths[0].display(),
                    metas[0].time.calendar.cf_name()
                ),
                "Read files of one calendar at a time",
            ));
        }
        let shift = shift(globe, &meta.placed.globe).ok_or_else(|| {
            cannot_read(
                path,
                format!("its grid differs from that of {}", paths[0].display()),
                "Read files of one grid at a time, or regrid them",
            )
        })?;
        if member >= members(meta) && (members(meta) > 1 || member > 0) {
            return Err(cannot_read(
                path,
                format!(
                    "it has {} members; member {member} (counted from 0) is asked for",
                    members(meta)
                ),
                "Choose another one with --member",
            ));
        }
        out.push(Reading {
            path: path.clone(),
            variable: variable.to_owned(),
            dimensions: meta.dimensions.clone(),
            ny: globe.ny(),
            nx: globe.nx,
            flip_rows: meta.placed.flip_rows,
            flip_columns: meta.placed.flip_columns,
            shift,
            member,
        });
    }
    Ok(out)
}

/// Columns that the first column of `other` lies east of that of `globe`; `None` where the grids differ.
fn shift(globe: &Globe, other: &Globe) -> Option<usize> {
    let same = |a: &[f64], b: &[f64]| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 2e-3)
    };
    if globe.nx != other.nx || !same(&globe.lat, &other.lat) {
        return None;
    }
    let columns = (other.lon0 - globe.lon0).rem_euclid(360.0) / globe.dlon();
    ((columns - columns.round()).abs() < 1e-2).then(|| columns.round() as usize % globe.nx)
}

/// The distance of the stamps, seconds; the same in all files.
fn common_step(paths: &[PathBuf], metas: &[FileMeta]) -> Result<i64> {
    let mut common: Option<(i64, &Path)> = None;
    let fits = |path: &Path, step: i64| match index::unfit_step(step) {
        None => Ok(step),
        Some(cause) => Err(cannot_read(
            path,
            format!("{cause}; daily or finer values are needed"),
            NEEDED,
        )),
    };
    for (path, meta) in paths.iter().zip(metas) {
        let Some(step) = index::step(&meta.stamps) else {
            continue;
        };
        fits(path, step)?;
        match common {
            Some((other, first)) if other != step => {
                return Err(cannot_read(
                    path,
                    format!(
                        "its stamps are {} hours apart, those of {} {} hours",
                        step as f64 / 3600.0,
                        first.display(),
                        other as f64 / 3600.0
                    ),
                    "Read files of one time step at a time",
                ));
            }
            _ => common = Some((step, path)),
        }
    }
    if let Some((step, _)) = common {
        return Ok(step);
    }
    // One time a file: the files together tell, or the bounds, or else it is a day.
    let all: Vec<i64> = metas
        .iter()
        .flat_map(|m| m.stamps.iter().copied())
        .collect();
    if let Some(step) = index::step(&all) {
        return fits(&paths[0], step);
    }
    let width = metas[0]
        .bounds
        .as_ref()
        .and_then(|b| b.first())
        .map(|b| b.1 - b.0);
    match width {
        Some(width) if width > 0 => fits(&paths[0], width),
        _ => Ok(DAY),
    }
}

/// The middles of the intervals, and how they were found.
struct Timing {
    middles: Vec<Vec<i64>>,
    text: String,
    reordered: bool,
}

fn timing(
    paths: &[PathBuf],
    metas: &[FileMeta],
    step: i64,
    variable: &str,
    choices: &Choices,
    questions: &mut Vec<Question>,
) -> Result<Timing> {
    let amounts = metas.iter().any(|m| {
        let unit = m.units.as_deref().and_then(super::units::Unit::parse);
        matches!(unit, Some(super::units::Unit::Amount(_)))
    });
    let era5 = step < DAY && layout::ends_at_stamp(variable);
    let guess = match step {
        DAY => Stamp::Begin,
        _ if amounts || era5 => Stamp::End,
        _ => Stamp::Begin,
    };
    let stamp = choices.stamp.unwrap_or(guess);
    let mut ask = false;
    let mut text = String::new();
    let mut all = Vec::with_capacity(metas.len());
    for (path, meta) in paths.iter().zip(metas) {
        if let (Some(bounds), None) = (usable_bounds(meta, step), choices.stamp) {
            all.push(bounds);
            text = "stamps with bounds".into();
            continue;
        }
        let standing = index::standing(&meta.stamps, step);
        if standing == Standing::Mixed {
            return Err(cannot_read(
                path,
                "some of its stamps stand at whole intervals and some between",
                "Correct the time axis, or give it bounds",
            ));
        }
        if standing == Standing::Edge {
            ask |= choices.stamp.is_none() && !(era5 && step == 3600);
            text = match stamp {
                Stamp::Begin => "each stamp at the beginning of its interval".into(),
                Stamp::Middle => "each stamp in the middle of its interval".into(),
                Stamp::End => "each stamp at the end of its interval".into(),
            };
            if era5 && choices.stamp.is_none() {
                text.push_str(" (as ERA5 has it: a day is the hours 01 to 24)");
            }
        } else if text.is_empty() {
            text = "stamps inside of their intervals".into();
        }
        all.push(index::middles(&meta.stamps, step, standing, stamp));
    }
    if ask {
        let hours = step as f64 / 3600.0;
        questions.push(Question {
            topic: Topic::Stamp,
            text: format!(
                "The times have no bounds and stand at whole intervals of {hours} h: does a stamp mark the beginning of its interval, its middle, or its end (for days: the day before)?"
            ),
            options: Stamp::ALL.iter().map(|s| s.name().to_owned()).collect(),
            guess: guess.name().into(),
        });
    }
    let reordered = metas.iter().any(|m| !m.stamps.is_sorted())
        || metas
            .windows(2)
            .any(|w| w[0].stamps.last() > w[1].stamps.first());
    Ok(Timing {
        middles: all,
        text,
        reordered,
    })
}

/// Middles from the bounds of a file, where they are intervals of the step's length.
fn usable_bounds(meta: &FileMeta, step: i64) -> Option<Vec<i64>> {
    let bounds = meta.bounds.as_ref()?;
    let fits = |&(a, b): &(i64, i64)| {
        let width = b - a;
        2 * width >= step && width <= step + step / 50
    };
    (bounds.len() == meta.stamps.len() && bounds.iter().all(fits))
        .then(|| bounds.iter().map(|&(a, b)| a + (b - a) / 2).collect())
}

fn facts(
    files: &RainFiles,
    metas: &[FileMeta],
    variable: &str,
    step: i64,
    timing: &Timing,
    conversion: &Conversion,
    probed: &probe::Probed,
) -> RainFacts {
    let (index, calendar) = (&files.index, files.calendar);
    let date = |days: i64| calendar.date_from_days(days);
    let meta = &metas[0];
    let placed = &meta.placed;
    let mut units: Vec<String> = Vec::new();
    for u in metas.iter().map(|m| m.units.clone().unwrap_or_default()) {
        if !units.contains(&u) {
            units.push(u);
        }
    }
    let days = &index.days;
    let mut notes = conversion.notes.clone();
    if placed.own_bounds {
        notes.push("edges of the rows are the files' own".into());
    }
    if placed.file_columns > files.globe.nx {
        notes.push("the last column repeats the first one and is left out".into());
    }
    if meta
        .dimensions
        .iter()
        .any(|d| d.role == Role::Version && d.size > 1)
    {
        notes.push("final and preliminary data (expver) are put together".into());
    }
    RainFacts {
        files: metas.len(),
        variable: variable.to_owned(),
        long_name: meta.long_name.clone(),
        units,
        conversion: conversion.text.clone(),
        packed: metas.iter().any(|m| m.packing.is_some()),
        calendar,
        step_hours: step as f64 / 3600.0,
        stamps: timing.text.clone(),
        first: date(days.first().copied().unwrap_or(0)),
        last: date(days.last().copied().unwrap_or(0)),
        days: days.len(),
        gaps: index
            .breaks
            .iter()
            .map(|&i| (date(days[i - 1]), date(days[i])))
            .collect(),
        incomplete: index
            .incomplete
            .iter()
            .map(|&(d, there)| (date(d), there, index.per_day))
            .collect(),
        duplicates: index.duplicates.len(),
        reordered: timing.reordered,
        rows: files.globe.ny(),
        columns: files.globe.nx,
        kind_of_rows: placed.rows,
        north_first: placed.flip_rows,
        latitudes: (files.globe.lat[0], files.globe.lat[files.globe.ny() - 1]),
        longitudes: meta.longitudes,
        member: meta
            .dimensions
            .iter()
            .find(|d| d.role == Role::Member && d.size > 1)
            .map(|d| (files.readings[0].member, d.size)),
        missing_cells: probed
            .missing
            .as_ref()
            .map_or(0, |m| m.iter().filter(|m| **m).count()),
        first_mean: probed.first_mean,
        negatives: probed.negatives,
        looked_at: probed.times,
        notes,
    }
}
