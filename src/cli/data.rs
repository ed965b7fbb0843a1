//! `eddyscope data`: what precipitation files hold, and the same days as a clip or on another grid.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::progress::{Interrupt, bar};
use crate::data::rain::{Choices, Question, RainFiles, RainStatistics, Topic};
use crate::data::rain_stream::{RainStream, RainStreamInfo};
use crate::data::recording::{Clip, ClipInfo, FileRecording, Recording};
use crate::data::{self, Date};
use crate::error::{Result, UserError};
use crate::field::Globe;
use crate::model::Model;

/// Show what precipitation files hold; write them as a clip or on another grid.
///
/// Reads daily or finer precipitation on a latitude-longitude grid that covers the globe: NetCDF classic or 4, ERA5 (tp in
/// hourly metres), pr and lwe_precipitation_rate in their usual units, several files as one series. What was recognised is
/// printed, with a question for each guess that could be wrong.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  eddyscope data era5_tp_2019.nc era5_tp_2020.nc
  eddyscope data 'cmip/pr_day_*.nc' --statistics
  eddyscope data tp.nc --stamp end --json
  eddyscope data 'era5/tp_*.nc' --regrid 48x96 --out tp48.nc
  eddyscope data tp48.nc --clip clip.png --from 2019-01-01 --days 730 --source ERA5 --terms CC-BY-4.0

Exit code: 0 done, 2 an error, 3 stopped by Ctrl-C (the days written so far are kept).")]
pub struct DataArgs {
    /// Files, folders, or patterns in quotes
    #[arg(required = true, value_name = "FILES")]
    pub files: Vec<String>,
    /// Answers
    #[command(flatten)]
    pub answers: RainAnswers,
    /// Read all days and print their statistics
    #[arg(long)]
    pub statistics: bool,
    /// Regrid conservatively to this many rows and columns, or to the grid of a model
    #[arg(long, value_name = "ROWSxCOLUMNS|MODEL")]
    pub regrid: Option<String>,
    /// NetCDF file to write the days to
    #[arg(long, value_name = "FILE.nc")]
    pub out: Option<PathBuf>,
    /// Clip to write the days to: a PNG of quantised amounts
    #[arg(long, value_name = "FILE.png")]
    pub clip: Option<PathBuf>,
    /// First day to write (default: the first one)
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub from: Option<String>,
    /// Number of days to write (default: all)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub days: Option<u32>,
    /// Title of what is written
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// Source of the data, for the clip
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub source: String,
    /// Terms of the data, for the clip
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub terms: String,
    /// Print JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// Answers to the questions that precipitation files leave open.
#[derive(Debug, Clone, Default, Args)]
pub struct RainAnswers {
    /// Variable of the precipitation files
    #[arg(long, value_name = "NAME")]
    pub variable: Option<String>,
    /// Unit of the variable, in place of the files' own
    #[arg(long, value_name = "UNIT")]
    pub units: Option<String>,
    /// What a stamp of the time axis marks
    #[arg(long, value_parser = PossibleValuesParser::new(["begin", "middle", "end"]), value_name = "WHERE")]
    pub stamp: Option<String>,
    /// Time in which an amount fell: between two stamps, or one hour
    #[arg(long, value_parser = PossibleValuesParser::new(["step", "hour"]), value_name = "TIME")]
    pub accumulated: Option<String>,
    /// Member of an ensemble, counted from 0
    #[arg(long, value_name = "INDEX")]
    pub member: Option<usize>,
    /// Take the likely answer to each question
    #[arg(long)]
    pub guess: bool,
}

impl RainAnswers {
    /// The answers as the reader takes them.
    pub fn choices(&self) -> Choices {
        let mut choices = Choices {
            variable: self.variable.clone(),
            units: self.units.clone(),
            member: self.member,
            guess: self.guess,
            ..Choices::default()
        };
        for (topic, answer) in [
            (Topic::Stamp, &self.stamp),
            (Topic::Accumulated, &self.accumulated),
        ] {
            if let Some(answer) = answer {
                // The command line takes only answers that there are.
                choices.answer(topic, answer);
            }
        }
        choices
    }
}

/// Runs the command; returns the exit code.
///
/// # Errors
/// Files that cannot be read, open questions before days are used, a place that cannot be written.
pub fn run(args: &DataArgs) -> Result<u8> {
    let interrupt = Interrupt::install();
    let paths = data::expand_paths(&args.files)?;
    let files = RainFiles::open(&paths, &args.answers.choices())?;
    if !args.json {
        print!("{}", files.facts());
        files.questions().iter().for_each(print_question);
    }
    let mut stopped = false;
    let statistics = if args.statistics {
        let progress = bar(files.days() as u64, "days");
        let figures = files.statistics(|_| {
            progress.inc(1);
            stopped |= interrupt.asked();
            !stopped
        })?;
        progress.finish_and_clear();
        if !args.json {
            print_statistics(&figures);
        }
        Some(figures)
    } else {
        None
    };
    if args.json {
        let object = serde_json::json!({
            "facts": files.facts(),
            "questions": files.questions(),
            "globe": files.globe(),
            "statistics": statistics,
        });
        println!("{object}");
    }
    if stopped {
        return Ok(3);
    }
    if args.out.is_none() && args.clip.is_none() {
        return Ok(0);
    }
    for out in args.out.iter().chain(&args.clip) {
        keep_inputs(out, &paths)?;
    }
    let globe = match &args.regrid {
        Some(text) => target_grid(text)?,
        None => files.globe().clone(),
    };
    let recording = FileRecording::new(files, &globe)?;
    let days = chosen_days(&recording, args)?;
    let title = args.title.clone().unwrap_or_else(|| recording.name());
    if let Some(path) = &args.clip {
        write_clip(path, &recording, days.clone(), &title, args)?;
    }
    match &args.out {
        Some(path) => write_days(path, &recording, days, title, interrupt),
        None => Ok(0),
    }
}

/// A file that is read must not be written.
fn keep_inputs(out: &Path, inputs: &[PathBuf]) -> Result<()> {
    let Ok(real) = out.canonicalize() else {
        return Ok(());
    };
    if inputs
        .iter()
        .any(|p| p.canonicalize().is_ok_and(|p| p == real))
    {
        return Err(UserError::new(
            format!("Cannot write {}", out.display()),
            "it is one of the files that are read",
            "Choose another name",
        ));
    }
    Ok(())
}

fn print_question(q: &Question) {
    println!("\nquestion     {}", q.text);
    println!(
        "             answer with {} {} (likely {})",
        q.topic.flag(),
        q.options.join(" | "),
        q.guess
    );
}

fn print_statistics(s: &RainStatistics) {
    let named: Vec<String> = data::rain::PERCENTILES
        .iter()
        .zip(&s.percentiles)
        .map(|(p, v)| format!("p{p} {v:.2}"))
        .collect();
    println!("\nall {} days, mm/day", s.days);
    println!(
        "mean         {:.3} (weighted by area), its standard deviation from day to day {:.3}",
        s.mean, s.mean_std
    );
    println!(
        "values       {:.1} % exactly 0, {:.1} % wet (0.1 and more)",
        100.0 * s.zeros,
        100.0 * s.wet
    );
    println!(
        "percentiles  {}, largest {:.1}",
        named.join(", "),
        s.largest
    );
    if s.below_zero > 0 {
        println!(
            "below zero   {} values of packing noise, set to zero",
            s.below_zero
        );
    }
}

/// `48x96`, or the grid of a model.
fn target_grid(text: &str) -> Result<Globe> {
    let sizes = text.split_once(['x', 'X']).and_then(|(ny, nx)| {
        Some((
            ny.trim().parse::<usize>().ok()?,
            nx.trim().parse::<usize>().ok()?,
        ))
    });
    if let Some((ny, nx)) = sizes {
        if ny > 10_000 || nx > 10_000 {
            return Err(UserError::new(
                format!("Cannot regrid to {text}"),
                "a grid of more than 10000 rows or columns is not made",
                "Give fewer rows and columns, for instance 180x360",
            ));
        }
        return Globe::cell_centred(ny, nx);
    }
    let model = Model::open(text)?;
    let card = model.card.data.globe.as_ref();
    card.map(|g| g.grid.clone()).ok_or_else(|| {
        UserError::new(
            format!("Cannot regrid to the grid of {text}"),
            "the model does not stand on the globe",
            "Name a precipitation model, or rows and columns such as 48x96",
        )
    })
}

fn parse_date(text: &str) -> Option<Date> {
    let mut parts = text.trim().splitn(3, '-');
    Some(Date {
        year: parts.next()?.parse().ok()?,
        month: parts.next()?.parse().ok()?,
        day: parts.next()?.parse().ok()?,
    })
}

/// The days that are to be written.
fn chosen_days(recording: &FileRecording, args: &DataArgs) -> Result<std::ops::Range<usize>> {
    let all = recording.days();
    let bad = |cause: String| {
        UserError::new(
            "Cannot choose the days to write",
            cause,
            format!(
                "Choose days from {} to {}",
                recording.date(0),
                recording.date(all.saturating_sub(1))
            ),
        )
    };
    let first = match &args.from {
        None => 0,
        Some(text) => parse_date(text)
            .and_then(|date| recording.index_of(date))
            .ok_or_else(|| bad(format!("{text} is not among the days of the files")))?,
    };
    let count = args.days.map_or(all - first, |n| n as usize);
    if first + count > all {
        return Err(bad(format!(
            "{count} days from {} on reach beyond the end",
            recording.date(first)
        )));
    }
    Ok(first..first + count)
}

fn write_clip(
    path: &Path,
    recording: &FileRecording,
    days: std::ops::Range<usize>,
    title: &str,
    args: &DataArgs,
) -> Result<()> {
    data::check_writable(path)?;
    if recording
        .breaks()
        .iter()
        .any(|b| days.start < *b && *b < days.end)
    {
        return Err(UserError::new(
            format!("Cannot write {}", path.display()),
            "the days have a gap, which a clip cannot hold",
            "Choose days without a gap with --from and --days",
        ));
    }
    let info = ClipInfo {
        title: title.to_owned(),
        source: args.source.clone(),
        terms: args.terms.clone(),
        globe: recording.globe().clone(),
        calendar: recording.calendar(),
        first: recording.date(days.start),
        step: 0.0,
    };
    let frames = days
        .map(|i| recording.day(i))
        .collect::<Result<Vec<Arc<[f32]>>>>()?;
    let bytes = Clip::write(&info, &frames)?;
    data::files::write_atomically(path, |file| std::io::Write::write_all(file, &bytes))?;
    eprintln!(
        "wrote {} days, {:.2} MB: {}",
        frames.len(),
        bytes.len() as f64 / 1e6,
        path.display()
    );
    Ok(())
}

fn write_days(
    path: &Path,
    recording: &FileRecording,
    days: std::ops::Range<usize>,
    title: String,
    interrupt: Interrupt,
) -> Result<u8> {
    let info = RainStreamInfo {
        globe: recording.globe().clone(),
        members: 1,
        calendar: recording.calendar(),
        first: recording.date(days.start),
        start_frames: 0,
        title,
        history: super::simulate::command_line(),
        recipe: None,
    };
    let mut stream = RainStream::create(path, &info)?;
    let progress = bar(days.len() as u64, "days");
    for i in days {
        if interrupt.asked() {
            progress.finish_and_clear();
            eprintln!(
                "stopped: {} days are in {}",
                stream.frames(),
                path.display()
            );
            return Ok(3);
        }
        stream.append_on(recording.date(i), &recording.day(i)?)?;
        progress.inc(1);
    }
    progress.finish_and_clear();
    stream.sync()?;
    eprintln!("wrote {} days: {}", stream.frames(), path.display());
    Ok(0)
}
