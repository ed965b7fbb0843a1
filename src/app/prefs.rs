//! What persists between two runs: settings, layout, theme.

use serde::{Deserialize, Serialize};

use crate::render::{ColorMap, ValueRange};
use crate::rollout::settings::{RolloutSpec, Settings};

/// Key in the store of the window system's library.
pub const KEY: &str = "eddyscope-state";
const VERSION: u32 = 1;

/// Tabs of the diagnostics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tab {
    /// Autocorrelation, frame-to-frame difference, spread.
    Time,
    /// Space-time diagrams.
    Hovmoeller,
    /// D against noise level.
    Discriminator,
    /// Dynamics skill.
    Dynamics,
    /// Time series of one cell.
    Probe,
}

impl Tab {
    /// All tabs, left to right, with their names.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Time, "Time"),
        (Self::Hovmoeller, "Hovmöller"),
        (Self::Discriminator, "D"),
        (Self::Dynamics, "Dynamics"),
        (Self::Probe, "Probe"),
    ];
}

/// Which sections of the controls are open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Folds {
    /// Guidance: interval and discriminator.
    pub guidance: bool,
    /// Sampler.
    pub sampler: bool,
    /// Rollout.
    pub rollout: bool,
    /// Lanes.
    pub lanes: bool,
    /// Picture.
    pub picture: bool,
}

impl Default for Folds {
    fn default() -> Self {
        Self {
            guidance: false,
            sampler: false,
            rollout: false,
            lanes: true,
            picture: false,
        }
    }
}

/// Saved state of the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prefs {
    version: u32,
    /// Settings of guidance, sampler and lanes.
    pub settings: Settings,
    /// Seed, members, start file.
    pub spec: RolloutSpec,
    /// `None` follows the system.
    pub dark: Option<bool>,
    /// `None` follows the theme: dark centre on dark, light centre on light.
    pub color_map: Option<ColorMap>,
    /// `None` follows the data: about three standard deviations.
    pub range_limit: Option<f32>,
    /// Bilinear instead of nearest cell.
    pub smooth: bool,
    /// Tab of the diagnostics.
    pub tab: Tab,
    /// Open sections.
    pub folds: Folds,
    /// Whether the first words of help were dismissed.
    pub tips_dismissed: bool,
    /// Playback speed, multiples of the base rate.
    pub speed: f32,
    /// Last folder of a saved picture.
    pub save_folder: Option<std::path::PathBuf>,
}

impl Default for Prefs {
    fn default() -> Self {
        Self {
            version: VERSION,
            settings: Settings::default(),
            spec: RolloutSpec::default(),
            dark: None,
            color_map: None,
            range_limit: None,
            smooth: false,
            tab: Tab::Time,
            folds: Folds::default(),
            tips_dismissed: false,
            speed: 1.0,
            save_folder: None,
        }
    }
}

impl Prefs {
    /// Reads saved state. What cannot be read, or does not hold together, gives the defaults and a line in the log.
    pub fn from_json(json: &str) -> Self {
        let read = || -> Result<Self, String> {
            let prefs: Self = serde_json::from_str(json).map_err(|e| e.to_string())?;
            if prefs.version != VERSION {
                return Err(format!("version {} instead of {VERSION}", prefs.version));
            }
            prefs.settings.validate().map_err(|e| e.headline)?;
            if !(1..=64).contains(&prefs.spec.members) {
                return Err(format!("{} members", prefs.spec.members));
            }
            if !(prefs.speed.is_finite() && prefs.speed > 0.0) {
                return Err(format!("speed {}", prefs.speed));
            }
            Ok(prefs)
        };
        read().unwrap_or_else(|why| {
            log::warn!(
                "saved state of the window is not usable ({why}): starting from the defaults"
            );
            Self::default()
        })
    }

    /// Saved form.
    pub fn to_json(&self) -> Option<String> {
        serde_json::to_string(self)
            .inspect_err(|e| log::warn!("cannot save the state of the window: {e}"))
            .ok()
    }

    /// The colour map in force.
    pub fn map(&self, dark: bool) -> ColorMap {
        self.color_map.unwrap_or(if dark {
            ColorMap::Berlin
        } else {
            ColorMap::Vik
        })
    }

    /// The range of colours in force, for data of standard deviation `std`.
    pub fn range(&self, std: f64) -> ValueRange {
        match self.range_limit {
            Some(limit) if limit > 0.0 && limit.is_finite() => ValueRange::symmetric(limit),
            _ => ValueRange::for_std(std),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let mut prefs = Prefs::default();
        prefs.settings.guidance.strength = 0.35;
        prefs.color_map = Some(ColorMap::RdBu);
        let json = prefs.to_json().unwrap_or_default();
        assert_eq!(Prefs::from_json(&json), prefs);
    }

    #[test]
    fn unreadable_or_impossible_state_gives_the_defaults() {
        let old = Prefs {
            version: 0,
            ..Prefs::default()
        };
        let mut bad = Prefs::default();
        bad.settings.guidance.strength = -3.0;
        for json in [
            "".to_owned(),
            "{}".to_owned(),
            "nonsense".to_owned(),
            old.to_json().unwrap_or_default(),
            bad.to_json().unwrap_or_default(),
        ] {
            assert_eq!(Prefs::from_json(&json), Prefs::default(), "{json}");
        }
    }
}
