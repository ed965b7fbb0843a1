//! One temporary file of frames, one after the other. Branches may share it; only the one that made it writes.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::frame::FrameSet;
use super::settings::Settings;
use super::spill_format as format;

/// Bytes that all files of a rollout may take together.
#[derive(Debug)]
pub struct Budget {
    limit: u64,
    used: AtomicU64,
}

impl Budget {
    /// So many bytes.
    pub fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self {
            limit,
            used: AtomicU64::new(0),
        })
    }

    fn take(&self, bytes: u64) -> io::Result<()> {
        // Only the worker takes; the window can only give back, by dropping the last copy.
        if self.used.load(Ordering::Relaxed) + bytes > self.limit {
            return Err(io::Error::other(
                "the frames on disk have reached their limit",
            ));
        }
        self.used.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The file. Removed when it is dropped.
pub(super) struct Spill {
    file: File,
    path: PathBuf,
    /// Number of the first frame in it.
    first: usize,
    /// Where each frame begins; one after the other.
    offsets: VecDeque<u64>,
    /// Where the next frame goes.
    end: u64,
    budget: Arc<Budget>,
    /// Settings that frames were made with; frames name them by position.
    settings: Vec<Arc<Settings>>,
    buffer: Vec<u8>,
    /// Whether another branch reads it: then nothing in it is ever overwritten.
    pub(super) shared: bool,
}

impl Spill {
    pub(super) fn create(folder: &Path, budget: &Arc<Budget>) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(
            "eddyscope-frames-{}-{number}.tmp",
            std::process::id()
        ));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)?;
        // Without a name the file goes even if the program is killed.
        #[cfg(unix)]
        let _ = std::fs::remove_file(&path);
        Ok(Self {
            file,
            path,
            first: 0,
            offsets: VecDeque::new(),
            end: 0,
            budget: Arc::clone(budget),
            settings: Vec::new(),
            buffer: Vec::new(),
            shared: false,
        })
    }

    pub(super) fn range(&self) -> Range<usize> {
        self.first..self.first + self.offsets.len()
    }

    pub(super) fn push(&mut self, frame: &FrameSet) -> io::Result<()> {
        if self.offsets.is_empty() {
            self.first = frame.index;
        }
        if frame.index != self.range().end {
            return Err(io::Error::other("a frame is missing before it"));
        }
        self.buffer.clear();
        format::encode(frame, &mut self.settings, &mut self.buffer);
        let bytes = self.buffer.len() as u64;
        self.budget.take(bytes)?;
        let written = self
            .file
            .seek(SeekFrom::Start(self.end))
            .and_then(|_| self.file.write_all(&self.buffer));
        if written.is_err() {
            self.budget.give_back(bytes);
            return written;
        }
        self.offsets.push_back(self.end);
        self.end += bytes;
        Ok(())
    }

    pub(super) fn load(&mut self, index: usize) -> io::Result<Option<FrameSet>> {
        let Some(at) = index.checked_sub(self.first) else {
            return Ok(None);
        };
        let Some(&begin) = self.offsets.get(at) else {
            return Ok(None);
        };
        let end = self.offsets.get(at + 1).copied().unwrap_or(self.end);
        let mut bytes = vec![0; end.saturating_sub(begin) as usize];
        self.file.seek(SeekFrom::Start(begin))?;
        self.file.read_exact(&mut bytes)?;
        format::decode(&bytes, &self.settings)
            .map(Some)
            .ok_or_else(|| io::Error::other("a frame on disk is damaged"))
    }

    /// Forgets the frames from number `next` on.
    pub(super) fn truncate(&mut self, next: usize) {
        let kept = next.saturating_sub(self.first);
        if let Some(&end) = self.offsets.get(kept) {
            self.offsets.truncate(kept);
            self.budget.give_back(self.end - end);
            self.end = end;
        }
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        self.budget.give_back(self.end);
        // Already gone on Unix; elsewhere a file that cannot be removed lies in the folder for temporary files.
        #[cfg(not(unix))]
        let _ = std::fs::remove_file(&self.path);
        #[cfg(unix)]
        let _ = &self.path;
    }
}
