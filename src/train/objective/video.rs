//! What the video model learns.

use burn::tensor::{Device, Tensor};

use super::{
    Draw, Objective, VALIDATION, VALIDATION_KEY, blurred, check_position, in_batches, lengths,
    levels, matching, noise, tensor, told,
};
use crate::data::Dataset;
use crate::error::Result;
use crate::field::Grid;
use crate::nn::{HISTORY, VideoDenoiser};
use crate::train::config::VideoTraining;

/// Denoising score matching of the next frame given the last ones, with the denoiser's weight.
pub struct VideoObjective<'a>(pub &'a VideoTraining);

impl VideoObjective<'_> {
    fn weighted(
        &self,
        net: &VideoDenoiser,
        next: Tensor<4>,
        condition: Tensor<4>,
        levels: &[f32],
        noise: Tensor<4>,
    ) -> Tensor<1> {
        let estimate = |x, sigma| net.forward(x, sigma, condition);
        matching(next, levels, noise, net.inner.sigma_data(), estimate)
    }
}

impl Objective for VideoObjective<'_> {
    type Network = VideoDenoiser;

    fn name(&self) -> &'static str {
        "video"
    }

    fn check(&self, grid: Grid, _globe: bool) -> Result<()> {
        check_position("video", &self.0.network, grid)
    }

    fn network(&self, seed: u64, device: &Device) -> VideoDenoiser {
        let sigma_data = crate::data::dataset::NORMALISED_STD as f32;
        VideoDenoiser::seeded(&self.0.network, sigma_data, seed, device)
    }

    fn loss(
        &self,
        net: &VideoDenoiser,
        data: &Dataset,
        seed: u64,
        step: u32,
        device: &Device,
    ) -> Tensor<1> {
        let (n, past) = (self.0.batch, VideoDenoiser::HISTORY);
        let shape = [n, past + 1, data.grid().ny, data.grid().nx];
        let window = tensor(data.batch_windows(step, n, past, true), shape, device);
        let next = window.clone().narrow(1, 0, 1);
        let history = blurred(window.narrow(1, 1, past), self.0.history_noise, seed, step);
        let season = told(
            data.window_seasons(step, n, past),
            self.0.season_share,
            seed,
            step,
        );
        let condition = net.condition(history, &lengths(seed, step, n), &season);
        let levels = levels(&self.0.noise, seed, step, n);
        let noise = noise(seed, step, Draw::Noise, next.dims(), device);
        self.weighted(net, next, condition, &levels, noise)
    }

    fn validation(&self, net: &VideoDenoiser, data: &Dataset, device: &Device) -> f64 {
        let past = VideoDenoiser::HISTORY;
        let (seed, step) = VALIDATION_KEY;
        let shape = [VALIDATION, past + 1, data.grid().ny, data.grid().nx];
        let window = tensor(data.validation_windows(VALIDATION, past), shape, device);
        let season = told(
            data.validation_seasons(VALIDATION, past),
            self.0.season_share,
            seed,
            step,
        );
        let levels = levels(&self.0.noise, seed, step, VALIDATION);
        let next = window.clone().narrow(1, 0, 1);
        let noise = noise(seed, step, Draw::Noise, next.dims(), device);
        in_batches(VALIDATION, self.0.batch, |rows| {
            let part = |t: &Tensor<4>| t.clone().slice([rows.clone()]);
            let m: Vec<usize> = rows.clone().map(|row| row / 6 % HISTORY).collect();
            let history = part(&window).narrow(1, 1, past);
            let condition = net.condition(history, &m, &season[rows.clone()]);
            self.weighted(
                net,
                part(&next),
                condition,
                &levels[rows.clone()],
                part(&noise),
            )
        })
    }
}
