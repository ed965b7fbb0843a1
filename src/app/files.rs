//! Dialogs of the system and their typed twins; the export in flight.
//!
//! A dialog runs on its own thread and never blocks the window. Where none opens (no portal on the desktop) the typed
//! path beside it does the same.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Duration;

use crate::error::UserError;
use crate::export::{Format, Watch};
use crate::rollout::settings::{LANES, RolloutSpec};

use super::prefs::Prefs;

/// What a dialog was opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A start file.
    Start,
    /// A file to open, of any kind.
    Open,
    /// Where to write an export.
    Export(Format),
    /// A model folder.
    Model,
    /// Where to save a plot.
    Plot,
}

/// What is chosen in the export window.
#[derive(Debug, Clone)]
pub struct ExportChoice {
    /// Kind of file.
    pub format: Format,
    /// First frame.
    pub first: usize,
    /// Last frame.
    pub last: usize,
    /// Every so many frames.
    pub every: usize,
    /// Width of a lane, pixels; 0 = one that fits the world.
    pub side: usize,
    /// Pictures a second.
    pub rate: f32,
    /// Lanes in the file, of those on screen.
    pub lanes: [bool; LANES],
    /// The difference too, in pictures and films.
    pub difference: bool,
}

impl Default for ExportChoice {
    fn default() -> Self {
        Self {
            format: Format::Png,
            first: 0,
            last: 0,
            every: 1,
            side: 0,
            rate: 12.0,
            lanes: [true; LANES],
            difference: true,
        }
    }
}

/// An export that is being written.
#[derive(Debug)]
pub struct Writing {
    /// Its progress.
    pub watch: Watch,
    /// The file.
    pub path: PathBuf,
    result: Receiver<Result<(), UserError>>,
}

/// Typed paths and dialogs in flight.
#[derive(Debug, Default)]
pub struct Files {
    /// Typed path of the start file; empty = the solver makes a start.
    pub start_path: String,
    /// Typed date of the start, on the globe; empty = the seed chooses.
    pub start_date: String,
    /// Typed path of the export.
    pub picture_path: String,
    /// The path of the export that was proposed last.
    pub(super) proposed: String,
    /// Typed path of a model folder.
    pub model_path: String,
    /// Typed path of a file to open.
    pub open_path: String,
    /// Whether the window that asks for a model folder is open.
    pub model_open: bool,
    /// Whether the window that asks for a file to open is open.
    pub open_open: bool,
    /// Whether the export window is open.
    pub save_open: bool,
    /// Whether the text field of the window just opened should take the keyboard.
    pub save_focus: bool,
    /// What is chosen in the export window.
    pub choice: ExportChoice,
    dialog: Option<(Purpose, Receiver<Option<PathBuf>>)>,
    writing: Option<Writing>,
    failed: Vec<UserError>,
}

fn no_dialog(why: impl std::fmt::Display) -> UserError {
    UserError::new(
        "The system's file dialog could not be opened",
        why,
        "Type the path instead, or drop the file on the window",
    )
}

impl Files {
    /// Paths as they were left.
    pub fn new(prefs: &Prefs) -> Self {
        let mut files = Self::default();
        files.show_start(&prefs.spec);
        files
    }

    /// The typed start is that of a rollout from now on.
    pub fn show_start(&mut self, spec: &RolloutSpec) {
        let path = spec.start_file.as_ref().map(|p| p.display().to_string());
        self.start_path = path.unwrap_or_default();
        self.start_date = spec.start_date.map_or(String::new(), |d| d.to_string());
    }

    /// Whether a dialog is open.
    pub fn waiting(&self) -> bool {
        self.dialog.is_some()
    }

    /// The export being written.
    pub fn writing(&self) -> Option<&Writing> {
        self.writing.as_ref()
    }

    /// Whether an export is being written.
    pub fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    /// Opens a dialog; `near` is the path that is typed now.
    pub fn open_dialog(&mut self, ctx: &egui::Context, purpose: Purpose, near: &Path) {
        let (sender, receiver) = channel();
        let ctx = ctx.clone();
        let folder = near.parent().map(Path::to_owned);
        let name = near.file_name().map(|n| n.to_string_lossy().into_owned());
        let run = move || {
            let mut dialog = rfd::AsyncFileDialog::new();
            if let Some(folder) = folder.filter(|f| f.is_dir()) {
                dialog = dialog.set_directory(folder);
            }
            let path = match purpose {
                Purpose::Start => pollster::block_on(
                    dialog
                        .set_title("Start from a file")
                        .add_filter("Fields", &["nc", "npy"])
                        .add_filter("All files", &["*"])
                        .pick_file(),
                ),
                Purpose::Open => {
                    let endings: Vec<&str> = Format::ALL.iter().map(|(f, _)| f.ending()).collect();
                    pollster::block_on(
                        dialog
                            .set_title("Open a session, a recipe or a start")
                            .add_filter("Files of eddyscope", &endings)
                            .add_filter("All files", &["*"])
                            .pick_file(),
                    )
                }
                Purpose::Model => {
                    pollster::block_on(dialog.set_title("Open a model folder").pick_folder())
                }
                Purpose::Plot => {
                    if let Some(name) = name {
                        dialog = dialog.set_file_name(name);
                    }
                    pollster::block_on(
                        dialog
                            .set_title("Save the plot")
                            .add_filter("Picture or table", &["svg", "png", "csv"])
                            .save_file(),
                    )
                }
                Purpose::Export(format) => {
                    if let Some(name) = name {
                        dialog = dialog.set_file_name(name);
                    }
                    let label = Format::ALL.iter().find(|(f, _)| *f == format);
                    pollster::block_on(
                        dialog
                            .set_title("Export")
                            .add_filter(label.map_or("File", |(_, n)| n), &[format.ending()])
                            .save_file(),
                    )
                }
            };
            // The window may be gone by now.
            let _ = sender.send(path.map(|handle| handle.path().to_owned()));
            ctx.request_repaint();
        };
        let spawned = std::thread::Builder::new()
            .name("file-dialog".into())
            .spawn(run);
        match spawned {
            Ok(_) => self.dialog = Some((purpose, receiver)),
            Err(e) => self.failed.push(no_dialog(e)),
        }
    }

    /// The path chosen in a dialog, once.
    pub fn poll_dialog(&mut self) -> Option<(Purpose, PathBuf)> {
        let (purpose, receiver) = self.dialog.as_ref()?;
        let purpose = *purpose;
        match receiver.try_recv() {
            Ok(path) => {
                self.dialog = None;
                path.map(|p| (purpose, p))
            }
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                self.dialog = None;
                self.failed.push(no_dialog("its thread has ended"));
                None
            }
        }
    }

    /// What went wrong since this was last asked.
    pub fn poll_failed(&mut self) -> Vec<UserError> {
        std::mem::take(&mut self.failed)
    }

    /// Writes `path` on a thread of its own; what comes of it is told by [`Self::poll_written`].
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn write_aside(
        &mut self,
        ctx: &egui::Context,
        path: PathBuf,
        write: impl FnOnce(&Watch) -> Result<(), UserError> + Send + 'static,
    ) -> Result<(), UserError> {
        let (sender, result) = channel();
        let (ctx, watch) = (ctx.clone(), Watch::default());
        let inside = watch.clone();
        let spawned = std::thread::Builder::new()
            .name("export".into())
            .spawn(move || {
                let _ = sender.send(write(&inside));
                ctx.request_repaint();
            });
        spawned.map_err(|e| {
            UserError::new(
                format!("Cannot write {}", path.display()),
                e,
                "Close other programs, and try again",
            )
        })?;
        self.writing = Some(Writing {
            watch,
            path,
            result,
        });
        Ok(())
    }

    /// What became of the export, once.
    pub fn poll_written(&mut self) -> Option<Written> {
        let writing = self.writing.as_ref()?;
        let result = match writing.result.try_recv() {
            Ok(result) => result,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => Err(UserError::new(
                format!("Cannot write {}", writing.path.display()),
                "its thread ended before the file was written",
                "Try again, with another file name",
            )),
        };
        let writing = self.writing.take()?;
        Some(Written {
            cancelled: result.is_err() && writing.watch.is_cancelled(),
            path: writing.path.clone(),
            result,
        })
    }
}

impl Drop for Writing {
    /// The window is gone: nobody waits for the file any more. Its thread is given a moment to clear up.
    fn drop(&mut self) {
        self.watch.cancel();
        let _ = self.result.recv_timeout(Duration::from_secs(3));
    }
}

/// An export that came to its end.
#[derive(Debug)]
pub struct Written {
    /// The file.
    pub path: PathBuf,
    /// Whether it was cancelled.
    pub cancelled: bool,
    /// What became of it.
    pub result: Result<(), UserError>,
}
