//! Worlds with known answers as models: a card without networks.

use std::borrow::Cow;

use super::card::{CARD_VERSION, DataCard, DenoiserCard, TrainingCard, TruthCard};
use super::{Model, ModelCard};
use crate::closed_form::ClosedForm;
use crate::nn::{Padding, Skips, UNetConfig};

/// The card of a world with these parameters.
pub(crate) fn card(world: &ClosedForm) -> ModelCard {
    let known = world.known();
    let band = |sign: f64| -> Vec<f64> {
        let edge = known.acf.iter().zip(&known.acf_spread);
        edge.map(|(r, half)| r + sign * half).collect()
    };
    let (description, quantity, units) = match world {
        ClosedForm::GaussianProcess(_) => (
            "A Gaussian process in space and time that drifts: score and discriminator are exact",
            "field",
            "std",
        ),
        ClosedForm::TravellingWave(_) => (
            "A travelling wave with noise in each cell: score and discriminator are exact",
            "displacement",
            "amplitude",
        ),
    };
    ModelCard {
        version: CARD_VERSION,
        name: world.name().into(),
        description: description.into(),
        quantity: quantity.into(),
        units: units.into(),
        licence: "none needed: there are no weights".into(),
        data: DataCard {
            source: "its law".into(),
            preset: String::new(),
            seed: 0,
            train_runs: 0,
            validation_runs: 0,
            frames: 0,
            scale: known.scale,
            globe: None,
        },
        closed_form: Some(world.clone()),
        denoiser: DenoiserCard {
            weights: String::new(),
            parameters: 0,
            sigma_data: 0.5,
            network: no_network(),
            training: TrainingCard::default(),
        },
        two_tower: None,
        encoder: None,
        video: None,
        truth: TruthCard {
            acf_lo: band(-1.0),
            acf_hi: band(1.0),
            acf: known.acf,
            std: known.std,
            std_band: known.std_band,
            rmse_band: known.rmse_band,
            dynamics_skill: known.dynamics_skill,
            a: 1.0,
            residual: known.residual,
            kurtosis: known.kurtosis,
            spectrum: known.spectrum,
            rain: None,
        },
        quality: Vec::new(),
        samplers: Vec::new(),
    }
}

/// A network without layers.
fn no_network() -> UNetConfig {
    UNetConfig {
        in_channels: 1,
        out_channels: 1,
        patch: 1,
        channels: Vec::new(),
        blocks: Vec::new(),
        up_blocks: Vec::new(),
        attention: Vec::new(),
        heads: 1,
        groups: 1,
        embedding: 0,
        padding: [Padding::Circular; 2],
        skips: Skips::Level,
        position: None,
    }
}

impl Model {
    /// A world with known answers.
    pub(super) fn closed_form(world: &ClosedForm) -> Self {
        Self {
            card: card(world),
            origin: "closed form".into(),
            denoiser: Cow::Borrowed(&[]),
            tower: None,
            encoder: None,
            video: None,
            fields: None,
        }
    }
}
