//! What is in a file: read on a thread of its own, with progress, and given up when nobody waits for it any more.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use crate::data::drawing::Drawing;
use crate::error::UserError;
use crate::export::{Carried, Newer, Reading, Recipe, SessionFile, Watch, read_watched};
use crate::model::Model;
use crate::rollout::worker::Wake;

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
    /// Standard deviation of its data, physical units.
    pub std: f64,
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

/// What a file is read as.
#[derive(Debug, Clone, Copy)]
pub enum Wanted {
    /// Whatever it is; a picture without a recipe is a drawing on a grid of so many columns and rows.
    Any(usize, usize),
    /// A drawing, even if it carries a recipe.
    Drawing(usize, usize),
    /// The folder of a model.
    Model,
}

/// What came of reading a file.
pub enum Read {
    /// A session or a recipe.
    Found(Box<Found>),
    /// No recipe in it, but frames to start from.
    Start(PathBuf),
    /// A picture without a recipe; the error where nothing can be done with a drawing.
    Drawing(Box<Drawing>, Option<UserError>),
    /// A folder that holds a model.
    Model,
    /// It cannot be used.
    Failed(UserError),
}

/// A file that is being read.
#[derive(Debug)]
pub struct Opening {
    /// The file.
    pub path: PathBuf,
    /// How far it is, MiB of all that is read.
    pub watch: Watch,
    result: Receiver<Read>,
}

impl Opening {
    /// Starts a thread that reads `path` and wakes the window.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn begin(path: PathBuf, wanted: Wanted, wake: Wake) -> Result<Self, UserError> {
        let (sender, result) = channel();
        let watch = Watch::default();
        let (file, inside) = (path.clone(), watch.clone());
        let run = move || {
            let read = match wanted {
                Wanted::Any(nx, ny) => read_any(file, (nx, ny), &inside),
                Wanted::Drawing(nx, ny) => read_drawing(&file, (nx, ny), None),
                Wanted::Model => match Model::from_folder(&file) {
                    Ok(_) => Read::Model,
                    Err(error) => Read::Failed(error),
                },
            };
            // Nobody may wait for it any more.
            let _ = sender.send(read);
            wake();
        };
        let thread = std::thread::Builder::new().name("open-file".into());
        match thread.spawn(run) {
            Ok(_) => Ok(Self {
                path,
                watch,
                result,
            }),
            Err(e) => Err(UserError::new("Cannot open the file", e, "Try again")),
        }
    }

    /// What came of it; `None` while it goes on.
    pub fn poll(&self) -> Option<Read> {
        match self.result.try_recv() {
            Ok(read) => Some(read),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Read::Failed(UserError::new(
                "Cannot open the file",
                "reading it ended with an internal error (see the log)",
                "Report this with the file",
            ))),
        }
    }
}

impl Drop for Opening {
    /// Nobody waits for the file any more.
    fn drop(&mut self) {
        self.watch.cancel();
    }
}

/// Whether a file can be a start for a rollout.
pub fn can_start(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    STARTS.contains(&ending.to_ascii_lowercase().as_str())
}

/// Whether a file is a picture that can be drawn from, by its name.
pub fn is_picture(path: &Path) -> bool {
    path.extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("png"))
}

/// A drawing, already on the grid: a large picture is gone through once, not at every change of its values.
fn read_drawing(path: &Path, (nx, ny): (usize, usize), otherwise: Option<UserError>) -> Read {
    match (Drawing::read(path), otherwise) {
        (Ok(drawing), otherwise) => Read::Drawing(Box::new(drawing.on_grid(nx, ny)), otherwise),
        (Err(_), Some(error)) | (Err(error), None) => Read::Failed(error),
    }
}

fn read_any(path: PathBuf, grid: (usize, usize), watch: &Watch) -> Read {
    let carried = match read_watched(&path, watch) {
        Ok(carried) => carried,
        Err(_) if can_start(&path) => return Read::Start(path),
        Err(error) if is_picture(&path) => return read_drawing(&path, grid, Some(error)),
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
        std: model.card.truth.std,
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
