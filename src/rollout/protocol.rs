//! What passes between the window and the worker.
//!
//! Big data lie in shared state that the window reads without waiting for a computation; settings are level-triggered
//! state with a generation number; commands and events are small and bounded.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::closed_form::ClosedForm;
use crate::error::UserError;

use super::branch::{Branch, BranchId, EditedHistory};
use super::frame::{FrameSet, LaneDiagnostics};
use super::settings::{LANES, LaneKind, RolloutSpec, Settings};
use super::spill::OnDisk;
use crate::data::{Calendar, Date};
use crate::field::Globe;
use crate::model::card::{RainTruth, SamplerCard};

/// What the window asks of the worker.
#[derive(Debug, Clone)]
pub enum Command {
    /// Start a new rollout (also after an error).
    Restart(RolloutSpec),
    /// Keep sampling until told otherwise (or until the target length).
    Run,
    /// Stop after the solver step in progress; the unfinished frame waits and goes on at the next `Run`.
    Pause,
    /// Make this many frames, then pause.
    Step(usize),
    /// Make the frames up to number `until` again under the settings that a recipe lists, then pause. New settings from the
    /// window end it at once.
    Replay {
        /// Settings in force, in order of frame and solver step.
        script: Arc<Vec<Scripted>>,
        /// Number of the last frame made so.
        until: usize,
    },
    /// Drop all frames after this index and continue from there (used to go back before a blow-up).
    TruncateTo(usize),
    /// Let the rollout on screen rest as a branch and go on from frame `at` with the settings in force, as a new one. The
    /// worker goes on making frames if it did.
    Branch {
        /// Last frame that both have in common: the last start frame at least.
        at: usize,
        /// Its name; `None` = "branch 2" and so on.
        name: Option<String>,
        /// Frames edited by hand that replace the last ones.
        history: Option<Box<EditedHistory>>,
    },
    /// Let the branch on screen rest and take up another one where it was left. Its settings are in force again.
    SwitchBranch(BranchId),
    /// Give a branch another name.
    RenameBranch(BranchId, String),
    /// Forget a branch that rests.
    DeleteBranch(BranchId),
    /// Bring a branch back that was forgotten, with its frames.
    RecallBranch(BranchId),
}

/// Settings of a recipe: in force from a solver step of a frame on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scripted {
    /// Frame number.
    pub frame: usize,
    /// Solver step of that frame; steps beyond its last one mean what is done after it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub step: usize,
    /// The settings.
    pub settings: Settings,
}

fn is_zero(step: &usize) -> bool {
    *step == 0
}

/// What the worker says. Bounded channel; never big data.
#[derive(Debug, Clone)]
pub enum Event {
    /// Something failed; settings and frames survive. `fatal` means the worker thread ended and must be started again.
    Error {
        /// Headline, cause, remedy.
        error: UserError,
        /// Whether the worker ended.
        fatal: bool,
    },
    /// A lane blew up and was stopped at this frame; the frame before it is the last good one.
    BlowUp {
        /// Which lane.
        lane: LaneKind,
        /// First bad frame.
        frame: usize,
        /// What was seen ("std 9.1, 2.7 times the data's").
        what: String,
    },
    /// A new rollout began with these model facts.
    Started(Arc<ModelFacts>),
}

/// What the worker is doing, a latest-value slot.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// One line for the status bar ("sampling frame 78").
    pub activity: String,
    /// Solver step in progress and their number (0, 0 when idle).
    pub step: (usize, usize),
    /// Generation of the settings in force at the last solver step: compare with the window's own to show "applied".
    pub applied_generation: u64,
    /// Frames per second of the last frames, 0 when unknown.
    pub frames_per_second: f64,
    /// Whether the worker is making frames.
    pub running: bool,
    /// Lanes stopped by a blow-up.
    pub stopped: [bool; LANES],
}

/// Facts about the model in use, for the controls and the plots.
#[derive(Debug, Clone)]
pub struct ModelFacts {
    /// Name of the model ("vorticity").
    pub name: String,
    /// What the field is called ("vorticity").
    pub quantity: String,
    /// Unit of the field as shown ("1/T"; the solver's time unit).
    pub units: String,
    /// Rows and columns.
    pub shape: (usize, usize),
    /// Time between frames.
    pub frame_interval: f64,
    /// Suggested lambda for each discriminator, by `DiscriminatorKind as usize`.
    pub suggested_strength: [f32; 2],
    /// Suggested history length m for each discriminator, likewise.
    pub suggested_history: [usize; 2],
    /// The lambda above which rollouts blow up, by `DiscriminatorKind as usize`.
    pub usable_strength: [f32; 2],
    /// Why it is suggested, a sentence for each discriminator.
    pub suggested_why: [String; 2],
    /// Samplers from quick to good, as measured; empty where none were.
    pub samplers: Vec<SamplerCard>,
    /// Whether the two-tower discriminator has a Gaussian law that a solver can follow.
    pub law: bool,
    /// Whether there is a video model.
    pub video: bool,
    /// Suggested strength of the guided video lane.
    pub video_strength: f32,
    /// Standard deviation of the data, physical units.
    pub data_std: f64,
    /// Truth's autocorrelation at lags 0..=10 and its band (5 and 95 % over runs of 100 frames).
    pub acf_truth: Vec<f64>,
    /// Lower edge of the band.
    pub acf_lo: Vec<f64>,
    /// Upper edge of the band.
    pub acf_hi: Vec<f64>,
    /// Truth's dynamics skill.
    pub dynamics_skill_truth: f64,
    /// 5 and 95 % of truth's spatial standard deviation of single frames, physical units.
    pub std_band: (f64, f64),
    /// 5 and 95 % of truth's frame-to-frame rms difference, physical units.
    pub rmse_band: (f64, f64),
    /// The device that computes, as shown ("CPU, 2 threads").
    pub device: String,
    /// Hash of the model's weights (sha256, hex).
    pub model_hash: String,
    /// The globe, if the model's world is one.
    pub globe: Option<Arc<GlobeFacts>>,
    /// The parameters, if it is a world with known answers.
    pub closed_form: Option<ClosedForm>,
}

/// Facts about a model on the globe.
#[derive(Debug, Clone)]
pub struct GlobeFacts {
    /// The grid.
    pub grid: Globe,
    /// The calendar of dates.
    pub calendar: Calendar,
    /// Mean of each calendar month, mm/day, `[12][ny * nx]`.
    pub climatology: Vec<Arc<[f32]>>,
    /// 90th percentile of each calendar month, mm/day, `[12][ny * nx]`.
    pub climatology_p90: Vec<Arc<[f32]>>,
    /// What rain looks like.
    pub truth: RainTruth,
    /// Whether the discriminator can be told the day of the year.
    pub knows_season: bool,
    /// Name of the recording that the truth lane shows ("SPEEDY T30, 2059-2060").
    pub recording: String,
    /// First and last day of the recording.
    pub recorded: (Date, Date),
}

/// Frames of the rollout on screen, shared with the window: appended by the worker, read by the window.
#[derive(Debug, Clone, Default)]
pub struct Archive {
    /// All frames in memory, oldest first, index ascending and without gap from the first one.
    pub frames: Vec<Arc<FrameSet>>,
    /// Older frames on disk; [`Self::load`] gives any frame.
    pub on_disk: OnDisk,
    /// Streaming figures by [`LaneKind::index`].
    pub diagnostics: [LaneDiagnostics; LANES],
    /// Increases at every restart, branch and switch: frames of an older epoch never appear in a newer one, except those
    /// that branches share.
    pub epoch: u64,
    /// All branches, in the order in which they were begun.
    pub branches: Vec<Branch>,
    /// The branch that `frames` belong to.
    pub active: BranchId,
}

impl Archive {
    /// Number of the oldest frame that can be shown, in memory or on disk; 0 without frames.
    pub fn oldest(&self) -> usize {
        let in_memory = self.frames.first().map_or(0, |f| f.index);
        let on_disk = self.on_disk.range();
        // Frames that were lost in between cannot be passed.
        if on_disk.end == in_memory && !on_disk.is_empty() {
            on_disk.start
        } else {
            in_memory
        }
    }

    /// A frame by its number: from memory, or read back from disk (a file of some 10 kB is read; quick, but not for
    /// every frame at once). `None` where it is not kept.
    pub fn load(&self, index: usize) -> Option<Arc<FrameSet>> {
        self.kept(index, OnDisk::load)
    }

    /// As [`Self::load`], for what made a frame: one that lies on disk comes without its lanes, and little of it is read.
    pub fn head(&self, index: usize) -> Option<Arc<FrameSet>> {
        self.kept(index, OnDisk::head)
    }

    fn kept(
        &self,
        index: usize,
        from_disk: impl FnOnce(&OnDisk, usize) -> Option<Arc<FrameSet>>,
    ) -> Option<Arc<FrameSet>> {
        let first = self.frames.first().map_or(0, |f| f.index);
        match index.checked_sub(first) {
            Some(at) => self.frames.get(at).cloned(),
            None => from_disk(&self.on_disk, index),
        }
    }

    /// Forgets the frames from number `next` on; brings frames back from disk until `wanted` are in memory.
    pub fn go_back(&mut self, next: usize, wanted: usize) {
        self.on_disk.truncate(next);
        self.frames.retain(|f| f.index < next);
        let mut first = self.frames.first().map_or(next, |f| f.index);
        let mut back = Vec::new();
        while self.frames.len() + back.len() < wanted {
            let Some(frame) = first.checked_sub(1).and_then(|i| self.on_disk.load(i)) else {
                break;
            };
            first = frame.index;
            back.push(frame);
        }
        self.on_disk.withdraw(first);
        self.frames.splice(..0, back.into_iter().rev());
    }
}

/// Settings with their generation number.
#[derive(Debug, Clone)]
pub struct Versioned {
    /// Increases with every change.
    pub generation: u64,
    /// The settings.
    pub settings: Arc<Settings>,
}
