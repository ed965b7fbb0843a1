//! Lines on a canvas, with soft edges.

use crate::render::lines::Path;

use super::canvas::{Canvas, Rgb};

/// A rectangle of a canvas: left, top, width, height, pixels.
pub type Area = (i64, i64, usize, usize);

/// Draws paths (points in 0..1 of the area, `v` upwards) with a line of `width` pixels. Where lines meet or cross they are
/// as opaque as elsewhere.
pub fn draw(
    canvas: &mut Canvas,
    (left, top, width, height): Area,
    paths: &[Path],
    line: f32,
    color: Rgb,
    alpha: f32,
) {
    let mut cover = vec![0.0f32; width * height];
    let reach = line / 2.0 + 0.5;
    for pair in paths.iter().flat_map(|p| p.windows(2)) {
        let at = |[u, v]: [f32; 2]| (u * width as f32, (1.0 - v) * height as f32);
        let ((x0, y0), (x1, y1)) = (at(pair[0]), at(pair[1]));
        let range = |a: f32, b: f32, end: usize| {
            let from = (a.min(b) - reach).floor().clamp(0.0, end as f32) as usize;
            let to = (a.max(b) + reach).ceil().clamp(0.0, end as f32) as usize;
            from..to
        };
        let (dx, dy) = (x1 - x0, y1 - y0);
        let square = dx * dx + dy * dy;
        for row in range(y0, y1, height) {
            for column in range(x0, x1, width) {
                let (px, py) = (column as f32 + 0.5 - x0, row as f32 + 0.5 - y0);
                let t = if square > 0.0 {
                    ((px * dx + py * dy) / square).clamp(0.0, 1.0)
                } else {
                    0.0
                };
                let distance = (px - t * dx).hypot(py - t * dy);
                let slot = &mut cover[row * width + column];
                *slot = slot.max((reach - distance).clamp(0.0, 1.0));
            }
        }
    }
    for (i, cover) in cover.into_iter().enumerate().filter(|(_, c)| *c > 0.0) {
        let (column, row) = ((i % width) as i64, (i / width) as i64);
        canvas.blend(left + column, top + row, color, alpha * cover);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_as_wide_as_asked_and_stays_in_its_area() {
        let mut canvas = Canvas::new(20, 20, [0; 3]);
        let paths = [vec![[-1.0, 0.5], [0.5, 0.5], [3.0, 0.5]]];
        draw(&mut canvas, (5, 5, 10, 10), &paths, 2.0, [255; 3], 1.0);
        let at = |x: usize, y: usize| canvas.pixels[(y * 20 + x) * 4];
        assert_eq!((at(10, 9), at(10, 10)), (255, 255));
        assert_eq!((at(10, 7), at(10, 12)), (0, 0));
        assert_eq!((at(4, 9), at(15, 9)), (0, 0));
    }
}
