//! The command line: without a command the window opens.

pub mod bench;
pub mod calibrate;
pub mod compare;
pub mod data;
pub mod desktop;
pub mod devices;
pub mod evaluate;
pub mod forecast;
pub mod models;
pub mod progress;
pub mod rollout;
pub mod settings;
pub mod simulate;
pub mod study;
pub mod sweep;
pub mod train;
pub mod window;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Result;
use crate::rollout::settings::DiscriminatorKind;

/// Watch time appear in a still-image model of turbulence.
///
/// Without a command the window opens. The commands do the same work without one.
#[derive(Debug, Parser)]
#[command(
    name = "eddyscope",
    version,
    max_term_width = 100,
    after_long_help = "\
Examples:
  eddyscope                                                     open the window
  eddyscope run.eddyscope                                       go on with a saved session
  eddyscope open picture.png                                    make the run of a picture, film or data file again
  eddyscope simulate --frames 200 --members 8 --out truth.nc    run the Navier-Stokes solver
  eddyscope rollout --frames 100 --out run.nc --json            guided frames, judged
  eddyscope COMMAND --help                                      all options, with examples

Exit codes: 0 done, 2 an error (headline, cause and remedy on standard error), 3 stopped early."
)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Of the window
    #[command(flatten)]
    pub window: window::WindowArgs,
}

/// Each command holds the arguments of its file.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Open the window with a session, with the run that a picture, film or data file carries, or with a model folder
    #[command(arg_required_else_help = true)]
    Open(window::WindowArgs),
    /// Make frames with the guided image model and write them to a NetCDF file
    Rollout(rollout::RolloutArgs),
    /// Run the Navier-Stokes solver and write its frames to a NetCDF file
    Simulate(simulate::SimulateArgs),
    /// Continue given frames with the solver by one frame each
    Step(simulate::StepArgs),
    /// Make a rollout for each combination of settings, judge them, and find the best
    Sweep(sweep::SweepArgs),
    /// Make a study: a small experiment with a known answer, from its file to its page
    Study(study::StudyArgs),
    /// Judge a run of daily rain against recorded days
    Compare(compare::CompareArgs),
    /// Forecast from recorded days with an ensemble, and score it
    Forecast(forecast::ForecastArgs),
    /// Make all figures and tables of the paper for a model, as one report
    Evaluate(evaluate::EvaluateArgs),
    /// Train a network, or put a model folder together
    #[command(subcommand)]
    Train(TrainCommand),
    /// Show what precipitation files hold; write them as a clip or on another grid
    Data(data::DataArgs),
    /// List the shipped models, or show a model's card
    Models(models::ModelsArgs),
    /// List the graphics adapters, and say where a rollout would compute
    Devices(devices::DevicesArgs),
    /// Put the program with its icon into the menu of the desktop
    Desktop(desktop::DesktopArgs),
    /// Time the networks, the guided frame and the solver
    Bench(bench::BenchArgs),
}

/// What to train.
#[derive(Debug, Subcommand)]
pub enum TrainCommand {
    /// Train the image model
    Denoiser(train::TrainArgs),
    /// Train a discriminator: the history tower of two-tower, or the paper's encoder
    Discriminator {
        /// Which discriminator
        #[arg(long, value_enum, default_value = "two-tower")]
        kind: DiscriminatorKind,
        /// Options shared with the denoiser
        #[command(flatten)]
        args: train::TrainArgs,
    },
    /// Train the video model: the image model with the last frames as further channels
    Video(train::TrainArgs),
    /// Calibrate the two-tower discriminator and put a model folder together
    Calibrate(calibrate::CalibrateArgs),
}

/// Parses the arguments, runs the command, prints an error if there is one.
pub fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).init();
    match run(Cli::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(cli: Cli) -> Result<u8> {
    match cli.command {
        None => window::run(cli.window),
        Some(Command::Desktop(args)) => desktop::run(&args),
        Some(Command::Open(args)) => window::run(args),
        Some(Command::Simulate(args)) => simulate::run(&args),
        Some(Command::Step(args)) => simulate::run_step(&args),
        Some(Command::Rollout(args)) => rollout::run(&args),
        Some(Command::Data(args)) => data::run(&args),
        Some(Command::Compare(args)) => compare::run(&args),
        Some(Command::Forecast(args)) => forecast::run(&args),
        Some(Command::Evaluate(args)) => evaluate::run(&args),
        Some(Command::Models(args)) => models::run(&args),
        Some(Command::Devices(args)) => devices::run(&args),
        Some(Command::Bench(args)) => bench::run(&args),
        Some(Command::Sweep(args)) => sweep::run(&args),
        Some(Command::Study(args)) => study::run(&args),
        Some(Command::Train(TrainCommand::Denoiser(args))) => {
            train::run(train::Target::Denoiser, &args)
        }
        Some(Command::Train(TrainCommand::Discriminator { kind, args })) => {
            train::run(kind.into(), &args)
        }
        Some(Command::Train(TrainCommand::Video(args))) => train::run(train::Target::Video, &args),
        Some(Command::Train(TrainCommand::Calibrate(args))) => calibrate::run(&args),
    }
}
