//! Field -> pixels: colour maps, the WGSL pipeline, and the same picture made on the CPU.
//!
//! A frame is drawn with one fixed range for all lanes and all times, so that a colour always means the same value:
//! cell -> `t = (value - lo) / (hi - lo)` clipped to `[0, 1]` -> entry `floor(255 t + 1/2)` of a table of 256 colours.
//! [`gpu`] does it in `shaders/field.wgsl`, [`cpu`] in Rust; `tests/shaders.rs` holds the two together.

pub mod colormap;
pub mod cpu;
pub mod gpu;
mod view;

pub use colormap::ColorMap;
pub use view::{Look, ValueRange, View};
