//! A GPU gives the same losses and gradients as the CPU, from burn's own operations instead of our kernels.

use burn::tensor::Device;

use super::super::objective::{
    DenoiserObjective, EncoderObjective, Objective, TowerObjective, VideoObjective,
};
use super::super::session::gradient;
use super::{data, denoiser, encoder, tower, video};
use crate::device::{self, DeviceRequest};
use crate::nn::weights;

/// Loss and gradient of step 0, for weights moved off their silent start.
fn step<O: Objective>(objective: &O, device: &Device) -> (f32, Vec<f32>) {
    let first = objective.network(2, &Device::flex());
    let moved: Vec<f32> = weights::flat(&first)
        .into_iter()
        .enumerate()
        .map(|(i, w)| w + 0.05 * (i as f32 * 0.7).sin())
        .collect();
    let device = device.clone().autodiff();
    let network = weights::with_flat(first, &moved, &device);
    let loss = objective.loss(&network, &data(), 2, 0, &device);
    let gradient = gradient(&network, loss.backward());
    (loss.into_scalar::<f32>(), gradient)
}

fn agree<O: Objective>(objective: &O, gpu: &Device) {
    let (loss, gradient) = step(objective, &Device::flex());
    let (loss_gpu, gradient_gpu) = step(objective, gpu);
    let name = objective.name();
    assert!(
        (loss - loss_gpu).abs() < 1e-3 * loss.abs(),
        "{name}: loss {loss} and {loss_gpu}"
    );
    assert_eq!(gradient.len(), gradient_gpu.len());
    let norm = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
    let apart = gradient
        .iter()
        .zip(&gradient_gpu)
        .map(|(a, b)| (a - b) * (a - b))
        .sum::<f32>()
        .sqrt();
    assert!(
        apart < 2e-3 * norm,
        "{name}: gradients differ by {apart} of {norm}"
    );
}

#[test]
fn gpu_and_cpu_agree_on_loss_and_gradient() {
    let gpu = match device::select(DeviceRequest::Gpu) {
        Ok(found) => found,
        Err(error) => {
            println!("skipped: {}", error.cause);
            return;
        }
    };
    agree(&DenoiserObjective(&denoiser()), &gpu.device);
    agree(&TowerObjective(&tower()), &gpu.device);
    agree(&EncoderObjective(&encoder()), &gpu.device);
    agree(&VideoObjective(&video()), &gpu.device);
}
