//! The way back through norms, SiLU and attention.

use super::attention::softmax;
use super::norm::{Place, beyond, columns};
use super::plan::Edge;
use super::simd::{LANES, Simd, lanes, sigmoid};

/// Back through SiLU, for some pixels of one group of channels.
#[derive(Clone, Copy)]
pub(super) struct Slopes {
    /// What went into the norm.
    pub state: *const f32,
    /// The norm's factor and addend of each channel.
    pub scale: *const f32,
    pub shift: *const f32,
    pub silu: bool,
    /// Gradient with respect to what came out; `step` floats from one pixel to the next (0 = the same for all).
    pub gradient: *const f32,
    pub step: usize,
    /// Gradient with respect to SiLU's argument; may be where `gradient` is.
    pub output: *mut f32,
    pub pixels: usize,
    /// `[2][16]`: sums of the output, and of the output times the state.
    pub sums: *mut f32,
}

/// # Safety
/// The processor has the features of `S`; the pointers are valid for the pixels; nobody else touches output and sums.
#[inline(always)]
pub(super) unsafe fn slopes<S: Simd>(s: &Slopes) {
    // SAFETY: pixel by pixel inside the caller's bounds.
    unsafe {
        let (scale, shift) = (S::load(s.scale), S::load(s.shift));
        let one = S::splat(1.0);
        let mut sums = [[S::splat(0.0); 2]; 2];
        for i in 0..s.pixels {
            let h = S::load(s.state.add(i * LANES));
            let mut d = S::load(s.gradient.add(i * s.step));
            if s.silu {
                let u = S::fma(h, scale, shift);
                let g = sigmoid::<S>(u);
                let slope = S::mul(g, S::fma(u, S::sub(one, g), one));
                d = S::mul(d, slope);
            }
            S::store(s.output.add(i * LANES), d);
            let [plain, weighted] = &mut sums[i % 2];
            *plain = S::add(*plain, d);
            *weighted = S::fma(d, h, *weighted);
        }
        S::store(s.sums, S::add(sums[0][0], sums[1][0]));
        S::store(s.sums.add(LANES), S::add(sums[0][1], sums[1][1]));
    }
}

/// What a norm kept, by slot.
#[derive(Clone, Copy)]
pub(super) struct KeptNorm {
    pub scale: *const f32,
    pub rstd: *const f32,
    pub mean: *const f32,
}

/// From the sums of [`slopes`], `[piece][group][2][16]`, to the gradient with respect to the norm's input,
/// `scale * du + k[0] * state + k[1]`.
///
/// # Safety
/// Valid pointers for all slots and pieces; nobody else touches `k`.
pub(super) unsafe fn norm_back(
    places: &[Place],
    per: usize,
    pixels: usize,
    (sums, pieces, groups): (*const f32, usize, usize),
    norm: &KeptNorm,
    k: [*mut f32; 2],
) {
    let n = (per * pixels) as f32;
    for own in places.chunks_exact(per) {
        let (mut m1, mut m2) = (0.0f32, 0.0f32);
        // SAFETY: the caller's.
        unsafe {
            let first = own[0].slot;
            let (rstd, mean) = (*norm.rstd.add(first), *norm.mean.add(first));
            for p in own {
                let gamma = *norm.scale.add(p.slot) / rstd;
                for piece in 0..pieces {
                    let at = sums.add((piece * groups + p.group) * 2 * LANES + p.lane);
                    m1 += gamma * *at;
                    m2 += gamma * (*at.add(LANES) - mean * *at) * rstd;
                }
            }
            let (m1, m2) = (m1 / n, m2 / n);
            for p in own {
                *k[0].add(p.slot) = -rstd * rstd * m2;
                *k[1].add(p.slot) = rstd * (mean * rstd * m2 - m1);
            }
        }
    }
}

/// `scale * du + k[0] * state + k[1] + add` for rows of one group, with a rim if `edges` says what lies there.
#[derive(Clone, Copy)]
pub(super) struct Combination {
    /// First pixels of the whole group.
    pub du: *const f32,
    pub state: *const f32,
    pub scale: *const f32,
    pub k: [*const f32; 2],
    /// Null = nothing.
    pub add: *const f32,
    pub output: *mut f32,
    pub edges: Option<[Edge; 2]>,
    pub height: usize,
    pub width: usize,
    pub first: usize,
    pub end: usize,
}

/// # Safety
/// The processor has the features of `S`; the pointers are valid for the whole group; nobody else touches the rows of the
/// output.
#[inline(always)]
pub(super) unsafe fn combine<S: Simd>(c: &Combination) {
    // SAFETY: rows inside the caller's bounds.
    unsafe {
        let scale = S::load(c.scale);
        let k = [S::load(c.k[0]), S::load(c.k[1])];
        let rim = usize::from(c.edges.is_some());
        let pitch = (c.width + 2 * rim) * LANES;
        for y in c.first..c.end {
            let row = c.output.add((y + rim) * pitch + rim * LANES);
            for x in 0..c.width {
                let at = (y * c.width + x) * LANES;
                let mut v = S::fma(S::load(c.state.add(at)), k[0], k[1]);
                v = S::fma(S::load(c.du.add(at)), scale, v);
                if !c.add.is_null() {
                    v = S::add(v, S::load(c.add.add(at)));
                }
                S::store(row.add(x * LANES), v);
            }
            if let Some(edges) = c.edges {
                columns(row, c.width, edges[1]);
                beyond(c.output, [c.height, c.width], y, edges);
            }
        }
    }
}

/// One head of one image on the way back.
#[derive(Clone, Copy)]
pub(super) struct HeadBack {
    /// As [`super::attention::Head`].
    pub qkv: *const f32,
    /// Gradient with respect to what the heads made, `[group][point][16]`.
    pub gradient: *const f32,
    /// Gradient with respect to `qkv`, in its layout.
    pub output: *mut f32,
    pub points: usize,
    pub channels: usize,
    pub depth: usize,
    pub head: usize,
    /// [`scratch`] floats.
    pub scratch: *mut f32,
}

/// Floats of scratch that a head needs on the way back.
pub(super) fn scratch(points: usize, depth: usize) -> usize {
    let (n, d) = (
        points.next_multiple_of(LANES),
        depth.next_multiple_of(LANES),
    );
    4 * n * depth + points * d + 2 * n + 3 * depth
}

/// # Safety
/// As [`super::attention::attend`].
#[inline(always)]
pub(super) unsafe fn attend_back<S: Simd>(h: &HeadBack) {
    let (points, depth) = (h.points, h.depth);
    let n = points.next_multiple_of(LANES);
    let wide = depth.next_multiple_of(LANES);
    // SAFETY: indices inside the sizes that the caller vouches for; `scratch` holds the ten tables.
    unsafe {
        let slot = |channel: usize, point: usize| {
            (channel / LANES * points + point) * LANES + channel % LANES
        };
        let channel = |part: usize, d: usize| part * h.channels + h.head * depth + d;
        let at = |part: usize, d: usize, point: usize| *h.qkv.add(slot(channel(part, d), point));
        let keys = h.scratch;
        let values = keys.add(n * depth);
        let dkeys = values.add(n * depth);
        let dvalues = dkeys.add(n * depth);
        let keys_by_point = dvalues.add(n * depth);
        let weights = keys_by_point.add(points * wide);
        let slopes = weights.add(n);
        // Of one point: query, scaled query, gradient.
        let query = slopes.add(n);
        let scaled = query.add(depth);
        let gradient = scaled.add(depth);
        for d in 0..depth {
            for point in 0..n {
                let there = point < points;
                *keys.add(d * n + point) = if there { at(1, d, point) } else { 0.0 };
                *values.add(d * n + point) = if there { at(2, d, point) } else { 0.0 };
            }
        }
        dkeys.write_bytes(0, 2 * n * depth);
        for point in 0..points {
            for d in 0..wide {
                *keys_by_point.add(point * wide + d) =
                    if d < depth { at(1, d, point) } else { 0.0 };
            }
        }
        let scale = (depth as f32).powf(-0.5);
        for i in 0..points {
            for d in 0..depth {
                *query.add(d) = at(0, d, i);
                *scaled.add(d) = at(0, d, i) * scale;
                *gradient.add(d) = *h.gradient.add(slot(h.head * depth + d, i));
            }
            for block in (0..n).step_by(LANES) {
                let (mut score, mut slope) = (S::splat(0.0), S::splat(0.0));
                for d in 0..depth {
                    let k = S::load(keys.add(d * n + block));
                    score = S::fma(S::splat(*scaled.add(d)), k, score);
                    let v = S::load(values.add(d * n + block));
                    slope = S::fma(S::splat(*gradient.add(d)), v, slope);
                }
                S::store(weights.add(block), score);
                S::store(slopes.add(block), slope);
            }
            let norm = S::splat(1.0 / softmax::<S>(weights, points));
            let mut dot = S::splat(0.0);
            for block in (0..n).step_by(LANES) {
                let p = S::mul(S::load(weights.add(block)), norm);
                S::store(weights.add(block), p);
                dot = S::fma(p, S::load(slopes.add(block)), dot);
            }
            let dot = S::splat(lanes::<S>(dot).into_iter().sum());
            for block in (0..n).step_by(LANES) {
                let off = S::sub(S::load(slopes.add(block)), dot);
                let p = S::load(weights.add(block));
                S::store(slopes.add(block), S::mul(S::mul(p, off), S::splat(scale)));
            }
            for d in 0..depth {
                let (g, q) = (S::splat(*gradient.add(d)), S::splat(*query.add(d)));
                for block in (0..n).step_by(LANES) {
                    let (dv, dk) = (dvalues.add(d * n + block), dkeys.add(d * n + block));
                    S::store(dv, S::fma(g, S::load(weights.add(block)), S::load(dv)));
                    S::store(dk, S::fma(q, S::load(slopes.add(block)), S::load(dk)));
                }
            }
            for block in (0..wide).step_by(LANES) {
                let mut dq = S::splat(0.0);
                for j in 0..points {
                    let k = S::load(keys_by_point.add(j * wide + block));
                    dq = S::fma(S::splat(*slopes.add(j)), k, dq);
                }
                let dq = lanes::<S>(dq);
                for (d, v) in dq.into_iter().enumerate().take(depth - block) {
                    *h.output.add(slot(channel(0, block + d), i)) = v;
                }
            }
        }
        for d in 0..depth {
            for point in 0..points {
                *h.output.add(slot(channel(1, d), point)) = *dkeys.add(d * n + point);
                *h.output.add(slot(channel(2, d), point)) = *dvalues.add(d * n + point);
            }
        }
    }
}
