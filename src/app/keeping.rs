//! What would be lost: a copy of the rollout kept in case the program ends badly, and a question before it is closed.
//!
//! Every now and then the session is written beside the settings of the window (`kept-N.eddyscope`; N is this program's own
//! as long as it holds the lock `kept-N.lock`). A program that is closed removes its copy; a copy without an owner is what a
//! crash left, and is offered at the next start.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use egui::{Align, Button, Layout, RichText, ViewportCommand};

use crate::error::UserError;
use crate::export::{Format, Watch};
use crate::rollout::branch::BranchId;
use crate::rollout::protocol::Archive;

use super::state::State;
use super::theme::GRID;
use super::widgets;

/// Programs that can keep a copy at the same time.
const SLOTS: usize = 8;
/// Time between two copies, at least; and of that time at most this share is spent on writing.
const EVERY: Duration = Duration::from_secs(120);
const SHARE: u32 = 20;
/// A rollout of fewer frames is made again in no time.
const WORTH_KEEPING: usize = 100;
/// Frames in memory beyond which no copy is kept, bytes.
const LARGEST: usize = 512 << 20;
/// A rollout of so many frames is not closed without a question.
const WORTH_ASKING: usize = 2000;

/// Keeps the copy.
#[derive(Debug, Default)]
pub struct Keeper {
    /// Held as long as the copy is this program's.
    lock: Option<File>,
    path: Option<PathBuf>,
    writing: Option<Writing>,
    /// Archive of the last copy, and when it was begun.
    last: Option<((u64, u64), Instant)>,
    pause: Duration,
    /// A copy could not be written: said once.
    failed: bool,
    /// Number of the rollout on screen: every one that begins has another.
    rollout: u64,
    /// What the session files that were saved or opened hold.
    saved: Option<Extent>,
    /// What the one that is being written holds.
    pending: Option<Extent>,
    /// What a crash has left, and whether it was taken up.
    recovered: Option<PathBuf>,
    took_up: bool,
    question: Question,
}

/// Where the question before closing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Question {
    #[default]
    Silent,
    Asked,
    /// The session is to be saved, then the window closes.
    Saving,
    /// As Saving, once the rollout from before a lesson is on screen again.
    AfterLesson,
    /// Close, whatever is lost.
    Sure,
}

/// A copy that is being written.
#[derive(Debug)]
struct Writing {
    watch: Watch,
    /// Outcome, and how long it took.
    result: Receiver<(Result<(), UserError>, Duration)>,
}

/// How much there is of a rollout: its branches with their last frames.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Extent {
    rollout: u64,
    branches: BTreeMap<BranchId, usize>,
    edited: bool,
}

impl Extent {
    fn of(archive: &Archive, rollout: u64) -> Self {
        let last = |id| {
            let frames = archive.of(id).map(|a| &a.frames);
            frames.and_then(|f| f.last()).map_or(0, |f| f.index)
        };
        let mut branches: BTreeMap<_, _> = archive
            .branches
            .iter()
            .map(|b| (b.id, last(b.id)))
            .collect();
        if branches.is_empty() {
            let newest = archive.frames.last().map_or(0, |f| f.index);
            branches.insert(archive.active, newest);
        }
        Self {
            rollout,
            branches,
            edited: archive.branches.iter().any(|b| b.edited > 0),
        }
    }

    /// Frames from the first to the last, of the longest branch.
    fn frames(&self) -> usize {
        self.branches.values().max().map_or(0, |last| last + 1)
    }

    /// Whether a file that holds `saved` holds this too, but for a stretch that is soon made again.
    fn is_in(&self, saved: &Self) -> bool {
        let held = |(id, last): (&BranchId, &usize)| {
            let then = saved.branches.get(id);
            then.is_some_and(|then| *last < then + WORTH_ASKING)
        };
        self.rollout == saved.rollout && self.branches.iter().all(held)
    }
}

impl Keeper {
    /// A keeper in a folder; what programs that ended badly have left there waits in [`Self::recovered`].
    pub fn in_folder(folder: &Path) -> Self {
        if let Err(error) = fs::create_dir_all(folder) {
            log::warn!("no copies are kept in {}: {error}", folder.display());
            return Self::default();
        }
        let mut own = None;
        for n in 0..SLOTS {
            let path = folder.join(format!("kept-{n}.eddyscope"));
            if own.is_some() && !path.is_file() {
                continue;
            }
            let lock = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(folder.join(format!("kept-{n}.lock")));
            let Some(lock) = lock.ok().filter(|l| l.try_lock().is_ok()) else {
                continue;
            };
            if path.is_file() {
                let free = (0..).map(recovered).map(|name| folder.join(name));
                let wanted = free.into_iter().find(|p| !p.exists());
                if let Some(Err(error)) = wanted.map(|to| fs::rename(&path, to)) {
                    log::warn!("cannot take up {}: {error}", path.display());
                    continue;
                }
            }
            remove_parts(folder, &format!(".kept-{n}.eddyscope."));
            if own.is_none() {
                own = Some((lock, path));
            }
        }
        let (lock, path) = own.unzip();
        let waiting = (0..MOST_RECOVERED).map(|n| folder.join(recovered(n)));
        Self {
            lock,
            path,
            recovered: waiting.filter(|p| p.is_file()).max_by_key(|p| {
                let meta = fs::metadata(p);
                meta.and_then(|m| m.modified()).ok()
            }),
            ..Self::default()
        }
    }

    /// The program is closed as it should be: no copy stays, nor what was recovered and taken up.
    pub fn end(&mut self) {
        if let Some(writing) = self.writing.take() {
            writing.watch.cancel();
            // Its temporary file goes with it.
            let _ = writing.result.recv_timeout(Duration::from_secs(10));
        }
        let taken_up = self.recovered.take().filter(|_| self.took_up);
        for path in self.path.take().into_iter().chain(taken_up) {
            if path.is_file()
                && let Err(error) = fs::remove_file(&path)
            {
                log::warn!("cannot remove {}: {error}", path.display());
            }
        }
        self.lock = None;
    }

    /// Whether the question is on screen.
    pub fn asks(&self) -> bool {
        !matches!(self.question, Question::Silent | Question::Sure)
    }

    /// The question is withdrawn.
    pub fn withdraw(&mut self) {
        self.question = Question::Silent;
    }

    /// Another rollout begins, or frames are dropped: nothing of it has been saved.
    pub(super) fn another_rollout(&mut self) {
        self.rollout += 1;
        self.saved = None;
        self.pending = None;
    }

    /// Whether a file is what a crash has left.
    pub(super) fn has_recovered(&self, path: &Path) -> bool {
        self.recovered.as_deref() == Some(path)
    }

    /// Throws away what a crash has left.
    pub(super) fn discard(&mut self) {
        if let Some(path) = self.recovered.take()
            && let Err(error) = fs::remove_file(&path)
        {
            log::warn!("cannot remove {}: {error}", path.display());
        }
    }

    /// A session file is on screen: it holds what there is, unless it is the copy that a crash has left.
    pub(super) fn opened(&mut self, path: &Path, archive: &Archive) {
        match self.has_recovered(path) {
            true => self.took_up = true,
            false => self.saved = Some(Extent::of(archive, self.rollout)),
        }
    }

    /// The session that was being written is there, or is not.
    pub(super) fn wrote_session(&mut self, done: bool) {
        let pending = self.pending.take();
        if done && pending.is_some() {
            self.saved = pending;
            if self.question == Question::Saving {
                self.question = Question::Sure;
            }
        }
    }
}

/// Copies that are offered.
const MOST_RECOVERED: usize = 64;

fn recovered(n: usize) -> String {
    match n {
        0 => "recovered.eddyscope".to_owned(),
        n => format!("recovered-{n}.eddyscope"),
    }
}

/// Removes what a program that was killed in the middle of writing has left.
fn remove_parts(folder: &Path, begin: &str) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(begin) && name.ends_with(".part") {
            let _ = fs::remove_file(entry.path());
        }
    }
}

impl State {
    /// The rollout that is a person's own: the one from before a lesson while one is taken.
    fn own_archive(&self) -> &Archive {
        match &self.lessons.tour {
            Some(tour) => tour.own_archive(),
            None => &self.archive,
        }
    }

    fn extent(&self) -> Extent {
        Extent::of(self.own_archive(), self.keeper.rollout)
    }

    /// A session is being written from now on.
    pub(super) fn note_saving(&mut self) {
        self.keeper.pending = Some(self.extent());
    }

    /// What closing would lose, in words. A rollout that its seed gives again within a minute is no loss.
    fn loss(&self) -> Option<String> {
        let now = self.extent();
        let (frames, branches) = (now.frames(), now.branches.len());
        let much = branches > 1 || now.edited || frames >= WORTH_ASKING;
        if !much || self.keeper.saved.as_ref().is_some_and(|s| now.is_in(s)) {
            return None;
        }
        let mut parts = vec![format!("{frames} frames")];
        if branches > 1 {
            parts.push(format!("{branches} branches"));
        }
        if now.edited {
            parts.push("a history edited by hand".to_owned());
        }
        Some(parts.join(", "))
    }

    /// Keeps a copy now and then; called once a window frame.
    pub(super) fn keep_copy(&mut self, ctx: &egui::Context) {
        if let Some(writing) = &self.keeper.writing {
            let (result, took) = match writing.result.try_recv() {
                Ok(done) => done,
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => (Ok(()), EVERY),
            };
            self.keeper.pause = took * SHARE;
            self.keeper.writing = None;
            if let Err(error) = result
                && !std::mem::replace(&mut self.keeper.failed, true)
            {
                self.notices.warn(UserError::new(
                    "No copy of the rollout can be kept in case of a crash",
                    format!("{}: {}", error.headline, error.cause),
                    "Save the session yourself now and then (Ctrl+S)",
                ));
            }
        }
        let Some(path) = self.keeper.path.clone().filter(|_| !self.keeper.failed) else {
            return;
        };
        // During a lesson the copy from before it stays.
        if self.lessons.tour.is_some() {
            return;
        }
        if let Some((version, at)) = &self.keeper.last {
            if *version == self.version {
                return;
            }
            let left = EVERY.max(self.keeper.pause).saturating_sub(at.elapsed());
            if !left.is_zero() {
                // The last change before everything rests, too.
                ctx.request_repaint_after(left);
                return;
            }
        }
        let worth = self.archive.branches.len() > 1 || self.last() >= WORTH_KEEPING;
        let frames = (self.last() - self.first() + 1).max(self.archive.in_memory());
        if !worth || frames * self.memory_of_a_frame() > LARGEST {
            return;
        }
        let dark = ctx.theme() == egui::Theme::Dark;
        let Some(plan) = self.plan_as(Format::Session, dark, path) else {
            return;
        };
        let (sender, result) = channel();
        let watch = Watch::default();
        let (inside, wake) = (watch.clone(), ctx.clone());
        let began = Instant::now();
        let spawned = std::thread::Builder::new()
            .name("keeping a copy".into())
            .spawn(move || {
                let done = plan.run(&inside);
                let _ = sender.send((done, began.elapsed()));
                wake.request_repaint();
            });
        self.keeper.last = Some((self.version, began));
        match spawned {
            Ok(_) => self.keeper.writing = Some(Writing { watch, result }),
            Err(error) => log::warn!("no copy is kept: {error}"),
        }
    }

    /// Stops the window from closing where something would be lost, and asks.
    pub(super) fn before_closing(&mut self, ctx: &egui::Context) {
        if !ctx.input(|i| i.viewport().close_requested()) {
            return;
        }
        if self.keeper.question != Question::Sure && self.loss().is_some() {
            ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            if self.keeper.question == Question::Silent {
                self.keeper.question = Question::Asked;
            }
        }
    }

    /// Keeps copies in a folder, and offers what a program that ended badly has left there; where something else is being
    /// opened (`busy`) it only says where that is.
    pub fn keep_copies_in(&mut self, folder: &Path, busy: bool) {
        self.keeper = Keeper::in_folder(folder);
        if let Some(path) = self.keeper.recovered.clone() {
            log::info!("found what a crash has left: {}", path.display());
            if busy {
                self.notices.warn(UserError::new(
                    "The program did not end as it should last time",
                    format!("a copy of its rollout was kept: {}", path.display()),
                    "Open that file to go on with it (Ctrl+O)",
                ));
            } else {
                self.read_any(path);
            }
        }
    }
}

/// The question before the window is closed.
pub fn window(ctx: &egui::Context, state: &mut State) {
    match state.keeper.question {
        Question::Silent => return,
        Question::Sure => {
            if !ctx.input(|i| i.viewport().close_requested()) {
                ctx.send_viewport_cmd(ViewportCommand::Close);
            }
            return;
        }
        Question::AfterLesson => {
            if state.facts.is_some() && !state.archive.frames.is_empty() {
                state.keeper.question = Question::Saving;
                state.open_export(Format::Session);
            }
            return;
        }
        Question::Saving => {
            if state.files.save_open || state.keeper.pending.is_some() {
                return;
            }
            // Not saved after all.
            state.keeper.question = Question::Asked;
        }
        Question::Asked => {}
    }
    let Some(loss) = state.loss() else {
        // Another rollout has begun meanwhile.
        state.keeper.question = Question::Silent;
        return;
    };
    let mut open = true;
    let (mut save, mut quit, mut cancel) = (false, false, false);
    let busy = state.files.is_writing();
    let shown = egui::Window::new("Close without saving?")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .anchor(egui::Align2::CENTER_CENTER, [0.0, -40.0])
        .show(ctx, |ui| {
            ui.set_width(400.0);
            let which = match state.lessons.tour.is_some() {
                true => "The rollout from before the lesson",
                false => "The rollout on screen",
            };
            ui.label(format!("{which} is not saved: {loss}."));
            ui.add_space(GRID);
            let about = match busy {
                true => "A file is being written; closing now ends that too.",
                false => "A session file keeps all of it, to go on with.",
            };
            ui.label(RichText::new(about).small().weak());
            ui.add_space(2.0 * GRID);
            ui.horizontal(|ui| {
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    let button = ui.add_enabled(!busy, Button::new("Save the session…"));
                    save = button.clicked();
                    if !busy && ui.memory(|m| m.focused().is_none()) {
                        button.request_focus();
                    }
                    quit = ui.button("Close without saving").clicked();
                    cancel = ui.button("Cancel").clicked();
                });
            });
        });
    widgets::modal(ctx, shown.as_ref());
    if save && state.lessons.tour.is_some() {
        state.keeper.question = Question::AfterLesson;
        state.leave_lesson();
    } else if save {
        state.keeper.question = Question::Saving;
        state.open_export(Format::Session);
    } else if quit {
        state.keeper.question = Question::Sure;
        ctx.send_viewport_cmd(ViewportCommand::Close);
    } else if cancel || !open {
        state.keeper.question = Question::Silent;
    }
}

#[cfg(test)]
mod tests;
