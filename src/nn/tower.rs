//! The history tower: forecasts the mean of the next frame from the last ones.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use super::config::UNetConfig;
use super::unet::UNet;

/// Frames that a discriminator sees at most: the last one and three before it.
pub const HISTORY: usize = 4;

/// Standard deviation of the increment between frames, in normalised units: the scale of the network's output.
const INCREMENT: f32 = 0.4;
/// The inverse of the data's standard deviation: the scale of the network's input.
const INPUT: f32 = 2.0;

/// `mu(h, m) = x_n + 0.4 U(h, mask)`, one set of weights for every history length m.
#[derive(Module, Debug)]
pub struct HistoryTower {
    /// The network U: 4 frames and 3 masks in, 1 field out, no noise embedding.
    pub unet: UNet,
}

impl HistoryTower {
    /// A tower with first weights of seed 0.
    pub fn new(config: &UNetConfig, device: &Device) -> Self {
        Self::seeded(config, 0, device)
    }

    /// A tower with first weights of `seed`.
    pub fn seeded(config: &UNetConfig, seed: u64, device: &Device) -> Self {
        Self {
            unet: UNet::seeded(config, seed, device),
        }
    }

    /// `history` `[batch, 4, y, x]` (normalised units, newest first) and the history length 0..=3 of each row (or one
    /// for all) to the forecast `[batch, 1, y, x]`. Frames beyond a row's history length are not looked at.
    pub fn forward(&self, history: Tensor<4>, m: &[usize]) -> Tensor<4> {
        let last = history.clone().narrow(1, 0, 1);
        let (frames, masks) = masked(history, m);
        let u = self
            .unet
            .forward(Tensor::cat(vec![frames * INPUT, masks], 1), None);
        last + u * INCREMENT
    }
}

/// `history` with the frames beyond each row's history length set to zero, and the three masks `[batch, 3, y, x]` that say
/// which of the older frames are there.
pub(crate) fn masked(history: Tensor<4>, m: &[usize]) -> (Tensor<4>, Tensor<4>) {
    let [batch, frames, h, w] = history.dims();
    let device = history.device();
    let length = |row: usize| if m.len() == 1 { m[0] } else { m[row] };
    let flags: Vec<f32> = (0..batch)
        .flat_map(|row| (0..frames).map(move |age| (row, age)))
        .map(|(row, age)| if age <= length(row) { 1.0 } else { 0.0 })
        .collect();
    let flags = Tensor::<4>::from_data(TensorData::new(flags, [batch, frames, 1, 1]), &device);
    let masks = flags
        .clone()
        .narrow(1, 1, frames - 1)
        .expand([batch, frames - 1, h, w]);
    (history * flags, masks)
}
