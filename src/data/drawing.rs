//! A drawing as a field: a picture of any size, resampled to a grid, its brightness mapped to values.

use std::path::Path;

use image::{ImageReader, Limits};

use crate::error::{Result, UserError};

/// Longest side of a picture that is read, pixels.
const LONGEST: u32 = 16_384;

/// Brightness of a picture, top row first.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    width: usize,
    height: usize,
    /// Columns and rows of the picture that was read.
    read_as: (usize, usize),
    /// 0 (black) to 1 (white), row-major.
    brightness: Vec<f32>,
}

/// How brightness becomes values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mapping {
    /// Mean 0 and this standard deviation.
    Spread {
        /// Standard deviation, physical units.
        std: f32,
    },
    /// The darkest and the brightest possible become these values.
    Range {
        /// Value of the low end.
        lo: f32,
        /// Value of the high end.
        hi: f32,
    },
}

impl Drawing {
    /// Reads a picture. Transparent parts are paper: white.
    ///
    /// # Errors
    /// A file that cannot be read, or is no picture.
    pub fn read(path: &Path) -> Result<Self> {
        let fail = |cause: &dyn std::fmt::Display| {
            UserError::new(
                format!("Cannot read the drawing {}", path.display()),
                cause,
                "use a PNG file",
            )
        };
        let mut limits = Limits::default();
        limits.max_image_width = Some(LONGEST);
        limits.max_image_height = Some(LONGEST);
        let mut reader = ImageReader::open(path)
            .and_then(ImageReader::with_guessed_format)
            .map_err(|e| fail(&e))?;
        reader.limits(limits);
        let picture = reader.decode().map_err(|e| fail(&e))?.into_luma_alpha8();
        let brightness = picture.pixels().map(|p| {
            let [l, a] = p.0.map(|v| f32::from(v) / 255.0);
            l * a + (1.0 - a)
        });
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        Ok(Self {
            width,
            height,
            read_as: (width, height),
            brightness: brightness.collect(),
        })
    }

    /// Brightness from rows of pixels, top row first; `None` where their number does not fit.
    pub fn new(width: usize, height: usize, brightness: Vec<f32>) -> Option<Self> {
        (width > 0 && height > 0 && brightness.len() == width * height).then_some(Self {
            width,
            height,
            read_as: (width, height),
            brightness,
        })
    }

    /// Columns and rows of the picture.
    pub fn size(&self) -> (usize, usize) {
        self.read_as
    }

    /// Mean brightness of each cell of a grid, bottom row first: each pixel counts by the share of it that lies in the cell.
    pub fn resampled(&self, nx: usize, ny: usize) -> Vec<f32> {
        let across = shares(self.width, nx);
        let down = shares(self.height, ny);
        let mut out = vec![0.0; nx * ny];
        for (row, rows) in down.iter().enumerate() {
            // The top of a picture is the last row of a field.
            let line = &mut out[(ny - 1 - row) * nx..(ny - row) * nx];
            for (column, value) in line.iter_mut().enumerate() {
                let mut sum = 0.0;
                for (j, wy) in rows {
                    for (i, wx) in &across[column] {
                        sum += wx * wy * self.brightness[j * self.width + i];
                    }
                }
                // Shares add up to 1 but for rounding.
                *value = sum.clamp(0.0, 1.0);
            }
        }
        out
    }

    /// The drawing with one pixel a cell: its values on that grid are the same.
    pub fn on_grid(&self, nx: usize, ny: usize) -> Self {
        let rows = self.resampled(nx, ny);
        let brightness = match nx {
            0 => Vec::new(),
            // The top of a picture is the last row of a field.
            _ => rows.chunks_exact(nx).rev().flatten().copied().collect(),
        };
        Self {
            width: nx,
            height: ny,
            read_as: self.read_as,
            brightness,
        }
    }

    /// The drawing on a grid as values. `dark` = what is dark has the high values.
    pub fn field(&self, nx: usize, ny: usize, mapping: Mapping, dark: bool) -> Vec<f32> {
        let mut values = self.resampled(nx, ny);
        if dark {
            values.iter_mut().for_each(|v| *v = 1.0 - *v);
        }
        match mapping {
            Mapping::Range { lo, hi } => {
                values.iter_mut().for_each(|v| *v = lo + *v * (hi - lo));
            }
            Mapping::Spread { std } => {
                let n = values.len().max(1) as f64;
                let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
                let square = |v: &f32| (f64::from(*v) - mean) * (f64::from(*v) - mean);
                let found = (values.iter().map(square).sum::<f64>() / n).sqrt();
                // A picture of one colour is 0 everywhere.
                let factor = if found > 1e-6 {
                    f64::from(std) / found
                } else {
                    0.0
                };
                for v in &mut values {
                    *v = ((f64::from(*v) - mean) * factor) as f32;
                }
            }
        }
        values
    }
}

/// Pixels that each cell covers, with the share of the cell that each of them is.
fn shares(pixels: usize, cells: usize) -> Vec<Vec<(usize, f32)>> {
    let each = pixels as f64 / cells.max(1) as f64;
    (0..cells)
        .map(|cell| {
            let (from, to) = (cell as f64 * each, (cell + 1) as f64 * each);
            let last = (to.ceil() as usize).min(pixels);
            (from.floor() as usize..last)
                .map(|i| {
                    let inside = to.min((i + 1) as f64) - from.max(i as f64);
                    (i, (inside / each) as f32)
                })
                .filter(|(_, share)| *share > 0.0)
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brightness_keeps_its_mean_at_any_size() {
        let picture = Drawing::new(7, 5, (0..35).map(|i| i as f32 / 34.0).collect()).unwrap();
        for (nx, ny) in [(7, 5), (3, 2), (64, 64), (1, 1), (14, 10)] {
            let values = picture.resampled(nx, ny);
            let mean = values.iter().sum::<f32>() / values.len() as f32;
            assert!((mean - 0.5).abs() < 1e-4, "{nx} {ny} {mean}");
        }
        // The top row of the picture is the last row of the field.
        let same = picture.resampled(7, 5);
        assert!((same[28] - 0.0).abs() < 1e-6 && (same[6] - 1.0).abs() < 1e-6);
        // Resampled once and for all it says the same, and knows how large it was.
        let small = picture.on_grid(3, 2);
        assert_eq!(small.size(), (7, 5));
        let values = small
            .resampled(3, 2)
            .into_iter()
            .zip(picture.resampled(3, 2));
        assert!(values.into_iter().all(|(a, b)| (a - b).abs() < 1e-6));
    }

    #[test]
    fn mappings() {
        let picture = Drawing::new(2, 1, vec![0.0, 1.0]).unwrap();
        let range = Mapping::Range { lo: 0.0, hi: 50.0 };
        assert_eq!(picture.field(2, 1, range, false), [0.0, 50.0]);
        assert_eq!(picture.field(2, 1, range, true), [50.0, 0.0]);
        let spread = Mapping::Spread { std: 3.0 };
        assert_eq!(picture.field(2, 1, spread, false), [-3.0, 3.0]);
        let flat = Drawing::new(2, 1, vec![0.4, 0.4]).unwrap();
        assert_eq!(flat.field(2, 1, spread, false), [0.0, 0.0]);
        assert!(Drawing::new(2, 2, vec![0.0; 3]).is_none());
    }

    #[test]
    fn files_are_read_and_others_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("drawing.png");
        let picture = image::RgbaImage::from_fn(9, 4, |x, _| {
            image::Rgba([0, 0, 0, if x < 4 { 255 } else { 0 }])
        });
        picture.save(&path).unwrap();
        let read = Drawing::read(&path).unwrap();
        assert_eq!(read.size(), (9, 4));
        // Black ink on transparent paper.
        assert_eq!((read.brightness[0], read.brightness[8]), (0.0, 1.0));
        let text = folder.path().join("text.png");
        std::fs::write(&text, "not a picture").unwrap();
        assert!(Drawing::read(&text).is_err());
        assert!(Drawing::read(&folder.path().join("missing.png")).is_err());
    }
}
