//! The frames of a session: into the archive, on to disk, back to an earlier one, taken up after a restart of the thread.

use std::sync::Arc;

use crate::error::UserError;

use super::frame::{DenoisingTrace, FrameSet};
use super::protocol::{Archive, Event};
use super::recorder::Made;
use super::session::Session;
use super::settings::{LANES, LaneKind};
use super::spill::OnDisk;
use super::worker::WorkerOptions;

/// Frames that stay in memory whatever the limit: more than any lag or history looks back.
const KEPT_AT_LEAST: usize = 16;

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
                };
                Some(self.recorder.start(&self.engine, made))
            });
            frames.push(Arc::new(FrameSet {
                index,
                time: self.time(index),
                date,
                lanes,
                settings: Arc::clone(&version.settings),
                steps: Vec::new(),
                generation: version.generation,
                seconds: 0.0,
            }));
        }
        let diagnostics = self.recorder.figures(self.engine.card.truth.std);
        self.shared.update_archive(|a| {
            *a = Archive {
                frames,
                on_disk: OnDisk::default(),
                diagnostics,
                epoch: a.epoch + 1,
            };
        });
    }

    /// Takes up a rollout that an earlier thread had made: the frames are kept as they are, the figures and the truth
    /// lane's state are made again from them.
    pub(super) fn resume(&mut self, archive: &Archive) {
        let first = self.lanes.start_frames;
        let Some(end) = archive.frames.last().map(|f| f.index + 1) else {
            return;
        };
        let begin = archive.oldest().max(first);
        if end <= begin {
            return;
        }
        self.shared
            .update_progress(|p| p.activity = "taking up the frames made before".into());
        for set in (begin..end).filter_map(|i| archive.load(i)) {
            for kind in LaneKind::ALL {
                match &set.lanes[kind.index()] {
                    Some(lane) => {
                        if !self.lanes.is_on(kind) {
                            self.switch_lane(kind, true);
                        }
                        let made = Made {
                            kind,
                            index: set.index,
                            members: lane.members.clone(),
                            trace: DenoisingTrace::default(),
                            date: set.date,
                            recorded: lane.recorded,
                        };
                        self.recorder.generated(&mut self.engine, made);
                        self.lanes.push(kind, lane.members.clone());
                    }
                    None => self.lanes.switch(kind, false),
                }
            }
        }
        while self.lanes.next < end {
            // Recorded days need no state: one that cannot be read is told of when it is shown.
            let _ = self.lanes.next_truth(&mut self.engine);
            self.lanes.advance();
        }
        let diagnostics = self.recorder.figures(self.engine.card.truth.std);
        self.shared.update_archive(|a| {
            a.diagnostics = diagnostics;
            a.on_disk = archive.on_disk.clone();
            let kept = archive.frames.iter().filter(|f| f.index >= first).cloned();
            let kept: Vec<_> = kept.collect();
            if kept.first().is_none_or(|f| f.index > first) {
                // Older ones lie on disk, or are gone.
                a.frames.clear();
            } else {
                a.frames.retain(|f| f.index < first);
            }
            a.frames.extend(kept);
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
            .go_back(&|f| before.load(f), self.lanes.start_frames, next);
        self.stopped = [false; LANES];
        let diagnostics = self.recorder.figures(self.engine.card.truth.std);
        self.shared.update_archive(|a| {
            a.go_back(next, KEPT_AT_LEAST);
            a.diagnostics = diagnostics;
        });
        self.idle_line();
    }

    /// Puts a finished frame into the archive; what no longer fits into memory goes to disk.
    pub(super) fn keep(&mut self, set: Arc<FrameSet>) {
        let diagnostics = self.recorder.figures(self.engine.card.truth.std);
        let keep = self.frames_kept();
        let older: Vec<_> = self.shared.with_archive(|a| {
            let drop = (a.frames.len() + 1).saturating_sub(keep);
            a.frames.iter().take(drop).cloned().collect()
        });
        let mut on_disk = self.shared.with_archive(|a| a.on_disk.clone());
        for frame in &older {
            if !self.disk_failed
                && let Err(e) = put_on_disk(&mut on_disk, frame, self.options)
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
        }
        self.shared.update_archive(|a| {
            a.frames.drain(..older.len());
            a.frames.push(set);
            a.on_disk = on_disk;
            a.diagnostics = diagnostics;
        });
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
) -> std::io::Result<()> {
    if options.disk_mib == 0 {
        return Ok(());
    }
    if !on_disk.exists() {
        let folder = options.disk_folder.clone().unwrap_or_else(OnDisk::folder);
        *on_disk = OnDisk::create(&folder, options.disk_mib as u64 * 1024 * 1024)?;
    }
    on_disk.push(frame)
}
