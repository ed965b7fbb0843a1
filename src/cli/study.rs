//! `eddyscope study`: a small experiment with a known answer, from its file to its page.

use std::path::PathBuf;

use clap::Args;

use super::progress::{Interrupt, bar};
use crate::device::{self, DeviceRequest};
use crate::error::Result;
use crate::study::{self, Halt, Lab, page};

/// Make a study: train on a small world with known statistics, roll out, measure, and write the page.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  eddyscope study --list
  eddyscope study wave --out runs/wave
  eddyscope study gaussian --quick --out runs/look
  eddyscope study mine.toml --out runs/mine --device cpu

The folder holds NAME.md (the page), NAME.svg, results.json, a CSV of every table, networks/ and measured/. What is
finished there is not made again: an interrupted study goes on where it was. Small networks train best on one thread
(RAYON_NUM_THREADS=1), several studies side by side.

Exit code: 0 done, 2 an error, 3 stopped by Ctrl-C (what is finished is kept).")]
pub struct StudyArgs {
    /// A shipped study by name, or a study's file
    #[arg(value_name = "NAME|FILE.toml", required_unless_present = "list")]
    pub study: Option<String>,
    /// List the shipped studies
    #[arg(long)]
    pub list: bool,
    /// Folder of everything that it makes (default: runs/study-NAME)
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Only a look: a twelfth of the training, few and short rollouts
    #[arg(long)]
    pub quick: bool,
    /// Where to compute
    #[arg(long, value_enum, default_value_t)]
    pub device: DeviceRequest,
}

/// Runs the command; returns the exit code.
///
/// # Errors
/// A study, a device or a folder that cannot be used, or a training that diverged.
pub fn run(args: &StudyArgs) -> Result<u8> {
    let Some(which) = args.study.as_ref().filter(|_| !args.list) else {
        for (name, _) in study::SHIPPED {
            let (_, config) = study::open(name)?;
            println!("{name:<16} {}", config.title);
        }
        return Ok(0);
    };
    let (name, config) = study::open(which)?;
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from("runs").join(format!("study-{name}")));
    let interrupt = Interrupt::install();
    let device = device::select(args.device)?;
    eprintln!("{name} on {}; output in {}", device.name, out.display());
    if let Some(note) = &device.note {
        eprintln!("note: {note}");
    }
    let progress = bar(1000, "of 1000");
    let last = std::cell::RefCell::new(String::new());
    let tell = |what: &str, done: f64| {
        progress.set_position((1000.0 * done) as u64);
        if *last.borrow() != what {
            what.clone_into(&mut last.borrow_mut());
            progress.set_message(what.to_owned());
            progress.suspend(|| eprintln!("{what}"));
        }
    };
    let sizes = config.lab.clone().unwrap_or_default();
    let lab = Lab {
        out: &out,
        config: &sizes,
        seed: config.seed,
        quick: args.quick,
        compute: &device,
        stop: &|| interrupt.asked(),
        progress: &tell,
    };
    let outcome = study::run(&config, &lab);
    progress.finish_and_clear();
    match outcome {
        Ok(results) => {
            page::write(&out, &name, &config, &results, args.quick)?;
            for finding in &results.findings {
                println!("{finding}");
            }
            eprintln!("wrote {}", out.join(format!("{name}.md")).display());
            Ok(0)
        }
        Err(Halt::Stopped) => {
            eprintln!(
                "stopped; what is finished is in {}, the same command goes on",
                out.display()
            );
            Ok(3)
        }
        Err(Halt::Failed(error)) => Err(error),
    }
}
