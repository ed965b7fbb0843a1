//! `eddyscope train`: data and a training file to a network's weights.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use crate::device::{self, DeviceRequest};
use crate::error::{Result, UserError};
use crate::rollout::settings::DiscriminatorKind;
use crate::train::objective::{DenoiserObjective, EncoderObjective, Objective, TowerObjective};
use crate::train::session::Report;
use crate::train::{Options, Outcome, TrainConfig, load_data, train};

/// Options shared by `train denoiser` and `train discriminator`.
#[derive(Debug, Clone, Args)]
pub struct TrainArgs {
    /// Training file: data, networks, optimizer
    #[arg(long, default_value = "models/vorticity/train.toml")]
    pub config: PathBuf,
    /// Folder for checkpoint, log and weights [default: runs/NAME]
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Train on the runs of this NetCDF file (one run = one member) instead of simulating them
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Number of steps instead of the training file's
    #[arg(long)]
    pub steps: Option<usize>,
    /// Seed of weights and draws instead of the training file's
    #[arg(long)]
    pub seed: Option<u64>,
    /// Go on from the checkpoint in the output folder, bit for bit
    #[arg(long)]
    pub resume: bool,
    /// Where to compute
    #[arg(long, value_enum, default_value_t)]
    pub device: DeviceRequest,
}

/// What to train.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// The image model
    Denoiser,
    /// The history tower of the two-tower discriminator
    Tower,
    /// The paper's encoder discriminator
    Encoder,
}

impl From<DiscriminatorKind> for Target {
    fn from(kind: DiscriminatorKind) -> Self {
        match kind {
            DiscriminatorKind::TwoTower => Self::Tower,
            DiscriminatorKind::Encoder => Self::Encoder,
        }
    }
}

/// Trains one network. Ctrl-C saves the state and ends; `--resume` goes on.
///
/// # Errors
/// A training file, data or a checkpoint that cannot be used, a device that is not there, a folder that cannot be
/// written, or a training that diverged.
pub fn run(target: Target, args: &TrainArgs) -> Result<()> {
    let config = TrainConfig::read(&args.config)?;
    let stop = Arc::new(AtomicBool::new(false));
    let handler = Arc::clone(&stop);
    ctrlc::set_handler(move || handler.store(true, Ordering::Relaxed)).map_err(|e| {
        UserError::new(
            "Cannot listen for Ctrl-C",
            e,
            "start the training from a terminal of its own",
        )
    })?;
    match target {
        Target::Denoiser => {
            let section = &config.denoiser;
            let run = Run {
                config: &config,
                args,
                stop: &stop,
                steps: section.steps,
                seed: section.seed,
                divisor: section.network.divisor(),
                recipe: config.recipe(section, args.data.as_deref()),
            };
            run.train(&DenoiserObjective(section))
        }
        Target::Tower => {
            let section = &config.tower;
            let run = Run {
                config: &config,
                args,
                stop: &stop,
                steps: section.steps,
                seed: section.seed,
                divisor: section.network.divisor(),
                recipe: config.recipe(section, args.data.as_deref()),
            };
            run.train(&TowerObjective(section))
        }
        Target::Encoder => {
            let section = &config.encoder;
            let run = Run {
                config: &config,
                args,
                stop: &stop,
                steps: section.steps,
                seed: section.seed,
                divisor: section.network.trunk().divisor(),
                recipe: config.recipe(section, args.data.as_deref()),
            };
            run.train(&EncoderObjective(section))
        }
    }
}

/// One training as the command line asks for it.
struct Run<'a> {
    config: &'a TrainConfig,
    args: &'a TrainArgs,
    stop: &'a AtomicBool,
    steps: usize,
    seed: u64,
    divisor: usize,
    recipe: serde_json::Value,
}

impl Run<'_> {
    fn train<O: Objective>(self, objective: &O) -> Result<()> {
        let args = self.args;
        let seed = args.seed.unwrap_or(self.seed);
        let out = args
            .out
            .clone()
            .unwrap_or_else(|| PathBuf::from("runs").join(objective.name()));
        let device = device::select(args.device)?;
        eprintln!(
            "{} on {}; output in {}",
            objective.name(),
            device.name,
            out.display()
        );
        if let Some(note) = &device.note {
            eprintln!("note: {note}");
        }
        let bar = bar("simulating the data");
        let data = load_data(
            &self.config.data,
            args.data.as_deref(),
            seed,
            self.stop,
            &|f| {
                bar.set_position((1000.0 * f) as u64);
            },
        );
        bar.finish_and_clear();
        let data = data?;
        let bar = self::bar("training");
        let outcome = train(
            objective,
            &data,
            self.divisor,
            Options {
                optimizer: &self.config.optimizer,
                steps: args.steps.unwrap_or(self.steps),
                seed,
                out: &out,
                resume: args.resume,
                device: device.device,
                log_every: 100,
                checkpoint_every: Duration::from_secs(180),
                recipe: self.recipe,
                stop: self.stop,
                progress: &mut |report| show(&bar, report),
            },
        );
        bar.finish_and_clear();
        match outcome? {
            Outcome::Finished(file) => eprintln!("wrote {}", file.display()),
            Outcome::Stopped(step) => eprintln!(
                "stopped after {step} steps; the state is in {}, go on with --resume",
                out.display()
            ),
        }
        Ok(())
    }
}

fn bar(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(1000).with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent} %") {
        bar.set_style(style);
    }
    bar
}

/// Moves the bar; prints a line for every row of the log, also where no terminal shows the bar.
fn show(bar: &ProgressBar, report: Report) {
    bar.set_position((1000 * report.step / report.steps.max(1)) as u64);
    let Some([loss, validation, rate]) = report.logged else {
        return;
    };
    let line = format!(
        "step {}/{}  loss {loss:.4}  validation {validation:.4}  learning rate {rate:.1e}  {:.0} min left",
        report.step,
        report.steps,
        report.seconds_left / 60.0
    );
    bar.suspend(|| eprintln!("{line}"));
}
