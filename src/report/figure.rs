//! Charts side by side under one legend, with a colour bar where they show fields.

use crate::export::text::Typeface;

use super::chart::{Chart, LABEL, Margins, TICK, mark};
use super::scene::{Anchor, Item, Picture, Scene, Stroke};
use super::style::{FRAME, INK, Style, WEAK};

/// Width of a figure, points: a text column of a page.
pub const WIDTH: f32 = 760.0;

/// How charts stand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    /// Charts in a row.
    pub columns: usize,
    /// Height of the data of a chart over its width.
    pub aspect: f32,
    /// Distance between charts, points.
    pub gap: f32,
}

/// A colour bar below the charts.
#[derive(Debug, Clone, PartialEq)]
pub struct ColorBar {
    /// What the colours mean, with its unit.
    pub label: String,
    /// Colours from left to right, RGBA.
    pub rgba: Vec<u8>,
    /// Places in 0..1 and their labels.
    pub ticks: Vec<(f32, String)>,
}

/// A figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The charts, row by row.
    pub charts: Vec<Chart>,
    /// How they stand.
    pub grid: Grid,
    /// Names and how they are drawn.
    pub legend: Vec<(String, Style)>,
    /// Colours of fields.
    pub color_bar: Option<ColorBar>,
}

impl Figure {
    /// Draws it.
    pub fn scene(&self) -> Scene {
        let face = Typeface::default();
        let columns = self.grid.columns.max(1);
        let rows = self.charts.len().div_ceil(columns);
        let mut scene = Scene::new(WIDTH, 0.0);
        let mut top = self.legend(&mut scene, &face);
        let all: Vec<Margins> = self.charts.iter().map(|c| c.margins(&face)).collect();
        let widest = |of: fn(&Margins) -> f32, pick: &dyn Fn(usize) -> bool| {
            (0..all.len())
                .filter(|i| pick(*i))
                .map(|i| of(&all[i]))
                .fold(0.0, f32::max)
        };
        // The same room for the words of a column, and the same width for the data of all.
        let sides: Vec<(f32, f32)> = (0..columns)
            .map(|c| {
                let here = |i: usize| i % columns == c;
                (widest(|m| m.left, &here), widest(|m| m.right, &here))
            })
            .collect();
        let words: f32 = sides.iter().map(|(l, r)| l + r).sum();
        let gaps = self.grid.gap * (columns - 1) as f32;
        let width = ((WIDTH - 12.0 - words - gaps) / columns as f32).max(20.0);
        let height = width * self.grid.aspect;
        for row in 0..rows {
            let here = |i: usize| i / columns == row;
            top += widest(|m| m.top, &here);
            let mut left = 6.0;
            for (column, (before, after)) in sides.iter().enumerate() {
                left += before;
                if let Some(chart) = self.charts.get(row * columns + column) {
                    chart.draw(&mut scene, &face, [left, top, width, height]);
                }
                left += width + after + self.grid.gap;
            }
            top += height + widest(|m| m.bottom, &here);
            if row + 1 < rows {
                top += self.grid.gap;
            }
        }
        if let Some(bar) = &self.color_bar {
            top = bar.draw(&mut scene, &face, top + 8.0);
        }
        scene.height = (top + 8.0).ceil();
        scene
    }

    /// The legend in as many lines as it needs; the height below it.
    fn legend(&self, scene: &mut Scene, face: &Typeface) -> f32 {
        if self.legend.is_empty() {
            return 4.0;
        }
        const SAMPLE: f32 = 26.0;
        let width = |name: &str| SAMPLE + 6.0 + face.width(name, LABEL) + 20.0;
        let (mut x, mut y) = (8.0, 14.0);
        for (name, style) in &self.legend {
            if x > 8.0 && x + width(name) - 20.0 > WIDTH - 8.0 {
                (x, y) = (8.0, y + LABEL + 7.0);
            }
            scene.line(vec![[x, y], [x + SAMPLE, y]], style.stroke());
            mark(
                scene,
                [x + 0.5 * SAMPLE, y],
                style,
                [0.0, 0.0, WIDTH, y + 20.0],
            );
            let at = [x + SAMPLE + 6.0, y + 0.36 * LABEL];
            scene.text(at, Anchor::Start, LABEL, INK, name.as_str());
            x += width(name);
        }
        y + 10.0
    }
}

impl ColorBar {
    fn draw(&self, scene: &mut Scene, face: &Typeface, top: f32) -> f32 {
        let (width, height) = (300.0, 10.0);
        let label = face.width(&self.label, LABEL) + 14.0;
        let left = 0.5 * (WIDTH - width - label);
        let area = [left, top, width, height];
        scene.items.push(Item::Picture(Picture {
            area,
            columns: self.rgba.len() / 4,
            rows: 1,
            rgba: self.rgba.clone(),
        }));
        let (right, bottom) = (left + width, top + height);
        let corners = vec![
            [left, top],
            [right, top],
            [right, bottom],
            [left, bottom],
            [left, top],
        ];
        scene.line(corners, Stroke::solid(FRAME, 0.8));
        for (place, text) in &self.ticks {
            let x = left + width * place;
            scene.line(
                vec![[x, bottom], [x, bottom + 3.0]],
                Stroke::solid(FRAME, 0.8),
            );
            let at = [x, bottom + TICK + 5.0];
            scene.text(at, Anchor::Middle, TICK, WEAK, text.as_str());
        }
        let at = [right + 14.0, top + 0.85 * height];
        scene.text(at, Anchor::Start, LABEL, INK, self.label.as_str());
        bottom + TICK + 8.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::axis::Axis;
    use crate::report::chart::Layer;
    use crate::rollout::settings::LaneKind;

    #[test]
    fn charts_keep_within_the_figure_and_data_within_the_charts() {
        let style = Style::lane(LaneKind::Guided);
        let chart = Chart::new(
            "(a) a title",
            Axis::linear("time, frames", 0.0, 10.0),
            Axis::linear("value, 1/T", -1.0, 1.0),
        )
        .with(Layer::Line {
            points: vec![[-5.0, -9.0], [5.0, 0.5], [20.0, 9.0]],
            style,
            marks: true,
        });
        let figure = Figure {
            charts: vec![chart.clone(), chart.clone(), chart],
            grid: Grid {
                columns: 2,
                aspect: 0.6,
                gap: 16.0,
            },
            legend: vec![("Guided".into(), style); 14],
            color_bar: None,
        };
        let scene = figure.scene();
        let mut orange = 0;
        for item in &scene.items {
            match item {
                Item::Line { points, stroke } => {
                    orange += usize::from(stroke.color == style.color);
                    for [x, y] in points {
                        assert!((0.0..=WIDTH).contains(x) && (0.0..=scene.height).contains(y));
                    }
                }
                Item::Text(text) => assert!(text.at[1] <= scene.height, "{text:?}"),
                _ => {}
            }
        }
        // One line a chart, one sample an entry.
        assert_eq!(orange, 3 + 14);
    }
}
