//! The options of `eddyscope rollout`, and the settings that they make.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::data::RainAnswers;
use crate::cli::settings::suggested;
use crate::data::rain::Choices;
use crate::data::{self, Date};
use crate::device::DeviceRequest;
use crate::error::{Result, UserError};
use crate::model::{DEFAULT_MODEL, ModelCard};
use crate::rollout::headless::RunRecipe;
use crate::rollout::settings::{
    DiscriminatorKind, LaneKind, RolloutSpec, Schedule, Settings, Solver, Start,
};

/// Frames of a run that does not say.
pub(super) const DEFAULT_FRAMES: usize = 100;

/// A lane that can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Lane {
    /// The image model guided by the discriminator
    Guided,
    /// The image model alone
    Unconditional,
    /// The forecast of the two-tower discriminator plus noise, without the image model: the control
    Forecaster,
    /// The video model, which sees the last frames itself: the baseline
    Video,
    /// The video model, guided by the discriminator (strength: --video-guidance)
    GuidedVideo,
}

impl From<Lane> for LaneKind {
    fn from(lane: Lane) -> Self {
        match lane {
            Lane::Guided => Self::Guided,
            Lane::Unconditional => Self::Unconditional,
            Lane::Forecaster => Self::Forecaster,
            Lane::Video => Self::Video,
            Lane::GuidedVideo => Self::GuidedVideo,
        }
    }
}

/// Make frames one after another with the guided image model, and write them to a NetCDF file.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  eddyscope rollout --frames 100 --out run.nc
  eddyscope rollout --frames 200 --members 8 --guidance 1 --history 3 --seed 7 --out run.nc --json
  eddyscope rollout --guidance 0 --frames 50 --out unrelated.nc
  eddyscope rollout --model gaussian-process --parameter correlation=0.9 --believe velocity=0 --out run.nc
  eddyscope rollout --start start.nc --frames 20 --solver heun --steps 18 --out run.nc
  eddyscope rollout --model precipitation --frames 36500 --out century.nc
  eddyscope rollout --resume --out century.nc
  eddyscope rollout --members 8 --first-member 8 --out run-2.nc          the second eight of an ensemble
  eddyscope rollout --model precipitation --start-date 2060-07-01 --lane forecaster --frames 60 --out control.nc

Turbulence: the file holds vorticity(member, time, y, x): history + 1 start frames (attribute start_frames), then the
generated ones. Precipitation: the file holds pr(time, lat, lon), or pr(time, member, lat, lon), in mm/day, and grows
day by day: what was written stays when the run is stopped in any way, and --resume goes on from it bit for bit.
The attribute `recipe` is JSON with every setting, the seed and the model's hash.

Exit code: 0 done, 2 an error, 3 stopped early (blow-up or Ctrl-C; the frames before it are in the file).")]
pub struct RolloutArgs {
    /// Shipped model by name, or a model folder [default: vorticity]
    #[arg(long, value_name = "NAME|FOLDER")]
    pub model: Option<String>,
    /// Frames to generate [default: 100]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub frames: Option<u32>,
    /// Ensemble members [default: 1, or as many as the start file of turbulence has]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub members: Option<u32>,
    /// Number of the first member: parts of an ensemble, made by several processes or machines with the same seed, are
    /// the members that one run of all of them would have [default: 0]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub first_member: Option<u32>,
    /// What is made [default: guided]
    #[arg(long, value_enum)]
    pub lane: Option<Lane>,
    /// Guidance strength lambda; 0 = unconditional [default: the model's suggestion]
    #[arg(long, value_name = "LAMBDA", allow_negative_numbers = true)]
    pub guidance: Option<f32>,
    /// Guidance strength of the lane guided-video [default: the model's suggestion]
    #[arg(long, value_name = "LAMBDA", allow_negative_numbers = true)]
    pub video_guidance: Option<f32>,
    /// History length m: frames before the last one that the discriminator sees [default: the model's suggestion]
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=3))]
    pub history: Option<u8>,
    /// Noise levels of the sampler [default: 6 for flow, 10 for the other solvers]
    #[arg(long)]
    pub steps: Option<usize>,
    /// Integrator [default: flow]
    #[arg(long, value_enum)]
    pub solver: Option<Solver>,
    /// Seed of all noise, and of the start [default: 0]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Where to compute
    #[arg(long, value_enum, default_value = "auto")]
    pub device: DeviceRequest,
    /// Which discriminator guides [default: two-tower]
    #[arg(long, value_enum)]
    pub discriminator: Option<DiscriminatorKind>,
    /// Turbulence: start from the last frames of this file (NetCDF or .npy) instead of a simulated start. Precipitation:
    /// start from a day of these files (folders, or patterns in quotes) instead of the recording that comes with the program
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub start: Vec<String>,
    /// Answers to what the files of precipitation leave open
    #[command(flatten)]
    pub answers: RainAnswers,
    /// Precipitation: date of the last start day [default: the seed chooses a day of the recording]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = date)]
    pub start_date: Option<Date>,
    /// Precipitation: tell the discriminator the day of the year
    #[arg(long)]
    pub season: bool,
    /// S_churn of the Heun solvers [default: 0]
    #[arg(long)]
    pub churn: Option<f32>,
    /// Smallest noise level (the data's std is 0.5) [default: 0.006]
    #[arg(long)]
    pub sigma_min: Option<f32>,
    /// Largest noise level [default: 400]
    #[arg(long)]
    pub sigma_max: Option<f32>,
    /// Noise level of the first network evaluation of solver flow [default: 8]
    #[arg(long)]
    pub sigma_first: Option<f32>,
    /// How the noise levels lie between the largest and the smallest [default: geometric]
    #[arg(long, value_enum)]
    pub schedule: Option<Schedule>,
    /// Curvature of the karras schedule [default: 7]
    #[arg(long)]
    pub rho: Option<f32>,
    /// Guidance acts only at noise levels in this interval
    #[arg(long, num_args = 2, value_names = ["LOW", "HIGH"])]
    pub guidance_interval: Option<Vec<f32>>,
    /// Begin each frame at the last one plus noise of this level (fakes autocorrelation)
    #[arg(long, value_name = "SIGMA")]
    pub warm_start: Option<f32>,
    /// A parameter of the models gaussian-process and travelling-wave, such as speed=2 (can be given again)
    #[arg(long = "parameter", value_name = "NAME=VALUE")]
    pub parameters: Vec<String>,
    /// Lets the discriminator of these models believe something false: correlation=0.7 or velocity=0.5 (times the true one)
    #[arg(long = "believe", value_name = "NAME=VALUE")]
    pub beliefs: Vec<String>,
    /// File to write
    #[arg(long, value_name = "FILE.nc")]
    pub out: PathBuf,
    /// Go on with the file (precipitation): its recipe says how; other settings are refused, --frames may be larger
    #[arg(long)]
    pub resume: bool,
    /// Print the figures as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

/// A date as the options write it.
fn date(text: &str) -> std::result::Result<Date, String> {
    let mut parts = text.splitn(3, '-');
    let mut next = |what: &str| {
        parts
            .next()
            .filter(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()))
            .ok_or_else(|| format!("the {what} is missing; write it as 2060-07-01"))
    };
    let (year, month, day) = (next("year")?, next("month")?, next("day")?);
    let number = |_| "one of its numbers is too large; write it as 2060-07-01".to_owned();
    Ok(Date {
        year: year.parse().map_err(number)?,
        month: month.parse().map_err(number)?,
        day: day.parse().map_err(number)?,
    })
}

/// What a run is made with.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub settings: Settings,
    pub spec: RolloutSpec,
    pub lane: LaneKind,
}

impl Plan {
    /// The plan of a model without any option.
    pub fn of_model(card: &ModelCard, discriminator: DiscriminatorKind) -> Self {
        Self {
            settings: suggested(card, discriminator),
            spec: RolloutSpec::default(),
            lane: LaneKind::Guided,
        }
    }

    /// The plan of a run that was begun.
    pub fn of_recipe(recipe: &RunRecipe) -> Self {
        Self {
            settings: recipe.settings.clone(),
            spec: recipe.rollout.clone(),
            lane: recipe.lane,
        }
    }

    /// Puts the options in that were given.
    pub fn with(mut self, args: &RolloutArgs) -> Self {
        fn set<T>(slot: &mut T, given: Option<T>) {
            if let Some(value) = given {
                *slot = value;
            }
        }
        let g = &mut self.settings.guidance;
        set(&mut g.discriminator, args.discriminator);
        set(&mut g.strength, args.guidance);
        set(&mut g.video_strength, args.video_guidance);
        set(&mut g.history, args.history.map(usize::from));
        if let Some([lo, hi]) = args.guidance_interval.as_deref() {
            (g.sigma_lo, g.sigma_hi) = (*lo, *hi);
        }
        g.season |= args.season;
        let s = &mut self.settings.sampler;
        set(&mut s.solver, args.solver);
        set(&mut s.steps, args.solver.map(Solver::usual_steps));
        set(&mut s.steps, args.steps);
        set(&mut s.sigma_min, args.sigma_min);
        set(&mut s.sigma_max, args.sigma_max);
        set(&mut s.sigma_first, args.sigma_first);
        set(&mut s.schedule, args.schedule);
        set(&mut s.rho, args.rho);
        set(&mut s.churn, args.churn);
        set(
            &mut s.start,
            args.warm_start.map(|sigma| Start::Warm { sigma }),
        );
        set(&mut self.lane, args.lane.map(LaneKind::from));
        let spec = &mut self.spec;
        set(&mut spec.seed, args.seed);
        set(&mut spec.members, args.members.map(|m| m as usize));
        set(
            &mut spec.first_member,
            args.first_member.map(|m| m as usize),
        );
        if args.start_date.is_some() {
            spec.start_date = args.start_date;
        }
        if let Some((first, more)) = args.start.split_first() {
            spec.start_file = Some(first.into());
            spec.more_files = more.iter().map(PathBuf::from).collect();
        }
        let reading = args.answers.choices();
        if reading != Choices::default() {
            spec.reading = reading;
        }
        self
    }

    /// Puts the files of a recording in place of the folders and patterns that were given.
    ///
    /// # Errors
    /// A folder or pattern without a file.
    pub fn expand(mut self, args: &RolloutArgs) -> Result<Self> {
        let paths = data::expand_paths(&args.start)?;
        if let Some((first, more)) = paths.split_first() {
            self.spec.start_file = Some(first.clone());
            self.spec.more_files = more.to_vec();
        }
        Ok(self)
    }

    /// Refuses options that a run cannot go on with.
    ///
    /// # Errors
    /// Names each setting that differs, with both values.
    pub fn must_equal(&self, begun: &Self, args: &RolloutArgs) -> Result<()> {
        if self == begun {
            return Ok(());
        }
        let mut differences = Vec::new();
        differ("", &self.as_json(), &begun.as_json(), &mut differences);
        Err(UserError::new(
            format!("{} was made with other settings", args.out.display()),
            differences.join("; "),
            "leave these options out to go on as it was begun, or write to another file without --resume",
        ))
    }

    fn as_json(&self) -> serde_json::Value {
        serde_json::json!({"settings": self.settings, "rollout": self.spec, "lane": self.lane})
    }
}

/// The values in which two objects differ.
fn differ(name: &str, asked: &serde_json::Value, begun: &serde_json::Value, out: &mut Vec<String>) {
    use serde_json::Value;
    match (asked, begun) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let of =
                    |o: &serde_json::Map<String, Value>| o.get(key).cloned().unwrap_or_default();
                differ(key, &of(a), &of(b), out);
            }
        }
        _ if asked != begun => {
            out.push(format!(
                "{name} is {begun} in the file, {asked} is asked for"
            ));
        }
        _ => {}
    }
}

impl RolloutArgs {
    /// Name or folder of the model of a new run.
    pub(super) fn model_name(&self) -> &str {
        self.model.as_deref().unwrap_or(DEFAULT_MODEL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(
            date("2060-07-01").unwrap(),
            Date {
                year: 2060,
                month: 7,
                day: 1
            }
        );
        for bad in [
            "",
            "2060",
            "2060-07",
            "2060-7-x",
            "2060-07-999",
            "-1-2-3",
            "July 1",
        ] {
            assert!(date(bad).is_err(), "{bad}");
        }
    }
}
