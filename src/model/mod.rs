//! A model folder: `model.toml` (the card) and safetensors weights; the shipped models are embedded in the binary.

pub mod card;
pub(crate) mod closed_form;
pub mod fields;
mod shipped;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

pub use card::ModelCard;
pub use fields::Fields;

use crate::closed_form::ClosedForm;
use crate::error::{Result, UserError};
use crate::nn::weights::sha256;

/// Name of the card in a model folder.
pub const CARD_FILE: &str = "model.toml";
/// The model that opens when none is asked for.
pub const DEFAULT_MODEL: &str = "vorticity";

/// A model as it lies in a folder or in the binary: card and weights, not yet on a device.
#[derive(Debug, Clone)]
pub struct Model {
    /// The card.
    pub card: ModelCard,
    /// Where it came from, as shown.
    pub origin: String,
    /// Weights of the denoiser (safetensors).
    pub denoiser: Cow<'static, [u8]>,
    /// Weights of the history tower, if the model has the two-tower discriminator.
    pub tower: Option<Cow<'static, [u8]>>,
    /// Weights of the encoder, if the model has the paper's discriminator.
    pub encoder: Option<Cow<'static, [u8]>>,
    /// Weights of the video model, if there is one.
    pub video: Option<Cow<'static, [u8]>>,
    /// Tables on the grid (safetensors, [`Fields`]), if the model's world is the globe.
    pub fields: Option<Cow<'static, [u8]>>,
}

impl Model {
    /// Opens a shipped model by name, or a model folder by path.
    ///
    /// # Errors
    /// A name that is not shipped and not a folder, a folder without card, a card or weights that cannot be read.
    pub fn open(name_or_folder: &str) -> Result<Self> {
        if let Some(model) = shipped::open(name_or_folder)? {
            return Ok(model);
        }
        if let Some(world) = ClosedForm::named(name_or_folder) {
            return Ok(Self::closed_form(&world));
        }
        let path = Path::new(name_or_folder);
        if !path.exists() {
            return Err(UserError::new(
                format!("There is no model {name_or_folder}"),
                "it is neither the name of a shipped model nor a folder",
                format!(
                    "use one of: {}; or the path of a folder with a {CARD_FILE}",
                    shipped::NAMES
                        .iter()
                        .chain(&ClosedForm::NAMES)
                        .copied()
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
            ));
        }
        Self::from_folder(path)
    }

    /// Opens a model folder.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub fn from_folder(folder: &Path) -> Result<Self> {
        let file = folder.join(CARD_FILE);
        let text = std::fs::read_to_string(&file).map_err(|e| {
            UserError::new(
                format!("Cannot open the model folder {}", folder.display()),
                format!("{}: {e}", file.display()),
                format!("a model folder holds {CARD_FILE} and the weights that it names"),
            )
        })?;
        let card = ModelCard::parse(&text, &file.display().to_string())?;
        let read = |name: &str| -> Result<Cow<'static, [u8]>> {
            let path: PathBuf = folder.join(name);
            std::fs::read(&path).map(Cow::Owned).map_err(|e| {
                UserError::new(
                    format!("Cannot read the weights {}", path.display()),
                    e,
                    format!("{CARD_FILE} names this file; put it beside the card"),
                )
            })
        };
        Ok(Self {
            denoiser: read(&card.denoiser.weights)?,
            tower: match &card.two_tower {
                Some(t) => Some(read(&t.weights)?),
                None => None,
            },
            encoder: match &card.encoder {
                Some(e) => Some(read(&e.weights)?),
                None => None,
            },
            video: match &card.video {
                Some(v) => Some(read(&v.weights)?),
                None => None,
            },
            fields: match &card.data.globe {
                Some(g) => Some(read(&g.fields)?),
                None => None,
            },
            origin: folder.display().to_string(),
            card,
        })
    }

    /// Names of the shipped models.
    pub fn shipped_names() -> &'static [&'static str] {
        shipped::NAMES
    }

    /// Whether a model of that name comes with the program: shipped weights, or a world with known answers.
    pub fn is_built_in(name: &str) -> bool {
        shipped::NAMES.contains(&name) || ClosedForm::NAMES.contains(&name)
    }

    /// sha256 over all weights and the calibration, hex: what a recipe records.
    pub fn hash(&self) -> String {
        let calibration = self
            .card
            .two_tower
            .as_ref()
            .and_then(|t| match (&t.calibration, &t.wavelet) {
                (Some(c), _) => toml::to_string(c).ok(),
                (None, w) => toml::to_string(w).ok(),
            })
            .unwrap_or_default();
        let mut parts: Vec<&[u8]> = vec![&self.denoiser];
        parts.extend(self.tower.as_deref());
        parts.extend(self.encoder.as_deref());
        parts.extend(self.video.as_deref());
        parts.extend(self.fields.as_deref());
        parts.push(calibration.as_bytes());
        // Its parameters are in the recipe: they belong to the rollout.
        parts.extend(self.card.closed_form.as_ref().map(|c| c.name().as_bytes()));
        sha256(&parts)
    }

    /// Size of the weights in bytes.
    pub fn weight_bytes(&self) -> usize {
        self.denoiser.len()
            + self.tower.as_ref().map_or(0, |t| t.len())
            + self.encoder.as_ref().map_or(0, |e| e.len())
            + self.video.as_ref().map_or(0, |v| v.len())
            + self.fields.as_ref().map_or(0, |f| f.len())
    }
}

#[cfg(test)]
mod tests;
