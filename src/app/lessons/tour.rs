//! A lesson being taken.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::playback::Playback;
use super::super::prefs::{Learner, Prefs};
use super::super::stage::Stage;
use super::super::state::{BlowUp, State};
use super::figures::{Condition, Figures};
use super::format::{How, Lesson, Step};
use crate::rollout::protocol::{Archive, Command};
use crate::rollout::settings::{LaneKind, RolloutSpec, Settings};

/// Where the learner is in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// A prediction is asked for.
    Ask,
    /// Something is to be done.
    Act,
    /// What came of it.
    Answer,
}

/// A prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Guess {
    /// One of the choices.
    Choice(usize),
    /// A number.
    Number(f64),
}

/// The lesson that is taken.
pub struct Tour {
    /// It.
    pub lesson: Arc<Lesson>,
    /// Number of the step.
    pub step: usize,
    /// Where in it.
    pub phase: Phase,
    /// What was predicted.
    pub guess: Option<Guess>,
    /// The slider, before it is settled.
    pub slider: f64,
    /// Figures of the rollout now; in [`Phase::Answer`] those with which the goal was reached.
    pub figures: Figures,
    /// First frame that counts.
    from: usize,
    /// Frames of this rollout do not count: a new one was asked for.
    old_epoch: Option<u64>,
    seen: Option<(u64, u64, u64)>,
    /// Steps that were answered, with the prediction and the figures of the answer: there to be read again.
    answered: BTreeMap<usize, (Option<Guess>, Figures)>,
    /// What is the learner's own, for afterwards.
    own: Box<Own>,
}

/// What a lesson takes the place of.
struct Own {
    learner: Learner,
    stage: Stage,
    member: usize,
    rollout: OwnRollout,
}

/// The rollout that was on screen before a lesson.
#[derive(Debug, Default)]
pub(in crate::app) struct OwnRollout {
    /// Its frames.
    pub archive: Archive,
    /// What it started from.
    pub spec: RolloutSpec,
    /// Whether it was going on.
    pub playing: bool,
}

impl Own {
    fn take_rollout(&mut self) -> OwnRollout {
        std::mem::take(&mut self.rollout)
    }
}

impl Tour {
    /// The step.
    pub fn now(&self) -> Option<&Step> {
        self.lesson.steps.get(self.step)
    }

    /// Remembers the answer of the step that is left.
    fn note_answer(&mut self) {
        if self.phase == Phase::Answer {
            let answer = (self.guess, self.figures.clone());
            self.answered.insert(self.step, answer);
        }
    }

    /// The learner's own rollout.
    pub(in crate::app) fn own_archive(&self) -> &Archive {
        &self.own.rollout.archive
    }

    /// Whether the prediction was right: a number if it is off by less than a tenth of the slider.
    pub fn was_right(&self) -> Option<bool> {
        let ask = self.now()?.ask.as_ref()?;
        match (&ask.how, self.guess?) {
            (How::Choices(_, right), Guess::Choice(n)) => Some(n == *right),
            (How::Slider { range, right }, Guess::Number(n)) => {
                let off = (self.figures.get(right) - n).abs();
                Some(off <= 0.1 * (range[1] - range[0]))
            }
            _ => None,
        }
    }
}

impl State {
    /// Begins a lesson, or goes on with it.
    pub fn open_lesson(&mut self, lesson: &Arc<Lesson>) {
        let model_before = self.prefs.model_name().to_owned();
        // From one lesson into another: what is the learner's own stays what it was.
        let before = self.lessons.tour.as_mut().map(|t| t.own.take_rollout());
        self.end_lesson();
        self.lessons.list_open = false;
        let taken = self.prefs.lessons.get(&lesson.name).copied();
        let step = taken.map_or(0, |t| t.step).min(lesson.steps.len() - 1);
        let settings = Settings::default();
        let learner = self
            .prefs
            .begin_lesson(&lesson.model, settings, RolloutSpec::default());
        let own = Own {
            learner,
            stage: std::mem::take(&mut self.stage),
            member: std::mem::take(&mut self.member),
            rollout: before.unwrap_or_else(|| OwnRollout {
                archive: self.archive.clone(),
                spec: self.on_screen.clone(),
                playing: self.play.playing,
            }),
        };
        self.set_as_in(lesson, step);
        self.lessons.tour = Some(Tour {
            lesson: Arc::clone(lesson),
            step,
            phase: Phase::Ask,
            guess: None,
            slider: 0.5,
            figures: Figures::default(),
            from: 0,
            old_epoch: None,
            seen: None,
            answered: BTreeMap::new(),
            own: Box::new(own),
        });
        // The lesson's settings hold, not the model's suggestion.
        self.restored = true;
        self.begin_again(&model_before);
        self.begin_step(true);
    }

    /// Settings as a step finds them, whatever was done before: every learner begins alike.
    fn set_as_in(&mut self, lesson: &Lesson, step: usize) {
        self.prefs.settings = Settings::default();
        self.prefs.spec = RolloutSpec {
            closed_form: lesson.world.clone(),
            ..RolloutSpec::default()
        };
        for step in lesson.steps.iter().take(step + 1) {
            step.set
                .apply(&mut self.prefs.settings, &mut self.prefs.spec);
        }
    }

    /// The step from its beginning, with a new rollout and the settings that it begins with.
    pub fn lesson_again(&mut self) {
        let Some(tour) = &mut self.lessons.tour else {
            return;
        };
        let (lesson, step) = (Arc::clone(&tour.lesson), tour.step);
        tour.answered.remove(&step);
        self.set_as_in(&lesson, step);
        self.publish();
        self.restart();
        self.begin_step(true);
    }

    /// The lane whose blow-up keeps the step from going on: it is stopped, and the goal waits for frames.
    pub fn lesson_stopped(&self) -> Option<(LaneKind, &BlowUp)> {
        let tour = self.lessons.tour.as_ref()?;
        if tour.phase != Phase::Act {
            return None;
        }
        let stopped = |kind: LaneKind| Some((kind, self.blow_ups[kind.index()].as_ref()?));
        LaneKind::ALL.into_iter().find_map(stopped)
    }

    /// Leaves the lesson: its model and settings make way for the learner's own, and the rollout that was on screen before is
    /// there again.
    pub fn leave_lesson(&mut self) {
        let model = self.prefs.model_name().to_owned();
        let own = self.lessons.tour.as_mut().map(|t| t.own.take_rollout());
        if !self.end_lesson() {
            return;
        }
        match own {
            Some(own) if !own.archive.frames.is_empty() => {
                self.prefs.spec = own.spec;
                self.forget_model();
                self.launch_with(Some(own.archive), own.playing.then_some(Command::Run));
                self.play = Playback::default();
                self.play.playing = own.playing;
            }
            _ => self.begin_again(&model),
        }
    }

    /// Puts back what the lesson took the place of, for whoever begins a rollout of another kind; whether there was one.
    pub(in crate::app) fn end_lesson(&mut self) -> bool {
        let Some(tour) = self.lessons.tour.take() else {
            return false;
        };
        let own = *tour.own;
        self.prefs.end_lesson(own.learner);
        (self.stage, self.member) = (own.stage, own.member);
        self.restored = true;
        self.undo.start_from_here();
        true
    }

    /// Starts the rollout of the settings in force, in another worker if the model is another one.
    fn begin_again(&mut self, model_before: &str) {
        if self.prefs.model_name() != model_before {
            self.begin_model();
        } else {
            self.files.show_start(&self.prefs.spec);
            self.publish();
            self.restart();
        }
    }

    /// What persists: the learner's own settings also in the middle of a lesson.
    pub fn prefs_to_keep(&self) -> Prefs {
        let mut prefs = self.prefs.clone();
        if let Some(tour) = &self.lessons.tour {
            prefs.end_lesson(tour.own.learner.clone());
        }
        prefs
    }

    /// The next step, or the end.
    pub fn lesson_next(&mut self) {
        let Some(tour) = &mut self.lessons.tour else {
            return;
        };
        tour.note_answer();
        let name = tour.lesson.name.clone();
        let last = tour.step + 1 == tour.lesson.steps.len();
        let taken = self.prefs.lessons.entry(name).or_default();
        if last {
            *taken = super::Taken {
                step: 0,
                done: true,
            };
            self.leave_lesson();
            self.lessons.list_open = true;
            return;
        }
        tour.step += 1;
        taken.step = tour.step;
        self.begin_step(false);
    }

    /// The step before.
    pub fn lesson_back(&mut self) {
        if let Some(tour) = &mut self.lessons.tour
            && tour.step > 0
        {
            tour.note_answer();
            tour.step -= 1;
            let name = tour.lesson.name.clone();
            self.prefs.lessons.entry(name).or_default().step = tour.step;
            self.begin_step(false);
        }
    }

    /// Applies what a step sets; `restarted` if a new rollout was just asked for.
    fn begin_step(&mut self, restarted: bool) {
        let Some(tour) = &mut self.lessons.tour else {
            return;
        };
        let Some(step) = tour.lesson.steps.get(tour.step).cloned() else {
            return;
        };
        tour.guess = None;
        tour.figures = Figures::default();
        tour.seen = None;
        tour.phase = match (&step.ask, step.goals.is_empty()) {
            (Some(ask), _) => {
                if let How::Slider { range, .. } = ask.how {
                    tour.slider = 0.5 * (range[0] + range[1]);
                }
                Phase::Ask
            }
            (None, false) => Phase::Act,
            (None, true) => Phase::Answer,
        };
        if let Some((guess, figures)) = tour.answered.get(&tour.step) {
            (tour.guess, tour.figures) = (*guess, figures.clone());
            tour.phase = Phase::Answer;
        }
        let restart = step
            .set
            .apply(&mut self.prefs.settings, &mut self.prefs.spec);
        let folds = &mut self.prefs.folds;
        match step.highlight {
            Some("discriminator") => folds.guidance = true,
            Some("sampler" | "start") => folds.sampler = true,
            Some("rollout") => folds.rollout = true,
            Some("lanes") => folds.lanes = true,
            Some("world") => folds.world = true,
            _ => {}
        }
        self.undo.start_from_here();
        self.lessons.scroll_to = step.highlight;
        if let Some(tab) = step.set.tab {
            self.prefs.tab = tab;
        }
        if !restarted {
            self.publish();
        }
        if restart && !restarted {
            self.restart();
        }
        let anew = restart || restarted;
        let (epoch, last) = (self.archive.epoch, self.last());
        if let Some(tour) = &mut self.lessons.tour {
            tour.old_epoch = anew.then_some(epoch);
            tour.from = if anew { 0 } else { last + 1 };
        }
        if !anew {
            let order = match step.set.play {
                Some(false) => self.play.halt(),
                // A lesson that waits for frames gets them.
                _ => {
                    let order = self.play.go_to_end();
                    match self.play.playing {
                        true => order,
                        false => self.play.toggle(),
                    }
                }
            };
            self.obey(order);
        }
    }

    /// The prediction is made.
    pub fn lesson_guess(&mut self, guess: Guess) {
        let last = self.last();
        if let Some(tour) = &mut self.lessons.tour {
            tour.guess = Some(guess);
            let goals = tour.now().is_some_and(|s| !s.goals.is_empty());
            tour.phase = if goals { Phase::Act } else { Phase::Answer };
            tour.from = tour.from.max(last + usize::from(last > 0));
            tour.seen = None;
        }
    }

    /// Looks at the rollout for the lesson; cheap where nothing is new.
    pub fn poll_lesson(&mut self) {
        let Some(tour) = &self.lessons.tour else {
            return;
        };
        let seen = (self.version.0, self.version.1, self.generation);
        if tour.seen == Some(seen) {
            return;
        }
        let waiting = tour.old_epoch == Some(self.archive.epoch) && self.archive.epoch != 0;
        // Who goes back goes on from there.
        let back = tour.from.min(self.last() + 1);
        let from = if waiting { usize::MAX } else { back };
        let mut figures = Figures::of(self, from);
        let Some(tour) = &mut self.lessons.tour else {
            return;
        };
        if !waiting {
            tour.old_epoch = None;
            tour.from = back;
        }
        tour.seen = Some(seen);
        if let Some(Guess::Number(n)) = tour.guess {
            figures.set("guess", n);
        }
        let reached = tour
            .now()
            .is_some_and(|s| s.goals.iter().all(|g: &Condition| g.holds(&figures)));
        let keep = tour.phase == Phase::Answer && tour.now().is_some_and(|s| !s.goals.is_empty());
        if !keep {
            tour.figures = figures;
        }
        if tour.phase == Phase::Act && reached {
            tour.phase = Phase::Answer;
        }
    }
}
