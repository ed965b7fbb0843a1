//! The frames being edited: what they were, what they are, and the way back.

use std::sync::Arc;

use crate::data::{Calendar, Date};

type Frames = Vec<Arc<[f32]>>;

/// Steps that can be undone.
const MOST: usize = 200;

/// Frames of one lane and member, oldest first.
pub struct History {
    /// Number of the last one: the model goes on from it.
    pub at: usize,
    /// The frame that is looked at and, if not all are, edited.
    pub shown: usize,
    /// The frame before the oldest one, for the discriminator.
    pub older: Option<Arc<[f32]>>,
    /// Date of the last frame, on the globe.
    pub date: Option<(Calendar, Date)>,
    original: Frames,
    now: Frames,
    undo: Vec<Frames>,
    redo: Vec<Frames>,
}

impl History {
    /// Frames as they were kept, oldest first; at least one.
    pub fn new(at: usize, frames: Frames, older: Option<Arc<[f32]>>) -> Self {
        Self {
            at,
            shown: frames.len().saturating_sub(1),
            older,
            date: None,
            now: frames.clone(),
            original: frames,
            undo: Vec::new(),
            redo: Vec::new(),
        }
    }

    /// As they are now.
    pub fn frames(&self) -> &[Arc<[f32]>] {
        &self.now
    }

    /// As they were.
    pub fn original(&self) -> &[Arc<[f32]>] {
        &self.original
    }

    /// Whether they differ from what was kept.
    pub fn is_edited(&self) -> bool {
        let pairs = self.now.iter().zip(&self.original);
        pairs.into_iter().any(|(a, b)| !Arc::ptr_eq(a, b))
    }

    /// Whether there is a step to take back, and one to do again.
    pub fn can(&self) -> (bool, bool) {
        (!self.undo.is_empty(), !self.redo.is_empty())
    }

    /// What a change would make of the frames: of all, or of the one that is shown.
    pub fn changed(&self, all: bool, change: impl Fn(&[f32]) -> Vec<f32>) -> Frames {
        let frames = self.now.iter().enumerate();
        frames
            .map(|(i, frame)| match all || i == self.shown {
                true => change(frame).into(),
                false => Arc::clone(frame),
            })
            .collect()
    }

    /// Takes over changed frames; the step can be undone.
    pub fn set(&mut self, frames: Frames) {
        if frames.len() != self.now.len() {
            return;
        }
        self.undo.push(std::mem::replace(&mut self.now, frames));
        if self.undo.len() > MOST {
            self.undo.remove(0);
        }
        self.redo.clear();
    }

    /// Takes over changed frames in place of the last step's (a slider that moves on).
    pub fn revise(&mut self, frames: Frames) {
        if frames.len() == self.now.len() {
            self.now = frames;
        }
    }

    /// Takes a step back.
    pub fn undo(&mut self) {
        if let Some(before) = self.undo.pop() {
            self.redo.push(std::mem::replace(&mut self.now, before));
        }
    }

    /// Does it again.
    pub fn redo(&mut self) {
        if let Some(after) = self.redo.pop() {
            self.undo.push(std::mem::replace(&mut self.now, after));
        }
    }

    /// Back to what was kept; can be undone.
    pub fn reset(&mut self) {
        if self.is_edited() {
            self.set(self.original.clone());
        }
    }

    /// The frames in the other order; can be undone.
    pub fn reverse(&mut self) {
        let backwards = self.now.iter().rev().cloned().collect();
        self.set(backwards);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_can_be_undone_and_done_again() {
        let frames: Frames = (0..4).map(|i| vec![i as f32; 3].into()).collect();
        let mut h = History::new(9, frames, None);
        assert!(!h.is_edited() && h.can() == (false, false));
        h.shown = 2;
        let one = h.changed(false, |f| f.iter().map(|v| v + 10.0).collect());
        h.set(one);
        assert_eq!((h.frames()[2][0], h.frames()[3][0]), (12.0, 3.0));
        h.reverse();
        assert_eq!(h.frames()[1][0], 12.0);
        h.undo();
        h.undo();
        assert!(!h.is_edited() && h.can() == (false, true));
        h.redo();
        assert_eq!(h.frames()[2][0], 12.0);
        h.reset();
        assert!(!h.is_edited());
        h.undo();
        assert!(h.is_edited());
        // Twice backwards is as before.
        let before: Vec<f32> = h.frames().iter().map(|f| f[0]).collect();
        h.reverse();
        h.reverse();
        assert_eq!(before, h.frames().iter().map(|f| f[0]).collect::<Vec<_>>());
    }
}
