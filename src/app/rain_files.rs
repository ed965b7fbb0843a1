//! Files of daily precipitation that a person brings: what was recognised in them, and the questions that they leave
//! open, before anything is done with them.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use crate::data::rain::{Choices, Question, RainFiles, Topic};
use crate::error::{Result, UserError};

/// What was found in files.
#[derive(Debug, Clone)]
pub struct Found {
    /// What was recognised, line by line: name and value.
    pub facts: String,
    /// Questions that are still open.
    pub questions: Vec<Question>,
}

/// Files that wait for a person's yes.
#[derive(Debug, Default)]
pub struct RainDialog {
    /// The files; none = the window is closed.
    pub paths: Vec<PathBuf>,
    /// Answers so far.
    pub choices: Choices,
    /// All questions that came up, with the answer that is chosen.
    pub asked: Vec<(Question, String)>,
    /// What was found with these answers.
    pub found: Option<Result<Found>>,
    opening: Option<Receiver<Result<Found>>>,
}

impl RainDialog {
    /// Looks into files.
    pub fn ask(&mut self, ctx: &egui::Context, paths: Vec<PathBuf>) {
        *self = Self {
            paths,
            ..Self::default()
        };
        self.look(ctx);
    }

    /// Whether the window is open.
    pub fn is_open(&self) -> bool {
        !self.paths.is_empty()
    }

    /// Closes it.
    pub fn close(&mut self) {
        *self = Self::default();
    }

    /// Whether the files are being looked into.
    pub fn is_looking(&self) -> bool {
        self.opening.is_some()
    }

    /// Gives an answer, and looks again with it.
    pub fn answer(&mut self, ctx: &egui::Context, topic: Topic, answer: &str) {
        if self.choices.answer(topic, answer) {
            if let Some(asked) = self.asked.iter_mut().find(|a| a.0.topic == topic) {
                asked.1 = answer.to_owned();
            }
            self.look(ctx);
        }
    }

    /// The answers with those that were left at their guess and seen.
    pub fn confirmed(&self) -> Choices {
        let mut choices = self.choices.clone();
        for (question, answer) in &self.asked {
            choices.answer(question.topic, answer);
        }
        choices
    }

    /// Opening reads some values, which may take a while: on a thread of its own.
    fn look(&mut self, ctx: &egui::Context) {
        let (sender, receiver) = channel();
        let (paths, choices, ctx) = (self.paths.clone(), self.choices.clone(), ctx.clone());
        let run = move || {
            let found = RainFiles::open(&paths, &choices).map(|files| Found {
                facts: files.facts().to_string(),
                questions: files.questions().to_vec(),
            });
            // The window may be closed by now.
            let _ = sender.send(found);
            ctx.request_repaint();
        };
        let name = "look-into-files".to_owned();
        match std::thread::Builder::new().name(name).spawn(run) {
            Ok(_) => self.opening = Some(receiver),
            Err(e) => {
                self.found = Some(Err(UserError::new(
                    "Cannot look into the files",
                    e,
                    "Try again",
                )));
            }
        }
    }

    /// Takes in what the thread found.
    pub fn poll(&mut self) {
        let Some(receiver) = &self.opening else {
            return;
        };
        let found = match receiver.try_recv() {
            Ok(found) => found,
            Err(TryRecvError::Empty) => return,
            Err(TryRecvError::Disconnected) => Err(UserError::new(
                "Cannot look into the files",
                "reading them ended with an internal error (see the log)",
                "Check the files with another program; if they are sound, report this",
            )),
        };
        self.opening = None;
        if let Ok(found) = &found {
            for question in &found.questions {
                let known = self.asked.iter().any(|a| a.0.topic == question.topic);
                if !known {
                    let guess = question.guess.clone();
                    self.asked.push((question.clone(), guess));
                }
            }
        }
        self.found = Some(found);
    }
}
