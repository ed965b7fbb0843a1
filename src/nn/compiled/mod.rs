//! Compiled inference on the CPU: a network as a plan made once from its weights.
//!
//! | module | |
//! |---|---|
//! | `build` | from a U-Net's sizes and weights to a plan |
//! | `plan` | the phases of a network: what is computed from where to where |
//! | `memory` | constants, and the arena in which every buffer has its place from the beginning |
//! | `run` | runs a plan, phase after phase |
//! | `team` | threads that share the tasks of one small image |
//! | `conv`, `norm`, `attention` | the kernels, written for any number of registers |
//! | `simd` | sixteen floats in the registers of AVX-512, AVX2, NEON, or in an array |
//! | `kernels` | the kernels of each processor, the best of them chosen when the program runs |
//!
//! Nothing is allocated by a run. A row's result depends neither on the batch nor on the number of threads: sums run over
//! channels and taps in a fixed order, moments of norms over pieces that depend on the size of the field alone.
//!
//! Unsafe code of this crate is in this module only: the plan is where the safety of the kernels' pointers is decided (it
//! places every buffer, and tasks of one phase write disjoint parts), and the kernels say what they ask of it.
#![allow(unsafe_code)]

mod attention;
mod build;
mod conv;
mod kernels;
mod memory;
mod norm;
mod plan;
mod run;
mod simd;
mod team;

pub(crate) use build::Weights;
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

/// A U-Net ready to run on fields of one size.
pub(crate) struct Program(Runner);

impl Program {
    /// Plans the network of these sizes and weights for fields of `[rows, columns]`.
    pub fn unet(config: &UNetConfig, weights: &Weights, field: [usize; 2]) -> Self {
        Self::for_processor(kernels::best(), config, weights, field)
    }

    fn for_processor(
        kernels: &'static Kernels,
        config: &UNetConfig,
        weights: &Weights,
        field: [usize; 2],
    ) -> Self {
        let plan = build::Builder::new(config, weights, kernels).unet(field);
        Self(Runner::new(plan, IMAGES))
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

    /// Runs it on `rows` images; see [`Input`] and [`Output`]. `c_noise` is what the noise embedding is told, for a network
    /// that has one. Allocates nothing.
    ///
    /// # Panics
    /// If sizes do not fit the network.
    pub fn run(
        &mut self,
        inputs: &[Input<'_>],
        rows: usize,
        c_noise: Option<f32>,
        finish: Output,
        output: &mut [f32],
    ) {
        self.0
            .run(Team::shared(), inputs, rows, c_noise, finish, output);
    }
}
