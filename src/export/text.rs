//! Text as pixels: outlines from skrifa, filled by exact area coverage.
//!
//! The window's own fonts are used (Ubuntu Light for words, Hack as a fallback for symbols), so that a saved picture
//! reads like the screen.

use skrifa::instance::{LocationRef, Size};
use skrifa::outline::{DrawSettings, OutlinePen};
use skrifa::{FontRef, GlyphId, MetadataProvider};

/// The fonts of a picture, in the order in which a character is looked for.
pub struct Typeface {
    fonts: Vec<FontRef<'static>>,
}

/// A glyph of one of the fonts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glyph {
    font: usize,
    id: GlyphId,
}

/// A glyph at its place on the line.
#[derive(Debug, Clone, Copy)]
pub struct Placed {
    /// Which glyph.
    pub id: Glyph,
    /// Distance from the start of the line, pixels.
    pub x: f32,
}

/// Coverage of a glyph, 0..=1 a pixel.
#[derive(Debug, Clone)]
pub struct Bitmap {
    /// Pixels a row.
    pub width: usize,
    /// Offset of the first column from the pen.
    pub left: i64,
    /// Offset of the first row from the baseline, negative upwards.
    pub top: i64,
    /// Row-major coverage.
    pub coverage: Vec<f32>,
}

impl Default for Typeface {
    fn default() -> Self {
        let fonts = [
            epaint_default_fonts::UBUNTU_LIGHT,
            epaint_default_fonts::HACK_REGULAR,
        ];
        Self {
            // A font that cannot be parsed is left out: the picture then has fewer letters, not no picture.
            fonts: fonts
                .into_iter()
                .filter_map(|b| FontRef::new(b).ok())
                .collect(),
        }
    }
}

impl Typeface {
    fn find(&self, c: char) -> Option<Glyph> {
        self.fonts.iter().enumerate().find_map(|(font, f)| {
            let id = f.charmap().map(c)?;
            Some(Glyph { font, id })
        })
    }

    /// Whether every character of `text` has a glyph.
    pub fn covers(&self, text: &str) -> bool {
        text.chars().all(|c| self.find(c).is_some())
    }

    fn advance(&self, glyph: Glyph, size: f32) -> f32 {
        self.fonts.get(glyph.font).map_or(0.0, |f| {
            f.glyph_metrics(Size::new(size), LocationRef::default())
                .advance_width(glyph.id)
                .unwrap_or(0.0)
        })
    }

    /// Glyphs of a line, left to right.
    pub fn layout(&self, text: &str, size: f32) -> Vec<Placed> {
        let mut x = 0.0;
        let mut line = Vec::new();
        for id in text.chars().filter_map(|c| self.find(c)) {
            line.push(Placed { id, x });
            x += self.advance(id, size);
        }
        line
    }

    /// Width of a line, pixels.
    pub fn width(&self, text: &str, size: f32) -> f32 {
        text.chars()
            .filter_map(|c| self.find(c))
            .map(|g| self.advance(g, size))
            .sum()
    }

    /// Draws the outline of a glyph of so many pixels an em, y upwards from the baseline.
    pub fn outline(&self, glyph: Glyph, size: f32, pen: &mut impl OutlinePen) {
        if let Some(font) = self.fonts.get(glyph.font)
            && let Some(shape) = font.outline_glyphs().get(glyph.id)
        {
            let settings = DrawSettings::unhinted(Size::new(size), LocationRef::default());
            // A glyph without a drawable outline (a space, a broken table) stays empty.
            let _ = shape.draw(settings, pen);
        }
    }

    /// The outline of a glyph as straight pieces, y downwards from the baseline.
    pub(crate) fn pieces(&self, glyph: Glyph, size: f32) -> Vec<Piece> {
        let mut outline = Outline::default();
        self.outline(glyph, size, &mut outline);
        outline.pieces
    }

    /// Coverage of a glyph whose pen stands `shift` pixels right of a pixel's left edge.
    pub fn rasterise(&self, glyph: Glyph, size: f32, shift: f32) -> Bitmap {
        coverage(&self.pieces(glyph, size), shift)
    }
}

/// A straight piece of an outline, y downwards.
pub(crate) type Piece = [(f32, f32); 2];

/// Straight pieces of an outline, y downwards.
#[derive(Default)]
struct Outline {
    pieces: Vec<Piece>,
    start: (f32, f32),
    at: (f32, f32),
}

impl Outline {
    fn piece(&mut self, to: (f32, f32)) {
        self.pieces.push([self.at, to]);
        self.at = to;
    }
}

/// Signed area coverage: every piece adds, to each pixel it crosses, the area to its right; a running sum over
/// the row makes it the inside.
pub(crate) fn coverage(pieces: &[Piece], shift: f32) -> Bitmap {
    let points = || pieces.iter().flatten();
    let bound = |f: fn(f32, f32) -> f32, pick: fn(&(f32, f32)) -> f32, from: f32| {
        points().map(pick).fold(from, f)
    };
    let (left, right) = (
        bound(f32::min, |p| p.0, f32::MAX),
        bound(f32::max, |p| p.0, f32::MIN),
    );
    let (top, bottom) = (
        bound(f32::min, |p| p.1, f32::MAX),
        bound(f32::max, |p| p.1, f32::MIN),
    );
    if pieces.is_empty() || right <= left || bottom <= top {
        return Bitmap {
            width: 1,
            left: 0,
            top: 0,
            coverage: Vec::new(),
        };
    }
    let (x0, y0) = ((left + shift).floor(), top.floor());
    let width = (right + shift - x0).ceil() as usize + 2;
    let height = (bottom - y0).ceil() as usize + 1;
    let mut area = vec![0.0f32; width * height];
    for [a, b] in pieces {
        accumulate(
            &mut area,
            width,
            (a.0 + shift - x0, a.1 - y0),
            (b.0 + shift - x0, b.1 - y0),
        );
    }
    for row in area.chunks_exact_mut(width) {
        let mut sum = 0.0;
        for cell in row {
            sum += *cell;
            *cell = sum.abs().min(1.0);
        }
    }
    Bitmap {
        width,
        left: x0 as i64,
        top: y0 as i64,
        coverage: area,
    }
}

/// Adds one straight piece to the differences of coverage.
fn accumulate(area: &mut [f32], width: usize, a: (f32, f32), b: (f32, f32)) {
    if a.1 == b.1 {
        return;
    }
    let (sign, upper, lower) = if a.1 < b.1 { (1.0, a, b) } else { (-1.0, b, a) };
    let slope = (lower.0 - upper.0) / (lower.1 - upper.1);
    let mut y = upper.1;
    while y < lower.1 {
        let row = y.floor();
        let next = (row + 1.0).min(lower.1);
        let height = (next - y) * sign;
        let (xa, xb) = (
            upper.0 + (y - upper.1) * slope,
            upper.0 + (next - upper.1) * slope,
        );
        let (x_lo, x_hi) = (xa.min(xb).max(0.0), xa.max(xb).max(0.0));
        let line = row as usize * width;
        let first = x_lo.floor() as usize;
        let last = (x_hi.ceil() as usize).max(first + 1);
        // Within the row, the share of the piece's height that lies in each column.
        for column in first..last {
            let (c0, c1) = (column as f32, column as f32 + 1.0);
            let (s, e) = (x_lo.max(c0), x_hi.min(c1));
            let share = if x_hi > x_lo {
                (e - s).max(0.0) / (x_hi - x_lo)
            } else {
                1.0
            };
            let covered = share * height * (c1 - (s + e) / 2.0);
            let rest = share * height - covered;
            if let Some(cell) = area.get_mut(line + column) {
                *cell += covered;
            }
            if let Some(cell) = area.get_mut(line + column + 1) {
                *cell += rest;
            }
        }
        y = next;
    }
}

impl OutlinePen for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        self.close();
        self.start = (x, -y);
        self.at = self.start;
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.piece((x, -y));
    }

    fn quad_to(&mut self, cx: f32, cy: f32, x: f32, y: f32) {
        let (a, c, b) = (self.at, (cx, -cy), (x, -y));
        for i in 1..=8 {
            let t = i as f32 / 8.0;
            let s = 1.0 - t;
            let mix = |a: f32, c: f32, b: f32| s * s * a + 2.0 * s * t * c + t * t * b;
            self.piece((mix(a.0, c.0, b.0), mix(a.1, c.1, b.1)));
        }
    }

    fn curve_to(&mut self, cx0: f32, cy0: f32, cx1: f32, cy1: f32, x: f32, y: f32) {
        let (a, c, d, b) = (self.at, (cx0, -cy0), (cx1, -cy1), (x, -y));
        for i in 1..=12 {
            let t = i as f32 / 12.0;
            let s = 1.0 - t;
            let mix = |a: f32, c: f32, d: f32, b: f32| {
                s * s * s * a + 3.0 * s * s * t * c + 3.0 * s * t * t * d + t * t * t * b
            };
            self.piece((mix(a.0, c.0, d.0, b.0), mix(a.1, c.1, d.1, b.1)));
        }
    }

    fn close(&mut self) {
        if self.at != self.start {
            self.piece(self.start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greek_letters_and_signs_are_there() {
        let face = Typeface::default();
        for text in ["λ σ ω μ β", "Hovmöller", "−1.5 ± 3 · 64 × 64", "…"] {
            assert!(face.covers(text), "{text}");
        }
    }

    #[test]
    fn digits_have_one_width() {
        let face = Typeface::default();
        let widths: Vec<f32> = ('0'..='9')
            .map(|c| face.width(&c.to_string(), 14.0))
            .collect();
        assert!(
            widths.iter().all(|w| (w - widths[0]).abs() < 1e-3),
            "{widths:?}"
        );
    }

    #[test]
    fn coverage_of_a_square_is_its_area() {
        let mut outline = Outline::default();
        outline.move_to(0.25, 0.0);
        outline.line_to(2.75, 0.0);
        outline.line_to(2.75, 2.5);
        outline.line_to(0.25, 2.5);
        outline.close();
        for shift in [0.0, 0.4] {
            let total: f32 = coverage(&outline.pieces, shift).coverage.iter().sum();
            assert!((total - 6.25).abs() < 1e-4, "{total}");
        }
    }

    #[test]
    fn a_slanted_edge_has_the_area_of_its_triangle() {
        let mut outline = Outline::default();
        outline.move_to(0.0, 0.0);
        outline.line_to(7.3, 0.0);
        outline.line_to(2.1, 5.7);
        outline.close();
        let total: f32 = coverage(&outline.pieces, 0.2).coverage.iter().sum();
        assert!((total - 7.3 * 5.7 / 2.0).abs() < 1e-2, "{total}");
    }
}
