//! The solver from a frame of the model's own.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};

use crate::error::Result;
use crate::sim::{Solver, State};

use super::super::aside::Inside;
use super::{TwinCommand, TwinState};

/// Runs with forcing, each with noise of its own.
pub const FORCED: usize = 4;

/// Frames after the first that a twin goes on for at most.
pub const LONGEST: usize = 400;

/// Growth of the rms beyond which the solver has lost the flow.
const TOO_MUCH: f64 = 10.0;

fn rms(field: &[f32]) -> f64 {
    let sum: f64 = field.iter().map(|v| f64::from(*v).powi(2)).sum();
    (sum / field.len().max(1) as f64).sqrt()
}

/// Where a twin begins.
#[derive(Debug, Clone)]
pub struct FlowStart {
    /// Names the start in [`TwinState::number`].
    pub number: u64,
    /// Vorticity, physical units.
    pub field: Arc<[f32]>,
    /// Seed of the forcing.
    pub seed: u64,
}

/// What the solver makes of it. Frame 0 is what it can carry of the start: mean and unresolved modes are dropped.
#[derive(Debug, Clone, Default)]
pub struct FlowTwin {
    /// Without forcing, physical units.
    pub unforced: Vec<Arc<[f32]>>,
    /// With forcing: by frame, [`FORCED`] runs each.
    pub forced: Vec<Vec<Arc<[f32]>>>,
    /// The solver could not go on: the frame's winds are too fast for its time step.
    pub broke: bool,
}

impl FlowTwin {
    /// Frames after the first.
    pub fn frames(&self) -> usize {
        self.unforced.len().saturating_sub(1)
    }
}

struct Run {
    start: FlowStart,
    unforced: State,
    forced: Vec<State>,
    frames: usize,
    broke: bool,
}

/// Runs until the window goes; `solver` is the one that the model's data were made with.
pub(super) fn run(
    inside: &Inside<TwinState>,
    commands: &Receiver<TwinCommand>,
    mut solver: Solver,
) -> Result<()> {
    let mut run: Option<Run> = None;
    let mut until = 0;
    loop {
        let busy = run.as_ref().is_some_and(|r| r.frames < until && !r.broke);
        let command = match busy {
            true => commands.try_recv(),
            false => commands.recv().map_err(|_| TryRecvError::Disconnected),
        };
        if inside.quit() {
            return Ok(());
        }
        match command {
            Ok(TwinCommand::Flow(start)) => {
                until = 0;
                let begun = begin(&mut solver, *start);
                inside.update(|s| match &begun {
                    Ok((run, first)) => {
                        *s = TwinState {
                            number: run.start.number,
                            flow: Some(first.clone()),
                            ..TwinState::default()
                        };
                    }
                    Err(error) => s.error = Some(error.clone()),
                });
                run = begun.ok().map(|(run, _)| run);
            }
            Ok(TwinCommand::Until(frames)) => until = frames.min(LONGEST),
            // There are no recorded days in the box.
            Ok(TwinCommand::Analogues(_)) => {}
            Err(TryRecvError::Disconnected) => return Ok(()),
            Err(TryRecvError::Empty) => {
                if let Some(run) = &mut run {
                    advance(inside, &mut solver, run);
                }
            }
        }
    }
}

fn begin(solver: &mut Solver, start: FlowStart) -> Result<(Run, FlowTwin)> {
    let state = solver.state_from_field(&start.field)?;
    let first: Arc<[f32]> = solver.field(&state).into();
    let twin = FlowTwin {
        unforced: vec![Arc::clone(&first)],
        forced: vec![vec![first; FORCED]],
        broke: false,
    };
    let run = Run {
        start,
        unforced: state.clone(),
        forced: vec![state; FORCED],
        frames: 0,
        broke: false,
    };
    Ok((run, twin))
}

fn advance(inside: &Inside<TwinState>, solver: &mut Solver, run: &mut Run) {
    solver.advance_unforced(&mut run.unforced);
    let unforced: Arc<[f32]> = solver.field(&run.unforced).into();
    let mut forced: Vec<Arc<[f32]>> = Vec::with_capacity(FORCED);
    for (member, state) in run.forced.iter_mut().enumerate() {
        solver.advance_frame(state, run.start.seed, member as u32);
        forced.push(solver.field(state).into());
    }
    // Neither drag nor forcing lets the rms grow so: the time step no longer resolves the flow.
    let most = TOO_MUCH * rms(&run.start.field).max(1.0);
    let within = |field: &Arc<[f32]>| rms(field) <= most;
    run.broke = !(within(&unforced) && forced.iter().all(within));
    if run.broke {
        inside.update(|s| {
            if let Some(twin) = &mut s.flow {
                twin.broke = true;
            }
        });
        return;
    }
    run.frames += 1;
    inside.update(|s| {
        if let Some(twin) = &mut s.flow {
            twin.unforced.push(unforced);
            twin.forced.push(forced);
        }
    });
}
