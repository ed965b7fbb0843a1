//! A model on a device, ready to make frames: networks, discriminators, solver.

use burn::tensor::{Tensor, TensorData};

use crate::device::ComputeDevice;
use crate::diffusion::encoder::EncoderGuide;
use crate::diffusion::two_tower::{Forecast, TwoTower};
use crate::diffusion::{Denoise, Discriminate};
use crate::error::{Result, UserError};
use crate::model::{Model, ModelCard};
use crate::nn::{Denoiser, Encoder, HistoryTower, weights};
use crate::sim;

use super::protocol::ModelFacts;
use super::settings::DiscriminatorKind;

/// Frames of history that the discriminators can look at: the last one and m <= 3 before it.
pub const HISTORY: usize = 4;

/// A model on a device. Not `Send`: it lives on the thread that owns all burn calls.
pub struct Engine {
    /// The model's card.
    pub card: ModelCard,
    /// sha256 of the model, hex.
    pub model_hash: String,
    /// Where it computes.
    pub compute: ComputeDevice,
    /// The image model.
    pub denoiser: Denoiser,
    /// The two-tower discriminator, if the model has it.
    pub two_tower: Option<TwoTower<HistoryTower>>,
    /// The paper's discriminator, if the model has it.
    pub encoder: Option<EncoderGuide>,
    /// The solver that continues a rollout as truth.
    pub solver: sim::Solver,
}

impl Denoise for Denoiser {
    fn denoise(&self, x: &Tensor<4>, sigma: f64) -> Tensor<4> {
        Denoiser::denoise(self, x.clone(), sigma as f32)
    }
}

impl Forecast for HistoryTower {
    fn forecast(&self, history: &Tensor<4>, m: usize) -> Tensor<4> {
        let rows = history.dims()[0];
        self.forward(history.clone(), &vec![m; rows])
    }
}

impl Engine {
    /// Puts a model on a device.
    ///
    /// # Errors
    /// Weights that do not fit the card, an unknown solver preset, an unusable calibration.
    pub fn new(model: &Model, compute: ComputeDevice) -> Result<Self> {
        let card = model.card.clone();
        let device = &compute.device;
        let denoiser = weights::load(
            Denoiser::new(&card.denoiser.network, card.denoiser.sigma_data, device),
            &model.denoiser,
            &card.denoiser.weights,
            device,
        )?;
        let two_tower = match (&card.two_tower, &model.tower) {
            (Some(t), Some(bytes)) => {
                let tower = weights::load(
                    HistoryTower::new(&t.network, device),
                    bytes,
                    &t.weights,
                    device,
                )?;
                Some(TwoTower::new(tower, t.calibration.clone(), device)?)
            }
            _ => None,
        };
        let encoder = match (&card.encoder, &model.encoder) {
            (Some(e), Some(bytes)) => {
                let net =
                    weights::load(Encoder::new(&e.network, device), bytes, &e.weights, device)?;
                Some(EncoderGuide::new(net))
            }
            _ => None,
        };
        let params = sim::Params::preset(&card.data.preset)?;
        Ok(Self {
            model_hash: model.hash(),
            solver: sim::Solver::new(&params)?,
            card,
            compute,
            denoiser,
            two_tower,
            encoder,
        })
    }

    /// Points a side.
    pub fn side(&self) -> usize {
        self.solver.params().n
    }

    /// Physical value of a normalised 1.
    pub fn scale(&self) -> f32 {
        self.card.data.scale as f32
    }

    /// The discriminator of that kind.
    ///
    /// # Errors
    /// A model without it.
    pub fn discriminator(&self, kind: DiscriminatorKind) -> Result<&dyn Discriminate> {
        let found: Option<&dyn Discriminate> = match kind {
            DiscriminatorKind::TwoTower => self.two_tower.as_ref().map(|d| d as _),
            DiscriminatorKind::Encoder => self.encoder.as_ref().map(|d| d as _),
        };
        found.ok_or_else(|| {
            UserError::new(
                format!("The model {} has no such discriminator", self.card.name),
                format!("{kind:?} was asked for and its weights are not in the model folder"),
                "choose the other discriminator, or train this one: eddyscope train discriminator",
            )
        })
    }

    /// Arrays (one a row, each of one channel or more) as a tensor `[rows, channels, n, n]` on the device.
    pub fn tensor(&self, values: Vec<f32>, rows: usize, channels: usize) -> Tensor<4> {
        let n = self.side();
        Tensor::from_data(
            TensorData::new(values, [rows, channels, n, n]),
            &self.compute.device,
        )
    }

    /// Facts for the window.
    pub fn facts(&self) -> ModelFacts {
        let card = &self.card;
        let t = &card.truth;
        let (tt, en) = (card.two_tower.as_ref(), card.encoder.as_ref());
        let n = self.side();
        ModelFacts {
            name: card.name.clone(),
            quantity: card.quantity.clone(),
            units: card.units.clone(),
            shape: (n, n),
            frame_interval: self.solver.params().frame_interval(),
            suggested_strength: [
                tt.map_or(1.0, |c| c.suggested_strength),
                en.map_or(1.0, |c| c.suggested_strength),
            ],
            usable_strength: [
                tt.map_or(1.5, |c| c.usable_strength),
                en.map_or(1.5, |c| c.usable_strength),
            ],
            data_std: t.std,
            acf_truth: t.acf.clone(),
            acf_lo: t.acf_lo.clone(),
            acf_hi: t.acf_hi.clone(),
            dynamics_skill_truth: t.dynamics_skill,
            std_band: (t.std_band[0], t.std_band[1]),
            rmse_band: (t.rmse_band[0], t.rmse_band[1]),
            device: self.compute.name.clone(),
            model_hash: self.model_hash.clone(),
        }
    }
}
