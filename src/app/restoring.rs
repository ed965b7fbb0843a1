//! Files that are opened: a session goes on, a recipe is followed again, a start is started from.
//!
//! What is found ([`super::opening`]) is shown before anything is done with it, so that the rollout on screen is not lost
//! by a file that was dropped by mistake.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::error::UserError;
use crate::export::{Recipe, SessionFile, hash, kind_of};
use crate::render::ValueRange;
use crate::rollout::protocol::{Command, Scripted};

use super::opening::{Found, FoundModel, Opening, Read, Wanted, What, can_start};
use super::playback::Playback;
use super::state::State;

/// Files being opened.
#[derive(Debug, Default)]
pub struct Restoring {
    reading: Option<Opening>,
    /// What waits for a person's yes.
    pub found: Option<Found>,
    /// A start that waits for the model.
    start: Option<PathBuf>,
    /// Restore without asking if there is nothing to be told.
    at_once: bool,
    /// Number and hash of the frame that a recipe leads to, while it is followed.
    awaited: Option<(usize, Option<String>)>,
}

impl Restoring {
    /// The file being read.
    pub fn reading(&self) -> Option<&Opening> {
        self.reading.as_ref()
    }

    /// Reads it no longer.
    pub fn stop_reading(&mut self) {
        self.reading = None;
    }

    /// Whether a recipe is being followed.
    pub fn is_awaiting(&self) -> bool {
        self.awaited.is_some()
    }

    /// Another rollout begins: nothing is waited for.
    pub fn forget(&mut self) {
        self.awaited = None;
    }
}

impl State {
    /// Opens files of any kind: a model folder, a session, anything that carries a recipe, a start, a drawing.
    pub fn open_files(&mut self, ctx: &egui::Context, paths: Vec<PathBuf>) {
        match paths.as_slice() {
            [] => {}
            [folder] if folder.is_dir() => {
                let folder = folder.clone();
                self.open_folder(&folder);
            }
            [file] => self.open_file(file.clone(), false),
            // Several files are a recording.
            _ => self.start_from(ctx, paths),
        }
    }

    /// Opens the file that the program was started with.
    pub fn open_argument(&mut self, ctx: &egui::Context, path: PathBuf) {
        match path.is_dir() {
            true => self.open_files(ctx, vec![path]),
            false => self.open_file(path, true),
        }
    }

    /// Opens a model folder; one that holds no model is a warning, and the rollout on screen goes on.
    pub fn open_folder(&mut self, folder: &Path) {
        self.read_aside(folder.to_owned(), Wanted::Model);
    }

    /// Feeds a drawing as the last frame, once it is read.
    pub fn feed(&mut self, path: &Path) {
        let (nx, ny) = self.size();
        self.read_aside(path.to_owned(), Wanted::Drawing(nx, ny));
    }

    fn open_file(&mut self, path: PathBuf, at_once: bool) {
        let (nx, ny) = self.size();
        self.read_aside(path, Wanted::Any(nx, ny));
        self.restoring.at_once = at_once;
    }

    /// Reads a file of any kind and shows what is in it.
    pub(super) fn read_any(&mut self, path: PathBuf) {
        self.open_file(path, false);
    }

    fn read_aside(&mut self, path: PathBuf, wanted: Wanted) {
        match Opening::begin(path, wanted, Arc::clone(&self.wake)) {
            Ok(opening) => self.restoring.reading = Some(opening),
            Err(error) => self.notices.warn(error),
        }
    }

    /// Takes in what was read, and looks whether a recipe has been followed to its end.
    pub fn poll_restoring(&mut self, ctx: &egui::Context) {
        if let Some(opening) = self.restoring.reading.take() {
            match opening.poll() {
                Some(read) => self.take_in(ctx, &opening.path, read),
                None => {
                    // The line at the bottom counts.
                    ctx.request_repaint_after(std::time::Duration::from_millis(200));
                    self.restoring.reading = Some(opening);
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

    fn take_in(&mut self, ctx: &egui::Context, path: &Path, read: Read) {
        match read {
            Read::Failed(error) => self.notices.warn(error),
            Read::Model => {
                self.open_model(&path.display().to_string());
                self.remember(path);
            }
            Read::Drawing(_, Some(error)) if self.archive.frames.is_empty() => {
                self.notices.warn(error);
            }
            Read::Drawing(drawing, _) => self.feed_drawing(path, *drawing),
            Read::Start(path) => {
                self.remember(&path);
                self.restoring.start = Some(path);
            }
            Read::Found(found) => {
                self.remember(&found.path);
                let plain = found.notes.is_empty() && !can_start(&found.path);
                self.restoring.found = Some(*found);
                if self.restoring.at_once && plain {
                    self.restore(ctx.theme() == egui::Theme::Dark);
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

    /// Restores the run that was found: goes on with its frames, or makes them again; in a dark window or a light one.
    pub fn restore(&mut self, dark: bool) {
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
            What::Session(session) => {
                let archive = session.archive.clone();
                self.restore_session(&model, *session, dark);
                self.keeper.opened(&found.path, &archive);
            }
            What::Recipe(recipe) => self.follow(&model, &recipe, dark),
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
    fn dress_as(&mut self, model: &FoundModel, recipe: &Recipe, dark: bool) {
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
        self.color_as(model, recipe, dark);
    }

    /// Colour map and range of a recipe; what theme, data and scale give by themselves goes on following them.
    fn color_as(&mut self, model: &FoundModel, recipe: &Recipe, dark: bool) {
        let prefs = &mut self.prefs;
        let (map, range) = (recipe.color_map, recipe.range);
        (prefs.color_map, prefs.range_limit, prefs.globe.top) = (None, None, None);
        let (usual, its_range) = match recipe.globe {
            Some(_) => (prefs.rain_map(), prefs.rain_range()),
            None => (prefs.map(dark), ValueRange::for_std(model.std)),
        };
        prefs.color_map = Some(map).filter(|m| *m != usual);
        let limit = Some(range.hi).filter(|hi| *hi != its_range.hi && *hi > 0.0);
        match recipe.globe {
            Some(_) => prefs.globe.top = limit,
            None => prefs.range_limit = limit,
        }
    }

    /// Makes the frames of a recipe again, up to the one in the file.
    fn follow(&mut self, model: &FoundModel, recipe: &Recipe, dark: bool) {
        self.dress_as(model, recipe, dark);
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

    fn restore_session(&mut self, model: &FoundModel, session: SessionFile, dark: bool) {
        self.dress_as(model, &session.recipe, dark);
        let extra = session.extra;
        let last = session.archive.frames.last().map_or(0, |f| f.index);
        self.launch_with(Some(session.archive), None);
        self.play = Playback::default();
        self.take_extra(&extra, last);
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

    fn take_extra(&mut self, extra: &Value, last: usize) {
        let shown = extra.get("shown").and_then(Value::as_u64);
        if let Some(shown) = shown.and_then(|at| usize::try_from(at).ok()) {
            let order = self.play.go_to(shown, last);
            self.obey(order);
        }
        let pin = extra.get("pin").cloned().unwrap_or_default();
        self.pin = serde_json::from_value(pin).unwrap_or_default();
    }
}
