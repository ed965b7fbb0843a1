//! Group normalisation, scale and shift by channel, and SiLU in one pass, with the gradients of all three.

use burn::backend::flex::FlexTensor;
use rayon::prelude::*;

use super::{dims4, tensor, values};

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

/// Sum in eight lanes: vectorises, and the order of additions does not depend on anything but the length.
pub(super) fn sum(values: &[f32]) -> f32 {
    lanes(values, |v| v)
}

fn lanes(values: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut acc = [0.0f32; 8];
    let chunks = values.chunks_exact(8);
    let rest: f32 = chunks.remainder().iter().map(|&v| f(v)).sum();
    for chunk in chunks {
        for (a, &v) in acc.iter_mut().zip(chunk) {
            *a += f(v);
        }
    }
    acc.iter().sum::<f32>() + rest
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut acc = [0.0f32; 8];
    let (ca, cb) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = ca
        .remainder()
        .iter()
        .zip(cb.remainder())
        .map(|(x, y)| x * y)
        .sum();
    for (x, y) in ca.zip(cb) {
        for i in 0..8 {
            acc[i] += x[i] * y[i];
        }
    }
    acc.iter().sum::<f32>() + rest
}

/// Mean and reciprocal standard deviation of one group.
fn moments(group: &[f32]) -> (f32, f32) {
    let n = group.len() as f32;
    let mean = sum(group) / n;
    let var = lanes(group, |v| (v - mean) * (v - mean)) / n;
    (mean, 1.0 / (var + EPSILON).sqrt())
}

/// Logistic function without a call into libm, written so that it vectorises; relative error about 1e-7.
#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0;
    let x = (-x).clamp(-87.0, 87.0);
    let shifted = x * std::f32::consts::LOG2_E + MAGIC;
    let n = shifted - MAGIC;
    let r = x - n * 0.693_359_4;
    let r = r - n * -2.121_944_4e-4;
    let p = 1.987_569_2e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let exp = p * r * r + r + 1.0;
    let power = f32::from_bits(
        shifted
            .to_bits()
            .wrapping_sub(MAGIC.to_bits())
            .wrapping_add(127)
            << 23,
    );
    1.0 / (1.0 + exp * power)
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
                let a = rstd * scale[first + c];
                let d = shift[first + c] - mean * a;
                if plan.silu {
                    for (slot, &v) in out.iter_mut().zip(x) {
                        let u = v * a + d;
                        *slot = u * sigmoid(u);
                    }
                } else {
                    for (slot, &v) in out.iter_mut().zip(x) {
                        *slot = v * a + d;
                    }
                }
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
                if plan.silu {
                    let a = rstd * scale[c];
                    let d = shift[c] - mean * a;
                    for ((slot, &v), &g) in du.iter_mut().zip(x).zip(grad) {
                        let u = v * a + d;
                        let s = sigmoid(u);
                        *slot = g * s * (1.0 + u * (1.0 - s));
                    }
                } else {
                    du.copy_from_slice(grad);
                }
                let total = sum(du);
                dshift[c] = total;
                dscale[c] = (dot(du, x) - mean * total) * rstd;
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
                for (slot, &v) in slots.iter_mut().zip(x) {
                    *slot = rstd * (*slot * s - m1 - (v - mean) * rstd * m2);
                }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sigmoid_is_accurate_everywhere() {
        for i in -2000..=2000 {
            let x = i as f32 * 0.05;
            let exact = 1.0 / (1.0 + (-f64::from(x)).exp());
            let error = (f64::from(sigmoid(x)) - exact).abs();
            assert!(error <= 4e-7 * exact + 1e-37, "{x} {error}");
        }
        assert!((f32::NAN * sigmoid(f32::NAN)).is_nan());
    }
}
