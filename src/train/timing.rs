//! A training step for the stopwatch.

use burn::tensor::Device;

use super::config::{DenoiserTraining, NoiseLaw, OptimizerConfig};
use super::objective::{DenoiserObjective, Objective};
use super::optimizer::State;
use super::session::OneStep;
use crate::data::{Dataset, Series};
use crate::error::Result;
use crate::field::Grid;
use crate::nn::{Denoiser, HISTORY, UNetConfig, weights};
use crate::random::{NoiseKey, Stream};

/// Training steps of a denoiser on noise: what they cost does not depend on the data. Batch, loss, gradient, clipping, AdamW
/// and the moving average of the weights, as in a training.
pub struct TimedTraining {
    training: DenoiserTraining,
    module: Denoiser,
    data: Dataset,
    optimizer: OptimizerConfig,
    state: State,
    device: Device,
}

impl TimedTraining {
    /// A network of these sizes with drawn weights, `batch` frames a step. `device` is one without autodiff.
    ///
    /// # Errors
    /// Sizes that do not fit the grid.
    pub fn new(network: &UNetConfig, grid: Grid, batch: usize, device: &Device) -> Result<Self> {
        let training = DenoiserTraining {
            steps: 1_000_000,
            batch,
            seed: 0,
            noise: NoiseLaw {
                mean: -1.0,
                std: 1.3,
                wide_share: 0.0,
                wide: [0.5, 80.0],
            },
            network: network.clone(),
        };
        let mut series = Series::zeros(grid, 2, HISTORY + 2, 1.0)?;
        let key = NoiseKey {
            seed: 0,
            stream: Stream::Test,
            member: 0,
            frame: 0,
            step: 0,
        };
        series.values = key.normal_f32(series.values.len());
        let data = Dataset::new(series, 1, None, 0)?;
        let objective = DenoiserObjective(&training);
        objective.check(grid, false)?;
        let module = objective.network(0, device);
        let state = State::new(weights::flat(&module));
        Ok(Self {
            training,
            module,
            data,
            optimizer: OptimizerConfig::default(),
            state,
            device: device.clone().autodiff(),
        })
    }

    /// Makes one step; returns its loss.
    ///
    /// # Errors
    /// A loss that is not finite.
    pub fn step(&mut self) -> Result<f64> {
        OneStep {
            objective: &DenoiserObjective(&self.training),
            module: &self.module,
            data: &self.data,
            seed: 0,
            steps: self.training.steps,
            optimizer: &self.optimizer,
            device: self.device.clone(),
        }
        .make(&mut self.state)
    }
}
