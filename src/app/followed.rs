//! Values that are read off each frame once, and kept while the rollout only grows.

use std::sync::Arc;

use crate::rollout::branch::BranchId;
use crate::rollout::frame::FrameSet;
use crate::rollout::protocol::Archive;

use super::trace::Trace;

/// Lines over time, with what they are read of.
#[derive(Debug)]
pub struct Followed<K> {
    key: Option<(K, u64, BranchId)>,
    /// The frame that was read last, to see whether the rollout went back.
    last: Option<Arc<FrameSet>>,
    /// The lines.
    pub lines: Vec<Trace>,
}

impl<K> Default for Followed<K> {
    fn default() -> Self {
        Self {
            key: None,
            last: None,
            lines: Vec::new(),
        }
    }
}

impl<K: PartialEq> Followed<K> {
    /// Frames in memory that were not read yet, oldest first. Where something else is followed, or the rollout is no longer
    /// the one that was read, `count` empty lines begin anew.
    pub fn unread<'a>(
        &mut self,
        key: K,
        count: usize,
        archive: &'a Archive,
    ) -> &'a [Arc<FrameSet>] {
        let frames = &archive.frames;
        let first = frames.first().map_or(0, |f| f.index);
        // What was read may have left the memory; its points stay.
        let kept = |last: &Arc<FrameSet>| match last.index.checked_sub(first) {
            Some(at) => frames.get(at).is_some_and(|f| Arc::ptr_eq(f, last)),
            None => true,
        };
        let key = Some((key, archive.epoch, archive.active));
        let same = self.key == key && self.lines.len() == count;
        if !same || !self.last.as_ref().is_none_or(kept) {
            *self = Self {
                key,
                last: None,
                lines: vec![Trace::default(); count],
            };
        }
        let next = self.last.as_ref().map_or(0, |f| f.index + 1);
        frames.get(next.saturating_sub(first)..).unwrap_or_default()
    }

    /// A frame was read; `values` by line, NaN where there is none.
    pub fn took(&mut self, frame: &Arc<FrameSet>, values: impl Iterator<Item = f64>) {
        for (line, value) in self.lines.iter_mut().zip(values) {
            let broken = line.last().is_none_or(|p| !p[1].is_finite());
            if value.is_finite() || !broken {
                line.push([frame.time, value]);
            }
        }
        self.last = Some(Arc::clone(frame));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(frames: &[Arc<FrameSet>], epoch: u64) -> Archive {
        Archive {
            frames: frames.to_vec(),
            epoch,
            ..Archive::default()
        }
    }

    #[test]
    fn each_frame_is_read_once() {
        let frame = |index: usize| {
            Arc::new(FrameSet {
                index,
                time: index as f64,
                ..FrameSet::default()
            })
        };
        let frames: Vec<_> = (0..30).map(frame).collect();
        let mut followed = Followed::default();
        let mut read = |key: u8, archive: &Archive| {
            let unread = followed.unread(key, 2, archive).to_vec();
            for f in &unread {
                let second = if f.index < 3 { f64::NAN } else { 1.0 };
                followed.took(f, [f.time, second].into_iter());
            }
            (unread.len(), followed.lines[0].len())
        };
        assert_eq!(read(0, &archive(&frames[..10], 1)), (10, 10));
        assert_eq!(read(0, &archive(&frames[..10], 1)), (0, 10));
        // The oldest leave the memory, others come.
        assert_eq!(read(0, &archive(&frames[5..20], 1)), (10, 20));
        // All that was read has left.
        assert_eq!(read(0, &archive(&frames[22..25], 1)), (3, 23));
        // Another cell, another rollout, frames made anew.
        assert_eq!(read(1, &archive(&frames[22..25], 1)), (3, 3));
        assert_eq!(read(1, &archive(&frames[..5], 2)), (5, 5));
        let other: Vec<_> = (0..6).map(frame).collect();
        assert_eq!(read(1, &archive(&other, 2)), (6, 6));
        assert_eq!(read(1, &archive(&other[..4], 2)), (4, 4));
        // A line begins where it has values.
        assert_eq!(followed.lines[1][..], [[3.0, 1.0]]);
    }
}
