//! The plots of the diagnostics.

pub mod chart;
pub mod discriminator;
pub mod dynamics;
pub mod hovmoeller;
pub mod probe;
pub mod rain_probe;
pub mod rain_time;
pub mod space;
pub mod time;
