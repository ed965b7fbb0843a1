//! Attention between all points of a level, one head at a time.

use super::simd::{LANES, Simd, exp, lanes};

/// One head of one image.
#[derive(Clone, Copy)]
pub(super) struct Head {
    /// Queries, keys and values of all heads: `[group][point][16]`, channel = part * channels + head * depth + d.
    pub qkv: *const f32,
    /// `[group][point][16]`, channel = head * depth + d.
    pub output: *mut f32,
    pub points: usize,
    /// Channels of all heads and of this one, and its number.
    pub channels: usize,
    pub depth: usize,
    pub head: usize,
    /// [`scratch`] floats.
    pub scratch: *mut f32,
}

/// Floats of scratch that a head needs.
pub(super) fn scratch(points: usize, depth: usize) -> usize {
    let (n, d) = (
        points.next_multiple_of(LANES),
        depth.next_multiple_of(LANES),
    );
    n * depth + points * d + QUERIES * (n + depth)
}

/// Queries at a time.
const QUERIES: usize = 4;

/// # Safety
/// The processor has the features of `S`; the pointers are valid for what the sizes say; nobody else touches this head's
/// channels of the output, nor the scratch.
#[inline(always)]
pub(super) unsafe fn attend<S: Simd>(h: &Head) {
    let (points, depth) = (h.points, h.depth);
    let n = points.next_multiple_of(LANES);
    let wide = depth.next_multiple_of(LANES);
    // SAFETY: indices inside the sizes that the caller vouches for; `scratch` holds the four tables.
    unsafe {
        let at = |part: usize, d: usize, point: usize| {
            let c = part * h.channels + h.head * depth + d;
            *h.qkv.add((c / LANES * points + point) * LANES + c % LANES)
        };
        let keys = h.scratch;
        let values = keys.add(n * depth);
        let weights = values.add(points * wide);
        let scaled = weights.add(QUERIES * n);
        for d in 0..depth {
            for point in 0..n {
                *keys.add(d * n + point) = if point < points { at(1, d, point) } else { 0.0 };
            }
        }
        for point in 0..points {
            for d in 0..wide {
                *values.add(point * wide + d) = if d < depth { at(2, d, point) } else { 0.0 };
            }
        }
        let scale = (depth as f32).powf(-0.5);
        let mut first = 0;
        while first < points {
            let queries = QUERIES.min(points - first);
            for q in 0..QUERIES {
                for d in 0..depth {
                    let query = at(0, d, first + q.min(queries - 1));
                    *scaled.add(q * depth + d) = query * scale;
                }
            }
            for block in (0..n).step_by(LANES) {
                let mut sums = [S::splat(0.0); QUERIES];
                for d in 0..depth {
                    let k = S::load(keys.add(d * n + block));
                    for (q, sum) in sums.iter_mut().enumerate() {
                        *sum = S::fma(S::splat(*scaled.add(q * depth + d)), k, *sum);
                    }
                }
                for (q, sum) in sums.iter().enumerate() {
                    S::store(weights.add(q * n + block), *sum);
                }
            }
            let mut norms = [0.0f32; QUERIES];
            for (q, norm) in norms.iter_mut().enumerate() {
                *norm = 1.0 / softmax::<S>(weights.add(q * n), points);
            }
            for block in (0..wide).step_by(LANES) {
                let mut sums = [S::splat(0.0); QUERIES];
                for point in 0..points {
                    let v = S::load(values.add(point * wide + block));
                    for (q, sum) in sums.iter_mut().enumerate() {
                        *sum = S::fma(S::splat(*weights.add(q * n + point)), v, *sum);
                    }
                }
                for q in 0..queries {
                    let mixed = lanes::<S>(S::mul(sums[q], S::splat(norms[q])));
                    for (i, v) in mixed.into_iter().enumerate().take(depth - block.min(depth)) {
                        let c = h.head * depth + block + i;
                        let slot = (c / LANES * points + first + q) * LANES + c % LANES;
                        *h.output.add(slot) = v;
                    }
                }
            }
            first += queries;
        }
    }
}

/// Exponentials of `row - max(row)` in place, zeros behind `points`; returns their sum.
///
/// # Safety
/// `row` is valid for `points` rounded up to 16.
#[inline(always)]
pub(super) unsafe fn softmax<S: Simd>(row: *mut f32, points: usize) -> f32 {
    // SAFETY: inside the row.
    unsafe {
        let whole = points / LANES * LANES;
        for i in points..points.next_multiple_of(LANES) {
            *row.add(i) = f32::MIN;
        }
        let mut top = S::load(row);
        for i in (0..points).step_by(LANES) {
            top = S::max(top, S::load(row.add(i)));
        }
        let top = lanes::<S>(top).into_iter().fold(f32::MIN, f32::max);
        let mut sum = S::splat(0.0);
        for i in (0..points).step_by(LANES) {
            let e = exp::<S>(S::sub(S::load(row.add(i)), S::splat(top)));
            S::store(row.add(i), e);
            if i < whole {
                sum = S::add(sum, e);
            }
        }
        let mut total: f32 = lanes::<S>(sum).into_iter().sum();
        for i in whole..points.next_multiple_of(LANES) {
            if i < points {
                total += *row.add(i);
            } else {
                *row.add(i) = 0.0;
            }
        }
        total
    }
}
