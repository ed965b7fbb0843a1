//! Two-dimensional turbulence on a coarse grid, a frame after any number of solver steps.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::{Amount, check};
use crate::data::Series;
use crate::error::Result;
use crate::sim::{Forcing, Params, Ring, simulate};
use crate::study::{Halt, Outcome};

/// Turbulence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// Solver steps between two frames.
    pub steps_per_frame: usize,
}

impl Flow {
    pub(super) fn validate(&self) -> Result<()> {
        check(
            (1..=1000).contains(&self.steps_per_frame),
            "steps_per_frame lies between 1 and 1000",
        )
    }

    /// The solver: as the preset `vorticity-64`, with the damping of the smallest resolved scale kept on the coarser grid
    /// and the forcing one wavenumber further out of its way.
    pub fn params(&self, n: usize) -> Params {
        let (resolved, fine) = (n as f64 / 3.0, 64.0 / 3.0);
        Params {
            n,
            length: std::f64::consts::TAU,
            nu: 6e-5 * (fine / resolved).powi(4),
            nu_order: 2,
            mu: 0.1,
            forcing: Forcing::White(Ring {
                wavenumber: 4.0,
                bandwidth: 1.0,
                energy_input: 0.1,
            }),
            dt: 0.032,
            steps_per_frame: self.steps_per_frame,
            spinup_time: 20.0,
        }
    }

    pub(super) fn series(
        &self,
        n: usize,
        amount: Amount,
        seed: u64,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Outcome<Series> {
        let go_on = |_: usize, _: usize| match stop() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let made = simulate(&self.params(n), amount.frames, amount.runs, seed, &go_on);
        if stop() {
            return Err(Halt::Stopped);
        }
        Ok(made?)
    }
}
