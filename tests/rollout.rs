//! The contract of `eddyscope rollout`, from outside: file, JSON, exit codes, the same bits on any number of threads.
//!
//! EDDYSCOPE_TEST_MODEL names another model to test with.

// Helpers outside of a #[test] function may unwrap here too.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

use eddyscope::data::rain_stream::RainStream;
use eddyscope::data::{Series, read_series};

fn eddyscope(folder: &Path, threads: usize, args: &[&str]) -> Output {
    let model = std::env::var("EDDYSCOPE_TEST_MODEL").unwrap_or_else(|_| "vorticity".into());
    Command::new(env!("CARGO_BIN_EXE_eddyscope"))
        .current_dir(folder)
        .env("RAYON_NUM_THREADS", threads.to_string())
        .args(args)
        .args(["--model", &model, "--device", "cpu"])
        .output()
        .unwrap()
}

fn rollout(folder: &Path, threads: usize, args: &[&str]) -> Output {
    eddyscope(folder, threads, &[&["rollout"], args].concat())
}

fn ok(out: &Output) -> serde_json::Value {
    let err = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{:?}: {err}", out.status);
    serde_json::from_slice(&out.stdout).unwrap()
}

fn read(folder: &Path, name: &str) -> Series {
    read_series(&folder.join(name), None).unwrap()
}

#[test]
fn file_and_figures_are_as_promised() {
    let dir = tempfile::tempdir().unwrap();
    let args = [
        "--frames",
        "12",
        "--members",
        "2",
        "--guidance",
        "1",
        "--history",
        "2",
        "--steps",
        "10",
        "--solver",
        "dpm",
        "--seed",
        "5",
        "--out",
        "run.nc",
        "--json",
    ];
    let figures = ok(&rollout(dir.path(), 2, &args));
    let run = read(dir.path(), "run.nc");
    assert_eq!(run.variable, "vorticity");
    assert_eq!((run.members, run.frames, run.start_frames), (2, 3 + 12, 3));
    assert_eq!((run.grid.ny, run.grid.nx), (64, 64));
    assert!((run.frame_interval - 0.16).abs() < 1e-6);
    let recipe: serde_json::Value = serde_json::from_str(run.recipe.as_deref().unwrap()).unwrap();
    assert_eq!(recipe["rollout"]["seed"], 5);
    assert_eq!(recipe["settings"]["guidance"]["history"], 2);
    assert_eq!(recipe["settings"]["sampler"]["steps"], 10);
    assert_eq!(recipe["model_hash"].as_str().unwrap().len(), 64);
    for name in [
        "frames_per_second",
        "seconds_per_frame",
        "guidance_share",
        "acf_mae",
        "std_ratio",
        "spectrum_error",
        "dynamics_skill",
        "dynamics_skill_truth",
        "a",
        "residual",
    ] {
        assert!(figures[name].is_f64(), "{name}: {}", figures[name]);
    }
    assert_eq!(figures["acf"].as_array().unwrap().len(), 11);
    assert_eq!(figures["acf_truth"].as_array().unwrap().len(), 11);
    assert!(figures["device"].as_str().unwrap().starts_with("CPU"));
    let share = figures["guidance_share"].as_f64().unwrap();
    assert!(share > 0.0 && share < 0.6, "{share}");
}

#[test]
fn bits_do_not_depend_on_threads_or_on_the_company_of_other_members() {
    let dir = tempfile::tempdir().unwrap();
    for (solver, discriminator, steps) in [
        ("dpm", "two-tower", "6"),
        ("heun", "two-tower", "12"),
        ("as-printed", "two-tower", "12"),
        ("dpm", "encoder", "10"),
        ("dpm3", "two-tower", "6"),
        ("unipc", "two-tower", "6"),
        ("flow", "two-tower", "4"),
        // There is no law to follow: another solver makes the frames.
        ("flow", "encoder", "4"),
    ] {
        let common = [
            "--frames",
            "3",
            "--solver",
            solver,
            "--steps",
            steps,
            "--churn",
            "1",
            "--seed",
            "9",
            "--discriminator",
            discriminator,
            "--guidance",
            "0.5",
            "--json",
        ];
        let run = |threads: usize, members: &str, out: &str| {
            ok(&rollout(
                dir.path(),
                threads,
                &[&common[..], &["--members", members, "--out", out]].concat(),
            ));
            read(dir.path(), out)
        };
        let one = run(1, "3", "one.nc");
        let two = run(2, "3", "two.nc");
        let alone = run(2, "1", "alone.nc");
        let bits = |v: &[f32]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(
            bits(&one.values),
            bits(&two.values),
            "{solver} {discriminator}: threads"
        );
        let first = alone.frames * alone.grid.len();
        assert_eq!(
            bits(&one.values[..first]),
            bits(&alone.values),
            "{solver} {discriminator}: batch"
        );
    }
}

/// An ensemble made in parts by processes that run side by side: each member is the one that a single run has.
#[test]
fn an_ensemble_can_be_made_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    let run = |first: &str, members: &str, out: &str| {
        let args = ["--frames", "3", "--steps", "6", "--seed", "4", "--json"];
        let part = ["--first-member", first, "--members", members, "--out", out];
        ok(&rollout(dir.path(), 1, &[&args[..], &part[..]].concat()));
        read(dir.path(), out)
    };
    let (a, b) = std::thread::scope(|s| {
        let a = s.spawn(|| run("0", "1", "a.nc"));
        let b = s.spawn(|| run("1", "2", "b.nc"));
        (a.join().unwrap(), b.join().unwrap())
    });
    let all = run("0", "3", "all.nc");
    let bits = |v: &[f32]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(
        bits(&all.values),
        [bits(&a.values), bits(&b.values)].concat()
    );
    assert_ne!(
        bits(a.frame(0, a.frames - 1).unwrap()),
        bits(b.frame(0, b.frames - 1).unwrap())
    );

    // Precipitation: the same, and a part that was stopped goes on. Members of a day stand side by side in its file.
    let rain = |args: &[&str], out: &str| {
        let file = dir.path().join(out);
        let done = Command::new(env!("CARGO_BIN_EXE_eddyscope"))
            .args(["rollout", "--device", "cpu", "--json", "--out"])
            .arg(&file)
            .args(args)
            .output()
            .unwrap();
        ok(&done);
        let mut stream = RainStream::open_for_resume(&file, 0).unwrap().stream;
        let frames: Vec<_> = (0..stream.frames())
            .map(|i| stream.frame(i).unwrap())
            .collect();
        frames
    };
    let begin = |first: &str, members: &str, frames: &str, out: &str| {
        let what = ["--model", "precipitation", "--season", "--steps", "4"];
        let part = ["--first-member", first, "--members", members];
        let seed = ["--seed", "4", "--frames", frames];
        rain(&[&what[..], &part, &seed].concat(), out)
    };
    begin("1", "1", "1", "rb.nc");
    let (a, b, all) = (
        begin("0", "1", "2", "ra.nc"),
        rain(&["--resume", "--frames", "2"], "rb.nc"),
        begin("0", "2", "2", "r.nc"),
    );
    assert_eq!(a.len(), all.len());
    for ((a, b), all) in a.iter().zip(&b).zip(&all) {
        assert_eq!(bits(all), [bits(a), bits(b)].concat());
    }
    assert_ne!(a.last(), b.last());
    let huge = rollout(
        dir.path(),
        1,
        &["--first-member", "2000000", "--out", "x.nc"],
    );
    assert_eq!(huge.status.code(), Some(2));
}

#[test]
fn a_run_goes_on_from_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let first = [
        "--frames",
        "6",
        "--members",
        "2",
        "--seed",
        "1",
        "--out",
        "first.nc",
        "--json",
    ];
    ok(&rollout(dir.path(), 2, &first));
    let on = [
        "--start",
        "first.nc",
        "--frames",
        "2",
        "--history",
        "3",
        "--out",
        "second.nc",
        "--json",
    ];
    let figures = ok(&rollout(dir.path(), 2, &on));
    assert_eq!(figures["members"], 2);
    let (a, b) = (read(dir.path(), "first.nc"), read(dir.path(), "second.nc"));
    assert_eq!(b.start_frames, 4);
    for member in 0..2 {
        for f in 0..4 {
            assert_eq!(a.frame(member, a.frames - 4 + f), b.frame(member, f));
        }
    }
}

/// Every history length works with the same weights, and lambda 0 gives unrelated frames.
#[test]
fn history_lengths_and_no_guidance() {
    let dir = tempfile::tempdir().unwrap();
    for m in ["0", "1", "2", "3"] {
        let args = [
            "--frames",
            "10",
            "--members",
            "2",
            "--history",
            m,
            "--seed",
            "3",
            "--out",
            "m.nc",
            "--json",
        ];
        let f = ok(&rollout(dir.path(), 2, &args));
        let lag1 = f["acf"][1].as_f64().unwrap();
        assert!((0.85..0.96).contains(&lag1), "m = {m}: lag 1 {lag1}");
        assert!(f["dynamics_skill"].as_f64().unwrap() > 0.35, "m = {m}: {f}");
    }
    let args = [
        "--frames",
        "24",
        "--members",
        "4",
        "--guidance",
        "0",
        "--seed",
        "3",
        "--out",
        "z.nc",
        "--json",
    ];
    let f = ok(&rollout(dir.path(), 2, &args));
    for lag in 1..=4 {
        let r = f["acf"][lag].as_f64().unwrap();
        assert!(r.abs() < 0.05, "lambda 0, lag {lag}: {r}");
    }
}

#[test]
fn too_much_guidance_stops_with_a_reason_and_keeps_what_was_good() {
    let dir = tempfile::tempdir().unwrap();
    let args = [
        "--frames",
        "60",
        "--guidance",
        "8",
        "--seed",
        "3",
        "--out",
        "b.nc",
        "--json",
    ];
    let out = rollout(dir.path(), 2, &args);
    assert_eq!(out.status.code(), Some(3));
    let f: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert!(f["blow_up"]["frame"].is_u64());
    let err = String::from_utf8_lossy(&out.stderr);
    assert!(err.contains("blew up") && err.contains("remedy"), "{err}");
    let run = read(dir.path(), "b.nc");
    assert!(run.values.iter().all(|v| v.is_finite() && v.abs() < 100.0));
}

/// Bad input of any kind: exit code 2, headline, cause, remedy, no panic, nothing written.
#[test]
fn bad_input_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("empty.nc"), b"").unwrap();
    std::fs::write(at("text.nc"), b"not a NetCDF file, just words").unwrap();
    std::fs::create_dir(at("folder.nc")).unwrap();
    let sim = Command::new(env!("CARGO_BIN_EXE_eddyscope"))
        .current_dir(dir.path())
        .args([
            "simulate", "--frames", "2", "--spinup", "1", "--out", "good.nc",
        ])
        .output()
        .unwrap();
    assert!(sim.status.success());
    let good = std::fs::read(at("good.nc")).unwrap();
    std::fs::write(at("cut.nc"), &good[..good.len() / 2]).unwrap();
    // f32 npy files: wrong shape, and a NaN.
    let npy = |name: &str, side: usize, value: f32| {
        let header =
            format!("{{'descr': '<f4', 'fortran_order': False, 'shape': (4, {side}, {side}), }}");
        let padded = format!("{header:<117}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((padded.len() as u16).to_le_bytes());
        bytes.extend(padded.as_bytes());
        for _ in 0..4 * side * side {
            bytes.extend(value.to_le_bytes());
        }
        std::fs::write(at(name), bytes).unwrap();
    };
    npy("small.npy", 32, 0.5);
    npy("nan.npy", 64, f32::NAN);
    let starts = [
        "empty.nc",
        "text.nc",
        "folder.nc",
        "cut.nc",
        "missing.nc",
        "small.npy",
        "nan.npy",
    ];
    let mut cases: Vec<Vec<&str>> = starts.iter().map(|s| vec!["--start", s]).collect();
    // good.nc has two frames: too few for a history length of 3.
    cases.push(vec!["--start", "good.nc"]);
    cases.push(vec!["--guidance", "-1"]);
    cases.push(vec!["--guidance", "NaN"]);
    cases.push(vec!["--steps", "1"]);
    cases.push(vec!["--history", "4"]);
    cases.push(vec!["--members", "0"]);
    cases.push(vec!["--frames", "0"]);
    cases.push(vec!["--solver", "euler"]);
    cases.push(vec!["--sigma-max", "0.1"]);
    for case in cases {
        let out = rollout(dir.path(), 2, &[&case[..], &["--out", "x.nc"]].concat());
        let err = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{case:?}: {err}");
        assert!(!err.contains("panicked"), "{case:?}: {err}");
        assert!(err.len() > 40, "{case:?}: {err}");
        if case[0] == "--start" {
            assert!(
                err.contains("cause") && err.contains("remedy") && err.contains(case[1]),
                "{err}"
            );
        }
        assert!(!at("x.nc").exists(), "{case:?}");
    }
    for out in ["no/such/folder/x.nc", "folder.nc"] {
        let out = rollout(dir.path(), 2, &["--frames", "1", "--out", out]);
        assert_eq!(out.status.code(), Some(2));
    }
    let out = Command::new(env!("CARGO_BIN_EXE_eddyscope"))
        .args(["rollout", "--model", "no-such-model", "--out", "x.nc"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("no-such-model"));
}
