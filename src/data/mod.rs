//! Files in and out, and data for training.
//!
//! | file | what it does |
//! |---|---|
//! | [`series`] | frames of several members, as a run file holds them |
//! | [`files`] | writing a file whole or not at all; what file errors mean |
//! | [`netcdf_write`], [`netcdf_read`], [`npy`] | the file formats |
//! | [`start`] | the frames a rollout starts from |
//! | [`dataset`] | runs, normalisation, split, batches |
//! | [`amounts`] | amounts of precipitation to normalised values and back |
//! | [`paths`] | file names, folders and patterns to files |
//! | [`calendar`] | dates in the calendars of climate data |
//! | [`rain`] | daily precipitation from NetCDF files of many kinds, read lazily |
//! | [`rain_stream`] | a NetCDF file that grows day by day |
//! | [`regrid`] | conservative regridding between grids of the globe |
//! | [`recording`] | recorded days on a model's grid: files, and the clip that is shipped |
//! | [`drawing`] | a picture as a field |
//! | [`augment`] | the symmetries of the torus, crops |
//! | [`pairs`] | positive and negative pairs for a discriminator |

pub mod amounts;
pub mod augment;
pub mod calendar;
pub mod dataset;
pub mod drawing;
pub mod files;
pub mod netcdf_read;
pub mod netcdf_write;
pub mod npy;
pub mod pairs;
pub mod paths;
pub mod rain;
pub mod rain_stream;
pub mod recording;
pub mod regrid;
pub mod series;
pub mod start;
#[cfg(test)]
mod tests;

pub use amounts::{Amounts, Normaliser, Transform};
pub use augment::Symmetry;
pub use calendar::{Calendar, Date};
pub use dataset::{Dataset, NORMALISED_STD, Normalisation, Symmetries};
pub use files::check_writable;
pub use netcdf_read::read_series;
pub use netcdf_write::write_series;
pub use pairs::{PairBatch, PairSettings};
pub use paths::expand_paths;
pub use series::Series;
pub use start::{StartFrames, start_from_file, start_from_series};
