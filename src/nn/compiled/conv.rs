//! Direct convolution in groups of 16 channels.
//!
//! A tensor is kept as `[group][y][x][16]`. A tile of pixels of a row and of 1 to 3 output groups stays in registers while
//! the taps of one input group run over it: each weight vector loaded serves all pixels of the tile, each pixel broadcast
//! all groups. The weights of one input and a few output groups and the rows that they meet fit the first-level cache,
//! so the input groups are the outer loop and the sums wait in the output in between.

use super::simd::{LANES, Simd};

/// One input group met by the weights of up to three output groups, over some rows of the output.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    /// First tap of the first output pixel.
    pub input: *const f32,
    /// Floats from one input row to the next.
    pub pitch: usize,
    /// `[ky][kx][channel][output groups][16]`.
    pub weights: *const f32,
    /// Channels of the input group, 1..=16.
    pub channels: usize,
    /// `[output groups][16]`: what the sums begin with; null = they go on from the output.
    pub bias: *const f32,
    /// First output pixel.
    pub output: *mut f32,
    /// Floats from one output group to the next.
    pub plane: usize,
    /// Rows and columns of the output.
    pub rows: usize,
    pub width: usize,
}

/// Runs [`Rows`] for a kernel of side `K`, `STRIDE`, and `NB` output groups.
///
/// # Safety
/// The processor has the features of `S`. All pointers are valid for what the sizes say: the input for
/// `(rows - 1) * STRIDE + K` rows of `(width - 1) * STRIDE + K` pixels, the weights for `K * K * channels * NB` groups,
/// the output for `rows * width` pixels in each of `NB` planes, and nobody else touches the output meanwhile.
#[inline(always)]
pub(super) unsafe fn rows<S: Simd, const K: usize, const STRIDE: usize, const NB: usize>(r: &Rows) {
    for row in 0..r.rows {
        // SAFETY: row by row inside the caller's bounds.
        unsafe {
            let input = r.input.add(row * STRIDE * r.pitch);
            let output = r.output.add(row * r.width * LANES);
            let mut x = 0;
            macro_rules! tiles {
                ($pixels:literal, $if:expr) => {
                    if $pixels * NB <= S::SUMS && $if {
                        while r.width - x >= $pixels {
                            tile::<S, K, STRIDE, NB, $pixels>(
                                r,
                                input.add(x * STRIDE * LANES),
                                output.add(x * LANES),
                            );
                            x += $pixels;
                        }
                    }
                };
            }
            tiles!(12, !r.width.is_multiple_of(8) || NB == 1);
            tiles!(8, true);
            tiles!(6, !r.width.is_multiple_of(4));
            tiles!(4, true);
            tiles!(2, true);
            tiles!(1, true);
        }
    }
}

/// # Safety
/// As [`rows`], for one tile of `P` pixels.
#[inline(always)]
unsafe fn tile<S: Simd, const K: usize, const STRIDE: usize, const NB: usize, const P: usize>(
    r: &Rows,
    input: *const f32,
    output: *mut f32,
) {
    // SAFETY: offsets inside the bounds that the caller of `rows` vouches for.
    unsafe {
        let mut sums = [[S::splat(0.0); NB]; P];
        for (p, sums) in sums.iter_mut().enumerate() {
            for (nb, sum) in sums.iter_mut().enumerate() {
                *sum = if r.bias.is_null() {
                    S::load(output.add(nb * r.plane + p * LANES))
                } else {
                    S::load(r.bias.add(nb * LANES))
                };
            }
        }
        let mut weights = r.weights;
        for ky in 0..K {
            for kx in 0..K {
                let tap = input.add(ky * r.pitch + kx * LANES);
                for channel in 0..r.channels {
                    let tap = tap.add(channel);
                    let mut w = [S::splat(0.0); NB];
                    for (nb, w) in w.iter_mut().enumerate() {
                        *w = S::load(weights.add(nb * LANES));
                    }
                    weights = weights.add(NB * LANES);
                    for (p, sums) in sums.iter_mut().enumerate() {
                        let pixel = S::splat(*tap.add(p * STRIDE * LANES));
                        for (sum, w) in sums.iter_mut().zip(w) {
                            *sum = S::fma(pixel, w, *sum);
                        }
                    }
                }
            }
        }
        for (p, sums) in sums.iter().enumerate() {
            for (nb, sum) in sums.iter().enumerate() {
                S::store(output.add(nb * r.plane + p * LANES), *sum);
            }
        }
    }
}

/// What is added to a finished group of sums.
#[derive(Clone, Copy)]
pub(super) struct Addend {
    /// The group's first row that is met here.
    pub from: *const f32,
    /// Whether it has half the rows and columns, and each value serves four pixels. The first row must then be even.
    pub doubled: bool,
}

/// Adds to rows of one output group; measures what comes out if `moments` is not null: mean and sum of squared
/// deviations of each lane, `[2][16]`.
///
/// # Safety
/// As [`rows`]; addends are valid for the rows (half of them if doubled), `moments` for 32 floats.
#[inline(always)]
pub(super) unsafe fn finish<S: Simd>(
    output: *mut f32,
    rows: usize,
    width: usize,
    addends: &[Addend],
    moments: *mut f32,
) {
    // SAFETY: pixel by pixel inside the caller's bounds.
    unsafe {
        for addend in addends {
            for y in 0..rows {
                let out = output.add(y * width * LANES);
                let from = if addend.doubled {
                    addend.from.add(y / 2 * (width / 2) * LANES)
                } else {
                    addend.from.add(y * width * LANES)
                };
                for x in 0..width {
                    let source = if addend.doubled { x / 2 } else { x };
                    let slot = out.add(x * LANES);
                    let v = S::add(S::load(slot), S::load(from.add(source * LANES)));
                    S::store(slot, v);
                }
            }
        }
        if moments.is_null() {
            return;
        }
        let n = rows * width;
        let mut sums = [S::splat(0.0); 4];
        for i in 0..n {
            sums[i % 4] = S::add(sums[i % 4], S::load(output.add(i * LANES)));
        }
        let total = S::add(S::add(sums[0], sums[1]), S::add(sums[2], sums[3]));
        let mean = S::mul(total, S::splat(1.0 / n as f32));
        let mut squares = [S::splat(0.0); 4];
        for i in 0..n {
            let off = S::sub(S::load(output.add(i * LANES)), mean);
            squares[i % 4] = S::fma(off, off, squares[i % 4]);
        }
        let total = S::add(
            S::add(squares[0], squares[1]),
            S::add(squares[2], squares[3]),
        );
        S::store(moments, mean);
        S::store(moments.add(LANES), total);
    }
}
