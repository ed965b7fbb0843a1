//! `eddyscope rollout` on the globe, from outside: a file that grows day by day and goes on bit for bit.

// Helpers outside of a #[test] function may unwrap here too.
#![allow(clippy::unwrap_used)]

#[path = "support/globe.rs"]
mod globe;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use eddyscope::data::rain::{Choices, RainFiles};
use eddyscope::data::rain_stream::RainStream;

fn command(folder: &Path, threads: usize, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eddyscope"));
    command
        .current_dir(folder)
        .env("RAYON_NUM_THREADS", threads.to_string())
        .args(["rollout", "--device", "cpu"])
        .args(args);
    command
}

fn rollout(folder: &Path, threads: usize, args: &[&str]) -> Output {
    command(folder, threads, args).output().unwrap()
}

fn ok(out: &Output) -> serde_json::Value {
    let err = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{:?}: {err}", out.status);
    serde_json::from_slice(&out.stdout).unwrap()
}

fn refused(out: &Output, words: &[&str]) {
    let err = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{err}");
    assert!(!err.contains("panicked"), "{err}");
    for word in words {
        assert!(err.contains(word), "{word}: {err}");
    }
}

/// All frames of a run file, and the number of start frames.
fn frames(folder: &Path, name: &str) -> (Vec<Vec<f32>>, usize) {
    let mut file = RainStream::open_for_resume(&folder.join(name), 0)
        .unwrap()
        .stream;
    let all = (0..file.frames()).map(|i| file.frame(i).unwrap()).collect();
    (all, file.info().start_frames)
}

fn bits(frames: &[Vec<f32>]) -> Vec<u32> {
    frames.iter().flatten().map(|v| v.to_bits()).collect()
}

#[test]
fn file_and_figures_are_as_promised() {
    let dir = tempfile::tempdir().unwrap();
    globe::write(dir.path());
    // Noleap: the day after 28 February 2060 is the first of March.
    let args = [
        "--model",
        "rain",
        "--frames",
        "12",
        "--members",
        "2",
        "--start-date",
        "2060-02-27",
        "--seed",
        "5",
        "--out",
        "run.nc",
        "--json",
    ];
    let f = ok(&rollout(dir.path(), 2, &args));
    assert_eq!((&f["frames"], &f["members"]), (&12.into(), &2.into()));
    for name in [
        "frames_per_second",
        "global_mean",
        "global_mean_truth",
        "wet_fraction",
        "wet_fraction_truth",
        "zonal_mean_rmse",
        "std_ratio",
        "capped",
    ] {
        assert!(f[name].is_f64(), "{name}: {}", f[name]);
    }
    for (name, length) in [
        ("percentiles", 5),
        ("acf", 11),
        ("tropics_acf", 11),
        ("global_acf", 11),
        ("zonal_mean", globe::NY),
    ] {
        assert_eq!(f[name].as_array().unwrap().len(), length, "{name}");
        let truth = format!("{name}_truth");
        assert_eq!(f[&truth].as_array().unwrap().len(), length, "{truth}");
    }
    // The figures are those of the file.
    let (all, start) = frames(dir.path(), "run.nc");
    assert_eq!((all.len(), start), (16, 4));
    let grid = globe::globe();
    let mean = all[4..]
        .iter()
        .flat_map(|f| f.chunks_exact(grid.len()))
        .map(|m| grid.mean(m))
        .sum::<f64>()
        / 24.0;
    assert!((f["global_mean"].as_f64().unwrap() - mean).abs() < 1e-9);
    assert!(all.iter().flatten().all(|v| *v >= 0.0));
    // The reader of other people's files reads it.
    let choices = Choices {
        member: Some(1),
        ..Choices::default()
    };
    let files = RainFiles::open(&[dir.path().join("run.nc")], &choices).unwrap();
    let dates: Vec<_> = (0..files.days())
        .map(|i| files.date(i).to_string())
        .collect();
    assert_eq!(dates[3], "2060-02-27");
    assert_eq!(&dates[4..6], ["2060-02-28", "2060-03-01"]);
    assert_eq!(files.day(6).unwrap(), all[6][grid.len()..]);
    // The start is the recording's, the same for both members.
    let truth = globe::days(&grid);
    for (i, frame) in all[..4].iter().enumerate() {
        let day = &truth[365 + 58 - 4 + i];
        assert_eq!(frame[..grid.len()], day[..]);
        assert_eq!(frame[grid.len()..], day[..]);
    }
    assert_ne!(all[4][..grid.len()], all[4][grid.len()..]);
}

#[test]
fn bits_do_not_depend_on_threads_or_on_the_company_of_other_members() {
    let dir = tempfile::tempdir().unwrap();
    globe::write(dir.path());
    for lane in ["guided", "unconditional", "forecaster"] {
        let run = |threads: usize, members: &str, out: &str| {
            let args = [
                "--model",
                "rain",
                "--frames",
                "3",
                "--seed",
                "9",
                "--season",
                "--lane",
                lane,
                "--members",
                members,
                "--out",
                out,
                "--json",
            ];
            let f = ok(&rollout(dir.path(), threads, &args));
            assert_eq!(f["lane"], lane);
            frames(dir.path(), out).0
        };
        let (one, two) = (run(1, "3", "one.nc"), run(2, "3", "two.nc"));
        assert_eq!(bits(&one), bits(&two), "{lane}: threads");
        let alone = run(2, "1", "alone.nc");
        let cells = globe::NY * globe::NX;
        let first: Vec<Vec<f32>> = one.iter().map(|f| f[..cells].to_vec()).collect();
        assert_eq!(bits(&first), bits(&alone), "{lane}: batch");
    }
}

/// What a stop leaves, in any way, is the beginning of the whole file with a smaller count.
#[test]
fn a_stopped_run_goes_on_bit_for_bit() {
    let dir = tempfile::tempdir().unwrap();
    globe::write(dir.path());
    let at = |name: &str| dir.path().join(name);
    let whole = [
        "--model",
        "rain",
        "--frames",
        "14",
        "--members",
        "2",
        "--seed",
        "3",
        "--history",
        "2",
        "--steps",
        "6",
        "--season",
        "--out",
        "whole.nc",
        "--json",
    ];
    let straight = ok(&rollout(dir.path(), 2, &whole));
    let bytes = std::fs::read(at("whole.nc")).unwrap();
    let on = |frames: &[&str]| {
        let args = [
            &["--resume", "--model", "rain", "--out", "part.nc", "--json"],
            frames,
        ]
        .concat();
        ok(&rollout(dir.path(), 1, &args))
    };
    let record = (2 * globe::NY * globe::NX * 4 + 24) as u64;
    let head = bytes.len() as u64 - 18 * record;
    // After 9 days; within a day that was not counted yet; within the start; before anything.
    for (records, torn) in [(13_u32, 0), (7, 1000), (2, 0), (0, 0)] {
        let mut part = bytes[..(head + u64::from(records) * record + torn) as usize].to_vec();
        part[4..8].copy_from_slice(&records.to_be_bytes());
        std::fs::write(at("part.nc"), &part).unwrap();
        let figures = on(&[]);
        assert!(
            std::fs::read(at("part.nc")).unwrap() == bytes,
            "{records} records"
        );
        for name in ["global_mean", "acf", "percentiles", "capped", "frames"] {
            assert_eq!(figures[name], straight[name], "{records} records: {name}");
        }
    }
    // A finished run is left as it is; more days can be asked for.
    on(&[]);
    assert!(std::fs::read(at("part.nc")).unwrap() == bytes);
    let more = on(&["--frames", "16"]);
    assert_eq!(more["frames"], 16);
    let (all, _) = frames(dir.path(), "part.nc");
    let (before, _) = frames(dir.path(), "whole.nc");
    assert_eq!(bits(&all[..18]), bits(&before));
    assert_eq!(all.len(), 20);

    // Other settings, another model, another kind of file.
    let refuse = |args: &[&str], words: &[&str]| {
        let args = [&["--resume", "--out", "part.nc"], args].concat();
        refused(&rollout(dir.path(), 1, &args), words);
        assert_eq!(frames(dir.path(), "part.nc").0.len(), 20, "left alone");
    };
    refuse(
        &["--model", "rain", "--steps", "7", "--seed", "4"],
        &["steps is 6 in the file, 7", "seed is 3 in the file, 4"],
    );
    refuse(&["--model", "rain", "--lane", "forecaster"], &["lane is"]);
    refuse(
        &["--model", "rain", "--start-date", "2060-01-05"],
        &["start_date"],
    );
    globe::write_with(dir.path(), false);
    refuse(&["--model", "rain-no-season"], &["another model"]);
    let none = ["--resume", "--out", "none.nc"];
    refused(&rollout(dir.path(), 1, &none), &["none.nc"]);
    std::fs::write(at("text.nc"), "not a run").unwrap();
    let text = ["--resume", "--out", "text.nc"];
    refused(&rollout(dir.path(), 1, &text), &["text.nc"]);
}

/// Asked to stop, or killed: what was made is in the file.
#[cfg(unix)]
#[test]
fn signals_leave_a_readable_file() {
    let dir = tempfile::tempdir().unwrap();
    globe::write(dir.path());
    for (signal, code) in [("-TERM", Some(3)), ("-KILL", None)] {
        let name = format!("run{signal}.nc");
        let args = [
            "--model", "rain", "--frames", "100000", "--steps", "4", "--out", &name,
        ];
        let mut child = command(dir.path(), 1, &args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let began = Instant::now();
        let count = || {
            std::fs::read(dir.path().join(&name))
                .ok()
                .filter(|b| b.len() > 8)
                .map_or(0, |b| u32::from_be_bytes([b[4], b[5], b[6], b[7]]))
        };
        while count() < 20 {
            assert!(began.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(20));
        }
        let kill = Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status()
            .unwrap();
        assert!(kill.success());
        assert_eq!(child.wait().unwrap().code(), code, "{signal}");
        let (all, _) = frames(dir.path(), &name);
        assert!(all.len() >= 20 && all.len() == count() as usize, "{signal}");
        assert!(all.iter().flatten().all(|v| v.is_finite()));
        let files = RainFiles::open(&[dir.path().join(&name)], &Choices::default()).unwrap();
        assert_eq!(files.days(), all.len());
    }
}

#[test]
fn bad_requests_are_explained() {
    let dir = tempfile::tempdir().unwrap();
    globe::write_with(dir.path(), false);
    let case = |args: &[&str], words: &[&str]| {
        let args = [&["--model", "rain-no-season", "--out", "x.nc"], args].concat();
        refused(&rollout(dir.path(), 1, &args), words);
        assert!(!dir.path().join("x.nc").exists());
    };
    case(
        &["--start-date", "2061-01-01"],
        &["2061-01-01", "2059-01-01 to 2060-12-31"],
    );
    case(&["--start-date", "2060-02-29"], &["calendar"]);
    case(&["--start-date", "2059-01-02"], &["needs 4 days in a row"]);
    case(&["--start-date", "yesterday"], &["2060-07-01"]);
    case(&["--season"], &["knows no season"]);
    case(&["--discriminator", "encoder"], &["no such discriminator"]);
    case(&["--start", "missing.nc"], &["missing.nc"]);
    case(&["--steps", "1"], &["steps"]);
    // Turbulence knows no dates.
    let args = ["--start-date", "2060-01-01", "--out", "x.nc"];
    refused(&rollout(dir.path(), 1, &args), &["knows no dates"]);
    // A short history starts earlier.
    let args = [
        "--model",
        "rain-no-season",
        "--out",
        "x.nc",
        "--start-date",
        "2059-01-02",
        "--history",
        "1",
        "--frames",
        "2",
        "--json",
    ];
    ok(&rollout(dir.path(), 1, &args));
    assert_eq!(frames(dir.path(), "x.nc").1, 2);
}

#[test]
fn a_run_starts_from_files_of_rain() {
    let dir = tempfile::tempdir().unwrap();
    globe::write(dir.path());
    let first = [
        "--model", "rain", "--frames", "20", "--seed", "1", "--out", "first.nc", "--json",
    ];
    ok(&rollout(dir.path(), 2, &first));
    let (made, _) = frames(dir.path(), "first.nc");
    let from = RainStream::open_for_resume(&dir.path().join("first.nc"), 0).unwrap();
    let date = from.stream.date(20).to_string();
    drop(from);
    let on = [
        "--model",
        "rain",
        "--frames",
        "2",
        "--start",
        "first.nc",
        "--start-date",
        &date,
        "--out",
        "second.nc",
        "--json",
    ];
    ok(&rollout(dir.path(), 2, &on));
    let (second, start) = frames(dir.path(), "second.nc");
    assert_eq!(start, 4);
    assert_eq!(bits(&second[..4]), bits(&made[17..21]));
    assert_ne!(bits(&second[..4]), bits(&second[1..5]));
    // It goes on without them.
    std::fs::remove_file(dir.path().join("first.nc")).unwrap();
    let on = [
        "--resume",
        "--model",
        "rain",
        "--frames",
        "4",
        "--out",
        "second.nc",
        "--json",
    ];
    let figures = ok(&rollout(dir.path(), 2, &on));
    assert_eq!(figures["frames"], 4);
    assert_eq!(bits(&frames(dir.path(), "second.nc").0[..6]), bits(&second));
}

/// Frames do not pile up: after many days the program holds as much as after few.
#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_length() {
    use eddyscope::rollout::engine::Engine;
    use eddyscope::rollout::headless::Job;
    use eddyscope::rollout::headless_rain;
    use eddyscope::rollout::settings::{LaneKind, RolloutSpec, Settings};

    let dir = tempfile::tempdir().unwrap();
    let model = eddyscope::model::Model::from_folder(&globe::write(dir.path())).unwrap();
    let mut engine = Engine::new(&model, eddyscope::device::cpu()).unwrap();
    let mut settings = Settings::default();
    settings.sampler.steps = 2;
    let spec = RolloutSpec {
        members: 8,
        ..RolloutSpec::default()
    };
    let job = Job {
        spec: &spec,
        settings: &settings,
        lane: LaneKind::Forecaster,
        frames: 3000,
    };
    let kib = || -> f64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let (mut early, mut late) = (0.0, 0.0);
    let run = headless_rain::run(
        &mut engine,
        &job,
        &dir.path().join("x.nc"),
        &mut |_, done| {
            match done {
                500 => early = kib(),
                3000 => late = kib(),
                _ => {}
            }
            std::ops::ControlFlow::Continue(())
        },
    )
    .unwrap();
    assert_eq!(run.days, 3000);
    // The frames in between are 40 MB.
    assert!(late - early < 8_000.0, "{early} KiB, then {late} KiB");
}
