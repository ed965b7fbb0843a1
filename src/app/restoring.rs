//! Files that are opened: a session goes on, a recipe is followed again, a start is started from.
//!
//! Reading happens on a thread of its own. What is found is shown before anything is done with it, so that the rollout on
//! screen is not lost by a file that was dropped by mistake.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use serde_json::{Value, json};

use crate::error::UserError;
use crate::export::{Carried, Newer, Reading, Recipe, SessionFile, hash, kind_of, read};
use crate::model::Model;
use crate::rollout::protocol::{Command, Scripted};

use super::playback::Playback;
use super::state::State;

/// Endings of files that can be started from if they carry no recipe.
const STARTS: [&str; 5] = ["nc", "nc4", "cdf", "netcdf", "npy"];

/// What was found in a file.
#[derive(Debug, Clone)]
pub struct Found {
    /// The file.
    pub path: PathBuf,
    /// What it holds.
    pub what: What,
    /// The model that it was made with, if it is there.
    pub model: Option<FoundModel>,
    /// What a person should know before it is used.
    pub notes: Vec<String>,
}

/// The model of a file, as it is here.
#[derive(Debug, Clone)]
pub struct FoundModel {
    /// Name or folder to open it by.
    pub name: String,
    /// Whether its weights are those that the file was made with.
    pub same: bool,
}

/// What a file holds.
#[derive(Debug, Clone)]
pub enum What {
    /// A rollout with its frames.
    Session(Box<SessionFile>),
    /// How a rollout was made.
    Recipe(Box<Recipe>),
    /// A recipe of a newer format.
    Newer(Box<Newer>),
}

impl What {
    /// Name of the model.
    pub fn model(&self) -> &str {
        match self {
            Self::Session(s) => &s.recipe.model,
            Self::Recipe(r) => &r.model,
            Self::Newer(n) => &n.model,
        }
    }
}

enum Read {
    Found(Box<Found>),
    /// No recipe in it, but frames to start from.
    Start(PathBuf),
    Failed(UserError),
}

/// Files being opened.
#[derive(Debug, Default)]
pub struct Restoring {
    reading: Option<Receiver<Read>>,
    /// What waits for a person's yes.
    pub found: Option<Found>,
    /// A start that waits for the model.
    start: Option<PathBuf>,
    /// Restore without asking if there is nothing to be told.
    at_once: bool,
    /// Number and hash of the frame that a recipe leads to, while it is followed.
    awaited: Option<(usize, Option<String>)>,
}

impl std::fmt::Debug for Read {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Read")
    }
}

impl Restoring {
    /// Whether a file is being read.
    pub fn is_reading(&self) -> bool {
        self.reading.is_some()
    }

    /// Another rollout begins: nothing is waited for.
    pub fn forget(&mut self) {
        self.awaited = None;
    }
}

/// Whether a file can be a start for a rollout.
pub fn can_start(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    STARTS.contains(&ending.to_ascii_lowercase().as_str())
}

fn read_file(path: PathBuf) -> Read {
    let carried = match read(&path) {
        Ok(carried) => carried,
        Err(_) if can_start(&path) => return Read::Start(path),
        Err(error) => return Read::Failed(error),
    };
    let what = match carried {
        Carried::Session(session) => What::Session(session),
        Carried::Recipe(Reading::Whole(recipe)) => What::Recipe(recipe),
        Carried::Recipe(Reading::Newer(newer)) => What::Newer(newer),
    };
    let model = find_model(&what);
    let notes = notes(&what, model.as_ref());
    Read::Found(Box::new(Found {
        path,
        what,
        model,
        notes,
    }))
}

/// The model of a file: a shipped one by its name, or the folder that the recipe names.
fn find_model(what: &What) -> Option<FoundModel> {
    let recipe = match what {
        What::Session(s) => Some(&s.recipe),
        What::Recipe(r) => Some(&**r),
        What::Newer(_) => None,
    };
    let folder = recipe.and_then(|r| r.model_folder.as_ref());
    let name = match folder {
        Some(folder) => folder.display().to_string(),
        None => what.model().to_owned(),
    };
    let model = Model::open(&name).ok()?;
    Some(FoundModel {
        name,
        same: recipe.is_none_or(|r| r.model_hash == model.hash()),
    })
}

fn notes(what: &What, model: Option<&FoundModel>) -> Vec<String> {
    let mut notes = Vec::new();
    match model {
        None => notes.push(format!(
            "The model {} is not here: its settings can be used with the present one.",
            what.model()
        )),
        Some(model) if !model.same => notes.push(format!(
            "The model {} has other weights here than when the file was made: the frames will differ.",
            what.model()
        )),
        Some(_) => {}
    }
    let recipe = match what {
        What::Newer(newer) => {
            notes.push(format!(
                "It was written by eddyscope {}, and its recipe is of a newer kind ({}). What of its settings is understood \
                 can be used; the frames cannot be made again.",
                newer.version, newer.format
            ));
            return notes;
        }
        What::Session(s) => &s.recipe,
        What::Recipe(r) => r,
    };
    let follows = matches!(what, What::Recipe(_));
    let start = recipe.rollout.start_file.as_ref();
    if let Some(start) = start.filter(|s| follows && !s.exists()) {
        notes.push(format!(
            "It began from the file {}, which is not there: another start will be used.",
            start.display()
        ));
    }
    if follows && recipe.incomplete {
        notes.push(
            "Its first frames were no longer kept: how they were made is a guess.".to_owned(),
        );
    }
    if let Some(edited) = recipe.edited.filter(|_| follows) {
        notes.push(format!(
            "Its frames were edited by hand at frame {edited}: they are made again up to the one before. A session file \
             keeps edited frames."
        ));
    }
    if follows && recipe.format < 2 && recipe.frame > 4 {
        notes.push(
            "It is of an older kind that knows only the last settings: all frames will be made with them.".to_owned(),
        );
    }
    notes
}

impl State {
    /// Opens files of any kind: a model folder, a session, anything that carries a recipe, a start.
    pub fn open_files(&mut self, ctx: &egui::Context, paths: Vec<PathBuf>) {
        match paths.as_slice() {
            [] => {}
            [folder] if folder.is_dir() => {
                let folder = folder.clone();
                self.open_folder(&folder.display().to_string());
            }
            [file] => self.read_aside(ctx, file.clone(), false),
            // Several files are a recording.
            _ => self.start_from(ctx, paths),
        }
    }

    /// Opens the file that the program was started with.
    pub fn open_argument(&mut self, ctx: &egui::Context, path: PathBuf) {
        match path.is_dir() {
            true => self.open_files(ctx, vec![path]),
            false => self.read_aside(ctx, path, true),
        }
    }

    fn read_aside(&mut self, ctx: &egui::Context, path: PathBuf, at_once: bool) {
        let (sender, receiver) = channel();
        let ctx = ctx.clone();
        let run = move || {
            let _ = sender.send(read_file(path));
            ctx.request_repaint();
        };
        let thread = std::thread::Builder::new().name("open-file".into());
        match thread.spawn(run) {
            Ok(_) => {
                self.restoring.reading = Some(receiver);
                self.restoring.at_once = at_once;
            }
            Err(e) => self
                .notices
                .warn(UserError::new("Cannot open the file", e, "Try again")),
        }
    }

    /// Takes in what was read, and looks whether a recipe has been followed to its end.
    pub fn poll_restoring(&mut self, ctx: &egui::Context) {
        if let Some(receiver) = &self.restoring.reading {
            match receiver.try_recv() {
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => {
                    self.restoring.reading = None;
                    self.notices.warn(UserError::new(
                        "Cannot open the file",
                        "reading it ended with an internal error (see the log)",
                        "Report this with the file",
                    ));
                }
                Ok(read) => {
                    self.restoring.reading = None;
                    self.take_in(read);
                }
            }
        }
        // What a start is read as depends on the model's world.
        if self.facts.is_some()
            && let Some(path) = self.restoring.start.take()
        {
            self.start_from(ctx, vec![path]);
        }
        self.compare_awaited();
    }

    fn take_in(&mut self, read: Read) {
        match read {
            Read::Failed(error) => self.notices.warn(error),
            Read::Start(path) => {
                self.remember(&path);
                self.restoring.start = Some(path);
            }
            Read::Found(found) => {
                self.remember(&found.path);
                let plain = found.notes.is_empty() && !can_start(&found.path);
                self.restoring.found = Some(*found);
                if self.restoring.at_once && plain {
                    self.restore();
                }
            }
        }
    }

    /// Starts from the frames in the file that was found, whatever its recipe.
    pub fn start_from_found(&mut self, ctx: &egui::Context) {
        if let Some(found) = self.restoring.found.take() {
            self.start_from(ctx, vec![found.path]);
        }
    }

    /// Restores the run that was found: goes on with its frames, or makes them again.
    pub fn restore(&mut self) {
        let Some(found) = self.restoring.found.take() else {
            return;
        };
        let Some(model) = found
            .model
            .filter(|_| !matches!(found.what, What::Newer(_)))
        else {
            self.use_settings(found.what);
            return;
        };
        match found.what {
            What::Session(session) => self.restore_session(&model, *session),
            What::Recipe(recipe) => self.follow(&model, &recipe),
            What::Newer(_) => {}
        }
    }

    /// The settings, seed and members of a file with the model in use.
    fn use_settings(&mut self, what: What) {
        let (settings, rollout) = match what {
            What::Session(s) => (s.recipe.settings, s.recipe.rollout),
            What::Recipe(r) => (r.settings, r.rollout),
            What::Newer(n) => (n.settings, n.rollout),
        };
        let model = self.prefs.model_name().to_owned();
        if self.end_lesson() && model != self.prefs.model_name() {
            // The lesson's model stays in use.
            self.prefs.switch(&model);
        }
        self.prefs.settings = settings;
        self.prefs.spec.seed = rollout.seed;
        self.prefs.spec.members = rollout.members;
        self.files.show_start(&self.prefs.spec);
        self.publish();
        self.restart();
        self.notices
            .news("A new rollout with the settings of the file");
    }

    /// Model, settings, spec and look of a recipe.
    fn dress_as(&mut self, model: &FoundModel, recipe: &Recipe) {
        self.end_lesson();
        if model.name != self.prefs.model_name() {
            self.prefs.switch(&model.name);
        }
        self.prefs.settings = recipe.settings.clone();
        self.prefs.spec = recipe.rollout.clone();
        self.restored = true;
        self.forget_model();
        self.member = recipe.member;
        self.view = recipe.view;
        if let Some(globe) = &recipe.globe {
            let prefs = &mut self.prefs.globe;
            (prefs.view, prefs.scale) = (globe.view, globe.scale);
            (prefs.coast, prefs.graticule) = (globe.coast, globe.graticule);
        }
    }

    /// Makes the frames of a recipe again, up to the one in the file.
    fn follow(&mut self, model: &FoundModel, recipe: &Recipe) {
        self.dress_as(model, recipe);
        let whole = || Scripted {
            frame: 0,
            step: 0,
            settings: recipe.settings.clone(),
        };
        let script = match recipe.changes.is_empty() {
            true => vec![whole()],
            false => recipe.changes.clone(),
        };
        // What was edited by hand is not in a recipe.
        let until = match recipe.edited {
            Some(edited) => recipe.frame.min(edited.saturating_sub(1)),
            None => recipe.frame,
        };
        let expected = recipe.frame_hash.clone();
        let expected = expected.filter(|_| model.same && until == recipe.frame);
        self.launch_with(
            None,
            Some(Command::Replay {
                script: Arc::new(script),
                until,
            }),
        );
        self.restoring.awaited = Some((until, expected));
        self.recorded_on = recipe.device_kind.clone();
    }

    fn restore_session(&mut self, model: &FoundModel, session: SessionFile) {
        self.dress_as(model, &session.recipe);
        let extra = session.extra;
        self.launch_with(Some(session.archive), None);
        self.play = Playback::default();
        self.take_extra(&extra);
        self.restoring.awaited = None;
    }

    /// When the frame that a recipe leads to is there: whether it is the same.
    fn compare_awaited(&mut self) {
        let Some((frame, expected)) = &self.restoring.awaited else {
            return;
        };
        if self.generation != 0 {
            // Settings were changed on the way: it is another run now.
            self.restoring.awaited = None;
            return;
        }
        let frame = *frame;
        let Some(set) = self.frame(frame) else {
            return;
        };
        let Some(expected) = expected else {
            self.notices.news(format!("Restored up to frame {frame}"));
            self.restoring.awaited = None;
            return;
        };
        if hash(set) == *expected {
            self.notices
                .news(format!("Restored: frame {frame} is the same, bit for bit"));
        } else {
            let here = self.facts.as_ref().map_or("", |f| kind_of(&f.device));
            let other = !self.recorded_on.is_empty() && here != self.recorded_on;
            let cause = match other {
                true => {
                    "it was computed on another kind of device, where sums are rounded otherwise"
                        .to_owned()
                }
                false => "the start, the lanes or the model are not those of the file".to_owned(),
            };
            self.notices.warn(UserError::new(
                format!("Frame {frame} is not the one in the file"),
                cause,
                "The settings are the same; a session file keeps the frames themselves",
            ));
        }
        self.restoring.awaited = None;
    }

    /// What a session keeps beside the frames.
    pub(super) fn session_extra(&self) -> Value {
        json!({
            "shown": self.shown().map(|f| f.index),
            "pin": self.pin,
        })
    }

    fn take_extra(&mut self, extra: &Value) {
        let pin = extra.get("pin").cloned().unwrap_or_default();
        self.pin = serde_json::from_value(pin).unwrap_or_default();
    }
}
