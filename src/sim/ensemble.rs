//! Many members at once.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::params::Params;
use super::solver::{Solver, State};
use crate::data::Series;
use crate::error::{Result, UserError};

/// Called from any thread after each piece of work with (pieces done, pieces in all); `Break` stops the simulation.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) -> ControlFlow<()> + Sync);

/// `members` independent runs of `frames` frames from random first states, after the spin-up. Members in parallel; the
/// same bits on any number of threads.
///
/// # Errors
/// A parameter out of range, a run that blew up, or a stop asked for by `progress`.
pub fn simulate(
    params: &Params,
    frames: usize,
    members: usize,
    seed: u64,
    progress: Progress,
) -> Result<Series> {
    let solver = Solver::new(params)?;
    let states = (0..members)
        .map(|member| solver.random_state(seed, member as u32))
        .collect();
    run(solver, states, true, frames, seed, progress)
}

/// The same from given states, without spin-up: the first frame of the result is the given state, one of
/// `frames + 1`, and `start_frames` is 1.
///
/// # Errors
/// See [`simulate`].
pub fn simulate_from(
    params: &Params,
    states: Vec<State>,
    frames: usize,
    seed: u64,
    progress: Progress,
) -> Result<Series> {
    let solver = Solver::new(params)?;
    let mut series = run(solver, states, false, frames + 1, seed, progress)?;
    series.start_frames = 1;
    Ok(series)
}

fn run(
    solver: Solver,
    mut states: Vec<State>,
    spin_up: bool,
    frames: usize,
    seed: u64,
    progress: Progress,
) -> Result<Series> {
    let params = solver.params().clone();
    let mut series = Series::zeros(params.grid(), states.len(), frames, params.frame_interval())?;
    let cells = series.grid.len();
    // Progress counts solver steps in units of a frame, so that the spin-up is not one long silence.
    let per_frame = params.steps_per_frame;
    let spin_frames = if spin_up {
        params.spinup_steps().div_ceil(per_frame)
    } else {
        0
    };
    let total = states.len() * (spin_frames + frames);
    let done = AtomicUsize::new(0);
    let tick = || match progress(done.fetch_add(1, Ordering::Relaxed) + 1, total) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(UserError::new(
            "The simulation was stopped",
            "it was interrupted before the last frame",
            "Start it again: the same seed gives the same frames",
        )),
    };
    series
        .values
        .par_chunks_mut((frames * cells).max(1))
        .zip(&mut states)
        .enumerate()
        .try_for_each_init(
            || solver.clone(),
            |solver, (index, (values, state))| {
                let member = index as u32;
                let mut left = if spin_up { params.spinup_steps() } else { 0 };
                while left > 0 {
                    let now = left.min(per_frame);
                    for _ in 0..now {
                        solver.step(state, seed, member);
                    }
                    left -= now;
                    tick()?;
                }
                for (frame, slot) in values.chunks_exact_mut(cells).enumerate() {
                    if frame > 0 {
                        solver.advance_frame(state, seed, member);
                    }
                    slot.copy_from_slice(&solver.field(state));
                    if slot.iter().any(|v| !v.is_finite()) {
                        return Err(UserError::new(
                            format!("The simulation blew up at frame {frame} of member {index}"),
                            format!(
                                "a time step of {} is too long for this flow, or it started from very large values",
                                params.dt
                            ),
                            "Use a shorter time step or weaker forcing, or check the start file",
                        ));
                    }
                    tick()?;
                }
                Ok(())
            },
        )?;
    Ok(series)
}
