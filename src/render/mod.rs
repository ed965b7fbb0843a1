//! Field -> pixels: colour maps, the WGSL pipeline, and the same picture made on the CPU.
//!
//! A frame is drawn with one fixed range for all lanes and all times, so that a colour always means the same value:
//! cell -> `t = (value - lo) / (hi - lo)` clipped to `[0, 1]` -> entry `floor(255 t + 1/2)` of a table of 256 colours.
//! Amounts of rain go through a [`Tone`] (logarithmic, or by how often they occur) and have a colour of their own where it
//! is dry. The globe is a projection of the cells; its lines (coasts, graticule) are in [`lines`].
//! [`gpu`] does it in `shaders/field.wgsl`, [`cpu`] and [`globe`] in Rust; `tests/shaders.rs` holds the two together.

pub mod colormap;
pub mod cpu;
pub mod globe;
pub mod gpu;
pub mod lines;
pub mod projection;
pub mod ticks;
mod tone;
mod view;

pub use colormap::ColorMap;
pub use projection::{GlobeView, Projection};
pub use tone::{Scale, Tone};
pub use view::{Look, RainLook, ValueRange, View};
