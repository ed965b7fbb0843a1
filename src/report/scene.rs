//! What a figure is made of: lines, filled areas, words, pictures. Points, y downwards from the upper left corner.

use crate::export::canvas::Rgb;

/// Points from the left, points from the top.
pub type Point = [f32; 2];

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stroke {
    /// Colour.
    pub color: Rgb,
    /// Opacity, 0..=1.
    pub alpha: f32,
    /// Width.
    pub width: f32,
    /// Lengths of strokes and gaps by turns; empty for an unbroken line.
    pub dash: &'static [f32],
}

impl Stroke {
    /// An unbroken opaque line.
    pub fn solid(color: Rgb, width: f32) -> Self {
        Self {
            color,
            alpha: 1.0,
            width,
            dash: &[],
        }
    }
}

/// Which part of a text stands at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Its left end.
    Start,
    /// Its middle.
    Middle,
    /// Its right end.
    End,
}

/// Words on a line.
#[derive(Debug, Clone, PartialEq)]
pub struct Text {
    /// Place of the anchor, on the baseline.
    pub at: Point,
    /// Which part of the text stands there.
    pub anchor: Anchor,
    /// Height of an em.
    pub size: f32,
    /// Colour.
    pub color: Rgb,
    /// Whether it runs upwards.
    pub upwards: bool,
    /// The words.
    pub text: String,
}

/// Pixels stretched over a rectangle.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Left, top, width, height.
    pub area: [f32; 4],
    /// Pixels from left to right.
    pub columns: usize,
    /// Pixels from top to bottom.
    pub rows: usize,
    /// `columns * rows * 4` bytes, row-major, first row on top.
    pub rgba: Vec<u8>,
}

/// A part of a scene; later ones cover earlier ones.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A line through points.
    Line {
        /// The points.
        points: Vec<Point>,
        /// How it is drawn.
        stroke: Stroke,
    },
    /// The inside of a polygon.
    Area {
        /// Corners; the last is joined to the first.
        points: Vec<Point>,
        /// Colour.
        color: Rgb,
        /// Opacity, 0..=1.
        alpha: f32,
    },
    /// Words.
    Text(Text),
    /// A picture.
    Picture(Picture),
}

/// A figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// Width, points.
    pub width: f32,
    /// Height, points.
    pub height: f32,
    /// What is in it.
    pub items: Vec<Item>,
}

impl Scene {
    /// An empty scene.
    pub fn new(width: f32, height: f32) -> Self {
        Self {
            width,
            height,
            items: Vec::new(),
        }
    }

    /// Adds a line.
    pub fn line(&mut self, points: Vec<Point>, stroke: Stroke) {
        if points.len() > 1 {
            self.items.push(Item::Line { points, stroke });
        }
    }

    /// Adds a filled polygon.
    pub fn area(&mut self, points: Vec<Point>, color: Rgb, alpha: f32) {
        if points.len() > 2 {
            self.items.push(Item::Area {
                points,
                color,
                alpha,
            });
        }
    }

    /// Adds a filled rectangle.
    pub fn rect(&mut self, [x, y, w, h]: [f32; 4], color: Rgb, alpha: f32) {
        let corners = vec![[x, y], [x + w, y], [x + w, y + h], [x, y + h]];
        self.area(corners, color, alpha);
    }

    /// Adds words that run to the right.
    pub fn text(
        &mut self,
        at: Point,
        anchor: Anchor,
        size: f32,
        color: Rgb,
        text: impl Into<String>,
    ) {
        self.items.push(Item::Text(Text {
            at,
            anchor,
            size,
            color,
            upwards: false,
            text: text.into(),
        }));
    }

    /// Adds words in the middle of a place that run upwards.
    pub fn text_upwards(&mut self, at: Point, size: f32, color: Rgb, text: impl Into<String>) {
        self.items.push(Item::Text(Text {
            at,
            anchor: Anchor::Middle,
            size,
            color,
            upwards: true,
            text: text.into(),
        }));
    }
}

/// The pieces of a line that lie within a rectangle (left, top, width, height).
pub fn clip_line(points: &[Point], [x, y, w, h]: [f32; 4]) -> Vec<Vec<Point>> {
    let mut out: Vec<Vec<Point>> = Vec::new();
    for pair in points.windows(2) {
        let [a, b] = [pair[0], pair[1]];
        let d = [b[0] - a[0], b[1] - a[1]];
        // Liang and Barsky: the part of the segment inside of all four edges.
        let (mut t0, mut t1, mut inside) = (0.0f32, 1.0f32, true);
        for (p, q) in [
            (-d[0], a[0] - x),
            (d[0], x + w - a[0]),
            (-d[1], a[1] - y),
            (d[1], y + h - a[1]),
        ] {
            if !(p.is_finite() && q.is_finite()) || (p == 0.0 && q < 0.0) {
                inside = false;
            } else if p < 0.0 {
                t0 = t0.max(q / p);
            } else if p > 0.0 {
                t1 = t1.min(q / p);
            }
        }
        if !inside || t0 > t1 {
            continue;
        }
        // The ends themselves, not what rounding makes of them: the next segment begins there.
        let at = |t: f32| match t {
            0.0 => a,
            1.0 => b,
            _ => [a[0] + t * d[0], a[1] + t * d[1]],
        };
        let (from, to) = (at(t0), at(t1));
        match out.last_mut() {
            Some(line) if t0 == 0.0 && line.last() == Some(&from) => line.push(to),
            _ => out.push(vec![from, to]),
        }
    }
    out
}

/// The part of a polygon within a rectangle (Sutherland and Hodgman).
pub fn clip_area(points: &[Point], [x, y, w, h]: [f32; 4]) -> Vec<Point> {
    let mut polygon: Vec<Point> = points
        .iter()
        .copied()
        .filter(|p| p.iter().all(|v| v.is_finite()))
        .collect();
    for (axis, edge, below) in [
        (0, x, false),
        (0, x + w, true),
        (1, y, false),
        (1, y + h, true),
    ] {
        let inside = |p: &Point| (p[axis] <= edge) == below || p[axis] == edge;
        let cut = |a: Point, b: Point| -> Point {
            let t = (edge - a[axis]) / (b[axis] - a[axis]);
            let mut p = [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])];
            p[axis] = edge;
            p
        };
        let mut next = Vec::with_capacity(polygon.len() + 4);
        for (i, &b) in polygon.iter().enumerate() {
            let a = polygon[(i + polygon.len() - 1) % polygon.len()];
            match (inside(&a), inside(&b)) {
                (true, true) => next.push(b),
                (true, false) => next.push(cut(a, b)),
                (false, true) => next.extend([cut(a, b), b]),
                (false, false) => {}
            }
        }
        polygon = next;
    }
    polygon
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOX: [f32; 4] = [0.0, 0.0, 10.0, 10.0];

    #[test]
    fn lines_are_cut_at_the_edges() {
        let line = [
            [-5.0, 5.0],
            [5.0, 5.0],
            [5.0, 15.0],
            [8.0, 15.0],
            [8.0, 5.0],
        ];
        let cut = clip_line(&line, BOX);
        assert_eq!(
            cut,
            vec![
                vec![[0.0, 5.0], [5.0, 5.0], [5.0, 10.0]],
                vec![[8.0, 10.0], [8.0, 5.0]]
            ]
        );
        assert!(clip_line(&[[f32::NAN, 1.0], [2.0, 2.0]], BOX).is_empty());
    }

    #[test]
    fn areas_are_cut_at_the_edges() {
        let cut = clip_area(&[[-5.0, -5.0], [5.0, -5.0], [5.0, 5.0], [-5.0, 5.0]], BOX);
        let area: f32 = (0..cut.len())
            .map(|i| {
                let (a, b) = (cut[i], cut[(i + 1) % cut.len()]);
                0.5 * (a[0] * b[1] - b[0] * a[1])
            })
            .sum();
        assert!((area.abs() - 25.0).abs() < 1e-4, "{cut:?}");
        assert!(clip_area(&[[20.0, 1.0], [30.0, 1.0], [30.0, 2.0]], BOX).is_empty());
    }
}
