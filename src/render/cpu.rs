//! The picture of `shaders/field.wgsl`, made on the CPU: for files and for tests.

use super::{Look, View};

/// Colour of a value: red, green, blue (sRGB). Not a number and infinities are mid-grey.
pub fn color_of(value: f32, look: &Look) -> [u8; 3] {
    if !value.is_finite() {
        return [128, 128, 128];
    }
    match &look.rain {
        Some(rain) if value < rain.dry_below => rain.dry,
        _ => look.color_at(look.place(value)),
    }
}

/// Value of a periodic field at `place` (in cells, x to the right, y upwards): the nearest cell, or bilinear between
/// cell centres.
pub fn sample(values: &[f32], nx: usize, ny: usize, place: [f32; 2], smooth: bool) -> f32 {
    let wrapped = |column: i64, row: i64| {
        let column = column.rem_euclid(nx as i64) as usize;
        let row = row.rem_euclid(ny as i64) as usize;
        values[row * nx + column]
    };
    if !smooth {
        return wrapped(place[0].floor() as i64, place[1].floor() as i64);
    }
    let centred = [place[0] - 0.5, place[1] - 0.5];
    let cell = centred.map(f32::floor);
    let f = [centred[0] - cell[0], centred[1] - cell[1]];
    let (i, j) = (cell[0] as i64, cell[1] as i64);
    // As WGSL's mix: exact at both ends.
    let mix = |a: f32, b: f32, t: f32| a * (1.0 - t) + b * t;
    let lower = mix(wrapped(i, j), wrapped(i + 1, j), f[0]);
    let upper = mix(wrapped(i, j + 1), wrapped(i + 1, j + 1), f[0]);
    mix(lower, upper, f[1])
}

/// Draws a field of `ny` x `nx` values as `height` x `width` RGBA pixels, the first row on top.
///
/// A field that does not have `nx * ny` values gives an all-grey picture.
pub fn rasterise(
    values: &[f32],
    (nx, ny): (usize, usize),
    view: &View,
    look: &Look,
    (width, height): (usize, usize),
) -> Vec<u8> {
    let whole = values.len() == nx * ny && nx > 0 && ny > 0;
    let (origin, span) = view.window(nx, ny);
    let mut pixels = Vec::with_capacity(width * height * 4);
    for row in 0..height {
        let v = 1.0 - (row as f32 + 0.5) / height as f32;
        for column in 0..width {
            let u = (column as f32 + 0.5) / width as f32;
            let value = if whole {
                let place = [origin[0] + u * span[0], origin[1] + v * span[1]];
                sample(values, nx, ny, place, look.smooth)
            } else {
                f32::NAN
            };
            let [r, g, b] = color_of(value, look);
            pixels.extend_from_slice(&[r, g, b, 255]);
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{ColorMap, ValueRange};

    fn look(smooth: bool) -> Look {
        Look::plain(ColorMap::Gray, ValueRange::symmetric(1.0), smooth)
    }

    #[test]
    fn row_zero_is_at_the_bottom() {
        let values = [-1.0, -1.0, 1.0, 1.0];
        let pixels = rasterise(&values, (2, 2), &View::default(), &look(false), (2, 2));
        assert!(pixels[0] > 250 && pixels[4] > 250, "upper row is bright");
        assert!(pixels[8] < 5 && pixels[12] < 5, "lower row is dark");
    }

    #[test]
    fn smooth_passes_through_cell_centres_and_wraps() {
        let values = [0.0, 1.0, 2.0, 3.0];
        for (i, v) in values.iter().enumerate() {
            assert_eq!(sample(&values, 4, 1, [i as f32 + 0.5, 0.5], true), *v);
        }
        assert_eq!(sample(&values, 4, 1, [0.0, 0.5], true), 1.5);
        assert_eq!(sample(&values, 4, 1, [-0.5, 0.5], false), 3.0);
    }

    #[test]
    fn bad_values_and_shapes_are_grey() {
        assert_eq!(color_of(f32::NAN, &look(false)), [128; 3]);
        assert_eq!(color_of(f32::INFINITY, &look(false)), [128; 3]);
        let pixels = rasterise(&[1.0], (2, 2), &View::default(), &look(false), (1, 1));
        assert_eq!(pixels, [128, 128, 128, 255]);
    }
}
