//! The studies, one file each.

pub mod gaussian;
pub mod wave;

use serde::{Deserialize, Serialize};

use super::results::Results;
use super::{Lab, Outcome};
use crate::error::Result;

/// What is varied and measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Kind {
    /// A travelling wave: are speed and direction recovered?
    TravellingWave(wave::Study),
    /// The Gaussian world: learned against exact discriminator.
    GaussianWorld(gaussian::Study),
}

impl Kind {
    /// Checks every value against its range.
    ///
    /// # Errors
    /// Names the value.
    pub fn validate(&self) -> Result<()> {
        match self {
            Self::TravellingWave(s) => s.validate(),
            Self::GaussianWorld(s) => s.validate(),
        }
    }

    /// Makes the study.
    ///
    /// # Errors
    /// A stop, or something that cannot be made.
    pub fn run(&self, lab: &Lab, results: &mut Results) -> Outcome<()> {
        match self {
            Self::TravellingWave(s) => s.run(lab, results),
            Self::GaussianWorld(s) => s.run(lab, results),
        }
    }
}
