//! From the rows of a tensor into the groups of a plan, and back.

use super::plan::State;
use super::run::{Output, Pass};
use super::simd::LANES;

impl Pass<'_> {
    /// Folds the input into channels and puts the rim around it.
    pub(super) fn load(
        &self,
        to: *mut f32,
        channels: usize,
        [height, width]: [usize; 2],
        image: usize,
    ) {
        let p = self.plan.patch;
        let [ny, nx] = self.plan.field;
        let cells = ny * nx;
        let pitch = (width + 2) * LANES;
        let plane = (height + 2) * pitch;
        // The channel of the input and where in the square.
        let mut channel = 0;
        for input in self.inputs {
            let row = (self.first + image) * input.channels;
            for own in 0..input.channels {
                let field = &input.values[(row + own) * cells..][..cells];
                for square in 0..p * p {
                    let (dy, dx) = (square / p, square % p);
                    // SAFETY: channel `channel` of the rimmed tensor; this task's alone.
                    unsafe {
                        let group = to.add(channel / LANES * plane + channel % LANES);
                        for y in 0..height {
                            let line = &field[(y * p + dy) * nx..][..nx];
                            let out = group.add((y + 1) * pitch + LANES);
                            for x in 0..width {
                                *out.add(x * LANES) = line[x * p + dx] * input.scale;
                            }
                        }
                    }
                    channel += 1;
                }
            }
        }
        for group in 0..channels.div_ceil(LANES) {
            // SAFETY: in place over this image's own input: every pixel is written where it was read.
            unsafe {
                let whole = to.add(group * plane);
                super::norm::rim(whole, height, width, self.plan.edges);
            }
        }
    }

    /// Unfolds the output.
    pub(super) fn store(&self, from: &State, image: usize) {
        let p = self.plan.patch;
        let [ny, nx] = self.plan.field;
        let cells = ny * nx;
        let number = self.first + image;
        for channel in 0..self.plan.out_channels {
            let Output { keep, scale } = self.finish[channel.min(self.finish.len() - 1)];
            let start = (number * self.plan.out_channels + channel) * cells;
            // SAFETY: this image's part of the output, which is this task's alone.
            let out = unsafe { std::slice::from_raw_parts_mut(self.output.at(start), cells) };
            for square in 0..p * p {
                let c = channel * p * p + square;
                let (dy, dx) = (square / p, square % p);
                let group = self.place(image, from.at + c / LANES * from.plane() + c % LANES);
                for y in 0..from.height {
                    let line = &mut out[(y * p + dy) * nx..][..nx];
                    for x in 0..from.width {
                        // SAFETY: a pixel of the network's output.
                        let v = unsafe { *group.add((y * from.width + x) * LANES) };
                        line[x * p + dx] = v * scale;
                    }
                }
            }
            if keep != 0.0 {
                let first = &self.inputs[0];
                let x = &first.values[number * first.channels * cells..][..cells];
                for (slot, x) in out.iter_mut().zip(x) {
                    *slot += keep * x;
                }
            }
        }
    }
}
