//! Images `[channel][y][x]` into groups of 16 channels and back.

use super::simd::LANES;

/// Which rows and columns of an image are taken, in which order; zeros for `None`.
pub(super) struct Seen {
    /// Rows and columns of the image.
    pub field: [usize; 2],
    pub lines: Vec<Option<usize>>,
    pub columns: Vec<Option<usize>>,
}

impl Seen {
    /// Floats from one row to the next, and from one group of channels to the next.
    pub fn pitch(&self) -> usize {
        self.columns.len() * LANES
    }

    pub fn plane(&self) -> usize {
        self.lines.len() * self.pitch()
    }

    /// An image `[channel][y][x]` as `[group][y][x][16]`.
    pub fn grouped(&self, image: &[f32], channels: usize) -> Vec<f32> {
        let [h, w] = self.field;
        let mut out = vec![0.0f32; channels.div_ceil(LANES) * self.plane()];
        let runs = self.runs();
        let groups = image.chunks(LANES * h * w);
        for (group, out) in groups.zip(out.chunks_exact_mut(self.plane())) {
            for (line, out) in self.lines.iter().zip(out.chunks_exact_mut(self.pitch())) {
                let Some(line) = line else { continue };
                for &(to, from, length) in &runs {
                    let pixels = &mut out[to * LANES..][..length * LANES];
                    for (four, fields) in group.chunks(FOUR * h * w).enumerate() {
                        let row = |i: usize| {
                            let field = fields.get(i * h * w..)?;
                            field.get(line * w + from..)?.get(..length)
                        };
                        if let [Some(a), Some(b), Some(c), Some(d)] = [0, 1, 2, 3].map(row) {
                            weave([a, b, c, d], pixels, four * FOUR);
                            continue;
                        }
                        for (i, row) in (0..FOUR).map_while(|i| Some((i, row(i)?))) {
                            for (pixel, &v) in pixels.chunks_exact_mut(LANES).zip(row) {
                                pixel[four * FOUR + i] = v;
                            }
                        }
                    }
                }
            }
        }
        out
    }

    /// Columns that follow each other in both: first here, first in the image, how many.
    fn runs(&self) -> Vec<(usize, usize, usize)> {
        let mut runs: Vec<(usize, usize, usize)> = Vec::new();
        for (to, from) in self.columns.iter().enumerate() {
            let Some(from) = *from else { continue };
            match runs.last_mut() {
                Some((t, f, n)) if *t + *n == to && *f + *n == from => *n += 1,
                _ => runs.push((to, from, 1)),
            }
        }
        runs
    }
}

/// Channels and pixels that change places together: as many as every processor has in a register.
const FOUR: usize = 4;

/// Four rows of as many channels into pixels of 16, from channel `first` on.
fn weave(rows: [&[f32]; FOUR], pixels: &mut [f32], first: usize) {
    let [a, b, c, d] = rows.map(|r| r.as_chunks::<FOUR>());
    let mut squares = pixels.chunks_exact_mut(FOUR * LANES);
    for ((((a, b), c), d), square) in a.0.iter().zip(b.0).zip(c.0).zip(d.0).zip(&mut squares) {
        for i in 0..FOUR {
            let pixel = &mut square[i * LANES + first..][..FOUR];
            pixel.copy_from_slice(&[a[i], b[i], c[i], d[i]]);
        }
    }
    let rest = squares.into_remainder().chunks_exact_mut(LANES);
    for (i, pixel) in rest.enumerate() {
        pixel[first..][..FOUR].copy_from_slice(&[a.1[i], b.1[i], c.1[i], d.1[i]]);
    }
}

/// `[group][pixel][16]` to `[channel][pixel]`, as many channels as `out` has.
pub(super) fn apart(grouped: &[f32], plane: usize, out: &mut [f32]) {
    let groups = grouped.chunks_exact(plane * LANES);
    for (out, group) in out.chunks_mut(LANES * plane).zip(groups) {
        for (four, out) in out.chunks_mut(FOUR * plane).enumerate() {
            let first = four * FOUR;
            let (squares, rest) = group.as_chunks::<{ FOUR * LANES }>();
            if out.len() == FOUR * plane {
                let (a, rest_out) = out.split_at_mut(plane);
                let (b, rest_out) = rest_out.split_at_mut(plane);
                let (c, d) = rest_out.split_at_mut(plane);
                let rows = [a, b, c, d].map(|r| r.as_chunks_mut::<FOUR>());
                let [a, b, c, d] = rows;
                let to = a.0.iter_mut().zip(b.0).zip(c.0).zip(d.0);
                for ((((a, b), c), d), square) in to.zip(squares) {
                    for i in 0..FOUR {
                        let pixel = &square[i * LANES + first..][..FOUR];
                        (a[i], b[i], c[i], d[i]) = (pixel[0], pixel[1], pixel[2], pixel[3]);
                    }
                }
                for (i, pixel) in rest.chunks_exact(LANES).enumerate() {
                    let pixel = &pixel[first..][..FOUR];
                    (a.1[i], b.1[i], c.1[i], d.1[i]) = (pixel[0], pixel[1], pixel[2], pixel[3]);
                }
                continue;
            }
            for (i, out) in out.chunks_exact_mut(plane).enumerate() {
                for (slot, pixel) in out.iter_mut().zip(group.chunks_exact(LANES)) {
                    *slot = pixel[first + i];
                }
            }
        }
    }
}
