//! The data of a training: simulated with the preset's solver, or read from files.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use super::config::{DataConfig, GlobeData};
use super::globe::{self, Days};
use crate::data::{Dataset, read_series};
use crate::error::{Result, UserError};
use crate::sim::{Params, simulate};

/// The runs to train on, normalised to a standard deviation of 0.5. `seed` fixes the draws of batches; `progress` is
/// told the fraction of the simulation (or of the reading) that is done; `stop` ends it.
///
/// # Errors
/// An unknown preset, a file that cannot be used, too few runs, or a stop.
pub fn load_data(
    config: &DataConfig,
    files: &[PathBuf],
    seed: u64,
    stop: &(dyn Fn() -> bool + Sync),
    progress: &(dyn Fn(f64) + Sync),
) -> Result<Dataset> {
    if let Some(g) = &config.globe {
        let days = load_days(g, files, stop, progress)?;
        let amounts = Arc::new(globe::statistics(&days, g)?);
        return globe::dataset(&days, &amounts, g, seed);
    }
    let series = match files {
        [path] => read_series(path, None)?,
        [] => {
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
        _ => {
            return Err(UserError::new(
                "Cannot train on several files",
                "runs on the box come from one file, one run a member",
                "give one file with --data",
            ));
        }
    };
    Dataset::new(series, config.validation_runs, None, seed)
}

/// All days of the files on the model's grid.
///
/// # Errors
/// No files, files that cannot be used, or a stop.
pub fn load_days(
    config: &GlobeData,
    files: &[PathBuf],
    stop: &(dyn Fn() -> bool + Sync),
    progress: &(dyn Fn(f64) + Sync),
) -> Result<Days> {
    temporary(config, files, stop, progress)
}

fn temporary(
    _c: &GlobeData,
    files: &[PathBuf],
    _s: &(dyn Fn() -> bool + Sync),
    _p: &(dyn Fn(f64) + Sync),
) -> Result<Days> {
    use crate::data::{Calendar, Date};
    let mut amounts = Vec::new();
    let mut lat = Vec::new();
    for f in files {
        let file = netcdf_reader::NcFile::open(f).map_err(|e| UserError::new("open", e, ""))?;
        let a = file
            .read_variable::<f32>("pr")
            .map_err(|e| UserError::new("read", e, ""))?;
        amounts.extend(a.iter().copied());
        let l = file
            .read_variable::<f64>("lat")
            .map_err(|e| UserError::new("read", e, ""))?;
        lat = l.iter().copied().collect();
    }
    let grid = crate::field::Globe::new(lat, 0.0, 96)?;
    let n = amounts.len() / grid.len();
    let first = Calendar::NoLeap.days_from_date(Date {
        year: 2001,
        month: 1,
        day: 1,
    });
    Ok(Days {
        dates: (0..n)
            .map(|i| Calendar::NoLeap.date_from_days(first + i as i64))
            .collect(),
        grid,
        calendar: Calendar::NoLeap,
        amounts,
        source: "x".into(),
    })
}
