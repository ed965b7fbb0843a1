//! The image model: a U-Net with the preconditioning of Karras et al. 2022 (EDM).

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use super::compiled::{Cost, Output};
use super::config::UNetConfig;
use super::unet::UNet;

/// `D(x; sigma) = c_skip x + c_out F(c_in x; ln(sigma) / 4)`, the estimate of the clean field in `x`.
#[derive(Module, Debug)]
pub struct Denoiser {
    /// The network F.
    pub unet: UNet,
    sigma_data: f32,
}

impl Denoiser {
    /// A denoiser of data of standard deviation `sigma_data`, with first weights of seed 0.
    pub fn new(config: &UNetConfig, sigma_data: f32, device: &Device) -> Self {
        Self::seeded(config, sigma_data, 0, device)
    }

    /// A denoiser with first weights of `seed`.
    pub fn seeded(config: &UNetConfig, sigma_data: f32, seed: u64, device: &Device) -> Self {
        Self {
            unet: UNet::seeded(config, seed, device),
            sigma_data,
        }
    }

    /// Standard deviation of the data that the preconditioning assumes.
    pub fn sigma_data(&self) -> f32 {
        self.sigma_data
    }

    /// The clean field estimated in `x` `[batch, 1, y, x]` (normalised units), where row `i` carries noise of level
    /// `sigma[i]`. With `sigma` of length 1 all rows share it, and a row's result does not depend on the batch.
    pub fn forward(&self, x: Tensor<4>, sigma: Tensor<1>) -> Tensor<4> {
        self.forward_with(x, sigma, None)
    }

    /// [`Self::forward`] with channels `[batch, c, y, x]` that the network sees beside the noised field, unscaled.
    pub(crate) fn forward_with(
        &self,
        x: Tensor<4>,
        sigma: Tensor<1>,
        beside: Option<Tensor<4>>,
    ) -> Tensor<4> {
        let rows = sigma.dims()[0];
        let s = sigma.clone().reshape([rows, 1, 1, 1]);
        let data = self.sigma_data;
        let total = s.clone().square() + data * data;
        let root = total.clone().sqrt();
        let skip = total.recip() * (data * data);
        let out = s * data / root.clone();
        let scaled = x.clone() / root;
        let seen = match beside {
            Some(beside) => Tensor::cat(vec![scaled, beside], 1),
            None => scaled,
        };
        let f = self.unet.forward(seen, Some(sigma.log() / 4.0));
        x * skip + f * out
    }

    /// [`Self::forward`] with one noise level for all rows.
    pub fn denoise(&self, x: Tensor<4>, sigma: f32) -> Tensor<4> {
        self.denoise_with(x, sigma, None)
    }

    /// [`Self::denoise`] with channels beside the noised field.
    pub(crate) fn denoise_with(
        &self,
        x: Tensor<4>,
        sigma: f32,
        beside: Option<Tensor<4>>,
    ) -> Tensor<4> {
        if let Some(compiled) = self.unet.fast(&x) {
            let data = self.sigma_data;
            let total = sigma * sigma + data * data;
            let root = total.sqrt();
            let finish = Output {
                keep: data * data / total,
                scale: sigma * data / root,
            };
            let noised = (x.clone(), 1.0 / root);
            let inputs = match &beside {
                Some(beside) => vec![noised, (beside.clone(), 1.0)],
                None => vec![noised],
            };
            if let Some(out) = compiled.forward(inputs, Some(sigma.ln() / 4.0), finish) {
                return out;
            }
        }
        let sigma = Tensor::from_data(TensorData::new(vec![sigma], [1]), &x.device());
        self.forward_with(x, sigma, beside)
    }

    /// What an evaluation of one field of `[rows, columns]` costs, if the network has been compiled.
    pub fn cost(&self, field: [usize; 2]) -> Option<Cost> {
        self.unet.cost(field)
    }

    /// With a compiled form of the present weights; see [`UNet::compiled`].
    pub fn compiled(mut self, config: &UNetConfig) -> Self {
        self.unet = self.unet.compiled(config);
        self
    }
}
