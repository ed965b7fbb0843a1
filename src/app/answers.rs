//! The thread that answers the microscope and the editor: started at the first question, and anew where it would answer
//! with another model, device or world than the one on screen.

use std::sync::Arc;

use crate::error::{Result, UserError};
use crate::rollout::microscope::{Answer, Aside, AsideOptions, AsideProgress, Job};

use super::state::State;

/// A thread with what it was started with, and the question that waits for its answer.
#[derive(Default)]
pub struct Answers {
    thread: Option<(AsideOptions, Aside)>,
    waiting: Option<u64>,
}

impl Answers {
    /// Asks; an earlier question is dropped.
    pub fn ask(&mut self, ctx: &egui::Context, options: AsideOptions, job: Job) {
        let known = self.thread.take();
        let (options, thread) = known
            .filter(|(with, thread)| *with == options && thread.is_alive())
            .unwrap_or_else(|| {
                let ctx = ctx.clone();
                let wake = Arc::new(move || ctx.request_repaint());
                (options.clone(), Aside::spawn(options, wake))
            });
        self.waiting = Some(thread.ask(job));
        self.thread = Some((options, thread));
    }

    /// The answer to the last question, once. A thread that ended without one gives an error.
    pub fn hear(&mut self) -> Option<Result<Answer>> {
        let (_, thread) = self.thread.as_ref()?;
        let alive = thread.is_alive();
        let wanted = self.waiting;
        let mut answer = thread.take().filter(|(id, _)| Some(*id) == wanted);
        if !alive {
            self.thread = None;
            answer = answer.or_else(|| Some((wanted?, Err(ended()))));
        }
        let (_, answer) = answer?;
        self.waiting = None;
        Some(answer)
    }

    /// Whether an answer is to come.
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Whether there is a thread.
    pub fn is_open(&self) -> bool {
        self.thread.is_some()
    }

    /// What the thread is doing.
    pub fn progress(&self) -> Option<AsideProgress> {
        self.thread.as_ref().map(|(_, thread)| thread.progress())
    }

    /// Drops the question.
    pub fn cancel(&mut self) {
        self.waiting = None;
        if let Some((_, thread)) = &self.thread {
            thread.cancel();
        }
    }

    /// Lets the thread end.
    pub fn close(&mut self) {
        *self = Self::default();
    }
}

fn ended() -> UserError {
    UserError::new(
        "The computation stopped unexpectedly",
        "the thread beside the rollout ended without an answer",
        "go back to the lanes and open this view again; if it happens again, use the CPU (--device cpu)",
    )
}

impl State {
    /// What a thread that answers about the model on screen is started with.
    pub(super) fn answers_with(&self) -> AsideOptions {
        AsideOptions {
            model: Some(self.prefs.model_name().to_owned()),
            device: self.device,
            closed_form: self.prefs.spec.closed_form.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::microscope::Question;
    use std::time::{Duration, Instant};

    /// A question that every model refuses: the answer comes as soon as the model is open.
    fn refused() -> Job {
        Job::Judge(Arc::new(Question {
            original: Vec::new(),
            edited: Vec::new(),
            guidance: Default::default(),
            date: None,
            seed: 0,
        }))
    }

    fn heard(answers: &mut Answers) -> UserError {
        let began = Instant::now();
        loop {
            match answers.hear() {
                Some(answer) => return answer.expect_err("refused"),
                None => assert!(began.elapsed() < Duration::from_secs(60), "no answer"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn another_model_is_asked_by_another_thread() {
        let ctx = egui::Context::default();
        let with = |model: &str| AsideOptions {
            model: Some(model.into()),
            ..AsideOptions::default()
        };
        let mut answers = Answers::default();
        answers.ask(&ctx, with("travelling-wave"), refused());
        let said = heard(&mut answers);
        assert!(said.headline.contains("cannot be asked"), "{said}");
        assert!(answers.is_open() && !answers.is_waiting());
        // The thread of the first model could answer this: it must not.
        answers.ask(&ctx, with("no such model"), refused());
        let said = heard(&mut answers);
        assert!(!said.headline.contains("cannot be asked"), "{said}");
    }
}
