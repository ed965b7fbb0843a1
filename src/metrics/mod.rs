//! What a rollout is judged by, one file a family. Nothing here knows of networks or of the window.
//!
//! Frames are row-major slices, all of one length. A figure that is undefined (no frames, no variance, one member where
//! two are needed) is `None`, never a panic and never a number that looks like an answer; the doc of each function says
//! when. `y` is truth, `x` the model, `<.>` the mean over cells.
//!
//! | file | figures |
//! |---|---|
//! | [`pointwise`] | RMSE, bias, standard deviation, kurtosis |
//! | [`mod@acf`] | autocorrelation in time: by cell, streaming, pooled |
//! | [`spectrum`] | shell sums of energy and enstrophy, shell power, spectrum error |
//! | [`dynamics`] | dynamics skill, regression `a`, residual |
//! | [`hovmoeller`] | Hovmoeller rows and the distance W1 between consecutive ones |
//! | [`ensemble`] | CRPS, spread and skill, rank histogram |
//! | [`rain`] | figures of daily rain on the globe: of a day, of a rollout, of the seasons |
//! | [`weights`] | weights of cells |

pub mod acf;
pub mod dynamics;
pub mod ensemble;
pub mod hovmoeller;
pub mod pointwise;
pub mod rain;
pub mod spectrum;
#[cfg(test)]
mod tests;
pub mod weights;

pub use acf::{StreamingAcf, acf, mean_absolute_error, pooled_acf};
pub use dynamics::Dynamics;
pub use ensemble::{Crps, SpreadSkill, crps, rank_histogram, weighted_crps};
pub use hovmoeller::{hovmoeller_row, w1_mass, w1_mass_periodic, w1_value};
pub use pointwise::{
    bias_map, kurtosis, mean_absolute_bias, rmse, std, std_ratio, weighted_absolute_bias,
    weighted_rmse,
};
pub use rain::{RainGrid, RainStream, RainSummary};
pub use spectrum::{RadialSpectrum, radial_spectrum, shell_power, spectrum_error};
pub use weights::Weights;
