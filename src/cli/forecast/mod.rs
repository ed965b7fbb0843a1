//! `eddyscope forecast`: ensemble forecasts from recorded days, scored.

mod ensemble;
mod report;
mod score;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::device::{self, DeviceRequest};
use crate::error::{Result, UserError};
use crate::evaluate::ledger::Ledger;
use crate::evaluate::starts;
use crate::model::Model;
use crate::rollout::engine::{Engine, HISTORY};
use crate::rollout::settings::{DiscriminatorKind, RolloutSpec, Settings};
use crate::rollout::world::{files_as_recording, shipped_recording};

use super::data::RainAnswers;
use super::progress::{Interrupt, bar};
use super::settings::{check_season, suggested};
use ensemble::Experiment;

/// Forecast from recorded days with an ensemble, and score it beside persistence, climatology and the image model alone.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  eddyscope forecast --starts 50 --members 16 --leads 10 --out forecasts.jsonl
  eddyscope forecast --data 'test/*.nc' --guidance 0.8 --history 1 --starts 10 --json
  eddyscope forecast --data test.nc --out forecasts.jsonl      goes on with what was begun

Start days are spread evenly over the recording, so that they cover the seasons. Each start gives an ensemble that is
guided, one of forecaster + noise, one of the image model alone (its law does not depend on the lead: made once a
start), a climatological one (days of other times within 15 days of the same day of the year) and persistence.
CRPS is the fair one, area-weighted; the spread-skill ratio averages variances over starts before the root.

--out is a file of JSON lines: the recipe, then one line a start as soon as it is scored. The same command goes on with it.

Exit code: 0 done, 2 an error, 3 stopped early (what was scored is in --out and in the table).")]
pub struct ForecastArgs {
    /// Shipped model by name, or a model folder
    #[arg(long, default_value = "precipitation", value_name = "NAME|FOLDER")]
    pub model: String,
    /// Recorded days: NetCDF files of daily precipitation [default: the recording that comes with the program]
    #[arg(long, num_args = 1.., value_name = "FILES")]
    pub data: Vec<String>,
    /// How they are to be read, where they leave a question open (`eddyscope data FILES` shows them)
    #[command(flatten)]
    pub answers: RainAnswers,
    /// Number of start days
    #[arg(long, default_value_t = 50)]
    pub starts: usize,
    /// Members of each ensemble
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(2..=64))]
    pub members: u32,
    /// Days ahead
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=365))]
    pub leads: u32,
    /// Guidance strength lambda [default: the model's suggestion]
    #[arg(long, value_name = "LAMBDA", allow_negative_numbers = true)]
    pub guidance: Option<f32>,
    /// History length m: days before the last one that the discriminator sees [default: the model's suggestion]
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=3))]
    pub history: Option<u8>,
    /// Tell the discriminator the day of the year
    #[arg(long)]
    pub season: bool,
    /// Which discriminator guides
    #[arg(long, value_enum, default_value = "two-tower")]
    pub discriminator: DiscriminatorKind,
    /// Noise levels of the sampler
    #[arg(long, default_value_t = 10)]
    pub steps: usize,
    /// Seed of all noise
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Where to compute
    #[arg(long, value_enum, default_value = "auto")]
    pub device: DeviceRequest,
    /// File of JSON lines to write, or to go on with
    #[arg(long, value_name = "FILE.jsonl")]
    pub out: Option<PathBuf>,
    /// Print the table as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// Runs the command; returns the exit code.
///
/// # Errors
/// A model without a globe, files that cannot be read or hold too few days, options that do not fit the file.
pub fn run(args: &ForecastArgs) -> Result<u8> {
    let model = Model::open(&args.model)?;
    let settings = settings(args, &model)?;
    let Some(card) = &model.card.data.globe else {
        return Err(UserError::new(
            format!("The model {} makes no daily rain", model.card.name),
            "forecasts start from recorded days on the globe",
            "use a model of precipitation",
        ));
    };
    let reading = args.answers.choices();
    let files = crate::data::expand_paths(&args.data)?;
    let recording = if files.is_empty() {
        shipped_recording(&card.grid)?
    } else {
        files_as_recording(&files, &reading, &card.grid)?
    };
    let leads = args.leads as usize;
    let days = starts::spread(recording.as_ref(), args.starts, HISTORY - 1, leads)?;
    let mut files = files.into_iter();
    let spec = RolloutSpec {
        seed: args.seed,
        members: args.members as usize,
        start_file: files.next(),
        more_files: files.collect(),
        reading,
        ..RolloutSpec::default()
    };
    let recipe = json!({
        "program": "eddyscope",
        "version": env!("CARGO_PKG_VERSION"),
        "model": model.card.name,
        "model_hash": model.hash(),
        "recording": recording.name(),
        "recorded": [recording.date(0).to_string(), recording.date(recording.days() - 1).to_string()],
        "starts": args.starts,
        "leads": leads,
        "members": spec.members,
        "seed": spec.seed,
        "settings": settings,
    });
    let mut ledger: Ledger<score::Start> = Ledger::open(args.out.as_deref(), &recipe)?;
    let compute = device::select(args.device)?;
    if let Some(note) = &compute.note {
        log::info!("computing on the CPU: {note}");
    }
    let mut engine = Engine::new(&model, compute)?;
    let experiment = Experiment {
        recording: recording.as_ref(),
        settings: &settings,
        spec: &spec,
        leads,
    };
    let interrupt = Interrupt::install();
    let progress = bar(days.len() as u64, "starts");
    let mut stopped = false;
    for (k, day) in days.iter().enumerate() {
        progress.set_position(k as u64);
        if ledger.starts.iter().any(|s| s.start == k) {
            continue;
        }
        match experiment.start(&mut engine, k, *day, &|| interrupt.asked())? {
            Some(start) => ledger.add(start)?,
            None => {
                stopped = true;
                break;
            }
        }
    }
    progress.finish_and_clear();
    if args.json {
        println!("{}", report::json(&ledger.starts, leads, &recipe));
    } else {
        println!(
            "{} starts from {}, {} members, guidance {}, history {}",
            ledger.starts.len(),
            recording.name(),
            spec.members,
            settings.guidance.strength,
            settings.guidance.history,
        );
        print!("{}", report::text(&ledger.starts, leads));
    }
    if stopped {
        eprintln!(
            "stopped after {} of {} starts",
            ledger.starts.len(),
            args.starts
        );
        return Ok(3);
    }
    Ok(0)
}

fn settings(args: &ForecastArgs, model: &Model) -> Result<Settings> {
    let card = &model.card;
    check_season(card, args.season)?;
    let mut settings = suggested(card, args.discriminator);
    let guidance = &mut settings.guidance;
    guidance.strength = args.guidance.unwrap_or(guidance.strength);
    guidance.history = args.history.map_or(guidance.history, usize::from);
    guidance.season = args.season;
    settings.sampler.steps = args.steps;
    settings.validate()?;
    Ok(settings)
}
