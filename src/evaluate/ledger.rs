//! The file of a forecast experiment: JSON lines, the recipe first, then one line a start as soon as it is scored. An
//! experiment that was stopped goes on from it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Result, UserError};

/// An open file, or none: then the scores are held in memory alone.
pub struct Ledger<Start> {
    file: Option<(PathBuf, File)>,
    /// The starts scored so far.
    pub starts: Vec<Start>,
}

impl<Start: Serialize + DeserializeOwned> Ledger<Start> {
    /// Opens a file that carries the same recipe, or begins it.
    ///
    /// # Errors
    /// A file that is something else or was made with another recipe, a place that cannot be written.
    pub fn open(path: Option<&Path>, recipe: &Value) -> Result<Self> {
        let Some(path) = path else {
            return Ok(Self {
                file: None,
                starts: Vec::new(),
            });
        };
        let cannot = |cause: String| {
            UserError::new(
                format!("Cannot go on with {}", path.display()),
                cause,
                "name another file with --out, or give the options that it was begun with",
            )
        };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(cannot(e.to_string())),
        };
        // What comes after the last line break was cut off by a stop.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let mut lines = text[..whole].lines();
        let mut starts = Vec::new();
        match lines.next() {
            None if !text.is_empty() => {
                return Err(cannot("it is no file of this command".into()));
            }
            None => {}
            Some(first) => {
                let begun: Value = serde_json::from_str(first).unwrap_or_default();
                if begun != *recipe {
                    return Err(cannot(difference(&begun, recipe)));
                }
                for line in lines {
                    let start = serde_json::from_str(line)
                        .map_err(|e| cannot(format!("a line of it is not understood: {e}")))?;
                    starts.push(start);
                }
            }
        }
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(|e| cannot(e.to_string()))?;
        let begun = file.set_len(whole as u64).and_then(|()| match whole {
            0 => writeln!(file, "{recipe}"),
            _ => Ok(()),
        });
        begun.map_err(|e| cannot(e.to_string()))?;
        Ok(Self {
            file: Some((path.to_owned(), file)),
            starts,
        })
    }

    /// Adds a start.
    ///
    /// # Errors
    /// A full disk.
    pub fn add(&mut self, start: Start) -> Result<()> {
        if let Some((path, file)) = &mut self.file {
            let written = serde_json::to_string(&start)
                .map_err(std::io::Error::other)
                .and_then(|line| writeln!(file, "{line}"))
                .and_then(|()| file.sync_data());
            written.map_err(|e| {
                UserError::new(
                    format!("Cannot write {}", path.display()),
                    e,
                    "make room; the starts before are kept, and the same command goes on",
                )
            })?;
        }
        self.starts.push(start);
        Ok(())
    }
}

/// In what two recipes differ.
pub(super) fn difference(begun: &Value, asked: &Value) -> String {
    let (Value::Object(begun), Value::Object(asked)) = (begun, asked) else {
        return "it is no file of this command".into();
    };
    let differing: Vec<String> = asked
        .iter()
        .filter(|(key, value)| begun.get(*key) != Some(value))
        .map(|(key, value)| {
            let had = begun.get(key).cloned().unwrap_or_default();
            format!("{key} is {had} in the file, {value} is asked for")
        })
        .collect();
    differing.join("; ")
}
