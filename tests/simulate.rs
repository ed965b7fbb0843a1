//! The commands `simulate` and `step` from outside: files, exit codes, errors.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::path::Path;

use assert_cmd::Command;
use eddyscope::data::{Series, read_series, write_series};
use eddyscope::field::Grid;
use eddyscope::sim::{Params, Solver};

fn eddyscope(folder: &Path, arguments: &str) -> std::process::Output {
    Command::cargo_bin("eddyscope")
        .unwrap()
        .current_dir(folder)
        .args(arguments.split_whitespace())
        .output()
        .unwrap()
}

fn succeeds(folder: &Path, arguments: &str) -> String {
    let output = eddyscope(folder, arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{arguments}: {error}");
    assert_eq!(error, "", "progress must be silent without a terminal");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs, expects exit code 2 and an error with three parts that holds `word`.
fn fails(folder: &Path, arguments: &str, word: &str) {
    let output = eddyscope(folder, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments}: {error}");
    assert!(
        error.contains("cause:") && error.contains("remedy:"),
        "{error}"
    );
    assert!(
        error.contains(word),
        "{arguments}: {word} is not in {error}"
    );
    assert!(!error.contains("panicked"), "{error}");
}

#[test]
fn a_run_its_continuation_and_a_step() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let base = "simulate --frames 6 --members 2 --spinup 1 --seed 7";
    let text = succeeds(folder.path(), &format!("{base} --out a.nc --json"));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&json["frames"], &json["members"]), (&6.into(), &2.into()));
    let a = read_series(&at("a.nc"), None).unwrap();
    assert_eq!((a.members, a.frames, a.start_frames), (2, 6, 0));
    let recipe: serde_json::Value = serde_json::from_str(&a.recipe.clone().unwrap()).unwrap();
    assert_eq!(
        (&recipe["seed"], &recipe["solver"]["n"]),
        (&7.into(), &64.into())
    );
    let params: Params = serde_json::from_value(recipe["solver"].clone()).unwrap();
    assert!((params.spinup_time - 1.0).abs() < 1e-12);

    // The same seed gives the same bits on one thread and on two.
    for threads in ["1", "2"] {
        Command::cargo_bin("eddyscope")
            .unwrap()
            .current_dir(folder.path())
            .env("RAYON_NUM_THREADS", threads)
            .args(format!("{base} --out b.nc").split_whitespace())
            .assert()
            .success();
        assert_eq!(read_series(&at("b.nc"), None).unwrap().values, a.values);
    }

    succeeds(
        folder.path(),
        "simulate --start a.nc --forcing 0 --frames 1 --out c.nc",
    );
    let c = read_series(&at("c.nc"), None).unwrap();
    assert_eq!((c.members, c.frames, c.start_frames), (2, 2, 1));
    assert!((c.t0 - a.time(5)).abs() < 1e-9);
    succeeds(folder.path(), "step --start a.nc --unforced --out g.nc");
    let g = read_series(&at("g.nc"), None).unwrap();
    assert_eq!((g.members, g.frames), (2, 6));
    assert_eq!(g.frame(1, 5), c.frame(1, 1));
    let mut solver = Solver::new(&Params::preset("vorticity-64").unwrap()).unwrap();
    let direct = solver.unforced_frame(a.frame(0, 2).unwrap());
    assert_eq!(g.frame(0, 2), Some(&direct[..]));
}

#[test]
fn errors_have_a_cause_and_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("empty.nc"), "").unwrap();
    std::fs::write(at("text.nc"), "these are words").unwrap();
    let mut series = Series::zeros(Grid::periodic(64), 1, 2, 0.16).unwrap();
    write_series(&at("good.nc"), &series).unwrap();
    let whole = std::fs::read(at("good.nc")).unwrap();
    std::fs::write(at("short.nc"), &whole[..whole.len() / 2]).unwrap();
    series.variable = "temp".into();
    write_series(&at("temp.nc"), &series).unwrap();
    series.variable = "vorticity".into();
    series.values[5000] = f32::NAN;
    write_series(&at("nan.nc"), &series).unwrap();
    write_series(
        &at("small.nc"),
        &Series::zeros(Grid::periodic(32), 1, 2, 0.16).unwrap(),
    )
    .unwrap();

    for (file, word) in [
        ("none.nc", "no such file"),
        ("empty.nc", "empty"),
        ("text.nc", "neither NetCDF"),
        ("short.nc", "truncated"),
        ("nan.nc", "row 14, column 8"),
        ("small.nc", "32 x 32"),
        (".", "folder"),
    ] {
        for command in ["step --unforced", "simulate"] {
            fails(
                folder.path(),
                &format!("{command} --start {file} --out o.nc"),
                word,
            );
        }
    }
    // The only field in a file is taken, whatever its name.
    succeeds(folder.path(), "step --unforced --start temp.nc --out o.nc");
    std::fs::remove_file(at("o.nc")).unwrap();

    fails(folder.path(), "simulate --out none/o.nc", "no folder");
    fails(folder.path(), "simulate --out .", "folder, not a file");
    fails(
        folder.path(),
        "simulate --forcing -1 --out o.nc",
        "energy input",
    );
    fails(
        folder.path(),
        "simulate --spinup nan --out o.nc",
        "spin-up time",
    );
    fails(
        folder.path(),
        "simulate --start good.nc --preset vorticity-256 --out o.nc",
        "256 x 256",
    );
    fails(
        folder.path(),
        "simulate --frames 10000000 --out o.nc",
        "8 GiB",
    );
    assert!(!at("o.nc").exists());
}

#[test]
fn help_has_examples() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["", "simulate", "step"] {
        let text = succeeds(folder.path(), &format!("{command} --help"));
        assert!(text.contains("Examples:"), "{text}");
        assert!(text.contains("eddyscope"), "{text}");
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_cleanly() {
    let folder = tempfile::tempdir().unwrap();
    let child = std::process::Command::new(assert_cmd::cargo::cargo_bin("eddyscope"))
        .current_dir(folder.path())
        .args(["simulate", "--spinup", "1000000", "--out", "o.nc"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    let killed = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("o.nc was not written"), "{text}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
