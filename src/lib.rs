//! # eddyscope
//!
//! Watch time appear in a still-image model. An unconditional image diffusion model makes single frames of
//! two-dimensional turbulence, or of a day's rain on the globe; the gradient of a time-consistency discriminator, added to the score, makes each new
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
//! | [`export`] | field -> files and back: pictures, films, data, sessions, each with its recipe |
//! | [`evaluate`] | the paper's figures and tables from ensembles of all methods |
//! | [`report`] | charts, maps and the page that holds them: SVG, PNG, HTML |
//! | [`rollout`] | settings, the engine (frames one after another), the worker thread that owns it, the microscope beside it |
//! | [`diffusion`] | noise levels, preconditioning, samplers (`sampler`; `flow` follows the law of the closed form), guidance, the Gaussian world with known answers |
//! | [`closed_form`] | worlds whose score and discriminator are known: Gaussian process, travelling wave |
//! | [`nn`] | layers, U-Net, the networks of the discriminators (burn); compiled inference on the CPU |
//! | [`model`] | model folder: card + weights, the shipped models |
//! | [`train`] | datasets -> models |
//! | [`sweep`] | rollouts over a grid of settings, judged; the suggested strength |
//! | [`study`] | small experiments on worlds with known statistics, each from its file to its page |
//! | [`metrics`] | what a rollout is judged by, one file a family |
//! | [`data`] | NetCDF in and out, normalisation, splits, augmentation, pairs |
//! | [`sim`] | the Navier-Stokes solver |
//! | [`field`] | a field: values on a grid, units, time |
//! | [`random`] | counter-based noise: a pure function of (seed, member, frame, step) |
//! | [`device`] | which device computes: GPU adapter or CPU, with a self-test |
//! | [`cli`] | the command line |
//!
//! A change begins here: another sampler in `diffusion::sampler`; another discriminator as an implementation of
//! [`diffusion::Discriminate`] and a line in `rollout::engine`; another figure in `metrics`, then in
//! `rollout::diagnostics` (over time) or `rollout::figures` (in space, ensembles) and `app::plots`; another fault that is
//! named as it happens in `rollout::signatures` and `app::plots::signs`; another control in `rollout::settings` and
//! `app::panels`; another kind of export in `export::plan`; another thing that can be asked of the window in
//! `app::commands`; another world with its own solver preset in `sim::params`, its training file under `models/` and a line
//! in `model::shipped`.
//!
//! # Two worlds
//!
//! | | vorticity | precipitation |
//! |---|---|---|
//! | grid | doubly periodic box ([`field::Grid`]) | latitude-longitude rows, south to north ([`field::Globe`]) |
//! | physical to normalised | one scale | transform, then mean and std of each cell ([`data::amounts`]) |
//! | truth | the solver ([`sim`]) | recorded days ([`data::recording`]): the shipped clip or the user's files |
//! | closed form | per wavenumber shell ([`diffusion::two_tower`]) | per wavelet coefficient, with a spread that depends on the state ([`diffusion::wavelet_tower`]) |
//! | beyond the edge | the opposite edge | the opposite edge in longitude; across the pole half-way around the same row |
//! | the networks know the place | no | a learned field at each level ([`nn::UNetConfig::position`]) |
//! | figures | dynamics skill, shells | rain ([`metrics::rain`]): anomalies from the monthly climatology, wet share, percentiles |
//!
//! A model's card says which world it is: with `data.globe` the globe, without it the box (`rollout::world`). Files of
//! precipitation come in through [`data::rain`] (recognised, asked where a guess could be wrong), [`data::regrid`] puts them
//! on the model's grid, and [`data::rain_stream`] writes runs day by day.
//!
//! # One frame
//!
//! `rollout::session` (the worker thread) reads the newest settings at every solver step, `rollout::sampled` runs the
//! sampler over the rows of all sampled lanes and members at once, `diffusion::two_tower` or `diffusion::encoder` judges
//! each noised candidate, `rollout::recorder` reads the figures off the finished frame and watches for a blow-up, and the
//! frame goes into the archive that the window reads; frames that no longer fit into memory go to disk (`rollout::spill`).
//! Branches (`rollout::branch`, `rollout::session_tree`) share the frames before their fork, in memory and on disk; each frame
//! records every settings in force while it was made (`FrameSet::steps`), so that it can be computed again.
//! The histories of the lanes are kept in physical f32 units, the ones that files hold: a run that goes on from its frames
//! goes on bit for bit. What goes on as truth is a `rollout::world`: the solver, or the days of a recording, which go round
//! by whole years where it ends. Without a window `rollout::headless` makes one lane in memory, `rollout::headless_rain`
//! streams days to a file of any length.
//!
//! Beside the rollout on screen, each on a thread of its own (`rollout::aside`): `rollout::wall`, linked rollouts from one
//! start with one setting varied, in as few batches as their samplers allow; `rollout::twin`, the solver from a
//! frame of the model's own, or the nearest recorded days.
//!
//! # The stack
//!
//! burn 0.22.1 (its CPU backend flex, and wgpu through cubecl 0.11), eframe and egui 0.37, egui_plot 0.38 and our WGSL
//! build together and share one wgpu 30 (a test in `device` lets the compiler prove it). What was found on the way:
//!
//! - burn's default features bring an SQL engine; they are off, and `simd`, `rayon`, `fusion`, `autotune` listed. The whole
//!   tree is about 410 crates on Linux; a cold release build takes about 20 minutes on two cores.
//! - `cargo build` and `cargo test` must ask for the same features of shared dependencies, or cubecl and burn are built
//!   twice: see the line `regex-automata` in Cargo.toml.
//! - flex's convolution, group norm and SiLU are slow for small networks; `nn::cpu` has fused operations with backward
//!   steps, made of the kernels of compiled inference and put into burn's graph through its backend extension. Other
//!   devices use burn's own operations, which they are tested against.
//! - The same frame on Vulkan (software adapter) and on flex differs by about 6e-6 at a standard deviation of 3.3.
//! - A software adapter computes some hundred times slower than flex: it only draws. The window's device is requested so
//!   that burn could share it; frames pass through the CPU, since figures, probe and export need them there.

pub mod app;
pub mod cli;
pub mod closed_form;
pub mod data;
pub mod device;
pub mod diffusion;
pub mod error;
pub mod evaluate;
pub mod export;
pub mod field;
pub mod metrics;
pub mod model;
pub mod nn;
pub mod random;
pub mod render;
pub mod report;
pub mod rollout;
pub mod sim;
pub mod study;
pub mod sweep;
pub mod train;
