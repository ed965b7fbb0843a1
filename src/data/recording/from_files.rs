//! Days of files, regridded to a model's grid.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::Recording;
use crate::data::calendar::{Calendar, Date};
use crate::data::rain::{Choices, RainFiles};
use crate::data::regrid::Regrid;
use crate::error::{Result, UserError};
use crate::field::Globe;

/// Days kept after they were read.
const KEPT: usize = 16;

/// The days of [`RainFiles`] on another grid.
pub struct FileRecording {
    files: RainFiles,
    regrid: Regrid,
    globe: Globe,
    /// The days used last, the latest at the end.
    kept: Mutex<Vec<(usize, Arc<[f32]>)>>,
}

impl FileRecording {
    /// Takes files whose questions are answered.
    ///
    /// # Errors
    /// Open questions; cells that are always missing (an area mean over them would be a guess).
    pub fn new(files: RainFiles, globe: &Globe) -> Result<Self> {
        files.answered()?;
        let regrid = Regrid::new(files.globe(), globe);
        if let Some(missing) = files.always_missing() {
            return Err(UserError::new(
                format!("Cannot use {}", files.name()),
                format!(
                    "{} of its {} cells are always missing (over sea or land, perhaps); the models need the whole globe",
                    missing.iter().filter(|m| **m).count(),
                    missing.len()
                ),
                "Use data that cover land and sea, such as a reanalysis, a model, or satellite data without gaps",
            ));
        }
        Ok(Self {
            files,
            regrid,
            globe: globe.clone(),
            kept: Mutex::default(),
        })
    }

    /// Opens files on a model's grid.
    ///
    /// # Errors
    /// As [`RainFiles::open`] and [`FileRecording::new`].
    pub fn open(paths: &[PathBuf], choices: &Choices, globe: &Globe) -> Result<Self> {
        Self::new(RainFiles::open(paths, choices)?, globe)
    }

    /// The files, with what was recognised in them.
    pub fn files(&self) -> &RainFiles {
        &self.files
    }
}

impl Recording for FileRecording {
    fn globe(&self) -> &Globe {
        &self.globe
    }

    fn calendar(&self) -> Calendar {
        self.files.calendar()
    }

    fn days(&self) -> usize {
        self.files.days()
    }

    fn date(&self, i: usize) -> Date {
        self.files.date(i)
    }

    fn day(&self, i: usize) -> Result<Arc<[f32]>> {
        let lock = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, day)) = lock().iter().find(|(k, _)| *k == i) {
            return Ok(day.clone());
        }
        let day: Arc<[f32]> = self.regrid.apply(&self.files.day(i)?).into();
        let mut kept = lock();
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push((i, day.clone()));
        Ok(day)
    }

    fn index_of(&self, date: Date) -> Option<usize> {
        self.files.index_of(date)
    }

    fn breaks(&self) -> &[usize] {
        self.files.breaks()
    }

    fn name(&self) -> String {
        self.files.name()
    }
}
