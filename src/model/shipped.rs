//! The models inside the binary, so that the program runs from any folder.

use std::borrow::Cow;

use super::{Model, ModelCard};
use crate::error::Result;

/// Names of the shipped models.
pub const NAMES: &[&str] = &["vorticity"];

/// The shipped model of that name.
///
/// # Errors
/// A card that does not parse: a fault of the build, which a test rules out.
pub fn open(name: &str) -> Result<Option<Model>> {
    if name != "vorticity" {
        return Ok(None);
    }
    let card = include_str!("../../models/vorticity/model.toml");
    Ok(Some(Model {
        card: ModelCard::parse(card, "of the shipped model vorticity")?,
        origin: "shipped".into(),
        denoiser: Cow::Borrowed(include_bytes!(
            "../../models/vorticity/denoiser.safetensors"
        )),
        tower: Some(Cow::Borrowed(include_bytes!(
            "../../models/vorticity/tower.safetensors"
        ))),
        encoder: Some(Cow::Borrowed(include_bytes!(
            "../../models/vorticity/encoder.safetensors"
        ))),
        fields: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_model_opens_and_is_small() {
        for name in NAMES {
            let model = open(name).unwrap().unwrap();
            assert_eq!(model.card.name, *name);
            assert!(model.weight_bytes() < 8_000_000);
            assert!(model.card.two_tower.is_some() && model.card.encoder.is_some());
        }
    }
}
