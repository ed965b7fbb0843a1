//! From the rows of a tensor into the groups of a plan, and back.

use super::plan::State;
use super::run::{Output, Pass};
use super::simd::LANES;

impl Pass<'_> {
    /// Folds rows `first..end` of the input into channels and puts the rim beside them: row after row, so that the pixels
    /// that each channel is put into are in the nearest cache.
    pub(super) fn load(
        &self,
        to: *mut f32,
        [height, width]: [usize; 2],
        (first, end): (usize, usize),
        image: usize,
    ) {
        let p = self.plan.patch;
        let [ny, nx] = self.plan.field;
        let cells = ny * nx;
        let pitch = (width + 2) * LANES;
        let plane = (height + 2) * pitch;
        for y in first..end {
            let row = (y + 1) * pitch + LANES;
            let mut channel = 0;
            for input in self.inputs {
                let fields = (self.first + image) * input.channels * cells;
                for field in input.values[fields..]
                    .chunks_exact(cells)
                    .take(input.channels)
                {
                    for dy in 0..p {
                        let line = &field[(y * p + dy) * nx..][..width * p];
                        for dx in 0..p {
                            // SAFETY: channel `channel` of this row of the rimmed tensor, this task's alone; `line` has
                            // `p` values for each of its pixels.
                            unsafe {
                                let out = to.add(channel / LANES * plane + row + channel % LANES);
                                let from = line.as_ptr().add(dx);
                                for x in 0..width {
                                    *out.add(x * LANES) = *from.add(x * p) * input.scale;
                                }
                            }
                            channel += 1;
                        }
                    }
                }
            }
            for group in 0..channel.div_ceil(LANES) {
                // SAFETY: beside this row, and beyond the field where this row lies at its edge; this task's alone.
                unsafe {
                    let whole = to.add(group * plane);
                    super::norm::columns(whole.add(row), width, self.plan.edges[1]);
                    super::norm::beyond(whole, [height, width], y, self.plan.edges);
                }
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
