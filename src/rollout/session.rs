//! What the worker thread does: commands, frames, going back, coming up again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use crate::device::{self, DeviceRequest};
use crate::error::{Result, UserError};
use crate::model::{DEFAULT_MODEL, Model};

use super::branch::{BranchId, Forgotten};
use super::engine::Engine;
use super::frame::{DenoisingTrace, FrameSet, LaneFrame};
use super::lanes::Lanes;
use super::protocol::{Archive, Command, Event, Versioned};
use super::recorder::{Made, Recorder};
use super::replay::Replay;
use super::sampled::{FrameInProgress, forecaster_frame};
use super::session_tree::Resting;
use super::settings::{LANES, LaneKind, RolloutSpec, Settings};
use super::spill::Budget;
use super::worker::{Shared, WorkerOptions};
use super::world::World;

/// Weight of the newest frame in the shown frame rate.
const RATE_WEIGHT: f64 = 0.2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Paused,
    Running,
    Steps(usize),
}

/// The worker's state.
pub(super) struct Session<'a> {
    pub(super) shared: &'a Shared,
    pub(super) options: &'a WorkerOptions,
    pub(super) engine: Engine,
    pub(super) lanes: Lanes,
    pub(super) recorder: Recorder,
    pub(super) mode: Mode,
    pub(super) current: Option<Current>,
    pub(super) stopped: [bool; LANES],
    pub(super) frame_seconds: Option<f64>,
    /// When the next frame may begin, in a world that is made faster than it can be looked at.
    pub(super) not_before: Option<Instant>,
    checked_generation: u64,
    /// The recipe that is followed, if one is.
    pub(super) replay: Option<Replay>,
    /// What branches that rest need to go on; one that is missing here is made again from its frames.
    pub(super) resting: BTreeMap<BranchId, Resting>,
    /// Branches that were forgotten, the last one at the end.
    pub(super) forgotten: Vec<Forgotten>,
    /// Number of the next branch.
    pub(super) next_branch: BranchId,
    /// Disk space of all branches together.
    pub(super) disk: Arc<Budget>,
    /// Older frames could not be written to disk: they are dropped from there on.
    pub(super) disk_failed: bool,
}

/// The frame being made.
pub(super) struct Current {
    sampled: Option<FrameInProgress>,
    /// The settings so far, each with the step that it acted on first.
    steps: Vec<(usize, Arc<Settings>)>,
    /// Seconds spent on it so far, pauses not counted.
    seconds: f64,
}

impl Current {
    /// Solver steps done.
    pub(super) fn step(&self) -> usize {
        self.sampled.as_ref().map_or(0, |s| s.progress().0)
    }

    /// Notes the settings of the next step, if they are others than before.
    fn note(&mut self, settings: &Arc<Settings>) {
        if self.steps.last().is_none_or(|(_, s)| s != settings) {
            self.steps.push((self.step(), Arc::clone(settings)));
        }
    }
}

impl<'a> Session<'a> {
    /// Runs until the window goes.
    ///
    /// # Errors
    /// A model or device that cannot be used.
    pub(super) fn run(
        shared: &'a Shared,
        options: &'a WorkerOptions,
        spec: RolloutSpec,
        commands: &Receiver<Command>,
    ) -> Result<()> {
        let say = |text: &str| shared.update_progress(|p| p.activity = text.into());
        say("loading the model");
        let model = Model::open(options.model.as_deref().unwrap_or(DEFAULT_MODEL))?;
        say("choosing the device");
        // Without networks there is nothing for a GPU to do.
        let compute = device::select(match model.card.closed_form {
            Some(_) => DeviceRequest::Cpu,
            None => options.device,
        })?;
        if compute.is_gpu {
            say("compiling kernels for the GPU");
        }
        let mut engine = Engine::new(&model, compute)?;
        // Before the window draws them with this model's facts.
        let [ny, nx] = engine.shape();
        let taken_up = options.resume.as_ref();
        let taken_up = taken_up.filter(|a| a.fits((ny, nx), spec.members));
        if taken_up.is_none() && options.resume.is_some() {
            shared.update_archive(|a| {
                *a = Archive {
                    epoch: a.epoch + 1,
                    ..Archive::default()
                };
            });
            shared.event(Event::Error {
                error: UserError::new(
                    "Cannot go on with these frames",
                    format!(
                        "they are of another grid or of other members than the model {} and its rollout",
                        engine.card.name
                    ),
                    "open the model that made them, then the file again",
                ),
                fatal: false,
            });
        }
        if options.suggest {
            shared.take_suggestions(&engine.card);
        }
        shared.event(Event::Started(Arc::new(engine.facts())));
        say(starting(&engine));
        let m = shared.settings().settings.guidance.history;
        let (lanes, first_error) = match Lanes::start(&mut engine, &spec, m) {
            Ok(lanes) => (lanes, None),
            Err(e) if spec.start_file.is_some() || spec.start_date.is_some() => {
                let plain = RolloutSpec {
                    seed: spec.seed,
                    members: spec.members,
                    ..RolloutSpec::default()
                };
                (Lanes::start(&mut engine, &plain, m)?, Some(e))
            }
            Err(e) => return Err(e),
        };
        if (engine.climate.is_some() && lanes.spec.start_file.is_some())
            || engine.card.closed_form.is_some()
        {
            // With the name and dates of the files, or the parameters asked for.
            shared.event(Event::Started(Arc::new(engine.facts())));
        }
        if let Some(error) = first_error {
            shared.event(Event::Error {
                error,
                fatal: false,
            });
        }
        let mut session = Self {
            shared,
            options,
            recorder: Recorder::new(&engine),
            engine,
            lanes,
            mode: Mode::Paused,
            current: None,
            stopped: [false; LANES],
            frame_seconds: None,
            not_before: None,
            checked_generation: 0,
            replay: None,
            resting: BTreeMap::new(),
            forgotten: Vec::new(),
            next_branch: 1,
            disk: Budget::new(options.disk_mib as u64 * 1024 * 1024),
            disk_failed: false,
        };
        session.publish_start();
        if let Some(archive) = taken_up {
            session.resume(archive);
        }
        session.idle_line();
        while !shared.quit() {
            if !session.take_commands(commands) {
                return Ok(());
            }
            if session.mode != Mode::Paused
                && let Err(error) = session.advance()
            {
                session.mode = Mode::Paused;
                session.current = None;
                shared.event(Event::Error {
                    error,
                    fatal: false,
                });
                session.idle_line();
            }
        }
        Ok(())
    }

    pub(super) fn restart(&mut self, spec: &RolloutSpec) {
        let line = starting(&self.engine);
        self.shared.update_progress(|p| p.activity = line.into());
        let m = self.shared.settings().settings.guidance.history;
        match Lanes::start(&mut self.engine, spec, m) {
            Ok(lanes) => {
                self.replay = None;
                self.lanes = lanes;
                self.recorder = Recorder::new(&self.engine);
                self.current = None;
                self.stopped = [false; LANES];
                self.resting.clear();
                self.forgotten.clear();
                self.next_branch = 1;
                self.disk_failed = false;
                if self.engine.climate.is_some() || self.engine.card.closed_form.is_some() {
                    // The recording or the parameters may be others now.
                    let facts = Arc::new(self.engine.facts());
                    self.shared.event(Event::Started(facts));
                }
                self.publish_start();
            }
            // The rollout on screen survives.
            Err(error) => self.shared.event(Event::Error {
                error,
                fatal: false,
            }),
        }
        self.idle_line();
    }

    pub(super) fn switch_lane(&mut self, kind: LaneKind, on: bool) {
        if on != self.lanes.is_on(kind) {
            self.lanes.switch(kind, on);
            if on {
                self.recorder.begin_lane(kind, self.lanes.last(kind));
            }
            self.stopped[kind.index()] = false;
        }
    }

    /// One solver step, or the end of a frame.
    fn advance(&mut self) -> Result<()> {
        let version = self.in_force();
        if version.generation != self.checked_generation {
            version.settings.validate()?;
            self.checked_generation = version.generation;
        }
        let began = Instant::now();
        let mut current = match self.current.take() {
            Some(c) => c,
            None => self.begin(&version)?,
        };
        current.note(&version.settings);
        let Some(frame) = &mut current.sampled else {
            return self.finish(current, &version, began);
        };
        if frame.is_done() {
            return self.finish(current, &version, began);
        }
        frame.step(&self.engine, &self.lanes, &version.settings)?;
        let step = frame.progress();
        let line = self.sampling();
        self.shared.update_progress(|p| {
            p.activity = line;
            p.step = step;
            p.running = true;
            p.applied_generation = version.generation;
        });
        current.seconds += began.elapsed().as_secs_f64();
        self.current = Some(current);
        Ok(())
    }

    fn begin(&mut self, version: &Versioned) -> Result<Current> {
        if self.options.panic_at_frame == Some(self.lanes.next) {
            panic!("asked to fail at frame {}", self.lanes.next);
        }
        let wanted = version.settings.lanes;
        for kind in LaneKind::ALL {
            if kind != LaneKind::Truth {
                let there = !kind.is_video() || self.engine.video.is_some();
                self.switch_lane(kind, wanted[kind.index()] && there);
            }
        }
        let kinds: Vec<LaneKind> = LaneKind::SAMPLED
            .into_iter()
            .filter(|k| !self.stopped[k.index()])
            .collect();
        let sampled =
            FrameInProgress::begin(&self.engine, &self.lanes, &kinds, &version.settings, true);
        let control =
            self.lanes.is_on(LaneKind::Forecaster) && !self.stopped[LaneKind::Forecaster.index()];
        if sampled.is_none() && !control && self.stopped.iter().any(|s| *s) {
            return Err(UserError::new(
                "No lane is left to go on with",
                "every sampled lane was stopped because it blew up",
                "go back to the frame before, and use a smaller guidance strength",
            ));
        }
        Ok(Current {
            sampled,
            steps: Vec::new(),
            seconds: 0.0,
        })
    }

    fn finish(&mut self, current: Current, version: &Versioned, began: Instant) -> Result<()> {
        let mut lanes: [Option<LaneFrame>; LANES] = [const { None }; LANES];
        let index = self.lanes.next;
        let date = self.lanes.date(index);
        // What can fail comes before truth goes on, and truth's own failure leaves it where it was: all lanes or none
        // have the frame.
        let control = LaneKind::Forecaster;
        let forecast = match self.lanes.is_on(control) && !self.stopped[control.index()] {
            true => Some(forecaster_frame(
                &self.engine,
                &self.lanes,
                &version.settings,
            )?),
            false => None,
        };
        let truth = self.lanes.next_truth(&mut self.engine)?;
        if self.shared.watches_pairs() {
            let (engine, lanes) = (&self.engine, &self.lanes);
            self.recorder
                .judge_pair(engine, lanes, &truth.members, &version.settings);
        }
        let made_now = |kind, members, trace| Made {
            kind,
            index,
            members,
            trace,
            date,
            recorded: None,
            settings: Arc::clone(&version.settings),
        };
        let mut made = vec![Made {
            recorded: truth.recorded,
            ..made_now(LaneKind::Truth, truth.members, DenoisingTrace::default())
        }];
        if let Some(frame) = current.sampled {
            for lane in frame.finish(&self.engine) {
                made.push(made_now(lane.kind, lane.members, lane.trace));
            }
        }
        if let Some(members) = forecast {
            made.push(made_now(control, members, DenoisingTrace::default()));
        }
        let mut blown = Vec::new();
        for one in made {
            let (kind, members) = (one.kind, one.members.clone());
            let (frame, blow_up) = self.recorder.generated(&mut self.engine, one);
            self.lanes.push(kind, members);
            lanes[kind.index()] = Some(frame);
            if let Some(b) = blow_up {
                self.stopped[kind.index()] = true;
                blown.push((kind, b.what));
            }
        }
        let seconds = current.seconds + began.elapsed().as_secs_f64();
        let set = Arc::new(FrameSet {
            index,
            time: self.time(index),
            date,
            lanes,
            edited: [false; LANES],
            settings: Arc::clone(&version.settings),
            steps: match current.steps.len() {
                0 | 1 => Vec::new(),
                _ => current.steps,
            },
            generation: version.generation,
            seconds,
        });
        self.lanes.advance();
        self.keep(set);
        let mean = self
            .frame_seconds
            .map_or(seconds, |m| m + RATE_WEIGHT * (seconds - m));
        self.frame_seconds = Some(mean);
        self.mode = match self.mode {
            Mode::Steps(n) if n > 1 => Mode::Steps(n - 1),
            Mode::Steps(_) => Mode::Paused,
            other => other,
        };
        self.shared
            .update_progress(|p| p.frames_per_second = 1.0 / mean.max(1e-9));
        self.idle_line();
        if self.engine.card.closed_form.is_some() && self.mode == Mode::Running {
            // Without networks frames come faster than they can be looked at.
            self.not_before = Some(began + self.shared.pace());
        }
        for (lane, what) in blown {
            self.shared.event(Event::BlowUp {
                lane,
                frame: index,
                what,
            });
        }
        Ok(())
    }
}

/// What the status bar says while a start is made.
fn starting(engine: &Engine) -> &'static str {
    match engine.world {
        World::Solver(_) => "simulating the start",
        World::Recorded(_) => "reading the start",
        World::Process(_) => "drawing the start",
    }
}
