//! Branches of a session: leaving one, taking up another, and what each needs to go on.

use std::sync::Arc;

use crate::error::{Result, UserError};

use super::branch::{Branch, BranchId, EditedHistory};
use super::engine::Engine;
use super::frame::{DenoisingTrace, FrameSet};
use super::lanes::Lanes;
use super::protocol::{Archive, Event};
use super::recorder::{Made, Recorder};
use super::session::Session;
use super::session_frames::KEPT_AT_LEAST;
use super::settings::{LANES, LaneKind};

/// Deleted branches that can be brought back.
const MOST_FORGOTTEN: usize = 8;

/// What a branch that rests needs to go on.
pub(super) struct Resting {
    lanes: Lanes,
    recorder: Recorder,
    stopped: [bool; LANES],
}

impl Session<'_> {
    /// Goes on from frame `at` as a new branch; see [`super::protocol::Command::Branch`].
    pub(super) fn branch(
        &mut self,
        at: usize,
        name: Option<String>,
        history: Option<&EditedHistory>,
    ) {
        if let Err(error) = self.try_branch(at, name, history) {
            self.shared.event(Event::Error {
                error,
                fatal: false,
            });
        }
        self.idle_line();
    }

    fn try_branch(
        &mut self,
        at: usize,
        name: Option<String>,
        history: Option<&EditedHistory>,
    ) -> Result<()> {
        let before = self.shared.with_archive(Archive::clone);
        let start = self.lanes.start_frames;
        // Within the start there is nothing that could be made otherwise.
        let at = match history {
            None => at.max(start.saturating_sub(1)),
            Some(_) => at,
        };
        let next = at + 1;
        if next < start || next > self.lanes.next || before.load(at).is_none() {
            return Err(UserError::new(
                format!("There is no frame {at} to branch from"),
                format!(
                    "a branch goes on from one of the frames {} to {}",
                    before.oldest().max(start.saturating_sub(1)),
                    self.lanes.next.saturating_sub(1)
                ),
                "move the timeline to one of them and branch there",
            ));
        }
        let edited = history.map_or(0, EditedHistory::len);
        if let Some(history) = history {
            history.validate(at, self.lanes.members(), self.engine.cells())?;
        }
        let mut archive = before.clone();
        archive.on_disk = before.on_disk.share();
        archive.go_back(next, KEPT_AT_LEAST);
        archive.on_disk.truncate(next - edited);
        let mut recorder = self.recorder.clone();
        match history {
            None => recorder.go_back(&mut self.engine, &|f| before.load(f), next),
            Some(history) => {
                edit(&mut self.engine, &mut archive, at, history);
                let begin = (next - edited).max(start);
                let seen = |f: usize| {
                    if f < begin {
                        archive.load(f)
                    } else {
                        before.load(f)
                    }
                };
                recorder.go_back(&mut self.engine, &seen, begin);
                for set in archive.frames.iter_mut().filter(|f| f.index >= begin) {
                    record(&mut self.engine, &mut recorder, set);
                }
            }
        }
        let mut lanes = self.lanes.clone();
        let members = |kind: LaneKind, frame: usize| {
            let set = archive.load(frame)?;
            set.lanes[kind.index()].as_ref().map(|l| l.members.clone())
        };
        lanes.go_back(&mut self.engine, next, &members);
        let inherited = before.branch(before.active).and_then(|b| b.truth_from);
        let mut truth_from = inherited.filter(|f| *f <= at);
        let truth = history.and_then(|h| h.frame(LaneKind::Truth, at, at));
        if let Some(fields) = truth {
            lanes.restart_truth(&mut self.engine, fields)?;
            truth_from = Some(at);
        }

        self.current = None;
        self.replay = None;
        let left = Resting {
            lanes: std::mem::replace(&mut self.lanes, lanes),
            recorder: std::mem::replace(&mut self.recorder, recorder),
            stopped: std::mem::take(&mut self.stopped),
        };
        self.resting.insert(before.active, left);
        let id = self.next_branch;
        self.next_branch += 1;
        let branch = Branch {
            id,
            name: named(name).unwrap_or_else(|| Branch::default_name(id)),
            parent: Some(before.owner(before.active, at)),
            fork: at,
            edited,
            settings: self.shared.settings().settings,
            truth_from,
            rest: None,
        };
        let diagnostics = self.recorder.figures(self.engine.card.truth.std);
        self.shared.update_archive(|a| {
            a.rest();
            a.frames = archive.frames;
            a.on_disk = archive.on_disk;
            a.diagnostics = diagnostics;
            a.branches.push(branch);
            a.active = id;
            a.epoch += 1;
        });
        Ok(())
    }

    /// Takes up a branch that rests.
    pub(super) fn switch_branch(&mut self, id: BranchId) {
        let before = self.shared.with_archive(Archive::clone);
        let rest = before.branch(id).and_then(|b| b.rest.clone());
        let (Some(rest), Some(branch)) = (rest, before.branch(id)) else {
            return;
        };
        self.current = None;
        self.replay = None;
        let taken = match self.resting.remove(&id) {
            Some(taken) => taken,
            None => {
                let own = |f: usize| before.owner(before.active, f) == before.owner(id, f);
                let common = (0..self.lanes.next).rev().find(|f| own(*f));
                let common = common.map_or(0, |f| f + 1);
                match self.made_again(&rest, branch.truth_from, common) {
                    Some(taken) => taken,
                    None => return,
                }
            }
        };
        let left = Resting {
            lanes: std::mem::replace(&mut self.lanes, taken.lanes),
            recorder: std::mem::replace(&mut self.recorder, taken.recorder),
            stopped: std::mem::replace(&mut self.stopped, taken.stopped),
        };
        self.resting.insert(before.active, left);
        if let Some(settings) = before.goes_on_with(id) {
            self.shared.set_settings(settings);
        }
        let diagnostics = self.recorder.figures(self.engine.card.truth.std);
        self.shared.update_archive(|a| {
            a.activate(id);
            a.diagnostics = diagnostics;
        });
        self.idle_line();
    }

    /// Gives a branch another name.
    pub(super) fn rename_branch(&mut self, id: BranchId, name: String) {
        let Some(name) = named(Some(name)) else {
            return;
        };
        self.shared.update_archive(|a| {
            if let Some(branch) = a.branches.iter_mut().find(|b| b.id == id) {
                branch.name = name;
            }
        });
    }

    /// Forgets a branch that rests.
    pub(super) fn delete_branch(&mut self, id: BranchId) {
        let active = self.shared.with_archive(|a| a.active);
        if id == active {
            self.shared.event(Event::Error {
                error: UserError::new(
                    "The branch on screen cannot be deleted",
                    "the rollout goes on with it",
                    "switch to another branch first",
                ),
                fatal: false,
            });
            return;
        }
        // Taken up again its state is made again from its frames, which it keeps.
        self.resting.remove(&id);
        let mut gone = None;
        self.shared.update_archive(|a| gone = a.forget(id));
        self.forgotten.extend(gone);
        let over = self.forgotten.len().saturating_sub(MOST_FORGOTTEN);
        self.forgotten.drain(..over);
    }

    /// Brings back a branch that was forgotten.
    pub(super) fn recall_branch(&mut self, id: BranchId) {
        let at = self.forgotten.iter().rposition(|f| f.id() == id);
        let forgotten = at.map(|at| self.forgotten.remove(at));
        let mut there = false;
        self.shared
            .update_archive(|a| there = forgotten.is_some_and(|f| a.recall(f)));
        if !there {
            self.shared.event(Event::Error {
                error: UserError::new(
                    "That branch cannot be brought back",
                    format!(
                        "the last {MOST_FORGOTTEN} that were deleted are kept, while there is memory and until a new rollout begins"
                    ),
                    "make it again: a branch from the same frame with the same settings has the same frames",
                ),
                fatal: false,
            });
        }
    }

    /// Takes up a rollout that an earlier thread had made: the frames of all branches are kept as they are, the figures
    /// and the truth lane's state are made again from them.
    pub(super) fn resume(&mut self, archive: &Archive) {
        let first = self.lanes.start_frames;
        let Some(end) = archive.frames.last().map(|f| f.index + 1) else {
            return;
        };
        if end <= archive.oldest().max(first) && archive.branches.len() < 2 {
            return;
        }
        let truth_from = archive.branch(archive.active).and_then(|b| b.truth_from);
        let Some(taken) = self.made_again(archive, truth_from, first) else {
            return;
        };
        self.lanes = taken.lanes;
        self.recorder = taken.recorder;
        let ids = archive.branches.iter().map(|b| b.id);
        self.next_branch = ids.max().unwrap_or(0) + 1;
        let diagnostics = self.recorder.figures(self.engine.card.truth.std);
        self.shared.update_archive(|a| {
            let kept = archive.frames.iter().filter(|f| f.index >= first).cloned();
            let kept: Vec<_> = kept.collect();
            let edited_start = archive
                .frames
                .iter()
                .any(|f| f.index < first && is_edited(f));
            if edited_start {
                a.frames = archive.frames.clone();
            } else if kept.first().is_some_and(|f| f.index > first) {
                // Older ones lie on disk, or are gone.
                a.frames = kept;
            } else {
                a.frames.retain(|f| f.index < first);
                a.frames.extend(kept);
            }
            a.diagnostics = diagnostics;
            a.on_disk = archive.on_disk.clone();
            if archive.branch(archive.active).is_some() {
                a.branches.clone_from(&archive.branches);
                a.active = archive.active;
            }
        });
    }

    /// The state after the frames of an archive, whose frames before number `common` are those of the branch on screen.
    /// What is gone of them is missing in the figures. `None` when the window has gone meanwhile.
    fn made_again(
        &mut self,
        archive: &Archive,
        truth_from: Option<usize>,
        common: usize,
    ) -> Option<Resting> {
        let start = self.lanes.start_frames;
        let end = archive.frames.last().map_or(start, |f| f.index + 1);
        let shared = self.shared;
        let go_on = |at: usize| {
            if at.is_multiple_of(16) {
                shared.update_progress(|p| {
                    p.activity = "taking up the frames made before".into();
                    p.step = (at, end);
                });
            }
            !shared.quit()
        };
        let mut recorder = Recorder::new(&self.engine);
        let mut lanes = self.lanes.clone();
        let own = self.shared.with_archive(Archive::clone);
        // Start frames that are no longer kept are those of any other branch, or those that the thread began with.
        let kept = |f: usize| archive.load(f).or_else(|| own.load(f));
        lanes.recall(start, &|kind, f| {
            Some(kept(f)?.lanes[kind.index()].as_ref()?.members.clone())
        });
        for set in (0..start).filter_map(kept) {
            for kind in LaneKind::ALL {
                if let Some(made) = made(&set, kind) {
                    recorder.start(&self.engine, made);
                }
            }
        }
        for index in archive.oldest().max(start)..end {
            if !go_on(index) {
                return None;
            }
            let Some(set) = archive.load(index) else {
                continue;
            };
            // As when it was made: a lane is switched on with the history before the frame.
            for kind in LaneKind::ALL {
                let on = set.lanes[kind.index()].is_some();
                if on && !lanes.is_on(kind) {
                    lanes.switch(kind, true);
                    recorder.begin_lane(kind, lanes.last(kind));
                }
                lanes.switch(kind, on);
            }
            for made in LaneKind::ALL.into_iter().filter_map(|k| made(&set, k)) {
                lanes.push(made.kind, made.members.clone());
                recorder.generated(&mut self.engine, made);
            }
        }
        // Truth's own state: what the branch on screen has of it, a new start where the history was edited, and the
        // solver's steps since then.
        lanes.truth_back(&mut self.engine, common.min(end).clamp(start, lanes.next));
        if let Some(from) = truth_from.filter(|f| (lanes.next..=end).contains(&(f + 1))) {
            self.truth_anew(&mut lanes, archive, from);
        }
        lanes
            .truth_on(&mut self.engine, end, &go_on)
            .then_some(Resting {
                lanes,
                recorder,
                stopped: [false; LANES],
            })
    }

    /// Truth begins anew from a frame, which was edited.
    fn truth_anew(&mut self, lanes: &mut Lanes, archive: &Archive, from: usize) {
        let set = archive.load(from);
        let lane = set.and_then(|s| s.lanes[LaneKind::Truth.index()].clone());
        let Some(lane) = lane else { return };
        let before = std::mem::replace(&mut lanes.next, from + 1);
        if let Err(e) = lanes.restart_truth(&mut self.engine, &lane.members) {
            lanes.next = before;
            log::warn!("truth cannot go on from the edited frame: {e}");
        }
    }
}

/// A name without spaces around it, if anything is left.
fn named(name: Option<String>) -> Option<String> {
    let name = name?.trim().to_owned();
    (!name.is_empty()).then_some(name)
}

fn is_edited(set: &FrameSet) -> bool {
    set.edited.iter().any(|e| *e)
}

/// A frame of a lane as it was made.
fn made(set: &FrameSet, kind: LaneKind) -> Option<Made> {
    let lane = set.lanes[kind.index()].as_ref()?;
    Some(Made {
        kind,
        index: set.index,
        members: lane.members.clone(),
        trace: DenoisingTrace::clone(&lane.trace),
        date: set.date,
        recorded: lane.recorded,
        settings: Arc::clone(&set.settings),
    })
}

/// Replaces the last frames in memory by edited ones; their own figures are those of a first frame.
fn edit(engine: &mut Engine, archive: &mut Archive, at: usize, history: &EditedHistory) {
    let mut alone = Recorder::new(engine);
    for set in &mut archive.frames {
        let mut changed = FrameSet::clone(set);
        for kind in LaneKind::ALL {
            let Some(members) = history.frame(kind, at, set.index) else {
                continue;
            };
            let i = kind.index();
            changed.lanes[i] = Some(alone.start(
                engine,
                Made {
                    kind,
                    index: set.index,
                    members: members.clone(),
                    trace: DenoisingTrace::default(),
                    date: set.date,
                    recorded: None,
                    settings: Arc::clone(&set.settings),
                },
            ));
            changed.edited[i] = true;
        }
        if is_edited(&changed) {
            *set = Arc::new(changed);
        }
    }
}

/// Enters a frame of edited lanes into the figures; the lanes that were edited get figures of their own.
fn record(engine: &mut Engine, recorder: &mut Recorder, set: &mut Arc<FrameSet>) {
    let mut changed = FrameSet::clone(set);
    for kind in LaneKind::ALL {
        if let Some(made) = made(set, kind) {
            let (frame, _) = recorder.generated(engine, made);
            if set.edited[kind.index()] {
                changed.lanes[kind.index()] = Some(frame);
            }
        }
    }
    *set = Arc::new(changed);
}
