//! What the window asks the worker for, between two solver steps, and what the status bar says of it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use super::protocol::{Command, Event, Scripted, Versioned};
use super::replay::Replay;
use super::session::{Current, Mode, Session};

impl Session<'_> {
    /// Handles what is waiting; while paused, waits (without using the CPU). `false` when the window has gone.
    pub(super) fn take_commands(&mut self, commands: &Receiver<Command>) -> bool {
        loop {
            let command = if self.mode == Mode::Paused {
                match commands.recv() {
                    Ok(c) => c,
                    Err(_) => return false,
                }
            } else if let Some(wait) = self.wait() {
                match commands.recv_timeout(wait) {
                    Ok(c) => c,
                    Err(RecvTimeoutError::Timeout) => return true,
                    Err(RecvTimeoutError::Disconnected) => return false,
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
                Command::Replay { script, until } => self.follow(&script, until),
                Command::TruncateTo(index) => self.truncate(index),
                Command::Branch { at, name, history } => {
                    self.branch(at, name, history.as_deref());
                }
                Command::SwitchBranch(id) => self.switch_branch(id),
                Command::RenameBranch(id, name) => self.rename_branch(id, name),
                Command::DeleteBranch(id) => self.delete_branch(id),
                Command::RecallBranch(id) => self.recall_branch(id),
            }
            if self.shared.quit() {
                return false;
            }
        }
    }

    /// How long the next frame has to wait.
    fn wait(&mut self) -> Option<Duration> {
        let left = self.not_before?.checked_duration_since(Instant::now());
        if left.is_none() {
            self.not_before = None;
        }
        left
    }

    /// Begins to follow the settings of a recipe.
    fn follow(&mut self, script: &[Scripted], until: usize) {
        let generation = self.shared.settings().generation;
        self.mode = Mode::Paused;
        match Replay::new(script, until, generation) {
            Ok(replay) if until >= self.lanes.next => {
                // What is half made was begun under other settings.
                self.current = None;
                self.mode = Mode::Steps(until + 1 - self.lanes.next);
                self.replay = Some(replay);
            }
            Ok(_) => {}
            Err(error) => self.shared.event(Event::Error {
                error,
                fatal: false,
            }),
        }
        self.idle_line();
    }

    /// The settings of the next solver step: the window's, or those of the recipe that is followed.
    pub(super) fn in_force(&mut self) -> Versioned {
        let now = self.shared.settings();
        let step = self.current.as_ref().map_or(0, Current::step);
        let scripted = self.replay.as_ref();
        match scripted.map(|r| r.at(self.lanes.next, step, &now)) {
            Some(Some(settings)) => Versioned { settings, ..now },
            Some(None) => {
                self.replay = None;
                now
            }
            None => now,
        }
    }

    /// What the status bar says of the frame being made.
    pub(super) fn sampling(&self) -> String {
        let next = self.lanes.next;
        match &self.replay {
            Some(replay) if next <= replay.until => {
                format!("repeating frame {next} of {}", replay.until)
            }
            // Kernels are compiled and tuned as they are met; what was tuned is kept on disk.
            _ if self.engine.compute.is_gpu && self.frame_seconds.is_none() => {
                format!("preparing the GPU with frame {next} (slow only the first time)")
            }
            _ => format!("sampling frame {next}"),
        }
    }

    pub(super) fn idle_line(&self) {
        let next = self.lanes.next;
        let text = match self.mode {
            Mode::Paused => format!("paused at frame {}", next.saturating_sub(1)),
            _ => self.sampling(),
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
}
