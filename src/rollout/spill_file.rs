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

/// Bytes in which the head of a frame is looked for first.
const HEAD: usize = 512;

/// Names that are tried for a file.
const NAMES: usize = 100;

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
        let (file, path) = new_file(folder)?;
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
        let Some(bytes) = self.read(index, usize::MAX)? else {
            return Ok(None);
        };
        whole(format::decode(&bytes, &self.settings))
    }

    /// A frame without its lanes: little of the file is read.
    pub(super) fn head(&mut self, index: usize) -> io::Result<Option<FrameSet>> {
        let Some(bytes) = self.read(index, HEAD)? else {
            return Ok(None);
        };
        match format::decode_head(&bytes, &self.settings) {
            Some(head) => Ok(Some(head)),
            // Settings that changed at very many steps take more.
            None => {
                let bytes = self.read(index, usize::MAX)?.unwrap_or_default();
                whole(format::decode_head(&bytes, &self.settings))
            }
        }
    }

    /// The bytes of a frame, `most` at most; `None` where it is not there.
    fn read(&mut self, index: usize, most: usize) -> io::Result<Option<Vec<u8>>> {
        let Some(at) = index.checked_sub(self.first) else {
            return Ok(None);
        };
        let Some(&begin) = self.offsets.get(at) else {
            return Ok(None);
        };
        let end = self.offsets.get(at + 1).copied().unwrap_or(self.end);
        let mut bytes = vec![0; (end.saturating_sub(begin) as usize).min(most)];
        self.file.seek(SeekFrom::Start(begin))?;
        self.file.read_exact(&mut bytes)?;
        Ok(Some(bytes))
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

/// A file that nobody else can open, under a name that nothing had: whatever lies in a folder that others can write to is
/// neither followed nor emptied.
fn new_file(folder: &Path) -> io::Result<(File, PathBuf)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut left = NAMES;
    loop {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let path = folder.join(format!("eddyscope-frames-{process}-{number}.tmp"));
        match options.open(&path) {
            Ok(file) => return Ok((file, path)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && left > 0 => left -= 1,
            Err(e) => return Err(e),
        }
    }
}

fn whole(frame: Option<FrameSet>) -> io::Result<Option<FrameSet>> {
    let frame = frame.ok_or_else(|| io::Error::other("a frame on disk is damaged"))?;
    Ok(Some(frame))
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

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn files_are_new_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let (first, path) = new_file(folder.path()).unwrap();
        let mode = first.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // Where the next names are taken, by links to a file of somebody's, that file is left alone.
        let number = |p: &Path| -> u64 {
            let name = p.file_stem().unwrap().to_string_lossy().into_owned();
            name.rsplit('-').next().unwrap().parse().unwrap()
        };
        let victim = folder.path().join("victim");
        std::fs::write(&victim, "kept").unwrap();
        let process = std::process::id();
        for next in 1..20 {
            let taken = number(&path) + next;
            let taken = folder
                .path()
                .join(format!("eddyscope-frames-{process}-{taken}.tmp"));
            std::os::unix::fs::symlink(&victim, taken).unwrap();
        }
        let spill = Spill::create(folder.path(), &Budget::new(1 << 20)).unwrap();
        (&spill.file).write_all(b"frames").unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "kept");
        assert!(!spill.path.exists(), "it has no name any more");
    }
}
