//! Where the window's frames come from: the worker, or a scripted stand-in in the tests.

use crate::rollout::protocol::{Archive, Command, Event, Progress};
use crate::rollout::settings::{RolloutSpec, Settings};
use crate::rollout::worker::Worker;

/// The window's view of a worker. Every call is cheap: none waits for a computation.
pub trait RolloutSource: Send {
    /// Publishes new settings and returns their generation number.
    fn set_settings(&mut self, settings: Settings) -> u64;
    /// Sends a command.
    fn send(&mut self, command: Command);
    /// The frames kept so far (shared, not copied).
    fn archive(&self) -> Archive;
    /// Changes whenever [`Self::archive`] would.
    fn archive_version(&self) -> (u64, u64);
    /// What is being done now.
    fn progress(&self) -> Progress;
    /// The next event, if one waits.
    fn poll_event(&mut self) -> Option<Event>;
    /// Whether it still works.
    fn is_alive(&self) -> bool;
    /// Frames that a world with known answers makes in a second, at most.
    fn set_pace(&mut self, _frames_per_second: f32) {}
    /// Whether to ask the discriminator of pairs of truth's frames, for its reliability.
    fn watch_pairs(&mut self, _on: bool) {}
}

impl RolloutSource for Worker {
    fn set_settings(&mut self, settings: Settings) -> u64 {
        Worker::set_settings(self, settings)
    }

    fn send(&mut self, command: Command) {
        if !Worker::send(self, command) {
            log::warn!("the worker did not take a command");
        }
    }

    fn archive(&self) -> Archive {
        Worker::archive(self)
    }

    fn archive_version(&self) -> (u64, u64) {
        Worker::archive_version(self)
    }

    fn progress(&self) -> Progress {
        Worker::progress(self)
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.try_recv().ok()
    }

    fn is_alive(&self) -> bool {
        Worker::is_alive(self)
    }

    fn set_pace(&mut self, frames_per_second: f32) {
        Worker::set_pace(self, frames_per_second);
    }

    fn watch_pairs(&mut self, on: bool) {
        Worker::watch_pairs(self, on);
    }
}

/// What a source is started with.
#[derive(Debug, Clone)]
pub struct Start {
    /// Model name or folder; `None` = the one that opens when none is asked for.
    pub model: Option<String>,
    /// Settings of guidance, sampler and lanes.
    pub settings: Settings,
    /// Seed, members, start.
    pub spec: RolloutSpec,
    /// Strengths and history length as the model suggests them.
    pub suggest: bool,
    /// Frames to go on from.
    pub resume: Option<Archive>,
}

/// Starts a source; called at the start, for another model, and after a fatal error.
pub type Launch = Box<dyn Fn(Start) -> Box<dyn RolloutSource>>;
