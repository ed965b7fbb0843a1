//! What a frame was made from.

use std::sync::Arc;

use crate::data::{Calendar, Date};

use super::super::engine::HISTORY;
use super::super::frame::FrameSet;
use super::super::protocol::Archive;
use super::super::settings::{LaneKind, Settings};

/// Everything that made a frame of a lane: its recipe, and the frames before it.
#[derive(Debug, Clone)]
pub struct Specimen {
    /// The lane.
    pub lane: LaneKind,
    /// Number that its noise was drawn with: [`super::super::settings::RolloutSpec::number`] of the member.
    pub member: u32,
    /// Number of the frame.
    pub frame: usize,
    /// Seed of the rollout.
    pub seed: u64,
    /// Settings in force, each with the solver step from which on; the first begins at step 0.
    pub settings: Vec<(usize, Arc<Settings>)>,
    /// The frames before it, newest first, at most four; physical units.
    pub history: Vec<Arc<[f32]>>,
    /// Its date, on the globe.
    pub date: Option<(Calendar, Date)>,
    /// The frame as it was kept, physical units.
    pub kept: Arc<[f32]>,
}

/// Why a frame cannot be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The frame is not kept.
    NotKept,
    /// The lane was off, or has no such member.
    NoLane,
    /// No sampler makes the frames of this lane.
    NotSampled,
    /// It was given, not sampled: a start frame or an edited one.
    Given,
    /// The frames before it are no longer kept.
    NoHistory,
}

impl Refusal {
    /// In plain words.
    pub fn words(self) -> &'static str {
        match self {
            Self::NotKept => "This frame is no longer kept.",
            Self::NoLane => "This lane has no frame here.",
            Self::NotSampled => {
                "No sampler made the frames of this lane: there is no denoising to look at."
            }
            Self::Given => {
                "This frame was given, not sampled: there is no denoising to look at. Go to a generated frame."
            }
            Self::NoHistory => {
                "The frames before this one are no longer kept, so it cannot be made again."
            }
        }
    }
}

impl Specimen {
    /// Looks up a frame of a lane of a rollout whose first member is number 0. `calendar` is that of the model's dates, on the globe.
    ///
    /// # Errors
    /// A frame that cannot be made again, and why.
    pub fn of(
        archive: &Archive,
        frame: usize,
        lane: LaneKind,
        member: usize,
        seed: u64,
        calendar: Option<Calendar>,
    ) -> std::result::Result<Self, Refusal> {
        if !LaneKind::SAMPLED.contains(&lane) {
            return Err(Refusal::NotSampled);
        }
        let set = archive.load(frame).ok_or(Refusal::NotKept)?;
        let made = set.lanes[lane.index()].as_ref().ok_or(Refusal::NoLane)?;
        let kept = made.members.get(member).ok_or(Refusal::NoLane)?.clone();
        if made.trace.sigma.is_empty() || set.edited[lane.index()] {
            return Err(Refusal::Given);
        }
        let history: Vec<_> = (0..frame)
            .rev()
            .take(HISTORY)
            .map_while(|i| {
                let set = archive.load(i)?;
                member_of(&set, lane, member)
            })
            .collect();
        if history.len() < HISTORY.min(frame) {
            return Err(Refusal::NoHistory);
        }
        Ok(Self {
            lane,
            member: member as u32,
            frame,
            seed,
            settings: match set.steps.is_empty() {
                true => vec![(0, Arc::clone(&set.settings))],
                false => set.steps.clone(),
            },
            history,
            date: calendar.zip(set.date),
            kept,
        })
    }

    /// Settings in force at a solver step.
    pub fn settings_at(&self, step: usize) -> Option<&Arc<Settings>> {
        let at = self.settings.iter().rev().find(|(from, _)| *from <= step);
        at.or(self.settings.first()).map(|(_, s)| s)
    }

    /// The lanes that stand side by side: without guidance, with guidance.
    pub fn pair(&self) -> [LaneKind; 2] {
        if self.lane.is_video() {
            [LaneKind::Video, LaneKind::GuidedVideo]
        } else {
            [LaneKind::Unconditional, LaneKind::Guided]
        }
    }
}

/// A member's frame of a lane; where the lane was off, of the lane that gave it its history when it was switched on.
fn member_of(set: &FrameSet, lane: LaneKind, member: usize) -> Option<Arc<[f32]>> {
    [lane, LaneKind::Guided, LaneKind::Truth]
        .into_iter()
        .find_map(|kind| set.lanes[kind.index()].as_ref())
        .and_then(|made| made.members.get(member).cloned())
}
