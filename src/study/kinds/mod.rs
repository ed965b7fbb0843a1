//! The studies, one file each.

pub mod ablation;
pub mod character;
pub mod discriminators;
pub mod gaussian;
pub mod negatives;
pub mod overfitting;
pub mod schedules;
pub mod tracer;
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
    /// Which false successors to learn from.
    Negatives(negatives::Study),
    /// Whether the discriminator learns its frames by heart.
    Overfitting(overfitting::Study),
    /// Data of other temporal character.
    Character(character::Study),
    /// The paper's encoder beside the two-tower discriminator.
    Discriminators(discriminators::Study),
    /// Other noise schedules.
    Schedules(schedules::Study),
    /// Strength, history length and steps of a shipped model.
    Ablation(ablation::Study),
    /// Vorticity and a tracer at once.
    Tracer(tracer::Study),
}

impl Kind {
    /// Whether it trains networks of its own.
    pub fn trains(&self) -> bool {
        !matches!(self, Self::Ablation(_))
    }

    /// Checks every value against its range.
    ///
    /// # Errors
    /// Names the value.
    pub fn validate(&self) -> Result<()> {
        match self {
            Self::TravellingWave(s) => s.validate(),
            Self::GaussianWorld(s) => s.validate(),
            Self::Negatives(s) => s.validate(),
            Self::Overfitting(s) => s.validate(),
            Self::Character(s) => s.validate(),
            Self::Discriminators(s) => s.validate(),
            Self::Schedules(s) => s.validate(),
            Self::Ablation(s) => s.validate(),
            Self::Tracer(s) => s.validate(),
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
            Self::Negatives(s) => s.run(lab, results),
            Self::Overfitting(s) => s.run(lab, results),
            Self::Character(s) => s.run(lab, results),
            Self::Discriminators(s) => s.run(lab, results),
            Self::Schedules(s) => s.run(lab, results),
            Self::Ablation(s) => s.run(lab, results),
            Self::Tracer(s) => s.run(lab, results),
        }
    }
}
