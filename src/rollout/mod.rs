//! Frames one after another: settings, the engine that makes them, and the worker thread that owns it.

pub mod diagnostics;
pub mod engine;
pub mod frame;
pub mod headless;
pub mod lanes;
pub mod protocol;
mod recorder;
pub mod sampled;
mod session;
pub mod settings;
pub mod worker;
