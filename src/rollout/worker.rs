//! The worker thread: owns every burn call; never blocks the window.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use super::protocol::{Archive, Command, Event, Progress};
use super::settings::{RolloutSpec, Settings};

/// Asks the window to draw again; called from the worker thread when something changed.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// The window's end. Dropping it cancels the step in progress and joins the thread.
pub struct Worker {
    /// Small facts from the worker; drain it every frame.
    pub events: Receiver<Event>,
}

impl Worker {
    /// Starts the thread. The first rollout begins paused with `spec`; say [`Command::Run`] to make frames.
    pub fn spawn(
        _options: WorkerOptions,
        _settings: Settings,
        _spec: RolloutSpec,
        _wake: Wake,
    ) -> Self {
        let (_tx, events) = std::sync::mpsc::sync_channel(64);
        Self { events }
    }

    /// Publishes new settings and returns their generation. Cheap; call on every change of a slider.
    pub fn set_settings(&self, _settings: Settings) -> u64 {
        0
    }

    /// Sends a command; never blocks.
    pub fn send(&self, _command: Command) {}

    /// A snapshot of the frames (cheap: the frames are shared). Held lock time is a clone of a Vec of Arcs.
    pub fn archive(&self) -> Archive {
        Archive::default()
    }

    /// (epoch, number of kept frames): cheap, to see whether a new snapshot is worth taking.
    pub fn archive_version(&self) -> (u64, u64) {
        (0, 0)
    }

    /// What the worker is doing now.
    pub fn progress(&self) -> Progress {
        Progress::default()
    }

    /// Whether the thread is alive.
    pub fn is_alive(&self) -> bool {
        false
    }
}

/// What the worker is started with.
#[derive(Debug, Clone, Default)]
pub struct WorkerOptions {
    /// Model name or folder; `None` = the shipped vorticity model.
    pub model: Option<String>,
    /// Device asked for.
    pub device: crate::device::DeviceRequest,
    /// Memory for kept frames, in MiB; the oldest are dropped above it.
    pub memory_mib: usize,
}
