//! The kernels for the CPU against burn's own operations: values and every gradient.

use burn::tensor::{Device, Tensor, TensorData};

use super::super::config::Padding;
use super::super::ops;
use super::{distance, noise, values};

/// Output and gradients of `f` at the given inputs, for the loss `sum(f * w)` with fixed random w.
fn run<const N: usize>(
    inputs: [Tensor<4>; N],
    f: impl Fn([Tensor<4>; N]) -> Tensor<4>,
) -> (Vec<f32>, [Vec<f32>; N]) {
    let inputs = inputs.map(|t| t.autodiff().detach().require_grad());
    let out = f(inputs.clone());
    let weight = Tensor::<4>::from_data(noise(out.dims(), 99), &out.device());
    let mut grads = (out.clone() * weight).sum().backward();
    let gradients = inputs.map(|t| values(t.grad_remove(&mut grads).expect("a gradient")));
    (values(out.inner()), gradients)
}

fn compare<const N: usize>(what: &str, a: (Vec<f32>, [Vec<f32>; N]), b: (Vec<f32>, [Vec<f32>; N])) {
    let d = distance(&a.0, &b.0);
    assert!(d < 2e-6, "{what}: value differs by {d}");
    for (i, (x, y)) in a.1.iter().zip(&b.1).enumerate() {
        let d = distance(x, y);
        assert!(d < 5e-6, "{what}: gradient {i} differs by {d}");
    }
}

#[test]
fn convolution_agrees_with_burn() {
    let device = Device::flex();
    let sizes = [
        (2, 5, 3, 6, 10),
        (1, 8, 16, 64, 34),
        (3, 4, 4, 4, 4),
        (2, 3, 2, 7, 9),
    ];
    for (batch, cin, cout, h, w) in sizes {
        for kernel in [1, 3] {
            for stride in [1, 2] {
                for padding in [
                    [Padding::Circular; 2],
                    [Padding::Zeros; 2],
                    [Padding::Zeros, Padding::Circular],
                    [Padding::Pole, Padding::Circular],
                    [Padding::Pole, Padding::Zeros],
                ] {
                    if kernel == 1 && stride == 2 {
                        continue;
                    }
                    let x = Tensor::<4>::from_data(noise([batch, cin, h, w], 1), &device);
                    let weight =
                        Tensor::<4>::from_data(noise([cout, cin, kernel, kernel], 2), &device);
                    let bias = Tensor::<4>::from_data(noise([cout, 1, 1, 1], 3), &device);
                    let inputs = [x, weight, bias];
                    let ours = run(inputs.clone(), |[x, w, b]| {
                        ops::convolution(x, w, b.reshape([cout]), stride, padding)
                    });
                    let burns = run(inputs, |[x, w, b]| {
                        ops::convolution_composed(x, w, b.reshape([cout]), stride, padding)
                    });
                    compare(
                        &format!("{h}x{w} k{kernel} s{stride} {padding:?}"),
                        ours,
                        burns,
                    );
                }
            }
        }
    }
}

#[test]
fn replicate_padding_repeats_the_edge() {
    let device = Device::flex();
    let x = Tensor::<4>::from_data(noise([1, 1, 3, 4], 1), &device);
    let weight = Tensor::<4>::ones([1, 1, 3, 3], &device);
    let bias = Tensor::<1>::zeros([1], &device);
    let out = values(ops::convolution(
        x.clone(),
        weight,
        bias,
        1,
        [Padding::Replicate; 2],
    ));
    let x = values(x);
    let mut expected = 0.0;
    for y in [0, 0, 1] {
        for i in [0, 0, 1] {
            expected += x[y * 4 + i];
        }
    }
    assert!((out[0] - expected).abs() < 1e-5);
}

/// Across a pole lies the same row, half the way around: a fault that a turn of the globe or a mirror image of the rows
/// would show.
#[test]
fn pole_padding_crosses_the_pole() {
    let device = Device::flex();
    let (h, w) = (3, 8);
    let x = Tensor::<4>::from_data(noise([1, 1, h, w], 1), &device);
    let field = values(x.clone());
    // A kernel that looks at the row before (or after) alone, straight on.
    for (tap, row, beyond) in [(1, 0, 0), (7, h - 1, h - 1)] {
        let mut kernel = vec![0.0; 9];
        kernel[tap] = 1.0;
        let weight = Tensor::<4>::from_data(TensorData::new(kernel, [1, 1, 3, 3]), &device);
        let padding = [Padding::Pole, Padding::Circular];
        let out = values(ops::convolution(
            x.clone(),
            weight,
            Tensor::zeros([1], &device),
            1,
            padding,
        ));
        for i in 0..w {
            assert_eq!(out[row * w + i], field[beyond * w + (i + w / 2) % w]);
        }
    }
}

#[test]
fn normalisation_agrees_with_burn() {
    let device = Device::flex();
    for (batch, rows) in [(3, 3), (3, 1), (1, 1)] {
        for silu in [true, false] {
            let x = Tensor::<4>::from_data(noise([batch, 12, 5, 7], 1), &device) * 3.0 + 1.0;
            let scale = Tensor::<4>::from_data(noise([rows, 12, 1, 1], 2), &device);
            let shift = Tensor::<4>::from_data(noise([rows, 12, 1, 1], 3), &device);
            let inputs = [x, scale, shift];
            let flat = |t: Tensor<4>| t.reshape([rows, 12]);
            let ours = run(inputs.clone(), |[x, a, b]| {
                ops::normalisation(x, flat(a), flat(b), 4, silu)
            });
            let burns = run(inputs, |[x, a, b]| {
                ops::normalisation_composed(x, flat(a), flat(b), 4, silu)
            });
            compare(
                &format!("batch {batch} rows {rows} silu {silu}"),
                ours,
                burns,
            );
        }
    }
}

#[test]
fn joining_agrees_with_burn() {
    let device = Device::flex();
    let coarse = Tensor::<4>::from_data(noise([2, 3, 4, 5], 1), &device);
    let fine = Tensor::<4>::from_data(noise([2, 2, 8, 10], 2), &device);
    let ours = run([coarse.clone(), fine.clone()], |[a, b]| ops::join(a, b));
    let burns = run([coarse, fine], |[a, b]| ops::join_composed(a, b));
    compare("join", ours, burns);
}
