//! Dialogs of the system and their typed twins.
//!
//! A dialog runs on its own thread and never blocks the window. Where none opens (no portal on the desktop) the typed
//! path beside it does the same.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use crate::error::UserError;

use super::prefs::Prefs;

/// What a dialog was opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A start file.
    Start,
    /// Where to save the picture.
    Picture,
    /// A model folder.
    Model,
    /// Where to save a plot.
    Plot,
}

/// Typed paths and dialogs in flight.
#[derive(Debug, Default)]
pub struct Files {
    /// Typed path of the start file; empty = the solver makes a start.
    pub start_path: String,
    /// Typed date of the start, on the globe; empty = the seed chooses.
    pub start_date: String,
    /// Typed path of the picture.
    pub picture_path: String,
    /// Typed path of a model folder.
    pub model_path: String,
    /// Whether the window that asks for it is open.
    pub model_open: bool,
    /// Whether the save window is open.
    pub save_open: bool,
    /// Whether its text field should take the keyboard.
    pub save_focus: bool,
    dialog: Option<(Purpose, Receiver<Option<PathBuf>>)>,
    writing: Option<Receiver<Result<PathBuf, UserError>>>,
}

impl Files {
    /// Paths as they were left.
    pub fn new(prefs: &Prefs) -> Self {
        Self {
            start_path: prefs
                .spec
                .start_file
                .as_ref()
                .map(|p| p.display().to_string())
                .unwrap_or_default(),
            start_date: prefs
                .spec
                .start_date
                .map(|d| d.to_string())
                .unwrap_or_default(),
            ..Self::default()
        }
    }

    /// Whether a dialog is open.
    pub fn waiting(&self) -> bool {
        self.dialog.is_some()
    }

    /// Whether a picture is being written.
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
                Purpose::Picture => {
                    if let Some(name) = name {
                        dialog = dialog.set_file_name(name);
                    }
                    pollster::block_on(
                        dialog
                            .set_title("Save the picture")
                            .add_filter("PNG", &["png"])
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
            Err(e) => log::warn!("cannot open a file dialog: {e}"),
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
            // The thread died: the typed path is still there.
            Err(TryRecvError::Disconnected) => {
                self.dialog = None;
                None
            }
        }
    }

    /// Runs `write` on a thread of its own; its result comes from [`Self::poll_written`].
    pub fn write_aside(
        &mut self,
        ctx: &egui::Context,
        write: impl FnOnce() -> Result<PathBuf, UserError> + Send + 'static,
    ) {
        let (sender, receiver) = channel();
        let ctx = ctx.clone();
        let spawned = std::thread::Builder::new()
            .name("save-picture".into())
            .spawn(move || {
                let _ = sender.send(write());
                ctx.request_repaint();
            });
        match spawned {
            Ok(_) => self.writing = Some(receiver),
            Err(e) => log::warn!("cannot save: {e}"),
        }
    }

    /// What became of the picture, once.
    pub fn poll_written(&mut self) -> Option<Result<PathBuf, UserError>> {
        match self.writing.as_ref()?.try_recv() {
            Ok(result) => {
                self.writing = None;
                Some(result)
            }
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                self.writing = None;
                Some(Err(UserError::new(
                    "Cannot save the picture",
                    "its thread ended before the file was written",
                    "Try again, with another file name",
                )))
            }
        }
    }
}
