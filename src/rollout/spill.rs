//! Older frames of a long rollout on disk: what no longer fits the memory limit goes into one temporary file, in order,
//! and is read back when someone looks at it.

use std::collections::VecDeque;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::frame::FrameSet;
use super::settings::Settings;
use super::spill_format as format;

/// The file. Removed when it is dropped.
struct Spill {
    file: File,
    path: PathBuf,
    /// Number of the first frame in it.
    first: usize,
    /// Where each frame begins; one after the other.
    offsets: VecDeque<u64>,
    /// Where the next frame goes.
    end: u64,
    /// Bytes that it may take.
    limit: u64,
    /// Settings that frames were made with; frames name them by position.
    settings: Vec<Arc<Settings>>,
    buffer: Vec<u8>,
}

impl Spill {
    fn create(folder: &Path, limit: u64) -> io::Result<Self> {
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
            limit,
            settings: Vec::new(),
            buffer: Vec::new(),
        })
    }

    fn range(&self) -> Range<usize> {
        self.first..self.first + self.offsets.len()
    }

    fn push(&mut self, frame: &FrameSet) -> io::Result<()> {
        if self.offsets.is_empty() {
            self.first = frame.index;
        }
        if frame.index != self.range().end {
            return Err(io::Error::other("a frame is missing before it"));
        }
        self.buffer.clear();
        format::encode(frame, &mut self.settings, &mut self.buffer);
        if self.end + self.buffer.len() as u64 > self.limit {
            return Err(io::Error::other(
                "the frames on disk have reached their limit",
            ));
        }
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(&self.buffer)?;
        self.offsets.push_back(self.end);
        self.end += self.buffer.len() as u64;
        Ok(())
    }

    fn load(&mut self, index: usize) -> io::Result<Option<FrameSet>> {
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
    fn truncate(&mut self, next: usize) {
        let kept = next.saturating_sub(self.first);
        if let Some(&end) = self.offsets.get(kept) {
            self.offsets.truncate(kept);
            self.end = end;
        }
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        // Already gone on Unix; elsewhere a file that cannot be removed lies in the folder for temporary files.
        #[cfg(not(unix))]
        let _ = std::fs::remove_file(&self.path);
        #[cfg(unix)]
        let _ = &self.path;
    }
}

/// The frames of a rollout that lie on disk, if any; copies share them.
#[derive(Clone, Default)]
pub struct OnDisk(Option<Arc<Mutex<Spill>>>);

impl fmt::Debug for OnDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnDisk").field(&self.range()).finish()
    }
}

impl OnDisk {
    /// A place for frames: a file in `folder` of at most `limit` bytes.
    ///
    /// # Errors
    /// A folder in which no file can be made.
    pub fn create(folder: &Path, limit: u64) -> io::Result<Self> {
        let spill = Spill::create(folder, limit)?;
        Ok(Self(Some(Arc::new(Mutex::new(spill)))))
    }

    /// The folder that is used when none is named: one on a disk, where the system has one for files that may be large.
    pub fn folder() -> PathBuf {
        let large = Path::new("/var/tmp");
        if cfg!(unix) && large.is_dir() {
            large.to_path_buf()
        } else {
            std::env::temp_dir()
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Spill) -> T) -> Option<T> {
        let mut spill = self
            .0
            .as_ref()?
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Some(work(&mut spill))
    }

    /// Whether there is a place for frames.
    pub fn exists(&self) -> bool {
        self.0.is_some()
    }

    /// Numbers of the frames that lie there.
    pub fn range(&self) -> Range<usize> {
        self.with(|s| s.range()).unwrap_or(0..0)
    }

    /// Adds the next frame.
    ///
    /// # Errors
    /// A full disk, the limit, a frame that does not follow the last one.
    pub fn push(&self, frame: &FrameSet) -> io::Result<()> {
        self.with(|s| s.push(frame)).unwrap_or(Ok(()))
    }

    /// Reads a frame back; `None` where it is not there (or can no longer be read, which the log says).
    pub fn load(&self, index: usize) -> Option<Arc<FrameSet>> {
        match self.with(|s| s.load(index))? {
            Ok(frame) => frame.map(Arc::new),
            Err(e) => {
                log::warn!("frame {index} cannot be read back from disk: {e}");
                None
            }
        }
    }

    /// Forgets the frames from number `next` on.
    pub fn truncate(&self, next: usize) {
        let _ = self.with(|s| s.truncate(next));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Date;
    use crate::rollout::frame::{DenoisingTrace, LaneFrame, LaneStats, RainStats};

    fn frame(index: usize, settings: &Arc<Settings>) -> FrameSet {
        let lane = |lane: usize| LaneFrame {
            members: (0..2)
                .map(|m| {
                    (0..6)
                        .map(|i| (index * 100 + lane * 10 + m) as f32 + i as f32 / 7.0)
                        .collect()
                })
                .collect(),
            hovmoeller: vec![0.5, index as f32, -0.0].into(),
            stats: LaneStats {
                mean: index as f64,
                std: 0.1,
                rmse_to_previous: f64::NAN,
                dynamics_skill: 1.0 / 3.0,
            },
            rain: (lane == 2).then(|| {
                Arc::new(RainStats {
                    global_mean: 2.6,
                    wet_fraction: 0.4,
                    percentiles: [1.0, 2.0, 3.0, 4.0, index as f64],
                    zonal_mean: vec![0.25; 3],
                    capped: index,
                })
            }),
            recorded: (lane == 0).then_some(Date {
                year: -3,
                month: 12,
                day: 31,
            }),
            trace: Arc::new(DenoisingTrace {
                sigma: vec![4.0, 2.0],
                logit: vec![f32::NEG_INFINITY, 1.0],
                guidance_ratio: vec![0.0, 0.5],
            }),
        };
        FrameSet {
            index,
            time: index as f64 * 0.1,
            date: index.is_multiple_of(2).then_some(Date {
                year: 2060,
                month: 2,
                day: 28,
            }),
            lanes: [Some(lane(0)), None, Some(lane(2)), None, None, None],
            settings: Arc::clone(settings),
            steps: match index % 3 {
                0 => vec![
                    (0, Arc::new(Settings::default())),
                    (4, Arc::clone(settings)),
                ],
                _ => Vec::new(),
            },
            generation: index as u64 + 5,
            seconds: 0.25,
        }
    }

    #[test]
    fn frames_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let disk = OnDisk::create(folder.path(), 1 << 20).unwrap();
        let plain = Arc::new(Settings::default());
        let mut other = Settings::default();
        other.guidance.strength = 0.5;
        let other = Arc::new(other);
        let made: Vec<_> = (7..20)
            .map(|i| frame(i, if i < 12 { &plain } else { &other }))
            .collect();
        for f in &made {
            disk.push(f).unwrap();
        }
        assert_eq!(disk.range(), 7..20);
        for f in made.iter().rev() {
            let back = disk.load(f.index).unwrap();
            // Everything is in the text, NaN and negative zero too.
            assert_eq!(format!("{back:?}"), format!("{f:?}"));
        }
        assert!(disk.load(6).is_none() && disk.load(20).is_none());
        // Going back and on.
        disk.truncate(10);
        assert_eq!(disk.range(), 7..10);
        assert!(disk.push(&made[5]).is_err(), "a gap");
        disk.push(&frame(10, &other)).unwrap();
        assert_eq!(disk.load(10).unwrap().settings, other);
        assert_eq!(
            format!("{:?}", disk.load(9).unwrap()),
            format!("{:?}", made[2])
        );
        disk.truncate(0);
        assert!(disk.range().is_empty());
        disk.push(&made[5]).unwrap();
        assert_eq!(disk.range(), 12..13);
    }

    #[test]
    fn the_limit_holds_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Arc::new(Settings::default());
        let disk = OnDisk::create(folder.path(), 2000).unwrap();
        let stored = (0..100)
            .take_while(|i| disk.push(&frame(*i, &settings)).is_ok())
            .count();
        assert!((1..10).contains(&stored), "{stored}");
        assert_eq!(disk.range(), 0..stored);
        assert!(disk.load(stored - 1).is_some());
        drop(disk);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(OnDisk::default().load(0).is_none() && !OnDisk::default().exists());
    }
}
