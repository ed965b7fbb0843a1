//! The command line: without a command the window opens.

pub mod progress;
pub mod simulate;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::error::Result;

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
  eddyscope simulate --frames 200 --members 8 --out truth.nc    run the Navier-Stokes solver
  eddyscope rollout --frames 100 --out run.nc --json            guided frames, judged
  eddyscope COMMAND --help                                      all options, with examples

Exit codes: 0 done, 2 an error (headline, cause and remedy on standard error), 3 stopped early."
)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Each command holds the arguments of its file.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the Navier-Stokes solver and write its frames to a NetCDF file
    Simulate(simulate::SimulateArgs),
    /// Continue given frames with the solver by one frame each
    Step(simulate::StepArgs),
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
        None => {
            println!("{}", Cli::command().render_long_help());
            Ok(0)
        }
        Some(Command::Simulate(args)) => simulate::run(&args),
        Some(Command::Step(args)) => simulate::run_step(&args),
    }
}
