//! What would be lost: a copy of the rollout kept in case the program ends badly, and a question before it is closed.
//!
//! Every now and then the session is written beside the settings of the window (`kept-N.eddyscope`; N is this program's own
//! as long as it holds the lock `kept-N.lock`). A program that is closed removes its copy; a copy without an owner is what a
//! crash left, and is offered at the next start.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use egui::{Align, Layout, RichText, ViewportCommand};

use crate::error::UserError;
use crate::export::{Format, Watch};

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
    /// Rollout, branches and frames of the last session that was saved.
    saved: Option<Extent>,
    /// The question is on screen.
    asks: bool,
    sure: bool,
}

/// A copy that is being written.
#[derive(Debug)]
struct Writing {
    watch: Watch,
    began: Instant,
    result: Receiver<Result<(), UserError>>,
}

/// How much there is of a rollout.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Extent {
    epoch: u64,
    branches: usize,
    edited: bool,
    last: usize,
}

impl Keeper {
    /// A keeper in a folder, and what a program that ended badly has left there.
    pub fn in_folder(folder: &Path) -> (Self, Option<PathBuf>) {
        if let Err(error) = fs::create_dir_all(folder) {
            log::warn!("no copies are kept in {}: {error}", folder.display());
            return (Self::default(), None);
        }
        let mut own = None;
        let mut left = None;
        for n in 0..SLOTS {
            let path = folder.join(format!("kept-{n}.eddyscope"));
            if own.is_some() && (left.is_some() || !path.is_file()) {
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
            if left.is_none() && path.is_file() {
                let recovered = folder.join("recovered.eddyscope");
                match fs::rename(&path, &recovered) {
                    Ok(()) => left = Some(recovered),
                    Err(error) => log::warn!("cannot take up {}: {error}", path.display()),
                }
            }
            if own.is_none() && !path.is_file() {
                own = Some((lock, path));
            }
        }
        let (lock, path) = own.unzip();
        let keeper = Self {
            lock,
            path,
            ..Self::default()
        };
        (keeper, left)
    }

    /// The program is closed as it should be: no copy stays.
    pub fn end(&mut self) {
        if let Some(writing) = self.writing.take() {
            writing.watch.cancel();
            // Its temporary file goes with it.
            let _ = writing.result.recv_timeout(Duration::from_secs(2));
        }
        if let Some(path) = self.path.take()
            && path.is_file()
            && let Err(error) = fs::remove_file(&path)
        {
            log::warn!("cannot remove {}: {error}", path.display());
        }
        self.lock = None;
    }

    /// Whether the question is on screen.
    pub fn asks(&self) -> bool {
        self.asks
    }

    /// The question is withdrawn.
    pub fn withdraw(&mut self) {
        self.asks = false;
    }
}

impl State {
    fn extent(&self) -> Extent {
        Extent {
            epoch: self.version.0,
            branches: self.archive.branches.len(),
            edited: self.archive.branches.iter().any(|b| b.edited > 0),
            last: self.last(),
        }
    }

    /// The session on screen has been saved by its owner.
    pub(super) fn note_saved(&mut self) {
        self.keeper.saved = Some(self.extent());
    }

    /// What closing would lose, in words. A rollout that its seed gives again within a minute is no loss.
    fn loss(&self) -> Option<String> {
        let now = self.extent();
        let new = match self.keeper.saved {
            Some(saved) if saved.epoch == now.epoch => {
                now.branches != saved.branches
                    || now.edited != saved.edited
                    || now.last >= saved.last + WORTH_ASKING
            }
            _ => true,
        };
        let much = now.branches > 1 || now.edited || now.last >= WORTH_ASKING;
        if !new || !much {
            return None;
        }
        let frames = format!("{} frames", now.last + 1);
        let mut parts = vec![frames];
        if now.branches > 1 {
            parts.push(format!("{} branches", now.branches));
        }
        if now.edited {
            parts.push("a history edited by hand".to_owned());
        }
        Some(parts.join(", "))
    }

    /// Keeps a copy now and then; called once a window frame.
    pub(super) fn keep_copy(&mut self, ctx: &egui::Context) {
        if let Some(writing) = &self.keeper.writing {
            let result = match writing.result.try_recv() {
                Ok(result) => result,
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => Ok(()),
            };
            self.keeper.pause = writing.began.elapsed() * SHARE;
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
        let worth = self.archive.branches.len() > 1 || self.last() >= WORTH_KEEPING;
        let bytes = (self.last() - self.first() + 1).max(self.archive.in_memory())
            * self.memory_of_a_frame();
        if !worth || bytes > LARGEST {
            return;
        }
        let due = match &self.keeper.last {
            Some((version, at)) => {
                *version != self.version && at.elapsed() >= EVERY.max(self.keeper.pause)
            }
            None => true,
        };
        if !due {
            return;
        }
        let dark = ctx.theme() == egui::Theme::Dark;
        let Some(plan) = self.plan_as(Format::Session, dark, path) else {
            return;
        };
        let (sender, result) = channel();
        let watch = Watch::default();
        let inside = watch.clone();
        let spawned = std::thread::Builder::new()
            .name("keeping a copy".into())
            .spawn(move || {
                let _ = sender.send(plan.run(&inside));
            });
        let began = Instant::now();
        self.keeper.last = Some((self.version, began));
        match spawned {
            Ok(_) => {
                self.keeper.writing = Some(Writing {
                    watch,
                    began,
                    result,
                });
            }
            Err(error) => log::warn!("no copy is kept: {error}"),
        }
    }

    /// Stops the window from closing where something would be lost, and asks.
    pub(super) fn before_closing(&mut self, ctx: &egui::Context) {
        if !ctx.input(|i| i.viewport().close_requested()) {
            return;
        }
        if !self.keeper.sure && self.loss().is_some() {
            ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            self.keeper.asks = true;
        }
    }

    /// Keeps copies in a folder, and offers what a program that ended badly has left there; where something else is being
    /// opened (`busy`) it only says where that is.
    pub fn keep_copies_in(&mut self, folder: &Path, busy: bool) {
        let (keeper, left) = Keeper::in_folder(folder);
        self.keeper = keeper;
        if let Some(path) = left {
            log::info!("found what a crash has left: {}", path.display());
            if busy {
                self.notices.warn(UserError::new(
                    "The program did not end as it should last time",
                    format!("a copy of its rollout was kept: {}", path.display()),
                    "Open that file to go on with it (Ctrl+O)",
                ));
            } else {
                self.recovered = Some(path.clone());
                self.read_any(path);
            }
        }
    }
}

/// The question before the window is closed.
pub fn window(ctx: &egui::Context, state: &mut State) {
    if !state.keeper.asks {
        return;
    }
    let Some(loss) = state.loss() else {
        // Saved meanwhile: what was asked for.
        state.keeper.asks = false;
        state.keeper.sure = true;
        ctx.send_viewport_cmd(ViewportCommand::Close);
        return;
    };
    if state.files.save_open || state.files.is_writing() {
        return;
    }
    let mut open = true;
    let (mut save, mut quit, mut cancel) = (false, false, false);
    let shown = egui::Window::new("Close without saving?")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .anchor(egui::Align2::CENTER_CENTER, [0.0, -40.0])
        .show(ctx, |ui| {
            ui.set_width(400.0);
            ui.label(format!("The rollout on screen is not saved: {loss}."));
            ui.add_space(GRID);
            let about = "A session file keeps all of it, to go on with.";
            ui.label(RichText::new(about).small().weak());
            ui.add_space(2.0 * GRID);
            ui.horizontal(|ui| {
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    let button = ui.button("Save the session…");
                    save = button.clicked();
                    if ui.memory(|m| m.focused().is_none()) {
                        button.request_focus();
                    }
                    quit = ui.button("Close without saving").clicked();
                    cancel = ui.button("Cancel").clicked();
                });
            });
        });
    widgets::modal(ctx, shown.as_ref());
    if save {
        state.open_export(Format::Session);
    } else if quit {
        state.keeper.sure = true;
        ctx.send_viewport_cmd(ViewportCommand::Close);
    }
    if cancel || quit || !open {
        state.keeper.asks = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crash_left_is_found_once_and_a_living_programs_copy_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (first, left) = Keeper::in_folder(folder.path());
        assert_eq!(left, None);
        let own = first.path.clone().unwrap();
        fs::write(&own, "a").unwrap();

        let (mut second, left) = Keeper::in_folder(folder.path());
        assert_eq!(left, None, "the first program lives");
        let other = second.path.clone().unwrap();
        assert_ne!(other, own);
        fs::write(&other, "b").unwrap();

        // The first one dies, the second one ends as it should.
        drop(first);
        second.end();
        assert!(!other.is_file());
        let (third, left) = Keeper::in_folder(folder.path());
        let left = left.unwrap();
        assert_eq!(fs::read_to_string(&left).unwrap(), "a");
        assert!(!own.is_file() && third.path.is_some());
        drop(third);
        assert_eq!(Keeper::in_folder(folder.path()).1, None);
    }

    #[test]
    fn a_folder_that_cannot_be_made_keeps_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let (keeper, left) = Keeper::in_folder(&file);
        assert!(keeper.path.is_none() && left.is_none());
    }
}
