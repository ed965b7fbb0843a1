//! Precipitation files of different making, made by `reference/rain_files.py`: every good one gives what xarray gives, every
//! bad one an error that says what is wrong, and damaged ones never a panic.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use eddyscope::data::expand_paths;
use eddyscope::data::rain::{Accumulated, Choices, RainFiles, Stamp};
use eddyscope::data::recording::{Recording, shipped_clip};
use eddyscope::error::{Result, UserError};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    about: String,
    files: Vec<String>,
    choices: Answers,
    #[serde(default)]
    questions: Vec<String>,
    /// Pieces of the text of the facts.
    #[serde(default)]
    says: Vec<String>,
    expected: Option<Expected>,
    error: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Answers {
    variable: Option<String>,
    units: Option<String>,
    stamp: Option<Stamp>,
    accumulated: Option<Accumulated>,
    member: Option<usize>,
    guess: bool,
}

#[derive(Deserialize)]
struct Expected {
    dates: Vec<String>,
    lat: Vec<f64>,
    lon0: f64,
    nx: usize,
    values: Vec<Vec<Option<f64>>>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rain")
}

fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(folder().join("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn paths(case: &Case) -> Vec<PathBuf> {
    case.files.iter().map(|f| folder().join(f)).collect()
}

fn choices(case: &Case) -> Choices {
    let a = &case.choices;
    Choices {
        variable: a.variable.clone(),
        units: a.units.clone(),
        stamp: a.stamp,
        accumulated: a.accumulated,
        member: a.member,
        guess: a.guess,
    }
}

fn read_all(paths: &[PathBuf], choices: &Choices) -> Result<(RainFiles, Vec<Vec<f32>>)> {
    let files = RainFiles::open(paths, choices)?;
    let days = (0..files.days())
        .map(|i| files.day(i))
        .collect::<Result<_>>()?;
    Ok((files, days))
}

#[test]
fn good_files_give_what_xarray_gives() {
    let mut seen = 0;
    for case in cases().iter().filter(|c| c.expected.is_some()) {
        let about = &case.about;
        let expected = case.expected.as_ref().unwrap();
        let (files, days) =
            read_all(&paths(case), &choices(case)).unwrap_or_else(|e| panic!("{about}: {e}"));
        let dates: Vec<String> = (0..files.days())
            .map(|i| files.date(i).to_string())
            .collect();
        assert_eq!(dates, expected.dates, "{about}");
        let globe = files.globe();
        assert_eq!(
            (globe.nx, globe.ny()),
            (expected.nx, expected.lat.len()),
            "{about}"
        );
        let turn = (globe.lon0 - expected.lon0 + 180.0).rem_euclid(360.0) - 180.0;
        assert!(
            turn.abs() < 1e-4,
            "{about}: {} {}",
            globe.lon0,
            expected.lon0
        );
        for (a, b) in globe.lat.iter().zip(&expected.lat) {
            assert!((a - b).abs() < 1e-5, "{about}: latitude {a} {b}");
        }
        for (i, (day, reference)) in days.iter().zip(&expected.values).enumerate() {
            assert_eq!(day.len(), reference.len(), "{about}");
            for (cell, (&v, r)) in day.iter().zip(reference).enumerate() {
                // xarray unpacks some files in single precision, whose steps at an offset of 50 mm/day are 4e-6.
                let close = match r {
                    Some(r) => (f64::from(v) - r).abs() <= 1e-6 * r.abs().max(4.0),
                    None => v.is_nan(),
                };
                assert!(close, "{about}: day {i}, cell {cell}: {v}, xarray {r:?}");
            }
        }
        let text = files.facts().to_string();
        for piece in &case.says {
            assert!(text.contains(piece), "{about}: {piece:?} is not in\n{text}");
        }
        seen += 1;
    }
    assert!(seen >= 60, "{seen}");
}

#[test]
fn guesses_are_asked_and_days_refused_until_answered() {
    for case in cases().iter().filter(|c| c.expected.is_some()) {
        let files = RainFiles::open(&paths(case), &Choices::default()).unwrap();
        let topics: Vec<String> = files
            .questions()
            .iter()
            .map(|q| q.topic.flag().trim_start_matches("--").to_owned())
            .collect();
        assert_eq!(
            topics,
            case.questions,
            "{}\n{:#?}",
            case.about,
            files.questions()
        );
        match files.questions().first() {
            None => assert!(files.day(0).is_ok()),
            Some(q) => {
                let error = files.day(0).unwrap_err();
                assert!(error.remedy.contains(q.topic.flag()), "{error}");
                assert!(q.options.contains(&q.guess), "{q:?}");
                // Answered with the guesses, the days are given out.
                let mut answers = Choices::default();
                for q in files.questions() {
                    assert!(answers.answer(q.topic, &q.guess), "{q:?}");
                }
                let answered = RainFiles::open(&paths(case), &answers).unwrap();
                assert_eq!(answered.questions(), [], "{}", case.about);
                assert!(answered.day(0).is_ok(), "{}", case.about);
            }
        }
    }
}

#[test]
fn bad_files_say_what_is_wrong() {
    let mut seen = 0;
    for case in cases().iter().filter(|c| c.error.is_some()) {
        let error: UserError = match read_all(&paths(case), &choices(case)) {
            Ok(_) => panic!("{}: was read", case.about),
            Err(error) => error,
        };
        let piece = case.error.as_ref().unwrap();
        assert!(
            error.cause.contains(piece),
            "{}: {piece:?} is not in\n{error}",
            case.about
        );
        assert!(
            case.files
                .iter()
                .any(|f| error.headline.contains(f.as_str())),
            "{}: no file named in\n{error}",
            case.about
        );
        assert!(!error.remedy.is_empty());
        seen += 1;
    }
    assert!(seen >= 40, "{seen}");
}

/// The dataset that the shipped model is made from, if it is there: `EDDYSCOPE_RAIN_DATA` names its folder.
#[test]
fn statistics_of_the_shipped_models_data() {
    let Some(folder) = std::env::var_os("EDDYSCOPE_RAIN_DATA").map(PathBuf::from) else {
        println!("skipped: EDDYSCOPE_RAIN_DATA does not name the folder of the SPEEDY data");
        return;
    };
    let paths = expand_paths(&[folder.display().to_string()]).unwrap();
    let files = RainFiles::open(&paths, &Choices::default()).unwrap();
    assert_eq!(
        (files.days(), files.questions(), files.breaks().len()),
        (21_900, [].as_slice(), 0)
    );
    let s = files.statistics(|_| true).unwrap();
    println!("{s:?}");
    // As the data's description gives them, to the digits that it gives; its mean has the Gaussian weights of the files
    // (2.6415), ours the areas of rows that end half-way between their latitudes (2.6412).
    assert!((s.mean - 2.6412).abs() < 5e-5, "mean {}", s.mean);
    assert!(
        (s.mean_std - 0.095).abs() < 1e-3,
        "std of the mean {}",
        s.mean_std
    );
    assert!(
        (s.zeros - 0.375).abs() < 2e-3 && (s.wet - 0.475).abs() < 2e-3,
        "{} {}",
        s.zeros,
        s.wet
    );
    let expected = [
        (0.06, 0.006),
        (1.27, 0.02),
        (6.3, 0.06),
        (12.5, 0.06),
        (25.4, 0.06),
        (38.0, 0.5),
    ];
    for (p, (value, near)) in s.percentiles.iter().zip(expected) {
        assert!((p - value).abs() < near, "{p} {value}");
    }
    assert!((s.largest - 74.5).abs() < 0.05, "{}", s.largest);
    assert_eq!(s.below_zero, 0);
    // The shipped clip is the end of these days, to half a step of the cube root.
    let clip = shipped_clip().unwrap();
    assert!(clip.globe().same(files.globe()));
    for i in (0..clip.days()).step_by(9) {
        let day = files.day(files.index_of(clip.date(i)).unwrap()).unwrap();
        for (a, b) in day.iter().zip(clip.day(i).unwrap().iter()) {
            let off = f64::from(a.cbrt() - b.cbrt()).abs();
            assert!(off <= 0.501 * clip.info().step, "{} {a} {b}", clip.date(i));
        }
    }
}

/// Flips and cuts bytes of small files: an answer or an error, never a panic.
#[test]
fn damage_never_panics() {
    // Panics inside of the NetCDF crate are caught by the reader; they need not be printed from this thread.
    let usual = std::panic::take_hook();
    let here = std::thread::current().id();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().id() != here {
            usual(panic);
        }
    }));
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("damaged.nc");
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = move |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % n.max(1) as u64) as usize
    };
    let mut refused = 0;
    let names = [
        "cdf1.nc",
        "packed-short.nc",
        "cdf5.nc",
        "nc4-deflate.nc",
        "packed-ushort.nc",
        "era5-expver.nc",
    ];
    for name in names {
        let bytes = std::fs::read(folder().join(name)).unwrap();
        for round in 0..60 {
            let mut damaged = bytes.clone();
            if round % 3 == 0 {
                damaged.truncate(next(bytes.len()));
            } else {
                for _ in 0..=next(6) {
                    let at = next(if round % 2 == 0 {
                        damaged.len()
                    } else {
                        damaged.len().min(900)
                    });
                    damaged[at] = next(256) as u8;
                }
            }
            std::fs::write(&path, &damaged).unwrap();
            let paths = [path.clone()];
            let outcome = std::panic::catch_unwind(|| {
                read_all(
                    &paths,
                    &Choices {
                        guess: true,
                        ..Choices::default()
                    },
                )
                .is_err()
            });
            refused += usize::from(
                outcome.unwrap_or_else(|_| panic!("a panic on damaged {name}, round {round}")),
            );
        }
    }
    drop(std::panic::take_hook());
    assert!(
        refused > 100,
        "only {refused} of 360 damaged files were refused"
    );
}
