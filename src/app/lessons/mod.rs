//! Guided tours inside the window: a lesson points at a control, asks for a prediction, lets the learner act and says
//! with the figures of the rollout on screen what came of it.
//!
//! | file | what is in it |
//! |---|---|
//! | `format` | lessons as text |
//! | `figures` | figures of the rollout, conditions, placeholders |
//! | `tour` | the lesson that is taken: its step, prediction and goal; the learner's own settings meanwhile |
//! | `panel` | the strip, the ring, the list |
//! | `marks` | where named controls lie |

pub mod figures;
pub mod format;
pub mod marks;
pub mod panel;
mod tour;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::UserError;

use format::Lesson;
pub use tour::{Guess, Phase, Tour};

/// How far a lesson was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Taken {
    /// Step to go on with.
    pub step: usize,
    /// Whether it was finished once.
    pub done: bool,
}

/// All lessons, and the one that is taken.
#[derive(Default)]
pub struct Lessons {
    /// Whether the list is open.
    pub list_open: bool,
    /// Lessons in order, those of a person's folders behind the ones that come with the program.
    pub all: Vec<Arc<Lesson>>,
    /// Files that are no lessons.
    pub faults: Vec<UserError>,
    /// The one that is taken.
    pub tour: Option<Tour>,
    /// Folder as typed.
    pub folder: String,
    /// A control that is to be scrolled to, once.
    pub scroll_to: Option<&'static str>,
    read: bool,
}

impl Lessons {
    /// Reads the lessons: shipped ones, those of the data folder and of the folder given; once, unless `again`.
    pub fn read(&mut self, given: Option<&Path>, again: bool) {
        if self.read && !again {
            return;
        }
        self.read = true;
        self.all.clear();
        self.faults.clear();
        let own = eframe::storage_dir("eddyscope").map(|d| d.join("lessons"));
        let folders: Vec<PathBuf> = own
            .filter(|f| f.is_dir())
            .into_iter()
            .chain(given.map(Path::to_owned))
            .collect();
        let read = format::shipped()
            .into_iter()
            .chain(folders.iter().flat_map(|f| format::of_folder(f)));
        for lesson in read {
            match lesson {
                Ok(lesson) => self.all.push(Arc::new(lesson)),
                Err(error) => self.faults.push(error),
            }
        }
    }
}
