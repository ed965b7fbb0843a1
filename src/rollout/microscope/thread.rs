//! The thread beside the rollout: it has networks of its own, answers the newest question, and never keeps the window
//! waiting.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::closed_form::ClosedForm;
use crate::device::{self, DeviceRequest};
use crate::error::{Result, UserError};
use crate::model::{DEFAULT_MODEL, Model};

use super::super::engine::Engine;
use super::super::settings::RolloutSpec;
use super::super::worker::Wake;
use super::denoise::{Denoising, denoise};
use super::judge::{Question, Verdict, judge};
use super::specimen::Specimen;

/// While a brush moves, questions are answered at most that often.
const REST: Duration = Duration::from_millis(100);

/// What it is started with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AsideOptions {
    /// Model name or folder; `None` = the one that opens when none is asked for.
    pub model: Option<String>,
    /// Device asked for.
    pub device: DeviceRequest,
    /// Parameters of a world with known answers; `None` = its usual ones.
    pub closed_form: Option<ClosedForm>,
}

/// What it can be asked.
#[derive(Debug, Clone)]
pub enum Job {
    /// The denoising of a frame.
    Denoise(Arc<Specimen>),
    /// What the discriminator says of frames.
    Judge(Arc<Question>),
}

/// What it answers.
#[derive(Debug, Clone)]
pub enum Answer {
    /// To [`Job::Denoise`].
    Denoising(Arc<Denoising>),
    /// To [`Job::Judge`].
    Verdict(Arc<Verdict>),
}

/// What it is doing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AsideProgress {
    /// One line ("denoising again").
    pub activity: &'static str,
    /// Steps done and their number.
    pub step: (usize, usize),
    /// Whether there is an answer to come.
    pub busy: bool,
}

#[derive(Default)]
struct Slots {
    job: Option<(u64, Job)>,
    answer: Option<(u64, Result<Answer>)>,
    progress: AsideProgress,
}

struct Shared {
    slots: Mutex<Slots>,
    called: Condvar,
    /// Number of the newest question: what belongs to an older one stops.
    newest: AtomicU64,
    quit: AtomicBool,
    alive: AtomicBool,
    wake: Wake,
}

impl Shared {
    /// A lock is only ever held for a copy, so a poisoned one still holds whole values.
    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, activity: &'static str, step: (usize, usize), busy: bool) {
        self.lock().progress = AsideProgress {
            activity,
            step,
            busy,
        };
        (self.wake)();
    }

    fn is_wanted(&self, id: u64) -> bool {
        !self.quit.load(Ordering::Relaxed) && self.newest.load(Ordering::Acquire) == id
    }
}

/// The window's end. Dropping it ends the thread after the step in progress, without waiting for it.
pub struct Aside {
    shared: Arc<Shared>,
}

impl Aside {
    /// Starts the thread; it opens the model at the first question.
    pub fn spawn(options: AsideOptions, wake: Wake) -> Self {
        let shared = Arc::new(Shared {
            slots: Mutex::default(),
            called: Condvar::new(),
            newest: AtomicU64::new(0),
            quit: AtomicBool::new(false),
            alive: AtomicBool::new(true),
            wake,
        });
        let inside = Arc::clone(&shared);
        let spawned = std::thread::Builder::new()
            .name("eddyscope-microscope".into())
            .spawn(move || run(&inside, &options));
        if let Err(error) = spawned {
            log::error!("the microscope's thread could not be started: {error}");
            shared.alive.store(false, Ordering::Release);
        }
        Self { shared }
    }

    /// Asks; an earlier question that is not yet answered is dropped. Returns its number.
    pub fn ask(&self, job: Job) -> u64 {
        let id = self.shared.newest.fetch_add(1, Ordering::AcqRel) + 1;
        let mut slots = self.shared.lock();
        slots.job = Some((id, job));
        slots.answer = None;
        slots.progress = AsideProgress {
            activity: "waiting",
            step: (0, 0),
            busy: true,
        };
        drop(slots);
        self.shared.called.notify_one();
        id
    }

    /// Drops the question.
    pub fn cancel(&self) {
        self.shared.newest.fetch_add(1, Ordering::AcqRel);
        let mut slots = self.shared.lock();
        slots.job = None;
        slots.progress = AsideProgress::default();
    }

    /// What it is doing.
    pub fn progress(&self) -> AsideProgress {
        self.shared.lock().progress.clone()
    }

    /// The answer to the newest question with its number, once.
    pub fn take(&self) -> Option<(u64, Result<Answer>)> {
        self.shared.lock().answer.take()
    }

    /// Whether the thread is alive.
    pub fn is_alive(&self) -> bool {
        self.shared.alive.load(Ordering::Acquire)
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.shared.quit.store(true, Ordering::Relaxed);
        self.shared.called.notify_one();
    }
}

/// The thread: a panic in it becomes an answer with a remedy.
fn run(shared: &Shared, options: &AsideOptions) {
    let ended = std::panic::catch_unwind(AssertUnwindSafe(|| answer_all(shared, options)));
    shared.alive.store(false, Ordering::Release);
    if ended.is_err() {
        let id = shared.newest.load(Ordering::Acquire);
        let error = UserError::new(
            "The computation stopped unexpectedly",
            "the microscope's thread ended",
            "close the microscope and open it again; if it happens again, use the CPU (--device cpu)",
        );
        let mut slots = shared.lock();
        slots.answer = Some((id, Err(error)));
        slots.progress = AsideProgress::default();
        drop(slots);
        (shared.wake)();
    }
}

fn answer_all(shared: &Shared, options: &AsideOptions) {
    let mut engine = None;
    while let Some((id, job)) = next(shared) {
        let answer = answer(shared, options, &mut engine, id, &job);
        if !shared.is_wanted(id) {
            continue;
        }
        let mut slots = shared.lock();
        // Nothing to say where the work was stopped.
        if let Some(answer) = answer.transpose() {
            slots.answer = Some((id, answer));
        }
        slots.progress = AsideProgress::default();
        drop(slots);
        (shared.wake)();
    }
}

/// Waits for a question; `None` when the window has gone.
fn next(shared: &Shared) -> Option<(u64, Job)> {
    let mut slots = shared.lock();
    loop {
        if shared.quit.load(Ordering::Relaxed) {
            return None;
        }
        match &slots.job {
            None => {
                slots = shared
                    .called
                    .wait(slots)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            Some((_, Job::Denoise(_))) => return slots.job.take(),
            Some((_, Job::Judge(_))) => {
                // A brush asks at every move: rest, then answer the newest.
                drop(slots);
                std::thread::sleep(REST);
                slots = shared.lock();
                if slots.job.is_some() {
                    return slots.job.take();
                }
            }
        }
    }
}

fn answer(
    shared: &Shared,
    options: &AsideOptions,
    engine: &mut Option<Engine>,
    id: u64,
    job: &Job,
) -> Result<Option<Answer>> {
    if engine.is_none() {
        shared.say("opening the model", (0, 0), true);
        let model = Model::open(options.model.as_deref().unwrap_or(DEFAULT_MODEL))?;
        let mut opened = Engine::new(&model, device::select(options.device)?)?;
        opened.adopt(&RolloutSpec {
            closed_form: options.closed_form.clone(),
            ..RolloutSpec::default()
        })?;
        *engine = Some(opened);
    }
    let Some(engine) = engine else {
        return Ok(None);
    };
    match job {
        Job::Denoise(specimen) => {
            let mut watch = |step| {
                if shared.is_wanted(id) {
                    shared.say("denoising again", step, true);
                    true
                } else {
                    false
                }
            };
            let done = denoise(engine, Arc::clone(specimen), &mut watch)?;
            Ok(done.map(|d| Answer::Denoising(Arc::new(d))))
        }
        Job::Judge(question) => {
            shared.say("asking the discriminator", (0, 0), true);
            let verdict = judge(engine, question)?;
            Ok(Some(Answer::Verdict(Arc::new(verdict))))
        }
    }
}
