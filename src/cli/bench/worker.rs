//! The worker as the window has it: start to first frame, slider to effect, and long runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{BenchArgs, Timing};
use crate::device::usage;
use crate::error::{Result, UserError};
use crate::rollout::engine::HISTORY;
use crate::rollout::protocol::{Command, Event};
use crate::rollout::settings::{LANES, LaneKind, RolloutSpec, Settings};
use crate::rollout::worker::{Worker, WorkerOptions};

/// Longer than any step of a model that can be used; a worker that is silent for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often the worker is looked at.
const LOOK: Duration = Duration::from_micros(100);

fn spawn(args: &BenchArgs, settings: Settings, memory_mib: usize) -> Worker {
    let options = WorkerOptions {
        model: Some(args.model.clone()),
        device: args.device,
        memory_mib,
        ..Default::default()
    };
    Worker::spawn(options, settings, RolloutSpec::default(), Arc::new(|| {}))
}

/// Looks at the worker until `done` answers.
///
/// # Errors
/// What the worker says went wrong; a worker that does not answer.
fn until<T>(worker: &Worker, pause: Duration, mut done: impl FnMut() -> Option<T>) -> Result<T> {
    let began = Instant::now();
    loop {
        if let Some(answer) = done() {
            return Ok(answer);
        }
        for event in worker.events.try_iter() {
            if let Event::Error { error, .. } = event {
                return Err(error);
            }
        }
        if pause < Duration::from_millis(10) && began.elapsed() > PATIENCE {
            return Err(UserError::new(
                "The worker does not answer",
                format!("it says: {}", worker.progress().activity),
                "look at the log (RUST_LOG=info)",
            ));
        }
        std::thread::sleep(pause);
    }
}

/// Number of the newest generated frame of the guided lane.
fn newest(worker: &Worker) -> usize {
    let last = worker.newest();
    last.filter(|f| f.index >= HISTORY && f.lanes[LaneKind::Guided.index()].is_some())
        .map_or(0, |f| f.index)
}

/// Times of what a user waits for, with the lanes that the window begins with.
///
/// # Errors
/// As the worker's.
pub(super) fn waits(args: &BenchArgs, repeats: usize) -> Result<Vec<Timing>> {
    let mut starts = Vec::new();
    for _ in 0..repeats.min(5) {
        let began = Instant::now();
        let worker = spawn(args, Settings::default(), 1024);
        worker.send(Command::Step(1));
        until(&worker, LOOK, || (newest(&worker) > 0).then_some(()))?;
        starts.push(began.elapsed().as_secs_f64());
    }
    let worker = spawn(args, Settings::default(), 1024);
    worker.send(Command::Run);
    until(&worker, LOOK, || (newest(&worker) > 6).then_some(()))?;

    let mut steps = Vec::new();
    let mut last = (worker.progress().step, Instant::now());
    while steps.len() < 5 * repeats {
        let now = until(&worker, Duration::from_micros(20), || {
            let step = worker.progress().step;
            (step != last.0).then(|| (step, Instant::now()))
        })?;
        // The first step of a frame carries the end of the frame before it.
        if now.0.0 == last.0.0 + 1 {
            steps.push((now.1 - last.1).as_secs_f64());
        }
        last = now;
    }

    let mut effects = Vec::new();
    let mut settings = Settings::default();
    for i in 0..2 * repeats {
        // At any phase of a frame, since people do not wait for one.
        std::thread::sleep(Duration::from_micros(7_919 * (1 + i as u64 % 13)));
        settings.guidance.strength = if i % 2 == 0 { 0.5 } else { 1.0 };
        let began = Instant::now();
        let generation = worker.set_settings(settings.clone());
        until(&worker, LOOK, || {
            (worker.progress().applied_generation >= generation).then_some(())
        })?;
        effects.push(began.elapsed().as_secs_f64());
    }
    Ok(vec![
        Timing {
            name: "start to first guided frame, without a window",
            seconds: starts,
        },
        Timing {
            name: "solver step of the worker, as in the window",
            seconds: steps,
        },
        Timing {
            name: "slider to the end of the first step under it",
            seconds: effects,
        },
    ])
}

/// A stretch of a long run.
#[derive(Debug, Serialize)]
struct Stretch {
    /// Number of its last frame.
    frame: usize,
    /// Mean wall time of a frame, milliseconds.
    wall_ms: f64,
    /// Mean processor time of a frame over all threads, milliseconds.
    processor_ms: Option<f64>,
    /// Memory held at its end, MiB.
    resident_mib: Option<f64>,
}

/// Makes `frames` frames of the guided lane and says for each tenth of them how long a frame took and what memory is held.
///
/// # Errors
/// As the worker's.
pub(super) fn long(args: &BenchArgs, frames: usize) -> Result<u8> {
    let mut settings = Settings {
        lanes: [false; LANES],
        ..Settings::default()
    };
    settings.lanes[LaneKind::Guided.index()] = true;
    let sampler = &mut settings.sampler;
    sampler.steps = args.steps.map_or(sampler.steps, usize::from);
    let worker = spawn(args, settings.clone(), args.memory_mib);
    // Not counted: the first hundred, in which everything is opened and warmed up.
    const WARM: usize = 100;
    worker.send(Command::Step(WARM + frames));
    let often = Duration::from_millis(100);
    let mut seen = until(&worker, LOOK, || {
        let now = newest(&worker);
        (now >= WARM).then_some(now)
    })?;
    let first = seen;
    let usage = || (Instant::now(), usage::processor_seconds());
    let mut before = usage();
    let mut all = Vec::new();
    if !args.json {
        println!(
            "{:>10} {:>14} {:>19} {:>12}",
            "frame", "ms a frame", "processor ms a frame", "MiB held"
        );
    }
    for tenth in 1..=10 {
        let end = first + (WARM + 3 + frames - first) * tenth / 10;
        let now = until(&worker, often, || {
            let now = newest(&worker);
            (now >= end).then_some(now)
        })?;
        let after = usage();
        let made = (now - seen).max(1) as f64;
        let stretch = Stretch {
            frame: now,
            wall_ms: (after.0 - before.0).as_secs_f64() * 1e3 / made,
            processor_ms: before.1.zip(after.1).map(|(a, b)| (b - a) * 1e3 / made),
            resident_mib: usage::resident_bytes().map(|b| b as f64 / f64::from(1 << 20)),
        };
        if !args.json {
            let or_unknown = |v: Option<f64>, decimals: usize| {
                v.map_or("not known".to_owned(), |v| format!("{v:.decimals$}"))
            };
            println!(
                "{:>10} {:>14.2} {:>19} {:>12}",
                stretch.frame,
                stretch.wall_ms,
                or_unknown(stretch.processor_ms, 2),
                or_unknown(stretch.resident_mib, 1)
            );
        }
        all.push(stretch);
        (seen, before) = (now, after);
    }
    let beside = beside_a_fresh_one(args, &worker, settings)?;
    if args.json {
        println!(
            "{}",
            serde_json::json!({ "stretches": all, "beside_a_fresh_one": beside })
        );
    } else {
        let [time, processor] = [&beside.time, &beside.processor_time].map(|ratio| {
            ratio.as_ref().map_or("not known".to_owned(), |r| {
                format!(
                    "{:.3} ({:.3}-{:.3})",
                    r.median, r.interval[0], r.interval[1]
                )
            })
        });
        println!(
            "frames from {} on / frames {} to {} of fresh rollouts, in turn, {ROUNDS} times {CHUNK} each, median and its 95 % \
             interval: time {time}, processor time {processor}",
            beside.frame, beside.fresh_frames[0], beside.fresh_frames[1]
        );
    }
    Ok(0)
}

/// Rounds in which the long and a fresh rollout take turns, and frames that each makes in a round.
const ROUNDS: usize = 168;
const CHUNK: usize = 25;

/// Rounds after which another rollout begins beside the long one: its frames stay early ones.
const FRESH: usize = 24;

/// The late frames of a long rollout beside the early ones of fresh rollouts.
#[derive(Debug, Serialize)]
struct Beside {
    /// Number of the first frame of the long rollout that was timed.
    frame: usize,
    /// Number of the first frame of the fresh ones that was timed, and of the last.
    fresh_frames: [usize; 2],
    /// Time of a late frame over that of an early one.
    time: Option<Ratio>,
    /// The same of processor time.
    processor_time: Option<Ratio>,
}

/// A median and its 95 % interval.
#[derive(Debug, Serialize)]
struct Ratio {
    median: f64,
    interval: [f64; 2],
}

/// A busy machine is slower at one hour than at another. So the late frames of a long rollout are timed in turn with the early
/// ones of a fresh rollout.
fn beside_a_fresh_one(args: &BenchArgs, long: &Worker, settings: Settings) -> Result<Beside> {
    let make = |worker: &Worker, count: usize| -> Result<(f64, Option<f64>)> {
        let (end, began) = (newest(worker) + count, Instant::now());
        let before = usage::processor_seconds();
        worker.send(Command::Step(count));
        until(worker, LOOK, || (newest(worker) >= end).then_some(()))?;
        let processor = before.zip(usage::processor_seconds());
        Ok((began.elapsed().as_secs_f64(), processor.map(|(a, b)| b - a)))
    };
    make(long, CHUNK)?;
    let frame = newest(long) + 1;
    let (mut time, mut processor) = (Vec::new(), Vec::new());
    let mut fresh_frames = [usize::MAX, 0];
    for _ in 0..ROUNDS / FRESH {
        let fresh = spawn(args, settings.clone(), args.memory_mib);
        // The first hundred frames warm up, as those of the long run did.
        make(&fresh, 100)?;
        fresh_frames[0] = fresh_frames[0].min(newest(&fresh) + 1);
        for round in 0..FRESH {
            // Who begins, changes: a third program that comes and goes disturbs both alike.
            let (late, early) = if round % 2 == 0 {
                let late = make(long, CHUNK)?;
                (late, make(&fresh, CHUNK)?)
            } else {
                let early = make(&fresh, CHUNK)?;
                (make(long, CHUNK)?, early)
            };
            time.push(late.0 / early.0);
            processor.extend(late.1.zip(early.1).map(|(a, b)| a / b));
        }
        fresh_frames[1] = newest(&fresh);
    }
    // A median lies between two order statistics as a binomial number does between two counts.
    let median = |mut v: Vec<f64>| {
        v.sort_by(f64::total_cmp);
        let last = v.len().checked_sub(1)? as f64;
        let beside = 0.98 / (last + 1.0).sqrt();
        let at = |share: f64| v[(share.clamp(0.0, 1.0) * last).round() as usize];
        Some(Ratio {
            median: at(0.5),
            interval: [0.5 - beside, 0.5 + beside].map(at),
        })
    };
    Ok(Beside {
        frame,
        fresh_frames,
        time: median(time),
        processor_time: median(processor),
    })
}
