//! The thread beside the rollout: it has networks of its own, answers the newest question, and never keeps the window
//! waiting.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use crate::closed_form::ClosedForm;
use crate::device::{self, DeviceRequest};
use crate::error::{Result, UserError};
use crate::model::{DEFAULT_MODEL, Model};

use super::super::aside::{self, Inside, Latest};
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
    /// One line ("denoising again"); empty when no answer is to come.
    pub activity: &'static str,
    /// Steps done and their number.
    pub step: (usize, usize),
}

/// Question, answer and progress; what is done for a question is only said while it is the newest.
#[derive(Clone, Default)]
struct Slots {
    /// Number of the newest question; that of none after it was dropped.
    newest: u64,
    job: Option<Job>,
    answer: Option<(u64, Result<Answer>)>,
    progress: AsideProgress,
    /// What ended the thread: it is the answer to every further question.
    ended: Option<UserError>,
}

impl Latest for Slots {
    fn failed(&mut self, error: UserError) {
        self.answer = Some((self.newest, Err(error.clone())));
        self.progress = AsideProgress::default();
        self.ended = Some(error);
    }
}

/// The window's end. Dropping it ends the thread after the step in progress, without waiting for it.
pub struct Aside {
    /// What is sent only wakes the thread: the newest question lies in the slots.
    thread: aside::Aside<(), Slots>,
}

impl Aside {
    /// Starts the thread; it opens the model at the first question.
    pub fn spawn(options: AsideOptions, wake: Wake) -> Self {
        let body = move |inside: &Inside<Slots>, calls: &Receiver<()>| {
            answer_all(inside, calls, &options);
            Ok(())
        };
        Self {
            thread: aside::Aside::spawn("eddyscope-microscope", Slots::default(), wake, body),
        }
    }

    /// Asks; an earlier question that is not yet answered is dropped. Returns its number.
    pub fn ask(&self, job: Job) -> u64 {
        let id = self.renew(Some(job));
        // With many calls waiting, the thread is awake and will see it.
        self.thread.send(());
        id
    }

    /// Drops the question.
    pub fn cancel(&self) {
        self.renew(None);
    }

    fn renew(&self, job: Option<Job>) -> u64 {
        self.thread.change(|s| {
            s.newest += 1;
            let asked = job.is_some();
            let ended = s.ended.clone().filter(|_| asked);
            s.progress = match asked && ended.is_none() {
                true => AsideProgress {
                    activity: "waiting",
                    step: (0, 0),
                },
                false => AsideProgress::default(),
            };
            s.answer = ended.map(|error| (s.newest, Err(error)));
            s.job = job;
            s.newest
        })
    }

    /// What it is doing.
    pub fn progress(&self) -> AsideProgress {
        self.thread.change(|s| s.progress.clone())
    }

    /// The answer to the newest question with its number, once.
    pub fn take(&self) -> Option<(u64, Result<Answer>)> {
        self.thread.change(|s| s.answer.take())
    }

    /// Whether the thread is alive.
    pub fn is_alive(&self) -> bool {
        self.thread.is_alive()
    }
}

fn answer_all(inside: &Inside<Slots>, calls: &Receiver<()>, options: &AsideOptions) {
    let mut engine = None;
    while calls.recv().is_ok() {
        let brushing = inside.with(|s| matches!(s.job, Some(Job::Judge(_))));
        if brushing {
            // A brush asks at every move: rest, then answer the newest.
            std::thread::sleep(REST);
        }
        let Some((id, job)) = inside.change(|s| Some((s.newest, s.job.take()?))) else {
            continue;
        };
        let answer = answer(inside, options, &mut engine, id, &job);
        inside.update(|s| {
            if s.newest == id {
                // Nothing to say where the work was stopped.
                s.answer = answer.transpose().map(|a| (id, a));
                s.progress = AsideProgress::default();
            }
        });
    }
}

/// Says what is done for a question; `false` where it is no longer the newest: then nothing is said, and the work stops.
fn say(inside: &Inside<Slots>, id: u64, activity: &'static str, step: (usize, usize)) -> bool {
    let wanted = !inside.quit() && inside.with(|s| s.newest == id);
    if wanted {
        inside.update(|s| {
            if s.newest == id {
                s.progress = AsideProgress { activity, step };
            }
        });
    }
    wanted
}

fn answer(
    inside: &Inside<Slots>,
    options: &AsideOptions,
    engine: &mut Option<Engine>,
    id: u64,
    job: &Job,
) -> Result<Option<Answer>> {
    if engine.is_none() {
        if !say(inside, id, "opening the model", (0, 0)) {
            return Ok(None);
        }
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
            let mut watch = |step| say(inside, id, "denoising again", step);
            let done = denoise(engine, Arc::clone(specimen), &mut watch)?;
            Ok(done.map(|d| Answer::Denoising(Arc::new(d))))
        }
        Job::Judge(question) => {
            if !say(inside, id, "asking the discriminator", (0, 0)) {
                return Ok(None);
            }
            let verdict = judge(engine, question)?;
            Ok(Some(Answer::Verdict(Arc::new(verdict))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> Job {
        Job::Judge(Arc::new(Question {
            original: Vec::new(),
            edited: Vec::new(),
            guidance: Default::default(),
            date: None,
            seed: 0,
        }))
    }

    /// Whatever the thread was about to say when the question was dropped, it does not seem busy afterwards.
    #[test]
    fn nothing_is_said_for_a_question_that_was_dropped() {
        let (saw, seen) = std::sync::mpsc::sync_channel(0);
        let (go, gone) = std::sync::mpsc::channel();
        let body = move |inside: &Inside<Slots>, calls: &Receiver<()>| {
            while calls.recv().is_ok() {
                let id = inside.with(|s| s.newest);
                assert!(say(inside, id, "at work", (1, 2)));
                let _ = saw.send(());
                let _ = gone.recv();
                assert!(!say(inside, id, "at work", (2, 2)));
                let _ = saw.send(());
            }
            Ok(())
        };
        let wake: Wake = Arc::new(|| {});
        let desk = Aside {
            thread: aside::Aside::spawn("test", Slots::default(), wake, body),
        };
        desk.ask(question());
        seen.recv().unwrap();
        assert_eq!(desk.progress().step, (1, 2));
        desk.cancel();
        assert_eq!(desk.progress(), AsideProgress::default());
        go.send(()).unwrap();
        seen.recv().unwrap();
        assert_eq!(desk.progress(), AsideProgress::default());
        assert!(desk.take().is_none());
    }

    #[test]
    fn a_thread_that_ended_answers_with_its_error() {
        let wake: Wake = Arc::new(|| {});
        let body = |_: &Inside<Slots>, _: &Receiver<()>| Err(UserError::new("ended", "", ""));
        let desk = Aside {
            thread: aside::Aside::spawn("test", Slots::default(), wake, body),
        };
        while desk.take().is_none() {
            std::thread::yield_now();
        }
        for _ in 0..2 {
            let id = desk.ask(question());
            let (of, answer) = desk.take().unwrap();
            assert_eq!((of, answer.unwrap_err().headline.as_str()), (id, "ended"));
            assert_eq!(desk.progress(), AsideProgress::default());
        }
    }
}
