//! What persists between two runs: settings, layout, theme.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::panels::slots::Slots;
use crate::error::{Result, UserError};
use crate::model::{DEFAULT_MODEL, Model};
use crate::render::{ColorMap, GlobeView, Scale, ValueRange};
use crate::rollout::settings::{RolloutSpec, Settings};

/// Key in the store of the window system's library.
pub const KEY: &str = "eddyscope-state";
const VERSION: u32 = 1;
/// Below this amount a cell is dry, mm/day.
pub const DRY: f32 = 0.1;

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
    /// Spectrum and distribution; zonal means and percentiles of rain.
    Space,
    /// Members against truth.
    Ensemble,
    /// Energy and enstrophy; rain's mean and wet share.
    Budget,
}

impl Tab {
    /// Tabs of a model in a periodic box, left to right, with their names.
    pub const FLAT: [(Self, &'static str); 8] = [
        (Self::Time, "Time"),
        (Self::Space, "Space"),
        (Self::Hovmoeller, "Hovmöller"),
        (Self::Discriminator, "D"),
        (Self::Dynamics, "Dynamics"),
        (Self::Ensemble, "Ensemble"),
        (Self::Budget, "Budget"),
        (Self::Probe, "Probe"),
    ];
    /// Tabs of rain on the globe.
    pub const GLOBE: [(Self, &'static str); 7] = [
        (Self::Time, "Time"),
        (Self::Space, "Space"),
        (Self::Hovmoeller, "Hovmöller"),
        (Self::Discriminator, "D"),
        (Self::Ensemble, "Ensemble"),
        (Self::Budget, "Budget"),
        (Self::Probe, "Probe"),
    ];
}

/// How the globe is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GlobePrefs {
    /// Projection, and what is seen of it.
    pub view: GlobeView,
    /// Coastlines.
    pub coast: bool,
    /// Meridians and parallels.
    pub graticule: bool,
    /// Scale of the colours.
    pub scale: Scale,
    /// Amount of the last colour, mm/day; `None` = one that fits the scale.
    pub top: Option<f32>,
}

impl Default for GlobePrefs {
    fn default() -> Self {
        Self {
            view: GlobeView::default(),
            coast: true,
            graticule: true,
            scale: Scale::Log,
            top: None,
        }
    }
}

/// What belongs to one model and comes back with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct World {
    settings: Settings,
    spec: RolloutSpec,
    color_map: Option<ColorMap>,
    range_limit: Option<f32>,
    smooth: bool,
    tab: Tab,
    slots: Slots,
}

impl Default for World {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            spec: RolloutSpec::default(),
            color_map: None,
            range_limit: None,
            smooth: false,
            tab: Tab::Time,
            slots: Slots::default(),
        }
    }
}

/// What a lesson takes the place of: the learner's model, the settings of the lesson's model, and the panels.
#[derive(Debug, Clone)]
pub struct Learner {
    model: Option<String>,
    /// Whether the lesson's model was open before.
    known: bool,
    settings: Settings,
    spec: RolloutSpec,
    tab: Tab,
    slots: Slots,
    folds: Folds,
    tips_dismissed: bool,
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
    /// Parameters of a world with known answers.
    pub world: bool,
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
            world: true,
            lanes: true,
            picture: false,
        }
    }
}

/// Saved state of the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prefs {
    version: u32,
    /// Model name or folder; `None` = the one that opens when none is asked for.
    #[serde(default)]
    pub model: Option<String>,
    /// What was set with the other models, by name or folder.
    #[serde(default)]
    worlds: BTreeMap<String, World>,
    /// How the globe is shown.
    #[serde(default)]
    pub globe: GlobePrefs,
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
    /// Tab of the diagnostics; of several slots, of the one used last.
    pub tab: Tab,
    /// Slots of the diagnostics.
    #[serde(default)]
    pub slots: Slots,
    /// Open sections.
    pub folds: Folds,
    /// Whether the first words of help were dismissed.
    pub tips_dismissed: bool,
    /// Playback speed, multiples of the base rate.
    pub speed: f32,
    /// How far each lesson was taken, by name.
    #[serde(default)]
    pub lessons: BTreeMap<String, super::lessons::Taken>,
    /// Folder of more lessons.
    #[serde(default)]
    pub lessons_folder: Option<std::path::PathBuf>,
    /// Last folder of a saved picture.
    pub save_folder: Option<std::path::PathBuf>,
    /// Files opened or saved last, the newest first.
    #[serde(default)]
    pub recent: Vec<std::path::PathBuf>,
    /// Size of everything in the window, 1 = as designed.
    #[serde(default = "plain_scale")]
    pub scale: f32,
}

fn plain_scale() -> f32 {
    1.0
}

impl Default for Prefs {
    fn default() -> Self {
        Self {
            version: VERSION,
            model: None,
            worlds: BTreeMap::new(),
            globe: GlobePrefs::default(),
            settings: Settings::default(),
            spec: RolloutSpec::default(),
            dark: None,
            color_map: None,
            range_limit: None,
            smooth: false,
            tab: Tab::Time,
            slots: Slots::default(),
            folds: Folds::default(),
            tips_dismissed: false,
            speed: 1.0,
            lessons: BTreeMap::new(),
            lessons_folder: None,
            save_folder: None,
            recent: Vec::new(),
            scale: plain_scale(),
        }
    }
}

impl Prefs {
    /// Reads saved state.
    ///
    /// # Errors
    /// What cannot be read, is of another version, or does not hold together.
    pub fn from_json(json: &str) -> Result<Self> {
        let read = || -> std::result::Result<Self, String> {
            let prefs: Self = serde_json::from_str(json).map_err(|e| e.to_string())?;
            if prefs.version != VERSION {
                return Err(format!("version {} instead of {VERSION}", prefs.version));
            }
            prefs.settings.validate().map_err(|e| e.headline)?;
            if !(1..=64).contains(&prefs.spec.members) {
                return Err(format!("{} members", prefs.spec.members));
            }
            for world in prefs.worlds.values() {
                if !world.slots.is_valid() {
                    return Err("a layout of the plots that does not hold together".to_owned());
                }
                world.settings.validate().map_err(|e| e.headline)?;
            }
            if !prefs.slots.is_valid() {
                return Err("a layout of the plots that does not hold together".to_owned());
            }
            if !(0.5..=3.0).contains(&prefs.scale) {
                return Err(format!("scale {}", prefs.scale));
            }
            if !prefs.globe.view.is_valid() {
                return Err("a view beside the globe".to_owned());
            }
            if !(prefs.speed.is_finite() && prefs.speed > 0.0) {
                return Err(format!("speed {}", prefs.speed));
            }
            Ok(prefs)
        };
        read().map_err(|why| {
            UserError::new(
                "The saved state of the window cannot be used",
                why,
                "The window begins with its defaults; what you set from now on is saved again",
            )
        })
    }

    /// Saved form.
    ///
    /// # Errors
    /// What cannot be written as text.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| {
            UserError::new(
                "The state of the window cannot be saved",
                e,
                "Your settings hold until the window is closed; save a session to keep them",
            )
        })
    }

    /// Name or folder of the model in force.
    pub fn model_name(&self) -> &str {
        self.model.as_deref().unwrap_or(DEFAULT_MODEL)
    }

    /// Folders of models that were opened, the present one among them.
    pub fn model_folders(&self) -> Vec<String> {
        let mut names: Vec<String> = self.worlds.keys().cloned().collect();
        names.push(self.model_name().to_owned());
        names.retain(|n| !Model::is_built_in(n));
        names.sort();
        names.dedup();
        names
    }

    /// Goes back to the model that opens when none is asked for, if the folder of the last one is gone.
    pub fn forget_lost_model(&mut self) {
        let name = self.model_name().to_owned();
        if !Model::is_built_in(&name) && !std::path::Path::new(&name).is_dir() {
            log::warn!("the model folder {name} is gone: opening {DEFAULT_MODEL}");
            self.switch(DEFAULT_MODEL);
            self.worlds.remove(&name);
        }
    }

    /// Puts the settings of the present model aside and takes out those of another; `false` where it was never open.
    pub fn switch(&mut self, model: &str) -> bool {
        let known = self.worlds.remove(model);
        let new = known.is_some();
        let world = known.unwrap_or_default();
        let aside = World {
            settings: std::mem::replace(&mut self.settings, world.settings),
            spec: std::mem::replace(&mut self.spec, world.spec),
            color_map: std::mem::replace(&mut self.color_map, world.color_map),
            range_limit: std::mem::replace(&mut self.range_limit, world.range_limit),
            smooth: std::mem::replace(&mut self.smooth, world.smooth),
            tab: std::mem::replace(&mut self.tab, world.tab),
            slots: std::mem::replace(&mut self.slots, world.slots),
        };
        self.worlds.insert(self.model_name().to_owned(), aside);
        self.model = Some(model.to_owned());
        new
    }

    /// Takes up a lesson's model with settings of its own; what they take the place of.
    pub(super) fn begin_lesson(
        &mut self,
        model: &str,
        settings: Settings,
        spec: RolloutSpec,
    ) -> Learner {
        let own = self.model.clone();
        let known = model == self.model_name() || self.switch(model);
        Learner {
            model: own,
            known,
            settings: std::mem::replace(&mut self.settings, settings),
            spec: std::mem::replace(&mut self.spec, spec),
            tab: std::mem::replace(&mut self.tab, Tab::Time),
            slots: self.slots.clone(),
            folds: std::mem::replace(
                &mut self.folds,
                Folds {
                    lanes: false,
                    ..Folds::default()
                },
            ),
            tips_dismissed: std::mem::replace(&mut self.tips_dismissed, true),
        }
    }

    /// Ends a lesson: its model and the learner's are as they were left. What else was set meanwhile stays.
    pub(super) fn end_lesson(&mut self, learner: Learner) {
        let lesson = self.model_name().to_owned();
        self.settings = learner.settings;
        self.spec = learner.spec;
        self.tab = learner.tab;
        self.slots = learner.slots;
        self.folds = learner.folds;
        self.tips_dismissed = learner.tips_dismissed;
        let own = learner.model.as_deref().unwrap_or(DEFAULT_MODEL);
        if own != lesson {
            self.switch(own);
            if !learner.known {
                self.worlds.remove(&lesson);
            }
        }
        self.model = learner.model;
    }

    /// The colour map in force on the globe.
    pub fn rain_map(&self) -> ColorMap {
        self.color_map
            .filter(|m| !m.is_diverging())
            .unwrap_or(ColorMap::Navia)
    }

    /// The range of colours in force on the globe, mm/day.
    pub fn rain_range(&self) -> ValueRange {
        let usual = match self.globe.scale {
            Scale::Linear => 40.0,
            Scale::Log | Scale::Quantile => 100.0,
        };
        let hi = self.globe.top.filter(|t| (1.0..=1e4).contains(t));
        ValueRange {
            lo: DRY,
            hi: hi.unwrap_or(usual),
        }
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
mod tests;
