//! Layers, U-Net, and the networks of the denoiser and of the two discriminators (burn).
//!
//! Fields are tensors `[batch, channel, y, x]` in normalised units. Every function runs on any device of burn; on the CPU
//! (Flex) the convolutions, norms and skip connections run in kernels of our own, in which the result of one row depends
//! neither on the batch nor on the number of threads. Networks whose weights do not change any more are compiled there
//! ([`Denoiser::compiled`] and the like): whole plans without burn's tensors in between.

mod compiled;
mod config;
mod cpu;
mod denoiser;
mod encoder;
mod extension;
mod fast;
mod layers;
mod ops;
#[doc(hidden)]
pub mod reference;
mod tower;
mod unet;
mod video;
pub mod weights;

pub use compiled::{Cost, peak};
pub use config::{EncoderConfig, Padding, Skips, UNetConfig};
pub use denoiser::Denoiser;
pub use encoder::Encoder;
pub(crate) use ops::on_cpu;
pub(crate) use tower::masked;
pub use tower::{HISTORY, HistoryTower, SEASON_CHANNELS, TowerOutput};
pub use unet::UNet;
pub use video::VideoDenoiser;

#[cfg(test)]
mod tests;
