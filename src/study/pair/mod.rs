//! Two variables at once: vorticity and a tracer that it stirs ([`crate::sim::StirredSolver`]).
//!
//! A frame holds the vorticity and then the tracer, each in units in which its standard deviation is 0.5. The two have one
//! dataset each with the same seed: a draw names run, frame and symmetry, so that they stay together.
//!
//! | file | what it does |
//! |---|---|
//! | [`nets`] | a history tower and the trainings of two variables |
//! | [`law`] | the joint closed form of the two-tower discriminator: 2 x 2 matrices per shell |
//! | [`calibrate`] | its numbers, measured |
//! | [`matrix`] | 2 x 2 matrices |
//! | [`figures`] | what a rollout is judged by, both variables and what ties them |

pub mod calibrate;
pub mod figures;
pub mod law;
pub mod matrix;
pub mod nets;

use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::roll::{self, Start};
use super::worlds::{Amount, Flow};
use super::{Halt, Outcome};
use crate::data::Dataset;
use crate::data::dataset::Part;
use crate::error::Result;
use crate::nn::HISTORY;
use crate::sim::{Params, Tracer, simulate_stirred};
use crate::study::config::refuse;

pub use nets::PairTower;

/// Names of the variables, in their order.
pub const VARIABLES: [&str; 2] = ["vorticity", "tracer"];

/// Turbulence and a tracer in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StirredFlow {
    /// Solver steps between two frames.
    pub steps_per_frame: usize,
    /// Correlation of the tracer's source with the stirring, in [-1, 1].
    pub correlation: f64,
}

impl StirredFlow {
    /// Checks the numbers.
    ///
    /// # Errors
    /// Names the number.
    pub fn validate(&self) -> Result<()> {
        refuse(
            (1..=1000).contains(&self.steps_per_frame) && self.correlation.abs() <= 1.0,
            "steps_per_frame lies between 1 and 1000, correlation between -1 and 1",
        )
    }

    /// The solver's numbers on `n` x `n` cells: those of [`Flow`], the tracer damped as the vorticity.
    pub fn params(&self, n: usize) -> (Params, Tracer) {
        let flow = Flow {
            steps_per_frame: self.steps_per_frame,
        };
        let params = flow.params(n);
        let tracer = Tracer::like(&params, self.correlation);
        (params, tracer)
    }

    /// Frames of both, normalised and split.
    ///
    /// # Errors
    /// A stop, or a size that the solver cannot have.
    pub fn data(
        &self,
        n: usize,
        amount: Amount,
        seed: u64,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Outcome<PairData> {
        let (params, tracer) = self.params(n);
        let go_on = || match stop() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let made = simulate_stirred(&params, tracer, amount.frames, amount.runs, seed, &go_on);
        if stop() {
            return Err(Halt::Stopped);
        }
        let [omega, theta] = made?;
        let dataset = |series| Dataset::new(series, amount.validation_runs, None, seed);
        Ok(PairData {
            of: [dataset(omega)?, dataset(theta)?],
        })
    }
}

/// Frames of both variables.
pub struct PairData {
    /// Vorticity, tracer.
    pub of: [Dataset; 2],
}

impl PairData {
    /// Cells a side.
    pub fn side(&self) -> usize {
        self.of[0].grid().nx
    }

    /// A frame of both, vorticity first.
    pub fn frame(&self, run: usize, frame: usize) -> Vec<f32> {
        let each = self.of.iter().filter_map(|d| d.frame(run, frame));
        each.flatten().copied().collect()
    }

    /// Starts of rollouts ([`roll::starts`]).
    pub fn starts(&self, members: usize, horizon: usize) -> Vec<Start> {
        let [a, b] = [0, 1].map(|v| roll::starts(&self.of[v], members, horizon));
        a.into_iter()
            .zip(b)
            .map(|((place, a), (_, b))| {
                let past = a.into_iter().zip(b).map(|(a, b)| [a, b].concat());
                (place, past.collect())
            })
            .collect()
    }

    /// The validation runs, `[run][frame][variable, cell]`.
    pub fn truth(&self) -> roll::Ensemble {
        self.of[0]
            .runs(Part::Validation)
            .map(|run| {
                (0..self.of[0].frames())
                    .map(|f| self.frame(run, f))
                    .collect()
            })
            .collect()
    }

    /// Histories `[rows, 8, n, n]`, newest first, and next frames `[rows, 2, n, n]` of windows that end at (run, frame).
    pub fn windows(&self, ends: &[(usize, usize)], device: &Device) -> (Tensor<4>, Tensor<4>) {
        let (mut history, mut next) = (Vec::new(), Vec::new());
        for &(run, frame) in ends {
            next.extend(self.frame(run, frame + 1));
            for past in 0..HISTORY {
                history.extend(self.frame(run, frame.saturating_sub(past)));
            }
        }
        let tensor = |values, channels| roll::tensor(values, channels, self.side(), device);
        (tensor(history, 2 * HISTORY), tensor(next, 2))
    }
}

/// Stacks of both, `[rows, length, y, x]` each, as `[rows, 2 length, y, x]`: for each frame vorticity, then tracer.
pub fn together(a: &[f32], b: &[f32], cells: usize) -> Vec<f32> {
    let pairs = a.chunks_exact(cells).zip(b.chunks_exact(cells));
    pairs
        .flat_map(|(a, b)| a.iter().chain(b))
        .copied()
        .collect()
}

/// One variable of `[rows, 2 k, y, x]`, `[rows, k, y, x]`.
pub fn only(x: &Tensor<4>, variable: usize) -> Tensor<4> {
    let [_, channels, _, _] = x.dims();
    let parts = (0..channels / 2).map(|k| x.clone().narrow(1, 2 * k + variable, 1));
    Tensor::cat(parts.collect(), 1)
}

/// Values as a tensor.
pub(super) fn tensor<const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}
