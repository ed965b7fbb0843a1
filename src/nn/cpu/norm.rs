//! Group normalisation, scale and shift by channel, and SiLU in one pass, with the gradients of all three.

use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

use super::{dims4, tensor, values};
use crate::nn::compiled::{Affine, combine_in_place, moment};

/// What the norm does besides normalising.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Number of groups of channels normalised together.
    pub groups: usize,
    /// Whether SiLU follows.
    pub silu: bool,
}

/// Added to the variance, as everywhere.
pub(crate) const EPSILON: f32 = 1e-5;

/// Mean and reciprocal standard deviation of one group.
fn moments(group: &[f32]) -> (f32, f32) {
    let n = group.len() as f32;
    let mean = moment(group, 0.0, 1) / n;
    let var = moment(group, mean, 2) / n;
    (mean, 1.0 / (var + EPSILON).sqrt())
}

/// Row of a `[batch or 1, channels]` tensor that serves sample `b`.
fn row(values: &[f32], channels: usize, b: usize) -> &[f32] {
    let rows = values.len() / channels;
    &values[if rows == 1 { 0 } else { b } * channels..][..channels]
}

/// `silu(normalised(x) * scale + shift)`: `x` `[batch, channels, h, w]`, `scale` and `shift` `[batch or 1, channels]`.
pub(crate) fn forward(
    x: &FlexTensor,
    scale: &FlexTensor,
    shift: &FlexTensor,
    plan: Plan,
) -> FlexTensor {
    let (x, scale, shift) = (
        x.to_contiguous(),
        scale.to_contiguous(),
        shift.to_contiguous(),
    );
    let [batch, channels, h, w] = dims4(&x);
    let (plane, per_group) = (h * w, channels / plan.groups);
    let mut out = vec![0.0f32; batch * channels * plane];
    out.par_chunks_mut(per_group * plane)
        .zip(values(&x).par_chunks(per_group * plane))
        .enumerate()
        .for_each(|(i, (out, group))| {
            let (b, first) = (i / plan.groups, i % plan.groups * per_group);
            let (scale, shift) = (
                row(values(&scale), channels, b),
                row(values(&shift), channels, b),
            );
            let (mean, rstd) = moments(group);
            for (c, (out, x)) in out
                .chunks_exact_mut(plane)
                .zip(group.chunks_exact(plane))
                .enumerate()
            {
                let scale = rstd * scale[first + c];
                let norm = Affine {
                    scale,
                    shift: shift[first + c] - mean * scale,
                    silu: plan.silu,
                };
                norm.forward(x, out);
            }
        });
    tensor(out, &[batch, channels, h, w])
}

/// Gradients with respect to `x`, `scale` and `shift`, the last two as `[batch, channels]`.
fn gradients(
    x: &FlexTensor,
    scale: &FlexTensor,
    shift: &FlexTensor,
    grad: &FlexTensor,
    plan: Plan,
) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let [batch, channels, h, w] = dims4(x);
    let (plane, per_group) = (h * w, channels / plan.groups);
    let mut dx = vec![0.0f32; batch * channels * plane];
    let mut dscale = vec![0.0f32; batch * channels];
    let mut dshift = vec![0.0f32; batch * channels];
    dx.par_chunks_mut(per_group * plane)
        .zip(values(x).par_chunks(per_group * plane))
        .zip(values(grad).par_chunks(per_group * plane))
        .zip(dscale.par_chunks_mut(per_group))
        .zip(dshift.par_chunks_mut(per_group))
        .enumerate()
        .for_each(|(i, ((((dx, group), grad), dscale), dshift))| {
            let (b, first) = (i / plan.groups, i % plan.groups * per_group);
            let (scale, shift) = (
                &row(values(scale), channels, b)[first..][..per_group],
                &row(values(shift), channels, b)[first..][..per_group],
            );
            let (mean, rstd) = moments(group);
            // `dx` first holds the gradient with respect to the argument of SiLU.
            let (mut m1, mut m2) = (0.0, 0.0);
            for c in 0..per_group {
                let range = c * plane..(c + 1) * plane;
                let (du, x, grad) = (&mut dx[range.clone()], &group[range.clone()], &grad[range]);
                let norm = Affine {
                    scale: rstd * scale[c],
                    shift: shift[c] - mean * rstd * scale[c],
                    silu: plan.silu,
                };
                let [total, with_x] = norm.backward(x, grad, du);
                dshift[c] = total;
                dscale[c] = (with_x - mean * total) * rstd;
                m1 += scale[c] * total;
                m2 += scale[c] * dscale[c];
            }
            let n = group.len() as f32;
            let (m1, m2) = (m1 / n, m2 / n);
            for ((slots, x), &s) in dx
                .chunks_exact_mut(plane)
                .zip(group.chunks_exact(plane))
                .zip(scale)
            {
                // rstd (s du - m1 - (x - mean) rstd m2).
                let back = rstd * rstd * m2;
                combine_in_place([rstd * s, -back, mean * back - rstd * m1], x, slots);
            }
        });
    (dx, dscale, dshift)
}

/// Gradients with respect to `x`, `scale` and `shift`, in their shapes.
pub(crate) fn backward(
    x: &FlexTensor,
    scale: &FlexTensor,
    shift: &FlexTensor,
    grad: &FlexTensor,
    plan: Plan,
) -> [FlexTensor; 3] {
    let (x, scale, shift, grad) = (
        x.to_contiguous(),
        scale.to_contiguous(),
        shift.to_contiguous(),
        grad.to_contiguous(),
    );
    let dims = dims4(&x);
    let channels = dims[1];
    let (dx, dscale, dshift) = gradients(&x, &scale, &shift, &grad, plan);
    let shaped = |wide: Vec<f32>, like: &FlexTensor| {
        let rows = values(like).len() / channels;
        if rows == dims[0] {
            return tensor(wide, &[rows, channels]);
        }
        let mut narrow = vec![0.0f32; channels];
        for line in wide.chunks_exact(channels) {
            for (slot, value) in narrow.iter_mut().zip(line) {
                *slot += value;
            }
        }
        tensor(narrow, &[1, channels])
    };
    [
        tensor(dx, &dims),
        shaped(dscale, &scale),
        shaped(dshift, &shift),
    ]
}
