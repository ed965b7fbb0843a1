//! Settings as a model's card suggests them: where every command begins.

use crate::error::{Result, UserError};
use crate::model::ModelCard;
pub use crate::rollout::suggested::suggested;

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
