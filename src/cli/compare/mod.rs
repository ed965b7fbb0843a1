//! `eddyscope compare`: a run of daily rain against recorded days.

mod judge;
mod report;
mod survey;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::data;
use crate::data::rain::Choices;
use crate::data::recording::{FileRecording, Recording};
use crate::error::Result;
use crate::model::Model;
use crate::model::card::{FigureCard, QualityCard};
use crate::train::assemble::write_card;

use super::data::RainAnswers;
use super::progress::{Interrupt, bar};

/// Judge a run of daily rain against recorded days: autocorrelation, amounts, spectrum, seasons, drift.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  eddyscope compare run.nc --with 'test/*.nc'
  eddyscope compare century.nc --with era5-2001.nc era5-2002.nc --skip 365 --json > judged.json
  eddyscope compare validation.nc --with test.nc --skip 0      what truth itself reaches

Both sides are read day by day, twice: memory does not grow with their length. Truth is regridded to the run's grid.
Several members in a file are series of their own; sums are pooled.

Autocorrelation: of the anomalies from each side's own monthly climatology (mean of each calendar month over all years
and members, by cell), denominator N, area-weighted mean over the cells that vary. Percentiles, and the wet share of the
cells, count each cell once; all other means are area-weighted. Zonal spectrum: mean over rows and days of the power
of each zonal wavenumber, compared at wavenumbers 1-40.

Drift: the slope through the figures of whole years, times the years of the run, at 5 years or more. It passes within twice
the larger of two scatters: of the means of truth's 12-year blocks (of its single years / sqrt(12), where there are
fewer than 3 blocks), and of the slope of years without a trend that vary as truth's do, over a run of this length.

Exit code: 0 judged (whatever the verdict), 2 an error, 3 stopped early.")]
pub struct CompareArgs {
    /// Run to judge: a NetCDF file of daily precipitation, or several that follow each other
    #[arg(required = true, value_name = "RUN.nc")]
    pub run: Vec<String>,
    /// Recorded days to judge by: NetCDF files of daily precipitation, folders or patterns
    #[arg(long = "with", required = true, num_args = 1.., value_name = "FILES")]
    pub truth: Vec<String>,
    /// Days of the run that are left out at its begin (the start and the spin-up)
    #[arg(long, default_value_t = 60, value_name = "DAYS")]
    pub skip: usize,
    /// How the recorded days are to be read, where they leave a question open (`eddyscope data FILES` shows them)
    #[command(flatten)]
    pub answers: RainAnswers,
    /// Print all figures as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
    /// Add the figures to the card of this model folder
    #[arg(long, value_name = "FOLDER", requires = "setting")]
    pub record: Option<PathBuf>,
    /// What the run was made with, for the card
    #[arg(long, value_name = "TEXT")]
    pub setting: Option<String>,
    /// The command that made the run, for the card
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub made_by: String,
}

/// Runs the command; returns the exit code.
///
/// # Errors
/// Files that cannot be read or leave a question open; a run without days after `--skip`.
pub fn run(args: &CompareArgs) -> Result<u8> {
    let [of_run, of_truth] = [&args.run, &args.truth].map(|names| data::expand_paths(names));
    let own = Choices {
        guess: args.answers.guess,
        ..Choices::default()
    };
    let run = survey::open(&of_run?, &own, None)?;
    let Some(globe) = run.first().map(|m| m.globe().clone()) else {
        return Ok(0);
    };
    let truth = survey::open(&of_truth?, &args.answers.choices(), Some(&globe))?;
    let days = |side: &[FileRecording], skip: usize| -> usize {
        side.iter().map(|m| m.days().saturating_sub(skip)).sum()
    };
    let interrupt = Interrupt::install();
    let total = 2 * (days(&run, args.skip) + days(&truth, 0));
    let progress = bar(total as u64, "days");
    let mut tick = || {
        progress.inc(1);
        if interrupt.asked() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let judged = survey::survey(&as_recordings(&run), args.skip, &mut tick)?;
    let Some(judged) = judged else {
        return Ok(stopped());
    };
    let Some(known) = survey::survey(&as_recordings(&truth), 0, &mut tick)? else {
        return Ok(stopped());
    };
    progress.finish_and_clear();
    let rows = judge::table(&judged, &known, &globe);
    if let Some(folder) = &args.record {
        record(args, folder, &rows)?;
    }
    let names = [name(&run), name(&truth)];
    if args.json {
        println!("{}", report::json(&rows, &judged, &known, &names));
    } else {
        print!("{}", report::text(&rows, &judged, &known, &names));
    }
    Ok(0)
}

/// Adds the figures to a model's card; a row of the same setting is replaced.
fn record(args: &CompareArgs, folder: &Path, rows: &[judge::Row]) -> Result<()> {
    let mut card = Model::from_folder(folder)?.card;
    let setting = args.setting.clone().unwrap_or_default();
    card.quality.retain(|q| q.setting != setting);
    card.quality.push(QualityCard {
        setting,
        command: args.made_by.clone(),
        figures: rows
            .iter()
            .filter(|r| r.run.is_finite() && r.truth.is_finite())
            .map(|r| FigureCard {
                name: format!("{}, {}", r.group, r.name),
                run: r.run,
                truth: r.truth,
                holds: r.holds(),
            })
            .collect(),
        ..QualityCard::default()
    });
    write_card(&card, folder)
}

fn as_recordings(side: &[FileRecording]) -> Vec<&dyn Recording> {
    side.iter().map(|m| m as &dyn Recording).collect()
}

fn name(side: &[FileRecording]) -> String {
    side.first().map_or_else(String::new, Recording::name)
}

fn stopped() -> u8 {
    eprintln!("stopped; nothing was judged");
    3
}
