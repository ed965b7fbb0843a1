//! The symmetries of the torus, and crops. Each acts on all frames of a sample alike.

/// A shift, quarter turns and a mirror image. The Navier-Stokes equations with isotropic forcing do not notice any of
/// them; the mirror image changes the sign of the vorticity, which is a pseudoscalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Symmetry {
    /// Shift in rows and columns.
    pub roll: (usize, usize),
    /// Number of quarter turns, 0..=3; on grids that are not square only 0 and 2.
    pub quarter_turns: u8,
    /// Mirror along x and change the sign.
    pub mirror: bool,
}

impl Symmetry {
    /// From four numbers in (0, 1).
    pub fn from_uniform(u: [f64; 4], ny: usize, nx: usize) -> Self {
        let below = |u: f64, n: usize| ((u * n as f64) as usize).min(n.saturating_sub(1));
        let turns = if ny == nx {
            below(u[2], 4)
        } else {
            2 * below(u[2], 2)
        };
        Self {
            roll: (below(u[0], ny), below(u[1], nx)),
            quarter_turns: turns as u8,
            mirror: u[3] < 0.5,
        }
    }

    /// Applies it to one frame `[ny][nx]`, adding the result to the end of `out`.
    pub fn append(&self, frame: &[f32], ny: usize, nx: usize, out: &mut Vec<f32>) {
        let sign = if self.mirror { -1.0 } else { 1.0 };
        for y in 0..ny {
            for x in 0..nx {
                let x = if self.mirror { nx - 1 - x } else { x };
                let (mut sy, mut sx) = match self.quarter_turns {
                    1 => (x, nx - 1 - y),
                    2 => (ny - 1 - y, nx - 1 - x),
                    3 => (ny - 1 - x, y),
                    _ => (y, x),
                };
                sy = (sy + self.roll.0) % ny;
                sx = (sx + self.roll.1) % nx;
                out.push(sign * frame[sy * nx + sx]);
            }
        }
    }
}

/// Cuts a square window of `size` cells out of a periodic frame, its corner at `(y0, x0)`, adding it to the end of `out`.
pub fn append_crop(
    frame: &[f32],
    (ny, nx): (usize, usize),
    size: usize,
    (y0, x0): (usize, usize),
    out: &mut Vec<f32>,
) {
    for y in 0..size {
        let row = (y0 + y) % ny * nx;
        out.extend((0..size).map(|x| frame[row + (x0 + x) % nx]));
    }
}
