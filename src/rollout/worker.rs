//! The worker thread: owns every burn call; never blocks the window.
//!
//! Settings are level-triggered: the thread reads the newest at every solver step. Frames lie in a shared archive that
//! the window copies (pointers only) when its version changed. Commands and events are small and bounded.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::device::DeviceRequest;
use crate::error::UserError;
use crate::model::ModelCard;

use super::frame::FrameSet;
use super::protocol::{Archive, Command, Event, Progress, Versioned};
use super::session::Session;
use super::settings::{RolloutSpec, Settings};
use super::suggested::suggest;

/// Asks the window to draw again; called from the worker thread when something changed.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Commands and events that may wait.
const CHANNEL: usize = 256;

/// What the worker is started with.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// Model name or folder; `None` = the shipped vorticity model.
    pub model: Option<String>,
    /// Device asked for.
    pub device: DeviceRequest,
    /// Memory for kept frames, in MiB; above it the oldest go to disk.
    pub memory_mib: usize,
    /// Disk space for older frames, in MiB; above it they are dropped. 0 = none.
    pub disk_mib: usize,
    /// Folder for them; `None` = the system's.
    pub disk_folder: Option<PathBuf>,
    /// Strengths and history length as the model's card suggests them, unless other settings are published before it is
    /// loaded.
    pub suggest: bool,
    /// Frames of a rollout to go on with (after a restart of the thread) instead of starting anew.
    pub resume: Option<Archive>,
    /// For tests of the recovery: the thread panics when it begins this frame.
    #[doc(hidden)]
    pub panic_at_frame: Option<usize>,
    /// For tests: frames in memory, whatever their size (16 at least).
    #[doc(hidden)]
    pub frames_in_memory: Option<usize>,
}

/// Generation of the settings that a worker is started with.
const FIRST: u64 = 1;

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            model: None,
            device: DeviceRequest::Auto,
            memory_mib: 1024,
            disk_mib: 16 * 1024,
            disk_folder: None,
            suggest: false,
            resume: None,
            panic_at_frame: None,
            frames_in_memory: None,
        }
    }
}

/// State that both ends see.
pub(super) struct Shared {
    settings: Mutex<Versioned>,
    archive: Mutex<Archive>,
    version: AtomicU64,
    epoch: AtomicU64,
    progress: Mutex<Progress>,
    quit: AtomicBool,
    pairs: AtomicBool,
    /// Milliseconds between frames of a world with known answers, at least.
    pace_ms: AtomicU32,
    alive: AtomicBool,
    wake: Wake,
    events: SyncSender<Event>,
}

/// A lock is only ever held for a copy, so a poisoned one still holds whole values.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// The newest settings.
    pub(super) fn settings(&self) -> Versioned {
        lock(&self.settings).clone()
    }

    /// Takes the suggestions of a model that has just been loaded.
    pub(super) fn take_suggestions(&self, card: &ModelCard) {
        let mut slot = lock(&self.settings);
        if slot.generation == FIRST {
            let mut settings = slot.settings.as_ref().clone();
            suggest(card, &mut settings.guidance);
            slot.settings = Arc::new(settings);
        }
    }

    /// Publishes settings of the worker's own choice: those of a branch that is taken up.
    pub(super) fn set_settings(&self, settings: Arc<Settings>) -> u64 {
        let mut slot = lock(&self.settings);
        slot.generation += 1;
        slot.settings = settings;
        slot.generation
    }

    /// Time between frames of a world with known answers, at least.
    pub(super) fn pace(&self) -> Duration {
        Duration::from_millis(self.pace_ms.load(Ordering::Relaxed).into())
    }

    /// Whether the discriminator is to be asked of pairs of truth's frames.
    pub(super) fn watches_pairs(&self) -> bool {
        self.pairs.load(Ordering::Relaxed)
    }

    /// Whether the window has gone.
    pub(super) fn quit(&self) -> bool {
        self.quit.load(Ordering::Relaxed)
    }

    /// Changes the archive and tells the window.
    pub(super) fn update_archive(&self, change: impl FnOnce(&mut Archive)) {
        let mut archive = lock(&self.archive);
        change(&mut archive);
        self.epoch.store(archive.epoch, Ordering::Relaxed);
        drop(archive);
        self.version.fetch_add(1, Ordering::Release);
        (self.wake)();
    }

    /// Reads the archive.
    pub(super) fn with_archive<T>(&self, read: impl FnOnce(&Archive) -> T) -> T {
        read(&lock(&self.archive))
    }

    /// Changes what the window is told of the work in progress.
    pub(super) fn update_progress(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut lock(&self.progress));
        (self.wake)();
    }

    /// Sends an event; waits for the window rather than losing it, unless the window has gone.
    pub(super) fn event(&self, event: Event) {
        let mut event = event;
        while !self.quit() {
            match self.events.try_send(event) {
                Ok(()) => break,
                Err(TrySendError::Disconnected(_)) => break,
                Err(TrySendError::Full(back)) => {
                    event = back;
                    (self.wake)();
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
            }
        }
        (self.wake)();
    }
}

/// The window's end. Dropping it cancels after the step in progress and joins the thread.
pub struct Worker {
    /// Small facts from the worker; drain it every frame.
    pub events: Receiver<Event>,
    shared: Arc<Shared>,
    commands: Option<SyncSender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread. The first rollout begins paused with `spec`; say [`Command::Run`] to make frames.
    pub fn spawn(
        options: WorkerOptions,
        settings: Settings,
        spec: RolloutSpec,
        wake: Wake,
    ) -> Self {
        let (event_tx, events) = sync_channel(CHANNEL);
        let (command_tx, command_rx) = sync_channel(CHANNEL);
        let shared = Arc::new(Shared {
            settings: Mutex::new(Versioned {
                generation: FIRST,
                settings: Arc::new(settings),
            }),
            // The old frames stay on screen while the new thread comes up.
            archive: Mutex::new(options.resume.clone().unwrap_or_default()),
            version: AtomicU64::new(0),
            epoch: AtomicU64::new(0),
            progress: Mutex::new(Progress {
                activity: "starting".into(),
                ..Progress::default()
            }),
            quit: AtomicBool::new(false),
            pairs: AtomicBool::new(false),
            pace_ms: AtomicU32::new(80),
            alive: AtomicBool::new(true),
            wake,
            events: event_tx,
        });
        let inside = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("eddyscope-worker".into())
            .spawn(move || run(&inside, options, spec, command_rx));
        let thread = match thread {
            Ok(handle) => Some(handle),
            Err(e) => {
                shared.alive.store(false, Ordering::Release);
                shared.event(Event::Error {
                    error: UserError::new(
                        "The worker could not be started",
                        e,
                        "close other programs, then choose \"Start again\"",
                    ),
                    fatal: true,
                });
                None
            }
        };
        Self {
            events,
            shared,
            commands: Some(command_tx),
            thread,
        }
    }

    /// Publishes new settings and returns their generation. Cheap; call on every change of a slider.
    pub fn set_settings(&self, settings: Settings) -> u64 {
        self.shared.set_settings(Arc::new(settings))
    }

    /// Sends a command; never blocks. `false` when the worker is gone or has too many waiting.
    pub fn send(&self, command: Command) -> bool {
        self.commands
            .as_ref()
            .is_some_and(|c| c.try_send(command).is_ok())
    }

    /// A copy of the frames (pointers only).
    pub fn archive(&self) -> Archive {
        lock(&self.shared.archive).clone()
    }

    /// The newest frame, without a copy of the others' list.
    pub fn newest(&self) -> Option<Arc<FrameSet>> {
        lock(&self.shared.archive).frames.last().cloned()
    }

    /// (epoch, version): changes whenever [`Self::archive`] would give something new. Takes no lock.
    pub fn archive_version(&self) -> (u64, u64) {
        (
            self.shared.epoch.load(Ordering::Relaxed),
            self.shared.version.load(Ordering::Acquire),
        )
    }

    /// What the worker is doing now.
    pub fn progress(&self) -> Progress {
        lock(&self.shared.progress).clone()
    }

    /// Frames that a world with known answers makes in a second, at most: without networks they come faster than they can be
    /// looked at.
    pub fn set_pace(&self, frames_per_second: f32) {
        // The thread does not listen meanwhile.
        let millis = (1000.0 / frames_per_second.max(0.1)).clamp(1.0, 350.0);
        self.shared.pace_ms.store(millis as u32, Ordering::Relaxed);
    }

    /// Whether to ask the discriminator of pairs of truth's frames, for its reliability
    /// ([`super::frame::PairFigures`]); costs two rows of the networks a frame.
    pub fn watch_pairs(&self, on: bool) {
        self.shared.pairs.store(on, Ordering::Relaxed);
    }

    /// Whether the thread is alive.
    pub fn is_alive(&self) -> bool {
        self.shared.alive.load(Ordering::Acquire)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.shared.quit.store(true, Ordering::Relaxed);
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was already reported as an event.
            let _ = thread.join();
        }
    }
}

/// The thread: a panic in it becomes an event with a remedy.
fn run(
    shared: &Arc<Shared>,
    options: WorkerOptions,
    spec: RolloutSpec,
    commands: Receiver<Command>,
) {
    let body = AssertUnwindSafe(|| Session::run(shared, &options, spec, &commands));
    let error = match std::panic::catch_unwind(body) {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error),
        Err(panic) => {
            let said = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_string()))
                .unwrap_or_else(|| "no message".into());
            Some(UserError::new(
                "The computation stopped unexpectedly",
                said,
                "choose \"Start again\": settings and frames are kept; if it happens again, use the CPU (--device cpu)",
            ))
        }
    };
    shared.alive.store(false, Ordering::Release);
    shared.update_progress(|p| {
        p.running = false;
        p.step = (0, 0);
        p.activity = "stopped".into();
    });
    if let Some(error) = error {
        shared.event(Event::Error { error, fatal: true });
    }
}
