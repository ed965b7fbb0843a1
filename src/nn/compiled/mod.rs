//! Compiled inference on the CPU: a network as a plan made once from its weights.
//!
//! | module | |
//! |---|---|
//! | `build`, `network`, `noise` | from a U-Net's sizes and weights to a plan |
//! | `back` | the encoder discriminator with its way back to the input |
//! | `plan` | the phases of a network: what is computed from where to where |
//! | `check` | whether every step of a plan stays in its place |
//! | `memory` | constants, and the arena in which every buffer has its place from the beginning |
//! | `run`, `run_back`, `transfer` | run a plan, phase after phase |
//! | `team` | threads that share the tasks of one small image |
//! | `batch`, `grouped`, `pointwise` | convolutions and norms of a batch with their gradients, for training: nothing planned |
//! | `conv`, `outer`, `norm`, `attention`, `slopes` | the kernels, written for any number of registers |
//! | `simd` | sixteen floats in the registers of AVX-512, AVX2, NEON, or in an array |
//! | `kernels` | the kernels of each processor, the best of them chosen when the program runs |
//!
//! Nothing is allocated by a run. A row's result depends neither on the batch nor on the number of threads: sums run over
//! channels and taps in a fixed order, moments of norms over pieces that depend on the size of the field alone.
//!
//! Unsafe code of this crate is in this module only. The kernels say what they ask of their pointers; a plan gives them
//! places, and before it runs `check` computes from each step alone what it will touch, and refuses a plan with a step
//! that leaves the memory there is or meets another step of its phase. `benches/compiled_alone` builds the module without
//! the rest of the program, for sanitizers and other processors.
#![allow(unsafe_code)]

mod attention;
mod back;
mod batch;
mod build;
mod check;
mod conv;
mod grouped;
mod kernels;
mod memory;
mod network;
mod noise;
mod norm;
mod outer;
mod plan;
mod pointwise;
mod run;
mod run_back;
mod simd;
mod slopes;
mod team;
mod transfer;

pub(crate) use batch::Convolution;
pub(crate) use build::Weights;
pub(crate) use pointwise::{Affine, combine_in_place, moment};
pub(crate) use run::{Input, Output};

use super::config::UNetConfig;
use kernels::Kernels;
use run::Runner;
use team::Team;

/// Images that one pass takes at most: their memory stays near the processor.
const IMAGES: usize = 4;

/// What one image costs in a compiled network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Instructions of the processor that the kernels use.
    pub kernels: &'static str,
    /// Multiplications and additions.
    pub flops: u64,
    /// Bytes of all weights.
    pub weight_bytes: usize,
    /// Bytes of everything between input and output.
    pub state_bytes: usize,
}

/// Multiplications and additions a second that one thread can do in registers with the kernels' instructions, measured.
pub fn peak() -> f64 {
    const ROUNDS: usize = 1_000_000;
    let best = kernels::best();
    let took = (0..5).map(|_| {
        let began = std::time::Instant::now();
        // SAFETY: `best` has the features of this processor.
        std::hint::black_box(unsafe { (best.spin)(ROUNDS) });
        began.elapsed().as_secs_f64()
    });
    let flops = 2 * ROUNDS * best.spinning * simd::LANES;
    flops as f64 / took.fold(f64::INFINITY, f64::min)
}

/// What is compiled.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// A U-Net.
    UNet,
    /// An encoder, with the gradient of so many channels.
    Encoder(usize),
}

impl Kind {
    /// Whether it can be compiled: an encoder's gradient with some paddings cannot.
    pub fn possible(self, config: &UNetConfig) -> bool {
        match self {
            Self::UNet => true,
            Self::Encoder(_) => back::possible(config),
        }
    }
}

/// A U-Net ready to run on fields of one size.
pub(crate) struct Program(Runner);

impl Program {
    /// Plans the network of these sizes and weights for fields of `[rows, columns]`. `None` if it cannot work on them.
    ///
    /// # Panics
    /// If the weights are not those of a network of these sizes.
    pub fn unet(config: &UNetConfig, weights: &Weights, field: [usize; 2]) -> Option<Self> {
        Self::for_processor(kernels::best(), config, weights, Kind::UNet, field)
    }

    /// Plans the encoder discriminator whose trunk has these sizes, with its gradient with respect to the first `channels`
    /// channels of its input. `None` if it cannot work on such fields, or its padding has no compiled way back.
    ///
    /// # Panics
    /// As [`Self::unet`].
    pub fn encoder(
        config: &UNetConfig,
        weights: &Weights,
        field: [usize; 2],
        channels: usize,
    ) -> Option<Self> {
        Self::for_processor(
            kernels::best(),
            config,
            weights,
            Kind::Encoder(channels),
            field,
        )
    }

    fn for_processor(
        kernels: &'static Kernels,
        config: &UNetConfig,
        weights: &Weights,
        kind: Kind,
        field: [usize; 2],
    ) -> Option<Self> {
        if config.validate().is_err() || !config.fits(field) || !kind.possible(config) {
            return None;
        }
        let builder = build::Builder::new(config, weights, kernels);
        let plan = match kind {
            Kind::UNet => builder.unet(field),
            Kind::Encoder(channels) => builder.encoder(field, channels),
        };
        Some(Self(Runner::new(plan, IMAGES)))
    }

    /// Rows and columns of the fields.
    pub fn field(&self) -> [usize; 2] {
        self.0.plan.field
    }

    /// What it takes.
    pub fn cost(&self) -> Cost {
        let plan = &self.0.plan;
        Cost {
            kernels: plan.kernels.name,
            flops: plan.flops,
            weight_bytes: plan.weights,
            state_bytes: plan.image * size_of::<f32>(),
        }
    }

    /// Runs it on `rows` images; see [`Input`] and [`Output`] (one for each output channel, or one for all). `c_noise` is what
    /// the noise embedding is told, for a network that has one; `logits` `[rows]` are an encoder's, whose output is its
    /// gradient. Allocates nothing.
    ///
    /// # Panics
    /// If sizes do not fit the network.
    pub fn run(
        &mut self,
        inputs: &[Input<'_>],
        rows: usize,
        c_noise: Option<f32>,
        finish: &[Output],
        output: &mut [f32],
        logits: Option<&mut [f32]>,
    ) {
        let team = Team::shared();
        self.0
            .run(team, inputs, rows, c_noise, finish, output, logits);
    }
}

#[cfg(test)]
pub(super) mod tests;
