//! Colour maps: tables of 256 sRGB colours. Sources and licences: `assets/colormaps/README.md`.

use serde::{Deserialize, Serialize};

/// A table of 256 colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColorMap {
    /// Zero-centred, dark centre: blue - black - red. For dark surroundings.
    Berlin,
    /// Zero-centred, light centre: blue - white - red-brown. For light surroundings.
    Vik,
    /// Zero-centred, ColorBrewer's blue - white - red.
    RdBu,
    /// Sequential, dark blue - green - pink.
    Batlow,
    /// Sequential, grey.
    Gray,
    /// Sequential, dark blue - green - cream: for amounts of rain.
    Navia,
}

static BERLIN: &[u8; 768] = include_bytes!("../../assets/colormaps/berlin.rgb");
static VIK: &[u8; 768] = include_bytes!("../../assets/colormaps/vik.rgb");
static RDBU: &[u8; 768] = include_bytes!("../../assets/colormaps/rdbu.rgb");
static BATLOW: &[u8; 768] = include_bytes!("../../assets/colormaps/batlow.rgb");
static NAVIA: &[u8; 768] = include_bytes!("../../assets/colormaps/navia.rgb");
static GRAY: &[u8; 768] = include_bytes!("../../assets/colormaps/grayC.rgb");

impl ColorMap {
    /// All maps, in the order in which they are offered.
    pub const ALL: [Self; 6] = [
        Self::Berlin,
        Self::Vik,
        Self::RdBu,
        Self::Batlow,
        Self::Gray,
        Self::Navia,
    ];

    /// Name in the window and in files.
    pub fn label(self) -> &'static str {
        match self {
            Self::Berlin => "berlin",
            Self::Vik => "vik",
            Self::RdBu => "blue-white-red",
            Self::Batlow => "batlow",
            Self::Gray => "grey",
            Self::Navia => "navia",
        }
    }

    /// One line on what it is for.
    pub fn about(self) -> &'static str {
        match self {
            Self::Berlin => "zero is black; colour-blind safe",
            Self::Vik => "zero is light; colour-blind safe",
            Self::RdBu => "zero is white; colour-blind safe",
            Self::Batlow => "from low to high, even in lightness",
            Self::Gray => "from low to high, without colour",
            Self::Navia => "from low to high, blue to cream; colour-blind safe",
        }
    }

    /// Whether zero has a colour of its own in the middle.
    pub fn is_diverging(self) -> bool {
        matches!(self, Self::Berlin | Self::Vik | Self::RdBu)
    }

    /// 256 colours, 3 bytes each (red, green, blue; sRGB).
    pub fn table(self) -> &'static [u8; 768] {
        match self {
            Self::Berlin => BERLIN,
            Self::Vik => VIK,
            Self::RdBu => RDBU,
            Self::Batlow => BATLOW,
            Self::Gray => GRAY,
            Self::Navia => NAVIA,
        }
    }

    /// Colour of entry `index`.
    pub fn entry(self, index: u8) -> [u8; 3] {
        let at = usize::from(index) * 3;
        let table = self.table();
        [table[at], table[at + 1], table[at + 2]]
    }

    /// The table as RGBA, for a texture of 256 x 1.
    pub fn rgba(self) -> Vec<u8> {
        self.table()
            .chunks_exact(3)
            .flat_map(|c| [c[0], c[1], c[2], 255])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance of an sRGB colour (WCAG 2).
    fn luminance(c: [u8; 3]) -> f64 {
        let f = |v: u8| {
            let v = f64::from(v) / 255.0;
            if v <= 0.04045 {
                v / 12.92
            } else {
                ((v + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * f(c[0]) + 0.7152 * f(c[1]) + 0.0722 * f(c[2])
    }

    #[test]
    fn diverging_maps_are_told_apart_by_lightness_from_their_centre() {
        // Colour-blind safety needs the distance from zero to show in lightness, not in hue alone.
        for map in ColorMap::ALL.into_iter().filter(|m| m.is_diverging()) {
            let [left, centre, right] = [0, 128, 255].map(|i| luminance(map.entry(i)));
            assert!(
                (left - centre).abs() > 0.3 && (right - centre).abs() > 0.3,
                "{map:?} {left} {centre} {right}"
            );
            assert!((left - centre).signum() == (right - centre).signum());
        }
    }

    #[test]
    fn sequential_maps_rise_in_lightness() {
        for map in ColorMap::ALL.into_iter().filter(|m| !m.is_diverging()) {
            let steps: Vec<f64> = (0..=255u8)
                .step_by(15)
                .map(|i| luminance(map.entry(i)))
                .collect();
            assert!(steps.windows(2).all(|w| w[1] > w[0]), "{map:?} {steps:?}");
        }
    }
}
