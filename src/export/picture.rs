//! Composes the picture: lanes with their titles, colour bar with units, time.

use std::sync::Arc;

use crate::render::globe::{self, Rows};
use crate::render::{GlobeView, Look, Projection, View, cpu, lines, ticks};

use super::canvas::{Canvas, Rgb};
use super::strokes;
use super::text::Typeface;

/// One lane of the picture.
#[derive(Debug, Clone)]
pub struct Panel {
    /// Name of the lane.
    pub title: String,
    /// What made the frame ("λ 1.00 · m 3 · dpm 10").
    pub made_by: String,
    /// Colour of the method.
    pub color: Rgb,
    /// Row-major `(y, x)` values, physical units.
    pub values: Arc<[f32]>,
    /// Columns and rows.
    pub size: (usize, usize),
    /// Colours of its own; `None` = those of the colour bar.
    pub look: Option<Look>,
}

/// Colours of what surrounds the frames.
#[derive(Debug, Clone, Copy)]
pub struct Paper {
    /// Background.
    pub background: Rgb,
    /// Text.
    pub text: Rgb,
    /// Text of lesser weight.
    pub weak: Rgb,
}

impl Paper {
    /// Light on dark.
    pub const DARK: Self = Self {
        background: [20, 21, 24],
        text: [232, 233, 236],
        weak: [154, 158, 167],
    };
    /// Dark on light.
    pub const LIGHT: Self = Self {
        background: [255, 255, 255],
        text: [27, 28, 31],
        weak: [98, 102, 110],
    };
}

/// What is to be drawn.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Lanes, left to right.
    pub panels: Vec<Panel>,
    /// What part of the box is seen.
    pub view: View,
    /// How values become colours.
    pub look: Look,
    /// Name and unit of the field ("vorticity", "1/T").
    pub quantity: String,
    /// Unit.
    pub units: String,
    /// First line under the lanes ("frame 77 · t = 11.68 · seed 0 · model vorticity").
    pub caption: String,
    /// Surroundings.
    pub paper: Paper,
    /// Width of a lane, pixels.
    pub side: usize,
    /// The globe, if the lanes lie on it.
    pub globe: Option<GlobePicture>,
}

/// How the globe is drawn.
#[derive(Debug, Clone)]
pub struct GlobePicture {
    /// Where the rows and columns lie.
    pub rows: Arc<Rows>,
    /// What is seen.
    pub view: GlobeView,
    /// Coastlines.
    pub coast: bool,
    /// Meridians and parallels.
    pub graticule: bool,
    /// Lines for dark surroundings.
    pub dark: bool,
}

/// Where the lanes lie.
struct Layout {
    columns: i64,
    /// Width and height of a lane without its title.
    size: (i64, i64),
    margin: i64,
    gap: i64,
    title: i64,
}

impl Layout {
    /// Upper left corner of a lane's picture.
    fn corner(&self, index: usize) -> (i64, i64) {
        let (column, row) = (index as i64 % self.columns, index as i64 / self.columns);
        let x = self.margin + column * (self.size.0 + self.gap);
        let y = self.margin + self.title + row * (self.size.1 + self.title + self.gap);
        (x, y)
    }
}

impl Picture {
    /// Draws it.
    pub fn draw(&self) -> Canvas {
        let unit = self.side as f32 / if self.globe.is_some() { 720.0 } else { 512.0 };
        let px = |v: f32| (v * unit).round() as i64;
        let face = Typeface::default();
        let count = self.panels.len().max(1) as i64;
        // Wide pictures stand one below the other.
        let (columns, high) = match &self.globe {
            Some(g) => {
                let high = self.side as f64 / g.view.projection.aspect();
                (1 + i64::from(count > 3), high.round() as i64)
            }
            None => (count, self.side as i64),
        };
        let layout = Layout {
            columns,
            size: (self.side as i64, high),
            margin: px(32.0),
            gap: px(16.0),
            title: px(40.0),
        };
        // The name of the quantity stands above the bar, however long it is.
        let label = face.width(&self.bar_label(), 16.0 * unit).ceil() as i64;
        let bar = px(110.0).max(label);
        let (right, bottom) = layout.corner((count - 1) as usize);
        let (right, bottom) = match columns {
            2 => (layout.corner(1).0 + layout.size.0, bottom + high),
            _ => (right + layout.size.0, bottom + high),
        };
        let width = right + layout.gap + bar + layout.margin;
        let height = bottom + px(44.0) + layout.margin;
        let mut canvas = Canvas::new(width as usize, height as usize, self.paper.background);
        for (i, panel) in self.panels.iter().enumerate() {
            let (x, y) = layout.corner(i);
            let base = (y - px(14.0)) as f32;
            let end = canvas.text(
                &face,
                22.0 * unit,
                x as f32,
                base,
                panel.color,
                &panel.title,
            );
            canvas.text(
                &face,
                16.0 * unit,
                end + 12.0 * unit,
                base,
                self.paper.weak,
                &panel.made_by,
            );
            self.lane(&mut canvas, panel, (x, y), high as usize, unit);
        }
        let top = layout.corner(0).1;
        self.color_bar(
            &mut canvas,
            &face,
            (right + layout.gap, top),
            bottom - top,
            unit,
        );
        canvas.text(
            &face,
            18.0 * unit,
            layout.margin as f32,
            (bottom + px(32.0)) as f32,
            self.paper.weak,
            &self.caption,
        );
        canvas
    }

    /// One lane with its upper left corner at `(x, y)`.
    fn lane(&self, canvas: &mut Canvas, panel: &Panel, (x, y): (i64, i64), high: usize, unit: f32) {
        let size = (self.side, high);
        let look = panel.look.as_ref().unwrap_or(&self.look);
        let Some(g) = &self.globe else {
            let rgba = cpu::rasterise(&panel.values, panel.size, &self.view, look, size);
            canvas.image(x, y, self.side, &rgba);
            return;
        };
        let rgba = globe::rasterise(&panel.values, &g.rows, &g.view, look, size);
        canvas.image(x, y, self.side, &rgba);
        let area = (x, y, self.side, high);
        let pixels = (self.side as f32, high as f32);
        let (coast, graticule) = lines::pens(g.dark);
        let mut stroke = |paths: &[lines::Path], grey: u8, alpha: u8, width: f32| {
            let alpha = f32::from(alpha) / 255.0;
            strokes::draw(canvas, area, paths, width * unit, [grey; 3], alpha);
        };
        if g.graticule {
            let paths = lines::in_picture(&lines::graticule(), &g.view, pixels, 0.0);
            stroke(&paths, graticule.line, graticule.alpha, graticule.width);
        }
        if g.coast {
            let paths = lines::in_picture(lines::coastlines(), &g.view, pixels, 0.6);
            let (grey, alpha, width) = coast.halo;
            stroke(&paths, grey, alpha, width);
            stroke(&paths, coast.line, coast.alpha, coast.width);
        }
        if g.view.projection != Projection::Equirectangular {
            stroke(
                &[lines::edge(&g.view)],
                graticule.line,
                graticule.alpha,
                1.0,
            );
        }
    }

    fn bar_label(&self) -> String {
        format!("{} [{}]", self.quantity, self.units)
    }

    fn color_bar(
        &self,
        canvas: &mut Canvas,
        face: &Typeface,
        (x, top): (i64, i64),
        side: i64,
        unit: f32,
    ) {
        let bar_width = (18.0 * unit).round() as i64;
        // Dry cells have a colour of their own, below the others.
        let dry = (22.0 * unit).round() as i64;
        let side = match &self.look.rain {
            Some(rain) => {
                let (patch, y) = ((12.0 * unit).round() as i64, top + side);
                canvas.rect(x, y - patch, bar_width, patch, self.paper.weak);
                canvas.rect(x + 1, y - patch + 1, bar_width - 2, patch - 2, rain.dry);
                let at = ((x + bar_width) as f32 + 9.0 * unit, y as f32 - 0.5 * unit);
                canvas.text(face, 16.0 * unit, at.0, at.1, self.paper.text, "dry");
                side - dry
            }
            None => side,
        };
        for row in 0..side {
            let t = 1.0 - (row as f32 + 0.5) / side as f32;
            canvas.rect(x, top + row, bar_width, 1, self.look.color_at(t));
        }
        let size = 16.0 * unit;
        for (t, value) in ticks::of(&self.look) {
            let y = top as f32 + (1.0 - t) * side as f32;
            let line = y.round().clamp(top as f32, (top + side - 1) as f32) as i64;
            canvas.rect(
                x + bar_width,
                line,
                (5.0 * unit).round() as i64,
                1,
                self.paper.weak,
            );
            // Labels stay within the height of the bar.
            let base = (y + 0.36 * size).clamp(top as f32 + 0.72 * size, (top + side) as f32);
            let label_x = (x + bar_width) as f32 + 9.0 * unit;
            canvas.text(face, size, label_x, base, self.paper.text, &value);
        }
        let base = top as f32 - 14.0 * unit;
        canvas.text(
            face,
            size,
            x as f32,
            base,
            self.paper.weak,
            &self.bar_label(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{ColorMap, ValueRange};

    #[test]
    fn the_frames_are_in_the_picture() {
        let picture = Picture {
            panels: vec![Panel {
                title: "Guided".into(),
                made_by: "λ 1.00".into(),
                color: [230, 159, 0],
                values: vec![9.0; 16].into(),
                size: (4, 4),
                look: None,
            }],
            view: View::default(),
            look: Look::plain(ColorMap::Gray, ValueRange::symmetric(1.0), false),
            quantity: "vorticity".into(),
            units: "1/T".into(),
            caption: "frame 7".into(),
            paper: Paper::DARK,
            side: 256,
            globe: None,
        };
        let canvas = picture.draw();
        let white = canvas
            .pixels
            .chunks_exact(4)
            .filter(|p| p[..3] == [255; 3])
            .count();
        assert!(white >= 256 * 256, "{white}");
        let text = canvas
            .pixels
            .chunks_exact(4)
            .filter(|p| p[0] > 150 && p[2] < 90)
            .count();
        assert!(
            text > 5,
            "the title is written in the method's colour: {text}"
        );
    }
}
