//! The worker protocol with the shipped model: frames, live settings, going back, recovery.
//!
//! EDDYSCOPE_TEST_MODEL names another model to test with.

// Helpers outside of a #[test] function may unwrap here too.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use eddyscope::device::DeviceRequest;
use eddyscope::rollout::protocol::{Archive, Command, Event};
use eddyscope::rollout::settings::{LaneKind, RolloutSpec, Settings};
use eddyscope::rollout::worker::{Worker, WorkerOptions};

const GUIDED: usize = LaneKind::Guided as usize;
const TRUTH: usize = LaneKind::Truth as usize;
const UNCONDITIONAL: usize = LaneKind::Unconditional as usize;

fn options() -> WorkerOptions {
    WorkerOptions {
        model: std::env::var("EDDYSCOPE_TEST_MODEL").ok(),
        device: DeviceRequest::Cpu,
        ..Default::default()
    }
}

fn spawn(options: WorkerOptions, spec: RolloutSpec) -> Worker {
    Worker::spawn(options, Settings::default(), spec, Arc::new(|| {}))
}

/// Waits until `done`, collecting events; fails after two minutes.
fn wait(worker: &Worker, events: &mut Vec<Event>, done: impl Fn(&Worker, &[Event]) -> bool) {
    let began = Instant::now();
    loop {
        events.extend(worker.events.try_iter());
        if done(worker, events) {
            return;
        }
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "waited too long; {:?}, events {events:?}",
            worker.progress()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Makes frames until the archive holds `frames` and the worker is paused again.
fn make(worker: &Worker, frames: usize) -> Archive {
    assert!(worker.send(Command::Step(frames - worker.archive().frames.len())));
    wait(worker, &mut Vec::new(), |w, _| {
        w.archive().frames.len() == frames && !w.progress().running
    });
    worker.archive()
}

fn started(worker: &Worker) {
    wait(worker, &mut Vec::new(), |w, _| {
        w.archive().frames.len() == 4
    });
}

fn errors(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .filter_map(|e| match e {
            Event::Error { error, .. } => Some(error.headline.clone()),
            _ => None,
        })
        .collect()
}

#[test]
fn frames_follow_and_lanes_begin_alike() {
    let w = spawn(options(), RolloutSpec::default());
    started(&w);
    let a = make(&w, 10);
    for (i, f) in a.frames.iter().enumerate() {
        assert_eq!(f.index, i);
        assert!((f.time - (i as f64 - 3.0) * 0.16).abs() < 1e-9);
    }
    // The start is the same in all lanes, the first generated frame is not.
    let lane = |i: usize, f: usize| a.frames[f].lanes[i].as_ref().unwrap().members[0].clone();
    assert_eq!(lane(TRUTH, 3), lane(GUIDED, 3));
    assert_ne!(lane(TRUTH, 4), lane(GUIDED, 4));
    assert_ne!(lane(UNCONDITIONAL, 4), lane(GUIDED, 4));
    // The guided frame follows from the last one, the unconditional one does not.
    let correlation = |x: &[f32], y: &[f32]| {
        let d =
            |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum() };
        d(x, y) / (d(x, x) * d(y, y)).sqrt()
    };
    assert!(correlation(&lane(GUIDED, 8), &lane(GUIDED, 9)) > 0.7);
    assert!(correlation(&lane(UNCONDITIONAL, 8), &lane(UNCONDITIONAL, 9)).abs() < 0.5);
    let trace = &a.frames[9].lanes[GUIDED].as_ref().unwrap().trace;
    // Three places on the way down to the first evaluation, and six evaluations.
    assert_eq!(trace.sigma.len(), 9);
    assert!(trace.logit.iter().all(|l| l.is_finite()));
    assert_eq!(a.diagnostics[GUIDED].frames, 6);
}

#[test]
fn settings_act_on_the_next_step_and_frames_say_which_made_them() {
    let w = spawn(options(), RolloutSpec::default());
    started(&w);
    make(&w, 6);
    let mut settings = Settings::default();
    settings.guidance.strength = 0.25;
    let generation = w.set_settings(settings.clone());
    let a = make(&w, 7);
    let made = a.frames.last().unwrap();
    assert_eq!(made.generation, generation);
    assert_eq!(*made.settings, settings);
    assert_eq!(a.frames[5].settings.guidance.strength, 1.0);
    assert_eq!(w.progress().applied_generation, generation);

    // While a frame is being made: seen at the next solver step, not at the next frame.
    settings.sampler.steps = 400;
    w.set_settings(settings.clone());
    assert!(w.send(Command::Step(1)));
    wait(&w, &mut Vec::new(), |w, _| w.progress().step.0 >= 3);
    settings.guidance.strength = 0.5;
    let generation = w.set_settings(settings);
    let at = w.progress().step.0;
    wait(&w, &mut Vec::new(), |w, _| {
        w.progress().applied_generation == generation
    });
    let after = w.progress().step.0;
    assert!(after < 400 && after >= at, "{at} {after}");
}

#[test]
fn going_back_and_on_gives_the_same_frames() {
    let spec = RolloutSpec {
        members: 2,
        ..Default::default()
    };
    let w = spawn(options(), spec.clone());
    started(&w);
    let first = make(&w, 12);
    assert!(w.send(Command::TruncateTo(7)));
    wait(&w, &mut Vec::new(), |w, _| w.archive().frames.len() == 8);
    let again = make(&w, 12);
    for lane in [TRUTH, UNCONDITIONAL, GUIDED] {
        for f in 8..12 {
            let m = |a: &Archive| a.frames[f].lanes[lane].as_ref().unwrap().members.clone();
            assert_eq!(m(&first), m(&again), "lane {lane} frame {f}");
        }
    }
    let bits = |a: &Archive| -> Vec<u64> {
        a.diagnostics[GUIDED]
            .acf
            .iter()
            .map(|v| v.to_bits())
            .collect()
    };
    assert_eq!(bits(&first), bits(&again));

    // A member alone gives the bits that it gives in an ensemble.
    let alone = spawn(options(), RolloutSpec::default());
    started(&alone);
    let one = make(&alone, 8);
    for f in 0..8 {
        let m = |a: &Archive| a.frames[f].lanes[GUIDED].as_ref().unwrap().members[0].clone();
        assert_eq!(m(&first), m(&one), "frame {f}");
    }
}

#[test]
fn a_blow_up_stops_the_lane_and_says_so() {
    let w = spawn(options(), RolloutSpec::default());
    started(&w);
    let mut settings = Settings::default();
    settings.guidance.strength = 8.0;
    w.set_settings(settings);
    assert!(w.send(Command::Run));
    let mut events = Vec::new();
    wait(&w, &mut events, |_, e| {
        e.iter().any(|e| matches!(e, Event::BlowUp { .. }))
    });
    let (lane, frame) = events
        .iter()
        .find_map(|e| match e {
            Event::BlowUp { lane, frame, .. } => Some((*lane, *frame)),
            _ => None,
        })
        .unwrap();
    assert_eq!(lane, LaneKind::Guided);
    assert!(frame < 4 + 30, "seen late: frame {frame}");
    // The others go on; the frame before is offered and works.
    wait(&w, &mut events, |w, _| {
        w.archive()
            .frames
            .last()
            .is_some_and(|f| f.index > frame + 1)
    });
    let last = w.archive();
    let last = last.frames.last().unwrap();
    assert!(last.lanes[GUIDED].is_none() && last.lanes[UNCONDITIONAL].is_some());
    assert!(w.send(Command::Pause));
    w.set_settings(Settings::default());
    assert!(w.send(Command::TruncateTo(frame - 1)));
    wait(&w, &mut events, |w, _| {
        !w.progress().running && w.archive().frames.len() == frame
    });
    let a = make(&w, frame + 1);
    assert!(a.frames.last().unwrap().lanes[GUIDED].is_some());
    assert!(errors(&events).is_empty(), "{events:?}");
}

#[test]
fn a_panic_is_an_event_and_the_rollout_can_be_taken_up() {
    let failing = WorkerOptions {
        panic_at_frame: Some(8),
        ..options()
    };
    let w = spawn(failing, RolloutSpec::default());
    started(&w);
    assert!(w.send(Command::Run));
    let mut events = Vec::new();
    wait(&w, &mut events, |w, _| !w.is_alive());
    events.extend(w.events.try_iter());
    assert!(
        events
            .iter()
            .any(|e| matches!(e, Event::Error { fatal: true, .. }))
    );
    let kept = w.archive();
    assert_eq!(kept.frames.len(), 8);

    let resumed = WorkerOptions {
        resume: Some(kept.clone()),
        ..options()
    };
    let again = spawn(resumed, RolloutSpec::default());
    wait(&again, &mut Vec::new(), |w, _| {
        w.progress().activity.starts_with("paused at frame 7")
    });
    let a = make(&again, 10);
    assert!(Arc::ptr_eq(&a.frames[6], &kept.frames[6]));
    let straight = spawn(options(), RolloutSpec::default());
    started(&straight);
    let b = make(&straight, 10);
    for lane in [TRUTH, GUIDED] {
        assert_eq!(
            a.frames[9].lanes[lane].as_ref().unwrap().members,
            b.frames[9].lanes[lane].as_ref().unwrap().members
        );
    }
}

/// Frames that the model or the rollout cannot go on with are refused, and a rollout of its own begins.
#[test]
fn frames_of_other_members_are_not_taken_up() {
    let w = spawn(options(), RolloutSpec::default());
    started(&w);
    let one = make(&w, 5);
    let resumed = WorkerOptions {
        resume: Some(one.clone()),
        ..options()
    };
    let spec = RolloutSpec {
        members: 2,
        ..RolloutSpec::default()
    };
    let w = spawn(resumed, spec);
    let mut events = Vec::new();
    wait(&w, &mut events, |w, _| {
        w.progress().activity.starts_with("paused at frame 3")
    });
    assert_eq!(errors(&events), ["Cannot go on with these frames"]);
    let a = make(&w, 5);
    let truth = a.frames[4].lanes[TRUTH].as_ref().unwrap();
    let before = one.frames[4].lanes[TRUTH].as_ref().unwrap();
    assert_eq!(truth.members.len(), 2);
    assert_eq!(truth.members[0], before.members[0]);
}

/// A lane that cannot be made stops the frame before truth has gone on: without that lane it is made as ever.
#[test]
fn truth_waits_for_a_frame_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/vorticity");
    for file in std::fs::read_dir(shipped).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    let card = folder.path().join("model.toml");
    let text = std::fs::read_to_string(&card).unwrap();
    let (before, rest) = text.split_once("[two_tower]").unwrap();
    let (_, after) = rest.split_once("[encoder]").unwrap();
    std::fs::write(&card, format!("{before}[encoder]{after}")).unwrap();
    let without = WorkerOptions {
        model: Some(folder.path().display().to_string()),
        ..options()
    };
    let truth_alone = Settings {
        lanes: [true, false, false, false, false, false],
        ..Settings::default()
    };
    let mut forecaster = truth_alone.clone();
    forecaster.lanes[LaneKind::Forecaster as usize] = true;
    let w = spawn(without, RolloutSpec::default());
    started(&w);
    w.set_settings(forecaster);
    let mut events = Vec::new();
    for count in 1..=2 {
        assert!(w.send(Command::Step(1)));
        wait(&w, &mut events, |_, e| errors(e).len() == count);
    }
    w.set_settings(truth_alone.clone());
    let a = make(&w, 6);
    let w = spawn(options(), RolloutSpec::default());
    started(&w);
    w.set_settings(truth_alone);
    let b = make(&w, 6);
    for frame in 4..6 {
        let truth = |a: &Archive| {
            a.frames[frame].lanes[TRUTH]
                .as_ref()
                .unwrap()
                .members
                .clone()
        };
        assert_eq!(truth(&a), truth(&b), "frame {frame}");
    }
}

#[test]
fn bad_requests_are_errors_and_the_rollout_survives() {
    let w = spawn(options(), RolloutSpec::default());
    started(&w);
    make(&w, 5);
    let mut events = Vec::new();
    assert!(w.send(Command::Restart(RolloutSpec {
        start_file: Some(PathBuf::from("no/such/file.nc")),
        ..Default::default()
    })));
    wait(&w, &mut events, |_, e| !errors(e).is_empty());
    assert_eq!(w.archive().frames.len(), 5);
    let bad = Settings {
        sampler: eddyscope::rollout::settings::SamplerSettings {
            steps: 1,
            ..Default::default()
        },
        ..Default::default()
    };
    w.set_settings(bad);
    assert!(w.send(Command::Step(1)));
    wait(&w, &mut events, |_, e| errors(e).len() == 2);
    w.set_settings(Settings::default());
    make(&w, 6);
    assert!(w.is_alive());
}

#[test]
fn the_control_lane_can_be_switched_on_later() {
    let w = spawn(options(), RolloutSpec::default());
    started(&w);
    make(&w, 6);
    let mut settings = Settings::default();
    settings.lanes[LaneKind::Forecaster as usize] = true;
    settings.lanes[UNCONDITIONAL] = false;
    w.set_settings(settings);
    let a = make(&w, 9);
    let last = a.frames.last().unwrap();
    assert!(last.lanes[LaneKind::Forecaster as usize].is_some());
    assert!(last.lanes[UNCONDITIONAL].is_none());
    let d = &a.diagnostics[LaneKind::Forecaster as usize];
    assert_eq!(d.frames, 3);
    assert!(d.dynamics_skill > 0.3, "{}", d.dynamics_skill);
}
