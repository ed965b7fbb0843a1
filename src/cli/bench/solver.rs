//! Timed steps of the solver with their fields: so that another program can make the same steps.

use std::time::Instant;

use crate::error::{Result, UserError};
use crate::sim::{Params, Solver};

/// Prints one JSON object: the parameters, the first field, the last one after `steps` unforced steps, and the seconds of
/// each step.
pub(super) fn run(side: usize, steps: usize) -> Result<u8> {
    let params = match side {
        64 => Params::preset("vorticity-64")?,
        256 => Params::preset("vorticity-256")?,
        _ => {
            return Err(UserError::new(
                format!("There is no solver of {side} cells a side"),
                "the presets have 64 and 256",
                "give --solver 64 or --solver 256",
            ));
        }
    };
    let mut solver = Solver::new(&params)?;
    let mut state = solver.random_state(0, 0);
    // A flow with all its scales.
    for _ in 0..200 {
        solver.step(&mut state, 0, 0);
    }
    let start = solver.field_f64(&state);
    let mut state = solver.state_from_f64(&start)?;
    let seconds: Vec<f64> = (0..steps)
        .map(|_| {
            let began = Instant::now();
            solver.step_unforced(&mut state);
            began.elapsed().as_secs_f64()
        })
        .collect();
    let answer = serde_json::json!({
        "params": params,
        "start": start,
        "end": solver.field_f64(&state),
        "steps": steps,
        "seconds": seconds,
    });
    println!("{answer}");
    Ok(0)
}
