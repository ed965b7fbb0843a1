//! What is seen of the evaluations of a frame.

use burn::tensor::Tensor;

use crate::diffusion::to_vec;

/// One network evaluation, as far as it is asked for ([`super::StepContext::wanted`]).
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// Noise level of the state.
    pub sigma: f64,
    /// The discriminator's logit, `[rows]`; `None` when no discriminator was asked.
    pub logit: Option<Tensor<1>>,
    /// Norm of the guidance divided by the norm of the score, `[rows]`; `None` where it was not wanted.
    pub ratio: Option<Tensor<1>>,
    /// The fields; `None` where they were not wanted.
    pub fields: Option<Fields>,
}

/// What guidance works with, each `[rows, 1, height, width]`, normalised units.
#[derive(Debug, Clone)]
pub struct Fields {
    /// The noised candidate.
    pub x: Tensor<4>,
    /// The image model's clean estimate (before guidance).
    pub denoised: Tensor<4>,
    /// What guidance adds to the clean estimate: `lambda sigma^2 grad logit` (+ correction); zero where lambda is 0.
    pub guidance: Tensor<4>,
}

impl Fields {
    /// Norm of the score `|D - x| / sigma^2` and of the guidance `|lambda grad logit|` at noise level `sigma`, for each row.
    pub fn norms(&self, sigma: f64) -> [Vec<f32>; 2] {
        let s2 = (sigma * sigma) as f32;
        [
            self.denoised.clone() - self.x.clone(),
            self.guidance.clone(),
        ]
        .map(|t| {
            let norms = to_vec(norm(t));
            norms.into_iter().map(|v| v / s2).collect()
        })
    }

    pub(super) fn ratio(&self) -> Tensor<1> {
        norm(self.guidance.clone()) / norm(self.denoised.clone() - self.x.clone())
    }
}

/// What is wanted of the evaluations of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// The state alone.
    Nothing,
    /// What the discriminator says, and how strong the guidance is.
    Figures,
    /// The fields as well.
    Fields,
}

/// Root of the sum of squares of each row.
fn norm(t: Tensor<4>) -> Tensor<1> {
    let [rows, c, h, w] = t.dims();
    let squares = (t.clone() * t).reshape([rows, c * h * w]).sum_dim(1);
    squares.reshape([rows]).sqrt()
}
