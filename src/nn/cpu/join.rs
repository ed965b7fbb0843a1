//! Doubling of a coarse tensor (nearest neighbour) and concatenation with a fine one, in one pass.

use burn::backend::flex::FlexTensor;

use super::{dims4, tensor, values};

/// `[b, c1, h, w]` doubled in both directions, then the channels of `fine` `[b, c2, 2h, 2w]`.
pub(crate) fn forward(coarse: &FlexTensor, fine: &FlexTensor) -> FlexTensor {
    let (coarse, fine) = (coarse.to_contiguous(), fine.to_contiguous());
    let [batch, c1, h, w] = dims4(&coarse);
    let c2 = dims4(&fine)[1];
    let plane = 4 * h * w;
    let mut out = vec![0.0f32; batch * (c1 + c2) * plane];
    for (b, out) in out.chunks_exact_mut((c1 + c2) * plane).enumerate() {
        let (upper, lower) = out.split_at_mut(c1 * plane);
        let source = &values(&coarse)[b * c1 * h * w..][..c1 * h * w];
        for (pair, line) in upper.chunks_exact_mut(4 * w).zip(source.chunks_exact(w)) {
            let (first, second) = pair.split_at_mut(2 * w);
            for (two, &value) in first.chunks_exact_mut(2).zip(line) {
                two[0] = value;
                two[1] = value;
            }
            second.copy_from_slice(first);
        }
        lower.copy_from_slice(&values(&fine)[b * c2 * plane..][..c2 * plane]);
    }
    tensor(out, &[batch, c1 + c2, 2 * h, 2 * w])
}

/// Gradients with respect to the coarse (of `c1` channels) and the fine tensor.
pub(crate) fn backward(grad: &FlexTensor, c1: usize) -> [FlexTensor; 2] {
    let grad = grad.to_contiguous();
    let [batch, channels, h2, w2] = dims4(&grad);
    let (c2, h, w, plane) = (channels - c1, h2 / 2, w2 / 2, h2 * w2);
    let mut coarse = vec![0.0f32; batch * c1 * h * w];
    let mut fine = Vec::with_capacity(batch * c2 * plane);
    for (grad, coarse) in values(&grad)
        .chunks_exact(channels * plane)
        .zip(coarse.chunks_exact_mut((c1 * h * w).max(1)))
    {
        let (upper, lower) = grad.split_at(c1 * plane);
        for (line, pair) in coarse.chunks_exact_mut(w).zip(upper.chunks_exact(2 * w2)) {
            let (first, second) = pair.split_at(w2);
            for ((slot, a), b) in line
                .iter_mut()
                .zip(first.chunks_exact(2))
                .zip(second.chunks_exact(2))
            {
                *slot = a[0] + a[1] + b[0] + b[1];
            }
        }
        fine.extend_from_slice(lower);
    }
    [
        tensor(coarse, &[batch, c1, h, w]),
        tensor(fine, &[batch, c2, h2, w2]),
    ]
}
