//! A scene as pixels.

use crate::error::{Result, UserError};
use crate::export::canvas::{Canvas, Rgb};
use crate::export::text::{Piece, Typeface, coverage};

use super::scene::{Anchor, Item, Picture, Point, Scene, Stroke, Text};

/// Draws a scene with `scale` pixels a point.
pub fn raster(scene: &Scene, scale: f32) -> Canvas {
    let width = (scene.width * scale).round().max(1.0) as usize;
    let height = (scene.height * scale).round().max(1.0) as usize;
    let mut canvas = Canvas::new(width, height, [255; 3]);
    let face = Typeface::default();
    for item in &scene.items {
        match item {
            Item::Line { points, stroke } => line(&mut canvas, points, stroke, scale),
            Item::Area {
                points,
                color,
                alpha,
            } => {
                let mut pieces = Vec::new();
                polygon(points, scale, &mut pieces);
                fill(&mut canvas, &pieces, *color, *alpha);
            }
            Item::Text(text) => words(&mut canvas, &face, text, scale),
            Item::Picture(picture) => stretch(&mut canvas, picture, scale),
        }
    }
    canvas
}

/// Pixels as the bytes of a PNG file, with texts (keyword and text) beside them. `None` where their number does not fit.
pub fn png(width: usize, height: usize, rgba: &[u8], texts: &[(&str, String)]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    // Without a transparent pixel a quarter of the bytes says nothing.
    let opaque = rgba.chunks_exact(4).all(|p| p[3] == 255);
    let rgb: Vec<u8> = match opaque {
        true => rgba
            .chunks_exact(4)
            .flat_map(|p| [p[0], p[1], p[2]])
            .collect(),
        false => Vec::new(),
    };
    let (kind, pixels) = match opaque {
        true => (png::ColorType::Rgb, &rgb[..]),
        false => (png::ColorType::Rgba, rgba),
    };
    encoder.set_color(kind);
    encoder.set_depth(png::BitDepth::Eight);
    for (keyword, text) in texts {
        encoder
            .add_itxt_chunk((*keyword).into(), text.clone())
            .ok()?;
    }
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(pixels).ok()?;
    writer.finish().ok()?;
    Some(bytes)
}

/// A scene as the bytes of a PNG file that carries its recipe.
///
/// # Errors
/// A scene without a pixel.
pub fn png_of_scene(scene: &Scene, scale: f32, recipe: &str) -> Result<Vec<u8>> {
    let canvas = raster(scene, scale);
    let texts = [
        ("eddyscope-recipe", recipe.to_owned()),
        (
            "Software",
            format!("eddyscope {}", env!("CARGO_PKG_VERSION")),
        ),
    ];
    png(canvas.width, canvas.height, &canvas.pixels, &texts).ok_or_else(|| {
        UserError::new(
            "Cannot draw a figure",
            format!("its size is {} x {} pixels", canvas.width, canvas.height),
            "this is a fault of the program; please report it",
        )
    })
}

fn fill(canvas: &mut Canvas, pieces: &[Piece], color: Rgb, alpha: f32) {
    let cover = coverage(pieces, 0.0);
    for (i, c) in cover.coverage.iter().enumerate() {
        if *c > 0.0 {
            let x = cover.left + (i % cover.width) as i64;
            let y = cover.top + (i / cover.width) as i64;
            canvas.blend(x, y, color, alpha * c);
        }
    }
}

/// Adds the edges of a polygon, all polygons in the same sense of rotation, so that where they overlap they count once.
fn polygon(points: &[Point], scale: f32, pieces: &mut Vec<Piece>) {
    let n = points.len();
    let twice: f32 = (0..n)
        .map(|i| {
            let (a, b) = (points[i], points[(i + 1) % n]);
            a[0] * b[1] - b[0] * a[1]
        })
        .sum();
    let at = |p: Point| (p[0] * scale, p[1] * scale);
    for i in 0..n {
        let (a, b) = (at(points[i]), at(points[(i + 1) % n]));
        pieces.push(if twice >= 0.0 { [a, b] } else { [b, a] });
    }
}

fn line(canvas: &mut Canvas, points: &[Point], stroke: &Stroke, scale: f32) {
    let mut pieces = Vec::new();
    // A hairline thinner than a pixel would fade.
    let half = 0.5 * stroke.width.max(1.0 / scale);
    for dash in dashes(points, stroke.dash) {
        for pair in dash.windows(2) {
            let [a, b] = [pair[0], pair[1]];
            let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
            let length = dx.hypot(dy);
            if length <= 0.0 {
                continue;
            }
            let n = [-dy / length * half, dx / length * half];
            let quad = [
                [a[0] + n[0], a[1] + n[1]],
                [b[0] + n[0], b[1] + n[1]],
                [b[0] - n[0], b[1] - n[1]],
                [a[0] - n[0], a[1] - n[1]],
            ];
            polygon(&quad, scale, &mut pieces);
        }
        // Round joins.
        for p in dash.iter().skip(1).take(dash.len().saturating_sub(2)) {
            polygon(&disc(*p, half, 10), scale, &mut pieces);
        }
    }
    fill(canvas, &pieces, stroke.color, stroke.alpha);
}

/// A disc as a polygon.
pub fn disc([x, y]: Point, radius: f32, corners: usize) -> Vec<Point> {
    (0..corners)
        .map(|i| {
            let angle = std::f32::consts::TAU * i as f32 / corners as f32;
            [x + radius * angle.cos(), y + radius * angle.sin()]
        })
        .collect()
}

/// A line cut into its dashes.
fn dashes(points: &[Point], pattern: &[f32]) -> Vec<Vec<Point>> {
    if pattern.is_empty() || pattern.iter().any(|v| *v <= 0.0) {
        return vec![points.to_vec()];
    }
    let mut out = Vec::new();
    let (mut index, mut left) = (0, pattern[0]);
    let mut dash: Vec<Point> = points.first().map(|p| vec![*p]).unwrap_or_default();
    for pair in points.windows(2) {
        let [mut a, b] = [pair[0], pair[1]];
        loop {
            let length = (b[0] - a[0]).hypot(b[1] - a[1]);
            if length <= left {
                left -= length;
                dash.push(b);
                break;
            }
            let t = left / length;
            a = [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])];
            dash.push(a);
            if index % 2 == 0 {
                out.push(std::mem::take(&mut dash));
            }
            dash = vec![a];
            index += 1;
            left = pattern[index % pattern.len()];
        }
    }
    if index % 2 == 0 {
        out.push(dash);
    }
    out
}

fn words(canvas: &mut Canvas, face: &Typeface, text: &Text, scale: f32) {
    let size = text.size * scale;
    let width = face.width(&text.text, size);
    let start = match text.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => -0.5 * width,
        Anchor::End => -width,
    };
    let (x, y) = (text.at[0] * scale, text.at[1] * scale);
    let mut pieces: Vec<Piece> = Vec::new();
    for glyph in face.layout(&text.text, size) {
        let pen = start + glyph.x;
        for piece in face.pieces(glyph.id, size) {
            pieces.push(piece.map(|(gx, gy)| match text.upwards {
                false => (x + pen + gx, y + gy),
                true => (x + gy, y - pen - gx),
            }));
        }
    }
    fill(canvas, &pieces, text.color, 1.0);
}

fn stretch(canvas: &mut Canvas, picture: &Picture, scale: f32) {
    let [x, y, w, h] = picture.area.map(|v| v * scale);
    let (left, top) = (x.round() as i64, y.round() as i64);
    let (right, bottom) = ((x + w).round() as i64, (y + h).round() as i64);
    if picture.rgba.len() != picture.columns * picture.rows * 4 || right <= left || bottom <= top {
        return;
    }
    for row in top..bottom {
        let from = (row - top) as usize * picture.rows / (bottom - top) as usize;
        for column in left..right {
            let across = (column - left) as usize * picture.columns / (right - left) as usize;
            let at = (from * picture.columns + across) * 4;
            if let [r, g, b, a] = picture.rgba[at..at + 4] {
                canvas.blend(column, row, [r, g, b], f32::from(a) / 255.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dark(canvas: &Canvas) -> f32 {
        let light: f32 = canvas
            .pixels
            .chunks_exact(4)
            .map(|p| f32::from(p[0]) / 255.0)
            .sum();
        (canvas.width * canvas.height) as f32 - light
    }

    #[test]
    fn a_line_covers_its_length_times_its_width_once() {
        let mut scene = Scene::new(40.0, 40.0);
        let there_and_back = vec![[5.0, 20.0], [35.0, 20.0], [5.0, 20.0]];
        scene.line(there_and_back, Stroke::solid([0; 3], 2.0));
        let ink = dark(&raster(&scene, 2.0)) / 4.0;
        assert!((ink - 60.0).abs() < 2.5, "{ink}");
    }

    #[test]
    fn dashes_leave_their_gaps() {
        let cut = dashes(&[[0.0, 0.0], [4.0, 0.0], [10.0, 0.0]], &[3.0, 2.0]);
        let ends: Vec<_> = cut.iter().map(|d| (d[0][0], d[d.len() - 1][0])).collect();
        assert_eq!(
            ends,
            [(0.0, 3.0), (5.0, 8.0), (10.0, 10.0)][..ends.len()].to_vec()
        );
    }

    #[test]
    fn words_that_run_upwards_are_as_black_as_others() {
        let mut across = Scene::new(60.0, 60.0);
        across.text([30.0, 30.0], Anchor::Middle, 12.0, [0; 3], "vorticity");
        let mut up = Scene::new(60.0, 60.0);
        up.text_upwards([30.0, 30.0], 12.0, [0; 3], "vorticity");
        let (a, b) = (dark(&raster(&across, 3.0)), dark(&raster(&up, 3.0)));
        assert!(a > 100.0 && (a / b - 1.0).abs() < 0.02, "{a} {b}");
    }
}
