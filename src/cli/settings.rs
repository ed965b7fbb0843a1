//! Settings as a model's card suggests them: where every command begins.

use crate::error::{Result, UserError};
use crate::model::ModelCard;
use crate::rollout::settings::{DiscriminatorKind, Settings};

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

/// Refuses to tell the date to a model that cannot be told.
///
/// # Errors
/// If it is asked for and the discriminator was trained without the day of the year.
pub fn check_season(card: &ModelCard, asked: bool) -> Result<()> {
    if asked && !card.two_tower.as_ref().is_some_and(|t| t.season) {
        return Err(UserError::new(
            format!("The model {} knows no season", card.name),
            "its discriminator was trained without the day of the year",
            "leave --season out, or use a model that was trained with it",
        ));
    }
    Ok(())
}
