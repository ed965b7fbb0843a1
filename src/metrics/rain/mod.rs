//! Figures of daily precipitation on the globe. Means over cells are area-weighted with
//! [`Globe::row_weights`](crate::field::Globe::row_weights); percentiles are over cells, each counting 1.
//!
//! | file | what it does |
//! |---|---|
//! | [`day`] | figures of one day: mean, wet fractions, percentiles, zonal mean and power, Hovmoeller row |
//! | [`amounts`] | percentiles over any number of days from counts |
//! | [`monthly`] | means of the calendar months, by cell |
//! | [`anomalies`] | sums from which the autocorrelation follows |
//! | [`stream`] | the figures of a rollout, day by day |
//! | [`season`] | the year's cycle by region |
//! | [`years`], [`mod@trend`] | figures of single years, and whether they drift |

pub mod amounts;
pub mod anomalies;
pub mod day;
pub mod monthly;
pub mod season;
pub mod stream;
#[cfg(test)]
mod tests;
pub mod trend;
pub mod years;

pub use amounts::AmountCounts;
pub use day::{PERCENTILES, RainDay, RainGrid, WET, zonal_spectrum_error};
pub use monthly::MonthlyMeans;
pub use season::{AnnualCycle, REGIONS, Region, annual_cycle};
pub use stream::{MAX_LAG, PastDay, RainStream, RainSummary};
pub use trend::{Trend, spread, trend};
pub use years::{YEAR_FIGURES, YearFigures, Years};
