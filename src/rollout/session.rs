//! What the worker thread does: commands, frames, going back, coming up again.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Instant;

use crate::device;
use crate::error::{Result, UserError};
use crate::model::{DEFAULT_MODEL, Model};

use super::engine::Engine;
use super::frame::{DenoisingTrace, FrameSet, LaneFrame};
use super::lanes::Lanes;
use super::protocol::{Archive, Command, Event, Versioned};
use super::recorder::{Made, Recorder};
use super::sampled::{FrameInProgress, forecaster_frame};
use super::settings::{LaneKind, RolloutSpec};
use super::spill::OnDisk;
use super::worker::{Shared, WorkerOptions};
use super::world::World;

/// Weight of the newest frame in the shown frame rate.
const RATE_WEIGHT: f64 = 0.2;

/// Frames that stay in memory whatever the limit: more than any lag or history looks back.
const KEPT_AT_LEAST: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Paused,
    Running,
    Steps(usize),
}

/// The worker's state.
pub(super) struct Session<'a> {
    shared: &'a Shared,
    options: &'a WorkerOptions,
    engine: Engine,
    lanes: Lanes,
    recorder: Recorder,
    mode: Mode,
    current: Option<Current>,
    stopped: [bool; 4],
    frame_seconds: Option<f64>,
    checked_generation: u64,
    /// Older frames could not be written to disk: they are dropped from there on.
    disk_failed: bool,
}

/// The frame being made.
struct Current {
    sampled: Option<FrameInProgress>,
    /// Seconds spent on it so far, pauses not counted.
    seconds: f64,
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
        let compute = device::select(options.device)?;
        if compute.is_gpu {
            say("compiling kernels for the GPU");
        }
        let mut engine = Engine::new(&model, compute)?;
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
        if engine.climate.is_some() && lanes.spec.start_file.is_some() {
            // With the name and dates of the files.
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
            stopped: [false; 4],
            frame_seconds: None,
            checked_generation: 0,
            disk_failed: false,
        };
        session.publish_start();
        if let Some(archive) = &options.resume {
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

    /// Handles what is waiting; while paused, waits (without using the CPU). `false` when the window has gone.
    fn take_commands(&mut self, commands: &Receiver<Command>) -> bool {
        loop {
            let command = if self.mode == Mode::Paused {
                match commands.recv() {
                    Ok(c) => c,
                    Err(_) => return false,
                }
            } else {
                match commands.try_recv() {
                    Ok(c) => c,
                    Err(TryRecvError::Empty) => return true,
                    Err(TryRecvError::Disconnected) => return false,
                }
            };
            match command {
                Command::Run => self.mode = Mode::Running,
                Command::Pause => {
                    // The frame in progress waits where it is and goes on at the next Run.
                    self.mode = Mode::Paused;
                    self.idle_line();
                }
                Command::Step(n) if n > 0 => self.mode = Mode::Steps(n),
                Command::Step(_) => {}
                Command::Restart(spec) => self.restart(&spec),
                Command::TruncateTo(index) => self.truncate(index),
            }
            if self.shared.quit() {
                return false;
            }
        }
    }

    fn idle_line(&self) {
        let next = self.lanes.next;
        let text = match self.mode {
            Mode::Paused => format!("paused at frame {}", next.saturating_sub(1)),
            _ => format!("sampling frame {next}"),
        };
        let (running, stopped) = (self.mode != Mode::Paused, self.stopped);
        self.shared.update_progress(|p| {
            p.activity = text;
            p.running = running;
            p.stopped = stopped;
            if !running {
                p.step = (0, 0);
            }
        });
    }

    fn restart(&mut self, spec: &RolloutSpec) {
        let line = starting(&self.engine);
        self.shared.update_progress(|p| p.activity = line.into());
        let m = self.shared.settings().settings.guidance.history;
        match Lanes::start(&mut self.engine, spec, m) {
            Ok(lanes) => {
                self.lanes = lanes;
                self.recorder = Recorder::new(&self.engine);
                self.current = None;
                self.stopped = [false; 4];
                self.disk_failed = false;
                if self.engine.climate.is_some() {
                    // The recording may be another one now.
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

    /// Time of a frame, 0 at the last start frame.
    fn time(&self, index: usize) -> f64 {
        (index as f64 + 1.0 - self.lanes.start_frames as f64) * self.engine.frame_interval()
    }

    /// Puts the start frames into the archive under a new epoch.
    fn publish_start(&mut self) {
        let starts: [_; 4] = LaneKind::ALL.map(|k| self.lanes.start_history(k));
        let version = self.shared.settings();
        let count = self.lanes.start_frames;
        let mut frames = Vec::with_capacity(count);
        for index in 0..count {
            let date = self.lanes.date(index);
            let lanes = LaneKind::ALL.map(|kind| {
                let made = Made {
                    kind,
                    index,
                    members: starts[kind.index()].get(index)?.clone(),
                    trace: DenoisingTrace::default(),
                    date,
                    recorded: date.filter(|_| kind == LaneKind::Truth),
                };
                Some(self.recorder.start(&self.engine, made))
            });
            frames.push(Arc::new(FrameSet {
                index,
                time: self.time(index),
                date,
                lanes,
                settings: Arc::clone(&version.settings),
                generation: version.generation,
                seconds: 0.0,
            }));
        }
        let diagnostics = self.recorder.figures(self.engine.card.truth.std);
        self.shared.update_archive(|a| {
            *a = Archive {
                frames,
                on_disk: OnDisk::default(),
                diagnostics,
                epoch: a.epoch + 1,
            };
        });
    }

    /// Takes up a rollout that an earlier thread had made: the frames are kept as they are, the figures and the truth
    /// lane's state are made again from them.
    fn resume(&mut self, archive: &Archive) {
        let first = self.lanes.start_frames;
        let Some(end) = archive.frames.last().map(|f| f.index + 1) else {
            return;
        };
        let begin = archive.oldest().max(first);
        if end <= begin {
            return;
        }
        self.shared
            .update_progress(|p| p.activity = "taking up the frames made before".into());
        for set in (begin..end).filter_map(|i| archive.load(i)) {
            for kind in LaneKind::ALL {
                match &set.lanes[kind.index()] {
                    Some(lane) => {
                        if !self.lanes.is_on(kind) {
                            self.switch_lane(kind, true);
                        }
                        let made = Made {
                            kind,
                            index: set.index,
                            members: lane.members.clone(),
                            trace: DenoisingTrace::default(),
                            date: set.date,
                            recorded: lane.recorded,
                        };
                        self.recorder.generated(&mut self.engine, made);
                        self.lanes.push(kind, lane.members.clone());
                    }
                    None => self.lanes.switch(kind, false),
                }
            }
        }
        while self.lanes.next < end {
            // Recorded days need no state: one that cannot be read is told of when it is shown.
            let _ = self.lanes.next_truth(&mut self.engine);
            self.lanes.advance();
        }
        let diagnostics = self.recorder.figures(self.engine.card.truth.std);
        self.shared.update_archive(|a| {
            a.diagnostics = diagnostics;
            a.on_disk = archive.on_disk.clone();
            let kept = archive.frames.iter().filter(|f| f.index >= first).cloned();
            let kept: Vec<_> = kept.collect();
            if kept.first().is_none_or(|f| f.index > first) {
                // Older ones lie on disk, or are gone.
                a.frames.clear();
            } else {
                a.frames.retain(|f| f.index < first);
            }
            a.frames.extend(kept);
        });
    }

    /// Drops all frames after `index`.
    fn truncate(&mut self, index: usize) {
        self.current = None;
        let next = (index + 1).clamp(self.lanes.start_frames, self.lanes.next);
        let before = self.shared.with_archive(Archive::clone);
        let members = |kind: LaneKind, frame: usize| {
            let set = before.load(frame)?;
            set.lanes[kind.index()].as_ref().map(|l| l.members.clone())
        };
        self.lanes.go_back(&mut self.engine, next, &members);
        self.recorder
            .go_back(&|f| before.load(f), self.lanes.start_frames, next);
        self.stopped = [false; 4];
        let diagnostics = self.recorder.figures(self.engine.card.truth.std);
        self.shared.update_archive(|a| {
            a.go_back(next, KEPT_AT_LEAST);
            a.diagnostics = diagnostics;
        });
        self.idle_line();
    }

    fn switch_lane(&mut self, kind: LaneKind, on: bool) {
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
        let version = self.shared.settings();
        if version.generation != self.checked_generation {
            version.settings.validate()?;
            self.checked_generation = version.generation;
        }
        let began = Instant::now();
        let mut current = match self.current.take() {
            Some(c) => c,
            None => self.begin(&version)?,
        };
        let Some(frame) = &mut current.sampled else {
            return self.finish(current, &version, began);
        };
        if frame.is_done() {
            return self.finish(current, &version, began);
        }
        frame.step(&self.engine, &self.lanes, &version.settings)?;
        let step = frame.progress();
        let line = format!("sampling frame {}", self.lanes.next);
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
        for kind in [
            LaneKind::Unconditional,
            LaneKind::Guided,
            LaneKind::Forecaster,
        ] {
            self.switch_lane(kind, wanted[kind.index()]);
        }
        let kinds: Vec<LaneKind> = [LaneKind::Unconditional, LaneKind::Guided]
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
            seconds: 0.0,
        })
    }

    fn finish(&mut self, current: Current, version: &Versioned, began: Instant) -> Result<()> {
        let mut lanes: [Option<LaneFrame>; 4] = [None, None, None, None];
        let index = self.lanes.next;
        let date = self.lanes.date(index);
        let truth = self.lanes.next_truth(&mut self.engine)?;
        let made_now = |kind, members, trace| Made {
            kind,
            index,
            members,
            trace,
            date,
            recorded: None,
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
        let control = LaneKind::Forecaster;
        if self.lanes.is_on(control) && !self.stopped[control.index()] {
            let members = forecaster_frame(&self.engine, &self.lanes, &version.settings)?;
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
            settings: Arc::clone(&version.settings),
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
        for (lane, what) in blown {
            self.shared.event(Event::BlowUp {
                lane,
                frame: index,
                what,
            });
        }
        Ok(())
    }

    /// Puts a finished frame into the archive; what no longer fits into memory goes to disk.
    fn keep(&mut self, set: Arc<FrameSet>) {
        let diagnostics = self.recorder.figures(self.engine.card.truth.std);
        let keep = self.frames_kept();
        let older: Vec<_> = self.shared.with_archive(|a| {
            let drop = (a.frames.len() + 1).saturating_sub(keep);
            a.frames.iter().take(drop).cloned().collect()
        });
        let mut on_disk = self.shared.with_archive(|a| a.on_disk.clone());
        for frame in &older {
            if !self.disk_failed
                && let Err(e) = put_on_disk(&mut on_disk, frame, self.options)
            {
                self.disk_failed = true;
                self.shared.event(Event::Error {
                    error: UserError::new(
                        "Older frames are no longer kept",
                        format!("they do not fit into memory, nor on disk: {e}"),
                        "free some disk space before the next rollout, or write long ones to a file: eddyscope rollout",
                    ),
                    fatal: false,
                });
            }
        }
        self.shared.update_archive(|a| {
            a.frames.drain(..older.len());
            a.frames.push(set);
            a.on_disk = on_disk;
            a.diagnostics = diagnostics;
        });
    }

    /// Number of frame sets that fit the memory limit.
    fn frames_kept(&self) -> usize {
        if let Some(frames) = self.options.frames_in_memory {
            return frames.max(KEPT_AT_LEAST);
        }
        let lanes = LaneKind::ALL
            .iter()
            .filter(|k| self.lanes.is_on(**k))
            .count();
        let bytes = lanes.max(1) * self.lanes.spec.members * self.engine.cells() * size_of::<f32>();
        (self.options.memory_mib.max(16) * 1024 * 1024 / bytes).max(64)
    }
}

/// What the status bar says while a start is made.
fn starting(engine: &Engine) -> &'static str {
    match engine.world {
        World::Solver(_) => "simulating the start",
        World::Recorded(_) => "reading the start",
    }
}

fn put_on_disk(
    on_disk: &mut OnDisk,
    frame: &FrameSet,
    options: &WorkerOptions,
) -> std::io::Result<()> {
    if !on_disk.exists() {
        let folder = options.disk_folder.clone().unwrap_or_else(OnDisk::folder);
        *on_disk = OnDisk::create(&folder, options.disk_mib as u64 * 1024 * 1024)?;
    }
    on_disk.push(frame)
}
