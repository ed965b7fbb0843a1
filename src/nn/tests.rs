//! Kernels against burn's own operations, networks against themselves in other batches and threads, files.

mod compiled;
mod drawn;
mod files;
mod kernels;
mod networks;

use burn::tensor::{Tensor, TensorData};

use crate::random::{NoiseKey, Stream};

/// Standard normal values of a shape; `tag` makes different ones.
fn noise<const D: usize>(shape: [usize; D], tag: u32) -> TensorData {
    let key = NoiseKey {
        seed: 11,
        stream: Stream::Test,
        member: tag,
        frame: 0,
        step: 0,
    };
    TensorData::new(key.normal_f32(shape.iter().product()), shape)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// Largest difference relative to the largest value of `b`.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let scale = b.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
    a.iter()
        .zip(b)
        .fold(0.0f32, |m, (x, y)| m.max((x - y).abs()))
        / scale
}
