//! The models inside the binary, so that the program runs from any folder.

use std::borrow::Cow;

use super::{Model, ModelCard};
use crate::error::Result;

/// Names of the shipped models.
pub const NAMES: &[&str] = &["vorticity", "precipitation"];

/// The shipped model of that name.
///
/// # Errors
/// A card that does not parse: a fault of the build, which a test rules out.
pub fn open(name: &str) -> Result<Option<Model>> {
    /// A file of a shipped model, as bytes.
    macro_rules! file {
        ($name:literal) => {
            Cow::Borrowed(include_bytes!(concat!("../../models/", $name)).as_slice())
        };
    }
    Ok(match name {
        "vorticity" => Some(Model {
            card: ModelCard::parse(
                include_str!("../../models/vorticity/model.toml"),
                "of the shipped model vorticity",
            )?,
            origin: "shipped".into(),
            denoiser: file!("vorticity/denoiser.safetensors"),
            tower: Some(file!("vorticity/tower.safetensors")),
            encoder: Some(file!("vorticity/encoder.safetensors")),
            video: Some(file!("vorticity/video.safetensors")),
            fields: None,
        }),
        "precipitation" => Some(Model {
            card: ModelCard::parse(
                include_str!("../../models/precipitation/model.toml"),
                "of the shipped model precipitation",
            )?,
            origin: "shipped".into(),
            denoiser: file!("precipitation/denoiser.safetensors"),
            tower: Some(file!("precipitation/tower.safetensors")),
            encoder: Some(file!("precipitation/encoder.safetensors")),
            video: Some(file!("precipitation/video.safetensors")),
            fields: Some(file!("precipitation/fields.safetensors")),
        }),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_model_opens_and_is_small() {
        for name in NAMES {
            let model = open(name).unwrap().unwrap();
            assert_eq!(model.card.name, *name);
            assert!(model.weight_bytes() < 12_000_000);
            assert!(model.card.two_tower.is_some() && model.card.encoder.is_some());
        }
    }
}
