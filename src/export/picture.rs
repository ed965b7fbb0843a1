//! Composes the picture: lanes with their titles, colour bar with units, time.

use std::sync::Arc;

use crate::render::{Look, View, cpu};

use super::canvas::{Canvas, Rgb};
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
    /// Pixels a side of a lane.
    pub side: usize,
}

impl Picture {
    /// Draws it.
    pub fn draw(&self) -> Canvas {
        let unit = self.side as f32 / 512.0;
        let px = |v: f32| (v * unit).round() as i64;
        let (margin, gap, title, foot, bar) = (px(32.0), px(16.0), px(40.0), px(44.0), px(110.0));
        let face = Typeface::default();
        // The name of the quantity stands above the bar, however long it is.
        let label = face.width(&self.bar_label(), 16.0 * unit).ceil() as i64;
        let bar = bar.max(label);
        let side = self.side as i64;
        let count = self.panels.len().max(1) as i64;
        let width = 2 * margin + count * side + (count - 1) * gap + gap + bar;
        let height = 2 * margin + title + side + foot;
        let mut canvas = Canvas::new(width as usize, height as usize, self.paper.background);
        let top = margin + title;
        for (i, panel) in self.panels.iter().enumerate() {
            let x = margin + i as i64 * (side + gap);
            let base = (top - px(14.0)) as f32;
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
            let rgba = cpu::rasterise(
                &panel.values,
                panel.size,
                &self.view,
                &self.look,
                (self.side, self.side),
            );
            canvas.image(x, top, self.side, &rgba);
        }
        let bar_x = margin + count * (side + gap);
        self.color_bar(&mut canvas, &face, (bar_x, top), side, unit);
        canvas.text(
            &face,
            18.0 * unit,
            margin as f32,
            (top + side + px(32.0)) as f32,
            self.paper.weak,
            &self.caption,
        );
        canvas
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
        let range = self.look.range;
        let bar_width = (18.0 * unit).round() as i64;
        for row in 0..side {
            let t = 1.0 - (row as f32 + 0.5) / side as f32;
            let value = range.lo + t * (range.hi - range.lo);
            canvas.rect(x, top + row, bar_width, 1, cpu::color_of(value, &self.look));
        }
        let size = 16.0 * unit;
        for (t, value) in ticks(range.lo, range.hi) {
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

/// Five ticks of a colour bar: place in 0..=1 and label.
pub fn ticks(lo: f32, hi: f32) -> Vec<(f32, String)> {
    let step = (hi - lo) / 4.0;
    let decimals = if step >= 10.0 || step.fract() == 0.0 {
        0
    } else if (step * 10.0).fract().abs() < 1e-4 {
        1
    } else {
        2
    };
    (0..5)
        .map(|i| {
            let t = i as f32 / 4.0;
            let value = lo + t * (hi - lo);
            let digits = format!("{:.decimals$}", value.abs());
            let sign = if value < 0.0 && digits.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
                "−"
            } else {
                ""
            };
            (t, format!("{sign}{digits}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{ColorMap, ValueRange};

    #[test]
    fn labels_of_the_colour_bar() {
        let labels = |lo, hi| ticks(lo, hi).into_iter().map(|t| t.1).collect::<Vec<_>>();
        assert_eq!(labels(-10.0, 10.0), ["−10", "−5", "0", "5", "10"]);
        assert_eq!(
            labels(-1.5, 1.5),
            ["−1.50", "−0.75", "0.00", "0.75", "1.50"]
        );
        assert_eq!(labels(0.0, 2.0), ["0.0", "0.5", "1.0", "1.5", "2.0"]);
    }

    #[test]
    fn the_frames_are_in_the_picture() {
        let picture = Picture {
            panels: vec![Panel {
                title: "Guided".into(),
                made_by: "λ 1.00".into(),
                color: [230, 159, 0],
                values: vec![9.0; 16].into(),
                size: (4, 4),
            }],
            view: View::default(),
            look: Look {
                map: ColorMap::Gray,
                range: ValueRange::symmetric(1.0),
                smooth: false,
            },
            quantity: "vorticity".into(),
            units: "1/T".into(),
            caption: "frame 7".into(),
            paper: Paper::DARK,
            side: 256,
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
