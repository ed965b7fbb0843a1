//! # eddyscope
//!
//! Watch time appear in a still-image model. An unconditional image diffusion model makes single frames of
//! two-dimensional turbulence; the gradient of a time-consistency discriminator, added to the score, makes each new
//! frame follow from the last ones (Hess et al. 2025, arXiv 2505.09089). A window drives the guided sampler in a
//! worker thread and draws every new frame; the same engine runs from the command line.
//!
//! # ARCHITECTURE
//!
//! Dependencies run one way, downwards. Nothing below `app` imports egui; `metrics`, `field`, `sim` and `data` know
//! nothing of burn.
//!
//! | room | what is in it |
//! |---|---|
//! | [`app`] | what a person sees: panels, viewport, plots, timeline, dialogs, theme (egui) |
//! | [`render`] | field -> pixels: WGSL pipeline, colour maps, the same picture on the CPU |
//! | [`export`] | field -> files: PNG with its recipe |
//! | [`rollout`] | settings, the engine (frames one after another) and the worker thread that owns it |
//! | [`diffusion`] | noise levels, preconditioning, samplers, guidance, the Gaussian world with known answers |
//! | [`nn`] | layers, U-Net, the networks of the discriminators (burn) |
//! | [`model`] | model folder: card + weights, the shipped models |
//! | [`train`] | datasets -> models |
//! | [`metrics`] | what a rollout is judged by, one file a family |
//! | [`data`] | NetCDF in and out, normalisation, splits, augmentation, pairs |
//! | [`sim`] | the Navier-Stokes solver |
//! | [`field`] | a field: values on a grid, units, time |
//! | [`random`] | counter-based noise: a pure function of (seed, member, frame, step) |
//! | [`device`] | which device computes: GPU adapter or CPU, with a self-test |
//! | [`cli`] | the command line |

pub mod app;
pub mod cli;
pub mod data;
pub mod device;
pub mod diffusion;
pub mod error;
pub mod export;
pub mod field;
pub mod metrics;
pub mod model;
pub mod nn;
pub mod random;
pub mod render;
pub mod rollout;
pub mod sim;
pub mod train;
