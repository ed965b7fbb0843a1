//! `eddyscope evaluate`: the paper's figures and tables for a model.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;

use super::data::RainAnswers;
use super::progress::{Interrupt, bar};
use super::settings::{check_season, suggested};
use crate::device::{self, DeviceRequest};
use crate::error::{Result, UserError};
use crate::evaluate::plan::{Plan, Sizes};
use crate::evaluate::{self, holds};
use crate::model::{DEFAULT_MODEL, Model};
use crate::rollout::engine::Engine;
use crate::rollout::settings::{DiscriminatorKind, Settings, Solver};

/// Make all figures and tables of the paper for a model: ensembles of every method beside truth, one report.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  eddyscope evaluate --out quick --quick                      vorticity, in minutes
  eddyscope evaluate --out full                               full size: hours; Ctrl-C and call again to go on
  eddyscope evaluate --model precipitation --out rain --quick
  eddyscope evaluate --model precipitation --data 'test/*.nc' --out rain --starts 20 --members 16
  eddyscope evaluate --out again --runs quick/runs            figures of ensembles that are there

In the folder of --out: report.html (all figures in one file), figures/*.png and *.svg, data/*.csv, evaluation.json,
and runs/: the ensembles as they are made. The same call goes on with what is there; a call with other settings refuses it.

--runs takes the long runs from another folder instead: that of an earlier evaluation, or NetCDF files of `eddyscope rollout`
named guided.nc, unconditional.nc, forecaster-noise.nc, video.nc, guided-video.nc (and, for turbulence, truth.nc).

Exit code: 0 done (whatever the verdicts), 2 an error, 3 stopped early (what was made is kept).")]
pub struct EvaluateArgs {
    /// Shipped model by name, or a model folder
    #[arg(long, default_value = DEFAULT_MODEL, value_name = "NAME|FOLDER")]
    pub model: String,
    /// Folder to write to
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Small ensembles: minutes instead of hours
    #[arg(long)]
    pub quick: bool,
    /// Take the long runs from this folder
    #[arg(long, value_name = "FOLDER")]
    pub runs: Option<PathBuf>,
    /// Precipitation: recorded days as truth [default: the recording that comes with the program]
    #[arg(long, num_args = 1.., value_name = "FILES")]
    pub data: Vec<String>,
    /// How they are to be read, where they leave a question open (`eddyscope data FILES` shows them)
    #[command(flatten)]
    pub answers: RainAnswers,
    /// Long runs of each method
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub series: Option<u32>,
    /// Frames of each long run
    #[arg(long, value_parser = clap::value_parser!(u32).range(20..=1_000_000))]
    pub frames: Option<u32>,
    /// Starts of forecasts, and of what the discriminator is watched at
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub starts: Option<u32>,
    /// Members of each forecast
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..=64))]
    pub members: Option<u32>,
    /// Frames ahead
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=365))]
    pub leads: Option<u32>,
    /// Guidance strength lambda [default: the model's suggestion]
    #[arg(long, value_name = "LAMBDA", allow_negative_numbers = true)]
    pub guidance: Option<f32>,
    /// History length m: frames before the last one that the discriminator sees [default: the model's suggestion]
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=3))]
    pub history: Option<u8>,
    /// Precipitation: tell the discriminator the day of the year
    #[arg(long)]
    pub season: bool,
    /// Which discriminator guides
    #[arg(long, value_enum, default_value = "two-tower")]
    pub discriminator: DiscriminatorKind,
    /// Noise levels of the sampler [default: 6 for flow, 10 for the other solvers]
    #[arg(long)]
    pub steps: Option<usize>,
    /// Integrator [default: flow]
    #[arg(long, value_enum)]
    pub solver: Option<Solver>,
    /// Seed of all noise, and of the starts
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Where to compute
    #[arg(long, value_enum, default_value = "auto")]
    pub device: DeviceRequest,
    /// Print everything as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// Runs the command; returns the exit code.
///
/// # Errors
/// A model, files or a device that cannot be used, a folder that was begun with other settings.
pub fn run(args: &EvaluateArgs) -> Result<u8> {
    let model = Model::open(&args.model)?;
    if !args.data.is_empty() && model.card.data.globe.is_none() {
        return Err(UserError::new(
            format!("The model {} has no recorded days", model.card.name),
            "its world is not the globe; its truth is the solver",
            "leave --data out, or use a model of precipitation",
        ));
    }
    if model.card.closed_form.is_some() {
        return Err(UserError::new(
            format!(
                "There is nothing to evaluate in the model {}",
                model.card.name
            ),
            "its score and discriminator are exact",
            "watch it in the window, or make a run: eddyscope rollout --model NAME --out run.nc",
        ));
    }
    let plan = Plan {
        sizes: sizes(args, model.card.data.globe.is_some()),
        settings: settings(args, &model)?,
        seed: args.seed,
        data: crate::data::expand_paths(&args.data)?,
        reading: args.answers.choices(),
        out: args.out.clone(),
        runs: args.runs.clone(),
    };
    evaluate::store::create(&plan.out)?;
    let compute = device::select(args.device)?;
    if let Some(note) = &compute.note {
        log::info!("computing on the CPU: {note}");
    }
    let mut engine = Engine::new(&model, compute)?;
    let interrupt = Interrupt::install();
    let progress = bar(1, "");
    let results = evaluate::run(&mut engine, &plan, &command(), &mut |what, done, all| {
        progress.set_length(all as u64);
        progress.set_position(done as u64);
        progress.set_message(what.to_owned());
        if interrupt.asked() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    progress.finish_and_clear();
    let Some(results) = results else {
        eprintln!(
            "stopped; what was made is kept in {}, and the same call goes on with it",
            plan.runs_folder().display()
        );
        return Ok(3);
    };
    let page = results.write(&plan.out)?;
    if args.json {
        println!("{}", results.json());
        return Ok(0);
    }
    print!("What must hold\n{}", holds::text(&results.asked));
    println!("What is to be seen");
    for plate in &results.plates {
        let mark = match plate.agrees {
            Some(true) => "agrees with the paper",
            Some(false) => "differs from the paper",
            None => "not judged by the paper",
        };
        println!("  {} ({mark})\n    {}", plate.title, plate.sentence);
    }
    for note in &results.notes {
        println!("note: {note}");
    }
    println!("{}", page.display());
    Ok(0)
}

/// The command as it was given.
fn command() -> String {
    let quoted = |arg: String| match arg.contains([' ', '*', '"', '\'']) {
        true => format!("'{}'", arg.replace('\'', "'\\''")),
        false => arg,
    };
    let rest: Vec<String> = std::env::args().skip(1).map(quoted).collect();
    format!("eddyscope {}", rest.join(" "))
}

fn sizes(args: &EvaluateArgs, globe: bool) -> Sizes {
    fn set(slot: &mut usize, given: Option<u32>) {
        if let Some(value) = given {
            *slot = value as usize;
        }
    }
    let mut sizes = if args.quick {
        Sizes::quick(globe)
    } else {
        Sizes::FULL
    };
    set(&mut sizes.series, args.series);
    set(&mut sizes.frames, args.frames);
    set(&mut sizes.starts, args.starts);
    set(&mut sizes.members, args.members);
    set(&mut sizes.leads, args.leads);
    if args.starts.is_some() {
        sizes.watched = sizes.watched.min(2 * sizes.starts);
        sizes.pairs = sizes.pairs.min(16 * sizes.starts);
    }
    sizes
}

fn settings(args: &EvaluateArgs, model: &Model) -> Result<Settings> {
    let card = &model.card;
    check_season(card, args.season)?;
    let mut settings = suggested(card, args.discriminator);
    let guidance = &mut settings.guidance;
    guidance.strength = args.guidance.unwrap_or(guidance.strength);
    guidance.history = args.history.map_or(guidance.history, usize::from);
    guidance.season = args.season;
    let sampler = &mut settings.sampler;
    if let Some(solver) = args.solver {
        (sampler.solver, sampler.steps) = (solver, solver.usual_steps());
    }
    sampler.steps = args.steps.unwrap_or(sampler.steps);
    settings.validate()?;
    Ok(settings)
}
