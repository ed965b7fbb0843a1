//! Running the steps of the way back.

use super::plan::Op;
use super::run::Pass;
use super::simd::LANES;
use super::slopes::{Combination, HeadBack, KeptNorm, Slopes, norm_back};

impl Pass<'_> {
    /// Does one task of a step of the way back.
    pub(super) fn back(&self, op: &Op, task: usize, image: usize) {
        let place = |at: usize| self.place(image, at);
        match op {
            Op::Slopes {
                state,
                norm,
                silu,
                gradient,
                flat,
                to,
                sums,
                pieces,
            } => {
                let (group, piece) = (task / pieces.count(), task % pieces.count());
                let (first, end) = pieces.range(piece);
                let start = group * state.plane() + first * state.width * LANES;
                let gradient = gradient + if *flat { group * LANES } else { start };
                // SAFETY: these rows of this group, and their sums, are this task's alone.
                unsafe {
                    (self.plan.kernels.slopes)(&Slopes {
                        state: place(state.at + start),
                        scale: place(norm.scale + group * LANES),
                        shift: place(norm.shift + group * LANES),
                        silu: *silu,
                        gradient: place(gradient),
                        step: if *flat { 0 } else { LANES },
                        output: place(to + start),
                        pixels: (end - first) * state.width,
                        sums: place(sums + (piece * state.groups() + group) * 2 * LANES),
                    });
                }
            }
            Op::NormBack {
                state,
                places,
                per,
                norm,
                sums,
                pieces,
                k,
            } => {
                let kept = KeptNorm {
                    scale: place(norm.scale),
                    rstd: place(norm.rstd),
                    mean: place(norm.mean),
                };
                let sums = (place(*sums).cast_const(), *pieces, state.groups());
                // SAFETY: tables of the plan; `k` is this task's alone.
                unsafe {
                    let pixels = state.height * state.width;
                    norm_back(places, *per, pixels, sums, &kept, k.map(place));
                }
            }
            Op::Combine {
                state,
                norm,
                du,
                k,
                add,
                rim,
                to,
                pieces,
            } => {
                let (group, piece) = (task / pieces.count(), task % pieces.count());
                let (first, end) = pieces.range(piece);
                let plane = state.plane();
                let around = if *rim { 2 } else { 0 };
                let out = (state.height + around) * (state.width + around) * LANES;
                // SAFETY: these rows of this group are this task's alone.
                unsafe {
                    (self.plan.kernels.combine)(&Combination {
                        du: place(du + group * plane),
                        state: place(state.at + group * plane),
                        scale: place(norm.scale + group * LANES),
                        k: k.map(|at| place(at + group * LANES).cast_const()),
                        add: add.map_or(std::ptr::null(), |at| place(at + group * plane)),
                        output: place(to + group * out),
                        edges: rim.then_some(self.plan.edges),
                        height: state.height,
                        width: state.width,
                        first,
                        end,
                    });
                }
            }
            Op::Dilate { from, to } => {
                let (height, width) = (2 * from.height, 2 * from.width);
                let pitch = (width + 2) * LANES;
                let out = place(to + task * (height + 2) * pitch);
                let source = place(from.at + task * from.plane());
                // SAFETY: this group of the rimmed tensor is this task's alone.
                unsafe {
                    out.write_bytes(0, (height + 2) * pitch);
                    for y in 0..from.height {
                        for x in 0..from.width {
                            let pixel = out.add((2 * y + 1) * pitch + (2 * x + 1) * LANES);
                            let value = source.add((y * from.width + x) * LANES);
                            pixel.copy_from_nonoverlapping(value, LANES);
                        }
                    }
                    super::norm::rim(out, height, width, self.plan.edges);
                }
            }
            Op::AttendBack {
                qkv,
                gradient,
                to,
                points,
                channels,
                heads,
                scratch,
            } => {
                let depth = channels / heads;
                let len = super::slopes::scratch(*points, depth).next_multiple_of(LANES);
                // SAFETY: this head's channels and scratch are this task's alone.
                unsafe {
                    (self.plan.kernels.attend_back)(&HeadBack {
                        qkv: place(*qkv),
                        gradient: place(*gradient),
                        output: place(*to),
                        points: *points,
                        channels: *channels,
                        depth,
                        head: task,
                        scratch: place(scratch + task * len),
                    });
                }
            }
            Op::Head { .. } => self.head(op, image),
            _ => {}
        }
    }

    /// Mean over points, hidden layer, logit, and back to the gradient of each point's channels.
    fn head(&self, op: &Op, image: usize) {
        let Op::Head {
            from,
            hidden,
            weights: [by_input, by_hidden, bias, logit_weight, logit_bias],
            scratch,
            logit,
        } = op
        else {
            return;
        };
        let (inputs, hidden, points) = (from.channels, *hidden, from.height * from.width);
        let wide = inputs.max(hidden).next_multiple_of(LANES);
        // SAFETY: constants and scratch as the plan lays them out; the scratch is this task's alone.
        let [by_input, by_hidden, bias, w] = [
            (by_input, hidden * inputs),
            (by_hidden, hidden * inputs),
            (bias, hidden),
            (logit_weight, hidden),
        ]
        .map(|(at, n)| unsafe { std::slice::from_raw_parts(self.constant(*at), n) });
        let [means, z, slopes] = [0, 1, 2].map(|i| unsafe {
            std::slice::from_raw_parts_mut(self.place(image, scratch + i * wide), wide)
        });
        let n = points as f32;
        for (group, means) in means
            .chunks_exact_mut(LANES)
            .enumerate()
            .take(from.groups())
        {
            let mut sums = [0.0f32; LANES];
            for point in 0..points {
                // SAFETY: a point of the activated tensor.
                let at = unsafe {
                    let at = self.place(image, from.at + group * from.plane() + point * LANES);
                    std::slice::from_raw_parts(at, LANES)
                };
                for (sum, v) in sums.iter_mut().zip(at) {
                    *sum += v;
                }
            }
            for (mean, sum) in means.iter_mut().zip(sums) {
                *mean = sum / n;
            }
        }
        z[..hidden].copy_from_slice(bias);
        for (row, mean) in by_input.chunks_exact(hidden).zip(means.iter()) {
            for (z, w) in z.iter_mut().zip(row) {
                *z += w * mean;
            }
        }
        // SAFETY: one constant.
        let mut out = unsafe { *self.constant(*logit_bias) };
        for ((z, slope), w) in z.iter().zip(slopes.iter_mut()).zip(w) {
            let s = 1.0 / (1.0 + (-z).exp());
            out += w * z * s;
            *slope = w * s * (1.0 + z * (1.0 - s));
        }
        means.fill(0.0);
        for (row, slope) in by_hidden.chunks_exact(inputs).zip(slopes.iter()) {
            for (mean, w) in means.iter_mut().zip(row) {
                *mean += w * slope / n;
            }
        }
        // SAFETY: this image's logit.
        unsafe { *self.place(image, *logit) = out };
    }
}
