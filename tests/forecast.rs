//! `eddyscope forecast` from outside: scores of ensembles from recorded days, and going on after a stop.

// Helpers outside of a #[test] function may unwrap here too.
#![allow(clippy::unwrap_used)]

#[path = "support/globe.rs"]
mod globe;

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use eddyscope::data::recording::{Recording, shipped_clip};
use eddyscope::metrics::{Weights, weighted_crps};

fn command(folder: &Path, starts: usize, seed: u64) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eddyscope"));
    command
        .current_dir(folder)
        .args(["forecast", "--model", "rain", "--device", "cpu"])
        .args(["--members", "3", "--leads", "3", "--steps", "2", "--json"])
        .args(["--starts", &starts.to_string(), "--seed", &seed.to_string()])
        .args(["--out", "f.jsonl"]);
    command
}

fn json(out: &Output, code: i32) -> Value {
    let err = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(code), "{err}");
    serde_json::from_slice(&out.stdout).unwrap()
}

#[test]
fn scores_are_those_of_the_recorded_days() {
    let dir = tempfile::tempdir().unwrap();
    globe::write(dir.path());
    let table = json(&command(dir.path(), 3, 1).output().unwrap(), 0);
    assert_eq!(
        (&table["starts"], &table["blow_ups"]),
        (&3.into(), &0.into())
    );
    let leads = table["leads"].as_array().unwrap();
    assert_eq!(leads.len(), 3);
    let (grid, days) = (globe::globe(), globe::days(&globe::globe()));
    let clip = shipped_clip().unwrap();
    let file = std::fs::read_to_string(dir.path().join("f.jsonl")).unwrap();
    let started: Vec<usize> = file
        .lines()
        .skip(1)
        .map(|line| {
            let start: Value = serde_json::from_str(line).unwrap();
            let date = start["date"].as_str().unwrap().to_owned();
            (0..clip.days())
                .find(|i| clip.date(*i).to_string() == date)
                .unwrap()
        })
        .collect();
    // In the middle of each third.
    assert!(started[0] > 100 && started[2] < 640, "{started:?}");
    let rows = grid.row_weights();
    for lead in 1..=3 {
        let scores = &leads[lead - 1]["scores"];
        for method in ["guided", "forecaster", "unconditional", "climatology"] {
            let s = &scores[method];
            assert!(s["crps"].as_f64().unwrap() > 0.0, "{method}");
            assert!(s["spread_skill_ratio"].as_f64().unwrap() > 0.0, "{method}");
        }
        let direct: f64 = started
            .iter()
            .map(|&i| {
                let weights = Weights::rows(&rows, grid.nx);
                weighted_crps(&[&days[i]], &days[i + lead], weights)
                    .unwrap()
                    .biased
            })
            .sum::<f64>()
            / 3.0;
        let got = scores["persistence"]["crps"].as_f64().unwrap();
        assert!((got / direct - 1.0).abs() < 1e-6, "{got} {direct}");
        assert!(leads[lead - 1]["holds"].is_boolean());
    }
}

#[test]
fn it_goes_on_after_a_stop_with_the_same_numbers() {
    let dir = tempfile::tempdir().unwrap();
    globe::write(dir.path());
    let path = dir.path().join("f.jsonl");
    let whole = json(&command(dir.path(), 2, 5).output().unwrap(), 0);
    let written = std::fs::read_to_string(&path).unwrap();
    // As if it had been stopped while it wrote the second start.
    std::fs::write(&path, &written[..written.len() - 30]).unwrap();
    let again = json(&command(dir.path(), 2, 5).output().unwrap(), 0);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), written);
    for (a, b) in [0, 1, 2].map(|lead| (&whole["leads"][lead], &again["leads"][lead])) {
        let crps = |t: &Value| t["scores"]["guided"]["crps"].as_f64().unwrap();
        assert!((crps(a) - crps(b)).abs() < 1e-12, "{a} {b}");
    }
    // Another seed does not fit the file.
    let out = command(dir.path(), 2, 6).output().unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("seed is 5 in the file"));
    // More starts than the recording has days, a model without a globe.
    let out = command(dir.path(), 800, 5).output().unwrap();
    assert_eq!(out.status.code(), Some(2));
    let mut other = Command::new(env!("CARGO_BIN_EXE_eddyscope"));
    let out = other
        .args(["forecast", "--model", "vorticity"])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("makes no daily rain"));
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_what_is_scored() {
    let dir = tempfile::tempdir().unwrap();
    globe::write(dir.path());
    let path = dir.path().join("f.jsonl");
    let child = command(dir.path(), 700, 2)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while std::fs::read_to_string(&path).map_or(0, |t| t.lines().count()) < 3 {
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "nothing was scored"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let out = child.wait_with_output().unwrap();
    let table = json(&out, 3);
    let kept = std::fs::read_to_string(&path).unwrap().lines().count() - 1;
    assert_eq!(table["starts"], kept);
    assert!((2..700).contains(&kept));
}
