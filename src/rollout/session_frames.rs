//! The frames of a session: into the archive, on to disk, back to an earlier one.

use std::sync::Arc;

use crate::error::UserError;

use super::branch::{Branch, Forgotten};
use super::frame::{DenoisingTrace, FrameSet};
use super::protocol::{Archive, Event};
use super::recorder::Made;
use super::session::Session;
use super::settings::{LANES, LaneKind};
use super::spill::{Budget, OnDisk};
use super::worker::WorkerOptions;

/// Frames that stay in memory whatever the limit: more than any lag or history looks back.
pub(super) const KEPT_AT_LEAST: usize = 16;

/// Frames of a branch that rests which go to disk at once, and a few less of the one on screen: their list is copied then.
const AT_ONCE: usize = 64;

impl Session<'_> {
    /// Time of a frame, 0 at the last start frame.
    pub(super) fn time(&self, index: usize) -> f64 {
        (index as f64 + 1.0 - self.lanes.start_frames as f64) * self.engine.frame_interval()
    }

    /// Puts the start frames into the archive under a new epoch.
    pub(super) fn publish_start(&mut self) {
        let starts: [_; LANES] = LaneKind::ALL.map(|k| self.lanes.start_history(k));
        let version = self.shared.settings();
        let count = self.lanes.start_frames;
        let mut frames = Vec::with_capacity(count);
        for index in 0..count {
            let date = self.lanes.date(index);
            let lanes = LaneKind::ALL.map(|kind| {
                let made = Made {
                    kind,
                    index,
                    members: starts[kind.index()].get(index)?.clone(),
                    trace: DenoisingTrace::default(),
                    date,
                    recorded: date.filter(|_| kind == LaneKind::Truth),
                    settings: Arc::clone(&version.settings),
                };
                Some(self.recorder.start(&self.engine, made))
            });
            frames.push(Arc::new(FrameSet {
                index,
                time: self.time(index),
                date,
                lanes,
                settings: Arc::clone(&version.settings),
                generation: version.generation,
                ..FrameSet::default()
            }));
        }
        let diagnostics = self.recorder.figures(self.engine.card.truth.std);
        self.shared.update_archive(|a| {
            *a = Archive {
                frames,
                on_disk: OnDisk::default(),
                diagnostics,
                epoch: a.epoch + 1,
                branches: vec![Branch::main(version.settings)],
                active: 0,
            };
        });
    }

    /// Drops all frames after `index`.
    pub(super) fn truncate(&mut self, index: usize) {
        self.current = None;
        let next = (index + 1).clamp(self.lanes.start_frames, self.lanes.next);
        let before = self.shared.with_archive(Archive::clone);
        let members = |kind: LaneKind, frame: usize| {
            let set = before.load(frame)?;
            set.lanes[kind.index()].as_ref().map(|l| l.members.clone())
        };
        self.lanes.go_back(&mut self.engine, next, &members);
        self.recorder
            .go_back(&mut self.engine, &|f| before.load(f), next);
        self.stopped = [false; LANES];
        let diagnostics = self.recorder.figures(self.engine.card.truth.std);
        self.shared.update_archive(|a| {
            a.go_back(next, KEPT_AT_LEAST);
            a.shorten(next);
            a.diagnostics = diagnostics;
        });
        self.idle_line();
    }

    /// Puts a finished frame into the archive; what no longer fits into memory goes to disk.
    pub(super) fn keep(&mut self, set: Arc<FrameSet>) {
        let diagnostics = self.recorder.figures(self.engine.card.truth.std);
        let keep = self.frames_kept();
        // What was deleted is kept while there is room for it.
        let in_memory = self.shared.with_archive(Archive::in_memory);
        let held = |s: &Self| s.forgotten.iter().map(Forgotten::in_memory).sum::<usize>();
        while !self.forgotten.is_empty() && in_memory + held(self) + 1 > keep {
            self.forgotten.remove(0);
        }
        let over = self.shared.with_archive(|a| a.in_memory() + 1 > keep);
        let lighter = over.then(|| {
            let mut archive = self.shared.with_archive(Archive::clone);
            self.lighten(&mut archive, keep);
            archive
        });
        self.shared.update_archive(|a| {
            if let Some(lighter) = lighter {
                *a = lighter;
            }
            a.frames.push(set);
            a.diagnostics = diagnostics;
        });
    }

    /// Moves the oldest frames to disk until some more fit: of branches that rest first, many at once.
    fn lighten(&mut self, archive: &mut Archive, keep: usize) {
        let room = 1 + (keep / AT_ONCE).min(AT_ONCE / 4);
        while archive.in_memory() + room > keep {
            let most = (0..archive.branches.len())
                .filter_map(|i| Some((i, archive.branches[i].rest.as_ref()?.frames.len())))
                .filter(|(_, frames)| *frames > KEPT_AT_LEAST)
                .max_by_key(|(_, frames)| *frames);
            match most {
                Some((i, frames)) => {
                    for _ in 0..AT_ONCE.min(frames - KEPT_AT_LEAST) {
                        self.lighten_by_one(archive, Some(i));
                    }
                }
                None if archive.frames.len() >= KEPT_AT_LEAST => {
                    self.lighten_by_one(archive, None);
                }
                None => return,
            }
        }
    }

    /// Moves the oldest frame in memory of a branch (by position; the active one without) to disk, in all branches that
    /// share it.
    fn lighten_by_one(&mut self, archive: &mut Archive, branch: Option<usize>) {
        let chosen = match branch {
            Some(i) => (archive.branches.get_mut(i))
                .and_then(|b| b.rest.as_mut())
                .map(Arc::make_mut),
            None => Some(&mut *archive),
        };
        let Some(chosen) = chosen.filter(|a| !a.frames.is_empty()) else {
            return;
        };
        let frame = chosen.frames.remove(0);
        if !self.disk_failed
            && let Err(e) = put_on_disk(&mut chosen.on_disk, &frame, self.options, &self.disk)
        {
            self.disk_failed = true;
            self.shared.event(Event::Error {
                error: UserError::new(
                    "Older frames are no longer kept",
                    format!("they do not fit into memory, nor on disk: {e}"),
                    "free some disk space before the next rollout, or write long ones to a file: eddyscope rollout",
                ),
                fatal: false,
            });
        }
        let from = chosen.on_disk.clone();
        let share = |a: &mut Archive| {
            a.frames.remove(0);
            a.on_disk.adopt(&from, frame.index);
        };
        let has = |a: &Archive| {
            a.frames.len() > KEPT_AT_LEAST
                && a.frames.first().is_some_and(|f| Arc::ptr_eq(f, &frame))
        };
        for rest in archive.branches.iter_mut().filter_map(|b| b.rest.as_mut()) {
            if has(rest) {
                share(Arc::make_mut(rest));
            }
        }
        if has(archive) {
            share(archive);
        }
    }

    /// Number of frame sets that fit the memory limit.
    fn frames_kept(&self) -> usize {
        if let Some(frames) = self.options.frames_in_memory {
            return frames.max(KEPT_AT_LEAST);
        }
        let lanes = LaneKind::ALL
            .iter()
            .filter(|k| self.lanes.is_on(**k))
            .count();
        let bytes = lanes.max(1) * self.lanes.spec.members * self.engine.cells() * size_of::<f32>();
        (self.options.memory_mib.max(16) * 1024 * 1024 / bytes).max(64)
    }
}

fn put_on_disk(
    on_disk: &mut OnDisk,
    frame: &FrameSet,
    options: &WorkerOptions,
    budget: &Arc<Budget>,
) -> std::io::Result<()> {
    if options.disk_mib == 0 {
        return Ok(());
    }
    if on_disk.needs_file(frame.index) {
        let folder = options.disk_folder.clone().unwrap_or_else(OnDisk::folder);
        on_disk.add_file(&folder, budget)?;
    }
    on_disk.push(frame)
}
