//! The three operations that the networks are made of, on any device: fused kernels on the CPU (Flex), burn's own
//! operations elsewhere.

use burn::backend::{Dispatch, DispatchDevice};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, activation, module};

use super::config::Padding;
use super::cpu::norm::EPSILON;
use super::cpu::{conv, norm};
use super::extension::NetworkOps;

/// Whether tensors of this device are Flex tensors.
pub(super) fn is_flex(device: &Device) -> bool {
    match device.as_dispatch() {
        DispatchDevice::Flex(_) => true,
        DispatchDevice::Autodiff(_) => is_flex(&device.clone().inner()),
        _ => false,
    }
}

/// Whether a tensor can be taken as numbers at the price of a copy: it is on the CPU, and no gradient is wanted.
pub(crate) fn on_cpu<const D: usize>(x: &Tensor<D>) -> bool {
    let device = x.device();
    is_flex(&device) && !device.is_autodiff()
}

/// Convolution with a kernel of side 1 or 3 that keeps the size (divides it by `stride`, rounding up).
///
/// `x` `[batch, cin, y, x]`, `weight` `[cout, cin, k, k]`, `bias` `[cout]`; `padding` by axis (y, x).
pub(crate) fn convolution(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    stride: usize,
    padding: [Padding; 2],
) -> Tensor<4> {
    if is_flex(&x.device()) && !padding.contains(&Padding::Replicate) {
        let halo = padding[0] == Padding::Pole && weight.dims()[2] == 3;
        let x = if halo { across_the_poles(x) } else { x };
        let plan = conv::Plan {
            stride,
            circular: padding.map(|p| p == Padding::Circular),
            halo,
        };
        return Tensor::from_dispatch(<Dispatch as NetworkOps>::convolution(
            x.into_dispatch(),
            weight.into_dispatch(),
            bias.into_dispatch(),
            plan,
        ));
    }
    convolution_composed(x, weight, bias, stride, padding)
}

/// [`convolution`] from burn's own operations.
pub(crate) fn convolution_composed(
    mut x: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    stride: usize,
    padding: [Padding; 2],
) -> Tensor<4> {
    let mut zeros = [0, 0];
    if weight.dims()[2] == 3 {
        for (i, mode) in padding.into_iter().enumerate() {
            let (dim, n) = (i + 2, x.dims()[i + 2]);
            let (before, after) = match mode {
                Padding::Zeros => {
                    zeros[i] = 1;
                    continue;
                }
                Padding::Circular => (n - 1, 0),
                Padding::Replicate => (0, n - 1),
                Padding::Pole => {
                    x = across_the_poles(x);
                    continue;
                }
            };
            let first = x.clone().narrow(dim, before, 1);
            let last = x.clone().narrow(dim, after, 1);
            x = Tensor::cat(vec![first, x, last], dim);
        }
    }
    let options = ConvOptions::new([stride, stride], zeros, [1, 1], 1);
    module::conv2d(x, weight, Some(bias), options)
}

/// A row before the first and one after the last: the outermost rows turned by half the columns, which is what lies
/// across the poles. Folded pixels keep their place in the fold.
fn across_the_poles(x: Tensor<4>) -> Tensor<4> {
    let [_, _, rows, columns] = x.dims();
    let half = columns / 2;
    let turned = |row: usize| {
        let line = x.clone().narrow(2, row, 1);
        let east = line.clone().narrow(3, half, columns - half);
        Tensor::cat(vec![east, line.narrow(3, 0, half)], 3)
    };
    let (south, north) = (turned(0), turned(rows - 1));
    Tensor::cat(vec![south, x, north], 2)
}

/// Group normalisation, then `* scale + shift` by channel, then SiLU if asked for.
///
/// `x` `[batch, channels, y, x]`; `scale` and `shift` `[batch or 1, channels]`.
pub(crate) fn normalisation(
    x: Tensor<4>,
    scale: Tensor<2>,
    shift: Tensor<2>,
    groups: usize,
    silu: bool,
) -> Tensor<4> {
    if is_flex(&x.device()) {
        return Tensor::from_dispatch(<Dispatch as NetworkOps>::normalisation(
            x.into_dispatch(),
            scale.into_dispatch(),
            shift.into_dispatch(),
            norm::Plan { groups, silu },
        ));
    }
    normalisation_composed(x, scale, shift, groups, silu)
}

/// [`normalisation`] from burn's own operations.
pub(crate) fn normalisation_composed(
    x: Tensor<4>,
    scale: Tensor<2>,
    shift: Tensor<2>,
    groups: usize,
    silu: bool,
) -> Tensor<4> {
    let dims @ [batch, channels, h, w] = x.dims();
    let x = x.reshape([batch, groups, channels / groups * h * w]);
    let mean = x.clone().mean_dim(2);
    let centred = x - mean;
    let var = centred.clone().square().mean_dim(2);
    let x = (centred / (var + EPSILON).sqrt()).reshape(dims);
    let wide = |t: Tensor<2>| {
        let rows = t.dims()[0];
        t.reshape([rows, channels, 1, 1])
    };
    let x = x * wide(scale) + wide(shift);
    if silu { activation::silu(x) } else { x }
}

/// Doubles `coarse` `[batch, c1, y, x]` (nearest neighbour) and appends the channels of `fine` `[batch, c2, 2y, 2x]`.
pub(crate) fn join(coarse: Tensor<4>, fine: Tensor<4>) -> Tensor<4> {
    if is_flex(&coarse.device()) {
        return Tensor::from_dispatch(<Dispatch as NetworkOps>::joining(
            coarse.into_dispatch(),
            fine.into_dispatch(),
        ));
    }
    join_composed(coarse, fine)
}

/// [`join`] from burn's own operations.
pub(crate) fn join_composed(coarse: Tensor<4>, fine: Tensor<4>) -> Tensor<4> {
    let [b, c, h, w] = coarse.dims();
    let doubled = coarse
        .reshape([b, c, h, 1, w, 1])
        .expand([b, c, h, 2, w, 2])
        .reshape([b, c, 2 * h, 2 * w]);
    Tensor::cat(vec![doubled, fine], 1)
}
