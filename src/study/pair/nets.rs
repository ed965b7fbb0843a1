//! Networks and trainings of two variables: those of one, with two channels.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::{PairData, only, tensor, together};
use crate::data::Dataset;
use crate::data::dataset::NORMALISED_STD;
use crate::error::Result;
use crate::field::Grid;
use crate::nn::{Denoiser, HISTORY, HistoryTower, UNet, UNetConfig, masked};
use crate::random::{NoiseKey, Stream};
use crate::train::config::{DenoiserTraining, TowerTraining};
use crate::train::objective::{
    Objective, VALIDATION, VALIDATION_KEY, blurred, in_batches, lengths, levels, matching,
};

/// Scales of increments and of the frames at the input, those of [`HistoryTower`].
const INCREMENT: f32 = 0.4;
const INPUT: f32 = 2.0;
/// Number of the noise in its key: none that the draws of one variable use.
const NOISE: u32 = 0x20;

/// `mu(h, m) = x_n + 0.4 U(h, mask)` for both variables out of both histories.
#[derive(Module, Debug)]
pub struct PairTower {
    /// The network U.
    pub unet: UNet,
}

impl PairTower {
    /// Two variables of four frames, three masks.
    pub const IN_CHANNELS: usize = 3 * HISTORY - 1;

    /// First weights of `seed`.
    pub fn seeded(config: &UNetConfig, seed: u64, device: &Device) -> Self {
        Self {
            unet: UNet::seeded(config, seed, device),
        }
    }

    /// `history` `[rows, 8, y, x]` (newest first, vorticity before tracer) to the next frame `[rows, 2, y, x]`; `m` for each
    /// row, or one for all.
    pub fn forward(&self, history: Tensor<4>, m: &[usize]) -> Tensor<4> {
        let [rows, channels, h, w] = history.dims();
        let last = history.clone().narrow(1, 0, 2);
        // Both variables of a frame share its mask: one frame of twice the height.
        let (frames, masks) = masked(history.reshape([rows, HISTORY, 2 * h, w]), m);
        let frames = frames.reshape([rows, channels, h, w]);
        let inputs = vec![frames * INPUT, masks.narrow(2, 0, h)];
        last + self.unet.forward(Tensor::cat(inputs, 1), None) * INCREMENT
    }
}

/// What forecasts the next frame, `[rows, 8, n, n]` -> `[rows, 2, n, n]`.
pub enum Seer {
    /// Sees both variables and forecasts both.
    Both(PairTower),
    /// Sees one variable and forecasts that one; of the other it says nothing (zero).
    Alone(HistoryTower, usize),
}

impl Seer {
    /// The forecast.
    pub fn forecast(&self, history: &Tensor<4>, m: usize) -> Tensor<4> {
        match self {
            Self::Both(tower) => tower.forward(history.clone(), &[m]),
            Self::Alone(tower, variable) => {
                let own = tower.forward(only(history, *variable), &[m]);
                let other = own.zeros_like();
                let parts = match variable {
                    0 => vec![own, other],
                    _ => vec![other, own],
                };
                Tensor::cat(parts, 1)
            }
        }
    }
}

/// Training of an image model of both. The trainer knows the vorticity; the tracer is held here.
pub struct PairDenoiserObjective<'a> {
    /// Sizes.
    pub training: &'a DenoiserTraining,
    /// The data; what the trainer is given must be its vorticity.
    pub data: &'a PairData,
}

impl PairDenoiserObjective<'_> {
    fn error(&self, net: &Denoiser, x: Tensor<4>, seed: u64, step: u32) -> Tensor<1> {
        let shape = x.dims();
        let key = NoiseKey {
            seed,
            stream: Stream::Training,
            member: NOISE,
            frame: step,
            step: 0,
        };
        let noise = key.normal_f32(shape.iter().product());
        let noise = tensor(noise, shape, &x.device());
        let levels = levels(&self.training.noise, seed, step, shape[0]);
        matching(x, &levels, noise, net.sigma_data(), |x, sigma| {
            net.forward(x, sigma)
        })
    }
}

impl Objective for PairDenoiserObjective<'_> {
    type Network = Denoiser;

    fn name(&self) -> &'static str {
        "denoiser-pair"
    }

    fn check(&self, _grid: Grid, _globe: bool) -> Result<()> {
        self.training.network.validate()
    }

    fn network(&self, seed: u64, device: &Device) -> Denoiser {
        Denoiser::seeded(&self.training.network, NORMALISED_STD as f32, seed, device)
    }

    fn loss(
        &self,
        net: &Denoiser,
        data: &Dataset,
        seed: u64,
        step: u32,
        device: &Device,
    ) -> Tensor<1> {
        let (n, side) = (self.training.batch, data.grid().nx);
        let draw = |d: &Dataset| d.batch_frames(step, n, true);
        let x = together(&draw(data), &draw(&self.data.of[1]), side * side);
        self.error(net, tensor(x, [n, 2, side, side], device), seed, step)
    }

    fn validation(&self, net: &Denoiser, data: &Dataset, device: &Device) -> f64 {
        let side = data.grid().nx;
        let take = |d: &Dataset| d.validation_windows(VALIDATION, 0);
        let x = together(&take(data), &take(&self.data.of[1]), side * side);
        let x = tensor(x, [VALIDATION, 2, side, side], device);
        let (seed, step) = VALIDATION_KEY;
        in_batches(VALIDATION, VALIDATION, |rows| {
            self.error(net, x.clone().slice([rows]), seed, step)
        })
    }
}

/// Training of a tower that sees both.
pub struct PairTowerObjective<'a> {
    /// Sizes.
    pub training: &'a TowerTraining,
    /// The data; what the trainer is given must be its vorticity.
    pub data: &'a PairData,
}

impl Objective for PairTowerObjective<'_> {
    type Network = PairTower;

    fn name(&self) -> &'static str {
        "tower-pair"
    }

    fn check(&self, _grid: Grid, _globe: bool) -> Result<()> {
        self.training.network.validate()
    }

    fn network(&self, seed: u64, device: &Device) -> PairTower {
        PairTower::seeded(&self.training.network, seed, device)
    }

    fn loss(
        &self,
        net: &PairTower,
        data: &Dataset,
        seed: u64,
        step: u32,
        device: &Device,
    ) -> Tensor<1> {
        let (n, side) = (self.training.batch, data.grid().nx);
        let draw = |d: &Dataset| d.batch_windows(step, n, HISTORY, true);
        let window = together(&draw(data), &draw(&self.data.of[1]), side * side);
        let window = tensor(window, [n, 2 * (HISTORY + 1), side, side], device);
        let next = window.clone().narrow(1, 0, 2);
        let history = window.narrow(1, 2, 2 * HISTORY);
        let history = blurred(history, self.training.history_noise, seed, step);
        (net.forward(history, &lengths(seed, step, n)) - next)
            .square()
            .mean()
    }

    fn validation(&self, net: &PairTower, data: &Dataset, device: &Device) -> f64 {
        let side = data.grid().nx;
        let take = |d: &Dataset| d.validation_windows(VALIDATION, HISTORY);
        let window = together(&take(data), &take(&self.data.of[1]), side * side);
        let window = tensor(window, [VALIDATION, 2 * (HISTORY + 1), side, side], device);
        in_batches(VALIDATION, self.training.batch, |rows| {
            let m: Vec<usize> = rows.clone().map(|row| row / 6 % HISTORY).collect();
            let window = window.clone().slice([rows]);
            let next = window.clone().narrow(1, 0, 2);
            (net.forward(window.narrow(1, 2, 2 * HISTORY), &m) - next)
                .square()
                .mean()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::to_vec;
    use crate::nn::weights;

    fn config() -> UNetConfig {
        UNetConfig {
            channels: vec![8],
            blocks: vec![1],
            up_blocks: vec![],
            attention: vec![false],
            patch: 1,
            embedding: 0,
            out_channels: 2,
            ..UNetConfig::vorticity(PairTower::IN_CHANNELS, 0)
        }
    }

    /// A tower looks at no frame beyond its history length, and at both variables within it.
    #[test]
    fn masks_cover_both_variables() {
        let device = Device::flex();
        let n = 8;
        let key = |member| NoiseKey {
            seed: 2,
            stream: Stream::Test,
            member,
            frame: 0,
            step: 0,
        };
        let fresh = PairTower::seeded(&config(), 3, &device);
        // A fresh network says nothing: other weights.
        let weights = key(7).normal_f32(weights::count(&fresh));
        let weights: Vec<f32> = weights.iter().map(|w| 0.2 * w).collect();
        let tower = weights::with_flat(fresh, &weights, &device);
        let values = key(0).normal_f32(8 * n * n);
        let base = tensor(values.clone(), [1, 8, n, n], &device);
        for m in 0..HISTORY {
            let seen = to_vec(tower.forward(base.clone(), &[m]));
            for channel in 0..8 {
                let mut other = values.clone();
                let own = key(1).normal_f32(n * n);
                other[channel * n * n..][..n * n].copy_from_slice(&own);
                let found = to_vec(tower.forward(tensor(other, [1, 8, n, n], &device), &[m]));
                let age = channel / 2;
                assert_eq!(found != seen, age <= m, "m {m}, channel {channel}");
            }
        }
        let both = Seer::Both(tower).forecast(&base, 1);
        assert_eq!(both.dims(), [1, 2, n, n]);
        assert_eq!(
            to_vec(only(&base, 1).narrow(1, 0, 1)),
            values[n * n..2 * n * n]
        );
    }
}
