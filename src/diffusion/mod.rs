//! From noise to a frame: noise levels, samplers, guidance.
//!
//! Everything here speaks in *denoised estimates*: with `D(x; s)` the image model's and `logit` the discriminator's,
//! the guided score `(D - x)/s^2 + lambda grad logit` is the score of the guided estimate
//! `D + lambda s^2 grad logit`. Tensors are `[rows, 1, height, width]` in normalised units (std 0.5); a row is one
//! member of one lane.

pub mod basis;
pub mod encoder;
pub mod flow;
mod fourier_law;
pub mod gaussian;
pub mod global_mean;
mod multistep;
pub mod sampler;
pub mod schedule;
pub mod seasonal;
pub mod two_tower;
pub mod wavelet;
pub mod wavelet_tower;

use std::rc::Rc;

use burn::tensor::Tensor;

use crate::closed_form::Belief;
use crate::nn::Cost;

use self::flow::Flow;

/// An image model: the expected clean image given a noised one.
pub trait Denoise {
    /// `D(x; sigma)`; `x` is `[rows, 1, height, width]`.
    fn denoise(&self, x: &Tensor<4>, sigma: f64) -> Tensor<4>;

    /// What an evaluation of one field of `[rows, columns]` costs; `None` where it has not been counted.
    fn cost(&self, _field: [usize; 2]) -> Option<Cost> {
        None
    }
}

/// An image model of the next frame that sees the last ones itself: the video model, or the exact law of the next frame.
pub trait DenoiseGiven {
    /// The image model of the frame after `history` (`[rows, 4, height, width]`, newest first). Frames beyond the context's
    /// history length are ignored.
    fn given(&self, history: &Tensor<4>, context: Context) -> Rc<dyn Denoise>;
}

/// What a discriminator is told besides the frames.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Context {
    /// History length, 0..=3: frames before the last one that it may look at.
    pub m: usize,
    /// Where the frame to be judged stands in its year, in `[0, 1)`; `None` = not told (as in the paper).
    pub season: Option<f64>,
    /// What it believes of a world with known answers; `None` = the truth. Networks believe what they learned.
    pub belief: Option<Belief>,
}

impl Context {
    /// A history length alone.
    pub fn history(m: usize) -> Self {
        Self {
            m,
            ..Self::default()
        }
    }
}

/// A time-consistency discriminator: how likely a noised candidate is the next frame of a history.
pub trait Discriminate {
    /// Looks at the history, once a frame. `history` is `[rows, 4, height, width]`, newest first; frames beyond
    /// the context's history length are ignored.
    fn condition(&self, history: &Tensor<4>, context: Context) -> Box<dyn Conditioned>;

    /// The flow of the law that it takes the frames to follow when nothing is known of the past; `None` where it has none.
    fn unconditional_flow(&self) -> Option<Box<dyn Flow>> {
        None
    }
}

/// A two-tower discriminator, from which the control "forecaster + noise" can be drawn.
pub trait Control: Discriminate {
    /// Draws from the Gaussian law of the next frame: no diffusion at all. `noise` is standard normal,
    /// `[rows, 1, height, width]`.
    fn forecast_with_noise(
        &self,
        history: &Tensor<4>,
        context: Context,
        noise: Tensor<4>,
    ) -> Tensor<4>;
}

/// A discriminator that has seen its history.
pub trait Conditioned {
    /// Judges `x` at noise level `sigma`; `denoised` is the image model's estimate for it.
    fn judge(&self, x: &Tensor<4>, sigma: f64, denoised: &Tensor<4>) -> Judgement;

    /// The flow of the law that it takes the next frame to follow; `None` where it has none.
    fn flow(&self) -> Option<&dyn Flow> {
        None
    }
}

/// What a discriminator says of a noised candidate.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// `log(D / (1 - D))`, one for each row, `[rows]`. Never clipped: where D is sure, the logit still has a gradient.
    pub logit: Tensor<1>,
    /// `sigma^2 grad_x logit`: what guidance at lambda = 1 adds to the denoised estimate, `[rows, 1, height, width]`.
    pub shift: Tensor<4>,
    /// Part of the image model's estimate that must be taken back so that it does not count twice (two-tower only);
    /// enters with weight `min(lambda, 1)`.
    pub correction: Option<Tensor<4>>,
}

/// Reads a tensor as `Vec<f32>`, row-major.
pub fn to_vec<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    crate::nn::weights::tensor_values(tensor)
}
