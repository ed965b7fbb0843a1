//! The picture of a field on the globe, made on the CPU: for files and for tests. The shader does the same.

use super::cpu::{color_of, sample};
use super::{GlobeView, Look, Projection};
use crate::field::Globe;

/// Where the rows and columns of a globe lie on the map of a projection: what the shader needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// Projection of the map.
    pub projection: Projection,
    /// Edges of the rows, `y` on the map (-1..=1), ascending; one more than rows.
    pub bounds: Vec<f32>,
    /// Middles of the rows, `y` on the map.
    pub middles: Vec<f32>,
    /// Western edge of column 0, degrees east.
    pub west: f32,
    /// Columns.
    pub nx: usize,
}

impl Rows {
    /// Those of a grid.
    pub fn of(globe: &Globe, projection: Projection) -> Self {
        let y = |lat: &f64| projection.forward(0.0, *lat).1 as f32;
        Self {
            projection,
            bounds: globe.lat_bounds.iter().map(y).collect(),
            middles: globe.lat.iter().map(y).collect(),
            west: (globe.lon0 - 0.5 * globe.dlon()) as f32,
            nx: globe.nx,
        }
    }

    /// Number of rows.
    pub fn ny(&self) -> usize {
        self.middles.len()
    }

    /// Place in cells (x eastwards, y northwards) of a longitude (degrees east) and a `y` on the map.
    pub fn place(&self, lon: f32, y: f32, smooth: bool) -> [f32; 2] {
        let turn = (lon - self.west) / 360.0;
        let x = (turn - turn.floor()) * self.nx as f32;
        let last = self.ny().saturating_sub(1);
        if !smooth {
            let row = self.bounds.partition_point(|b| *b <= y).saturating_sub(1);
            return [x, row.min(last) as f32 + 0.5];
        }
        let above = self.middles.partition_point(|m| *m <= y);
        let row = match (above.checked_sub(1), self.middles.get(above)) {
            (Some(below), Some(b)) => {
                let a = self.middles[below];
                below as f32 + (y - a) / (b - a)
            }
            (Some(_), None) => last as f32,
            (None, _) => 0.0,
        };
        [x, row + 0.5]
    }
}

/// Draws a field as `height` x `width` RGBA pixels, the first row on top; beside the globe they are transparent. The rows'
/// projection is the one that counts.
///
/// A field that does not fit the grid gives an all-grey globe.
pub fn rasterise(
    values: &[f32],
    rows: &Rows,
    view: &GlobeView,
    look: &Look,
    (width, height): (usize, usize),
) -> Vec<u8> {
    let (nx, ny) = (rows.nx, rows.ny());
    let whole = values.len() == nx * ny && nx > 0 && ny > 0;
    let (origin, span) = view.window();
    let mut pixels = Vec::with_capacity(width * height * 4);
    for row in 0..height {
        let v = 1.0 - (row as f64 + 0.5) / height as f64;
        for column in 0..width {
            let u = (column as f64 + 0.5) / width as f64;
            let (x, y) = (origin[0] + u * span[0], origin[1] + v * span[1]);
            let Some((lon, _)) = rows.projection.inverse(x, y) else {
                pixels.extend_from_slice(&[0; 4]);
                continue;
            };
            let value = if whole {
                let place = rows.place((view.lon + lon) as f32, y as f32, look.smooth);
                sample(values, nx, ny, place, look.smooth)
            } else {
                f32::NAN
            };
            let [r, g, b] = color_of(value, look);
            pixels.extend_from_slice(&[r, g, b, 255]);
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{ColorMap, ValueRange};

    #[test]
    fn a_cell_is_drawn_where_it_lies() {
        // Uneven rows, first column centred on Greenwich, as the shipped model has them.
        let lat: Vec<f64> = (0..24).map(|j| -87.0 + 174.0 * j as f64 / 23.0).collect();
        let globe = Globe::new(lat, 0.0, 48).unwrap();
        let look = Look::plain(ColorMap::Gray, ValueRange { lo: 0.0, hi: 1.0 }, false);
        for projection in Projection::ALL {
            let rows = Rows::of(&globe, projection);
            for (lon, lat) in [(12.5, 42.0), (-160.0, 2.5), (133.0, -24.0), (-70.0, 65.0)] {
                let mut values = vec![0.0; globe.len()];
                let (row, column) = (globe.row(lat), globe.column(lon));
                values[row * globe.nx + column] = 1.0;
                let view = GlobeView {
                    projection,
                    lon: 30.0,
                    ..GlobeView::default()
                };
                let (width, height) = (480, 240);
                let pixels = rasterise(&values, &rows, &view, &look, (width, height));
                // The middle of all bright pixels is the middle of the cell, and the place itself is bright.
                let at = |[u, v]: [f64; 2]| {
                    let x = (u * width as f64) as usize;
                    let y = ((1.0 - v) * height as f64) as usize;
                    pixels[(y.min(height - 1) * width + x.min(width - 1)) * 4]
                };
                assert!(at(view.place(lon, lat)) > 250, "{projection:?} {lon} {lat}");
                assert!(at(view.place(lon + 20.0, lat)) < 5);
                assert!(at(view.place(lon, lat - 20.0)) < 5);
                let bright = pixels.chunks_exact(4).filter(|p| p[0] > 250).count();
                assert!(bright > 4 && bright < 400, "{bright}");
            }
        }
    }

    #[test]
    fn beside_the_globe_is_nothing() {
        let globe = Globe::cell_centred(4, 8).unwrap();
        let look = Look::plain(ColorMap::Gray, ValueRange { lo: 0.0, hi: 1.0 }, true);
        let view = GlobeView {
            projection: Projection::EqualEarth,
            ..GlobeView::default()
        };
        let rows = Rows::of(&globe, Projection::EqualEarth);
        let pixels = rasterise(&[1.0; 32], &rows, &view, &look, (64, 32));
        assert_eq!(pixels[3], 0);
        assert_eq!(pixels[(16 * 64 + 32) * 4 + 3], 255);
        let wrong = rasterise(&[1.0; 3], &rows, &view, &look, (64, 32));
        assert_eq!(wrong[(16 * 64 + 32) * 4], 128);
    }
}
