//! A run that is made again from its recipe, with the real worker.

use std::sync::Arc;
use std::time::{Duration, Instant};

use eddyscope::device::DeviceRequest;
use eddyscope::export::{Carried, Format, Watch, hash, read};
use eddyscope::rollout::protocol::{Archive, Command};
use eddyscope::rollout::settings::{LaneKind, RolloutSpec, Settings};
use eddyscope::rollout::worker::{Worker, WorkerOptions};

use super::{plan, recipe, whole};

fn worker(options: WorkerOptions, settings: &Settings, spec: &RolloutSpec) -> Worker {
    let options = WorkerOptions {
        device: DeviceRequest::Cpu,
        ..options
    };
    Worker::spawn(options, settings.clone(), spec.clone(), Arc::new(|| {}))
}

fn wait(worker: &Worker, done: impl Fn(&Worker) -> bool) {
    let began = Instant::now();
    while !done(worker) {
        assert!(
            began.elapsed() < Duration::from_secs(600),
            "{:?}",
            worker.progress()
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn frames(worker: &Worker, count: usize) -> Archive {
    wait(worker, |w| {
        w.archive().frames.len() >= count && !w.progress().running
    });
    worker.archive()
}

fn bits(archive: &Archive, frame: usize) -> Vec<u32> {
    let lanes = archive.frames[frame].lanes.iter().flatten();
    let values = lanes.flat_map(|l| l.members.iter().flat_map(|m| m.iter()));
    values.map(|v| v.to_bits()).collect()
}

/// The real worker: settings moved between frames and within one, a lane switched on; then the run made again from a
/// file, and a session gone on with.
#[test]
fn a_run_is_made_again_from_its_file_bit_for_bit() {
    let mut settings = Settings::default();
    settings.sampler.steps = 4;
    settings.lanes = [true, false, true, false, false, false];
    let spec = RolloutSpec {
        seed: 5,
        ..RolloutSpec::default()
    };
    let first = worker(WorkerOptions::default(), &settings, &spec);
    wait(&first, |w| w.archive().frames.len() == 4);
    // Within the frame: after its first steps.
    first.send(Command::Step(1));
    wait(&first, |w| w.progress().step.0 >= 1);
    settings.guidance.strength = 0.3;
    first.set_settings(settings.clone());
    let made = frames(&first, 5);
    assert_eq!(
        made.frames[4].steps.len(),
        2,
        "the slider moved within the frame"
    );
    settings.lanes[LaneKind::Unconditional.index()] = true;
    settings.guidance.history = 1;
    first.set_settings(settings.clone());
    first.send(Command::Step(1));
    let made = frames(&first, 6);

    let folder = tempfile::tempdir().unwrap();
    let (film, session) = (
        folder.path().join("a.webp"),
        folder.path().join("a.eddyscope"),
    );
    let lanes = [LaneKind::Truth, LaneKind::Guided];
    for (format, path) in [(Format::WebP, &film), (Format::Session, &session)] {
        let mut plan = plan(format, path.clone(), &made, &lanes);
        plan.recipe = recipe(&made, &spec);
        plan.run(&Watch::default()).unwrap();
    }
    first.send(Command::Step(1));
    let on = frames(&first, 7);
    drop(first);

    let recipe = whole(&film);
    assert!(recipe.changes.len() >= 3);
    let again = worker(WorkerOptions::default(), &recipe.settings, &recipe.rollout);
    again.send(Command::Replay {
        script: Arc::new(recipe.changes.clone()),
        until: recipe.frame,
    });
    let same = frames(&again, 6);
    for frame in 0..6 {
        assert_eq!(bits(&same, frame), bits(&made, frame), "frame {frame}");
    }
    assert_eq!(recipe.frame_hash, Some(hash(&same.frames[5])));
    again.send(Command::Step(1));
    assert_eq!(
        bits(&frames(&again, 7), 6),
        bits(&on, 6),
        "it goes on the same"
    );
    drop(again);

    let Carried::Session(kept) = read(&session).unwrap() else {
        panic!("it is a session");
    };
    let options = WorkerOptions {
        resume: Some(kept.archive),
        ..WorkerOptions::default()
    };
    let resumed = worker(options, &kept.recipe.settings, &kept.recipe.rollout);
    resumed.send(Command::Step(1));
    let resumed = frames(&resumed, 7);
    for frame in 0..7 {
        assert_eq!(bits(&resumed, frame), bits(&on, frame), "frame {frame}");
    }
}
