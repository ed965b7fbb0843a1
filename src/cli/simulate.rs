//! `eddyscope simulate` and `eddyscope step`: the Navier-Stokes solver to a file.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::progress::{Interrupt, bar};
use crate::data::{self, Series};
use crate::error::{Result, UserError};
use crate::field::Grid;
use crate::sim::{self, Forcing, PRESETS, Params, Solver, State};

/// Run the Navier-Stokes solver and write its frames to a NetCDF file.
///
/// Two-dimensional vorticity on a doubly periodic box, pseudo-spectral, stirred by random forcing. Members are
/// independent runs and are computed in parallel; the same seed gives the same bits on any number of threads.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  eddyscope simulate --out truth.nc
  eddyscope simulate --frames 640 --members 36 --seed 1 --out train.nc
  eddyscope simulate --preset vorticity-256 --frames 50 --spinup 20 --out large.nc
  eddyscope simulate --start run.nc --frames 200 --out continued.nc
  eddyscope simulate --start run.nc --forcing 0 --frames 1 --out next.nc

The file holds vorticity(member, time, y, x) as float32. Values and times are in the solver's own units (box side 2 pi),
which CF writes as units \"1\". With --start the first frame is the last one of the start file (attribute start_frames),
less its mean and what lies above the solver's resolution. Its attribute `recipe` is JSON with every parameter.

Exit code: 0 done, 2 an error, 3 stopped by Ctrl-C (nothing is written).")]
pub struct SimulateArgs {
    /// Named set of solver parameters (default: vorticity-64, or the one that fits the start file)
    #[arg(long, value_parser = PossibleValuesParser::new(PRESETS), value_name = "NAME")]
    pub preset: Option<String>,
    /// Frames to make
    #[arg(long, default_value_t = 100, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub frames: u32,
    /// Independent runs (default: 1, or as many as the start file has)
    #[arg(long, value_name = "B", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub members: Option<u32>,
    /// Time from the random first state to the first frame (default: the preset's, 20)
    #[arg(
        long,
        value_name = "T",
        conflicts_with = "start",
        allow_negative_numbers = true
    )]
    pub spinup: Option<f64>,
    /// Seed of the first state and of the forcing
    #[arg(long, default_value_t = 0, value_name = "K")]
    pub seed: u64,
    /// Continue from the last frame of every member of this file (NetCDF or .npy)
    #[arg(long, value_name = "FILE")]
    pub start: Option<PathBuf>,
    /// Energy put in per unit time; 0 = no forcing (default: the preset's, 0.1)
    #[arg(long, value_name = "EPS", allow_negative_numbers = true)]
    pub forcing: Option<f64>,
    /// File to write
    #[arg(long, value_name = "FILE.nc")]
    pub out: PathBuf,
    /// Print what was done as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// Continue given frames with the solver by one frame each.
///
/// Every frame of every member in the file is taken as a state of its own and advanced by one frame interval: frame n of
/// the result is what the solver makes of frame n. Without forcing this is the G of the dynamics skill.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  eddyscope step --start run.nc --unforced --out g.nc
  eddyscope step --start fields.npy --unforced --out g.nc
  eddyscope step --start run.nc --seed 3 --out forced.nc

Exit code: 0 done, 2 an error, 3 stopped by Ctrl-C (nothing is written).")]
pub struct StepArgs {
    /// File with the frames (NetCDF or .npy): (y, x), (time, y, x) or (member, time, y, x)
    #[arg(long, value_name = "FILE")]
    pub start: PathBuf,
    /// Leave out the forcing
    #[arg(long)]
    pub unforced: bool,
    /// Named set of solver parameters (default: the one that fits the file)
    #[arg(long, value_parser = PossibleValuesParser::new(PRESETS), value_name = "NAME")]
    pub preset: Option<String>,
    /// Seed of the forcing
    #[arg(long, default_value_t = 0, value_name = "K")]
    pub seed: u64,
    /// File to write
    #[arg(long, value_name = "FILE.nc")]
    pub out: PathBuf,
    /// Print what was done as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// Runs `simulate`; returns the exit code.
///
/// # Errors
/// Unfit arguments or files, a run that blew up; nothing is written then.
pub fn run(args: &SimulateArgs) -> Result<u8> {
    data::check_writable(&args.out)?;
    let start = match &args.start {
        Some(path) => Some((path, data::read_series(path, None)?)),
        None => None,
    };
    let grid = start
        .as_ref()
        .map(|(path, series)| (path.as_path(), series.grid));
    let (preset, mut params) = params_for(args.preset.as_deref(), grid)?;
    if let Some(time) = args.spinup {
        params.spinup_time = time;
    }
    if let Some(energy_input) = args.forcing {
        params.forcing = params.forcing.with_energy_input(energy_input);
    }
    params.validate()?;
    let frames = args.frames as usize;

    let clock = Instant::now();
    let series = match &start {
        None => {
            let members = args.members.unwrap_or(1) as usize;
            watched("frames", |tick| {
                sim::simulate(&params, frames, members, args.seed, tick)
            })?
        }
        Some((path, series)) => {
            let members = args.members.map_or(series.members, |m| m as usize);
            let name = path.display().to_string();
            let given = data::start_from_series(&name, series, params.grid(), 0, members)?;
            let mut solver = Solver::new(&params)?;
            let states = given
                .members
                .iter()
                .flatten()
                .map(|frame| solver.state_from_field(frame))
                .collect::<Result<Vec<State>>>()?;
            let t0 = last_time(series);
            watched("frames", |tick| {
                sim::simulate_from(&params, states, frames, args.seed, tick)
            })?
            .map(|made| Series { t0, ..made })
        }
    };
    let recipe = recipe(
        "simulate",
        &preset,
        &params,
        args.seed,
        args.start.as_deref(),
    );
    finish(series, recipe, &args.out, args.json, clock)
}

/// Runs `step`; returns the exit code.
///
/// # Errors
/// Unfit files; nothing is written then.
pub fn run_step(args: &StepArgs) -> Result<u8> {
    data::check_writable(&args.out)?;
    let start = data::read_series(&args.start, None)?;
    let (preset, mut params) = params_for(args.preset.as_deref(), Some((&args.start, start.grid)))?;
    if args.unforced {
        params.forcing = Forcing::None;
    }
    let clock = Instant::now();
    let mut solver = Solver::new(&params)?;
    let states = start
        .values
        .chunks_exact(start.grid.len())
        .map(|frame| solver.state_from_field(frame))
        .collect::<Result<Vec<State>>>()?;
    let made = watched("frames", |tick| {
        sim::simulate_from(&params, states, 1, args.seed, tick)
    })?;
    let series = made.map(|made| {
        // Each state gave (itself, its successor): keep the successors, in the file's own arrangement.
        let cells = start.grid.len();
        let values = made
            .values
            .chunks_exact(2 * cells)
            .flat_map(|pair| &pair[cells..])
            .copied()
            .collect();
        Series {
            values,
            t0: start.t0 + params.frame_interval(),
            history: None,
            start_frames: 0,
            ..start
        }
    });
    let recipe = recipe("step", &preset, &params, args.seed, Some(&args.start));
    finish(series, recipe, &args.out, args.json, clock)
}

/// The named preset, or the one that has the grid of the start file.
fn params_for(name: Option<&str>, start: Option<(&Path, Grid)>) -> Result<(String, Params)> {
    let Some((path, grid)) = start else {
        let name = name.unwrap_or(PRESETS[0]);
        return Ok((name.to_owned(), Params::preset(name)?));
    };
    let mut sizes = Vec::new();
    for candidate in PRESETS {
        let params = Params::preset(candidate)?;
        if name.is_none_or(|name| name == candidate) {
            if (grid.ny, grid.nx) == (params.n, params.n) {
                return Ok((candidate.to_owned(), params));
            }
            sizes.push(format!("{candidate} works on {0} x {0}", params.n));
        }
    }
    Err(UserError::new(
        format!("Cannot start from {}", path.display()),
        format!(
            "its frames have {} x {} cells, but {}",
            grid.ny,
            grid.nx,
            sizes.join(", ")
        ),
        "Give frames of a preset's size, or another --preset",
    ))
}

fn last_time(series: &Series) -> f64 {
    let time = series.time(series.frames - 1);
    if time.is_finite() { time } else { 0.0 }
}

/// Runs with a progress bar; `None` if Ctrl-C stopped it.
fn watched(
    unit: &str,
    work: impl FnOnce(sim::Progress) -> Result<Series>,
) -> Result<Option<Series>> {
    let interrupt = Interrupt::install();
    let progress = bar(0, unit);
    let made = work(&|done, total| {
        progress.set_length(total as u64);
        progress.set_position(done as u64);
        if interrupt.asked() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    progress.finish_and_clear();
    match made {
        Err(_) if interrupt.asked() => Ok(None),
        made => made.map(Some),
    }
}

fn recipe(
    command: &str,
    preset: &str,
    params: &Params,
    seed: u64,
    start: Option<&Path>,
) -> serde_json::Value {
    serde_json::json!({
        "program": "eddyscope",
        "version": env!("CARGO_PKG_VERSION"),
        "command": command,
        "preset": preset,
        "solver": params,
        "seed": seed,
        "start": start,
    })
}

/// Writes the file and says what is in it.
fn finish(
    series: Option<Series>,
    recipe: serde_json::Value,
    out: &Path,
    json: bool,
    clock: Instant,
) -> Result<u8> {
    let Some(mut series) = series else {
        eprintln!("stopped; {} was not written", out.display());
        return Ok(3);
    };
    series.recipe = Some(recipe.to_string());
    series.history = Some(command_line());
    let seconds = clock.elapsed().as_secs_f64();
    data::write_series(out, &series)?;
    let square: f64 = series.values.iter().map(|&v| f64::from(v).powi(2)).sum();
    let std = (square / series.values.len() as f64).sqrt();
    if json {
        println!(
            "{}",
            serde_json::json!({
                "frames": series.frames,
                "start_frames": series.start_frames,
                "members": series.members,
                "shape": [series.grid.ny, series.grid.nx],
                "frame_interval": Some(series.frame_interval).filter(|v| v.is_finite()),
                "std": std,
                "seconds": seconds,
                "out": out,
                "recipe": recipe,
            })
        );
    } else {
        println!(
            "{} x {} frames of {} x {} cells in {} ({seconds:.1} s, vorticity std {std:.2})",
            series.members,
            series.frames,
            series.grid.ny,
            series.grid.nx,
            out.display()
        );
    }
    Ok(0)
}

/// The command as it was typed, for the file's history.
pub(super) fn command_line() -> String {
    let words: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    format!("eddyscope {}", words.join(" "))
}
