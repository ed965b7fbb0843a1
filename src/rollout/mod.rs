//! Frames one after another: settings, the engine that makes them, and the worker thread that owns it.

pub mod aside;
pub mod branch;
pub mod climate;
pub mod diagnostics;
pub mod engine;
pub mod frame;
pub mod headless;
pub mod headless_rain;
pub mod lanes;
pub mod microscope;
pub mod protocol;
mod rain;
mod recorder;
pub mod replay;
pub mod sampled;
mod session;
mod session_frames;
mod session_tree;
pub mod settings;
pub mod spill;
mod spill_file;
mod spill_format;
pub mod suggested;
mod truth;
pub mod wall;
pub mod worker;
pub mod world;
