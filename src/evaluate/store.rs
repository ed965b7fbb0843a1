//! Ensembles of the box on disk: NetCDF files of so many frames, written as they are made, and small results as JSON.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::data::files::write_atomically;
use crate::data::{self, Series};
use crate::error::{Result, UserError};
use crate::field::Grid;

use super::sample::Frame;

/// Frames of a file.
pub const PART: usize = 100;

/// Frames of all members, oldest first; one array a member.
pub type Frames = Vec<Vec<Frame>>;

/// The frames of a run in a folder: files that follow each other, named by the number of their first frame.
#[derive(Debug)]
pub struct Parts {
    folder: PathBuf,
    recipe: Value,
    /// Frames before which no file is written again.
    written: usize,
    /// How many of the first frames were given rather than generated.
    pub start_frames: usize,
    /// The frames.
    pub frames: Frames,
}

impl Parts {
    /// Opens the folder of a run of this recipe; an empty one where there is none.
    ///
    /// # Errors
    /// Files of another recipe, files that do not follow each other, files that cannot be read.
    pub fn open(folder: &Path, recipe: &Value) -> Result<Self> {
        let mut parts = Self {
            folder: folder.to_owned(),
            recipe: recipe.clone(),
            written: 0,
            start_frames: 0,
            frames: Vec::new(),
        };
        while let Some(series) = parts.next()? {
            let text = series.recipe.as_deref().unwrap_or_default();
            let begun: Value = serde_json::from_str(text).unwrap_or_default();
            if begun != *recipe {
                return Err(UserError::new(
                    format!("Cannot go on with {}", folder.display()),
                    super::ledger::difference(&begun, recipe),
                    "name another folder with --out, or give the options that it was begun with",
                ));
            }
            parts.take(&series);
        }
        Ok(parts)
    }

    /// Reads what is there, whatever made it: the files of a folder, or one file `folder.nc`. `None` where there is neither.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn found(folder: &Path) -> Result<Option<Self>> {
        let mut parts = Self {
            folder: folder.to_owned(),
            recipe: Value::Null,
            written: 0,
            start_frames: 0,
            frames: Vec::new(),
        };
        let single = folder.with_extension("nc");
        if single.is_file() {
            parts.take(&data::read_series(&single, None)?);
        }
        while let Some(series) = parts.next()? {
            parts.take(&series);
        }
        Ok((!parts.frames.is_empty()).then_some(parts))
    }

    fn path(&self, first: usize) -> PathBuf {
        self.folder.join(format!("{first:07}.nc"))
    }

    /// The file that follows what was read.
    fn next(&self) -> Result<Option<Series>> {
        let path = self.path(self.frames.len());
        if !path.is_file() {
            return Ok(None);
        }
        data::read_series(&path, None).map(Some)
    }

    fn take(&mut self, series: &Series) {
        if self.frames.is_empty() {
            self.start_frames = series.start_frames;
        }
        for time in 0..series.frames {
            let members = (0..series.members).filter_map(|m| series.frame(m, time));
            self.frames.push(members.map(Arc::from).collect());
        }
        self.written = self.frames.len();
    }

    /// Adds a frame, and writes a file when there are enough for one.
    ///
    /// # Errors
    /// A full disk.
    pub fn push(&mut self, members: Vec<Frame>, grid: Grid, interval: f64) -> Result<()> {
        self.frames.push(members);
        if self.frames.len() - self.written >= PART {
            self.flush(grid, interval)?;
        }
        Ok(())
    }

    /// Writes the frames that are in no file yet.
    ///
    /// # Errors
    /// A place that cannot be written.
    pub fn flush(&mut self, grid: Grid, interval: f64) -> Result<()> {
        let new = self.frames.get(self.written..).unwrap_or_default();
        let Some(first) = new.first() else {
            return Ok(());
        };
        let mut series = Series::zeros(grid, first.len(), new.len(), interval)?;
        let cells = grid.len();
        for (time, members) in new.iter().enumerate() {
            for (member, frame) in members.iter().enumerate() {
                let at = (member * new.len() + time) * cells;
                if let Some(slot) = series.values.get_mut(at..at + cells)
                    && frame.len() == cells
                {
                    slot.copy_from_slice(frame);
                }
            }
        }
        series.start_frames = self
            .start_frames
            .saturating_sub(self.written)
            .min(new.len());
        series.t0 = (self.written as f64 + 1.0 - self.start_frames as f64) * interval;
        series.recipe = Some(self.recipe.to_string());
        create(&self.folder)?;
        data::write_series(&self.path(self.written), &series)?;
        self.written = self.frames.len();
        Ok(())
    }

    /// Removes the files of the run.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub fn clear(&mut self) -> Result<()> {
        if self.folder.is_dir() {
            std::fs::remove_dir_all(&self.folder).map_err(|e| {
                UserError::new(
                    format!("Cannot remove {}", self.folder.display()),
                    e,
                    "remove it by hand, or name another folder with --out",
                )
            })?;
        }
        self.frames.clear();
        self.written = 0;
        Ok(())
    }
}

/// Makes a folder and those above it.
///
/// # Errors
/// A place that cannot be written.
pub fn create(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| {
        UserError::new(
            format!("Cannot make the folder {}", folder.display()),
            e,
            "name a folder that you may write to with --out",
        )
    })
}

/// A result from a file of the same recipe, or made and written to it. `None` where the making was stopped.
///
/// # Errors
/// What `make` says; a place that cannot be written.
pub fn cached<T: Serialize + DeserializeOwned>(
    path: &Path,
    recipe: &Value,
    make: impl FnOnce() -> Result<Option<T>>,
) -> Result<Option<T>> {
    // A file of another recipe, or a damaged one, is made anew: it costs little.
    let kept = std::fs::read_to_string(path)
        .ok()
        .and_then(|text| serde_json::from_str::<Value>(&text).ok())
        .filter(|file| file.get("recipe") == Some(recipe))
        .and_then(|mut file| serde_json::from_value(file.get_mut("result")?.take()).ok());
    if kept.is_some() {
        return Ok(kept);
    }
    let Some(made) = make()? else {
        return Ok(None);
    };
    if let Some(folder) = path.parent() {
        create(folder)?;
    }
    let text = json!({"recipe": recipe, "result": made}).to_string();
    write_atomically(path, |file| {
        use std::io::Write as _;
        file.write_all(text.as_bytes())
    })?;
    Ok(Some(made))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(i: usize) -> Vec<Frame> {
        (0..2)
            .map(|m| (0..64).map(|c| (i * 100 + m * 10 + c) as f32).collect())
            .collect()
    }

    #[test]
    fn frames_come_back_and_a_run_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("guided");
        let (grid, recipe) = (Grid::periodic(8), json!({"seed": 1}));
        let mut parts = Parts::open(&folder, &recipe).unwrap();
        parts.start_frames = 4;
        for i in 0..PART + 7 {
            parts.push(frame(i), grid, 0.16).unwrap();
        }
        parts.flush(grid, 0.16).unwrap();
        let mut again = Parts::open(&folder, &recipe).unwrap();
        assert_eq!((again.frames.len(), again.start_frames), (PART + 7, 4));
        assert_eq!(again.frames[PART + 3], frame(PART + 3));
        again.push(frame(PART + 7), grid, 0.16).unwrap();
        again.flush(grid, 0.16).unwrap();
        let found = Parts::found(&folder).unwrap().unwrap();
        assert_eq!(found.frames.len(), PART + 8);
        let other = Parts::open(&folder, &json!({"seed": 2})).unwrap_err();
        assert!(other.cause.contains("seed is 1"), "{other}");
        assert!(Parts::found(&dir.path().join("none")).unwrap().is_none());
    }

    #[test]
    fn results_are_made_once_a_recipe() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b.json");
        let mut made = 0;
        for (recipe, expected) in [(1, 1), (1, 1), (2, 2)] {
            let got = cached(&path, &json!(recipe), || {
                made += 1;
                Ok(Some(vec![1.5, recipe as f64]))
            });
            assert_eq!(got.unwrap(), Some(vec![1.5, f64::from(recipe)]));
            assert_eq!(made, expected);
        }
    }
}
