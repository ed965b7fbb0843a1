//! The data of a training: simulated with the preset's solver, or read from files.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use super::config::{DataConfig, GlobeData};
use super::globe::{self, Days};
use crate::data::rain::{Choices, RainFiles};
use crate::data::regrid::Regrid;
use crate::data::{Dataset, expand_paths, read_series};
use crate::error::{Result, UserError};
use crate::field::Globe;
use crate::sim::{Params, simulate};

/// Files to train on, and what their reader was told of them.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// Names of the files; none to simulate the data.
    pub files: Vec<PathBuf>,
    /// Answers to what files of precipitation leave open.
    pub choices: Choices,
}

/// The runs to train on, normalised to a standard deviation of 0.5. `seed` fixes the draws of batches; `progress` is
/// told the fraction of the simulation (or of the reading) that is done; `stop` ends it.
///
/// # Errors
/// An unknown preset, a file that cannot be used, too few runs, or a stop.
pub fn load_data(
    config: &DataConfig,
    source: &Source,
    seed: u64,
    stop: &(dyn Fn() -> bool + Sync),
    progress: &(dyn Fn(f64) + Sync),
) -> Result<Dataset> {
    if let Some(g) = &config.globe {
        let days = load_days(g, source, stop, progress)?;
        let amounts = Arc::new(globe::statistics(&days, g)?);
        return globe::dataset(&days, &amounts, g, seed);
    }
    let series = match &source.files[..] {
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
    source: &Source,
    stop: &(dyn Fn() -> bool + Sync),
    progress: &(dyn Fn(f64) + Sync),
) -> Result<Days> {
    let headline = "Cannot train on the globe";
    if source.files.is_empty() {
        return Err(UserError::new(
            headline,
            "the training file asks for days of precipitation, and no files are given",
            "name them with --data 'FILES' (NetCDF; `eddyscope data FILES` shows what is recognised)",
        ));
    }
    let files = &source.files;
    let names: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
    let rain = RainFiles::open(&expand_paths(&names)?, &source.choices)?;
    rain.answered()?;
    let grid = match config.grid {
        Some([ny, nx]) => Globe::cell_centred(ny, nx)?,
        None => rain.globe().clone(),
    };
    let regrid = Regrid::new(rain.globe(), &grid);
    let days = rain.days();
    let mut amounts = Vec::new();
    amounts.try_reserve_exact(days * grid.len()).map_err(|_| {
        UserError::new(
            headline,
            format!(
                "{days} days of {} x {} cells do not fit into memory",
                grid.ny(),
                grid.nx
            ),
            "give fewer files, or a coarser grid in the training file",
        )
    })?;
    for i in 0..days {
        if stop() {
            return Err(UserError::new(
                headline,
                "reading the files was stopped",
                "start the command again",
            ));
        }
        amounts.extend(regrid.apply(&rain.day(i)?));
        progress((i + 1) as f64 / days as f64);
    }
    Ok(Days {
        calendar: rain.calendar(),
        dates: (0..days).map(|i| rain.date(i)).collect(),
        source: rain.name(),
        grid,
        amounts,
    })
}
