//! `eddyscope train`: data and a training file to a network's weights.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;

use super::data::RainAnswers;
use super::progress::{Interrupt, bar};
use crate::device::{self, DeviceRequest};
use crate::error::{Result, UserError};
use crate::rollout::settings::DiscriminatorKind;
use crate::train::objective::{
    DenoiserObjective, EncoderObjective, Objective, TowerObjective, VideoObjective,
};
use crate::train::session::{Init, Report};
use crate::train::{Options, Outcome, Source, TrainConfig, load_data, train};

/// Options shared by `train denoiser`, `train discriminator` and `train video`.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  eddyscope train denoiser
  eddyscope train denoiser --steps 2000 --out runs/quick
  eddyscope train discriminator --kind two-tower
  eddyscope train discriminator --kind encoder --data train.nc
  eddyscope train video
  eddyscope train denoiser --resume

The output folder holds NAME.safetensors (the averaged weights in half precision, at the end), NAME.json (how they were
made), log.csv, and checkpoint.safetensors (written every three minutes, at the end and on Ctrl-C). On the CPU a resumed
training gives the same bits as one that was never interrupted. A small network trains best on one thread
(RAYON_NUM_THREADS=1), two trainings side by side.

Exit code: 0 done, 2 an error, 3 stopped by Ctrl-C (the state is saved).")]
pub struct TrainArgs {
    /// Training file: data, networks, optimizer
    #[arg(
        long,
        value_name = "FILE.toml",
        default_value = "models/vorticity/train.toml"
    )]
    pub config: PathBuf,
    /// Folder for checkpoint, log and weights (default: runs/NAME)
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Train on these files: runs of vorticity (one file, one run = one member) instead of simulating them, or daily
    /// precipitation (several files or quoted patterns make one series)
    #[arg(long, value_name = "FILES", num_args = 1..)]
    pub data: Vec<PathBuf>,
    /// Answers
    #[command(flatten)]
    pub answers: RainAnswers,
    /// Number of steps (default: the training file's)
    #[arg(long, value_name = "N")]
    pub steps: Option<usize>,
    /// Seed of weights and draws (default: the training file's)
    #[arg(long, value_name = "K")]
    pub seed: Option<u64>,
    /// Begin with these weights of the same network instead of drawn ones
    #[arg(long, value_name = "FILE.safetensors")]
    pub init: Option<PathBuf>,
    /// Go on from the checkpoint in the output folder
    #[arg(long)]
    pub resume: bool,
    /// Where to compute
    #[arg(long, value_enum, default_value_t)]
    pub device: DeviceRequest,
}

/// What to train.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The image model.
    Denoiser,
    /// The history tower of the two-tower discriminator.
    Tower,
    /// The paper's encoder discriminator.
    Encoder,
    /// The video model.
    Video,
}

impl From<DiscriminatorKind> for Target {
    fn from(kind: DiscriminatorKind) -> Self {
        match kind {
            DiscriminatorKind::TwoTower => Self::Tower,
            DiscriminatorKind::Encoder => Self::Encoder,
        }
    }
}

/// Trains one network; returns the exit code. Ctrl-C saves the state and ends; `--resume` goes on.
///
/// # Errors
/// A training file, data or a checkpoint that cannot be used, a device that is not there, a folder that cannot be
/// written, or a training that diverged.
pub fn run(target: Target, args: &TrainArgs) -> Result<u8> {
    let config = TrainConfig::read(&args.config)?;
    let file = &args.data[..];
    let run = |steps, seed, divisor, recipe| Run {
        config: &config,
        args,
        steps: args.steps.unwrap_or(steps),
        seed: args.seed.unwrap_or(seed),
        divisor,
        recipe,
    };
    match target {
        Target::Denoiser => {
            let s = &config.denoiser;
            let recipe = config.recipe(s, file);
            run(s.steps, s.seed, s.network.divisor(), recipe).train(&DenoiserObjective(s))
        }
        Target::Tower => {
            let s = &config.tower;
            let recipe = config.recipe(s, file);
            run(s.steps, s.seed, s.network.divisor(), recipe).train(&TowerObjective(s))
        }
        Target::Encoder => {
            let s = &config.encoder;
            let recipe = config.recipe(s, file);
            run(s.steps, s.seed, s.network.trunk().divisor(), recipe).train(&EncoderObjective(s))
        }
        Target::Video => {
            let s = &config.video();
            let recipe = config.recipe(s, file);
            run(s.steps, s.seed, s.network.divisor(), recipe).train(&VideoObjective(s))
        }
    }
}

/// One training as the command line asks for it.
struct Run<'a> {
    config: &'a TrainConfig,
    args: &'a TrainArgs,
    steps: usize,
    seed: u64,
    divisor: usize,
    recipe: serde_json::Value,
}

impl Run<'_> {
    fn train<O: Objective>(self, objective: &O) -> Result<u8> {
        let args = self.args;
        let interrupt = Interrupt::install();
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
        let simulation = bar(100, "% of the data simulated");
        let data = load_data(
            &self.config.data,
            &Source {
                files: args.data.clone(),
                choices: args.answers.choices(),
            },
            self.seed,
            &|| interrupt.asked(),
            &|fraction| simulation.set_position((100.0 * fraction) as u64),
        );
        simulation.finish_and_clear();
        if interrupt.asked() {
            return Ok(3);
        }
        let data = data?;
        let init = match &args.init {
            Some(path) => Some(read_init(path)?),
            None => None,
        };
        let steps = bar(self.steps as u64, "steps");
        let outcome = train(
            objective,
            &data,
            self.divisor,
            Options {
                optimizer: &self.config.optimizer,
                steps: self.steps,
                seed: self.seed,
                out: &out,
                resume: args.resume,
                init: init.as_ref(),
                device: device.device,
                log_every: 100,
                checkpoint_every: Duration::from_secs(180),
                recipe: self.recipe,
                stop: &|| interrupt.asked(),
                progress: &mut |report| show(&steps, report),
            },
        );
        steps.finish_and_clear();
        match outcome? {
            Outcome::Finished(file) => {
                eprintln!("wrote {}", file.display());
                Ok(0)
            }
            Outcome::Stopped(step) => {
                eprintln!(
                    "stopped after {step} steps; the state is in {}, go on with --resume",
                    out.display()
                );
                Ok(3)
            }
        }
    }
}

fn read_init(path: &std::path::Path) -> Result<Init> {
    let bytes = std::fs::read(path).map_err(|e| {
        UserError::new(
            format!("Cannot read the weights {}", path.display()),
            e,
            "name a file that a training of the same network has written, or leave --init out",
        )
    })?;
    Ok(Init {
        bytes,
        name: path.display().to_string(),
    })
}

/// Moves the bar; prints a line for every row of the log, also where no terminal shows the bar.
fn show(bar: &ProgressBar, report: Report) {
    bar.set_position(report.step as u64);
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
