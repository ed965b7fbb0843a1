//! A plain RGBA canvas: rectangles, images, text.

use super::text::Typeface;

/// Red, green, blue (sRGB).
pub type Rgb = [u8; 3];

/// Pixels of a picture, row-major from the upper left corner, RGBA with full opacity.
#[derive(Debug, Clone)]
pub struct Canvas {
    /// Pixels from left to right.
    pub width: usize,
    /// Pixels from top to bottom.
    pub height: usize,
    /// `width * height * 4` bytes.
    pub pixels: Vec<u8>,
}

impl Canvas {
    /// A canvas of one colour.
    pub fn new(width: usize, height: usize, [r, g, b]: Rgb) -> Self {
        Self {
            width,
            height,
            pixels: [r, g, b, 255].repeat(width * height),
        }
    }

    /// Mixes `color` into a pixel; outside the canvas nothing happens.
    pub fn blend(&mut self, x: i64, y: i64, color: Rgb, alpha: f32) {
        if x < 0 || y < 0 || x >= self.width as i64 || y >= self.height as i64 {
            return;
        }
        let at = (y as usize * self.width + x as usize) * 4;
        for (slot, c) in self.pixels[at..at + 3].iter_mut().zip(color) {
            let mixed = f32::from(*slot) * (1.0 - alpha) + f32::from(c) * alpha;
            *slot = mixed.round().clamp(0.0, 255.0) as u8;
        }
    }

    /// Fills a rectangle.
    pub fn rect(&mut self, x: i64, y: i64, width: i64, height: i64, color: Rgb) {
        for row in y..y + height {
            for column in x..x + width {
                self.blend(column, row, color, 1.0);
            }
        }
    }

    /// Puts an RGBA image with its upper left corner at `(x, y)` over what is there.
    pub fn image(&mut self, x: i64, y: i64, width: usize, rgba: &[u8]) {
        for (i, p) in rgba.chunks_exact(4).enumerate() {
            let (column, row) = ((i % width) as i64, (i / width) as i64);
            self.blend(
                x + column,
                y + row,
                [p[0], p[1], p[2]],
                f32::from(p[3]) / 255.0,
            );
        }
    }

    /// Writes a line of text with its baseline at `y`; returns the x after its end.
    pub fn text(
        &mut self,
        face: &Typeface,
        size: f32,
        x: f32,
        y: f32,
        color: Rgb,
        text: &str,
    ) -> f32 {
        let mut pen = x;
        for glyph in face.layout(text, size) {
            let bitmap = face.rasterise(glyph.id, size, (pen + glyph.x).fract());
            let left = (pen + glyph.x).floor() as i64 + bitmap.left;
            for (i, coverage) in bitmap.coverage.iter().enumerate() {
                let (column, row) = ((i % bitmap.width) as i64, (i / bitmap.width) as i64);
                self.blend(
                    left + column,
                    y.round() as i64 + bitmap.top + row,
                    color,
                    *coverage,
                );
            }
        }
        pen += face.width(text, size);
        pen
    }
}
