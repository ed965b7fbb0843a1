//! Where a network meets its compiled form: tensors of the CPU in, tensors out.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};

use super::compiled::{Cost, Input, Kind, Output, Program, Weights};
use super::config::UNetConfig;
use super::{ops, weights};

/// A network's compiled form, if it has been made. It holds the weights of the moment when it was made.
#[derive(Clone, Default)]
pub(crate) struct Compiled(Option<Arc<Ready>>);

struct Ready {
    config: UNetConfig,
    kind: Kind,
    weights: Weights,
    /// Made for the size of the last field.
    program: Mutex<Option<Program>>,
}

impl Ready {
    /// The network for fields of `[rows, columns]`.
    fn plan(&self, field: [usize; 2]) -> Option<Program> {
        match self.kind {
            Kind::UNet => Program::unet(&self.config, &self.weights, field),
            Kind::Encoder(channels) => {
                Program::encoder(&self.config, &self.weights, field, channels)
            }
        }
    }

    /// Whether the network can be asked so: with such inputs, and told a noise level or not.
    fn fits(&self, inputs: &[Scaled], c_noise: Option<f32>) -> bool {
        let Some([rows, _, ny, nx]) = inputs.first().map(|(x, _)| x.dims()) else {
            return false;
        };
        let alike = |(x, _): &Scaled| {
            let [own, _, y, x] = x.dims();
            [own, y, x] == [rows, ny, nx]
        };
        let channels: usize = inputs.iter().map(|(x, _)| x.dims()[1]).sum();
        self.config.fits([ny, nx])
            && inputs.iter().all(alike)
            && channels == self.config.in_channels
            && c_noise.is_some() == (self.config.embedding > 0)
    }

    /// Runs the network; see [`Program::run`]. `None` where it does not fit or cannot be compiled.
    fn run(
        &self,
        inputs: Vec<Scaled>,
        c_noise: Option<f32>,
        finish: &[Output],
        channels: usize,
        logits: Option<&mut [f32]>,
    ) -> Option<Tensor<4>> {
        if !self.fits(&inputs, c_noise) {
            return None;
        }
        let first = inputs.first()?;
        let [rows, _, ny, nx] = first.0.dims();
        let device = first.0.device();
        let inputs: Vec<(TensorData, usize, f32)> = inputs
            .into_iter()
            .map(|(x, scale)| {
                let channels = x.dims()[1];
                (x.into_data(), channels, scale)
            })
            .collect();
        let parts: Vec<Input<'_>> = inputs
            .iter()
            .map(|(data, channels, scale)| {
                Some(Input {
                    values: data.as_slice().ok()?,
                    channels: *channels,
                    scale: *scale,
                })
            })
            .collect::<Option<_>>()?;
        let mut out = vec![0.0f32; rows * channels * ny * nx];
        let mut program = self.program.lock().unwrap_or_else(PoisonError::into_inner);
        if program.as_ref().is_none_or(|p| p.field() != [ny, nx]) {
            *program = self.plan([ny, nx]);
        }
        let program = program.as_mut()?;
        program.run(&parts, rows, c_noise, finish, &mut out, logits);
        Some(Tensor::from_data(
            TensorData::new(out, [rows, channels, ny, nx]),
            &device,
        ))
    }
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "compiled"
        } else {
            "not compiled"
        })
    }
}

/// Channels for the network, all times a factor.
pub(crate) type Scaled = (Tensor<4>, f32);

impl Compiled {
    /// Compiles a U-Net of these sizes.
    pub fn unet<M: Module>(config: &UNetConfig, module: &M) -> Self {
        Self::new(config, module, Kind::UNet)
    }

    /// Compiles an encoder whose trunk has these sizes, with the gradient of the first `channels` channels; does not where
    /// its padding has no compiled way back.
    pub fn encoder<M: Module>(config: &UNetConfig, module: &M, channels: usize) -> Self {
        Self::new(config, module, Kind::Encoder(channels))
    }

    fn new<M: Module>(config: &UNetConfig, module: &M, kind: Kind) -> Self {
        if !kind.possible(config) {
            return Self(None);
        }
        let weights = weights::parameters(module)
            .into_iter()
            .map(|p| (p.name, p.values))
            .collect();
        Self(Some(Arc::new(Ready {
            config: config.clone(),
            kind,
            weights,
            program: Mutex::new(None),
        })))
    }

    /// What a field of `[rows, columns]` costs.
    pub fn cost(&self, field: [usize; 2]) -> Option<Cost> {
        let ready = self.0.as_ref()?;
        Some(ready.plan(field)?.cost())
    }

    /// Whether a tensor can be sent through it: it has been made, and the tensor is on the CPU and no gradient is wanted.
    pub fn takes(&self, x: &Tensor<4>) -> bool {
        self.0.is_some() && ops::on_cpu(x)
    }

    /// `keep * first channel + scale * F(inputs; c_noise)`, `[rows, channels, y, x]`. `None` where [`Self::takes`] says no.
    pub fn forward(
        &self,
        inputs: Vec<Scaled>,
        c_noise: Option<f32>,
        finish: Output,
    ) -> Option<Tensor<4>> {
        let ready = self.0.as_ref()?;
        inputs.first().filter(|(x, _)| self.takes(x))?;
        let channels = ready.config.out_channels;
        ready.run(inputs, c_noise, &[finish], channels, None)
    }

    /// Logits `[rows]` of an encoder, and their gradient with respect to its first input channels, each before its factor:
    /// `[rows, channels, y, x]`. The first inputs have one channel each.
    pub fn logits_and_gradient(
        &self,
        inputs: Vec<Scaled>,
        c_noise: f32,
    ) -> Option<(Tensor<1>, Tensor<4>)> {
        let ready = self.0.as_ref()?;
        let Kind::Encoder(channels) = ready.kind else {
            return None;
        };
        let (x, _) = inputs.first().filter(|(x, _)| self.takes(x))?;
        let (rows, device) = (x.dims()[0], x.device());
        let finish: Vec<Output> = inputs
            .iter()
            .take(channels)
            .map(|(_, scale)| Output {
                keep: 0.0,
                scale: *scale,
            })
            .collect();
        let mut logits = vec![0.0f32; rows];
        let gradient = ready.run(inputs, Some(c_noise), &finish, channels, Some(&mut logits))?;
        let logits = Tensor::from_data(TensorData::new(logits, [rows]), &device);
        Some((logits, gradient))
    }
}
