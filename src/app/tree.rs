//! Branches in the window: leaving one, taking up another, the one that is compared with.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::rollout::branch::{BranchId, EditedHistory};
use crate::rollout::frame::FrameSet;
use crate::rollout::protocol::Command;
use crate::rollout::settings::{LANES, LaneKind};

use super::difference::Difference;
use super::stage::Stage;
use super::state::{BlowUp, State};
use super::words::{self, Changed};

/// What the window remembers of the branches.
#[derive(Debug)]
pub struct Tree {
    /// The branch that the window follows.
    active: BranchId,
    /// Lanes stopped in branches that rest.
    blow_ups: BTreeMap<BranchId, [Option<BlowUp>; LANES]>,
    /// What is shown once the worker has taken up another branch.
    then: Option<Then>,
    /// The branch that is shown beside, and which of its lanes.
    compared: Option<BranchId>,
    /// See `compared`.
    pub compared_lane: LaneKind,
    /// The frame of that branch with the number of the frame shown.
    beside: Option<Arc<FrameSet>>,
    /// A branch that is being given another name.
    pub renaming: Option<(BranchId, String)>,
    /// The difference of two pictures.
    pub difference: Difference,
}

#[derive(Debug, Clone, Copy)]
enum Then {
    /// Frames are made.
    Run,
    /// The same, and what was edited by hand is left.
    GoOn,
    /// This frame is shown.
    Show(usize),
}

impl Default for Tree {
    fn default() -> Self {
        Self {
            active: 0,
            blow_ups: BTreeMap::new(),
            then: None,
            compared: None,
            compared_lane: LaneKind::Guided,
            beside: None,
            renaming: None,
            difference: Difference::default(),
        }
    }
}

impl Tree {
    /// The worker refused: nothing will be taken up.
    pub fn give_up(&mut self) {
        self.then = None;
    }

    /// Another rollout begins, with a tree of its own.
    pub fn forget(&mut self) {
        self.then = None;
        self.blow_ups.clear();
    }

    /// Whether another branch was asked for and is not there yet.
    pub fn is_waiting(&self) -> bool {
        self.then.is_some()
    }
}

/// A picture in the middle of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tile {
    /// A lane of the branch on screen.
    Lane(LaneKind),
    /// A lane of the branch beside.
    Compared,
    /// The difference of two pictures.
    Difference,
}

impl State {
    /// Goes on from the frame shown as a new branch, with the settings on screen.
    pub fn branch_here(&mut self) {
        if self.archive.frames.is_empty() {
            return;
        }
        let at = self.play.shown(self.first(), self.last());
        self.tree.then = Some(Then::Run);
        self.source.send(Command::Branch {
            at,
            name: None,
            history: None,
        });
    }

    /// Goes on from frame `at` as a new branch whose last frames are those edited by hand. They stay in the editor until
    /// the branch is there: the worker may refuse them.
    pub(super) fn branch_edited(&mut self, at: usize, history: EditedHistory) {
        self.tree.then = Some(Then::GoOn);
        self.source.send(Command::Pause);
        self.source.send(Command::Branch {
            at,
            name: Some(format!("edited {at}")),
            history: Some(Box::new(history)),
        });
    }

    /// Plays the last frames up to the one shown again and again, or no longer does.
    pub fn toggle_loop(&mut self) {
        const FRAMES: usize = 40;
        if self.play.looped().is_some() {
            return self.play.end_loop();
        }
        let shown = self.play.shown(self.first(), self.last());
        let from = shown.saturating_sub(FRAMES).max(self.first());
        self.play.set_loop(from, shown);
    }

    /// Takes up another branch at a frame (the one with the same number without), with its settings; nothing is sampled
    /// until asked.
    pub fn switch_branch(&mut self, id: BranchId, frame: Option<usize>) {
        let Some(settings) = self.archive.goes_on_with(id) else {
            return;
        };
        if id == self.archive.active {
            return;
        }
        let shown = self.play.shown(self.first(), self.last());
        let order = self.play.halt();
        self.obey(order);
        self.tree.then = Some(Then::Show(frame.unwrap_or(shown)));
        self.prefs.settings = settings.as_ref().clone();
        self.undo.start_from_here();
        self.source.send(Command::SwitchBranch(id));
    }

    /// Forgets a branch that rests; undo brings it back.
    pub fn delete_branch(&mut self, id: BranchId) {
        let name = self.branch_name(id).to_owned();
        self.forget_branch(id);
        self.undo.deleted(id, name);
    }

    pub(super) fn forget_branch(&mut self, id: BranchId) {
        if self.tree.compared == Some(id) {
            self.compare_with(None);
        }
        self.source.send(Command::DeleteBranch(id));
    }

    /// Follows the worker to another branch; after each change of the archive.
    pub(super) fn follow_branches(&mut self) {
        let active = self.archive.active;
        self.tree
            .blow_ups
            .retain(|id, _| self.archive.branch(*id).is_some());
        let lost = |id: BranchId| self.archive.branch(id).is_none();
        if self.tree.compared.is_some_and(lost) {
            self.compare_with(None);
        }
        if active == self.tree.active {
            return;
        }
        // Its ends are frames of the branch that is left.
        self.play.end_loop();
        let left = std::mem::replace(&mut self.tree.active, active);
        let taken = self.tree.blow_ups.remove(&active).unwrap_or_default();
        let blow_ups = std::mem::replace(&mut self.blow_ups, taken);
        if self.archive.branch(left).is_some() {
            self.tree.blow_ups.insert(left, blow_ups);
            if self.tree.compared == Some(active) {
                // The two change places.
                self.tree.compared = Some(left);
            }
        } else if self.tree.compared == Some(active) {
            self.compare_with(None);
        }
        let then = self.tree.then.take();
        match then {
            Some(Then::Run | Then::GoOn) => {
                if matches!(then, Some(Then::GoOn)) {
                    self.edit.clear();
                    self.stage = Stage::Lanes;
                }
                self.play.restart();
                self.ran = false;
                self.source.send(Command::Run);
            }
            Some(Then::Show(index)) => {
                let order = self.play.go_to(index, self.last());
                self.obey(order);
            }
            None => {}
        }
    }

    /// The branch that is compared with, if one is.
    pub fn compared(&self) -> Option<BranchId> {
        self.tree.compared.filter(|id| *id != self.archive.active)
    }

    /// Compares with another branch, or no longer.
    pub fn compare_with(&mut self, id: Option<BranchId>) {
        self.tree.compared = id.filter(|id| *id != self.archive.active);
        self.tree
            .difference
            .follow(self.tree.compared.is_some(), self.tree.compared_lane);
        self.fetch_beside();
    }

    /// Name of a branch.
    pub fn branch_name(&self, id: BranchId) -> &str {
        self.archive.branch(id).map_or("", |b| b.name.as_str())
    }

    /// The frame of the compared branch with the number of the frame shown, if it has one.
    pub fn beside(&self) -> Option<&Arc<FrameSet>> {
        self.tree.beside.as_ref()
    }

    /// Reads that frame; after everything that moves through time.
    pub(super) fn fetch_beside(&mut self) {
        let index = self.play.shown(self.first(), self.last());
        let Some(other) = self.compared().and_then(|id| self.archive.of(id)) else {
            self.tree.beside = None;
            return;
        };
        let in_memory = other.frames.first().map_or(usize::MAX, |f| f.index);
        let known = self.tree.beside.as_ref();
        if let Some(at) = index.checked_sub(in_memory) {
            self.tree.beside = other.frames.get(at).cloned();
        } else if known.is_none_or(|f| f.index != index) {
            self.tree.beside = other.load(index);
        }
    }

    /// Pictures in the middle, in their order.
    pub fn tiles(&self) -> Vec<Tile> {
        let mut tiles: Vec<Tile> = self.lanes().into_iter().map(Tile::Lane).collect();
        if self.compared().is_some() {
            tiles.push(Tile::Compared);
        }
        if self.tree.difference.on {
            tiles.push(Tile::Difference);
        }
        tiles
    }

    /// First and last frame of all branches.
    pub fn tree_span(&self) -> (usize, usize) {
        let branches = self.archive.branches.iter();
        let others = branches.filter_map(|b| self.archive.of(b.id));
        others.fold((self.first(), self.last()), |(first, last), a| {
            let end = a.frames.last().map_or(last, |f| f.index);
            (first.min(a.oldest()), last.max(end))
        })
    }

    /// What was changed since the newest frame was made while an older one is shown: then a branch is offered.
    pub fn changed_in_the_past(&self) -> Option<Vec<Changed>> {
        if self.play.at_end() {
            return None;
        }
        let newest = self.archive.frames.last()?;
        let mut changes = words::changes(&newest.settings, &self.prefs.settings);
        changes.retain(|c| c.short.is_some());
        (!changes.is_empty()).then_some(changes)
    }

    /// In a few words how a branch differs from its parent.
    pub fn branch_words(&self, id: BranchId) -> String {
        let Some(branch) = self.archive.branch(id) else {
            return String::new();
        };
        let mut parts = Vec::new();
        if branch.edited > 0 {
            parts.push("edited".to_owned());
        }
        if let Some(parent) = branch.parent {
            // The frame at the fork is the parent's: its settings are what was left.
            let fork = self.archive.of(parent).and_then(|a| {
                let first = a.frames.first()?.index;
                a.frames.get(branch.fork.checked_sub(first)?)
            });
            let before = fork.map(|f| Arc::clone(&f.settings));
            if let Some(before) = before.or_else(|| self.archive.goes_on_with(parent)) {
                // What it came to: settings can be changed within a branch too.
                let now = self.archive.goes_on_with(id);
                let now = now.unwrap_or_else(|| Arc::clone(&branch.settings));
                let changes = words::changes(&before, &now);
                parts.extend(changes.into_iter().filter_map(|c| c.short));
            }
            if parts.is_empty() {
                parts.push("no change".to_owned());
            }
        }
        parts.join(", ")
    }
}
