//! A chart: axes, and layers in the coordinates of the data.

use crate::export::canvas::Rgb;
use crate::export::text::Typeface;

use super::axis::Axis;
use super::raster::disc;
use super::scene::{Anchor, Item, Picture, Point, Scene, Stroke, clip_area, clip_line};
use super::style::{ASKED, FRAME, HAIR, INK, Marker, Style, WEAK};

/// Size of tick labels, of axis labels, of titles.
pub const TICK: f32 = 11.0;
/// See [`TICK`].
pub const LABEL: f32 = 12.0;
/// See [`TICK`].
pub const TITLE: f32 = 13.0;

/// Something drawn in a chart; later ones cover earlier ones.
#[derive(Debug, Clone, PartialEq)]
pub enum Layer {
    /// A line through points, with marks at them if asked.
    Line {
        /// `x`, `y`.
        points: Vec<[f64; 2]>,
        /// How.
        style: Style,
        /// Whether each point has its mark.
        marks: bool,
    },
    /// The area between two curves.
    Band {
        /// `x`, lower and upper `y`.
        points: Vec<[f64; 3]>,
        /// Colour.
        color: Rgb,
    },
    /// Bars from `y0` to `y1`.
    Bars {
        /// `x0`, `x1`, `y0`, `y1`.
        bars: Vec<[f64; 4]>,
        /// Colour.
        color: Rgb,
        /// Opacity.
        alpha: f32,
    },
    /// Vertical whiskers.
    Whiskers {
        /// `x`, lower and upper `y`.
        points: Vec<[f64; 3]>,
        /// Colour.
        color: Rgb,
    },
    /// A horizontal line.
    Level(f64, Stroke),
    /// A vertical line.
    Upright(f64, Stroke),
    /// The range of `y` that is asked for.
    Asked(f64, f64),
    /// Pixels over the whole chart: columns, rows, RGBA.
    Pixels(usize, usize, Vec<u8>),
    /// Lines over the whole chart, 0..1 to the right and upwards.
    Paths(Vec<Vec<[f32; 2]>>, Stroke),
    /// Words at a place.
    Note {
        /// `x`, `y`.
        at: [f64; 2],
        /// Which end of them stands there.
        anchor: Anchor,
        /// The words.
        text: String,
        /// Colour.
        color: Rgb,
    },
}

/// A chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What is drawn.
    pub layers: Vec<Layer>,
}

/// Room around the data of a chart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margins {
    /// Left of it: the axis and its label.
    pub left: f32,
    /// Right of it.
    pub right: f32,
    /// Above: the title.
    pub top: f32,
    /// Below: the axis and its label.
    pub bottom: f32,
}

impl Chart {
    /// An empty chart.
    pub fn new(title: impl Into<String>, x: Axis, y: Axis) -> Self {
        Self {
            title: title.into(),
            x,
            y,
            layers: Vec::new(),
        }
    }

    /// Adds a layer.
    #[must_use]
    pub fn with(mut self, layer: Layer) -> Self {
        self.layers.push(layer);
        self
    }

    /// Room that the words around the data take.
    pub fn margins(&self, face: &Typeface) -> Margins {
        let widest = self
            .y
            .ticks
            .iter()
            .map(|t| face.width(&t.1, TICK))
            .fold(0.0, f32::max);
        let label = |axis: &Axis| {
            if axis.label.is_empty() {
                0.0
            } else {
                LABEL + 6.0
            }
        };
        let last = self.x.ticks.last().map_or(0.0, |t| {
            let beyond = (1.0 - self.x.place(t.0)) as f32;
            if beyond < 0.1 {
                0.5 * face.width(&t.1, TICK)
            } else {
                0.0
            }
        });
        Margins {
            left: label(&self.y) + if self.y.bare { 2.0 } else { widest + 8.0 },
            right: if self.x.bare {
                2.0
            } else {
                (last + 2.0).max(8.0)
            },
            top: if self.title.is_empty() {
                8.0
            } else {
                TITLE + 9.0
            },
            bottom: label(&self.x) + if self.x.bare { 2.0 } else { TICK + 8.0 },
        }
    }

    /// Draws it with its data in `area` (left, top, width, height).
    pub fn draw(&self, scene: &mut Scene, face: &Typeface, area: [f32; 4]) {
        let [x, y, w, h] = area;
        self.shade(scene, area);
        self.hairlines(scene, area);
        for layer in &self.layers {
            self.layer(scene, layer, area);
        }
        let corners = vec![[x, y], [x + w, y], [x + w, y + h], [x, y + h], [x, y]];
        scene.line(corners, Stroke::solid(FRAME, 0.8));
        self.words(scene, face, area);
    }

    fn at(&self, [x, y, w, h]: [f32; 4], p: [f64; 2]) -> Point {
        [
            x + w * self.x.place(p[0]) as f32,
            y + h * (1.0 - self.y.place(p[1])) as f32,
        ]
    }

    /// What lies under the hairlines.
    fn shade(&self, scene: &mut Scene, area: [f32; 4]) {
        for layer in &self.layers {
            if let Layer::Asked(lo, hi) = layer {
                let ([_, a], [_, b]) = (
                    self.at(area, [self.x.lo, *hi]),
                    self.at(area, [self.x.lo, *lo]),
                );
                let [x, _, w, _] = area;
                let corners = [[x, a], [x + w, a], [x + w, b], [x, b]];
                scene.area(clip_area(&corners, area), ASKED, 1.0);
            }
        }
    }

    fn hairlines(&self, scene: &mut Scene, area: [f32; 4]) {
        let [x, y, w, h] = area;
        let hair = Stroke::solid(HAIR, 0.7);
        for (value, _) in self.x.ticks.iter().filter(|_| !self.x.bare) {
            let place = x + w * self.x.place(*value) as f32;
            scene.line(vec![[place, y], [place, y + h]], hair);
        }
        for (value, _) in self.y.ticks.iter().filter(|_| !self.y.bare) {
            let place = y + h * (1.0 - self.y.place(*value)) as f32;
            scene.line(vec![[x, place], [x + w, place]], hair);
        }
    }

    fn layer(&self, scene: &mut Scene, layer: &Layer, area: [f32; 4]) {
        let at = |p: [f64; 2]| self.at(area, p);
        let [x, y, w, h] = area;
        let straight = |scene: &mut Scene, points: &[Point], stroke: Stroke| {
            for piece in clip_line(points, area) {
                scene.line(piece, stroke);
            }
        };
        match layer {
            Layer::Line {
                points,
                style,
                marks,
            } => {
                let points: Vec<Point> = points.iter().map(|p| at(*p)).collect();
                straight(scene, &points, style.stroke());
                if *marks {
                    for p in points {
                        mark(scene, p, style, area);
                    }
                }
            }
            Layer::Band { points, color } => {
                let fits = |p: &&[f64; 3]| p.iter().all(|v| v.is_finite());
                let upper = points.iter().filter(fits).map(|p| at([p[0], p[2]]));
                let lower = points.iter().filter(fits).rev().map(|p| at([p[0], p[1]]));
                let corners: Vec<Point> = upper.chain(lower).collect();
                scene.area(clip_area(&corners, area), *color, 0.16);
            }
            Layer::Bars { bars, color, alpha } => {
                for [x0, x1, y0, y1] in bars {
                    let (a, b) = (at([*x0, *y0]), at([*x1, *y1]));
                    let corners = [a, [b[0], a[1]], b, [a[0], b[1]]];
                    scene.area(clip_area(&corners, area), *color, *alpha);
                }
            }
            Layer::Whiskers { points, color } => {
                for [px, lo, hi] in points {
                    let (a, b) = (at([*px, *lo]), at([*px, *hi]));
                    let stroke = Stroke::solid(*color, 1.2);
                    straight(scene, &[a, b], stroke);
                    for end in [a, b] {
                        let cap = [[end[0] - 3.0, end[1]], [end[0] + 3.0, end[1]]];
                        straight(scene, &cap, stroke);
                    }
                }
            }
            Layer::Level(value, stroke) => {
                let level = at([self.x.lo, *value])[1];
                straight(scene, &[[x, level], [x + w, level]], *stroke);
            }
            Layer::Upright(value, stroke) => {
                let place = at([*value, self.y.lo])[0];
                straight(scene, &[[place, y], [place, y + h]], *stroke);
            }
            Layer::Asked(..) => {}
            Layer::Pixels(columns, rows, rgba) => scene.items.push(Item::Picture(Picture {
                area,
                columns: *columns,
                rows: *rows,
                rgba: rgba.clone(),
            })),
            Layer::Paths(paths, stroke) => {
                for path in paths {
                    let points: Vec<Point> = path
                        .iter()
                        .map(|[u, v]| [x + w * u, y + h * (1.0 - v)])
                        .collect();
                    straight(scene, &points, *stroke);
                }
            }
            Layer::Note {
                at: place,
                anchor,
                text,
                color,
            } => scene.text(at(*place), *anchor, TICK, *color, text.as_str()),
        }
    }

    fn words(&self, scene: &mut Scene, face: &Typeface, area: [f32; 4]) {
        let [x, y, w, h] = area;
        if !self.title.is_empty() {
            scene.text([x, y - 7.0], Anchor::Start, TITLE, INK, self.title.as_str());
        }
        let mut right = f32::NEG_INFINITY;
        let mut ticks: Vec<(f32, &String)> = self
            .x
            .ticks
            .iter()
            .filter(|_| !self.x.bare)
            .map(|(value, label)| (x + w * self.x.place(*value) as f32, label))
            .collect();
        ticks.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (place, label) in ticks {
            let half = 0.5 * face.width(label, TICK);
            // A label that would touch the one before it is left out; the hairline stays.
            if place - half > right + 3.0 {
                let at = [place, y + h + TICK + 4.0];
                scene.text(at, Anchor::Middle, TICK, WEAK, label.as_str());
                right = place + half;
            }
        }
        for (value, label) in self.y.ticks.iter().filter(|_| !self.y.bare) {
            let place = y + h * (1.0 - self.y.place(*value)) as f32;
            let at = [x - 5.0, place + 0.36 * TICK];
            scene.text(at, Anchor::End, TICK, WEAK, label.as_str());
        }
        let margins = self.margins(face);
        if !self.x.label.is_empty() {
            let at = [x + 0.5 * w, y + h + margins.bottom - 3.0];
            scene.text(at, Anchor::Middle, LABEL, INK, self.x.label.as_str());
        }
        if !self.y.label.is_empty() {
            let at = [x - margins.left + LABEL, y + 0.5 * h];
            scene.text_upwards(at, LABEL, INK, self.y.label.as_str());
        }
    }
}

/// Draws the mark of a style, where it lies inside of `area`.
pub fn mark(scene: &mut Scene, [x, y]: Point, style: &Style, [left, top, w, h]: [f32; 4]) {
    let inside = x >= left - 0.5 && x <= left + w + 0.5 && y >= top - 0.5 && y <= top + h + 0.5;
    if !inside {
        return;
    }
    let r = 3.0;
    let corners = match style.marker {
        Marker::None => return,
        Marker::Disc => disc([x, y], r, 20),
        Marker::Square => {
            let r = 0.88 * r;
            vec![
                [x - r, y - r],
                [x + r, y - r],
                [x + r, y + r],
                [x - r, y + r],
            ]
        }
        Marker::Up => vec![
            [x, y - 1.2 * r],
            [x + 1.1 * r, y + 0.8 * r],
            [x - 1.1 * r, y + 0.8 * r],
        ],
        Marker::Down => {
            vec![
                [x, y + 1.2 * r],
                [x + 1.1 * r, y - 0.8 * r],
                [x - 1.1 * r, y - 0.8 * r],
            ]
        }
        Marker::Diamond => {
            let r = 1.25 * r;
            vec![[x, y - r], [x + r, y], [x, y + r], [x - r, y]]
        }
    };
    scene.area(corners, style.color, 1.0);
}
