//! What the numbers measure: unit and time in which an amount fell, recognised or asked.

use super::RainFiles;
use super::choices::{Accumulated, Choices, Question, Topic};
use super::file_meta::FileMeta;
use super::units::Unit;
use crate::data::files::cannot_read;
use crate::error::Result;

/// How the values become mm/day.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Conversion {
    /// Factor of each file.
    pub factors: Vec<f64>,
    /// Distance of two packed values in mm/day, 0 for those that are not packed.
    pub packing: Vec<f64>,
    pub text: String,
    pub notes: Vec<String>,
}

/// Mean over the globe, mm/day, that measurements and models have.
const USUAL: f64 = 2.7;

/// Units to choose from.
const OPTIONS: [&str; 6] = ["mm/day", "kg m-2 s-1", "m s-1", "mm", "m", "mm/h"];

/// Recognises unit and accumulation; asks where a guess could be wrong.
pub(super) fn recognise(
    files: &RainFiles,
    metas: &[FileMeta],
    variable: &str,
    step: i64,
    choices: &Choices,
    questions: &mut Vec<Question>,
) -> Result<Conversion> {
    let mean = raw_mean(files)?;
    let per_step = 86_400.0 / step as f64;
    let rate = |unit: Unit| match unit {
        Unit::Rate(f) => f,
        Unit::Amount(f) => f * per_step,
    };
    let mut notes = Vec::new();
    let chosen = match &choices.units {
        None => None,
        Some(text) => Some(Unit::parse(text).ok_or_else(|| {
            cannot_read(
                &files.readings[0].path,
                format!("the unit {text} that was given is not one of precipitation"),
                format!("Give one of: {}", OPTIONS.join(", ")),
            )
        })?),
    };
    let mut guess = None;
    let mut units = Vec::with_capacity(metas.len());
    for meta in metas {
        let own = meta.units.as_deref().and_then(Unit::parse);
        let unit = match (chosen, own) {
            (Some(unit), _) | (None, Some(unit)) => unit,
            (None, None) => {
                let likely = likely_unit(mean, variable, rate);
                if guess.is_none() {
                    let says = match meta.units.as_deref() {
                        None | Some("") => "has no unit".to_owned(),
                        Some(other) => format!(
                            "has the unit \"{other}\", which is not known as one of precipitation"
                        ),
                    };
                    questions.push(Question {
                        topic: Topic::Units,
                        text: format!("{variable} {says}; its mean over the globe is {mean:.3e}: what is its unit?"),
                        options: OPTIONS.iter().map(|o| (*o).to_owned()).collect(),
                        guess: likely.into(),
                    });
                }
                guess = Some(likely);
                Unit::parse(likely).unwrap_or(Unit::Rate(1.0))
            }
        };
        units.push(unit);
    }

    let amount = units.iter().find_map(|u| match u {
        Unit::Amount(f) => Some(*f),
        Unit::Rate(_) => None,
    });
    let over = match amount {
        None => Accumulated::Step,
        Some(factor) => accumulated(mean * factor, step, choices, questions),
    };
    let factors: Vec<f64> = units
        .iter()
        .map(|&u| match (u, over) {
            (Unit::Amount(f), Accumulated::Hour) => f * 24.0,
            (unit, _) => rate(unit),
        })
        .collect();
    if let Some(unit) = &choices.units {
        notes.push(format!("the unit {unit} was given"));
    }
    let packing = metas
        .iter()
        .zip(&factors)
        .map(|(m, f)| m.packing.unwrap_or(0.0) * f)
        .collect();
    let text = describe(factors[0], amount.is_some(), over, step);
    Ok(Conversion {
        factors,
        packing,
        text,
        notes,
    })
}

fn describe(factor: f64, amount: bool, over: Accumulated, step: i64) -> String {
    let hours = step as f64 / 3600.0;
    let times = match factor {
        1.0 => "mm/day as it is".to_owned(),
        f => format!("times {f} is mm/day"),
    };
    let mean = match 86_400 / step.max(1) {
        1 => String::new(),
        n => format!("; the day is the mean of {n} values"),
    };
    match (amount, over) {
        (false, _) => format!("a rate: {times}{mean}"),
        (true, Accumulated::Step) => format!("an amount of {hours} h: {times}{mean}"),
        (true, Accumulated::Hour) => format!("an amount of 1 h: {times}{mean}"),
    }
}

/// Area-weighted mean of the first time with values, in the file's unit.
fn raw_mean(files: &RainFiles) -> Result<f64> {
    let Some(&slot) = files.index.slots.first() else {
        return Ok(f64::NAN);
    };
    let values = files.raw(slot, 1)?;
    Ok(super::probe::mean(&files.globe, &values))
}

/// The unit that brings the mean nearest to the usual one; `tp` is likely in metres.
fn likely_unit(mean: f64, variable: &str, rate: impl Fn(Unit) -> f64) -> &'static str {
    let distance = |option: &str| {
        let unit = Unit::parse(option).unwrap_or(Unit::Rate(1.0));
        let d = (mean * rate(unit) / USUAL).ln().abs();
        let bonus = if variable.eq_ignore_ascii_case("tp") && option == "m" {
            2.3
        } else {
            0.0
        };
        if d.is_finite() { d - bonus } else { f64::MAX }
    };
    let mut best = (f64::MAX, OPTIONS[0]);
    for option in OPTIONS {
        let d = distance(option);
        if d < best.0 - 1e-9 {
            best = (d, option);
        }
    }
    best.1
}

/// Whether an amount (mean `mm` over the globe) fell between two stamps or in one hour: ERA5's fell in one hour, also where
/// hours were left out or averaged to days.
fn accumulated(
    mm: f64,
    step: i64,
    choices: &Choices,
    questions: &mut Vec<Question>,
) -> Accumulated {
    if let Some(answer) = choices.accumulated {
        return answer;
    }
    if step == 3600 {
        return Accumulated::Step;
    }
    let hours = step as f64 / 3600.0;
    let as_step = mm * 24.0 / hours;
    let as_hour = mm * 24.0;
    let far = |v: f64| {
        let d = (v / USUAL).ln().abs();
        if d.is_finite() { d } else { f64::MAX }
    };
    let guess = if far(as_hour) < far(as_step) {
        Accumulated::Hour
    } else {
        Accumulated::Step
    };
    if step == 86_400 && guess == Accumulated::Step {
        return guess;
    }
    questions.push(Question {
        topic: Topic::Accumulated,
        text: format!(
            "The amounts stand {hours} h apart: did each fall in these {hours} h (a global mean of {as_step:.2} mm/day) or in one hour, as ERA5's do ({as_hour:.2} mm/day)?"
        ),
        options: vec![Accumulated::Step.name().into(), Accumulated::Hour.name().into()],
        guess: guess.name().into(),
    });
    guess
}
