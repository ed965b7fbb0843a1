//! 1x1 and 3x3 convolution on NCHW data with circular or zero padding by axis, stride 1 or 2, and its three gradients.
//!
//! For a 3x3 kernel the input rows of one tile are copied three times, shifted by the kernel's column; the kernel's row
//! is then a mere offset into that buffer, so a convolution is three matrix products
//! `out[co, pixel] += W_ky[co, (ci, kx)] * taps[(ci, kx), pixel + ky * step]` with a third of the copying of im2col.
//! Tiles have a fixed size, whatever the number of threads, and are summed in a fixed order.

use burn::backend::Flex;
use burn::backend::flex::{FlexTensor, Layout};
use burn::backend::ops::FloatTensorOps;
use burn::tensor::Shape;
use rayon::prelude::*;

use super::{dims4, tensor, values};

/// Output pixels of one task in the forward direction: keeps the shifted copies inside the second-level cache.
const TILE: usize = 256;
/// Output pixels of one matrix product in the gradient of the weights, where long sums are efficient.
const WEIGHT_TILE: usize = 1024;

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

/// Sizes of one convolution.
#[derive(Clone, Copy)]
struct Geometry {
    plan: Plan,
    kernel: usize,
    cin: usize,
    cout: usize,
    h: usize,
    w: usize,
    ho: usize,
    wo: usize,
}

impl Geometry {
    fn new(x: [usize; 4], weight: [usize; 4], plan: Plan) -> Self {
        Self {
            plan,
            kernel: weight[2],
            cin: x[1],
            cout: weight[0],
            h: x[2],
            w: x[3],
            ho: (x[2] - if plan.halo { 2 } else { 0 }).div_ceil(plan.stride),
            wo: x[3].div_ceil(plan.stride),
        }
    }

    /// Rows of the output in each tile of about `pixels`.
    fn tiles(&self, pixels: usize) -> Vec<(usize, usize)> {
        let rows = (pixels / self.wo).max(1);
        (0..self.ho)
            .step_by(rows)
            .map(|start| (start, rows.min(self.ho - start)))
            .collect()
    }

    /// Input index along one axis of length `n`, or `None` outside of a zero-padded one.
    fn source(position: isize, n: usize, circular: bool) -> Option<usize> {
        if (0..n as isize).contains(&position) {
            Some(position as usize)
        } else if circular {
            Some(position.rem_euclid(n as isize) as usize)
        } else {
            None
        }
    }
}

/// Shifted copies of the input of one tile: a matrix whose row `(ci, kx)` starts at `(ci * kernel + kx) * plane`, in
/// which kernel row `ky` begins `ky * step` further on.
struct Taps {
    buffer: FlexTensor,
    plane: usize,
    step: usize,
}

impl Taps {
    fn new(sample: &[f32], g: &Geometry, start: usize, rows: usize) -> Self {
        if g.kernel == 1 {
            let plane = rows * g.wo;
            let mut out = Vec::with_capacity(g.cin * plane);
            for ci in 0..g.cin {
                for row in start..start + rows {
                    let line = &sample[(ci * g.h + row * g.plan.stride) * g.w..][..g.w];
                    out.extend(line.iter().step_by(g.plan.stride));
                }
            }
            return Self {
                buffer: tensor(out, &[g.cin, plane]),
                plane,
                step: 0,
            };
        }
        let stride = g.plan.stride;
        // Row before the first one that the kernel is centred on.
        let before = if g.plan.halo { 0 } else { -1 };
        // Input rows needed, one after another; with stride 2 the three kernel rows lie in separate blocks.
        let lines: Vec<Option<usize>> = if stride == 1 {
            (0..rows + 2)
                .map(|r| Geometry::source((start + r) as isize + before, g.h, g.plan.circular[0]))
                .collect()
        } else {
            (0..3)
                .flat_map(|ky| (0..rows).map(move |r| (start + r) * stride + ky))
                .map(|r| Geometry::source(r as isize + before, g.h, g.plan.circular[0]))
                .collect()
        };
        let plane = lines.len() * g.wo;
        let step = if stride == 1 { g.wo } else { rows * g.wo };
        let mut out = vec![0.0f32; g.cin * 3 * plane];
        for (ci, block) in out.chunks_exact_mut(3 * plane).enumerate() {
            let image = &sample[ci * g.h * g.w..][..g.h * g.w];
            for (kx, shifted) in block.chunks_exact_mut(plane).enumerate() {
                for (target, line) in shifted.chunks_exact_mut(g.wo).zip(&lines) {
                    if let Some(line) = line {
                        copy_shifted(target, &image[line * g.w..][..g.w], kx, g);
                    }
                }
            }
        }
        Self {
            buffer: tensor(out, &[g.cin * 3 * plane]),
            plane,
            step,
        }
    }

    /// The matrix `[cin * kernel, pixels]` of kernel row `ky`.
    fn matrix(&self, g: &Geometry, ky: usize, pixels: usize) -> FlexTensor {
        view(
            &self.buffer,
            [g.cin * g.kernel, pixels],
            [self.plane as isize, 1],
            ky * self.step,
        )
    }

    /// Its transpose `[pixels, cin * kernel]`.
    fn transposed(&self, g: &Geometry, ky: usize, pixels: usize) -> FlexTensor {
        view(
            &self.buffer,
            [pixels, g.cin * g.kernel],
            [1, self.plane as isize],
            ky * self.step,
        )
    }
}

/// Copies one input line as kernel column `kx` sees it: `target[i] = line[i * stride + kx - 1]`.
fn copy_shifted(target: &mut [f32], line: &[f32], kx: usize, g: &Geometry) {
    let n = line.len();
    if g.plan.stride == 1 {
        match kx {
            0 => {
                target[1..].copy_from_slice(&line[..n - 1]);
                target[0] = if g.plan.circular[1] { line[n - 1] } else { 0.0 };
            }
            1 => target.copy_from_slice(line),
            _ => {
                target[..n - 1].copy_from_slice(&line[1..]);
                target[n - 1] = if g.plan.circular[1] { line[0] } else { 0.0 };
            }
        }
    } else {
        for (i, slot) in target.iter_mut().enumerate() {
            let position = (i * g.plan.stride + kx) as isize - 1;
            *slot = Geometry::source(position, n, g.plan.circular[1]).map_or(0.0, |j| line[j]);
        }
    }
}

fn view(of: &FlexTensor, shape: [usize; 2], strides: [isize; 2], offset: usize) -> FlexTensor {
    of.clone().with_layout(Layout::new(
        Shape::from(shape.to_vec()),
        strides.to_vec(),
        offset,
    ))
}

fn product(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
    <Flex as FloatTensorOps<Flex>>::float_matmul(lhs, rhs)
}

/// The kernel as `kernel` matrices `[rows, (column channel, kx)]`. `flipped` gives the kernel of the gradient with
/// respect to the input: mirrored, with the roles of the channels exchanged.
fn kernel_rows(weight: &[f32], dims: [usize; 4], flipped: bool) -> FlexTensor {
    let [cout, cin, k, _] = dims;
    let (rows, columns) = if flipped { (cin, cout) } else { (cout, cin) };
    let mut out = vec![0.0f32; weight.len()];
    for (ky, matrix) in out.chunks_exact_mut(rows * columns * k).enumerate() {
        for (row, line) in matrix.chunks_exact_mut(columns * k).enumerate() {
            if flipped {
                for (column, taps) in line.chunks_exact_mut(k).enumerate() {
                    let kernel = &weight[(column * cin + row) * k * k..][..k * k];
                    for (slot, value) in taps
                        .iter_mut()
                        .zip(kernel[(k - 1 - ky) * k..][..k].iter().rev())
                    {
                        *slot = *value;
                    }
                }
            } else {
                let kernels = weight[row * cin * k * k..][..cin * k * k].chunks_exact(k * k);
                for (taps, kernel) in line.chunks_exact_mut(k).zip(kernels) {
                    for (slot, value) in taps.iter_mut().zip(&kernel[ky * k..][..k]) {
                        *slot = *value;
                    }
                }
            }
        }
    }
    tensor(out, &[k, rows, columns * k])
}

/// Convolves every sample of `x` (`[batch, g.cin, g.h, g.w]`) with prepared kernel rows.
fn convolve(x: &[f32], kernel: &FlexTensor, bias: Option<&[f32]>, g: &Geometry) -> Vec<f32> {
    let (size_in, size_out) = (g.cin * g.h * g.w, g.cout * g.ho * g.wo);
    let batch = x.len() / size_in;
    let tiles = g.tiles(TILE);
    let columns = g.cin * g.kernel;
    let mut out = vec![0.0f32; batch * size_out];
    out.par_chunks_mut(size_out)
        .zip(x.par_chunks(size_in))
        .for_each(|(out, sample)| {
            let parts: Vec<Vec<FlexTensor>> = tiles
                .par_iter()
                .map(|&(start, rows)| {
                    let taps = Taps::new(sample, g, start, rows);
                    (0..g.kernel)
                        .map(|ky| {
                            let weight = view(
                                kernel,
                                [g.cout, columns],
                                [columns as isize, 1],
                                ky * g.cout * columns,
                            );
                            product(weight, taps.matrix(g, ky, rows * g.wo))
                        })
                        .collect()
                })
                .collect();
            for (&(start, rows), parts) in tiles.iter().zip(&parts) {
                let n = rows * g.wo;
                for co in 0..g.cout {
                    let target = &mut out[(co * g.ho + start) * g.wo..][..n];
                    target.fill(bias.map_or(0.0, |b| b[co]));
                    for part in parts {
                        let source = &values(part)[co * n..][..n];
                        for (slot, value) in target.iter_mut().zip(source) {
                            *slot += value;
                        }
                    }
                }
            }
        });
    out
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
    let (xd, wd) = (dims4(&x), dims4(&weight));
    let g = Geometry::new(xd, wd, plan);
    let kernel = kernel_rows(values(&weight), wd, false);
    let out = convolve(values(&x), &kernel, Some(values(&bias)), &g);
    tensor(out, &[xd[0], g.cout, g.ho, g.wo])
}

/// Gradient with respect to the input of shape `xd`.
pub(crate) fn backward_input(
    grad: &FlexTensor,
    weight: &FlexTensor,
    xd: [usize; 4],
    plan: Plan,
) -> FlexTensor {
    let (grad, weight) = (grad.to_contiguous(), weight.to_contiguous());
    let wd = dims4(&weight);
    let g = Geometry {
        plan: Plan {
            stride: 1,
            halo: false,
            ..plan
        },
        cin: wd[0],
        cout: wd[1],
        ho: xd[2],
        wo: xd[3],
        ..Geometry::new(xd, wd, plan)
    };
    let kernel = kernel_rows(values(&weight), wd, true);
    let spread;
    let full = if plan.stride == 1 && !plan.halo {
        values(&grad)
    } else {
        spread = spread_out(&grad, xd[2], xd[3], plan);
        &spread
    };
    tensor(convolve(full, &kernel, None, &g), &xd)
}

/// Puts the gradient of a convolution on the input's grid, each value where its kernel was centred, zeros between.
fn spread_out(grad: &FlexTensor, h: usize, w: usize, plan: Plan) -> Vec<f32> {
    let (stride, first) = (plan.stride, usize::from(plan.halo));
    let [batch, channels, ho, wo] = dims4(grad);
    let mut out = vec![0.0f32; batch * channels * h * w];
    for (plane, image) in out
        .chunks_exact_mut(h * w)
        .zip(values(grad).chunks_exact(ho * wo))
    {
        for (y, line) in image.chunks_exact(wo).enumerate() {
            for (x, value) in line.iter().enumerate() {
                plane[(first + y * stride) * w + x * stride] = *value;
            }
        }
    }
    out
}

/// Gradient with respect to the weight of shape `wd`.
pub(crate) fn backward_weight(
    x: &FlexTensor,
    grad: &FlexTensor,
    wd: [usize; 4],
    plan: Plan,
) -> FlexTensor {
    let (x, grad) = (x.to_contiguous(), grad.to_contiguous());
    let g = Geometry::new(dims4(&x), wd, plan);
    let tiles = g.tiles(WEIGHT_TILE);
    let (rows_out, columns, k) = (g.cout, g.cin * g.kernel, g.kernel);
    let plane = g.ho * g.wo;
    let parts: Vec<Vec<f32>> = values(&x)
        .par_chunks(g.cin * g.h * g.w)
        .enumerate()
        .map(|(b, sample)| {
            let mut sum = vec![0.0f32; k * rows_out * columns];
            for &(start, rows) in &tiles {
                let n = rows * g.wo;
                let taps = Taps::new(sample, &g, start, rows);
                for (ky, sum) in sum.chunks_exact_mut(rows_out * columns).enumerate() {
                    let lhs = view(
                        &grad,
                        [rows_out, n],
                        [plane as isize, 1],
                        b * rows_out * plane + start * g.wo,
                    );
                    let part = product(lhs, taps.transposed(&g, ky, n));
                    for (slot, value) in sum.iter_mut().zip(values(&part)) {
                        *slot += value;
                    }
                }
            }
            sum
        })
        .collect();
    let mut total = vec![0.0f32; k * rows_out * columns];
    for part in &parts {
        for (slot, value) in total.iter_mut().zip(part) {
            *slot += value;
        }
    }
    let mut out = vec![0.0f32; total.len()];
    for (i, slot) in out.iter_mut().enumerate() {
        let (kx, ky, ci, co) = (i % k, i / k % k, i / (k * k) % g.cin, i / (k * k * g.cin));
        *slot = total[(ky * rows_out + co) * columns + ci * k + kx];
    }
    tensor(out, &wd)
}

/// Gradient with respect to the bias.
pub(crate) fn backward_bias(grad: &FlexTensor) -> FlexTensor {
    let grad = grad.to_contiguous();
    let [_, channels, h, w] = dims4(&grad);
    let mut out = vec![0.0f32; channels];
    for (i, plane) in values(&grad).chunks_exact(h * w).enumerate() {
        out[i % channels] += super::norm::sum(plane);
    }
    tensor(out, &[channels])
}
