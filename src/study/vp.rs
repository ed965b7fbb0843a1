//! Variance-preserving diffusion with the cosine schedule, in the noise levels of this program.
//!
//! A variance-preserving state `cos(a) x_0 + sin(a) z` is `cos(a)` times `x_0 + sigma z` with `sigma = tan a`. The network F
//! sees the former and estimates `z` (Ho et al. 2020), the angle is uniform in training (Nichol and Dhariwal 2021, without
//! their offset), and every noise has the same weight. In clean estimates: `D(x; sigma) = x - sigma F(x / sqrt(1 + sigma^2); a)`.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use crate::data::Dataset;
use crate::diffusion::Denoise;
use crate::error::Result;
use crate::field::Grid;
use crate::nn::{UNet, UNetConfig};
use crate::random::{NoiseKey, Stream};
use crate::train::objective::Objective;

/// Largest noise level of training; the angle of the schedule's end has none.
const SIGMA_MAX: f64 = 400.0;
/// Frames in the validation set.
const VALIDATION: usize = 64;

/// A network that estimates the noise.
#[derive(Module, Debug)]
pub struct VpDenoiser {
    /// The network F.
    pub unet: UNet,
}

impl VpDenoiser {
    /// `F(x / sqrt(1 + sigma^2); a)` for `x` `[batch, 1, y, x]`, `sigma` `[batch]` or `[1]`.
    pub fn noise(&self, x: Tensor<4>, sigma: Tensor<1>) -> Tensor<4> {
        let rows = sigma.dims()[0];
        let root = (sigma.clone().square() + 1.0)
            .sqrt()
            .reshape([rows, 1, 1, 1]);
        self.unet.forward(x / root, Some(angle(&sigma)))
    }
}

/// `arctan sigma` as a share of a right angle.
fn angle(sigma: &Tensor<1>) -> Tensor<1> {
    let device = sigma.device();
    let values: Vec<f32> = crate::diffusion::to_vec(sigma.clone())
        .into_iter()
        .map(|s| s.atan() * std::f32::consts::FRAC_2_PI)
        .collect();
    let n = values.len();
    Tensor::from_data(TensorData::new(values, [n]), &device)
}

impl Denoise for VpDenoiser {
    fn denoise(&self, x: &Tensor<4>, sigma: f64) -> Tensor<4> {
        let level = TensorData::new(vec![sigma as f32], [1]);
        let noise = self.noise(x.clone(), Tensor::from_data(level, &x.device()));
        x.clone() - noise.mul_scalar(sigma as f32)
    }
}

/// Mean squared error of the estimated noise.
pub struct VpObjective {
    /// Sizes.
    pub network: UNetConfig,
    /// Frames a step.
    pub batch: usize,
}

impl VpObjective {
    fn error(
        net: &VpDenoiser,
        x: Vec<f32>,
        shape: [usize; 4],
        seed: u64,
        step: u32,
        device: &Device,
    ) -> Tensor<1> {
        let key = |member| NoiseKey {
            seed,
            stream: Stream::Training,
            member,
            frame: step,
            step: 1,
        };
        let top = SIGMA_MAX.atan();
        let sigma: Vec<f32> = key(1)
            .uniform(shape[0])
            .into_iter()
            .map(|u| (u * top).tan() as f32)
            .collect();
        let tensor = |v: Vec<f32>, shape: [usize; 4]| {
            Tensor::<4>::from_data(TensorData::new(v, shape), device)
        };
        let z = tensor(key(2).normal_f32(shape.iter().product()), shape);
        let wide = tensor(sigma.clone(), [shape[0], 1, 1, 1]);
        let x = tensor(x, shape) + z.clone() * wide;
        let rows = sigma.len();
        let sigma = Tensor::from_data(TensorData::new(sigma, [rows]), device);
        (net.noise(x, sigma) - z).square().mean()
    }
}

impl Objective for VpObjective {
    type Network = VpDenoiser;

    fn name(&self) -> &'static str {
        "denoiser-vp"
    }

    fn check(&self, _grid: Grid, _globe: bool) -> Result<()> {
        self.network.validate()
    }

    fn network(&self, seed: u64, device: &Device) -> VpDenoiser {
        VpDenoiser {
            unet: UNet::seeded(&self.network, seed, device),
        }
    }

    fn loss(
        &self,
        net: &VpDenoiser,
        data: &Dataset,
        seed: u64,
        step: u32,
        device: &Device,
    ) -> Tensor<1> {
        let shape = [self.batch, 1, data.grid().ny, data.grid().nx];
        Self::error(
            net,
            data.batch_frames(step, self.batch, true),
            shape,
            seed,
            step,
            device,
        )
    }

    fn validation(&self, net: &VpDenoiser, data: &Dataset, device: &Device) -> f64 {
        let shape = [VALIDATION, 1, data.grid().ny, data.grid().nx];
        let x = data.validation_windows(VALIDATION, 0);
        let loss = Self::error(net, x, shape, 0, u32::MAX, device);
        f64::from(loss.into_scalar::<f32>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::to_vec;

    /// The angle and the state that the network sees are those of `cos(a) x + sin(a) z`.
    #[test]
    fn noise_levels_are_angles() {
        let device = Device::flex();
        let sigma = Tensor::<1>::from_data(TensorData::new(vec![0.0f32, 1.0, 1e6], [3]), &device);
        let found = to_vec(angle(&sigma));
        for (f, e) in found.iter().zip([0.0, 0.5, 1.0]) {
            assert!((f - e).abs() < 1e-5, "{f} {e}");
        }
        let config = UNetConfig {
            channels: vec![8],
            blocks: vec![1],
            up_blocks: vec![],
            attention: vec![false],
            patch: 1,
            ..UNetConfig::vorticity(1, 8)
        };
        // A fresh network estimates no noise: the clean estimate is the state itself.
        let net = VpObjective {
            network: config,
            batch: 1,
        }
        .network(0, &device);
        let x = Tensor::<4>::ones([1, 1, 8, 8], &device);
        let clean = to_vec(net.denoise(&x, 2.0));
        assert!(clean.iter().all(|v| (v - 1.0).abs() < 1e-6));
    }
}
