//! `eddyscope evaluate` from outside: files, numbers, going on after a stop, both worlds.

// Helpers outside of a #[test] function may unwrap here too.
#![allow(clippy::unwrap_used)]

#[path = "support/globe.rs"]
mod globe;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use eddyscope::data::read_series;
use eddyscope::metrics::{crps, pooled_acf};

fn command(folder: &Path, model: &str, frames: usize) -> Command {
    command_to(folder, "e", model, frames, 2)
}

fn command_to(folder: &Path, out: &str, model: &str, frames: usize, starts: usize) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eddyscope"));
    command
        .current_dir(folder)
        .args(["evaluate", "--model", model, "--out", out, "--quick"])
        .args(["--device", "cpu", "--steps", "2", "--series", "2"])
        .args(["--frames", &frames.to_string()])
        .args(["--starts", &starts.to_string()])
        .args(["--members", "3", "--leads", "3"]);
    command
}

fn ok(out: &Output) -> String {
    let err = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(0), "{err}");
    String::from_utf8(out.stdout.clone()).unwrap()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A number of a figure; `x` where the figure has an axis.
fn number(all: &Value, figure: &str, method: &str, quantity: &str, x: Option<f64>) -> Value {
    let figures = all["figures"].as_array().unwrap();
    let figure = figures.iter().find(|f| f["id"] == figure).unwrap();
    let rows = figure["numbers"].as_array().unwrap();
    let found = rows.iter().find(|r| {
        r["method"] == method
            && r["quantity"] == quantity
            && r.get("x").and_then(Value::as_f64) == x
    });
    found
        .unwrap_or_else(|| panic!("{method}, {quantity}, {x:?}"))
        .clone()
}

/// All files of a folder and below, with their bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    all
}

fn check_files(folder: &Path, figures: &[&str]) -> Value {
    let all = json(&folder.join("evaluation.json"));
    let found: Vec<&str> = all["figures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["id"].as_str().unwrap())
        .collect();
    assert_eq!(found, figures);
    let page = std::fs::read_to_string(folder.join("report.html")).unwrap();
    for id in figures {
        let png = std::fs::read(folder.join(format!("figures/{id}.png"))).unwrap();
        assert!(png.starts_with(b"\x89PNG") && png.len() > 10_000, "{id}");
        let svg = std::fs::read_to_string(folder.join(format!("figures/{id}.svg"))).unwrap();
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        let csv = std::fs::read_to_string(folder.join(format!("data/{id}.csv"))).unwrap();
        let rows = all["figures"].as_array().unwrap();
        let rows = rows.iter().find(|f| f["id"] == *id).unwrap();
        let count = rows["numbers"].as_array().unwrap().len();
        assert!(count > 0 && csv.lines().count() == count + 1, "{id}");
        assert!(page.contains(&format!("<h2 id=\"{id}\">")), "{id}");
    }
    // The page stands alone.
    assert!(!page.contains("<script") && !page.contains("src=\"http"));
    assert!(page.contains("What must hold") && page.contains("How this report is made again"));
    all
}

const SHARED: [&str; 15] = [
    "strips",
    "denoising",
    "acf",
    "hovmoeller",
    "row-distances",
    "forecasts",
    "ranks",
    "running-mean",
    "bias",
    "waiting-times",
    "eofs",
    "spectrum",
    "extremes",
    "reliability",
    "timings",
];

#[test]
fn turbulence_numbers_are_those_of_the_frames_and_a_run_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    ok(&command(dir.path(), "vorticity", 20).output().unwrap());
    let begun = dir.path().join("e");
    let short = read_series(&begun.join("runs/guided/0000000.nc"), None).unwrap();
    assert_eq!(
        (short.frames, short.start_frames, short.members),
        (24, 4, 2)
    );
    // More frames of the same evaluation go on with the first ones, bit for bit.
    ok(&command(dir.path(), "vorticity", 30).output().unwrap());
    let rest = read_series(&begun.join("runs/guided/0000024.nc"), None).unwrap();
    assert_eq!(rest.frames, 10);
    let other = tempfile::tempdir().unwrap();
    ok(&command(other.path(), "vorticity", 30).output().unwrap());
    let straight = read_series(&other.path().join("e/runs/guided/0000000.nc"), None).unwrap();
    for member in 0..2 {
        for frame in 0..34 {
            let gone_on = match frame {
                0..24 => short.frame(member, frame),
                _ => rest.frame(member, frame - 24),
            };
            assert_eq!(gone_on, straight.frame(member, frame), "{member} {frame}");
        }
    }

    let mut ids: Vec<&str> = SHARED.to_vec();
    ids.splice(13..13, ["dynamics", "budget"]);
    let all = check_files(&begun, &ids);
    // Autocorrelation and persistence from the frames of truth themselves.
    let truth = read_series(&begun.join("runs/truth/0000000.nc"), None).unwrap();
    let runs: Vec<Vec<&[f32]>> = (0..truth.members)
        .map(|m| truth.member_frames(m).skip(4).collect())
        .collect();
    let acf = pooled_acf(&runs, 10).unwrap();
    for (lag, expected) in acf.iter().enumerate() {
        let got = number(&all, "acf", "Truth", "autocorrelation", Some(lag as f64));
        assert!(
            (got["value"].as_f64().unwrap() - expected).abs() < 1e-9,
            "{lag}"
        );
        assert!(got["low"].as_f64().unwrap() <= got["high"].as_f64().unwrap());
    }
    let ledger = std::fs::read_to_string(begun.join("runs/forecasts-guided.jsonl")).unwrap();
    let mut expected = 0.0;
    // Where the longer evaluation starts elsewhere, its forecasts came last.
    let starts: Vec<&str> = ledger.lines().skip(1).collect();
    for line in &starts[starts.len() - 2..] {
        let start: Value = serde_json::from_str(line).unwrap();
        let [run, frame] = [0, 1].map(|i| start["at"][i].as_u64().unwrap() as usize);
        let one = crps(&[runs[run][frame]], runs[run][frame + 2]).unwrap();
        expected += one.biased / 2.0;
    }
    let quantity = "CRPS, 1 / time unit";
    let got = number(&all, "forecasts", "Persistence", quantity, Some(2.0));
    assert!(
        (got["value"].as_f64().unwrap() - expected).abs() < 1e-9,
        "{got} {expected}"
    );
    // The solver's own frames follow from each other; its budget closes with what the forcing puts in.
    let skill = number(&all, "dynamics", "Truth", "dynamics skill", None);
    assert!(
        (0.4..0.7).contains(&skill["value"].as_f64().unwrap()),
        "{skill}"
    );
    let unrelated = number(&all, "dynamics", "Unconditional", "dynamics skill", None);
    assert!(unrelated["value"].as_f64().unwrap() < 0.2, "{unrelated}");
    let input = number(&all, "budget", "Truth", "energy, input implied", None);
    assert!(
        (0.07..0.13).contains(&input["value"].as_f64().unwrap()),
        "{input}"
    );
    // What this size cannot tell is not judged.
    let asked = all["what_must_hold"].as_array().unwrap();
    let drift = asked
        .iter()
        .find(|a| a["name"].as_str().unwrap().starts_with("drift"))
        .unwrap();
    assert!(asked.len() == 11 && drift["holds"].is_null() && drift["value"].is_null());

    // A second call makes nothing.
    let runs = files(&begun.join("runs"));
    ok(&command(dir.path(), "vorticity", 30).output().unwrap());
    assert!(runs == files(&begun.join("runs")));
    // Another seed does not fit the folder.
    let out = command(dir.path(), "vorticity", 30)
        .args(["--seed", "5"])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("seed"));
    // Runs taken from there give the same figures of them.
    let out = command_to(dir.path(), "taken", "vorticity", 30, 2)
        .args(["--runs", "e/runs", "--json"])
        .output()
        .unwrap();
    let taken: Value = serde_json::from_str(&ok(&out)).unwrap();
    for figure in ["acf", "spectrum", "dynamics"] {
        let of = |all: &Value| -> Value {
            let figures = all["figures"].as_array().unwrap();
            figures.iter().find(|f| f["id"] == figure).unwrap()["numbers"].clone()
        };
        assert_eq!(of(&all), of(&taken), "{figure}");
    }
}

#[test]
fn rain_has_all_figures_of_its_world() {
    let dir = tempfile::tempdir().unwrap();
    globe::write(dir.path());
    let text = ok(&command(dir.path(), "rain", 40).output().unwrap());
    assert!(
        text.contains("What must hold") && text.contains("video model"),
        "{text}"
    );
    let all = check_files(&dir.path().join("e"), &SHARED);
    let acf = |method: &str, lag: f64| {
        let found = number(&all, "acf", method, "autocorrelation", Some(lag));
        found["value"].as_f64().unwrap()
    };
    assert!((acf("Truth", 0.0) - 1.0).abs() < 1e-6);
    assert!(
        (0.3..0.8).contains(&acf("Truth", 1.0)),
        "{}",
        acf("Truth", 1.0)
    );
    assert!(acf("Unconditional", 1.0).abs() < 0.2);
    // More days go on with the file.
    let before = std::fs::metadata(dir.path().join("e/runs/guided.nc"))
        .unwrap()
        .len();
    ok(&command(dir.path(), "rain", 50).output().unwrap());
    let after = std::fs::metadata(dir.path().join("e/runs/guided.nc"))
        .unwrap()
        .len();
    assert_eq!(after - before, 10 * (2 * 16 * 32 * 4 + 24));
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_what_is_made() {
    let dir = tempfile::tempdir().unwrap();
    globe::write(dir.path());
    let child = command(dir.path(), "rain", 5000)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let path = dir.path().join("e/runs/unconditional.nc");
    let began = Instant::now();
    while std::fs::metadata(&path).map_or(0, |m| m.len()) < 100_000 {
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "nothing was made"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let out = child.wait_with_output().unwrap();
    assert_eq!(out.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&out.stderr).contains("goes on with it"));
    assert!(std::fs::metadata(&path).unwrap().len() >= 100_000);
}

#[test]
fn what_cannot_be_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let out = command(dir.path(), "vorticity", 20)
        .args(["--data", "days.nc"])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("has no recorded days"));
    let out = command_to(dir.path(), "e", "vorticity", 20, 9000)
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("9000 forecasts cannot start"));
}
