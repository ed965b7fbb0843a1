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
use super::recorder::Recorder;
use super::sampled::{FrameInProgress, forecaster_frame};
use super::settings::{LaneKind, RolloutSpec};
use super::worker::{Shared, WorkerOptions};

/// Weight of the newest frame in the shown frame rate.
const RATE_WEIGHT: f64 = 0.2;

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
        say("simulating the start");
        let m = shared.settings().settings.guidance.history;
        let (lanes, first_error) = match Lanes::start(&mut engine, &spec, m) {
            Ok(lanes) => (lanes, None),
            Err(e) if spec.start_file.is_some() => {
                let plain = RolloutSpec {
                    start_file: None,
                    ..spec
                };
                (Lanes::start(&mut engine, &plain, m)?, Some(e))
            }
            Err(e) => return Err(e),
        };
        if let Some(error) = first_error {
            shared.event(Event::Error {
                error,
                fatal: false,
            });
        }
        let mut session = Self {
            shared,
            options,
            engine,
            lanes,
            recorder: Recorder::default(),
            mode: Mode::Paused,
            current: None,
            stopped: [false; 4],
            frame_seconds: None,
            checked_generation: 0,
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
        self.shared
            .update_progress(|p| p.activity = "simulating the start".into());
        let m = self.shared.settings().settings.guidance.history;
        match Lanes::start(&mut self.engine, spec, m) {
            Ok(lanes) => {
                self.lanes = lanes;
                self.recorder = Recorder::default();
                self.current = None;
                self.stopped = [false; 4];
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

    /// Puts the start frames into the archive under a new epoch.
    fn publish_start(&mut self) {
        let nx = self.engine.side();
        let interval = self.engine.solver.params().frame_interval();
        let starts: [_; 4] = LaneKind::ALL.map(|k| self.lanes.start_history(k));
        let version = self.shared.settings();
        let count = self.lanes.start_frames;
        let mut frames = Vec::with_capacity(count);
        for index in 0..count {
            let lanes = std::array::from_fn(|i| {
                let members = starts[i].get(index)?;
                Some(self.recorder.start(LaneKind::ALL[i], members, nx))
            });
            frames.push(Arc::new(FrameSet {
                index,
                time: (index as f64 + 1.0 - count as f64) * interval,
                date: None,
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
                diagnostics,
                epoch: a.epoch + 1,
            };
        });
    }

    /// Takes up a rollout that an earlier thread had made: the frames are kept as they are, the figures and the true
    /// solver's state are made again from them.
    fn resume(&mut self, archive: &Archive) {
        let first = self.lanes.start_frames;
        let kept: Vec<_> = archive
            .frames
            .iter()
            .filter(|f| f.index >= first)
            .cloned()
            .collect();
        let Some(end) = kept.last().map(|f| f.index + 1) else {
            return;
        };
        self.shared
            .update_progress(|p| p.activity = "taking up the frames made before".into());
        for set in &kept {
            for kind in LaneKind::ALL {
                match &set.lanes[kind.index()] {
                    Some(lane) => {
                        if !self.lanes.is_on(kind) {
                            self.switch_lane(kind, true);
                        }
                        self.recorder.generated(
                            &mut self.engine,
                            kind,
                            lane.members.clone(),
                            DenoisingTrace::default(),
                        );
                        self.lanes.push(kind, lane.members.clone());
                    }
                    None => self.lanes.switch(kind, false),
                }
            }
        }
        while self.lanes.next < end {
            self.lanes.next_truth(&mut self.engine);
            self.lanes.advance();
        }
        let diagnostics = self.recorder.figures(self.engine.card.truth.std);
        self.shared.update_archive(|a| {
            a.frames.retain(|f| f.index < first);
            a.frames.extend(kept);
            a.diagnostics = diagnostics;
        });
    }

    /// Drops all frames after `index`.
    fn truncate(&mut self, index: usize) {
        self.current = None;
        let next = (index + 1).clamp(self.lanes.start_frames, self.lanes.next);
        self.shared
            .update_archive(|a| a.frames.retain(|f| f.index < next));
        let kept = self.shared.with_archive(|a| a.frames.clone());
        let first = kept.first().map_or(0, |f| f.index);
        let members = |kind: LaneKind, frame: usize| {
            let set = kept.get(frame.checked_sub(first)?)?;
            set.lanes[kind.index()].as_ref().map(|l| l.members.clone())
        };
        self.lanes.go_back(&mut self.engine, next, &members);
        self.recorder.go_back(&kept, self.lanes.start_frames, next);
        self.stopped = [false; 4];
        let diagnostics = self.recorder.figures(self.engine.card.truth.std);
        self.shared.update_archive(|a| a.diagnostics = diagnostics);
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
        let mut made = vec![(
            LaneKind::Truth,
            self.lanes.next_truth(&mut self.engine),
            DenoisingTrace::default(),
        )];
        if let Some(frame) = current.sampled {
            for lane in frame.finish(&self.engine) {
                made.push((lane.kind, lane.members, lane.trace));
            }
        }
        let control = LaneKind::Forecaster;
        if self.lanes.is_on(control) && !self.stopped[control.index()] {
            let m = version.settings.guidance.history;
            let members = forecaster_frame(&self.engine, &self.lanes, m)?;
            made.push((control, members, DenoisingTrace::default()));
        }
        let index = self.lanes.next;
        let mut blown = Vec::new();
        for (kind, members, trace) in made {
            let (frame, blow_up) =
                self.recorder
                    .generated(&mut self.engine, kind, members.clone(), trace);
            self.lanes.push(kind, members);
            lanes[kind.index()] = Some(frame);
            if let Some(b) = blow_up {
                self.stopped[kind.index()] = true;
                blown.push((kind, b.what));
            }
        }
        let interval = self.engine.solver.params().frame_interval();
        let seconds = current.seconds + began.elapsed().as_secs_f64();
        let set = Arc::new(FrameSet {
            index,
            time: (index as f64 + 1.0 - self.lanes.start_frames as f64) * interval,
            date: None,
            lanes,
            settings: Arc::clone(&version.settings),
            generation: version.generation,
            seconds,
        });
        self.lanes.advance();
        let diagnostics = self.recorder.figures(self.engine.card.truth.std);
        let keep = self.frames_kept();
        self.shared.update_archive(|a| {
            a.frames.push(set);
            if a.frames.len() > keep {
                let drop = a.frames.len() - keep;
                a.frames.drain(..drop);
            }
            a.diagnostics = diagnostics;
        });
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

    /// Number of frame sets that fit the memory limit.
    fn frames_kept(&self) -> usize {
        let lanes = LaneKind::ALL
            .iter()
            .filter(|k| self.lanes.is_on(**k))
            .count();
        let cells = self.engine.side() * self.engine.side();
        let bytes = lanes.max(1) * self.lanes.spec.members * cells * size_of::<f32>();
        (self.options.memory_mib.max(16) * 1024 * 1024 / bytes).max(64)
    }
}
