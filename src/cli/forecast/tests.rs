//! Starts, draws, scores, the file that is gone on with, and the verdict.

use std::sync::Arc;

use serde_json::json;

use super::report;
use super::score::{Method, Score, Start, advantage, mean};
use crate::data::recording::Recording;
use crate::data::{Calendar, Date};
use crate::error::Result;
use crate::evaluate::ledger::Ledger;
use crate::evaluate::starts::{climatological, spread};
use crate::field::Globe;
use crate::metrics::{Weights, weighted_crps};

/// Day `i` is `i` everywhere.
struct Days {
    globe: Globe,
    count: usize,
    breaks: Vec<usize>,
}

impl Days {
    fn new(count: usize, breaks: &[usize]) -> Self {
        Self {
            globe: Globe::cell_centred(2, 2).unwrap(),
            count,
            breaks: breaks.to_vec(),
        }
    }
}

impl Recording for Days {
    fn globe(&self) -> &Globe {
        &self.globe
    }
    fn calendar(&self) -> Calendar {
        Calendar::NoLeap
    }
    fn days(&self) -> usize {
        self.count
    }
    fn date(&self, i: usize) -> Date {
        Calendar::NoLeap.date_from_days(365 * 2000 + i as i64)
    }
    fn day(&self, i: usize) -> Result<Arc<[f32]>> {
        Ok(vec![i as f32; 4].into())
    }
    fn index_of(&self, _: Date) -> Option<usize> {
        None
    }
    fn breaks(&self) -> &[usize] {
        &self.breaks
    }
    fn name(&self) -> String {
        "days".into()
    }
}

#[test]
fn starts_are_spread_and_have_days_around_them() {
    let days = Days::new(1000, &[400]);
    let starts = spread(&days, 50, 3, 10).unwrap();
    assert_eq!(starts.len(), 50);
    for pair in starts.windows(2) {
        assert!((15..40).contains(&(pair[1] - pair[0])), "{pair:?}");
    }
    for s in &starts {
        let (first, last) = (s - 3, s + 10);
        assert!(last < 1000 && (last < 400 || first >= 400), "{s}");
    }
    // Exactly as many as there are: 20 days have 3 before and 10 after within 33, 7 in a stretch of 20.
    assert_eq!(spread(&Days::new(33, &[]), 20, 3, 10).unwrap()[19], 22);
    assert!(spread(&Days::new(33, &[]), 21, 3, 10).is_err());
    assert_eq!(spread(&Days::new(53, &[20]), 27, 3, 10).unwrap().len(), 27);
    assert!(spread(&Days::new(5, &[]), 1, 3, 10).is_err());
    assert!(spread(&Days::new(500, &[]), 0, 3, 10).is_err());
}

#[test]
fn the_climatological_ensemble_knows_the_season_alone() {
    let days = Days::new(10 * 365, &[]);
    let day = 5 * 365 + 3;
    let members = climatological(&days, day, 16, 7).unwrap().unwrap();
    let drawn: Vec<usize> = members.iter().map(|m| m[0] as usize).collect();
    for d in &drawn {
        let apart = d.abs_diff(day) % 365;
        assert!(d.abs_diff(day) > 300 && apart.min(365 - apart) <= 15, "{d}");
    }
    let mut years: Vec<usize> = drawn.iter().map(|d| (d + 20) / 365).collect();
    years.sort_unstable();
    years.dedup();
    assert!(years.len() > 3, "{drawn:?}");
    let again = climatological(&days, day, 16, 7).unwrap().unwrap();
    assert_eq!(members, again);
    assert_ne!(members, climatological(&days, day, 16, 8).unwrap().unwrap());
    // A single year has no other; few days are drawn again before none is.
    assert_eq!(
        climatological(&Days::new(365, &[]), 100, 16, 7).unwrap(),
        None
    );
    let few = climatological(&Days::new(380, &[]), 370, 40, 7)
        .unwrap()
        .unwrap();
    assert_eq!(few.len(), 40);
}

fn start(number: usize, crps: [f64; 5], lead: usize) -> Start {
    let score = |(method, crps): (Method, f64)| Score {
        lead,
        method,
        members: if method == Method::Persistence { 1 } else { 3 },
        crps,
        spread2: (method != Method::Persistence).then_some(crps),
        skill2: 4.0 * crps,
    };
    Start {
        start: number,
        date: "2001-01-01".into(),
        scores: Method::ALL.into_iter().zip(crps).map(score).collect(),
        blow_up: None,
    }
}

#[test]
fn scores_and_their_means() {
    let globe = Globe::cell_centred(2, 2).unwrap();
    let rows = globe.row_weights();
    let weights = Weights::rows(&rows, 2);
    let members: [&[f32]; 3] = [&[1.0, 2.0, 3.0, 4.0], &[0.0; 4], &[2.0; 4]];
    let truth = [1.5_f32, 0.0, 2.0, 5.0];
    let s = Score::of(2, Method::Guided, &members, &truth, weights).unwrap();
    let crps = weighted_crps(&members, &truth, weights).unwrap();
    assert_eq!((s.crps, s.members, s.lead), (crps.fair.unwrap(), 3, 2));
    let one = Score::of(1, Method::Persistence, &members[..1], &truth, weights).unwrap();
    assert_eq!(one.spread2, None);
    assert!((one.crps - (0.5 + 2.0 + 1.0 + 1.0) / 4.0).abs() < 1e-12);
    assert!((one.skill2 - (0.25 + 4.0 + 1.0 + 1.0) / 4.0).abs() < 1e-12);
    assert_eq!(Score::of(1, Method::Guided, &[], &truth, weights), None);
    assert_eq!(
        Score::of(1, Method::Guided, &members, &truth[1..], weights),
        None
    );

    let starts = [start(0, [1.0; 5], 1), start(1, [3.0; 5], 1)];
    let m = mean(&starts, Method::Guided, 1).unwrap();
    assert_eq!((m.starts, m.crps), (2, 2.0));
    // Variances are averaged before the root: sqrt(4/3) sqrt(2) / sqrt(8).
    assert!((m.ratio - (4.0_f64 / 3.0).sqrt() / 2.0).abs() < 1e-12);
    assert!(
        mean(&starts, Method::Persistence, 1)
            .unwrap()
            .ratio
            .is_nan()
    );
    assert!(mean(&starts, Method::Guided, 2).is_none());
    let (d, e) = advantage(&starts, Method::Guided, Method::Climatology, 1).unwrap();
    assert_eq!((d, e), (0.0, 0.0));
}

#[test]
fn the_verdict() {
    // Guided, forecaster, unconditional, climatology, persistence.
    let better = [start(0, [1.0, 0.5, 1.2, 1.1, 1.3], 1)];
    assert_eq!(report::holds(&better, 1), Some(true));
    let beaten = [start(0, [1.0, 0.5, 0.9, 1.1, 1.3], 2)];
    assert_eq!(report::holds(&beaten, 2), Some(false));
    // Later only climatology counts, and as good as it is enough.
    let late = [start(0, [1.0, 0.5, 0.9, 1.0, 0.8], 3)];
    assert_eq!(report::holds(&late, 3), Some(true));
    assert_eq!(report::holds(&[], 1), None);
    let text = report::text(&beaten, 2);
    assert!(text.contains("FAIL") && text.contains("climatology"));
    let json = report::json(&better, 1, &json!({}));
    assert_eq!(json["leads"][0]["scores"]["guided"]["crps"], 1.0);
    assert_eq!(json["leads"][0]["holds"], true);
    assert!(json["leads"][0]["scores"]["persistence"]["spread"].is_null());
}

#[test]
fn a_stopped_experiment_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.jsonl");
    let recipe = json!({"seed": 1, "members": 3});
    let mut ledger = Ledger::<Start>::open(Some(&path), &recipe).unwrap();
    ledger.add(start(0, [1.25; 5], 1)).unwrap();
    ledger.add(start(1, [0.1; 5], 1)).unwrap();
    drop(ledger);
    let whole = std::fs::read_to_string(&path).unwrap();
    // Cut within the last line: that start is made again, the others are kept.
    std::fs::write(&path, &whole[..whole.len() - 20]).unwrap();
    let mut ledger = Ledger::<Start>::open(Some(&path), &recipe).unwrap();
    assert_eq!(ledger.starts.len(), 1);
    assert_eq!(ledger.starts, [start(0, [1.25; 5], 1)]);
    ledger.add(start(1, [0.1; 5], 1)).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
    // Another recipe, another kind of file: refused, with what differs, and untouched.
    let other = Ledger::<Start>::open(Some(&path), &json!({"seed": 2, "members": 3}));
    let error = other.err().unwrap();
    assert!(
        error
            .cause
            .contains("seed is 1 in the file, 2 is asked for")
    );
    for text in ["a note\nof mine\n", "no line break", "[1]\n"] {
        std::fs::write(&path, text).unwrap();
        assert!(
            Ledger::<Start>::open(Some(&path), &recipe).is_err(),
            "{text}"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
    let mut memory = Ledger::<Start>::open(None, &recipe).unwrap();
    memory.add(start(4, [1.0; 5], 1)).unwrap();
    assert_eq!(memory.starts.len(), 1);
    let nowhere = folder.path().join("no/such/folder.jsonl");
    assert!(Ledger::<Start>::open(Some(&nowhere), &recipe).is_err());
}
