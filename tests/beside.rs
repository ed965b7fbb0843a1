//! What runs beside the rollout on screen, with the shipped models: the wall of linked rollouts.

// Helpers outside of a #[test] function may unwrap here too.
#![allow(clippy::unwrap_used)]

#[path = "support/ringing.rs"]
mod ringing;

use std::sync::Arc;
use std::time::{Duration, Instant};

use eddyscope::device::DeviceRequest;
use eddyscope::rollout::protocol::Command;
use eddyscope::rollout::settings::{LaneKind, RolloutSpec, Settings};
use eddyscope::rollout::wall::{self, Wall, WallCommand, WallPlan, WallState};
use eddyscope::rollout::worker::{Worker, WorkerOptions};
use ringing::Ringing;

fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut s = Settings::default();
    // Few steps: these tests ask which frames come out, not how good they are.
    s.sampler.steps = 4;
    change(&mut s);
    s
}

fn open() -> Ringing<Wall> {
    let says = |wall: &Wall| format!("{} {:?}", wall.value().activity, wall.value().error);
    Ringing::new(says, |wake| wall::spawn(None, DeviceRequest::Cpu, wake))
}

fn until(wall: &Ringing<Wall>, done: impl Fn(&WallState) -> bool) -> WallState {
    wall.wait(|wall| Some(wall.value()).filter(&done))
}

fn plan(number: u64, spec: &RolloutSpec, tiles: &[Settings]) -> WallCommand {
    WallCommand::Plan(Box::new(WallPlan {
        number,
        spec: spec.clone(),
        tiles: tiles.to_vec(),
    }))
}

/// The guided lane of a rollout of its own, member 0.
fn main_lane(spec: &RolloutSpec, settings: Settings, frames: usize) -> Vec<Arc<[f32]>> {
    let options = WorkerOptions {
        device: DeviceRequest::Cpu,
        ..WorkerOptions::default()
    };
    let worker = Ringing::new(
        |w: &Worker| format!("{:?}", w.progress()),
        |wake| Worker::spawn(options, settings, spec.clone(), wake),
    );
    assert!(worker.send(Command::Step(frames)));
    let frames = worker.wait(|w| Some(w.archive().frames).filter(|f| f.len() == 4 + frames));
    let guided = |f: &Arc<_>| -> Arc<[f32]> {
        let frame: &eddyscope::rollout::frame::FrameSet = f;
        let lane = frame.lanes[LaneKind::Guided.index()].as_ref().unwrap();
        lane.members[0].clone()
    };
    frames.iter().map(guided).collect()
}

/// A tile taken as the main lane gives the frames that the wall showed, bit for bit on the CPU: whatever else was in the
/// batch, with another history length, another interval or another number of steps beside it.
#[test]
fn a_tile_is_what_the_main_lane_makes() {
    let spec = RolloutSpec {
        seed: 5,
        members: 2,
        ..RolloutSpec::default()
    };
    let tiles = [
        settings(|_| ()),
        settings(|s| s.guidance.strength = 0.0),
        settings(|s| s.guidance.history = 1),
        settings(|s| (s.guidance.sigma_lo, s.guidance.sigma_hi) = (0.05, 20.0)),
        settings(|s| s.sampler.steps = 6),
        settings(|s| s.guidance.strength = 0.4),
        // Nobody that looks so far back is guided.
        settings(|s| (s.guidance.strength, s.guidance.history) = (0.0, 0)),
    ];
    let wall = open();
    assert!(wall.send(plan(1, &spec, &tiles)) && wall.send(WallCommand::Step(2)));
    let state = until(&wall, |s| s.generated() == 2 && !s.running);
    assert_eq!((state.plan, state.batches, state.start_frames), (1, 2, 4));
    assert!(state.error.is_none());
    for (i, tile) in tiles.iter().enumerate() {
        let lane = main_lane(&spec, tile.clone(), 2);
        for (f, frame) in state.frames.iter().enumerate() {
            assert_eq!(frame.index, f);
            let values = frame.tiles[i].as_ref().unwrap();
            assert_eq!(*values, lane[f], "tile {i}, frame {f}");
        }
    }
    let newest = state.frames.last().unwrap();
    assert_ne!(newest.tiles[0], newest.tiles[2]);
    assert_ne!(newest.tiles[0], newest.tiles[3]);
    assert_eq!(state.tiles[0].frames, 2);
    assert!(state.tiles[0].dynamics_skill > state.tiles[1].dynamics_skill);
}

#[test]
fn a_tile_that_blows_up_stops_alone_and_a_new_plan_begins_anew() {
    let spec = RolloutSpec::default();
    let wild = settings(|s| s.guidance.strength = 40.0);
    let wall = open();
    assert!(wall.send(plan(7, &spec, &[settings(|_| ()), wild])));
    assert!(wall.send(WallCommand::Run));
    let state = until(&wall, |s| s.stopped.iter().any(Option::is_some));
    assert!(state.stopped[0].is_none());
    let stopped = state.stopped[1].clone().unwrap();
    assert!(stopped.frame < 40 && !stopped.what.is_empty());
    // The other goes on; the stopped one has no further frame.
    let state = until(&wall, |s| s.last() > stopped.frame);
    let newest = state.frames.last().unwrap();
    assert!(newest.tiles[0].is_some() && newest.tiles[1].is_none());
    assert!(state.frame(stopped.frame).unwrap().tiles[1].is_some());

    // A plan that cannot be is an error, and the thread lives on.
    let mut bad = settings(|_| ());
    bad.sampler.steps = 1;
    assert!(wall.send(plan(8, &spec, &[bad])));
    let state = until(&wall, |s| s.plan == 8 && s.error.is_some());
    assert!(!state.running && state.frames.is_empty());
    assert!(wall.send(plan(9, &spec, &[settings(|_| ())])) && wall.send(WallCommand::Step(1)));
    let state = until(&wall, |s| s.plan == 9 && s.generated() == 1 && !s.running);
    assert!(state.error.is_none());

    // Cancel: it ends within a solver step, not after its frames.
    assert!(wall.send(WallCommand::Run));
    until(&wall, |s| s.running && s.step.0 > 0);
    let began = Instant::now();
    wall.inner.stop();
    assert!(began.elapsed() < Duration::from_secs(10));
}

/// The twin begins at the frame, its unforced run is the solver's answer, and its forced runs part from it and from each
/// other; another seed is another weather.
#[test]
fn the_twin_is_the_solver_from_a_frame() {
    use eddyscope::rollout::twin::{self, FORCED, FlowStart, Twin, TwinCommand};
    let params = eddyscope::sim::Params::preset("vorticity-64").unwrap();
    let mut solver = eddyscope::sim::Solver::new(&params).unwrap();
    let mut start = solver.random_state(3, 0);
    for _ in 0..40 {
        solver.step(&mut start, 3, 0);
    }
    let field: Arc<[f32]> = solver.field(&start).into();
    let run = |seed: u64| {
        let says = |twin: &Twin| format!("{:?}", twin.value().error);
        let twin = Ringing::new(says, |wake| twin::spawn(None, wake));
        let start = FlowStart {
            number: seed,
            field: Arc::clone(&field),
            seed,
        };
        assert!(twin.send(TwinCommand::Flow(Box::new(start))));
        assert!(twin.send(TwinCommand::Until(2)));
        let value = twin.wait(|twin| {
            let value = twin.value();
            let made = value.flow.as_ref().map_or(0, |f| f.frames());
            (made == 2).then_some(value)
        });
        assert_eq!(value.number, seed);
        value.flow.unwrap()
    };
    let flow = run(8);
    assert_eq!(flow.forced[1].len(), FORCED);
    let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4);
    assert!(close(&flow.unforced[0], &field));
    assert!(close(&flow.unforced[1], &solver.unforced_frame(&field)));
    assert!(!close(&flow.forced[1][0], &flow.unforced[1]));
    assert!(!close(&flow.forced[2][0], &flow.forced[2][1]));
    let other = run(9);
    assert_eq!(other.unforced, flow.unforced);
    assert_ne!(other.forced[1][0], flow.forced[1][0]);
}
