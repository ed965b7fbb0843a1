//! The encoder discriminator of Hess et al. 2025: frames as channels, a U-Net encoder, a two-layer head, one logit.

use burn::module::Module;
use burn::tensor::{Device, Tensor, activation};

use super::config::EncoderConfig;
use super::fast::{Compiled, Scaled};
use super::layers::{Init, Linear, Norm};
use super::ops;
use super::tower::{HISTORY, masked};
use super::unet::Trunk;

/// Floors of the increments' standard deviations, in normalised units.
const INCREMENT: f32 = 0.2;

/// `logit(x; history, sigma)`: large where the noised candidate `x` looks like the next frame of the history.
#[derive(Module, Debug)]
pub struct Encoder {
    pub(crate) trunk: Trunk,
    pub(crate) norm: Norm,
    pub(crate) hidden: Linear,
    pub(crate) logit: Linear,
    increments: bool,
    sigma_data: f32,
    #[module(skip)]
    compiled: Compiled,
}

impl Encoder {
    /// An encoder with first weights of seed 0.
    pub fn new(config: &EncoderConfig, device: &Device) -> Self {
        Self::seeded(config, 0, device)
    }

    /// An encoder with first weights of `seed`.
    pub fn seeded(config: &EncoderConfig, seed: u64, device: &Device) -> Self {
        let init = &mut Init::new(seed, device);
        let deepest = config.channels[config.channels.len() - 1];
        Self {
            trunk: Trunk::new(init, &config.trunk()),
            norm: Norm::new(init, deepest, config.groups),
            hidden: Linear::new(init, deepest, config.hidden),
            logit: Linear::new(init, config.hidden, 1),
            increments: config.increments,
            sigma_data: config.sigma_data,
            compiled: Compiled::default(),
        }
    }

    /// One logit for each row: candidates `x` `[batch, 1, y, x]` with noise of level `sigma` (`[batch]`, or `[1]` for
    /// all rows), clean `history` `[batch, 4, y, x]` newest first, history length 0..=3 of each row (or one for all).
    pub fn logits(
        &self,
        x: Tensor<4>,
        history: Tensor<4>,
        m: &[usize],
        sigma: Tensor<1>,
    ) -> Tensor<1> {
        let (batch, rows) = (x.dims()[0], sigma.dims()[0]);
        let variance = sigma.clone().square().reshape([rows, 1, 1, 1]);
        let scaled = |floor: f32| (variance.clone() + floor * floor).sqrt();
        let (frames, masks) = masked(history, m);
        let mut channels = vec![x.clone() / scaled(self.sigma_data)];
        if self.increments {
            let last = frames.clone().narrow(1, 0, 1);
            let before = frames.clone().narrow(1, 1, 1);
            channels.push((x - last.clone()) / scaled(INCREMENT));
            channels.push((last - before) * masks.clone().narrow(1, 0, 1) / INCREMENT);
        }
        channels.push(frames / self.sigma_data);
        channels.push(masks);
        let (mut states, _) = self
            .trunk
            .forward(Tensor::cat(channels, 1), Some(sigma.log() / 4.0));
        let deepest = states
            .pop()
            .and_then(|mut own| own.pop())
            .unwrap_or_else(|| unreachable!("a trunk has at least one level"));
        let h = self.norm.forward(deepest, true);
        let [_, width, ny, nx] = h.dims();
        let pooled = h
            .reshape([batch, width, ny * nx])
            .mean_dim(2)
            .reshape([batch, width]);
        let hidden = activation::silu(self.hidden.forward(pooled));
        self.logit.forward(hidden).reshape([batch])
    }

    /// The logits `[batch]` and the gradient of each with respect to its own row of `x` (`[batch, 1, y, x]`).
    pub fn logits_and_gradient(
        &self,
        x: Tensor<4>,
        history: Tensor<4>,
        m: &[usize],
        sigma: Tensor<1>,
    ) -> (Tensor<1>, Tensor<4>) {
        if let Some(out) = self.fast(&x, &history, m, &sigma) {
            return out;
        }
        let x = x.autodiff().detach().require_grad();
        let logits = self.logits(x.clone(), history, m, sigma);
        // Rows do not touch each other: the gradient of the sum holds each row's own gradient.
        let mut gradients = logits.clone().sum().backward();
        let gradient = x
            .grad_remove(&mut gradients)
            .unwrap_or_else(|| x.clone().inner().zeros_like());
        (logits.inner(), gradient)
    }

    /// With a compiled form of the present weights, if it lies on the CPU and its padding has one; `config` is what it was
    /// made from. For networks whose weights do not change any more.
    pub fn compiled(mut self, config: &EncoderConfig) -> Self {
        if ops::is_flex(&self.hidden.weight.val().device()) {
            let channels = if self.increments { 2 } else { 1 };
            self.compiled = Compiled::encoder(&config.trunk(), &self, channels);
        }
        self
    }

    /// [`Self::logits_and_gradient`] by the compiled form, where there is one and all rows have one noise level.
    pub(super) fn fast(
        &self,
        x: &Tensor<4>,
        history: &Tensor<4>,
        m: &[usize],
        sigma: &Tensor<1>,
    ) -> Option<(Tensor<1>, Tensor<4>)> {
        if !self.compiled.takes(x) {
            return None;
        }
        let levels: Vec<f32> = sigma.clone().into_data().iter().collect();
        let (&sigma, others) = levels.split_first()?;
        if others.iter().any(|s| *s != sigma) {
            return None;
        }
        let factor = |floor: f32| 1.0 / (sigma * sigma + floor * floor).sqrt();
        let (frames, masks) = masked(history.clone(), m);
        let mut inputs: Vec<Scaled> = vec![(x.clone(), factor(self.sigma_data))];
        if self.increments {
            let last = frames.clone().narrow(1, 0, 1);
            let before = frames.clone().narrow(1, 1, 1);
            let known = (last.clone() - before) * masks.clone().narrow(1, 0, 1);
            inputs.push((x.clone() - last, factor(INCREMENT)));
            inputs.push((known, 1.0 / INCREMENT));
        }
        inputs.push((frames, 1.0 / self.sigma_data));
        inputs.push((masks, 1.0));
        let (logits, gradient) = self
            .compiled
            .logits_and_gradient(inputs, sigma.ln() / 4.0)?;
        Some((logits, gradient.sum_dim(1)))
    }

    /// Number of history frames that [`Self::logits`] expects.
    pub const fn history() -> usize {
        HISTORY
    }
}
