//! The plots of the diagnostics.

pub mod chart;
pub mod discriminator;
pub mod dynamics;
pub mod hovmoeller;
pub mod probe;
pub mod time;
