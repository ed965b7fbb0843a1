//! Editing a field by hand: pure functions from a field to a field.
//!
//! Places are in cells: the centre of column `i`, row `j` is `[i, j]`. Columns go round; rows do so in the periodic box, and
//! end at the poles on the globe.

use std::f32::consts::PI;

/// The sheet that a field is drawn on; values are row-major, `values[j * nx + i]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sheet {
    /// Columns.
    pub nx: usize,
    /// Rows.
    pub ny: usize,
    /// Whether rows go round, too.
    pub wrap_y: bool,
}

/// A round brush.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Brush {
    /// Radius, cells.
    pub radius: f32,
    /// Share of the radius within which it acts in full, 0..=1; from there it fades to nothing at its rim.
    pub hardness: f32,
}

/// What erasing leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Towards {
    /// Nothing: 0.
    Zero,
    /// The mean of the whole field.
    Mean,
    /// The mean of what lies around the stroke.
    #[default]
    Around,
}

/// A disc cut out of a field.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    half: usize,
    values: Vec<f32>,
}

impl Brush {
    /// Weight at a distance from the middle, 0..=1.
    pub fn weight(&self, distance: f32) -> f32 {
        let inner = self.hardness.clamp(0.0, 1.0) * self.radius;
        if distance <= inner {
            1.0
        } else if distance >= self.radius {
            0.0
        } else {
            0.5 + 0.5 * (PI * (distance - inner) / (self.radius - inner)).cos()
        }
    }
}

impl Sheet {
    /// Cells.
    pub fn len(&self) -> usize {
        self.nx * self.ny
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// From `a` to `b`, the short way round.
    pub fn between(&self, a: [f32; 2], b: [f32; 2]) -> [f32; 2] {
        let short = |d: f32, n: usize| d - n as f32 * (d / n as f32).round();
        let dy = b[1] - a[1];
        [
            short(b[0] - a[0], self.nx),
            if self.wrap_y { short(dy, self.ny) } else { dy },
        ]
    }

    fn at(&self, values: &[f32], i: i64, j: i64) -> f32 {
        let i = i.rem_euclid(self.nx as i64) as usize;
        let j = match self.wrap_y {
            true => j.rem_euclid(self.ny as i64),
            false => j.clamp(0, self.ny as i64 - 1),
        } as usize;
        values.get(j * self.nx + i).copied().unwrap_or(0.0)
    }

    /// Value at a place, bilinear between cell centres: exact at them.
    pub fn sample(&self, values: &[f32], place: [f32; 2]) -> f32 {
        let [i, j] = place.map(f32::floor);
        let (f, g) = (place[0] - i, place[1] - j);
        let (i, j) = (i as i64, j as i64);
        let mix = |a: f32, b: f32, t: f32| if t == 0.0 { a } else { a * (1.0 - t) + b * t };
        let lower = mix(self.at(values, i, j), self.at(values, i + 1, j), f);
        let upper = mix(self.at(values, i, j + 1), self.at(values, i + 1, j + 1), f);
        mix(lower, upper, g)
    }

    fn cell(&self, index: usize) -> [f32; 2] {
        [(index % self.nx) as f32, (index / self.nx) as f32]
    }

    /// How much a stroke of a brush through these places acts on each cell: the most of any place, so that it does not
    /// matter how many lie close together.
    pub fn mask(&self, brush: Brush, places: &[[f32; 2]]) -> Vec<f32> {
        (0..self.len())
            .map(|index| {
                let cell = self.cell(index);
                let weights = places.iter().map(|p| {
                    let [x, y] = self.between(*p, cell);
                    brush.weight(x.hypot(y))
                });
                weights.fold(0.0, f32::max)
            })
            .collect()
    }

    /// Mean of the cells just beyond a stroke; of the whole field where there is nothing beyond it.
    pub fn around(&self, values: &[f32], brush: Brush, places: &[[f32; 2]]) -> f32 {
        let inside = self.mask(
            Brush {
                hardness: 1.0,
                ..brush
            },
            places,
        );
        let wider = Brush {
            radius: brush.radius * 1.5 + 1.0,
            hardness: 1.0,
        };
        let outside = self.mask(wider, places);
        let ring = inside.iter().zip(&outside).zip(values);
        let (sum, count) = ring
            .filter(|((i, o), _)| **i == 0.0 && **o > 0.0)
            .fold((0.0, 0usize), |(s, n), (_, v)| (s + f64::from(*v), n + 1));
        match count {
            0 => mean(values),
            n => (sum / n as f64) as f32,
        }
    }

    /// Fades a stroke to nothing.
    pub fn erase(
        &self,
        values: &[f32],
        brush: Brush,
        places: &[[f32; 2]],
        towards: Towards,
    ) -> Vec<f32> {
        let goal = match towards {
            Towards::Zero => 0.0,
            Towards::Mean => mean(values),
            Towards::Around => self.around(values, brush, places),
        };
        self.paint(values, brush, places, goal)
    }

    /// Brings a stroke to a value.
    pub fn paint(&self, values: &[f32], brush: Brush, places: &[[f32; 2]], value: f32) -> Vec<f32> {
        blend(values, &self.mask(brush, places), |_| value)
    }

    /// Turns what lies under the brush about its middle, anticlockwise (with row 0 at the bottom).
    pub fn rotate(&self, values: &[f32], brush: Brush, middle: [f32; 2], degrees: f32) -> Vec<f32> {
        let (sin, cos) = (-degrees).to_radians().sin_cos();
        self.within(values, brush, middle, |[x, y]| {
            [x * cos - y * sin, x * sin + y * cos]
        })
    }

    /// Mirrors what lies under the brush, left to right about its middle.
    pub fn mirror(&self, values: &[f32], brush: Brush, middle: [f32; 2]) -> Vec<f32> {
        self.within(values, brush, middle, |[x, y]| [-x, y])
    }

    /// The values under the brush with the other sign.
    pub fn negate(&self, values: &[f32], brush: Brush, middle: [f32; 2]) -> Vec<f32> {
        let mask = self.mask(brush, &[middle]);
        blend(values, &mask, |i| -values.get(i).copied().unwrap_or(0.0))
    }

    /// Replaces what lies under the brush by what lies at another offset from its middle.
    fn within(
        &self,
        values: &[f32],
        brush: Brush,
        middle: [f32; 2],
        from: impl Fn([f32; 2]) -> [f32; 2],
    ) -> Vec<f32> {
        let mask = self.mask(brush, &[middle]);
        blend(values, &mask, |index| {
            let [x, y] = from(self.between(middle, self.cell(index)));
            self.sample(values, [middle[0] + x, middle[1] + y])
        })
    }

    /// Moves what lies under the brush elsewhere; what it leaves is the mean of what lay around it.
    pub fn carry(&self, values: &[f32], brush: Brush, from: [f32; 2], to: [f32; 2]) -> Vec<f32> {
        let by = self.between(from, to);
        if by == [0.0; 2] {
            return values.to_vec();
        }
        let left = self.erase(values, brush, &[from], Towards::Around);
        blend(&left, &self.mask(brush, &[to]), |index| {
            let [x, y] = self.between(to, self.cell(index));
            self.sample(values, [from[0] + x, from[1] + y])
        })
    }

    /// Copies a disc.
    pub fn copy(&self, values: &[f32], middle: [f32; 2], radius: f32) -> Clip {
        let half = radius.max(0.0).ceil() as usize + 1;
        let side = 2 * half + 1;
        let value = |k: usize| {
            let offset = |n: usize| n as f32 - half as f32;
            let (x, y) = (offset(k % side), offset(k / side));
            self.sample(values, [middle[0] + x, middle[1] + y])
        };
        Clip {
            half,
            values: (0..side * side).map(value).collect(),
        }
    }

    /// Puts a copied disc down; the brush says how its rim fades.
    pub fn paste(&self, values: &[f32], clip: &Clip, brush: Brush, middle: [f32; 2]) -> Vec<f32> {
        let side = 2 * clip.half + 1;
        let flat = Sheet {
            nx: side,
            ny: side,
            wrap_y: false,
        };
        let brush = Brush {
            radius: brush.radius.min(clip.half as f32),
            ..brush
        };
        blend(values, &self.mask(brush, &[middle]), |index| {
            let [x, y] = self.between(middle, self.cell(index));
            flat.sample(&clip.values, [clip.half as f32 + x, clip.half as f32 + y])
        })
    }

    /// The whole field mirrored, left to right.
    pub fn mirror_all(&self, values: &[f32]) -> Vec<f32> {
        let rows = values.chunks_exact(self.nx.max(1));
        rows.flat_map(|row| row.iter().rev().copied()).collect()
    }
}

fn mean(values: &[f32]) -> f32 {
    let sum: f64 = values.iter().map(|v| f64::from(*v)).sum();
    (sum / values.len().max(1) as f64) as f32
}

/// `v + w (goal - v)`; cells with weight 0 and 1 are exact.
fn blend(values: &[f32], mask: &[f32], goal: impl Fn(usize) -> f32) -> Vec<f32> {
    let cells = values.iter().zip(mask).enumerate();
    cells
        .map(|(i, (v, w))| match *w {
            0.0 => *v,
            1.0 => goal(i),
            w => v + w * (goal(i) - v),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{NoiseKey, Stream};

    const BOX: Sheet = Sheet {
        nx: 24,
        ny: 24,
        wrap_y: true,
    };
    const GLOBE: Sheet = Sheet {
        nx: 32,
        ny: 16,
        wrap_y: false,
    };
    const HARD: Brush = Brush {
        radius: 6.0,
        hardness: 1.0,
    };
    const SOFT: Brush = Brush {
        radius: 6.0,
        hardness: 0.3,
    };

    fn noise(sheet: &Sheet, frame: u32) -> Vec<f32> {
        let key = NoiseKey {
            seed: 5,
            stream: Stream::Test,
            member: 0,
            frame,
            step: 0,
        };
        key.normal_f32(sheet.len())
    }

    fn worst(a: &[f32], b: &[f32]) -> f32 {
        a.iter()
            .zip(b)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max)
    }

    #[test]
    fn a_whole_turn_and_two_mirrors_change_nothing() {
        for (sheet, middle) in [
            (BOX, [1.0, 22.0]),
            (BOX, [11.0, 12.0]),
            (GLOBE, [31.0, 8.0]),
        ] {
            let x = noise(&sheet, 1);
            for brush in [HARD, SOFT] {
                assert!(worst(&sheet.rotate(&x, brush, middle, 360.0), &x) < 1e-4);
                assert_eq!(sheet.rotate(&x, brush, middle, 0.0), x);
            }
            // Quarter turns put cells on cells.
            let mut turned = x.clone();
            for _ in 0..4 {
                turned = sheet.rotate(&turned, HARD, middle, 90.0);
            }
            assert!(worst(&turned, &x) < 1e-4);
            assert!(worst(&sheet.rotate(&x, HARD, middle, 90.0), &x) > 0.5);
            let once = sheet.mirror(&x, HARD, middle);
            assert_ne!(once, x);
            assert_eq!(sheet.mirror(&once, HARD, middle), x);
            assert_eq!(sheet.mirror_all(&sheet.mirror_all(&x)), x);
            assert_eq!(
                sheet.negate(&sheet.negate(&x, HARD, middle), HARD, middle),
                x
            );
        }
    }

    #[test]
    fn a_turn_is_anticlockwise() {
        let mut x = vec![0.0; BOX.len()];
        x[12 * 24 + 16] = 1.0;
        let turned = BOX.rotate(&x, HARD, [12.0, 12.0], 90.0);
        assert!((turned[16 * 24 + 12] - 1.0).abs() < 1e-4, "right became up");
    }

    #[test]
    fn strokes_go_round_the_edge_where_the_sheet_does() {
        let mask = BOX.mask(HARD, &[[0.0, 0.0]]);
        assert_eq!(
            (mask[23], mask[23 * 24], mask[23 * 24 + 23]),
            (1.0, 1.0, 1.0)
        );
        let mask = GLOBE.mask(HARD, &[[0.0, 0.0]]);
        assert_eq!((mask[31], mask[15 * 32]), (1.0, 0.0), "not across the pole");
        // The same stroke elsewhere, moved with the field, gives the same result moved.
        let x = noise(&BOX, 2);
        let shifted: Vec<f32> = (0..BOX.len())
            .map(|i| x[((i / 24 + 24 - 7) % 24) * 24 + (i % 24 + 24 - 9) % 24])
            .collect();
        let a = BOX.erase(&x, SOFT, &[[2.0, 20.0]], Towards::Around);
        let b = BOX.erase(&shifted, SOFT, &[[11.0, 3.0]], Towards::Around);
        let back: Vec<f32> = (0..BOX.len())
            .map(|i| b[((i / 24 + 7) % 24) * 24 + (i % 24 + 9) % 24])
            .collect();
        assert!(worst(&a, &back) < 1e-5);
    }

    #[test]
    fn erasing_and_painting_act_under_the_brush_alone() {
        let x = noise(&BOX, 3);
        let places = [[5.0, 5.0], [9.0, 5.0]];
        for towards in [Towards::Zero, Towards::Mean, Towards::Around] {
            let y = BOX.erase(&x, HARD, &places, towards);
            let again = BOX.erase(&y, HARD, &places, towards);
            let change = worst(&y, &again);
            assert!(change < 0.2, "{towards:?} {change}");
            let mask = BOX.mask(HARD, &places);
            let same = |i: usize| x[i] == y[i];
            assert!((0..x.len()).all(|i| (mask[i] == 0.0) == same(i)));
        }
        // How densely a stroke is sampled does not matter, nor what was under it with a hard brush.
        let dense: Vec<[f32; 2]> = places.iter().chain(&places).copied().collect();
        assert_eq!(
            BOX.paint(&x, SOFT, &places, 3.0),
            BOX.paint(&x, SOFT, &dense, 3.0)
        );
        assert_eq!(BOX.paint(&x, HARD, &places, 3.0)[5 * 24 + 5], 3.0);
        assert!(
            BOX.paint(&x, SOFT, &places, 3.0)
                .iter()
                .all(|v| v.abs() < 5.0)
        );
    }

    #[test]
    fn what_is_copied_or_carried_arrives() {
        for sheet in [BOX, GLOBE] {
            let x = noise(&sheet, 4);
            let (from, to) = ([2.0, 7.0], [sheet.nx as f32 - 2.0, 9.0]);
            let clip = sheet.copy(&x, from, 6.0);
            // Back where it came from: nothing changes.
            assert!(worst(&sheet.paste(&x, &clip, HARD, from), &x) < 1e-6);
            let pasted = sheet.paste(&x, &clip, HARD, to);
            let carried = sheet.carry(&x, HARD, from, to);
            let (old, new) = (7 * sheet.nx + 2, 9 * sheet.nx + sheet.nx - 2);
            assert_eq!((pasted[new], carried[new]), (x[old], x[old]));
            assert_eq!(sheet.carry(&x, SOFT, from, from), x);
        }
    }
}
