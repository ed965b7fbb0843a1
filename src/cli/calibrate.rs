//! `eddyscope train calibrate`: trained weights to a model folder, and the measurement of its rollouts.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use clap::Args;

use crate::device::{self, DeviceRequest};
use crate::error::Result;
use crate::model::Model;
use crate::model::card::{ModelCard, QualityCard};
use crate::rollout::engine::Engine;
use crate::rollout::headless::{self, Job};
use crate::rollout::settings::{DiscriminatorKind, LaneKind, RolloutSpec, Settings, Solver};
use crate::rollout::suggested::suggested_history;
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
    /// Suggested history length m
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(0..=3))]
    pub suggested_history: u8,
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
        history: usize::from(args.suggested_history),
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

/// A rollout that the card reports.
struct Trial {
    /// What it is called.
    name: String,
    /// Which lane.
    lane: LaneKind,
    /// How it is made.
    settings: Settings,
}

impl Trial {
    fn new(name: impl Into<String>, lane: LaneKind, strength: f32, history: usize) -> Self {
        let mut settings = Settings::default();
        settings.guidance.history = history;
        match lane {
            LaneKind::GuidedVideo => settings.guidance.video_strength = strength,
            _ => settings.guidance.strength = strength,
        }
        Self {
            name: name.into(),
            lane,
            settings,
        }
    }

    /// All trials of a model, at the suggested strength and around it.
    fn all(card: &ModelCard) -> Vec<Self> {
        let suggested = card
            .two_tower
            .as_ref()
            .map_or(1.0, |t| t.suggested_strength);
        let m = suggested_history(card, DiscriminatorKind::TwoTower);
        let guided = LaneKind::Guided;
        let mut out: Vec<Self> = [3, 2, 1, 0]
            .map(|m| Self::new(format!("two-tower, m = {m}"), guided, suggested, m))
            .into();
        out.push(Self::new("no guidance", LaneKind::Unconditional, 0.0, m));
        let mut heun = Self::new("two-tower, Heun", guided, suggested, m);
        heun.settings.sampler.solver = Solver::Heun;
        heun.settings.sampler.steps = 18;
        out.push(heun);
        if let Some(e) = &card.encoder {
            let mut encoder = Self::new("encoder", guided, e.suggested_strength, 3);
            encoder.settings.guidance.discriminator = DiscriminatorKind::Encoder;
            encoder.settings.sampler = encoder.settings.sampler.without_law();
            out.push(encoder);
        }
        out.push(Self::new(
            "forecaster + noise",
            LaneKind::Forecaster,
            0.0,
            m,
        ));
        if card.video.is_some() {
            out.push(Self::new("video", LaneKind::Video, 0.0, m));
            for strength in VIDEO_STRENGTHS {
                out.push(Self::new(
                    "guided video",
                    LaneKind::GuidedVideo,
                    strength,
                    m,
                ));
            }
        }
        out
    }

    /// The options of `eddyscope rollout` that make it.
    fn options(&self) -> String {
        let (g, s) = (&self.settings.guidance, &self.settings.sampler);
        let lane = match self.lane {
            LaneKind::Unconditional => " --lane unconditional".to_owned(),
            LaneKind::Forecaster => " --lane forecaster".to_owned(),
            LaneKind::Video => " --lane video".to_owned(),
            LaneKind::GuidedVideo => {
                format!(" --lane guided-video --video-guidance {}", g.video_strength)
            }
            LaneKind::Guided | LaneKind::Truth => format!(" --guidance {}", g.strength),
        };
        let discriminator = match g.discriminator {
            DiscriminatorKind::TwoTower => "",
            DiscriminatorKind::Encoder => " --discriminator encoder",
        };
        format!(
            "{lane} --history {} --solver {} --steps {}{discriminator}",
            g.history,
            solver_name(s.solver),
            s.steps
        )
    }

    /// What was run, for the card.
    fn setting(&self, blow_up: &Option<(usize, String)>) -> String {
        let (g, s) = (&self.settings.guidance, &self.settings.sampler);
        let strength = match self.lane {
            LaneKind::Guided => format!(", lambda {}", g.strength),
            LaneKind::GuidedVideo => format!(", lambda {}", g.video_strength),
            _ => String::new(),
        };
        let sampler = match self.lane {
            LaneKind::Forecaster => String::new(),
            _ => format!(", {} {} steps", s.steps, solver_name(s.solver)),
        };
        let blown = blow_up.as_ref().map_or(String::new(), |(frame, _)| {
            format!(", blew up at frame {}", frame + 1)
        });
        format!(
            "{}{strength}{sampler}, {MEMBERS} members x {FRAMES} frames{blown}",
            self.name
        )
    }
}

/// Strengths at which guidance on top of the video model is measured.
const VIDEO_STRENGTHS: [f32; 3] = [0.1, 0.25, 0.5];

fn solver_name(solver: Solver) -> String {
    clap::ValueEnum::to_possible_value(&solver).map_or(String::new(), |v| v.get_name().to_owned())
}

/// Makes the rollouts that the card reports, at the suggested strength and around it.
fn measure(model: &mut Model, compute: device::ComputeDevice, folder: &Path) -> Result<()> {
    let mut engine = Engine::new(model, compute)?;
    let interrupt = Interrupt::install();
    for trial in Trial::all(&model.card) {
        let spec = RolloutSpec {
            seed: SEED,
            members: MEMBERS,
            ..RolloutSpec::default()
        };
        let progress = bar(FRAMES as u64, "frames");
        progress.set_message(trial.name.clone());
        let job = Job {
            spec: &spec,
            settings: &trial.settings,
            lane: trial.lane,
            frames: FRAMES,
        };
        let run = headless::run_lane(&mut engine, &job, &mut |done| {
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
        let finite = |v: f64| v.is_finite().then_some(v);
        let quality = QualityCard {
            setting: trial.setting(&run.blow_up),
            command: format!(
                "eddyscope rollout --model {} --frames {FRAMES} --members {MEMBERS}{} --seed {SEED} --json --out run.nc",
                model.card.name,
                trial.options()
            ),
            acf_mae: finite(run.acf_mae(&model.card.truth.acf)),
            std_ratio: finite(f.std_ratio),
            spectrum_error: finite(run.spectrum_error),
            dynamics_skill: finite(f.dynamics_skill),
            a: finite(f.a),
            residual: finite(f.residual),
            figures: Vec::new(),
        };
        eprintln!(
            "{}: acf error {:.4}, std {:.3}, a {:.3}, skill {:.3}, spectrum error {:.3}",
            quality.setting,
            run.acf_mae(&model.card.truth.acf),
            f.std_ratio,
            f.a,
            f.dynamics_skill,
            run.spectrum_error
        );
        model.card.quality.push(quality);
        write_card(&model.card, folder)?;
    }
    Ok(())
}
