//! Branches: the tree of a rollout. A branch goes on from a frame of another one with settings of its own; frames before
//! that are shared between the two. Noise is a pure function of (seed, member, frame, step), so that a branch without a
//! change of settings gives its parent's frames bit for bit.

use std::sync::Arc;

use crate::error::{Result, UserError};

use super::engine::HISTORY;
use super::protocol::Archive;
use super::settings::{LANES, LaneKind, Settings};

/// Names a branch within a rollout; never given twice.
pub type BranchId = usize;

/// A frame of a lane: one row-major array a member, physical units.
pub type Members = Vec<Arc<[f32]>>;

/// A branch.
#[derive(Debug, Clone)]
pub struct Branch {
    /// Its number.
    pub id: BranchId,
    /// What a person calls it.
    pub name: String,
    /// The branch that it left; `None` for one that goes back to the start.
    pub parent: Option<BranchId>,
    /// Last frame that it has in common with its parent, if nothing was edited.
    pub fork: usize,
    /// Number of frames up to the fork that were edited by hand.
    pub edited: usize,
    /// The settings with which it goes on from the fork.
    pub settings: Arc<Settings>,
    /// The frame of this branch that truth was started from anew, where its history was edited.
    pub truth_from: Option<usize>,
    /// Frames and figures of a branch that rests; `None` for the active one, whose frames are the archive's.
    pub rest: Option<Arc<Archive>>,
}

impl Branch {
    /// The first branch of a rollout.
    pub fn main(settings: Arc<Settings>) -> Self {
        Self {
            id: 0,
            name: "main".into(),
            parent: None,
            fork: 0,
            edited: 0,
            settings,
            truth_from: None,
            rest: None,
        }
    }

    /// The name that a branch has until it is given one.
    pub fn default_name(id: BranchId) -> String {
        format!("branch {}", id + 1)
    }
}

/// Frames with which the last ones of a branch are replaced before it goes on.
#[derive(Debug, Clone, Default)]
pub struct EditedHistory {
    /// By [`LaneKind::index`]: the last frames up to the fork, oldest first, one row-major array a member, physical
    /// units; `None` leaves the lane as it was. At most [`HISTORY`] frames.
    pub lanes: [Option<Vec<Members>>; LANES],
}

impl EditedHistory {
    /// The same frames for all lanes: oldest first, one array a member, physical units.
    pub fn all(frames: &[Members]) -> Self {
        Self {
            lanes: std::array::from_fn(|_| Some(frames.to_vec())),
        }
    }

    /// Number of frames that are replaced, the most of any lane.
    pub fn len(&self) -> usize {
        let lengths = self.lanes.iter().flatten().map(Vec::len);
        lengths.max().unwrap_or(0)
    }

    /// Whether nothing is replaced.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The frame of a lane that replaces frame `index` of a branch that goes on from `at`.
    pub fn frame(&self, kind: LaneKind, at: usize, index: usize) -> Option<&Members> {
        let frames = self.lanes[kind.index()].as_ref()?;
        let back = at.checked_sub(index)?;
        frames.get(frames.len().checked_sub(back + 1)?)
    }

    /// Checks that the frames can be a history: their number, members, cells and values.
    ///
    /// # Errors
    /// Says which frame cannot be used and why.
    pub fn validate(&self, at: usize, members: usize, cells: usize) -> Result<()> {
        let bad = |cause: String| {
            Err(UserError::new(
                "The edited frames cannot be used",
                cause,
                "take them from the frames on screen, edit those, and try again",
            ))
        };
        if self.len() > HISTORY.min(at + 1) {
            let most = HISTORY.min(at + 1);
            return bad(format!("{} frames, and at most {most} fit", self.len()));
        }
        for (kind, frames) in LaneKind::ALL.iter().zip(&self.lanes) {
            for frame in frames.iter().flatten() {
                let name = kind.label();
                if frame.len() != members {
                    return bad(format!("{name}: {} of {members} members", frame.len()));
                }
                if let Some(odd) = frame.iter().find(|m| m.len() != cells) {
                    return bad(format!("{name}: {} values, not {cells}", odd.len()));
                }
                if frame.iter().any(|m| m.iter().any(|v| !v.is_finite())) {
                    return bad(format!("{name}: a value is not a finite number"));
                }
            }
        }
        Ok(())
    }
}

/// A branch that was forgotten, and how others hung on it.
#[derive(Debug, Clone)]
pub struct Forgotten {
    branch: Branch,
    /// Its place in the list.
    at: usize,
    children: Vec<Tie>,
}

impl Forgotten {
    /// Its number.
    pub fn id(&self) -> BranchId {
        self.branch.id
    }

    /// Frames that it holds in memory, those that it shares with others among them.
    pub fn in_memory(&self) -> usize {
        self.branch.rest.as_ref().map_or(0, |r| r.frames.len())
    }
}

/// How a branch hangs on its parent.
#[derive(Debug, Clone)]
struct Tie {
    id: BranchId,
    fork: usize,
    edited: usize,
    settings: Arc<Settings>,
}

impl Tie {
    fn of(branch: &Branch) -> Self {
        Self {
            id: branch.id,
            fork: branch.fork,
            edited: branch.edited,
            settings: Arc::clone(&branch.settings),
        }
    }
}

impl Archive {
    /// A branch by its number.
    pub fn branch(&self, id: BranchId) -> Option<&Branch> {
        self.branches.iter().find(|b| b.id == id)
    }

    /// Frames and figures of a branch: the archive itself for the active one. Of what it holds, `branches` is empty where
    /// it rests.
    pub fn of(&self, id: BranchId) -> Option<&Archive> {
        if id == self.active {
            return Some(self);
        }
        self.branch(id)?.rest.as_deref()
    }

    /// The branch whose own frame number `index` of a branch is: one that it has in common with its parent is the parent's,
    /// or further up.
    pub fn owner(&self, id: BranchId, index: usize) -> BranchId {
        let mut owner = id;
        // A tree that does not hold together is left after as many steps as it has branches.
        for _ in 0..self.branches.len() {
            let branch = self.branch(owner);
            let shared = branch.filter(|b| index + b.edited <= b.fork);
            match shared.and_then(|b| b.parent) {
                Some(parent) => owner = parent,
                None => break,
            }
        }
        owner
    }

    /// Whether all frames in memory, of all branches, are of so many rows and columns and members.
    pub(super) fn fits(&self, shape: (usize, usize), members: usize) -> bool {
        let resting = self.branches.iter().filter_map(|b| b.rest.as_ref());
        let mut all = resting.flat_map(|a| &a.frames).chain(&self.frames);
        all.all(|f| f.fits(shape, members))
    }

    /// The settings with which a branch goes on when it is taken up: those of its last frame, or those that it was begun
    /// with.
    pub fn goes_on_with(&self, id: BranchId) -> Option<Arc<Settings>> {
        let branch = self.branch(id)?;
        let last = self.of(id).and_then(|a| a.frames.last());
        let own = last.filter(|f| f.index > branch.fork);
        Some(own.map_or_else(|| Arc::clone(&branch.settings), |f| Arc::clone(&f.settings)))
    }

    /// Number of frame sets in memory, those that branches share counted once.
    pub fn in_memory(&self) -> usize {
        let resting: Vec<_> = self
            .branches
            .iter()
            .filter_map(|b| b.rest.as_ref())
            .collect();
        if resting.is_empty() {
            return self.frames.len();
        }
        let all = resting.iter().flat_map(|a| &a.frames).chain(&self.frames);
        let distinct: std::collections::HashSet<_> = all.map(Arc::as_ptr).collect();
        distinct.len()
    }

    /// Lets the active branch rest and takes up another one. `false` for one that is not there.
    pub fn activate(&mut self, id: BranchId) -> bool {
        let other = self.branches.iter_mut().find(|b| b.id == id);
        let Some(taken) = other.and_then(|b| b.rest.take()) else {
            return false;
        };
        self.rest();
        let taken = Arc::unwrap_or_clone(taken);
        self.frames = taken.frames;
        self.on_disk = taken.on_disk;
        self.diagnostics = taken.diagnostics;
        self.active = id;
        self.epoch += 1;
        true
    }

    /// Puts the active branch to rest: its frames go with it.
    pub fn rest(&mut self) {
        let resting = Self {
            frames: std::mem::take(&mut self.frames),
            on_disk: std::mem::take(&mut self.on_disk),
            diagnostics: std::mem::take(&mut self.diagnostics),
            epoch: self.epoch,
            branches: Vec::new(),
            active: self.active,
        };
        let active = self.active;
        if let Some(branch) = self.branches.iter_mut().find(|b| b.id == active) {
            branch.rest = Some(Arc::new(resting));
        }
    }

    /// Forgets a branch that rests. Those that left it now leave its parent; without a parent the first of them takes its
    /// place. What is returned brings it back ([`Self::recall`]); `None` for the active branch and for one that is not there.
    pub fn forget(&mut self, id: BranchId) -> Option<Forgotten> {
        let at = self.branches.iter().position(|b| b.id == id);
        let at = at.filter(|_| id != self.active)?;
        let left_it = self.branches.iter().filter(|b| b.parent == Some(id));
        let children = left_it.map(Tie::of).collect();
        let gone = self.branches.remove(at);
        let forgotten = Forgotten {
            branch: gone.clone(),
            at,
            children,
        };
        let heir = match gone.parent {
            Some(parent) => Some((parent, gone.fork, gone.edited)),
            None => {
                let mut children = self.branches.iter_mut();
                children.find(|b| b.parent == Some(id)).map(|eldest| {
                    eldest.parent = None;
                    (eldest.id, eldest.fork, eldest.edited)
                })
            }
        };
        let Some((heir, fork, edited)) = heir else {
            return Some(forgotten);
        };
        for child in self.branches.iter_mut().filter(|b| b.parent == Some(id)) {
            child.parent = Some(heir);
            if child.fork > fork {
                // It has left the heir where the one that is gone had.
                child.fork = fork;
                child.edited = edited;
                if gone.parent.is_some() {
                    child.settings = Arc::clone(&gone.settings);
                }
            } else {
                let edited_before = (child.fork + edited).saturating_sub(fork);
                child.edited = child.edited.max(edited_before);
            }
        }
        Some(forgotten)
    }

    /// Brings back a branch that was forgotten, with what left it. `false` where it is there, or the branch that it left is
    /// not: what was forgotten last comes back first.
    pub fn recall(&mut self, forgotten: Forgotten) -> bool {
        let Forgotten {
            branch,
            at,
            children,
        } = forgotten;
        let parent_lost = branch.parent.is_some_and(|p| self.branch(p).is_none());
        if parent_lost || self.branch(branch.id).is_some() {
            return false;
        }
        for tie in children {
            if let Some(child) = self.branches.iter_mut().find(|b| b.id == tie.id) {
                child.parent = Some(branch.id);
                child.fork = tie.fork;
                child.edited = tie.edited;
                child.settings = tie.settings;
            }
        }
        let at = at.min(self.branches.len());
        self.branches.insert(at, branch);
        true
    }

    /// After the active branch went back: the next frame is number `next`. What left it later has it in common only so
    /// far.
    pub(super) fn shorten(&mut self, next: usize) {
        let (active, last) = (self.active, next.saturating_sub(1));
        for b in &mut self.branches {
            if b.id == active || b.parent == Some(active) {
                // Of what was edited up to the fork as much is gone.
                b.edited = b.edited.saturating_sub(b.fork.saturating_sub(last));
                b.fork = b.fork.min(last);
            }
            if b.id == active {
                b.truth_from = b.truth_from.filter(|f| *f <= last);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch(id: BranchId, parent: Option<BranchId>, fork: usize) -> Branch {
        Branch {
            id,
            name: Branch::default_name(id),
            parent,
            fork,
            rest: Some(Arc::default()),
            ..Branch::main(Arc::default())
        }
    }

    fn tree(branches: Vec<Branch>, active: BranchId) -> Archive {
        Archive {
            branches,
            active,
            ..Archive::default()
        }
    }

    fn shape(a: &Archive) -> Vec<(BranchId, Option<BranchId>, usize)> {
        let of = |b: &Branch| (b.id, b.parent, b.fork);
        a.branches.iter().map(of).collect()
    }

    #[test]
    fn children_of_a_forgotten_branch_leave_its_parent() {
        let all = vec![
            branch(0, None, 0),
            branch(1, Some(0), 20),
            branch(2, Some(1), 30),
            branch(3, Some(1), 10),
        ];
        let mut a = tree(all, 0);
        let before = shape(&a);
        assert!(a.forget(0).is_none(), "the active one");
        let gone = a.forget(1).expect("forgotten");
        assert_eq!(
            shape(&a),
            [(0, None, 0), (2, Some(0), 20), (3, Some(0), 10)]
        );
        assert!(a.forget(1).is_none());
        assert!(a.recall(gone.clone()));
        assert_eq!(shape(&a), before);
        assert!(!a.recall(gone), "it is there");
    }

    #[test]
    fn what_was_forgotten_last_comes_back_first() {
        let all = vec![
            branch(0, None, 0),
            branch(1, Some(0), 20),
            branch(2, Some(1), 30),
            branch(3, None, 0),
        ];
        let mut a = tree(all, 3);
        let before = shape(&a);
        let (child, root) = (a.forget(2).unwrap(), a.forget(0).unwrap());
        let parent = a.forget(1).unwrap();
        assert_eq!(shape(&a), [(3, None, 0)]);
        assert!(!a.recall(child.clone()), "its parent is not there");
        for forgotten in [parent, root, child] {
            assert!(a.recall(forgotten));
        }
        assert_eq!(shape(&a), before);
    }

    #[test]
    fn the_first_child_takes_the_place_of_a_forgotten_root() {
        let all = vec![
            branch(0, None, 0),
            branch(1, Some(0), 20),
            branch(2, Some(0), 30),
            branch(3, Some(2), 40),
        ];
        let mut a = tree(all, 3);
        let before = shape(&a);
        let root = a.forget(0).expect("forgotten");
        assert_eq!(
            shape(&a),
            [(1, None, 20), (2, Some(1), 20), (3, Some(2), 40)]
        );
        assert!(a.recall(root));
        assert_eq!(shape(&a), before);
    }

    #[test]
    fn frames_before_a_fork_are_the_parents() {
        let mut edited = branch(2, Some(1), 30);
        edited.edited = 3;
        let a = tree(vec![branch(0, None, 0), branch(1, Some(0), 20), edited], 2);
        let owners: Vec<_> = [5, 20, 21, 27, 28, 30, 31].map(|i| a.owner(2, i)).into();
        assert_eq!(owners, [0, 0, 1, 1, 2, 2, 2]);
        assert_eq!(a.owner(0, 7), 0);
    }

    #[test]
    fn a_branch_that_went_back_has_less_in_common_and_less_edited() {
        let edited = |id, parent, fork| Branch {
            edited: 4,
            truth_from: Some(fork),
            ..branch(id, Some(parent), fork)
        };
        let mut a = tree(
            vec![branch(0, None, 0), edited(1, 0, 30), edited(2, 1, 40)],
            1,
        );
        a.shorten(29);
        let now = |a: &Archive, id| {
            let b = a.branch(id).unwrap();
            (b.fork, b.edited, b.truth_from)
        };
        // Frames 27 and 28 are left of the edited ones; the child was edited later.
        assert_eq!(now(&a, 1), (28, 2, None));
        assert_eq!(now(&a, 2), (28, 0, Some(40)));
        assert_eq!([25, 26, 27, 28].map(|i| a.owner(1, i)), [0, 0, 1, 1]);
        assert_eq!([26, 28, 29].map(|i| a.owner(2, i)), [0, 1, 2]);
        a.shorten(20);
        assert_eq!((now(&a, 1).0, now(&a, 1).1), (19, 0));
        assert_eq!(a.owner(1, 19), 0);
    }

    #[test]
    fn an_edited_history_names_its_frames_and_refuses_what_does_not_fit() {
        let frame = |v: f32| vec![Arc::from([v; 4])];
        let edit = EditedHistory::all(&[frame(1.0), frame(2.0)]);
        assert_eq!(edit.len(), 2);
        assert_eq!(edit.frame(LaneKind::Guided, 9, 9), Some(&frame(2.0)));
        assert_eq!(edit.frame(LaneKind::Guided, 9, 8), Some(&frame(1.0)));
        assert_eq!(edit.frame(LaneKind::Guided, 9, 7), None);
        assert_eq!(edit.frame(LaneKind::Guided, 9, 10), None);
        assert!(edit.validate(9, 1, 4).is_ok());
        assert!(edit.validate(0, 1, 4).is_err(), "before the first frame");
        assert!(edit.validate(9, 2, 4).is_err() && edit.validate(9, 1, 5).is_err());
        let odd = EditedHistory::all(&[frame(f32::NAN)]);
        assert!(odd.validate(9, 1, 4).is_err());
        let five = vec![frame(0.0); HISTORY + 1];
        assert!(EditedHistory::all(&five).validate(9, 1, 4).is_err());
    }
}
