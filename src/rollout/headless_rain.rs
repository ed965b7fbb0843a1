//! A rollout of daily rain to a file that grows day by day: any length in constant memory, and a run that was stopped
//! in any way goes on from its file bit for bit.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use crate::data::rain_stream::{RainStream, RainStreamInfo, Resumed};
use crate::error::{Result, UserError};
use crate::metrics::rain::zonal_spectrum_error;

use super::engine::{Engine, HISTORY};
use super::frame::LaneDiagnostics;
use super::headless::{Job, Outcome, RunRecipe, check_lane, drive};
use super::lanes::{Lanes, WrittenRun};
use super::rain::RainLane;

/// A finished (or stopped) run of rain; its days are in the file.
pub struct RainRun {
    /// Generated days in the file.
    pub days: usize,
    /// Of this sitting.
    pub outcome: Outcome,
    /// Over all generated days in the file.
    pub figures: LaneDiagnostics,
    /// `mean |log10(run / truth)|` of the zonal power, wavenumbers 1..=40.
    pub spectrum_error: f64,
    /// Share of the cells with at least 0.1 mm/day, each counting 1.
    pub wet_cells: f64,
}

/// What a run on its way tells: what is done, and how far it is. May stop the run.
pub type Progress<'a> = &'a mut dyn FnMut(&str, usize) -> ControlFlow<()>;

/// An open run.
struct Run<'a, 'b> {
    job: &'a Job<'a>,
    file: RainStream,
    figures: RainLane,
    progress: Progress<'b>,
}

/// Begins a file at `path` and makes the days of a job.
///
/// # Errors
/// Settings out of range, a start that is not in the recording, a place that cannot be written, a full disk (the days
/// before are kept).
pub fn run(
    engine: &mut Engine,
    job: &Job<'_>,
    path: &Path,
    progress: Progress<'_>,
) -> Result<RainRun> {
    let recipe = serde_json::to_string(&RunRecipe::new(engine, job)).ok();
    begin(engine, job, path, recipe, progress)
}

fn begin(
    engine: &mut Engine,
    job: &Job<'_>,
    path: &Path,
    recipe: Option<String>,
    progress: Progress<'_>,
) -> Result<RainRun> {
    job.settings.validate()?;
    check_lane(engine, job)?;
    let lanes = Lanes::start(engine, job.spec, job.settings.guidance.history)?;
    let (Some(days), Some(figures)) = (lanes.days(), lane(engine, job)) else {
        return Err(not_the_globe(engine));
    };
    let info = RainStreamInfo {
        globe: engine
            .world
            .recording()
            .map(|r| r.globe().clone())
            .ok_or_else(|| not_the_globe(engine))?,
        members: job.spec.members,
        calendar: days.calendar(),
        first: days.date(0),
        start_frames: lanes.start_frames,
        title: format!("daily precipitation made by the model {}", engine.card.name),
        history: format!("eddyscope {}: rollout", env!("CARGO_PKG_VERSION")),
        recipe,
    };
    let mut run = Run {
        file: RainStream::create(path, &info)?,
        job,
        figures,
        progress,
    };
    for members in lanes.start_history(job.lane) {
        run.file.append(&members.concat())?;
    }
    run.make(engine, lanes, 0)
}

/// The recipe that an opened file carries.
///
/// # Errors
/// A file without one that this version understands.
pub fn recipe_of(resumed: &Resumed) -> Result<RunRecipe> {
    let cannot = |cause: String| {
        UserError::new(
            format!("Cannot go on with {}", resumed.stream.path().display()),
            cause,
            "resume from a file that `eddyscope rollout` has written, or begin a new one without --resume",
        )
    };
    let Some(text) = &resumed.stream.info().recipe else {
        return Err(cannot("it carries no recipe".into()));
    };
    serde_json::from_str(text).map_err(|e| cannot(format!("its recipe is not understood: {e}")))
}

/// Goes on with an opened file until it holds the days of the job, which must be the one of its recipe.
///
/// # Errors
/// As [`run`]; another model than the one that began it.
pub fn go_on(
    engine: &mut Engine,
    job: &Job<'_>,
    resumed: Resumed,
    progress: Progress<'_>,
) -> Result<RainRun> {
    job.settings.validate()?;
    let Resumed { stream: file, last } = resumed;
    let info = file.info().clone();
    if file.frames() < info.start_frames || file.frames() == 0 {
        // It was stopped before anything was made.
        let path = file.path().to_owned();
        drop(file);
        return begin(engine, job, &path, info.recipe, progress);
    }
    let cells = info.globe.len();
    if cells != engine.cells() {
        return Err(not_the_globe(engine));
    }
    let split = |frame: &Vec<f32>| -> Vec<Arc<[f32]>> {
        frame.chunks_exact(cells).map(Arc::from).collect()
    };
    let written = WrittenRun {
        start_frames: info.start_frames,
        calendar: info.calendar,
        first: info.first,
        frames: file.frames(),
        last: last.iter().map(split).collect(),
    };
    let lanes = Lanes::resume(engine, job.spec, job.lane, &written)?;
    let mut run = Run {
        figures: lane(engine, job).ok_or_else(|| not_the_globe(engine))?,
        file,
        job,
        progress,
    };
    // The figures are of all days: they are read off the file again.
    for i in info.start_frames..run.file.frames() {
        let members = split(&run.file.frame(i)?);
        run.figures.add(&members, i, run.file.date(i));
        let done = i + 1 - info.start_frames;
        if (run.progress)("reading the days made before", done).is_break() {
            let outcome = Outcome {
                interrupted: true,
                ..Outcome::default()
            };
            return Ok(run.end(engine, outcome));
        }
    }
    let made = run.file.frames() - info.start_frames;
    run.make(engine, lanes, made)
}

/// Frames that a resumed run needs from its file.
pub const NEEDED: usize = HISTORY;

impl Run<'_, '_> {
    fn make(mut self, engine: &mut Engine, mut lanes: Lanes, made: usize) -> Result<RainRun> {
        let outcome = drive(engine, &mut lanes, self.job, made, &mut |_, step| {
            self.file.append(&step.members.concat())?;
            let date = self.file.date(step.index);
            self.figures.add(step.members, step.index, date);
            Ok((self.progress)("", step.done))
        })?;
        self.file.sync()?;
        Ok(self.end(engine, outcome))
    }

    fn end(self, engine: &Engine, outcome: Outcome) -> RainRun {
        let truth = &engine.card.truth;
        let summary = self.figures.summary();
        RainRun {
            days: summary.days,
            outcome,
            figures: self.figures.figures(truth.std),
            spectrum_error: zonal_spectrum_error(&summary.spectrum, &truth.spectrum)
                .unwrap_or(f64::NAN),
            wet_cells: summary.wet_cells,
        }
    }
}

fn lane(engine: &Engine, job: &Job<'_>) -> Option<RainLane> {
    let climate = engine.climate.as_ref()?;
    Some(RainLane::new(climate, job.lane))
}

fn not_the_globe(engine: &Engine) -> UserError {
    UserError::new(
        format!(
            "The model {} makes no daily rain on this grid",
            engine.card.name
        ),
        "the run is one of days on the globe",
        "use the model that the run was begun with",
    )
}
