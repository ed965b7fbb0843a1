//! The gradient of a convolution's weights: sums over pixels of an input channel times an output channel's gradient.
//!
//! Both tensors are kept in groups of 16 channels, as in [`super::conv`]. For one tap the sums of some input channels and
//! of 1 to 3 output groups stay in registers while the pixels pass: each vector of the gradient serves all input channels.

use super::simd::{LANES, Simd};

/// One tap of one input group met by the gradient of up to three output groups, over some rows of the gradient.
#[derive(Clone, Copy)]
pub(super) struct Outer {
    /// The tap of the first pixel.
    pub input: *const f32,
    /// Floats from one input row to the next.
    pub pitch: usize,
    /// First pixel of the gradient.
    pub gradient: *const f32,
    /// Floats from one output group to the next.
    pub plane: usize,
    /// Rows and columns of the gradient.
    pub rows: usize,
    pub width: usize,
    /// Channels of the input group, 1..=16.
    pub channels: usize,
    /// `[channel][output groups][16]`, added to; all 16 channels are there.
    pub sums: *mut f32,
}

/// Runs [`Outer`] for `STRIDE` and `NB` output groups.
///
/// # Safety
/// The processor has the features of `S`. All pointers are valid for what the sizes say: the input for
/// `(rows - 1) * STRIDE + 1` rows of `(width - 1) * STRIDE + 1` pixels of 16 channels, the gradient for `rows * width`
/// pixels in each of `NB` planes, the sums for `16 * NB` groups, and nobody else touches the sums meanwhile.
#[inline(always)]
pub(super) unsafe fn outer<S: Simd, const STRIDE: usize, const NB: usize>(o: &Outer) {
    // SAFETY: channels below 16 are there; their number is a multiple of every P.
    unsafe {
        if 16 * NB <= S::SUMS {
            channels::<S, STRIDE, NB, 16>(o);
        } else if 8 * NB <= S::SUMS {
            channels::<S, STRIDE, NB, 8>(o);
        } else if 4 * NB <= S::SUMS {
            channels::<S, STRIDE, NB, 4>(o);
        } else if 2 * NB <= S::SUMS {
            channels::<S, STRIDE, NB, 2>(o);
        } else {
            channels::<S, STRIDE, NB, 1>(o);
        }
    }
}

/// # Safety
/// As [`outer`], `P` channels at a time.
#[inline(always)]
unsafe fn channels<S: Simd, const STRIDE: usize, const NB: usize, const P: usize>(o: &Outer) {
    for first in (0..o.channels).step_by(P) {
        // SAFETY: offsets inside the bounds that the caller of `outer` vouches for.
        unsafe {
            let slots = o.sums.add(first * NB * LANES);
            let mut sums = [[S::splat(0.0); NB]; P];
            for (p, sums) in sums.iter_mut().enumerate() {
                for (nb, sum) in sums.iter_mut().enumerate() {
                    *sum = S::load(slots.add((p * NB + nb) * LANES));
                }
            }
            for row in 0..o.rows {
                let mut pixel = o.input.add(row * STRIDE * o.pitch + first);
                let mut gradient = o.gradient.add(row * o.width * LANES);
                for _ in 0..o.width {
                    let mut g = [S::splat(0.0); NB];
                    for (nb, g) in g.iter_mut().enumerate() {
                        *g = S::load(gradient.add(nb * o.plane));
                    }
                    for (p, sums) in sums.iter_mut().enumerate() {
                        let value = S::splat(*pixel.add(p));
                        for (sum, g) in sums.iter_mut().zip(g) {
                            *sum = S::fma(value, g, *sum);
                        }
                    }
                    pixel = pixel.wrapping_add(STRIDE * LANES);
                    gradient = gradient.add(LANES);
                }
            }
            for (p, sums) in sums.iter().enumerate() {
                for (nb, sum) in sums.iter().enumerate() {
                    S::store(slots.add((p * NB + nb) * LANES), *sum);
                }
            }
        }
    }
}
