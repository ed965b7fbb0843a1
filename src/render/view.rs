//! What part of a periodic field is seen, and how values become colours.

use serde::{Deserialize, Serialize};

use super::{ColorMap, Tone};

/// Values of the first and the last colour; the same for all lanes and all times.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ValueRange {
    /// Value of the first colour, physical units.
    pub lo: f32,
    /// Value of the last colour, physical units.
    pub hi: f32,
}

impl ValueRange {
    /// `-limit ..= limit`.
    pub fn symmetric(limit: f32) -> Self {
        Self {
            lo: -limit,
            hi: limit,
        }
    }

    /// A round symmetric range that holds about three standard deviations of the data (99.7 % of a normal field).
    pub fn for_std(std: f64) -> Self {
        let limit = 3.0 * std;
        if !limit.is_finite() || limit <= 0.0 {
            return Self::symmetric(1.0);
        }
        let decade = 10f64.powf(limit.log10().floor());
        let nice = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0]
            .into_iter()
            .map(|m| m * decade)
            .min_by(|a, b| (a - limit).abs().total_cmp(&(b - limit).abs()))
            .unwrap_or(limit);
        Self::symmetric(nice as f32)
    }

    /// `1 / (hi - lo)`; 0 for an empty range, which then shows the first colour everywhere.
    pub fn inverse_width(&self) -> f32 {
        let width = self.hi - self.lo;
        if width > 0.0 { 1.0 / width } else { 0.0 }
    }
}

/// How values become colours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Table of colours.
    pub map: ColorMap,
    /// Values of its ends.
    pub range: ValueRange,
    /// Bilinear between cell centres instead of the nearest cell.
    pub smooth: bool,
    /// How amounts of rain differ from that; `None`: equal steps of the value from the first colour to the last.
    pub rain: Option<RainLook>,
}

/// How amounts of rain become colours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RainLook {
    /// Scale.
    pub tone: Tone,
    /// Below this amount a cell is dry.
    pub dry_below: f32,
    /// Colour of dry cells, sRGB.
    pub dry: [u8; 3],
    /// The map's last colour is that of the smallest amount: for light surroundings.
    pub flip: bool,
}

impl Look {
    /// Equal steps of the value.
    pub fn plain(map: ColorMap, range: ValueRange, smooth: bool) -> Self {
        Self {
            map,
            range,
            smooth,
            rain: None,
        }
    }

    /// Place of a value on the colour bar, 0..=1.
    pub fn place(&self, value: f32) -> f32 {
        match &self.rain {
            Some(rain) => rain.tone.place(value),
            None => ((value - self.range.lo) * self.range.inverse_width()).clamp(0.0, 1.0),
        }
    }

    /// Colour of a place on the colour bar.
    pub fn color_at(&self, place: f32) -> [u8; 3] {
        let flip = self.rain.is_some_and(|r| r.flip);
        let t = if flip { 1.0 - place } else { place };
        self.map.entry((t * 255.0 + 0.5).floor() as u8)
    }
}

/// The window through which a periodic field is seen. Zoom 1 shows one period; panning has no end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// Centre of what is seen, as a fraction of the box (x to the right, y upwards).
    pub centre: [f32; 2],
    /// Magnification, 1..=[`View::MAX_ZOOM`].
    pub zoom: f32,
}

impl Default for View {
    fn default() -> Self {
        Self {
            centre: [0.5, 0.5],
            zoom: 1.0,
        }
    }
}

impl View {
    /// Largest magnification.
    pub const MAX_ZOOM: f32 = 16.0;

    /// Whether this is the whole box, not shifted.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Lower left corner and extent, in cells of a grid of `nx` columns and `ny` rows.
    pub fn window(&self, nx: usize, ny: usize) -> ([f32; 2], [f32; 2]) {
        let span = [nx as f32 / self.zoom, ny as f32 / self.zoom];
        let origin = [
            self.centre[0] * nx as f32 - span[0] / 2.0,
            self.centre[1] * ny as f32 - span[1] / 2.0,
        ];
        (origin, span)
    }

    /// The cell `(column, row)` under a point of the picture, `u` to the right and `v` upwards in 0..1.
    pub fn cell(&self, u: f32, v: f32, nx: usize, ny: usize) -> (usize, usize) {
        let (origin, span) = self.window(nx, ny);
        let index =
            |place: f32, n: usize| (place.floor() as i64).rem_euclid(n.max(1) as i64) as usize;
        (
            index(origin[0] + u * span[0], nx),
            index(origin[1] + v * span[1], ny),
        )
    }

    /// The point of the picture (as in [`Self::cell`]) where the centre of a cell is seen, if it is.
    pub fn place_of(&self, column: usize, row: usize, nx: usize, ny: usize) -> Option<(f32, f32)> {
        let (origin, span) = self.window(nx, ny);
        let along = |cell: usize, origin: f32, span: f32, n: usize| {
            let offset = (cell as f32 + 0.5 - origin).rem_euclid(n as f32);
            (offset < span).then_some(offset / span)
        };
        Some((
            along(column, origin[0], span[0], nx)?,
            along(row, origin[1], span[1], ny)?,
        ))
    }

    /// Magnifies by `factor` so that the point `(u, v)` of the picture stays where it is.
    pub fn zoom_at(&mut self, factor: f32, u: f32, v: f32) {
        let zoom = (self.zoom * factor).clamp(1.0, Self::MAX_ZOOM);
        let shift = 1.0 / self.zoom - 1.0 / zoom;
        self.centre[0] += (u - 0.5) * shift;
        self.centre[1] += (v - 0.5) * shift;
        self.zoom = zoom;
        self.wrap();
    }

    /// Moves the field by a fraction of the picture (x to the right, y upwards).
    pub fn pan(&mut self, du: f32, dv: f32) {
        self.centre[0] -= du / self.zoom;
        self.centre[1] -= dv / self.zoom;
        self.wrap();
    }

    fn wrap(&mut self) {
        for c in &mut self.centre {
            *c = c.rem_euclid(1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_is_round_and_holds_three_sigma() {
        assert_eq!(ValueRange::for_std(3.35), ValueRange::symmetric(10.0));
        assert_eq!(ValueRange::for_std(0.5), ValueRange::symmetric(1.5));
        assert_eq!(ValueRange::for_std(f64::NAN), ValueRange::symmetric(1.0));
        assert_eq!(ValueRange { lo: 1.0, hi: 1.0 }.inverse_width(), 0.0);
    }

    #[test]
    fn cell_under_a_point_and_back() {
        let mut view = View::default();
        assert_eq!(view.cell(0.0, 0.0, 8, 4), (0, 0));
        assert_eq!(view.cell(0.99, 0.99, 8, 4), (7, 3));
        view.pan(0.25, 0.0);
        assert_eq!(view.cell(0.0, 0.0, 8, 4), (6, 0));
        view.zoom_at(2.0, 0.3, 0.7);
        for (column, row) in [(0, 0), (7, 3), (3, 1)] {
            if let Some((u, v)) = view.place_of(column, row, 8, 4) {
                assert_eq!(view.cell(u, v, 8, 4), (column, row));
            }
        }
    }

    #[test]
    fn zoom_keeps_the_point_under_the_pointer() {
        let mut view = View::default();
        let before = view.cell(0.8, 0.2, 1000, 1000);
        view.zoom_at(3.0, 0.8, 0.2);
        let after = view.cell(0.8, 0.2, 1000, 1000);
        assert!(before.0.abs_diff(after.0) <= 1 && before.1.abs_diff(after.1) <= 1);
        view.zoom_at(1e9, 0.5, 0.5);
        assert_eq!(view.zoom, View::MAX_ZOOM);
    }
}
