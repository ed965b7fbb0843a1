//! `eddyscope train calibrate`: trained weights to a model folder, and the measurement of its rollouts.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use clap::Args;

use crate::device::{self, DeviceRequest};
use crate::error::Result;
use crate::model::Model;
use crate::model::card::QualityCard;
use crate::rollout::engine::Engine;
use crate::rollout::headless;
use crate::rollout::settings::{
    DiscriminatorKind, GuidanceSettings, RolloutSpec, SamplerSettings, Settings, Solver,
};
use crate::train::Source;
use crate::train::assemble::{Parts, assemble, write_card};

use super::data::RainAnswers;
use super::progress::{Interrupt, bar};

/// Calibrate the two-tower discriminator and put a model folder together
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Example:
  eddyscope train calibrate --config models/vorticity/train.toml --denoiser runs/denoiser/denoiser.safetensors \\
      --tower runs/tower/tower.safetensors --encoder runs/encoder/encoder.safetensors --out models/vorticity --measure")]
pub struct CalibrateArgs {
    /// Training file
    #[arg(long, default_value = "models/vorticity/train.toml")]
    pub config: PathBuf,
    /// Weights of the image model
    #[arg(long, default_value = "runs/denoiser/denoiser.safetensors")]
    pub denoiser: PathBuf,
    /// Weights of the history tower
    #[arg(long, default_value = "runs/tower/tower.safetensors")]
    pub tower: PathBuf,
    /// Weights of the encoder discriminator, if there is one
    #[arg(long)]
    pub encoder: Option<PathBuf>,
    /// Weights of the video model, if there is one
    #[arg(long)]
    pub video: Option<PathBuf>,
    /// Suggested strength of guidance on top of the video model
    #[arg(long, default_value_t = 0.25)]
    pub video_suggested: f32,
    /// The data that the networks were trained on, if they were not simulated
    #[arg(long, value_name = "FILES", num_args = 1..)]
    pub data: Vec<PathBuf>,
    /// Answers
    #[command(flatten)]
    pub answers: RainAnswers,
    /// Suggested guidance strength of the encoder
    #[arg(long, default_value_t = 1.0)]
    pub encoder_suggested: f32,
    /// Guidance strength above which the encoder's rollouts blow up
    #[arg(long, default_value_t = 100.0)]
    pub encoder_usable: f32,
    /// Model folder to write
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Also make rollouts of 8 members x 200 frames at several settings and write their quality into the card
    #[arg(long)]
    pub measure: bool,
    /// Where to compute
    #[arg(long, value_enum, default_value_t)]
    pub device: DeviceRequest,
}

/// Runs the command; returns the exit code.
///
/// # Errors
/// See [`assemble`].
pub fn run(args: &CalibrateArgs) -> Result<u8> {
    let compute = device::select(args.device)?;
    let stop = AtomicBool::new(false);
    let progress = bar(1000, "");
    let source = Source {
        files: args.data.clone(),
        choices: args.answers.choices(),
    };
    let parts = Parts {
        config: &args.config,
        denoiser: &args.denoiser,
        tower: &args.tower,
        encoder: args.encoder.as_deref(),
        video: args.video.as_deref(),
        video_strength: args.video_suggested,
        data: &source,
        encoder_strength: (args.encoder_suggested, args.encoder_usable),
        two_tower_strength: (1.0, 1.5),
    };
    let mut model = assemble(
        &parts,
        &args.out,
        &compute.device,
        &stop,
        &|what, done, all| {
            progress.set_length(all as u64);
            progress.set_position(done as u64);
            progress.set_message(what.to_string());
        },
    )?;
    progress.finish_and_clear();
    eprintln!("wrote {}", args.out.display());
    if args.measure {
        measure(&mut model, compute, &args.out)?;
    }
    Ok(0)
}

/// Members and frames of the measurement.
const MEMBERS: usize = 8;
const FRAMES: usize = 200;
/// Seed of the starts: not one that the training data were made with.
const SEED: u64 = 1000;

/// Makes the rollouts that the card reports, at the suggested strength and around it.
fn measure(model: &mut Model, compute: device::ComputeDevice, folder: &Path) -> Result<()> {
    let mut engine = Engine::new(model, compute)?;
    let interrupt = Interrupt::install();
    let two_tower = model
        .card
        .two_tower
        .as_ref()
        .map_or(1.0, |t| t.suggested_strength);
    let mut settings: Vec<(String, f32, usize, Solver, usize, DiscriminatorKind)> = Vec::new();
    let (dpm, tower) = (Solver::Dpm, DiscriminatorKind::TwoTower);
    for m in [3, 2, 1, 0] {
        settings.push((format!("two-tower, m = {m}"), two_tower, m, dpm, 10, tower));
    }
    settings.push(("no guidance".into(), 0.0, 3, dpm, 10, tower));
    settings.push((
        "two-tower, Heun".into(),
        two_tower,
        3,
        Solver::Heun,
        18,
        tower,
    ));
    if let Some(e) = &model.card.encoder {
        let encoder = DiscriminatorKind::Encoder;
        settings.push(("encoder".into(), e.suggested_strength, 3, dpm, 10, encoder));
    }
    for (name, strength, history, solver, steps, discriminator) in settings {
        let solver_name = if solver == Solver::Dpm { "dpm" } else { "heun" };
        let (label, flag) = match discriminator {
            DiscriminatorKind::TwoTower => (name, String::new()),
            DiscriminatorKind::Encoder => (name, " --discriminator encoder".into()),
        };
        let setting = Settings {
            guidance: GuidanceSettings {
                strength,
                history,
                discriminator,
                ..GuidanceSettings::default()
            },
            sampler: SamplerSettings {
                solver,
                steps,
                ..SamplerSettings::default()
            },
            ..Settings::default()
        };
        let spec = RolloutSpec {
            seed: SEED,
            members: MEMBERS,
            ..RolloutSpec::default()
        };
        let progress = bar(FRAMES as u64, "frames");
        progress.set_message(label.clone());
        let run = headless::run(&mut engine, &spec, &setting, FRAMES, &mut |done| {
            progress.set_position(done as u64);
            if interrupt.asked() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        progress.finish_and_clear();
        if run.interrupted {
            eprintln!("stopped; the card holds what was measured so far");
            break;
        }
        let f = &run.figures;
        let blown = run.blow_up.as_ref().map_or(String::new(), |(frame, _)| {
            format!(", blew up at frame {}", frame + 1)
        });
        let quality = QualityCard {
            setting: format!(
                "{label}, lambda {strength}, {steps} {solver_name} steps, {MEMBERS} members x {FRAMES} frames{blown}"
            ),
            command: format!(
                "eddyscope rollout --model {} --frames {FRAMES} --members {MEMBERS} --guidance {strength} --history {history} \
                 --solver {solver_name} --steps {steps} --seed {SEED}{flag} --json --out run.nc",
                model.card.name
            ),
            acf_mae: run.acf_mae(&model.card.truth.acf),
            std_ratio: f.std_ratio,
            spectrum_error: run.spectrum_error,
            dynamics_skill: f.dynamics_skill,
            a: f.a,
            residual: f.residual,
            figures: Vec::new(),
        };
        eprintln!(
            "{}: acf error {:.4}, std {:.3}, a {:.3}, skill {:.3}, spectrum error {:.3}",
            quality.setting,
            quality.acf_mae,
            quality.std_ratio,
            quality.a,
            quality.dynamics_skill,
            quality.spectrum_error
        );
        model.card.quality.push(quality);
        write_card(&model.card, folder)?;
    }
    Ok(())
}
