//! One colour, dash and marker a method, the same in every figure and (in colour) in the window.

use crate::export::canvas::Rgb;
use crate::rollout::settings::LaneKind;

use super::scene::Stroke;

/// Words.
pub const INK: Rgb = [0x1b, 0x1c, 0x1f];
/// Words of lesser weight.
pub const WEAK: Rgb = [0x5e, 0x62, 0x6a];
/// Hairlines.
pub const HAIR: Rgb = [0xdc, 0xdc, 0xd8];
/// Frames of charts.
pub const FRAME: Rgb = [0x9a, 0x9c, 0xa0];
/// A band in which a figure is asked to lie.
pub const ASKED: Rgb = [0xe6, 0xee, 0xe2];

/// Mark of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// A disc.
    Disc,
    /// A square.
    Square,
    /// A triangle that points upwards.
    Up,
    /// A triangle that points downwards.
    Down,
    /// A square on its corner.
    Diamond,
    /// No mark.
    None,
}

/// How a method is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Style {
    /// Colour.
    pub color: Rgb,
    /// Dash of its lines.
    pub dash: &'static [f32],
    /// Mark of its points.
    pub marker: Marker,
    /// Width of its lines, points.
    pub width: f32,
}

impl Style {
    /// The line.
    pub fn stroke(&self) -> Stroke {
        Stroke {
            color: self.color,
            alpha: 1.0,
            width: self.width,
            dash: self.dash,
        }
    }

    const fn of(color: Rgb, dash: &'static [f32], marker: Marker, width: f32) -> Self {
        Self {
            color,
            dash,
            marker,
            width,
        }
    }

    /// How a lane is drawn; the colours are those of the window's light theme.
    pub fn lane(kind: LaneKind) -> Self {
        match kind {
            LaneKind::Truth => Self::of(INK, &[], Marker::None, 2.0),
            LaneKind::Unconditional => {
                Self::of([0x4f, 0x70, 0x92], &[5.0, 3.0], Marker::Square, 1.4)
            }
            LaneKind::Guided => Self::of([0xb8, 0x62, 0x00], &[], Marker::Disc, 1.8),
            LaneKind::Forecaster => Self::of([0x76, 0x6a, 0x00], &[2.0, 2.0], Marker::Down, 1.4),
            LaneKind::Video => Self::of([0x00, 0x7a, 0x62], &[8.0, 2.5], Marker::Up, 1.6),
            LaneKind::GuidedVideo => Self::of(
                [0x7a, 0x42, 0xb4],
                &[8.0, 2.5, 2.0, 2.5],
                Marker::Diamond,
                1.6,
            ),
        }
    }

    /// The last frame for ever.
    pub const PERSISTENCE: Self = Self::of([0x8a, 0x6f, 0x5a], &[1.5, 2.5], Marker::None, 1.3);
    /// Frames of other times.
    pub const CLIMATOLOGY: Self =
        Self::of([0x8b, 0x8f, 0x96], &[7.0, 2.5, 1.5, 2.5], Marker::None, 1.3);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::theme::Palette;

    #[test]
    fn lanes_have_the_colours_of_the_window_and_are_told_apart_without_colour() {
        let palette = Palette::of(egui::Theme::Light);
        for kind in LaneKind::ALL {
            let [r, g, b, _] = palette.lane(kind).to_array();
            assert_eq!(Style::lane(kind).color, [r, g, b], "{kind:?}");
            for other in LaneKind::ALL.into_iter().filter(|o| *o != kind) {
                let (a, b) = (Style::lane(kind), Style::lane(other));
                assert!(a.marker != b.marker || a.dash != b.dash);
            }
        }
    }
}
