//! Settings as a model's card suggests them.

use super::settings::{DiscriminatorKind, Settings};
use crate::model::ModelCard;

/// The settings of a model without any option: its suggested strengths for this discriminator.
pub fn suggested(card: &ModelCard, discriminator: DiscriminatorKind) -> Settings {
    let strength = match discriminator {
        DiscriminatorKind::TwoTower => card.two_tower.as_ref().map(|c| c.suggested_strength),
        DiscriminatorKind::Encoder => card.encoder.as_ref().map(|c| c.suggested_strength),
    };
    let mut settings = Settings::default();
    settings.guidance.strength = strength.unwrap_or(1.0);
    settings.guidance.discriminator = discriminator;
    if let Some(video) = &card.video {
        settings.guidance.video_strength = video.suggested_strength;
    }
    settings
}
