//! Where a network meets its compiled form: tensors of the CPU in, tensors out.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};

use super::compiled::{Cost, Input, Output, Program, Weights};
use super::config::UNetConfig;
use super::{ops, weights};

/// A network's compiled form, if it has been made. It holds the weights of the moment when it was made.
#[derive(Clone, Default)]
pub(crate) struct Compiled(Option<Arc<Ready>>);

struct Ready {
    config: UNetConfig,
    weights: Weights,
    /// Made for the size of the last field.
    program: Mutex<Option<Program>>,
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
    pub fn new<M: Module>(config: &UNetConfig, module: &M) -> Self {
        let weights = weights::parameters(module)
            .into_iter()
            .map(|p| (p.name, p.values))
            .collect();
        Self(Some(Arc::new(Ready {
            config: config.clone(),
            weights,
            program: Mutex::new(None),
        })))
    }

    /// What a field of `[rows, columns]` costs.
    pub fn cost(&self, field: [usize; 2]) -> Option<Cost> {
        let ready = self.0.as_ref()?;
        Some(Program::unet(&ready.config, &ready.weights, field).cost())
    }

    /// Whether a tensor can be sent through it: it has been made, and the tensor is on the CPU and no gradient is wanted.
    pub fn takes(&self, x: &Tensor<4>) -> bool {
        let device = x.device();
        self.0.is_some() && ops::is_flex(&device) && !device.is_autodiff()
    }

    /// `keep * first channel + scale * F(inputs; c_noise)`, `[rows, channels, y, x]`. `None` where [`Self::takes`] says no.
    pub fn forward(
        &self,
        inputs: Vec<Scaled>,
        c_noise: Option<f32>,
        finish: Output,
    ) -> Option<Tensor<4>> {
        let ready = self.0.as_ref()?;
        let first = inputs.first().filter(|(x, _)| self.takes(x))?;
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
        let channels = ready.config.out_channels;
        let mut out = vec![0.0f32; rows * channels * ny * nx];
        let mut program = ready.program.lock().unwrap_or_else(PoisonError::into_inner);
        let program = match &mut *program {
            Some(program) if program.field() == [ny, nx] => program,
            other => other.insert(Program::unet(&ready.config, &ready.weights, [ny, nx])),
        };
        program.run(&parts, rows, c_noise, finish, &mut out);
        Some(Tensor::from_data(
            TensorData::new(out, [rows, channels, ny, nx]),
            &device,
        ))
    }
}
