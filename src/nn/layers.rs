//! The parts of a U-Net: convolutions, norms, residual blocks, attention and the noise embedding.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData, activation};

use super::config::{FREQUENCIES, Padding, UNetConfig, frequencies};
use super::ops;
use crate::random::{NoiseKey, Stream};

/// Draws first weights: a pure function of the seed and of the order in which layers are made.
pub(crate) struct Init<'a> {
    seed: u64,
    next: u32,
    device: &'a Device,
}

impl<'a> Init<'a> {
    /// Weights for `device`, drawn from `seed`.
    pub fn new(seed: u64, device: &'a Device) -> Self {
        Self {
            seed,
            next: 0,
            device,
        }
    }

    fn param<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Param<Tensor<D>> {
        Param::from_data(TensorData::new(values, shape), self.device)
    }

    pub(super) fn constant<const D: usize>(
        &self,
        value: f32,
        shape: [usize; D],
    ) -> Param<Tensor<D>> {
        self.param(vec![value; shape.iter().product()], shape)
    }

    /// Uniform in `±1/sqrt(fan_in)`, PyTorch's default for convolutions and linear layers.
    fn uniform<const D: usize>(&mut self, shape: [usize; D], fan_in: usize) -> Param<Tensor<D>> {
        let key = NoiseKey {
            seed: self.seed,
            stream: Stream::Training,
            member: u32::MAX,
            frame: self.next,
            step: 0,
        };
        self.next += 1;
        let bound = 1.0 / (fan_in as f64).sqrt();
        let values = key
            .uniform(shape.iter().product())
            .into_iter()
            .map(|u| ((2.0 * u - 1.0) * bound) as f32)
            .collect();
        self.param(values, shape)
    }
}

/// Convolution of side 1 or 3 that keeps the size, or halves it.
#[derive(Module, Debug)]
pub(crate) struct Conv {
    /// `[cout, cin, k, k]`.
    pub weight: Param<Tensor<4>>,
    /// `[cout]`.
    pub bias: Param<Tensor<1>>,
    stride: usize,
    #[module(skip)]
    padding: [Padding; 2],
}

impl Conv {
    pub fn new(
        init: &mut Init,
        cin: usize,
        cout: usize,
        kernel: usize,
        padding: [Padding; 2],
    ) -> Self {
        let fan_in = cin * kernel * kernel;
        Self {
            weight: init.uniform([cout, cin, kernel, kernel], fan_in),
            bias: init.uniform([cout], fan_in),
            stride: 1,
            padding,
        }
    }

    /// A convolution that begins at zero, so that its residual branch begins as nothing.
    pub fn zero(
        init: &Init,
        cin: usize,
        cout: usize,
        kernel: usize,
        padding: [Padding; 2],
    ) -> Self {
        Self {
            weight: init.constant(0.0, [cout, cin, kernel, kernel]),
            bias: init.constant(0.0, [cout]),
            stride: 1,
            padding,
        }
    }

    pub fn halving(self) -> Self {
        Self { stride: 2, ..self }
    }

    /// `[batch, cin, y, x]` to `[batch, cout, y / stride, x / stride]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        ops::convolution(
            x,
            self.weight.val(),
            self.bias.val(),
            self.stride,
            self.padding,
        )
    }
}

/// Linear layer.
#[derive(Module, Debug)]
pub(crate) struct Linear {
    /// `[output, input]`.
    pub weight: Param<Tensor<2>>,
    /// `[output]`.
    pub bias: Param<Tensor<1>>,
}

impl Linear {
    pub fn new(init: &mut Init, input: usize, output: usize) -> Self {
        Self {
            weight: init.uniform([output, input], input),
            bias: init.uniform([output], input),
        }
    }

    /// `[batch, input]` to `[batch, output]`. A convolution of one point: there a row's result and its gradient do not
    /// depend on the batch, while a matrix product may choose another kernel for one row.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let [batch, input] = x.dims();
        let weight = self.weight.val();
        let [output, _] = weight.dims();
        let y = ops::convolution(
            x.reshape([batch, input, 1, 1]),
            weight.reshape([output, input, 1, 1]),
            self.bias.val(),
            1,
            [Padding::Zeros; 2],
        );
        y.reshape([batch, output])
    }
}

/// Group norm with scale and shift by channel.
#[derive(Module, Debug)]
pub(crate) struct Norm {
    /// `[channels]`.
    pub scale: Param<Tensor<1>>,
    /// `[channels]`.
    pub shift: Param<Tensor<1>>,
    groups: usize,
}

impl Norm {
    pub fn new(init: &Init, channels: usize, groups: usize) -> Self {
        Self {
            scale: init.constant(1.0, [channels]),
            shift: init.constant(0.0, [channels]),
            groups,
        }
    }

    /// Norm, and SiLU if asked for.
    pub fn forward(&self, x: Tensor<4>, silu: bool) -> Tensor<4> {
        let scale = self.scale.val().unsqueeze_dim(0);
        let shift = self.shift.val().unsqueeze_dim(0);
        ops::normalisation(x, scale, shift, self.groups, silu)
    }

    /// Norm, then `* (1 + a) + b` with `ab` = `[batch or 1, 2 channels]`, then SiLU.
    fn modulated(&self, x: Tensor<4>, ab: Tensor<2>) -> Tensor<4> {
        let channels = ab.dims()[1] / 2;
        let gain = ab.clone().narrow(1, 0, channels) + 1.0;
        let scale = gain.clone() * self.scale.val().unsqueeze_dim(0);
        let shift = gain * self.shift.val().unsqueeze_dim(0) + ab.narrow(1, channels, channels);
        ops::normalisation(x, scale, shift, self.groups, true)
    }
}

/// Residual block: norm, SiLU, 3x3 convolution, twice; the noise embedding scales and shifts the second norm.
#[derive(Module, Debug)]
pub(crate) struct Block {
    pub norm1: Norm,
    pub conv1: Conv,
    pub norm2: Norm,
    pub conv2: Conv,
    pub skip: Option<Conv>,
    pub modulation: Option<Linear>,
}

impl Block {
    pub fn new(init: &mut Init, config: &UNetConfig, cin: usize, cout: usize) -> Self {
        let padding = config.padding;
        Self {
            norm1: Norm::new(init, cin, config.groups),
            conv1: Conv::new(init, cin, cout, 3, padding),
            norm2: Norm::new(init, cout, config.groups),
            conv2: Conv::zero(init, cout, cout, 3, padding),
            skip: (cin != cout).then(|| Conv::new(init, cin, cout, 1, padding)),
            modulation: (config.embedding > 0)
                .then(|| Linear::new(init, config.embedding, 2 * cout)),
        }
    }

    /// `[batch, cin, y, x]` to `[batch, cout, y, x]`.
    pub fn forward(&self, x: Tensor<4>, embedding: Option<&Tensor<2>>) -> Tensor<4> {
        let h = self.conv1.forward(self.norm1.forward(x.clone(), true));
        let h = match (&self.modulation, embedding) {
            (Some(linear), Some(e)) => self.norm2.modulated(h, linear.forward(e.clone())),
            _ => self.norm2.forward(h, true),
        };
        let x = match &self.skip {
            Some(skip) => skip.forward(x),
            None => x,
        };
        x + self.conv2.forward(h)
    }
}

/// Self-attention between all points of a level, added to its input.
#[derive(Module, Debug)]
pub(crate) struct Attention {
    pub norm: Norm,
    pub qkv: Conv,
    pub out: Conv,
    heads: usize,
}

impl Attention {
    pub fn new(init: &mut Init, config: &UNetConfig, channels: usize) -> Self {
        Self {
            norm: Norm::new(init, channels, config.groups),
            qkv: Conv::new(init, channels, 3 * channels, 1, config.padding),
            out: Conv::zero(init, channels, channels, 1, config.padding),
            heads: config.heads,
        }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, channels, h, w] = x.dims();
        let depth = channels / self.heads;
        let qkv = self.qkv.forward(self.norm.forward(x.clone(), false));
        let qkv = qkv.reshape([batch, 3, self.heads, depth, h * w]);
        let part = |i| {
            qkv.clone()
                .narrow(1, i, 1)
                .reshape([batch * self.heads, depth, h * w])
        };
        let scores = part(0).swap_dims(1, 2).matmul(part(1)) * (depth as f32).powf(-0.5);
        let weights = activation::softmax(scores, 2);
        let mixed = part(2).matmul(weights.swap_dims(1, 2));
        x + self.out.forward(mixed.reshape([batch, channels, h, w]))
    }
}

/// Noise level to embedding: Fourier features of `c_noise`, then two linear layers with SiLU.
#[derive(Module, Debug)]
pub(crate) struct Embedding {
    pub linear1: Linear,
    pub linear2: Linear,
}

impl Embedding {
    pub fn new(init: &mut Init, width: usize) -> Self {
        Self {
            linear1: Linear::new(init, 2 * FREQUENCIES, width),
            linear2: Linear::new(init, width, width),
        }
    }

    /// `c_noise` `[batch or 1]` to `[batch or 1, width]`.
    pub fn forward(&self, c_noise: Tensor<1>) -> Tensor<2> {
        let row = TensorData::new(frequencies().to_vec(), [1, FREQUENCIES]);
        let phase =
            c_noise.clone().unsqueeze_dim::<2>(1) * Tensor::from_data(row, &c_noise.device());
        let features = Tensor::cat(vec![phase.clone().sin(), phase.cos()], 1);
        let e = activation::silu(self.linear1.forward(features));
        activation::silu(self.linear2.forward(e))
    }
}
