//! `eddyscope rollout`: guided frames to a NetCDF file, with the figures they are judged by.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;

use crate::data;
use crate::device::{self, DeviceRequest};
use crate::error::{Result, UserError};
use crate::model::{DEFAULT_MODEL, Model};
use crate::rollout::engine::Engine;
use crate::rollout::headless::{self, HeadlessRun};
use crate::rollout::settings::{
    DiscriminatorKind, GuidanceSettings, RolloutSpec, SamplerSettings, Schedule, Settings, Solver,
    Start,
};

use super::progress::{Interrupt, bar};

/// Make frames one after another with the guided image model, and write them to a NetCDF file.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  eddyscope rollout --frames 100 --out run.nc
  eddyscope rollout --frames 200 --members 8 --guidance 1 --history 3 --seed 7 --out run.nc --json
  eddyscope rollout --guidance 0 --frames 50 --out unrelated.nc
  eddyscope rollout --start start.nc --frames 20 --solver heun --steps 18 --out run.nc

The file holds vorticity(member, time, y, x): history + 1 start frames (attribute start_frames), then the generated ones.
Its attribute `recipe` is JSON with every setting, the seed and the model's hash.

Exit code: 0 done, 2 an error, 3 stopped early (blow-up or Ctrl-C; the frames before it are in the file).")]
pub struct RolloutArgs {
    /// Shipped model by name, or a model folder
    #[arg(long, default_value = DEFAULT_MODEL, value_name = "NAME|FOLDER")]
    pub model: String,
    /// Frames to generate
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub frames: u32,
    /// Ensemble members (default: 1, or as many as the start file has)
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub members: Option<u32>,
    /// Guidance strength lambda; 0 = unconditional (default: the model's suggestion)
    #[arg(long, value_name = "LAMBDA")]
    pub guidance: Option<f32>,
    /// History length m: frames before the last one that the discriminator sees
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(0..=3))]
    pub history: u8,
    /// Noise levels of the sampler
    #[arg(long, default_value_t = SamplerSettings::default().steps)]
    pub steps: usize,
    /// Integrator
    #[arg(long, value_enum, default_value = "dpm")]
    pub solver: Solver,
    /// Seed of all noise
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Where to compute
    #[arg(long, value_enum, default_value = "auto")]
    pub device: DeviceRequest,
    /// Which discriminator guides
    #[arg(long, value_enum, default_value = "two-tower")]
    pub discriminator: DiscriminatorKind,
    /// Start from the last frames of this file (NetCDF or .npy) instead of a simulated start
    #[arg(long, value_name = "FILE")]
    pub start: Option<PathBuf>,
    /// S_churn of the Heun solvers
    #[arg(long, default_value_t = 0.0)]
    pub churn: f32,
    /// Smallest noise level (the data's std is 0.5)
    #[arg(long, default_value_t = SamplerSettings::default().sigma_min)]
    pub sigma_min: f32,
    /// Largest noise level
    #[arg(long, default_value_t = SamplerSettings::default().sigma_max)]
    pub sigma_max: f32,
    /// How the noise levels lie between the largest and the smallest
    #[arg(long, value_enum, default_value = "geometric")]
    pub schedule: Schedule,
    /// Curvature of the karras schedule
    #[arg(long, default_value_t = SamplerSettings::default().rho)]
    pub rho: f32,
    /// Guidance acts only at noise levels in this interval
    #[arg(long, num_args = 2, value_names = ["LOW", "HIGH"])]
    pub guidance_interval: Option<Vec<f32>>,
    /// Begin each frame at the last one plus noise of this level (fakes autocorrelation)
    #[arg(long, value_name = "SIGMA")]
    pub warm_start: Option<f32>,
    /// File to write
    #[arg(long, value_name = "FILE.nc")]
    pub out: PathBuf,
    /// Print the figures as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// Runs the command; returns the exit code.
///
/// # Errors
/// See [`UserError`]; nothing is written then.
pub fn run(args: &RolloutArgs) -> Result<u8> {
    data::check_writable(&args.out)?;
    let model = Model::open(&args.model)?;
    let settings = settings(args, &model);
    settings.validate()?;
    let members = match (args.members, &args.start) {
        (Some(m), _) => m as usize,
        (None, Some(path)) => data::read_series(path, None)?.members,
        (None, None) => 1,
    };
    let spec = RolloutSpec {
        seed: args.seed,
        members,
        start_file: args.start.clone(),
        start_date: None,
    };
    let compute = device::select(args.device)?;
    if let Some(note) = &compute.note {
        log::info!("computing on the CPU: {note}");
    }
    let mut engine = Engine::new(&model, compute)?;
    let interrupt = Interrupt::install();
    let progress = bar(u64::from(args.frames), "frames");
    let run = headless::run(
        &mut engine,
        &spec,
        &settings,
        args.frames as usize,
        &mut |done| {
            progress.set_position(done as u64);
            if interrupt.asked() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        },
    )?;
    progress.finish_and_clear();
    data::write_series(&args.out, &run.series)?;
    report(args, &engine, &run)
}

fn settings(args: &RolloutArgs, model: &Model) -> Settings {
    let suggested = match args.discriminator {
        DiscriminatorKind::TwoTower => model.card.two_tower.as_ref().map(|c| c.suggested_strength),
        DiscriminatorKind::Encoder => model.card.encoder.as_ref().map(|c| c.suggested_strength),
    };
    let plain = GuidanceSettings::default();
    let (sigma_lo, sigma_hi) = match args.guidance_interval.as_deref() {
        Some([lo, hi]) => (*lo, *hi),
        _ => (plain.sigma_lo, plain.sigma_hi),
    };
    Settings {
        guidance: GuidanceSettings {
            strength: args.guidance.or(suggested).unwrap_or(1.0),
            history: usize::from(args.history),
            sigma_lo,
            sigma_hi,
            discriminator: args.discriminator,
            season: false,
        },
        sampler: SamplerSettings {
            solver: args.solver,
            steps: args.steps,
            sigma_min: args.sigma_min,
            sigma_max: args.sigma_max,
            schedule: args.schedule,
            rho: args.rho,
            churn: args.churn,
            start: args
                .warm_start
                .map_or(Start::Noise, |sigma| Start::Warm { sigma }),
            ..SamplerSettings::default()
        },
        ..Settings::default()
    }
}

fn report(args: &RolloutArgs, engine: &Engine, run: &HeadlessRun) -> Result<u8> {
    let generated = run.frame_seconds.len();
    let seconds = median(&run.frame_seconds);
    let truth = &engine.card.truth;
    let f = &run.figures;
    let round = |v: f64| {
        if v.is_finite() {
            serde_json::json!(v)
        } else {
            serde_json::Value::Null
        }
    };
    let list = |v: &[f64]| v.iter().map(|x| round(*x)).collect::<Vec<_>>();
    let object = serde_json::json!({
        "frames": generated,
        "members": run.series.members,
        "guidance": run.strength,
        "frames_per_second": round(1.0 / seconds),
        "seconds_per_frame": round(seconds),
        "guidance_share": round(run.guidance_share),
        "device": engine.compute.name,
        "acf": list(&f.acf),
        "acf_truth": list(&truth.acf),
        "acf_mae": round(run.acf_mae(&truth.acf)),
        "std_ratio": round(f.std_ratio),
        "spectrum_error": round(run.spectrum_error),
        "dynamics_skill": round(f.dynamics_skill),
        "dynamics_skill_truth": round(truth.dynamics_skill),
        "a": round(f.a),
        "residual": round(f.residual),
        "residual_truth": round(truth.residual),
        "kurtosis": round(run.kurtosis),
        "kurtosis_truth": round(truth.kurtosis),
        "blow_up": run.blow_up.as_ref().map(|(frame, what)| serde_json::json!({"frame": frame, "what": what})),
        "interrupted": run.interrupted,
        "out": args.out,
    });
    if args.json {
        println!("{object}");
    } else {
        println!(
            "{generated} frames of {} members in {}",
            run.series.members,
            args.out.display()
        );
        println!(
            "  {:.2} frames/s on {} ({:.0} % of it guidance)",
            1.0 / seconds,
            engine.compute.name,
            100.0 * run.guidance_share
        );
        println!("                       run    truth");
        let row = |name: &str, a: f64, b: f64| println!("  {name:<17} {a:>7.3}  {b:>7.3}");
        row("autocorr. lag 1", f.acf[1], truth.acf[1]);
        row("dynamics skill", f.dynamics_skill, truth.dynamics_skill);
        row("a", f.a, 1.0);
        row("residual", f.residual, truth.residual);
        row("std ratio", f.std_ratio, 1.0);
        println!(
            "  acf error {:.4} (lags 1-10), spectrum error {:.4} (shells 1-20)",
            run.acf_mae(&truth.acf),
            run.spectrum_error
        );
    }
    if let Some((frame, what)) = &run.blow_up {
        let error = UserError::new(
            format!("The rollout blew up at generated frame {}", frame + 1),
            format!("guidance strength {}: {what}", run.strength),
            format!(
                "the frames before it are in {}; use a smaller --guidance",
                args.out.display()
            ),
        );
        eprintln!("{error}");
        return Ok(3);
    }
    if run.interrupted {
        eprintln!(
            "stopped; the frames made so far are in {}",
            args.out.display()
        );
        return Ok(3);
    }
    Ok(0)
}

/// Median; NaN of nothing.
fn median(values: &[f64]) -> f64 {
    let mut v = values.to_vec();
    v.sort_by(f64::total_cmp);
    match v.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => v[n / 2],
        n => 0.5 * (v[n / 2 - 1] + v[n / 2]),
    }
}
