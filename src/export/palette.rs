//! A table of at most 256 colours for the pictures of a GIF: exactly theirs where they have no more, otherwise the
//! means of boxes that the colours are cut into (Heckbert 1982, median cut).

use std::collections::HashMap;

use super::canvas::Rgb;

/// The table.
#[derive(Debug, Clone)]
pub(super) struct Palette {
    colors: Vec<Rgb>,
    known: HashMap<Rgb, u8>,
}

impl Palette {
    /// The table for some pictures (RGBA).
    pub(super) fn of<'a>(pictures: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut counts: HashMap<Rgb, usize> = HashMap::new();
        for pixels in pictures {
            for p in pixels.chunks_exact(4) {
                *counts.entry([p[0], p[1], p[2]]).or_default() += 1;
            }
        }
        // In a fixed order: the same pictures give the same bytes.
        let mut all: Vec<(Rgb, usize)> = counts.into_iter().collect();
        all.sort_unstable();
        let colors: Vec<Rgb> = if all.len() <= 256 {
            all.iter().map(|c| c.0).collect()
        } else {
            boxes(all).iter().map(|b| mean(b)).collect()
        };
        Self {
            colors,
            known: HashMap::new(),
        }
    }

    /// Red, green, blue of each colour.
    pub(super) fn bytes(&self) -> &[u8] {
        self.colors.as_flattened()
    }

    /// The nearest colour of each pixel (RGBA).
    pub(super) fn indices(&mut self, pixels: &[u8]) -> Vec<u8> {
        let colors = &self.colors;
        pixels
            .chunks_exact(4)
            .map(|p| {
                let color = [p[0], p[1], p[2]];
                *self
                    .known
                    .entry(color)
                    .or_insert_with(|| nearest(colors, color))
            })
            .collect()
    }
}

fn nearest(colors: &[Rgb], color: Rgb) -> u8 {
    let distance = |c: &Rgb| -> i32 {
        c.iter()
            .zip(color)
            .map(|(a, b)| (i32::from(*a) - i32::from(b)).pow(2))
            .sum()
    };
    let best = colors.iter().enumerate().min_by_key(|(_, c)| distance(c));
    best.map_or(0, |(i, _)| i as u8)
}

/// Cuts the colours into 256 boxes: always the one with the largest spread, at the median of its longest side.
fn boxes(all: Vec<(Rgb, usize)>) -> Vec<Vec<(Rgb, usize)>> {
    let mut boxes = vec![all];
    while boxes.len() < 256 {
        let widest = boxes
            .iter()
            .enumerate()
            .map(|(i, b)| (i, longest(b)))
            .max_by_key(|(_, (_, side))| *side);
        let Some((at, (channel, side))) = widest else {
            break;
        };
        if side == 0 {
            break;
        }
        let mut whole = boxes.swap_remove(at);
        whole.sort_by_key(|(c, _)| (c[channel], *c));
        let total: usize = whole.iter().map(|c| weight(c.1)).sum();
        let mut so_far = 0;
        let median = whole.iter().position(|c| {
            so_far += weight(c.1);
            2 * so_far >= total
        });
        let cut = (median.unwrap_or(0) + 1).clamp(1, whole.len() - 1);
        let rest = whole.split_off(cut);
        boxes.extend([whole, rest]);
    }
    boxes
}

/// Large areas count more, but do not take all the colours.
fn weight(count: usize) -> usize {
    count.isqrt().max(1)
}

/// Channel in which a box is longest, and how long.
fn longest(colors: &[(Rgb, usize)]) -> (usize, u8) {
    (0..3)
        .map(|channel| {
            let values = || colors.iter().map(|(c, _)| c[channel]);
            let side = values().max().unwrap_or(0) - values().min().unwrap_or(0);
            (channel, side)
        })
        .max_by_key(|(_, side)| *side)
        .unwrap_or((0, 0))
}

fn mean(colors: &[(Rgb, usize)]) -> Rgb {
    let total: usize = colors.iter().map(|c| c.1).sum::<usize>().max(1);
    [0, 1, 2].map(|channel| {
        let sum: usize = colors
            .iter()
            .map(|(c, n)| usize::from(c[channel]) * n)
            .sum();
        ((sum + total / 2) / total) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_colours_are_kept_exactly_and_many_closely() {
        let few: Vec<u8> = (0..=255u8).flat_map(|i| [i, 255 - i, 7, 255]).collect();
        let mut palette = Palette::of([few.as_slice()]);
        let indices = palette.indices(&few);
        for (p, i) in few.chunks_exact(4).zip(indices) {
            assert_eq!(palette.colors[usize::from(i)], p[..3]);
        }
        let many: Vec<u8> = (0..=255u8)
            .flat_map(|i| (0..16u8).flat_map(move |j| [i, j * 16, i / 2, 255]))
            .collect();
        let mut palette = Palette::of([many.as_slice()]);
        assert_eq!(palette.colors.len(), 256);
        let indices = palette.indices(&many);
        let worst = many
            .chunks_exact(4)
            .zip(indices)
            .map(|(p, i)| {
                let c = palette.colors[usize::from(i)];
                (0..3).map(|k| p[k].abs_diff(c[k])).max().unwrap()
            })
            .max();
        assert!(worst < Some(24), "{worst:?}");
    }
}
