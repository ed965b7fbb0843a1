//! A GPU must compute what the CPU computes before it is trusted: a convolution, a matrix product and a reduction of
//! the sizes that the networks use, compared with burn's CPU backend.

use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData};

use crate::diffusion::to_vec;
use crate::random::{NoiseKey, Stream};

/// Largest relative difference allowed (f32 with another order of summation).
const TOLERANCE: f32 = 2e-3;

/// Compares `device` with the CPU.
///
/// # Errors
/// What differs, and by how much.
pub fn run(device: &Device) -> Result<(), String> {
    let expected = answer(&Device::flex());
    let got = answer(device);
    let scale = expected.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    let worst = expected
        .iter()
        .zip(&got)
        .map(|(a, b)| {
            if b.is_finite() {
                (a - b).abs()
            } else {
                f32::INFINITY
            }
        })
        .fold(0.0f32, f32::max);
    if expected.len() == got.len() && worst <= TOLERANCE * scale {
        Ok(())
    } else {
        Err(format!(
            "it failed the self-test (largest error {:.1e} of the largest value)",
            worst / scale
        ))
    }
}

fn answer(device: &Device) -> Vec<f32> {
    let draw = |step: u16, shape: [usize; 4]| {
        let key = NoiseKey {
            seed: 0,
            stream: Stream::Test,
            member: 0,
            frame: 0,
            step,
        };
        let values = key.normal_f32(shape.iter().product());
        Tensor::<4>::from_data(TensorData::new(values, shape), device)
    };
    let x = draw(0, [2, 8, 18, 18]);
    let w = draw(1, [16, 8, 3, 3]);
    let y = conv2d(x, w, None, ConvOptions::new([1, 1], [0, 0], [1, 1], 1));
    let z = y.clone().matmul(y.clone().swap_dims(2, 3)).tanh() + y.mean_dim(3);
    to_vec(z)
}
