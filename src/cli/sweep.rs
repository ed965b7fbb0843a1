//! `eddyscope sweep`: rollouts over a grid of settings, judged; the suggested guidance strength.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Args;

use crate::cli::progress::{Interrupt, bar};
use crate::cli::settings::{check_season, suggested};
use crate::device::{self, DeviceRequest};
use crate::error::{Result, UserError};
use crate::model::card::{ModelCard, SamplerCard, SamplerFigures};
use crate::model::{DEFAULT_MODEL, Model};
use crate::nn::weights::write_atomically;
use crate::rollout::engine::Engine;
use crate::rollout::settings::{DiscriminatorKind, RolloutSpec};
use crate::train::assemble::write_card;

use crate::report::raster::png_of_scene;
use crate::report::svg::svg;
use crate::sweep::run::make;
use crate::sweep::{Axis, Finished, Knob, Point, best, figure, ladder, points, report, usable};

/// Make a rollout for each combination of settings, judge them, and find the best.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  eddyscope sweep --over lambda=0..2/0.25 --out runs/lambda
  eddyscope sweep --over lambda=0.5,1,1.5 --over m=0..3/1 --over steps=5,10,20 --jobs 2 --out runs/grid
  eddyscope sweep --over discriminator=encoder --over lambda=0,5,20,100 --out runs/encoder
  eddyscope sweep --model precipitation --season --over lambda=0..1.5/0.25 --frames 365 --out runs/rain
  eddyscope sweep --model runs/mine --over lambda=0..2/0.1 --out runs/mine-lambda --write-card
  eddyscope sweep --model runs/mine --over lambda=0,1 --over steps=2,3,4,6,10 --out runs/mine-steps --write-card

What can be varied: lambda, m, steps, solver, interval (LOW:HIGH noise levels in which guidance acts), churn, sigma-max,
sigma-min, sigma-first, discriminator. All runs share seed, members and start, so that what differs is the setting.

The folder holds points/ (one JSON a point, with its recipe), sweep.json, sweep.csv and a figure, sweep.svg and sweep.png. A
point that is there with the same recipe is not made again: an interrupted sweep goes on where it was.

Large sweeps take several processes or machines: each makes the share --part K/N of the points into the same folder, and
the same command without --part collects them. With any job runner, for example
  seq 1 8 | xargs -P 4 -I{} eddyscope sweep --over lambda=0..2/0.05 --out runs/fine --part {}/8
or a Slurm array with --part $SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT.

Exit code: 0 done, 2 an error, 3 stopped by Ctrl-C (finished points are kept).")]
pub struct SweepArgs {
    /// Shipped model by name, or a model folder
    #[arg(long, value_name = "NAME|FOLDER", default_value = DEFAULT_MODEL)]
    pub model: String,
    /// A setting and its values; give it once for each setting
    #[arg(long, value_name = "NAME=VALUES", required = true)]
    pub over: Vec<Axis>,
    /// Frames of each rollout
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(12..=100_000))]
    pub frames: u32,
    /// Ensemble members of each rollout
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub members: u32,
    /// Seed of all noise, and of the start
    #[arg(long, default_value_t = 1000)]
    pub seed: u64,
    /// Precipitation: tell the discriminator the day of the year
    #[arg(long)]
    pub season: bool,
    /// Rollouts at the same time, each on its share of the processor's cores [default: as many as cores, at most 8]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub jobs: Option<u32>,
    /// Make only this share of the points ("2/8": the second of eight)
    #[arg(long, value_name = "K/N", value_parser = part)]
    pub part: Option<(usize, usize)>,
    /// Write what was found into the model's card (a model folder): the samplers from quick to good where solver or steps were
    /// varied (with lambda=0,1 what they make without guidance counts too), else the suggested and the usable strength
    #[arg(long)]
    pub write_card: bool,
    /// Where to compute
    #[arg(long, value_enum, default_value_t)]
    pub device: DeviceRequest,
    /// Folder of the results
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Print everything as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

fn part(text: &str) -> std::result::Result<(usize, usize), String> {
    let numbers = text
        .split_once('/')
        .and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
    match numbers {
        Some((k, n)) if (1..=n).contains(&k) => Ok((k, n)),
        _ => Err("write it as K/N with K from 1 to N, for example 2/8".into()),
    }
}

/// Runs the command; returns the exit code.
///
/// # Errors
/// A model, settings or a folder that cannot be used.
pub fn run(args: &SweepArgs) -> Result<u8> {
    let model = Model::open(&args.model)?;
    let globe = model.card.data.globe.is_some();
    if args.write_card {
        check_card(args)?;
    }
    check_season(&model.card, args.season)?;
    let mut base = suggested(&model.card, DiscriminatorKind::TwoTower);
    base.guidance.season = args.season;
    let all = points(&args.over, &base)?;
    let folder = args.out.join("points");
    std::fs::create_dir_all(&folder).map_err(|e| {
        UserError::new(
            format!("Cannot make the folder {}", folder.display()),
            e,
            "choose another folder with --out",
        )
    })?;
    let sweep = Sweep {
        args,
        model: &model,
        folder: &folder,
    };
    let mine: Vec<&Point> = match args.part {
        Some((k, n)) => all.iter().skip(k - 1).step_by(n).collect(),
        None => all.iter().collect(),
    };
    let todo: Vec<&Point> = mine
        .into_iter()
        .filter(|p| sweep.found(p).is_none())
        .collect();
    let interrupted = sweep.make(&todo)?;
    let finished: Vec<Finished> = all.iter().filter_map(|p| sweep.found(p)).collect();
    let missing = all.len() - finished.len();
    if args.part.is_none() {
        let written = report::json(&finished, &args.over, globe, missing);
        let text = serde_json::to_string_pretty(&written).unwrap_or_default();
        write_atomically(&args.out.join("sweep.json"), text.as_bytes())?;
        let rows = report::csv(&finished, &args.over, globe);
        write_atomically(&args.out.join("sweep.csv"), rows.as_bytes())?;
        if let Some(figure) = figure::figure(&finished, &args.over, globe) {
            let scene = figure.scene();
            let drawn = svg(&scene, "sweep", "Scores of a sweep");
            write_atomically(&args.out.join("sweep.svg"), drawn.as_bytes())?;
            let png = png_of_scene(&scene, 2.0, &text)?;
            write_atomically(&args.out.join("sweep.png"), &png)?;
        }
    }
    if args.json {
        println!("{}", report::json(&finished, &args.over, globe, missing));
    } else {
        print!("{}", report::text(&finished, &args.over, globe));
        if missing > 0 {
            println!("{missing} of {} points are not made yet", all.len());
        }
    }
    if interrupted {
        eprintln!(
            "stopped; finished points are in {}, the same command goes on",
            folder.display()
        );
        return Ok(3);
    }
    if args.write_card && missing == 0 {
        if !over(args, &[Knob::Steps, Knob::Solver]) {
            write_strengths(&args.model, model.card.clone(), &finished)?;
        } else {
            write_samplers(&args.model, model.card.clone(), &finished)?;
        }
    }
    Ok(0)
}

/// Whether one of these settings is varied.
fn over(args: &SweepArgs, knobs: &[Knob]) -> bool {
    args.over.iter().any(|a| knobs.contains(&a.knob))
}

/// Writes the samplers from quick to good into the card.
fn write_samplers(folder: &str, mut card: ModelCard, points: &[Finished]) -> Result<()> {
    card.samplers = ladder(points)
        .into_iter()
        .map(|rung| {
            let p = rung.point;
            let s = &p.recipe.settings.sampler;
            let f = &p.figures;
            SamplerCard {
                name: rung.name.into(),
                solver: s.solver,
                steps: s.steps,
                members: p.recipe.rollout.members,
                frames: p.recipe.frames,
                figures: SamplerFigures {
                    acf_error: f.acf_error,
                    std_ratio: f.std_ratio,
                    spectrum_error: f.spectrum_error,
                    skill_difference: f.skill_difference,
                    wet_difference: f.wet_difference,
                    alone_std_ratio: rung.alone.and_then(|f| f.std_ratio),
                    alone_spectrum_error: rung.alone.and_then(|f| f.spectrum_error),
                },
                score: rung.score,
            }
        })
        .collect();
    for s in &card.samplers {
        eprintln!(
            "{}: {:?}, {} steps, score {:.2}",
            s.name, s.solver, s.steps, s.score
        );
    }
    write_card(&card, Path::new(folder))
}

fn check_card(args: &SweepArgs) -> Result<()> {
    let varied = over(args, &[Knob::Lambda]) || over(args, &[Knob::Steps, Knob::Solver]);
    let cause = if !Path::new(&args.model).is_dir() {
        format!("{} is no folder", args.model)
    } else if !varied || args.part.is_some() {
        "a whole sweep over lambda, or over solver and steps, is needed".to_owned()
    } else {
        return Ok(());
    };
    Err(UserError::new(
        "There is no card to write into, or nothing to write",
        cause,
        "name a model folder with --model, vary lambda or the sampler, and leave --part out",
    ))
}

/// Writes what was found into the card, for each discriminator that the points used.
fn write_strengths(folder: &str, mut card: ModelCard, points: &[Finished]) -> Result<()> {
    for kind in [DiscriminatorKind::TwoTower, DiscriminatorKind::Encoder] {
        let of_kind: Vec<&Finished> = points
            .iter()
            .filter(|p| p.recipe.settings.guidance.discriminator == kind)
            .collect();
        let Some(best) = best(of_kind.iter().copied()) else {
            continue;
        };
        let limit = usable(of_kind.iter().copied());
        let slots = match kind {
            DiscriminatorKind::TwoTower => card
                .two_tower
                .as_mut()
                .map(|t| (&mut t.suggested_strength, &mut t.usable_strength)),
            DiscriminatorKind::Encoder => card
                .encoder
                .as_mut()
                .map(|e| (&mut e.suggested_strength, &mut e.usable_strength)),
        };
        if let Some((suggested, usable)) = slots {
            *suggested = best.strength();
            // What was not reached is not known: the end of the slider stays where it was.
            if let Some(limit) = limit {
                *usable = limit.max(*suggested);
            }
            eprintln!("{kind:?}: suggested strength {suggested}, usable up to {usable}");
        }
    }
    write_card(&card, Path::new(folder))
}

struct Sweep<'a> {
    args: &'a SweepArgs,
    model: &'a Model,
    folder: &'a Path,
}

impl Sweep<'_> {
    fn spec(&self) -> RolloutSpec {
        RolloutSpec {
            seed: self.args.seed,
            members: self.args.members as usize,
            ..RolloutSpec::default()
        }
    }

    /// The finished point of these settings, if its file holds it.
    fn found(&self, point: &Point) -> Option<Finished> {
        let text = std::fs::read_to_string(self.folder.join(point.file_name())).ok()?;
        let found: Finished = serde_json::from_str(&text).ok()?;
        let r = &found.recipe;
        let same = r.settings == point.settings
            && r.rollout == self.spec()
            && r.model_hash == self.model.hash()
            && r.frames == self.args.frames as usize;
        same.then_some(found)
    }

    /// Makes points side by side. Returns whether it was stopped.
    fn make(&self, todo: &[&Point]) -> Result<bool> {
        if todo.is_empty() {
            return Ok(false);
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let jobs = self
            .args
            .jobs
            .map_or(cores.min(8), |j| j as usize)
            .min(todo.len());
        let interrupt = Interrupt::install();
        let progress = bar(todo.len() as u64, "rollouts");
        let next = AtomicUsize::new(0);
        let failed: Mutex<Option<UserError>> = Mutex::new(None);
        let work =
            || -> Result<()> {
                // Networks of this size use one core best: rollouts side by side, each in a pool of its own.
                let pool = rayon::ThreadPoolBuilder::new()
                    .num_threads((cores / jobs).max(1))
                    .build()
                    .map_err(|e| {
                        UserError::new("Cannot start threads", e, "use a smaller --jobs")
                    })?;
                pool.install(|| {
                    let mut engine = Engine::new(self.model, device::select(self.args.device)?)?;
                    while !interrupt.asked() {
                        let Some(point) = todo.get(next.fetch_add(1, Ordering::Relaxed)) else {
                            break;
                        };
                        let file = self.folder.join(point.file_name());
                        let frames = self.args.frames as usize;
                        let made = make(&mut engine, point, &self.spec(), frames, &file, &|| {
                            match interrupt.asked() {
                                true => ControlFlow::Break(()),
                                false => ControlFlow::Continue(()),
                            }
                        })?;
                        if let Some(done) = made {
                            let text = serde_json::to_string_pretty(&done).unwrap_or_default();
                            write_atomically(&file, text.as_bytes())?;
                            progress.inc(1);
                            progress.suspend(|| eprintln!("{point}: {}", brief(&done)));
                        }
                    }
                    Ok(())
                })
            };
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| {
                    if let Err(e) = work() {
                        // The others stop at the next point.
                        next.store(usize::MAX / 2, Ordering::Relaxed);
                        if let Ok(mut slot) = failed.lock() {
                            slot.get_or_insert(e);
                        }
                    }
                });
            }
        });
        progress.finish_and_clear();
        match failed.into_inner().ok().flatten() {
            Some(error) => Err(error),
            None => Ok(interrupt.asked()),
        }
    }
}

/// A line on a finished point.
fn brief(done: &Finished) -> String {
    match (&done.blow_up, done.score) {
        (Some((frame, what)), _) => format!("blew up at frame {}: {what}", frame + 1),
        (None, Some(score)) => format!(
            "score {score:.2}, ACF error {:.4}",
            done.figures.acf_error.unwrap_or(f64::NAN)
        ),
        (None, None) => "no score: too few frames".into(),
    }
}
