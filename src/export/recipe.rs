//! Everything needed to make a picture again.

use serde::{Deserialize, Serialize};

use crate::data::Date;
use crate::error::{Result, UserError};
use crate::render::{ColorMap, GlobeView, Scale, ValueRange, View};
use crate::rollout::settings::{RolloutSpec, Settings};

/// What made a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Program that wrote it: `eddyscope`.
    pub program: String,
    /// Version of the program.
    pub version: String,
    /// Name of the model.
    pub model: String,
    /// sha256 of the model's weights, hex.
    pub model_hash: String,
    /// Device that computed the frames.
    pub device: String,
    /// Settings in force when the frame was made.
    pub settings: Settings,
    /// Seed, members, start file.
    pub rollout: RolloutSpec,
    /// Frame number.
    pub frame: usize,
    /// Time of the frame, the solver's unit.
    pub time: f64,
    /// Member shown.
    pub member: usize,
    /// Colour map.
    pub color_map: ColorMap,
    /// Values of the first and the last colour, physical units.
    pub range: ValueRange,
    /// What part of the box is seen.
    pub view: View,
    /// What belongs to the globe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub globe: Option<GlobeRecipe>,
}

/// What made a picture of the globe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GlobeRecipe {
    /// Date of the frame.
    pub date: Option<Date>,
    /// Recording that gave the start and the truth lane.
    pub recording: String,
    /// Projection and what is seen.
    pub view: GlobeView,
    /// Scale of the colours.
    pub scale: Scale,
    /// Coastlines.
    pub coast: bool,
    /// Meridians and parallels.
    pub graticule: bool,
    /// The last colour of the map is that of the smallest amount.
    pub flipped: bool,
}

impl Recipe {
    /// The recipe as JSON.
    ///
    /// # Errors
    /// None in practice: every part can be written as JSON.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self).map_err(|e| {
            UserError::new(
                "Cannot write the recipe of the picture",
                e,
                "Please report this with the settings that were used",
            )
        })
    }

    /// Reads a recipe written by [`Self::to_json`].
    ///
    /// # Errors
    /// The text is not such a recipe.
    pub fn from_json(json: &str) -> Result<Self> {
        serde_json::from_str(json).map_err(|e| {
            UserError::new(
                "Cannot read the recipe of the picture",
                e,
                "Use a picture saved by this version of eddyscope",
            )
        })
    }
}
