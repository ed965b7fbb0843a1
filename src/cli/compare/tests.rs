//! Truth against itself holds; what is changed is found.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::judge::{Bar, Row, table};
use super::report;
use super::survey::{Survey, open, survey};
use crate::data::rain::Choices;
use crate::data::rain_stream::{RainStream, RainStreamInfo};
use crate::data::recording::Recording;
use crate::data::{Calendar, Date};
use crate::error::Result;
use crate::field::Globe;
use crate::metrics::rain::REGIONS;
use crate::random::{NoiseKey, Stream};

/// Days made of noise with memory, a season by latitude, and dry cells.
struct Made {
    globe: Globe,
    seed: u64,
    days: usize,
    factor: f32,
    /// Added per year, mm/day.
    drift: f32,
    /// Months that the season comes late.
    late: f64,
    memory: f32,
    made: std::sync::Mutex<(usize, Vec<f32>)>,
}

impl Made {
    fn new(seed: u64, days: usize) -> Self {
        let globe = Globe::cell_centred(24, 48).unwrap();
        Self {
            made: std::sync::Mutex::new((usize::MAX, vec![0.0; globe.len()])),
            globe,
            seed,
            days,
            factor: 1.0,
            drift: 0.0,
            late: 0.0,
            memory: 0.6,
        }
    }
}

impl Recording for Made {
    fn globe(&self) -> &Globe {
        &self.globe
    }
    fn calendar(&self) -> Calendar {
        Calendar::NoLeap
    }
    fn days(&self) -> usize {
        self.days
    }
    fn date(&self, i: usize) -> Date {
        Calendar::NoLeap.date_from_days(365 * 2000 + i as i64)
    }
    fn day(&self, i: usize) -> Result<Arc<[f32]>> {
        // Days are asked for in order.
        let mut made = self.made.lock().unwrap();
        let (from, state) = &mut *made;
        let next = from.wrapping_add(1);
        let start = if next <= i { next } else { 0 };
        for frame in start..=i {
            let key = NoiseKey {
                seed: self.seed,
                stream: Stream::Test,
                member: 0,
                frame: frame as u32,
                step: 0,
            };
            let (a, b) = match frame {
                0 => (0.0, 1.0),
                _ => (self.memory, (1.0 - self.memory.powi(2)).sqrt()),
            };
            for (v, z) in state.iter_mut().zip(key.normal_f32(self.globe.len())) {
                *v = a * *v + b * z;
            }
        }
        *from = i;
        let year = i as f64 / 365.0;
        let angle = std::f64::consts::TAU * (year - self.late / 12.0);
        let wetter = -angle.cos() as f32;
        let drift = self.drift * year as f32;
        Ok((0..self.globe.len())
            .map(|c| {
                let north = self.globe.lat[c / self.globe.nx].signum() as f32;
                let level = 1.0 + 0.8 * north * wetter;
                let v = self.factor * (state[c] + level).max(0.0).powi(2) + drift;
                if c % 7 == 0 { 0.0 } else { v }
            })
            .collect())
    }
    fn index_of(&self, _: Date) -> Option<usize> {
        None
    }
    fn breaks(&self) -> &[usize] {
        &[]
    }
    fn name(&self) -> String {
        "made".into()
    }
}

fn all_of(members: &[&dyn Recording]) -> Survey {
    survey(members, 0, &mut || ControlFlow::Continue(()))
        .unwrap()
        .unwrap()
}

fn judged(run: &Made, truth: &Survey) -> Vec<Row> {
    table(&all_of(&[run]), truth, &run.globe)
}

fn failing(rows: &[Row]) -> Vec<&str> {
    rows.iter()
        .filter(|r| r.holds() == Some(false))
        .map(|r| r.name.as_str())
        .collect()
}

#[test]
fn truth_holds_against_truth_and_changes_are_found() {
    let years = 6 * 365;
    let truth = all_of(&[&Made::new(1, years)]);
    let same = judged(&Made::new(2, years), &truth);
    assert_eq!(failing(&same), [""; 0]);
    let asked = same.iter().filter(|r| r.holds().is_some()).count();
    // 5 of correlation, 10 of amounts, 3 peaks, 7 drifts.
    assert_eq!(asked, 25);
    assert_eq!(truth.years.len(), 6);
    assert!(
        (truth.summary.acf[1] - 0.55).abs() < 0.06,
        "{:?}",
        truth.summary.acf
    );

    let changed = |change: &dyn Fn(&mut Made)| -> Vec<String> {
        let mut run = Made::new(2, years);
        change(&mut run);
        let rows = judged(&run, &truth);
        failing(&rows).iter().map(|s| (*s).to_owned()).collect()
    };
    let wetter = changed(&|r| r.factor = 1.15);
    for name in ["global mean, mm/day", "99th percentile, mm/day"] {
        assert!(wetter.iter().any(|n| n == name), "{wetter:?}");
    }
    assert!(
        !wetter
            .iter()
            .any(|n| n.contains("lag") || n.contains("peak"))
    );
    let forgetful = changed(&|r| r.memory = 0.4);
    assert!(forgetful.iter().all(|n| n.contains("lag")), "{forgetful:?}");
    assert!(forgetful.iter().any(|n| n == "mean over cells, lag 1"));
    let late = changed(&|r| r.late = 1.5);
    assert_eq!(late.iter().filter(|n| n.contains("peak")).count(), 3);
    let drifts = changed(&|r| r.drift = 0.02);
    assert!(
        drifts
            .iter()
            .any(|n| n.starts_with("global mean, mm/day, 6 years")),
        "{drifts:?}"
    );
}

#[test]
fn a_late_season_is_late_across_the_turn_of_the_year() {
    let truth = all_of(&[&Made::new(1, 730)]);
    let mut run = Made::new(2, 730);
    run.late = -0.75;
    for row in judged(&run, &truth) {
        if row.name.contains("peak") {
            assert!((row.difference + 0.75).abs() < 0.15, "{row:?}");
        }
    }
}

#[test]
fn bars_and_undefined_figures() {
    let row = |difference: f64, truth: f64, bar: Option<Bar>| Row {
        group: "",
        name: String::new(),
        run: 0.0,
        truth,
        difference,
        bar,
    };
    assert_eq!(row(0.1, 1.0, None).holds(), None);
    assert_eq!(row(-0.1, 1.0, Some(Bar::Within(0.1))).holds(), Some(true));
    assert_eq!(row(-0.2, 3.0, Some(Bar::Share(0.06))).holds(), Some(false));
    assert_eq!(
        row(0.2, f64::NAN, Some(Bar::AtMost(0.25))).holds(),
        Some(true)
    );
    assert_eq!(
        row(f64::NAN, 1.0, Some(Bar::Within(0.1))).holds(),
        Some(false)
    );
}

#[test]
fn a_short_run_and_a_stopped_one() {
    let made = Made::new(3, 20);
    let error = survey(&[&made], 20, &mut || ControlFlow::Continue(()));
    assert!(error.is_err());
    assert!(survey(&[], 0, &mut || ControlFlow::Continue(())).is_err());
    let mut left = 25;
    let stopped = survey(&[&made], 0, &mut || {
        left -= 1;
        if left == 0 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert!(stopped.unwrap().is_none());
    // Less than a year: no annual harmonic, no drift, and both forms are written all the same.
    let short = all_of(&[&made]);
    let rows = table(&short, &short, &made.globe);
    assert!(rows.iter().all(|r| !r.name.contains(REGIONS[0].name)));
    let names = ["a".to_owned(), "b".to_owned()];
    let text = report::text(&rows, &short, &short, &names);
    assert!(text.contains("mean over cells, lag 1") && text.contains("hold"));
    let json = report::json(&rows, &short, &short, &names);
    assert_eq!(json["run"]["days"], 20);
    assert_eq!(json["rows"].as_array().unwrap().len(), rows.len());
}

#[test]
fn members_of_a_file_are_series_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.nc");
    let (a, b) = (Made::new(5, 60), Made::new(6, 60));
    let info = RainStreamInfo {
        globe: a.globe.clone(),
        members: 2,
        calendar: Calendar::NoLeap,
        first: a.date(0),
        start_frames: 0,
        title: "test".into(),
        history: "test".into(),
        recipe: None,
    };
    let mut file = RainStream::create(&path, &info).unwrap();
    for i in 0..60 {
        let (a, b) = (a.day(i).unwrap(), b.day(i).unwrap());
        file.append(&[&a[..], &b[..]].concat()).unwrap();
    }
    file.sync().unwrap();
    drop(file);
    let members = open(std::slice::from_ref(&path), &Choices::default(), None).unwrap();
    assert_eq!(members.len(), 2);
    let second = Choices {
        member: Some(1),
        ..Choices::default()
    };
    let one = open(&[path], &second, None).unwrap();
    assert_eq!(one.len(), 1);
    assert_eq!(one[0].day(7).unwrap(), members[1].day(7).unwrap());
    let views: Vec<&dyn Recording> = members.iter().map(|m| m as &dyn Recording).collect();
    let (read, direct) = (all_of(&views), all_of(&[&a, &b]));
    assert_eq!(read.members, 2);
    assert_eq!(read.summary.percentiles, direct.summary.percentiles);
    for (x, y) in read.summary.acf.iter().zip(&direct.summary.acf) {
        assert!((x - y).abs() < 1e-6);
    }
}
