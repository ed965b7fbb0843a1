//! Group normalisation, scale and shift by channel, SiLU and the rim of the next convolution, in one pass.

use super::plan::Edge;
use super::simd::{LANES, Simd, sigmoid};

/// Rows of one group of 16 channels on their way into the input of a convolution.
#[derive(Clone, Copy)]
pub(super) struct Activation {
    /// First pixel of the whole group (not of the rows).
    pub input: *const f32,
    /// Whether the input has half the rows and columns of the output.
    pub doubled: bool,
    /// Factor and addend of each channel, `[16]` each; null = the values as they are.
    pub scale: *const f32,
    pub shift: *const f32,
    pub silu: bool,
    /// First value of the whole output group: with a rim of one pixel if `edges` says what lies there.
    pub output: *mut f32,
    pub edges: Option<[Edge; 2]>,
    /// Rows and columns of the output, without the rim.
    pub height: usize,
    pub width: usize,
    /// Rows to be done.
    pub first: usize,
    pub end: usize,
}

/// # Safety
/// The processor has the features of `S`; the pointers are valid for the whole group; nobody else touches the rows
/// `first..end` of the output (and the rim beside them) meanwhile.
#[inline(always)]
pub(super) unsafe fn activate<S: Simd>(a: &Activation) {
    // SAFETY: rows inside the caller's bounds; a rim has one pixel on every side.
    unsafe {
        let (scale, shift) = if a.scale.is_null() {
            (S::splat(1.0), S::splat(0.0))
        } else {
            (S::load(a.scale), S::load(a.shift))
        };
        let pitch = if a.edges.is_some() {
            a.width + 2
        } else {
            a.width
        } * LANES;
        let rim = usize::from(a.edges.is_some());
        for y in a.first..a.end {
            let row = a.output.add((y + rim) * pitch + rim * LANES);
            let half = usize::from(a.doubled);
            let source = a.input.add((y >> half) * (a.width >> half) * LANES);
            for x in 0..a.width {
                let u = S::fma(S::load(source.add((x >> half) * LANES)), scale, shift);
                let v = if a.silu {
                    S::mul(u, sigmoid::<S>(u))
                } else {
                    u
                };
                S::store(row.add(x * LANES), v);
            }
            if let Some(edges) = a.edges {
                columns(row, a.width, edges[1]);
                beyond(a.output, [a.height, a.width], y, edges);
            }
        }
    }
}

/// The pixels before and after a row.
///
/// # Safety
/// `row` points to the first of `width` pixels, with one more on each side.
#[inline(always)]
pub(super) unsafe fn columns(row: *mut f32, width: usize, edge: Edge) {
    // SAFETY: one pixel on each side.
    unsafe {
        let (before, after) = (row.sub(LANES), row.add(width * LANES));
        let last = row.add((width - 1) * LANES);
        match edge {
            Edge::Wrap => {
                before.copy_from_nonoverlapping(last, LANES);
                after.copy_from_nonoverlapping(row, LANES);
            }
            Edge::Repeat => {
                before.copy_from_nonoverlapping(row, LANES);
                after.copy_from_nonoverlapping(last, LANES);
            }
            Edge::Zero | Edge::Pole => {
                before.write_bytes(0, LANES);
                after.write_bytes(0, LANES);
            }
        }
    }
}

/// The rows before the first and after the last, made by whoever has made the row that they come from.
///
/// # Safety
/// As [`activate`].
#[inline(always)]
pub(super) unsafe fn beyond(
    output: *mut f32,
    [height, width]: [usize; 2],
    y: usize,
    edges: [Edge; 2],
) {
    let pitch = (width + 2) * LANES;
    let (first, last) = (y == 0, y + 1 == height);
    let wraps = edges[0] == Edge::Wrap;
    // SAFETY: rows 0 and `height + 1` of the output are its rim.
    unsafe {
        let own = output.add((y + 1) * pitch).cast_const();
        let rims = [
            (output, if wraps { last } else { first }),
            (
                output.add((height + 1) * pitch),
                if wraps { first } else { last },
            ),
        ];
        for (rim, mine) in rims {
            if !mine {
                continue;
            }
            match edges[0] {
                Edge::Wrap | Edge::Repeat => rim.copy_from_nonoverlapping(own, pitch),
                Edge::Zero => rim.write_bytes(0, pitch),
                Edge::Pole => {
                    let half = width / 2;
                    let (own, inner) = (own.add(LANES), rim.add(LANES));
                    let east = (width - half) * LANES;
                    inner.copy_from_nonoverlapping(own.add(half * LANES), east);
                    inner.add(east).copy_from_nonoverlapping(own, half * LANES);
                    columns(inner, width, edges[1]);
                }
            }
        }
    }
}

/// Puts the rim around a group whose inside is done.
///
/// # Safety
/// `output` points to `height + 2` rows of `width + 2` pixels that nobody else touches.
pub(super) unsafe fn rim(output: *mut f32, height: usize, width: usize, edges: [Edge; 2]) {
    for y in 0..height {
        // SAFETY: rows of the group.
        unsafe {
            columns(
                output.add(((y + 1) * (width + 2) + 1) * LANES),
                width,
                edges[1],
            );
            beyond(output, [height, width], y, edges);
        }
    }
}

/// One measured piece of a tensor's groups.
#[derive(Clone, Copy)]
pub(super) struct Measured {
    /// `[piece][group][2][16]`: mean and sum of squared deviations.
    pub moments: *const f32,
    pub pieces: usize,
    pub groups: usize,
    /// Pixels of the first pieces and of the last one.
    pub pixels: [usize; 2],
    /// How often each pixel is seen.
    pub times: usize,
}

impl Measured {
    /// Mean, sum of squared deviations and number of pixels of each piece of a channel.
    ///
    /// # Safety
    /// It describes valid memory.
    unsafe fn each(&self, group: usize, lane: usize, mut f: impl FnMut(f32, f32, f32)) {
        for piece in 0..self.pieces {
            let pixels = self.pixels[usize::from(piece + 1 == self.pieces)] as f32;
            // SAFETY: inside the table.
            let (mean, squares) = unsafe {
                let at = self
                    .moments
                    .add((piece * self.groups + group) * 2 * LANES + lane);
                (*at, *at.add(LANES))
            };
            let times = self.times as f32;
            f(mean, squares * times, pixels * times);
        }
    }
}

/// Where a channel of a norm lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Which of the tensors that are joined.
    pub tensor: usize,
    /// Its group there and its lane.
    pub group: usize,
    pub lane: usize,
    /// Its number in the joined tensor, pads counted.
    pub slot: usize,
}

/// Factors and addends of a norm, by slot (16 a group).
#[derive(Clone, Copy)]
pub(super) struct Coefficients {
    /// The norm's own.
    pub gain: *const f32,
    pub offset: *const f32,
    /// What the noise embedding makes of them, `* (1 + a) + b`; null = nothing.
    pub film: [*const f32; 2],
    /// What comes out: `scale * x + shift` is normalised, scaled and shifted.
    pub scale: *mut f32,
    pub shift: *mut f32,
    /// What the way back needs besides, reciprocal standard deviation and mean; null = it is not wanted.
    pub kept: [*mut f32; 2],
}

/// Computes [`Coefficients`]; `per` channels are normalised together.
///
/// # Safety
/// All pointers are valid for the slots of `places`, and nobody else touches `scale` and `shift`.
pub(super) unsafe fn coefficients(
    measured: &[Measured],
    places: &[Place],
    per: usize,
    epsilon: f32,
    c: &Coefficients,
) {
    for own in places.chunks_exact(per) {
        let (mut sum, mut n) = (0.0f32, 0.0f32);
        // SAFETY: the caller's.
        unsafe {
            for p in own {
                // Sums of its own for each channel: those of the next begin before they are complete.
                let (mut own, mut seen) = (0.0, 0.0);
                measured[p.tensor].each(p.group, p.lane, |mean, _, pixels| {
                    own += mean * pixels;
                    seen += pixels;
                });
                sum += own;
                n += seen;
            }
            let mean = sum / n;
            let mut squares = 0.0f32;
            for p in own {
                let mut own = 0.0;
                measured[p.tensor].each(p.group, p.lane, |mu, s, pixels| {
                    own += s + (mu - mean) * (mu - mean) * pixels;
                });
                squares += own;
            }
            let rstd = 1.0 / (squares / n + epsilon).sqrt();
            for p in own {
                let (mut a, mut b) = (*c.gain.add(p.slot), *c.offset.add(p.slot));
                if !c.film[0].is_null() {
                    let g = 1.0 + *c.film[0].add(p.slot);
                    a *= g;
                    b = b * g + *c.film[1].add(p.slot);
                }
                *c.scale.add(p.slot) = rstd * a;
                *c.shift.add(p.slot) = b - mean * rstd * a;
                if !c.kept[0].is_null() {
                    *c.kept[0].add(p.slot) = rstd;
                    *c.kept[1].add(p.slot) = mean;
                }
            }
        }
    }
}
