//! Convolutions of a batch and their gradients with the kernels of this module: what training asks for, where weights
//! change at every step and nothing can be planned.
//!
//! Fields come and go as `[batch][channel][y][x]`. Each is brought into groups of 16 channels with the rim that its taps
//! reach, convolved, and brought back; the rows of a batch are shared out to rayon's threads. Sums run over channels, taps
//! and pixels in a fixed order, whatever the number of threads.

use rayon::prelude::*;

use super::conv::Rows;
use super::grouped::{Seen, apart};
use super::kernels::{Kernels, best, shape};
use super::outer::Outer;
use super::simd::LANES;

/// Images whose gradient of the weights is summed in one go.
const TOGETHER: usize = 2;
/// Pixels of the gradient that meet all taps before the next ones: they stay in the first-level cache.
const PIXELS: usize = 128;

/// A convolution with a kernel of side 1 or 3 that keeps the size of the field, or divides it by its stride, rounding up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Convolution {
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Side of the kernel, 1 or 3.
    pub side: usize,
    /// 1 or 2, in both directions.
    pub stride: usize,
    /// Rows and columns of the input.
    pub field: [usize; 2],
    /// Whether rows (y) and columns (x) wrap around; zeros lie outside otherwise.
    pub circular: [bool; 2],
    /// Whether the input already has the row before its first and the one after its last; they give no output of their
    /// own.
    pub halo: bool,
}

impl Convolution {
    /// Rows and columns of the output.
    ///
    /// # Panics
    /// If side or stride are not those that there are kernels for.
    pub fn output(&self) -> [usize; 2] {
        assert!(matches!((self.side, self.stride), (1 | 3, 1 | 2)));
        let [h, w] = self.field;
        let own = h - if self.halo { 2 } else { 0 };
        [own.div_ceil(self.stride), w.div_ceil(self.stride)]
    }

    /// What the taps see of the input.
    fn seen(&self) -> Seen {
        let [lines, columns] = std::array::from_fn(|axis| {
            let n = self.field[axis];
            if self.side == 1 {
                // Without neighbours only the pixels that are asked for are taken.
                return (0..n).step_by(self.stride).map(Some).collect();
            }
            let before = usize::from(!self.halo || axis == 1);
            let inside = |position: usize| match position.checked_sub(before) {
                Some(i) if i < n => Some(i),
                _ if self.circular[axis] => Some((position + n - before) % n),
                _ => None,
            };
            (0..n + 2 * before).map(inside).collect()
        });
        Seen {
            field: self.field,
            lines,
            columns,
        }
    }

    /// Index among the kernels of a side and a stride.
    fn shape(&self) -> usize {
        // See `seen`: with side 1 the stride is done there.
        shape(self.side, if self.side == 1 { 1 } else { self.stride })
    }

    /// The convolution `x * weight + bias` of every image: `x` `[batch][inputs][y][x]`, `weight`
    /// `[outputs][inputs][side][side]`, `bias` `[outputs]`.
    ///
    /// # Panics
    /// If the numbers of values do not fit.
    pub fn forward(&self, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
        self.forward_by(best(), x, weight, bias)
    }

    pub(super) fn forward_by(
        &self,
        kernels: &Kernels,
        x: &[f32],
        weight: &[f32],
        bias: &[f32],
    ) -> Vec<f32> {
        let packed = Packed::new(kernels, weight, self, false);
        self.convolve(kernels, x, &self.seen(), &packed, bias)
    }

    /// The gradient with respect to `x`, from `gradient` `[batch][outputs][y][x]`.
    ///
    /// # Panics
    /// If the numbers of values do not fit.
    pub fn back_to_input(&self, gradient: &[f32], weight: &[f32]) -> Vec<f32> {
        self.back_to_input_by(best(), gradient, weight)
    }

    pub(super) fn back_to_input_by(
        &self,
        kernels: &Kernels,
        gradient: &[f32],
        weight: &[f32],
    ) -> Vec<f32> {
        let back = Self {
            inputs: self.outputs,
            outputs: self.inputs,
            stride: 1,
            halo: false,
            ..*self
        };
        // Each value of the gradient lies where its kernel was centred, with zeros between.
        let output = self.output();
        let mut seen = back.seen();
        seen.field = output;
        let first = usize::from(self.halo);
        for (from, lines, n) in [
            (first, &mut seen.lines, output[0]),
            (0, &mut seen.columns, output[1]),
        ] {
            for line in lines {
                *line = line
                    .and_then(|at| at.checked_sub(from))
                    .filter(|at| at.is_multiple_of(self.stride) && at / self.stride < n)
                    .map(|at| at / self.stride);
            }
        }
        let packed = Packed::new(kernels, weight, self, true);
        back.convolve(kernels, gradient, &seen, &packed, &vec![0.0; self.inputs])
    }

    fn convolve(
        &self,
        kernels: &Kernels,
        x: &[f32],
        seen: &Seen,
        packed: &Packed,
        bias: &[f32],
    ) -> Vec<f32> {
        let [height, width] = self.output();
        let (plane, size) = (height * width, self.outputs * height * width);
        let [h, w] = seen.field;
        let image = self.inputs * h * w;
        assert!(bias.len() == self.outputs && x.len().is_multiple_of(image));
        let mut wide = bias.to_vec();
        wide.resize(self.outputs.next_multiple_of(LANES), 0.0);
        let mut out = vec![0.0f32; x.len() / image * size];
        out.par_chunks_mut(size)
            .zip(x.par_chunks_exact(image))
            .for_each(|(out, x)| {
                let input = seen.grouped(x, self.inputs);
                let of_block = packed.most * LANES * plane;
                out.par_chunks_mut(of_block)
                    .zip(&packed.blocks)
                    .for_each(|(out, block)| {
                        let kernel = kernels.rows[self.shape()][block.groups - 1];
                        let mut sums = vec![0.0f32; block.groups * plane * LANES];
                        let mut weights = &block.weights[..];
                        for group in 0..self.inputs.div_ceil(LANES) {
                            let channels = LANES.min(self.inputs - group * LANES);
                            let first = group == 0;
                            let bias = &wide[block.first * LANES..][..block.groups * LANES];
                            // SAFETY: the kernels are for this processor. The grouped input has all rows and
                            // columns that the taps of all outputs reach, the weights are packed for these groups, the
                            // sums have `groups` planes and are this task's own.
                            unsafe {
                                kernel(&Rows {
                                    input: input[group * seen.plane()..][..seen.plane()].as_ptr(),
                                    pitch: seen.pitch(),
                                    weights: weights.as_ptr(),
                                    channels,
                                    bias: if first {
                                        bias.as_ptr()
                                    } else {
                                        std::ptr::null()
                                    },
                                    output: sums.as_mut_ptr(),
                                    plane: plane * LANES,
                                    rows: height,
                                    width,
                                });
                            }
                            weights =
                                &weights[self.side * self.side * channels * block.groups * LANES..];
                        }
                        apart(&sums, plane, out);
                    });
            });
        out
    }

    /// The gradient with respect to the weights, `[outputs][inputs][side][side]`, from `x` and the gradient with respect to
    /// the output.
    ///
    /// # Panics
    /// If the numbers of values do not fit.
    pub fn back_to_weights(&self, x: &[f32], gradient: &[f32]) -> Vec<f32> {
        self.back_to_weights_by(best(), x, gradient)
    }

    pub(super) fn back_to_weights_by(
        &self,
        kernels: &Kernels,
        x: &[f32],
        gradient: &[f32],
    ) -> Vec<f32> {
        let seen = self.seen();
        let output = self.output();
        let own = Seen {
            field: output,
            lines: (0..output[0]).map(Some).collect(),
            columns: (0..output[1]).map(Some).collect(),
        };
        let [h, w] = self.field;
        let (image, answer) = (self.inputs * h * w, self.outputs * output[0] * output[1]);
        assert_eq!(x.len() / image * answer, gradient.len());
        let groups = self.inputs.div_ceil(LANES);
        let taps = self.side * self.side;
        let blocks = blocks(kernels, self.outputs);
        let whole: usize = blocks.iter().map(|&(_, n)| n).sum();
        let mut parts: Vec<Vec<f32>> = x
            .par_chunks(TOGETHER * image)
            .zip(gradient.par_chunks(TOGETHER * answer))
            .map(|(x, gradient)| {
                let mut sums = vec![0.0f32; whole * groups * taps * LANES * LANES];
                for (x, gradient) in x.chunks_exact(image).zip(gradient.chunks_exact(answer)) {
                    let x = seen.grouped(x, self.inputs);
                    let gradient = own.grouped(gradient, self.outputs);
                    let mut rest = &mut sums[..];
                    for &(first, n) in &blocks {
                        let (own_sums, others) =
                            rest.split_at_mut(n * groups * taps * LANES * LANES);
                        let gradient = &gradient[first * own.plane()..][..n * own.plane()];
                        self.meet(kernels, (&x, &seen), (gradient, &own), n, own_sums);
                        rest = others;
                    }
                }
                sums
            })
            .collect();
        let (total, parts) = match parts.split_first_mut() {
            Some(split) => split,
            None => return vec![0.0; self.outputs * self.inputs * taps],
        };
        const PIECE: usize = 4096;
        total
            .par_chunks_mut(PIECE)
            .enumerate()
            .for_each(|(i, total)| {
                for part in &*parts {
                    for (slot, value) in total.iter_mut().zip(&part[i * PIECE..]) {
                        *slot += value;
                    }
                }
            });
        // From `[block][input group][tap][input][output]` to the order of the weights.
        let mut out = vec![0.0f32; self.outputs * self.inputs * taps];
        out.par_chunks_mut(self.inputs * taps)
            .enumerate()
            .for_each(|(output, out)| {
                let group = output / LANES;
                let (first, n) = blocks[group / blocks[0].1];
                let begin = first * groups * taps * LANES * LANES
                    + (group - first) * LANES
                    + output % LANES;
                for (i, out) in out.chunks_exact_mut(taps).enumerate() {
                    for (tap, slot) in out.iter_mut().enumerate() {
                        let row = ((i / LANES) * taps + tap) * LANES + i % LANES;
                        *slot = total[begin + row * n * LANES];
                    }
                }
            });
        out
    }

    /// Adds what one image gives to the sums `[input group][tap][16][n][16]` of `n` output groups.
    fn meet(
        &self,
        kernels: &Kernels,
        (x, seen): (&[f32], &Seen),
        (gradient, own): (&[f32], &Seen),
        n: usize,
        sums: &mut [f32],
    ) {
        let [height, width] = self.output();
        // See `seen`: with side 1 the stride is done there.
        let stride = if self.side == 1 { 1 } else { self.stride };
        let kernel = kernels.outer[stride - 1][n - 1];
        let rows = (PIXELS / width).max(1);
        for first in (0..height).step_by(rows) {
            let rows = rows.min(height - first);
            let mut slots = sums.chunks_exact_mut(LANES * n * LANES);
            for group in 0..self.inputs.div_ceil(LANES) {
                let x = &x[group * seen.plane()..][..seen.plane()];
                for tap in 0..self.side * self.side {
                    let Some(sums) = slots.next() else { return };
                    let (ky, kx) = (tap / self.side, tap % self.side);
                    let input = &x[(first * stride + ky) * seen.pitch() + kx * LANES..];
                    // SAFETY: the kernels are for this processor. The last row and column that the tap meets are in
                    // the plane of the input group, the rows of the gradient in each of its `n` planes, and the sums have
                    // 16 channels for each of `n` groups.
                    unsafe {
                        kernel(&Outer {
                            input: input.as_ptr(),
                            pitch: seen.pitch(),
                            gradient: gradient[first * width * LANES..].as_ptr(),
                            plane: own.plane(),
                            rows,
                            width,
                            channels: LANES.min(self.inputs - group * LANES),
                            sums: sums.as_mut_ptr(),
                        });
                    }
                }
            }
        }
    }
}

/// Groups of 16 output channels in as few blocks as the kernels allow, (first group, number of groups), the first the
/// largest.
fn blocks(kernels: &Kernels, outputs: usize) -> Vec<(usize, usize)> {
    let groups = outputs.div_ceil(LANES);
    let most = groups.div_ceil(groups.div_ceil(kernels.groups));
    (0..groups)
        .step_by(most)
        .map(|first| (first, most.min(groups - first)))
        .collect()
}

/// Weights in the order in which the kernels read them.
struct Packed {
    blocks: Vec<Block>,
    /// Groups of a block at most.
    most: usize,
}

struct Block {
    /// The first group of output channels, and their number.
    first: usize,
    groups: usize,
    /// `[input group][ky][kx][channel][output groups][16]`.
    weights: Vec<f32>,
}

impl Packed {
    /// Of a convolution with `weight`, or of the way back from its output to its input: there the kernel is mirrored, with
    /// the roles of the channels exchanged.
    fn new(kernels: &Kernels, weight: &[f32], of: &Convolution, back: bool) -> Self {
        let side = of.side;
        let taps = side * side;
        assert_eq!(weight.len(), of.outputs * of.inputs * taps);
        let (outputs, inputs) = if back {
            (of.inputs, of.outputs)
        } else {
            (of.outputs, of.inputs)
        };
        let blocks = blocks(kernels, outputs);
        let most = blocks.first().map_or(1, |b| b.1);
        let block = |(first, groups): (usize, usize)| {
            let mut weights = Vec::with_capacity(inputs * taps * groups * LANES);
            for group in (0..inputs).step_by(LANES) {
                for tap in 0..taps {
                    for input in group..(group + LANES).min(inputs) {
                        for output in first * LANES..(first + groups) * LANES {
                            let index = if back {
                                (input * of.inputs + output) * taps + taps - 1 - tap
                            } else {
                                (output * of.inputs + input) * taps + tap
                            };
                            let there = output < outputs;
                            weights.push(if there { weight[index] } else { 0.0 });
                        }
                    }
                }
            }
            Block {
                first,
                groups,
                weights,
            }
        };
        Self {
            blocks: blocks.into_par_iter().map(block).collect(),
            most,
        }
    }
}
