//! Older frames of a long rollout on disk: what no longer fits the memory limit goes into temporary files, in order, and is
//! read back when someone looks at it. Branches share the frames that they have in common.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::frame::FrameSet;
pub use super::spill_file::Budget;
use super::spill_file::Spill;

/// Frames of a branch within one file.
#[derive(Clone)]
struct Segment {
    spill: Arc<Mutex<Spill>>,
    range: Range<usize>,
}

impl Segment {
    fn with<T>(&self, work: impl FnOnce(&mut Spill) -> T) -> T {
        work(&mut self.spill.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The frames of a branch that lie on disk, if any; copies share them.
#[derive(Clone, Default)]
pub struct OnDisk {
    /// One after the other without gap; the last may be empty.
    segments: Vec<Segment>,
    /// Frames from this number on count as not there, although a file may hold them: they are in memory again.
    end: usize,
    /// Whether the last segment's file is this branch's own.
    writable: bool,
}

impl fmt::Debug for OnDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnDisk").field(&self.range()).finish()
    }
}

impl OnDisk {
    /// A place for frames: a file in `folder`, within a budget.
    ///
    /// # Errors
    /// A folder in which no file can be made.
    pub fn create(folder: &Path, budget: &Arc<Budget>) -> io::Result<Self> {
        let mut place = Self::default();
        place.add_file(folder, budget)?;
        Ok(place)
    }

    /// A new file for the frames that follow.
    ///
    /// # Errors
    /// See [`Self::create`].
    pub fn add_file(&mut self, folder: &Path, budget: &Arc<Budget>) -> io::Result<()> {
        let spill = Spill::create(folder, budget)?;
        let end = self.segments.last().map_or(0, |s| s.range.end);
        self.segments.push(Segment {
            spill: Arc::new(Mutex::new(spill)),
            range: end..end,
        });
        self.writable = true;
        Ok(())
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

    /// Whether the frame `index` needs a file before it can be added.
    pub fn needs_file(&self, index: usize) -> bool {
        !self.writable && self.holding(index).is_none()
    }

    /// Numbers of the frames that lie there.
    pub fn range(&self) -> Range<usize> {
        let start = self.segments.first().map_or(0, |s| s.range.start);
        start..self.end.max(start)
    }

    fn holding(&self, index: usize) -> Option<&Segment> {
        self.segments.iter().find(|s| s.range.contains(&index))
    }

    /// Adds the next frame; one that a file holds already is not written again.
    ///
    /// # Errors
    /// A full disk, the budget, a frame that does not follow the last one, no file of its own ([`Self::needs_file`]).
    pub fn push(&mut self, frame: &FrameSet) -> io::Result<()> {
        let index = frame.index;
        if index == self.range().end && self.holding(index).is_some() {
            self.end = index + 1;
            return Ok(());
        }
        let own = self.writable.then(|| self.segments.pop()).flatten();
        let Some(mut own) = own else {
            return Err(io::Error::other("no file for it"));
        };
        if self.range().is_empty() && own.range.is_empty() {
            self.segments.clear();
        } else if index != self.end.max(own.range.start) {
            self.segments.push(own);
            return Err(io::Error::other("a frame is missing before it"));
        }
        let written = own.with(|s| s.push(frame));
        if written.is_ok() {
            if own.range.is_empty() {
                own.range.start = index;
            }
            own.range.end = index + 1;
            self.end = index + 1;
        }
        self.segments.push(own);
        written
    }

    /// Takes over from another branch a frame that both have in common and that it has just added.
    pub fn adopt(&mut self, from: &Self, index: usize) {
        let Some(theirs) = from.holding(index) else {
            return;
        };
        let range = self.range();
        if !range.is_empty() && range.end != index {
            return;
        }
        if self.holding(index).is_none() {
            if range.is_empty() {
                self.segments.clear();
                self.writable = false;
            }
            theirs.with(|s| s.shared = true);
            if self.segments.last().is_some_and(|s| s.range.is_empty()) {
                self.segments.pop();
                self.writable = false;
            }
            match self.segments.last_mut() {
                Some(last) if Arc::ptr_eq(&last.spill, &theirs.spill) => last.range.end = index + 1,
                _ => {
                    self.segments.push(Segment {
                        spill: Arc::clone(&theirs.spill),
                        range: index..index + 1,
                    });
                    self.writable = false;
                }
            }
        }
        self.end = index + 1;
    }

    /// The same frames for a branch: it reads these files and writes its own.
    pub fn share(&self) -> Self {
        for segment in &self.segments {
            segment.with(|s| s.shared = true);
        }
        let filled = self.segments.iter().filter(|s| !s.range.is_empty());
        Self {
            segments: filled.cloned().collect(),
            end: self.end,
            writable: false,
        }
    }

    /// Reads a frame back; `None` where it is not there (or can no longer be read, which the log says).
    pub fn load(&self, index: usize) -> Option<Arc<FrameSet>> {
        self.read(index, Spill::load)
    }

    /// The same without its lanes: what made it, quickly.
    pub fn head(&self, index: usize) -> Option<Arc<FrameSet>> {
        self.read(index, Spill::head)
    }

    fn read(
        &self,
        index: usize,
        read: impl FnOnce(&mut Spill, usize) -> io::Result<Option<FrameSet>>,
    ) -> Option<Arc<FrameSet>> {
        if !self.range().contains(&index) {
            return None;
        }
        match self.holding(index)?.with(|s| read(s, index)) {
            Ok(frame) => frame.map(Arc::new),
            Err(e) => {
                log::warn!("frame {index} cannot be read back from disk: {e}");
                None
            }
        }
    }

    /// Forgets the frames from number `next` on. What another branch reads stays where it is; this one writes elsewhere
    /// then.
    pub fn truncate(&mut self, next: usize) {
        self.end = self.end.min(next);
        let own = self.writable.then(|| self.segments.pop()).flatten();
        for segment in &mut self.segments {
            segment.range.end = segment.range.end.min(next);
        }
        self.segments.retain(|s| !s.range.is_empty());
        let Some(mut own) = own else { return };
        if own.range.end > next {
            if own.with(|s| s.shared) {
                self.writable = false;
            } else {
                own.with(|s| s.truncate(next));
            }
            own.range = own.range.start.min(next)..next;
        }
        if self.writable || !own.range.is_empty() {
            self.segments.push(own);
        }
    }

    /// The frames from number `first` on are in memory again; their files keep them for later.
    pub fn withdraw(&mut self, first: usize) {
        self.end = self.end.min(first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Date;
    use crate::rollout::frame::{DenoisingTrace, LaneFrame, LaneStats, RainStats};
    use crate::rollout::settings::Settings;

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
                fine: -0.25,
                ..LaneStats::UNKNOWN
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
            edited: [false, false, index == 9, false, false, false],
            generation: index as u64 + 5,
            seconds: 0.25,
        }
    }

    #[test]
    fn frames_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = OnDisk::create(folder.path(), &Budget::new(1 << 20)).unwrap();
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
            let bare = FrameSet {
                lanes: Default::default(),
                ..f.clone()
            };
            assert_eq!(
                format!("{:?}", disk.head(f.index).unwrap()),
                format!("{bare:?}")
            );
        }
        assert!(disk.load(6).is_none() && disk.load(20).is_none() && disk.head(20).is_none());
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
        // With a head that is longer than usual.
        let mut many = frame(13, &plain);
        many.steps = (0..200).map(|i| (i, Arc::clone(&plain))).collect();
        disk.push(&many).unwrap();
        assert_eq!(disk.head(13).unwrap().steps.len(), 200);
    }

    #[test]
    fn the_limit_holds_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Arc::new(Settings::default());
        let mut disk = OnDisk::create(folder.path(), &Budget::new(2000)).unwrap();
        let stored = (0..100)
            .take_while(|i| disk.push(&frame(*i, &settings)).is_ok())
            .count();
        assert!((1..10).contains(&stored), "{stored}");
        assert_eq!(disk.range(), 0..stored);
        assert!(disk.load(stored - 1).is_some());
        drop(disk);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(OnDisk::default().load(0).is_none() && OnDisk::default().needs_file(0));
    }
}
