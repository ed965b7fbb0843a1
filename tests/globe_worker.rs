//! The worker on the globe: days of rain with their dates, recorded days as truth, going back, frames on disk.

// Helpers outside of a #[test] function may unwrap here too.
#![allow(clippy::unwrap_used)]

#[path = "support/globe.rs"]
mod globe;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use eddyscope::data::Date;
use eddyscope::device::DeviceRequest;
use eddyscope::rollout::frame::FrameSet;
use eddyscope::rollout::protocol::{Archive, Command, Event};
use eddyscope::rollout::settings::{LaneKind, RolloutSpec, SamplerSettings, Settings, Solver};
use eddyscope::rollout::worker::{Worker, WorkerOptions};

const GUIDED: usize = LaneKind::Guided as usize;
const TRUTH: usize = LaneKind::Truth as usize;
const UNCONDITIONAL: usize = LaneKind::Unconditional as usize;
const FORECASTER: usize = LaneKind::Forecaster as usize;

fn options(folder: &Path) -> WorkerOptions {
    WorkerOptions {
        model: Some(globe::write(folder).display().to_string()),
        device: DeviceRequest::Cpu,
        disk_folder: Some(folder.to_path_buf()),
        ..Default::default()
    }
}

fn settings() -> Settings {
    let mut s = Settings::default();
    s.lanes[FORECASTER] = true;
    s.sampler.steps = 5;
    s
}

fn spawn(options: &WorkerOptions, spec: &RolloutSpec) -> Worker {
    let w = Worker::spawn(options.clone(), settings(), spec.clone(), Arc::new(|| {}));
    wait(&w, &mut Vec::new(), |w, _| !w.archive().frames.is_empty());
    w
}

fn on(year: i32, month: u8, day: u8) -> RolloutSpec {
    RolloutSpec {
        start_date: Some(Date { year, month, day }),
        ..RolloutSpec::default()
    }
}

fn wait(worker: &Worker, events: &mut Vec<Event>, done: impl Fn(&Worker, &[Event]) -> bool) {
    let began = Instant::now();
    loop {
        events.extend(worker.events.try_iter());
        if done(worker, events) {
            return;
        }
        assert!(
            began.elapsed() < Duration::from_secs(180),
            "waited too long; {:?}, events {events:?}",
            worker.progress()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Makes frames until the last one has number `last`, and the worker is paused again.
fn make(worker: &Worker, last: usize) -> Archive {
    let newest = |w: &Worker| w.archive().frames.last().unwrap().index;
    assert!(worker.send(Command::Step(last - newest(worker))));
    wait(worker, &mut Vec::new(), |w, _| {
        newest(w) == last && !w.progress().running
    });
    worker.archive()
}

fn members(a: &Archive, lane: usize, frame: usize) -> Vec<Arc<[f32]>> {
    a.load(frame).unwrap().lanes[lane]
        .as_ref()
        .unwrap()
        .members
        .clone()
}

fn headlines(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .filter_map(|e| match e {
            Event::Error { error, .. } => Some(error.to_string()),
            _ => None,
        })
        .collect()
}

#[test]
fn days_follow_with_dates_and_figures() {
    let dir = tempfile::tempdir().unwrap();
    let w = Worker::spawn(
        options(dir.path()),
        settings(),
        on(2060, 2, 26),
        Arc::new(|| {}),
    );
    let mut events = Vec::new();
    wait(&w, &mut events, |w, _| !w.archive().frames.is_empty());
    let facts = events
        .iter()
        .find_map(|e| match e {
            Event::Started(f) => Some(Arc::clone(f)),
            _ => None,
        })
        .unwrap();
    let facts_globe = facts.globe.as_ref().unwrap();
    assert_eq!(facts.shape, (globe::NY, globe::NX));
    assert_eq!(facts.frame_interval, 1.0);
    assert_eq!(facts_globe.climatology.len(), 12);
    assert_eq!(facts_globe.recorded.0.to_string(), "2059-01-01");
    assert!(facts_globe.knows_season);

    let a = make(&w, 16);
    let grid = globe::globe();
    let truth = globe::days(&grid);
    let first = 365 + 31 + 26 - 1 - 3;
    for (i, f) in a.frames.iter().enumerate() {
        assert_eq!((f.index, f.time), (i, i as f64 - 3.0));
        let t = f.lanes[TRUTH].as_ref().unwrap();
        assert_eq!(t.members[0], truth[first + i]);
        assert_eq!(t.recorded, f.date);
        for lane in f.lanes.iter().flatten() {
            assert_eq!(lane.hovmoeller.len(), globe::NX);
            let rain = lane.rain.as_ref().unwrap();
            assert!((rain.global_mean - grid.mean(&lane.members[0])).abs() < 1e-9);
            assert!((lane.stats.mean - rain.global_mean).abs() < 1e-9);
            assert!(lane.stats.dynamics_skill.is_nan() && lane.stats.std > 0.0);
            assert!(lane.stats.rmse_to_previous > 0.0 || f.index == 0);
            assert!(lane.members[0].iter().all(|v| *v >= 0.0));
        }
    }
    // No 29 February in this calendar.
    let dates: Vec<_> = a.frames[3..7]
        .iter()
        .map(|f| f.date.unwrap().to_string())
        .collect();
    assert_eq!(
        dates,
        ["2060-02-26", "2060-02-27", "2060-02-28", "2060-03-01"]
    );
    assert_eq!(members(&a, TRUTH, 3), members(&a, GUIDED, 3));
    assert_ne!(members(&a, GUIDED, 4), members(&a, UNCONDITIONAL, 4));
    for lane in [TRUTH, GUIDED, UNCONDITIONAL, FORECASTER] {
        let d = &a.diagnostics[lane];
        let rain = d.rain.as_ref().unwrap();
        assert_eq!((d.frames, d.acf.len()), (13, 11), "lane {lane}");
        assert!(d.std_ratio.is_finite() && d.a.is_nan());
        let mean: f64 = (4..17)
            .map(|f| grid.mean(&members(&a, lane, f)[0]))
            .sum::<f64>()
            / 13.0;
        assert!((rain.global_mean - mean).abs() < 1e-9);
    }
    // Truth has memory, unrelated maps have none.
    assert!(a.diagnostics[TRUTH].acf[1] > a.diagnostics[UNCONDITIONAL].acf[1]);
}

#[test]
fn the_recording_goes_round_by_whole_years() {
    let dir = tempfile::tempdir().unwrap();
    let w = spawn(&options(dir.path()), &on(2060, 12, 30));
    let a = make(&w, 7);
    let shown: Vec<_> = a
        .frames
        .iter()
        .skip(3)
        .map(|f| {
            let recorded = f.lanes[TRUTH].as_ref().unwrap().recorded.unwrap();
            (f.date.unwrap().to_string(), recorded.to_string())
        })
        .collect();
    let same = |d: &str| (d.to_owned(), d.to_owned());
    assert_eq!(shown[0], same("2060-12-30"));
    assert_eq!(shown[1], same("2060-12-31"));
    assert_eq!(shown[2], ("2061-01-01".to_owned(), "2059-01-01".to_owned()));
    assert_eq!(members(&a, TRUTH, 5)[0], globe::days(&globe::globe())[0]);
    // That is no step from one day to the next; the other lanes go on.
    let changes = |lane: usize| -> Vec<bool> {
        let of = |f: &Arc<FrameSet>| f.lanes[lane].as_ref().unwrap().stats.rmse_to_previous;
        a.frames.iter().skip(4).map(|f| of(f).is_finite()).collect()
    };
    assert_eq!(changes(TRUTH), [true, false, true, true]);
    assert_eq!(changes(GUIDED), [true; 4]);
}

#[test]
fn going_back_and_on_gives_the_same_days_also_from_disk() {
    let dir = tempfile::tempdir().unwrap();
    let few = WorkerOptions {
        frames_in_memory: Some(16),
        ..options(dir.path())
    };
    let spec = RolloutSpec {
        members: 2,
        ..on(2059, 7, 1)
    };
    let w = spawn(&few, &spec);
    let first = make(&w, 45);
    assert_eq!(first.frames.len(), 16);
    assert_eq!(first.on_disk.range(), 0..30);
    assert_eq!(first.oldest(), 0);
    // Everything can still be looked at, and is what a worker with memory makes.
    let plain = spawn(&options(dir.path()), &spec);
    let all = make(&plain, 45);
    assert_eq!(all.frames.len(), 46);
    for f in &all.frames {
        let back = first.load(f.index).unwrap();
        assert_eq!(back.date, f.date);
        for lane in [TRUTH, UNCONDITIONAL, GUIDED, FORECASTER] {
            assert_eq!(
                members(&first, lane, f.index),
                members(&all, lane, f.index),
                "{lane} {}",
                f.index
            );
        }
    }
    assert!(first.load(46).is_none());

    for back in [40, 12, 5] {
        let first_values: Vec<_> = (0..46).map(|f| members(&all, GUIDED, f)).collect();
        assert!(w.send(Command::TruncateTo(back)));
        wait(&w, &mut Vec::new(), |w, _| {
            w.archive().frames.last().unwrap().index == back && !w.progress().running
        });
        let a = w.archive();
        assert!(a.on_disk.range().end <= a.frames[0].index && a.oldest() == 0);
        let again = make(&w, 45);
        for (f, values) in first_values.iter().enumerate() {
            assert_eq!(
                &members(&again, GUIDED, f),
                values,
                "back to {back}, frame {f}"
            );
        }
        for lane in [TRUTH, GUIDED, FORECASTER] {
            let (x, y) = (&again.diagnostics[lane], &all.diagnostics[lane]);
            assert_eq!(x.frames, y.frames);
            for (p, q) in x.acf.iter().zip(&y.acf) {
                assert!((p - q).abs() < 1e-9, "lane {lane}: {p} {q}");
            }
            let (p, q) = (x.rain.as_ref().unwrap(), y.rain.as_ref().unwrap());
            assert_eq!(p.percentiles, q.percentiles);
            assert!((p.global_mean - q.global_mean).abs() < 1e-9);
            assert!((x.std_ratio - y.std_ratio).abs() < 1e-9);
        }
    }
    // A member alone gives what it gives in company.
    let alone = spawn(&options(dir.path()), &on(2059, 7, 1));
    let one = make(&alone, 8);
    for lane in [GUIDED, UNCONDITIONAL, FORECASTER] {
        for f in 0..=8 {
            assert_eq!(members(&one, lane, f)[0], members(&all, lane, f)[0]);
        }
    }
}

#[test]
fn a_rollout_is_taken_up_after_a_panic_with_its_frames_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let failing = WorkerOptions {
        frames_in_memory: Some(16),
        panic_at_frame: Some(30),
        ..options(dir.path())
    };
    let spec = RolloutSpec {
        seed: 4,
        ..RolloutSpec::default()
    };
    let w = spawn(&failing, &spec);
    assert!(w.send(Command::Run));
    let mut events = Vec::new();
    wait(&w, &mut events, |w, _| !w.is_alive());
    let kept = w.archive();
    drop(w);
    assert_eq!(kept.frames.last().unwrap().index, 29);
    let resumed = WorkerOptions {
        panic_at_frame: None,
        resume: Some(kept.clone()),
        ..failing
    };
    let again = spawn(&resumed, &spec);
    wait(&again, &mut Vec::new(), |w, _| {
        w.progress().activity.starts_with("paused at frame 29")
    });
    let a = make(&again, 34);
    let straight = make(&spawn(&options(dir.path()), &spec), 34);
    for f in 0..=34 {
        for lane in [TRUTH, GUIDED, FORECASTER] {
            assert_eq!(
                members(&a, lane, f),
                members(&straight, lane, f),
                "frame {f}"
            );
        }
    }
    assert_eq!(a.oldest(), 0);
    assert_eq!(a.diagnostics[GUIDED].frames, 31);
}

#[test]
fn a_blow_up_stops_the_lane_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let w = spawn(&options(dir.path()), &RolloutSpec::default());
    let mut wild = settings();
    // A plain solver's long steps overshoot where the guidance is strong; the one that follows the law does not.
    wild.sampler = SamplerSettings::of(Solver::Dpm);
    wild.guidance.strength = 60.0;
    w.set_settings(wild);
    assert!(w.send(Command::Run));
    let mut events = Vec::new();
    wait(&w, &mut events, |_, e| {
        e.iter().any(|e| matches!(e, Event::BlowUp { .. }))
    });
    let (lane, frame, what) = events
        .iter()
        .find_map(|e| match e {
            Event::BlowUp { lane, frame, what } => Some((*lane, *frame, what.clone())),
            _ => None,
        })
        .unwrap();
    assert_eq!(lane, LaneKind::Guided, "{what}");
    assert!(what.contains("mm/day") || what.contains("cap") || what.contains("finite"));
    wait(&w, &mut events, |w, _| {
        w.archive().frames.last().unwrap().index > frame + 1
    });
    assert!(w.send(Command::Pause));
    let last = w.archive();
    let last = last.frames.last().unwrap();
    assert!(last.lanes[GUIDED].is_none() && last.lanes[UNCONDITIONAL].is_some());
    w.set_settings(settings());
    assert!(w.send(Command::TruncateTo(frame - 1)));
    wait(&w, &mut events, |w, _| {
        !w.progress().running && w.archive().frames.last().unwrap().index == frame - 1
    });
    let a = make(&w, frame);
    assert!(a.frames.last().unwrap().lanes[GUIDED].is_some());
    assert!(headlines(&events).is_empty(), "{events:?}");
}

#[test]
fn lanes_come_and_go_and_the_season_can_be_told() {
    let dir = tempfile::tempdir().unwrap();
    let w = spawn(&options(dir.path()), &on(2059, 3, 1));
    make(&w, 6);
    let mut s = settings();
    s.lanes[FORECASTER] = false;
    s.lanes[UNCONDITIONAL] = false;
    w.set_settings(s.clone());
    let a = make(&w, 8);
    assert!(a.frames[8].lanes[FORECASTER].is_none() && a.frames[8].lanes[GUIDED].is_some());
    s.lanes[FORECASTER] = true;
    w.set_settings(s.clone());
    let plain = make(&w, 10);
    assert_eq!(plain.diagnostics[FORECASTER].frames, 2);
    // The day of the year changes what is made.
    assert!(w.send(Command::TruncateTo(8)));
    s.guidance.season = true;
    w.set_settings(s);
    wait(&w, &mut Vec::new(), |w, _| w.archive().frames.len() == 9);
    let told = make(&w, 10);
    assert_ne!(members(&told, GUIDED, 9), members(&plain, GUIDED, 9));
    assert_eq!(members(&told, TRUTH, 9), members(&plain, TRUTH, 9));
}

#[test]
fn starts_that_cannot_be_are_errors_and_the_rollout_survives() {
    let dir = tempfile::tempdir().unwrap();
    let w = spawn(&options(dir.path()), &RolloutSpec::default());
    make(&w, 5);
    let mut events = Vec::new();
    let no_file = RolloutSpec {
        start_file: Some(PathBuf::from("no/such/file.nc")),
        ..RolloutSpec::default()
    };
    for (i, spec) in [on(2061, 1, 1), on(2059, 1, 2), no_file]
        .into_iter()
        .enumerate()
    {
        assert!(w.send(Command::Restart(spec)));
        wait(&w, &mut events, |_, e| headlines(e).len() == i + 1);
        assert_eq!(w.archive().frames.len(), 6);
    }
    make(&w, 6);
    assert!(w.send(Command::Restart(on(2060, 6, 30))));
    wait(&w, &mut events, |w, _| w.archive().frames.len() == 4);
    assert_eq!(
        w.archive().frames[3].date.unwrap().to_string(),
        "2060-06-30"
    );
    // A worker that is started with such a wish starts anyway, and says so.
    let w = Worker::spawn(
        options(dir.path()),
        settings(),
        on(1999, 1, 1),
        Arc::new(|| {}),
    );
    let mut events = Vec::new();
    wait(&w, &mut events, |w, e| {
        !w.archive().frames.is_empty() && !headlines(e).is_empty()
    });
    assert!(headlines(&events)[0].contains("1999-01-01"));
}

/// The watch for a blow-up never fires on what was recorded, on the clip's own grid.
#[test]
fn truth_is_never_a_blow_up() {
    use eddyscope::data::recording::{Recording, shipped_clip};
    use eddyscope::model::card::RainTruth;
    use eddyscope::rollout::climate::Climate;

    let clip = shipped_clip().unwrap();
    let days: Vec<_> = (0..clip.days()).map(|i| clip.day(i).unwrap()).collect();
    // Caps as a model has them: 1.05 times the 99.95th percentile of the cube root, here of the clip itself.
    let cap = (0..clip.globe().len())
        .map(|i| {
            let mut v: Vec<f32> = days.iter().map(|d| d[i].cbrt()).collect();
            v.sort_by(f32::total_cmp);
            (1.05 * v[v.len() * 9995 / 10_000]).max(0.1).powi(3)
        })
        .collect();
    let climate = Climate {
        globe: clip.globe().clone(),
        mean: Vec::new(),
        p90: Vec::new(),
        cap,
        truth: RainTruth {
            global_mean: 2.642,
            ..RainTruth::default()
        },
    };
    let (mut low, mut high) = (f64::MAX, 0.0_f64);
    for day in &days {
        assert!(climate.blow_up(day).is_none());
        let ratio = clip.globe().mean(day) / 2.642;
        (low, high) = (low.min(ratio), high.max(ratio));
    }
    assert!(low > 0.85 && high < 1.2, "{low} {high}");
    let wet: Vec<f32> = days[0].iter().map(|v| v * 3.0).collect();
    assert!(climate.blow_up(&wet).is_some());
    let dry: Vec<f32> = days[0].iter().map(|v| v * 0.1).collect();
    assert!(climate.blow_up(&dry).is_some());
    let mut broken = days[0].to_vec();
    broken[7] = f32::NAN;
    assert!(climate.blow_up(&broken).is_some());
}
