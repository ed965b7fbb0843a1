//! What a rollout is judged by, one file a family. Nothing here knows of networks or of the window.
//!
//! Frames are row-major slices, all of one length. A figure that is undefined (no frames, no variance, one member where
//! two are needed) is `None`, never a panic and never a number that looks like an answer; the doc of each function says
//! when. `y` is truth, `x` the model, `<.>` the mean over cells.
//!
//! | file | figures |
//! |---|---|
//! | [`pointwise`] | RMSE, bias, standard deviation, kurtosis |
//! | [`moments`] | mean and variance by cell, streaming |
//! | [`blocks`] | running mean, blocks of frames, drift |
//! | [`mod@acf`] | autocorrelation in time: by cell, streaming, pooled, of anomalies |
//! | [`spectrum`] | shell sums of energy and enstrophy, shell power, spectrum error |
//! | [`budget`] | sources and sinks of energy and enstrophy |
//! | [`dynamics`] | dynamics skill, regression `a`, residual |
//! | [`hovmoeller`], [`mod@row_distances`] | Hovmoeller rows and the distance W1 between consecutive ones |
//! | [`ensemble`] | CRPS, spread and skill, rank histogram |
//! | [`eof`], [`eof_stream`], [`subspace`] | empirical orthogonal functions, and whether two sets are the same |
//! | [`waiting`] | waiting times between exceedances |
//! | [`extremes`] | how often a run passes what is rare in truth, return levels |
//! | [`reliability`] | reliability diagram, expected calibration error |
//! | [`counts`], [`histogram`] | distributions and the distance between them |
//! | [`bootstrap`] | confidence bands |
//! | [`rain`] | figures of daily rain on the globe: of a day, of a rollout, of the seasons |
//! | [`weights`] | weights of cells |

pub mod acf;
pub mod blocks;
pub mod bootstrap;
pub mod budget;
pub mod counts;
pub mod dynamics;
pub mod ensemble;
pub mod eof;
pub mod eof_stream;
pub mod extremes;
pub mod histogram;
pub mod hovmoeller;
mod linalg;
pub mod moments;
pub mod pointwise;
pub mod rain;
pub mod reliability;
pub mod row_distances;
pub mod spectrum;
pub mod subspace;
#[cfg(test)]
mod tests;
pub mod waiting;
pub mod weights;

pub use acf::{StreamingAcf, acf, anomaly_acf, mean_absolute_error, pooled_acf};
pub use blocks::{BlockMoments, Drift, RunningMean, running_mean};
pub use bootstrap::{Band, Bootstrap};
pub use budget::{BudgetStream, ForcedBudget, FrameBudget, forced_budget};
pub use counts::ValueCounts;
pub use dynamics::Dynamics;
pub use ensemble::{Crps, SpreadSkill, crps, rank_histogram, weighted_crps};
pub use eof::{Eofs, eofs};
pub use eof_stream::EofStream;
pub use extremes::{BlockMaxima, Exceedance, exceedances, return_levels};
pub use histogram::{Histogram, wasserstein, wasserstein_weighted};
pub use hovmoeller::{hovmoeller_column, hovmoeller_row, w1_mass, w1_mass_periodic, w1_value};
pub use moments::{MapMoments, Overall};
pub use pointwise::{
    bias_map, kurtosis, mean_absolute_bias, rmse, std, std_ratio, weighted_absolute_bias,
    weighted_rmse,
};
pub use rain::{RainGrid, RainStream, RainSummary};
pub use reliability::{Reliability, ReliabilityBin, ReliabilityByNoise};
pub use row_distances::{RowDistances, W1Form, row_distances};
pub use spectrum::{RadialSpectrum, SpectrumStream, radial_spectrum, shell_power, spectrum_error};
pub use subspace::{
    EofMatch, degenerate_groups, independent_samples, match_eofs, principal_cosines,
};
pub use waiting::{TopValues, WaitingTimes, local_percentile};
pub use weights::Weights;
