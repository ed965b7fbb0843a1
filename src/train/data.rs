//! The data of a training: simulated with the preset's solver, or read from a file.

use std::ops::ControlFlow;
use std::path::Path;

use super::config::DataConfig;
use crate::data::{Dataset, read_series};
use crate::error::Result;
use crate::sim::{Params, simulate};

/// The runs to train on, normalised to a standard deviation of 0.5. `seed` fixes the draws of batches; `progress` is
/// told the fraction of the simulation that is done; `stop` ends it.
///
/// # Errors
/// An unknown preset, a file that cannot be used, too few runs, or a stop.
pub fn load_data(
    config: &DataConfig,
    file: Option<&Path>,
    seed: u64,
    stop: &(dyn Fn() -> bool + Sync),
    progress: &(dyn Fn(f64) + Sync),
) -> Result<Dataset> {
    let series = match file {
        Some(path) => read_series(path, None)?,
        None => {
            let report = |done: usize, all: usize| {
                progress(done as f64 / all.max(1) as f64);
                if stop() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            };
            let params = Params::preset(&config.preset)?;
            simulate(&params, config.frames, config.runs, config.seed, &report)?
        }
    };
    Dataset::new(series, config.validation_runs, None, seed)
}
