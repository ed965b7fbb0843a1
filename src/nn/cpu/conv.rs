//! 1x1 and 3x3 convolution on NCHW data with circular or zero padding by axis, stride 1 or 2, and its three gradients:
//! tensors of Flex for the kernels of [`crate::nn::compiled`].

use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

use super::{dims4, tensor, values};
use crate::nn::compiled::{Convolution, moment};

/// What a convolution does besides multiplying.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// 1 or 2, in both directions.
    pub stride: usize,
    /// Whether rows (y) and columns (x) wrap around; zeros lie outside otherwise.
    pub circular: [bool; 2],
    /// Whether the input already has the row before its first and the one after its last; they give no output of their
    /// own.
    pub halo: bool,
}

fn sizes([_, inputs, h, w]: [usize; 4], weight: [usize; 4], plan: Plan) -> Convolution {
    Convolution {
        inputs,
        outputs: weight[0],
        side: weight[2],
        stride: plan.stride,
        field: [h, w],
        circular: plan.circular,
        halo: plan.halo,
    }
}

/// Convolution: `x` `[batch, cin, h, w]`, `weight` `[cout, cin, k, k]` with k = 1 or 3, `bias` `[cout]`.
pub(crate) fn forward(
    x: &FlexTensor,
    weight: &FlexTensor,
    bias: &FlexTensor,
    plan: Plan,
) -> FlexTensor {
    let (x, weight, bias) = (
        x.to_contiguous(),
        weight.to_contiguous(),
        bias.to_contiguous(),
    );
    let xd = dims4(&x);
    let c = sizes(xd, dims4(&weight), plan);
    let out = c.forward(values(&x), values(&weight), values(&bias));
    let [ho, wo] = c.output();
    tensor(out, &[xd[0], c.outputs, ho, wo])
}

/// Gradient with respect to the input of shape `xd`.
pub(crate) fn backward_input(
    grad: &FlexTensor,
    weight: &FlexTensor,
    xd: [usize; 4],
    plan: Plan,
) -> FlexTensor {
    let (grad, weight) = (grad.to_contiguous(), weight.to_contiguous());
    let c = sizes(xd, dims4(&weight), plan);
    tensor(c.back_to_input(values(&grad), values(&weight)), &xd)
}

/// Gradient with respect to the weight of shape `wd`.
pub(crate) fn backward_weight(
    x: &FlexTensor,
    grad: &FlexTensor,
    wd: [usize; 4],
    plan: Plan,
) -> FlexTensor {
    let (x, grad) = (x.to_contiguous(), grad.to_contiguous());
    let c = sizes(dims4(&x), wd, plan);
    tensor(c.back_to_weights(values(&x), values(&grad)), &wd)
}

/// Gradient with respect to the bias.
pub(crate) fn backward_bias(grad: &FlexTensor) -> FlexTensor {
    let grad = grad.to_contiguous();
    let [_, channels, h, w] = dims4(&grad);
    let sums: Vec<f32> = values(&grad)
        .par_chunks_exact(h * w)
        .map(|plane| moment(plane, 0.0, 1))
        .collect();
    let mut out = vec![0.0f32; channels];
    for (i, sum) in sums.iter().enumerate() {
        out[i % channels] += sum;
    }
    tensor(out, &[channels])
}
