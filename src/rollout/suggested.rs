//! Settings as a model's card suggests them.

use super::settings::{DiscriminatorKind, GuidanceSettings, Settings};
use crate::model::ModelCard;

/// The settings of a model without any option: what its card suggests for this discriminator.
pub fn suggested(card: &ModelCard, discriminator: DiscriminatorKind) -> Settings {
    let mut settings = Settings::default();
    settings.guidance.discriminator = discriminator;
    suggest(card, &mut settings.guidance);
    settings
}

/// Puts in what the card suggests for the discriminator in force: strengths and history length.
pub fn suggest(card: &ModelCard, guidance: &mut GuidanceSettings) {
    let strength = match guidance.discriminator {
        DiscriminatorKind::TwoTower => card.two_tower.as_ref().map(|c| c.suggested_strength),
        DiscriminatorKind::Encoder => card.encoder.as_ref().map(|c| c.suggested_strength),
    };
    guidance.strength = strength.unwrap_or(1.0);
    guidance.history = suggested_history(card, guidance.discriminator);
    if let Some(video) = &card.video {
        guidance.video_strength = video.suggested_strength;
    }
}

/// History length m that the card suggests for a discriminator.
pub fn suggested_history(card: &ModelCard, discriminator: DiscriminatorKind) -> usize {
    let tower = card.two_tower.as_ref();
    match (discriminator, tower) {
        (DiscriminatorKind::TwoTower, Some(tower)) => tower.suggested_history,
        _ => GuidanceSettings::default().history,
    }
}
