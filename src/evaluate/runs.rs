//! Long runs of truth and of the lanes: made and kept, gone on with, or taken as they are.

use std::ops::ControlFlow;
use std::path::Path;
use std::rc::Rc;

use crate::data::rain::{Choices, RainFiles};
use crate::data::rain_stream::RainStream;
use crate::data::recording::{FileRecording, Recording};
use crate::error::{Result, UserError};
use crate::field::{Globe, Grid};
use crate::rollout::engine::{Engine, HISTORY};
use crate::rollout::headless::{self, Job, RunRecipe};
use crate::rollout::headless_rain;
use crate::rollout::lanes::Lanes;
use crate::rollout::settings::LaneKind;
use crate::sim;

use super::method::Method;
use super::plan::Plan;
use super::sample::{Frame, Run, Sample};
use super::store::{Frames, Parts};

/// What is being made, how much of it is done, and how much there is. May stop the work.
pub type Tick<'a> = &'a mut (dyn FnMut(&str, usize, usize) -> ControlFlow<()> + Send);

/// Truth: frames to compare with, and to start from.
pub struct Truth {
    /// Its runs, start frames left out.
    pub sample: Sample,
    /// The start frames of each run, oldest first; none on the globe, where runs start from dates.
    pub starts: Vec<Vec<Frame>>,
    /// The recorded days, on the globe.
    pub recording: Option<Rc<dyn Recording>>,
}

/// Truth of a plan. `None` where the work was stopped.
///
/// # Errors
/// Files that cannot be read or written; recorded days that leave a question open.
pub fn truth(engine: &mut Engine, plan: &Plan, tick: Tick<'_>) -> Result<Option<Truth>> {
    if engine.climate.is_some() {
        return recorded(engine, plan, tick);
    }
    let folder = plan.runs_folder().join(Method::TRUTH.slug());
    if plan.runs.is_some()
        && let Some(found) = Parts::found(&folder)?
    {
        return Ok(Some(of_box(found)));
    }
    let members = truth_members(plan);
    let wanted = HISTORY + plan.sizes.frames;
    let recipe = plan.recipe(engine, Some(LaneKind::Truth), "truth", members);
    // Truth is never written among ensembles that somebody else has made.
    let folder = plan.out.join("runs").join(Method::TRUTH.slug());
    let mut parts = Parts::open(&folder, &recipe)?;
    if parts.frames.len() < wanted {
        let params = sim::Params::preset(&engine.card.data.preset)?;
        let interval = params.frame_interval();
        let stopped = std::sync::atomic::AtomicBool::new(false);
        let told = std::sync::Mutex::new(tick);
        let made = sim::simulate(&params, wanted, members, plan.seed, &|done, all| {
            // A poisoned lock means that another thread has panicked: stop.
            let flow = match told.lock() {
                Ok(mut tick) => tick("truth", done, all),
                Err(_) => ControlFlow::Break(()),
            };
            if flow.is_break() {
                stopped.store(true, std::sync::atomic::Ordering::Relaxed);
            }
            flow
        });
        if stopped.into_inner() {
            return Ok(None);
        }
        let series = made?;
        parts.clear()?;
        parts.start_frames = HISTORY;
        for time in 0..series.frames {
            let members = (0..members).filter_map(|m| series.frame(m, time));
            parts.push(members.map(Frame::from).collect(), series.grid, interval)?;
        }
        parts.flush(series.grid, interval)?;
    }
    parts.frames.truncate(wanted);
    Ok(Some(of_box(parts)))
}

/// Runs of truth: it costs little, and its own uncertainty should not count.
fn truth_members(plan: &Plan) -> usize {
    4000_usize
        .div_ceil(plan.sizes.frames.max(1))
        .clamp(plan.sizes.series, plan.sizes.series.max(16))
}

/// Runs of frames, member by member, without their start frames; and the start frames.
fn split(parts: &Parts) -> (Vec<Run>, Vec<Vec<Frame>>) {
    let members = parts.frames.first().map_or(0, Vec::len);
    let of = |member: usize, frames: &[Vec<Frame>]| -> Vec<Frame> {
        frames
            .iter()
            .filter_map(|f| f.get(member).cloned())
            .collect()
    };
    let at = parts.start_frames.min(parts.frames.len());
    let (start, rest) = parts.frames.split_at(at);
    let runs = (0..members)
        .map(|m| Run {
            frames: of(m, rest),
            ..Run::default()
        })
        .collect();
    (runs, (0..members).map(|m| of(m, start)).collect())
}

fn of_box(parts: Parts) -> Truth {
    let (runs, starts) = split(&parts);
    Truth {
        sample: Sample {
            method: Method::TRUTH,
            runs,
            ended: None,
        },
        starts,
        recording: None,
    }
}

fn recorded(engine: &mut Engine, plan: &Plan, tick: Tick<'_>) -> Result<Option<Truth>> {
    // Opening a rollout makes the person's files the engine's world.
    let _ = Lanes::start(engine, &plan.spec(1), plan.settings.guidance.history)?;
    let Some(recording) = engine.world.recording().map(Rc::clone) else {
        return Err(UserError::new(
            format!("The model {} has no recorded days", engine.card.name),
            "its world is not the globe",
            "leave --data out, or use a model of the globe",
        ));
    };
    let mut run = Run {
        breaks: recording.breaks().to_vec(),
        ..Run::default()
    };
    for i in 0..recording.days() {
        run.frames.push(recording.day(i)?);
        run.months.push(month(recording.as_ref(), i));
        if tick("reading the recorded days", i + 1, recording.days()).is_break() {
            return Ok(None);
        }
    }
    Ok(Some(Truth {
        sample: Sample {
            method: Method::TRUTH,
            runs: vec![run],
            ended: None,
        },
        starts: Vec::new(),
        recording: Some(recording),
    }))
}

fn month(recording: &dyn Recording, i: usize) -> usize {
    usize::from(recording.date(i).month.saturating_sub(1)).min(11)
}

/// Whether a lane can be made with the model.
///
/// # Errors
/// Why it cannot.
pub fn can_make(engine: &Engine, plan: &Plan, kind: LaneKind) -> Result<()> {
    let job = Job {
        spec: &plan.spec(1),
        settings: &plan.settings,
        lane: kind,
        frames: 0,
    };
    headless::check_lane(engine, &job)
}

/// Whether the long runs of a lane can be made, or are there where they are to be taken from.
///
/// # Errors
/// Why not.
pub fn available(engine: &Engine, plan: &Plan, kind: LaneKind) -> Result<()> {
    if plan.runs.is_none() {
        return can_make(engine, plan, kind);
    }
    let folder = plan.runs_folder().join(Method::Lane(kind).slug());
    match folder.is_dir() || folder.with_extension("nc").is_file() {
        true => Ok(()),
        false => Err(not_there(&folder, Method::Lane(kind))),
    }
}

/// The long runs of a lane, as many frames of them as the plan asks for. `None` where the work was stopped; what was made
/// is kept.
///
/// # Errors
/// A lane that the model cannot make; files of another recipe, or that cannot be read or written.
pub fn lane(
    engine: &mut Engine,
    plan: &Plan,
    truth: &Truth,
    kind: LaneKind,
    tick: Tick<'_>,
) -> Result<Option<Sample>> {
    let method = Method::Lane(kind);
    let folder = plan.runs_folder().join(method.slug());
    let globe = engine.climate.as_ref().map(|c| c.globe.clone());
    if plan.runs.is_some() {
        return match globe {
            Some(globe) => of_globe(&folder.with_extension("nc"), plan, method, &globe).map(Some),
            None => {
                let parts = Parts::found(&folder)?.ok_or_else(|| not_there(&folder, method))?;
                Ok(Some(of_parts(parts, plan, method)))
            }
        };
    }
    let spec = plan.spec(plan.sizes.series);
    let job = Job {
        spec: &spec,
        settings: &plan.settings,
        lane: kind,
        frames: plan.sizes.frames,
    };
    match globe {
        Some(globe) => globe_lane(engine, plan, &job, &globe, tick),
        None => box_lane(engine, plan, truth, &job, tick),
    }
}

fn not_there(folder: &Path, method: Method) -> UserError {
    UserError::new(
        format!("There are no frames of the method {}", method.label()),
        format!("neither {0} nor {0}.nc holds any", folder.display()),
        "make them with: eddyscope rollout, or leave --runs out",
    )
}

fn of_parts(mut parts: Parts, plan: &Plan, method: Method) -> Sample {
    parts
        .frames
        .truncate(parts.start_frames + plan.sizes.frames);
    Sample {
        method,
        runs: split(&parts).0,
        ended: None,
    }
}

fn box_lane(
    engine: &mut Engine,
    plan: &Plan,
    truth: &Truth,
    job: &Job<'_>,
    tick: Tick<'_>,
) -> Result<Option<Sample>> {
    let method = Method::Lane(job.lane);
    let folder = plan.runs_folder().join(method.slug());
    let members = job.spec.members;
    let recipe = plan.recipe(engine, Some(job.lane), "run", members);
    let mut parts = Parts::open(&folder, &recipe)?;
    let [side, _] = engine.shape();
    let (grid, interval) = (Grid::periodic(side), engine.frame_interval());
    if parts.frames.is_empty() {
        let begun: Frames = (0..HISTORY)
            .map(|i| {
                let runs = truth.starts.iter().take(members);
                runs.filter_map(|s| s.get(i).cloned()).collect()
            })
            .collect();
        if begun.iter().any(|f| f.len() != members) {
            return Err(UserError::new(
                "There are too few runs of truth to start from",
                format!("{members} runs of {HISTORY} start frames are needed"),
                "ask for fewer --series, or make truth anew in another folder (--out)",
            ));
        }
        parts.start_frames = HISTORY;
        parts.frames = begun;
    }
    let made = parts.frames.len().saturating_sub(parts.start_frames);
    let mut ended = None;
    if made < job.frames {
        let next = parts.frames.len();
        let last = &parts.frames[next.saturating_sub(HISTORY)..];
        let mut lanes = Lanes::from_frames(job.spec, parts.start_frames, next, last);
        let outcome = headless::drive(engine, &mut lanes, job, made, &mut |_, step| {
            parts.push(step.members.to_vec(), grid, interval)?;
            Ok(tick(method.label(), step.done, job.frames))
        });
        // What was made is kept, whatever ended it.
        parts.flush(grid, interval)?;
        let outcome = outcome?;
        if outcome.interrupted {
            return Ok(None);
        }
        ended = outcome
            .blow_up
            .map(|(frame, what)| format!("frame {frame}: {what}"));
    }
    let mut sample = of_parts(parts, plan, method);
    sample.ended = ended;
    Ok(Some(sample))
}

/// A recipe without what does not change the frames.
fn essence(recipe: &RunRecipe) -> RunRecipe {
    RunRecipe {
        frames: 0,
        device: String::new(),
        version: String::new(),
        ..recipe.clone()
    }
}

fn globe_lane(
    engine: &mut Engine,
    plan: &Plan,
    job: &Job<'_>,
    globe: &Globe,
    tick: Tick<'_>,
) -> Result<Option<Sample>> {
    let method = Method::Lane(job.lane);
    let path = plan.runs_folder().join(method.slug()).with_extension("nc");
    super::store::create(&plan.runs_folder())?;
    let wanted = job.frames;
    let mut progress = |doing: &str, done: usize| {
        let what = match doing {
            "" => method.label().to_owned(),
            doing => format!("{}, {doing}", method.label()),
        };
        tick(&what, done, wanted)
    };
    let mut ended = None;
    let run = if path.is_file() {
        let resumed = RainStream::open_for_resume(&path, headless_rain::NEEDED)?;
        let begun = headless_rain::recipe_of(&resumed)?;
        let asked = RunRecipe::new(engine, job);
        if essence(&begun) != essence(&asked) {
            let value = |r: &RunRecipe| serde_json::to_value(essence(r)).unwrap_or_default();
            return Err(UserError::new(
                format!("Cannot go on with {}", path.display()),
                super::ledger::difference(&value(&begun), &value(&asked)),
                "name another folder with --out, or give the options that it was begun with",
            ));
        }
        let made = resumed.stream.frames();
        if made >= wanted + resumed.stream.info().start_frames {
            None
        } else {
            Some(headless_rain::go_on(engine, job, resumed, &mut progress)?)
        }
    } else {
        Some(headless_rain::run(engine, job, &path, &mut progress)?)
    };
    if let Some(run) = run {
        if run.outcome.interrupted {
            return Ok(None);
        }
        ended = run
            .outcome
            .blow_up
            .map(|(day, what)| format!("day {day}: {what}"));
    }
    let mut sample = of_globe(&path, plan, method, globe)?;
    sample.ended = ended;
    Ok(Some(sample))
}

/// The runs in a file of daily rain, without start frames and spin-up.
fn of_globe(path: &Path, plan: &Plan, method: Method, globe: &Globe) -> Result<Sample> {
    if !path.is_file() {
        return Err(not_there(&path.with_extension(""), method));
    }
    let paths = [path.to_owned()];
    let guess = Choices {
        guess: true,
        ..Choices::default()
    };
    let members = RainFiles::open(&paths, &guess)?
        .facts()
        .member
        .as_ref()
        .map_or(1, |m| m.1);
    let given = RainStream::open_for_resume(path, 0).map_or(0, |r| r.stream.info().start_frames);
    let mut runs = Vec::with_capacity(members);
    for member in 0..members {
        let choices = Choices {
            member: (members > 1).then_some(member),
            ..guess.clone()
        };
        let days = FileRecording::open(&paths, &choices, globe)?;
        let first = given + plan.sizes.spin_up(true);
        let last = days.days().min(given + plan.sizes.frames);
        let mut run = Run::default();
        for i in first..last {
            if days.breaks().binary_search(&i).is_ok() && i > first {
                run.breaks.push(i - first);
            }
            run.frames.push(days.day(i)?);
            run.months.push(month(&days, i));
        }
        runs.push(run);
    }
    Ok(Sample {
        method,
        runs,
        ended: None,
    })
}
