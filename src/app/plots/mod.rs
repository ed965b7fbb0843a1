//! The plots of the diagnostics.
//!
//! | file | what is in it |
//! |---|---|
//! | `chart`, `axes` | one quiet chart, its axes |
//! | `save` | any chart as a picture or a table |
//! | `time`, `rain_time` | autocorrelation, change, spread over time |
//! | `space`, `spectra` | spectrum and distribution of values; zonal means and percentiles of rain |
//! | `hovmoeller` | space-time diagrams |
//! | `discriminator`, `reliability` | D along the denoising; whether it means what it says |
//! | `dynamics` | dynamics skill |
//! | `ensemble`, `members` | members against truth |
//! | `budget` | energy and enstrophy; rain's mean and wet share |
//! | `probe`, `rain_probe` | one cell over time |
//! | `signs` | what goes wrong, in words |

mod axes;
pub mod budget;
pub mod chart;
pub mod discriminator;
pub mod dynamics;
pub mod ensemble;
pub mod hovmoeller;
mod members;
pub mod probe;
pub mod rain_probe;
pub mod rain_time;
mod reliability;
pub mod save;
pub mod signs;
pub mod space;
mod spectra;
pub mod time;

/// What the tabs show, beyond what persists.
#[derive(Default)]
pub struct PlotState {
    /// The chart that is being saved.
    pub save: save::PlotSave,
    /// What the tab Space shows of rain.
    pub space: space::View,
    /// What the tab of the discriminator shows.
    pub discriminator: discriminator::View,
    /// What the tab of the ensemble shows.
    pub ensemble: ensemble::View,
    /// Whether all signatures are listed.
    pub all_signs: bool,
    /// The cell that is followed.
    cell: probe::Cell,
    /// The members of one lane.
    members: members::Lines,
    /// The map of spread, as it was drawn last.
    spread_map: members::SpreadMap,
}
