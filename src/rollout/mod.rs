//! Frames one after another: settings, the engine that makes them, and the worker thread that owns it.

pub mod frame;
pub mod protocol;
pub mod settings;
pub mod worker;
