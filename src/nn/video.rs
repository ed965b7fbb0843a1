//! The video model: an image model that also sees the last frames (the baseline of Hess et al. 2025).

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::config::UNetConfig;
use super::denoiser::Denoiser;
use super::tower::{HISTORY, HistoryTower, INPUT, masked, season_maps};

/// `D(x; sigma | h, m) = c_skip x + c_out F([c_in x, h]; ln(sigma) / 4)`: the denoiser's U-Net with the last frames as
/// further channels, one set of weights for every history length m.
#[derive(Module, Debug)]
pub struct VideoDenoiser {
    /// The network F behind its preconditioning. In: the noised frame, 4 frames of history, 3 masks, perhaps the season.
    pub inner: Denoiser,
    season: bool,
}

impl VideoDenoiser {
    /// Input channels of a video model.
    pub fn in_channels(season: bool) -> usize {
        1 + HistoryTower::in_channels(season)
    }

    /// A video model of data of standard deviation `sigma_data`, with first weights of seed 0.
    pub fn new(config: &UNetConfig, sigma_data: f32, device: &Device) -> Self {
        Self::seeded(config, sigma_data, 0, device)
    }

    /// A video model with first weights of `seed`.
    pub fn seeded(config: &UNetConfig, sigma_data: f32, seed: u64, device: &Device) -> Self {
        Self {
            inner: Denoiser::seeded(config, sigma_data, seed, device),
            season: config.in_channels == Self::in_channels(true),
        }
    }

    /// Whether it can be told the day of the year.
    pub fn knows_season(&self) -> bool {
        self.season
    }

    /// The channels that stay the same along the denoising of a frame, `[batch, 7 or 10, y, x]`: `history`
    /// `[batch, 4, y, x]` (normalised units, newest first), the history length 0..=3 of each row (or one for all), and the
    /// season of the frame to be made (a fraction of the year; `None` where it is not told).
    pub fn condition(&self, history: Tensor<4>, m: &[usize], season: &[Option<f64>]) -> Tensor<4> {
        let [rows, _, h, w] = history.dims();
        let device = history.device();
        let (frames, masks) = masked(history, m);
        let mut channels = vec![frames * INPUT, masks];
        if self.season {
            channels.push(season_maps(season, [rows, h, w], &device));
        }
        Tensor::cat(channels, 1)
    }

    /// The clean frame estimated in `x` `[batch, 1, y, x]`, where row `i` carries noise of level `sigma[i]` (or all rows
    /// the same), given what [`Self::condition`] made of the history.
    pub fn forward(&self, x: Tensor<4>, sigma: Tensor<1>, condition: Tensor<4>) -> Tensor<4> {
        self.inner.forward_with(x, sigma, Some(condition))
    }

    /// [`Self::forward`] with one noise level for all rows.
    pub fn denoise(&self, x: Tensor<4>, sigma: f32, condition: Tensor<4>) -> Tensor<4> {
        self.inner.denoise_with(x, sigma, Some(condition))
    }

    /// With a compiled form of the present weights; see [`super::UNet::compiled`].
    pub fn compiled(mut self, config: &UNetConfig) -> Self {
        self.inner = self.inner.compiled(config);
        self
    }

    /// Frames of history that it can look at.
    pub const HISTORY: usize = HISTORY;
}
