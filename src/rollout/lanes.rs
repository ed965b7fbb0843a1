//! The state of a rollout: what each lane has seen.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use crate::data::{Calendar, Date};
use crate::error::{Result, UserError};

use super::engine::{Engine, HISTORY};
use super::settings::{LANES, LaneKind, RolloutSpec};
use super::truth::{Truth, TruthFrame};
use super::world::Days;

/// Frames of one lane, newest first, at most [`HISTORY`]; one array a member, physical units.
type History = VecDeque<Vec<Arc<[f32]>>>;

/// What each lane has seen.
#[derive(Clone)]
pub struct Lanes {
    /// What the rollout began with.
    pub spec: RolloutSpec,
    /// Number of start frames: 4 unless the start file had fewer.
    pub start_frames: usize,
    /// Number of the next frame.
    pub next: usize,
    /// Histories by [`LaneKind::index`]; `None` for a lane that is off.
    histories: [Option<History>; LANES],
    truth: Truth,
}

impl Lanes {
    /// Makes or reads the start frames. All lanes begin with the same. A start must hold at least `history + 1` frames;
    /// it gives as many as the discriminators can use. On the globe the engine's world becomes the recording that the
    /// rollout asks for.
    ///
    /// # Errors
    /// A start that cannot be used; a number of members out of range. The engine is then as before.
    pub fn start(engine: &mut Engine, spec: &RolloutSpec, history: usize) -> Result<Self> {
        if !(1..=64).contains(&spec.members) {
            return Err(UserError::new(
                format!("members cannot be {}", spec.members),
                "a rollout has 1 to 64 members",
                "choose a number in that range; several runs with other seeds make larger ensembles",
            ));
        }
        if spec.first_member > 1_000_000 {
            return Err(UserError::new(
                format!("the first member cannot be number {}", spec.first_member),
                "members are numbered up to 1000000",
                "choose a smaller number",
            ));
        }
        let (truth, frames) = Truth::start(engine, spec, history)?;
        let count = frames.len();
        let history: History = frames.into_iter().rev().collect();
        Ok(Self {
            spec: spec.clone(),
            start_frames: count,
            next: count,
            histories: std::array::from_fn(|_| Some(history.clone())),
            truth,
        })
    }

    /// Takes up a run of days that was written to a file. Only the lane `kind` has a history then; the dates are the
    /// file's, and truth shows the days of the recording in use.
    ///
    /// # Errors
    /// A world without recorded days.
    pub fn resume(
        engine: &Engine,
        spec: &RolloutSpec,
        kind: LaneKind,
        run: &WrittenRun,
    ) -> Result<Self> {
        let Some(recording) = engine.world.recording() else {
            return Err(UserError::new(
                format!("The model {} cannot go on with days", engine.card.name),
                "its world is not the globe",
                "use the model that the run was begun with",
            ));
        };
        let history: History = run.last.iter().rev().take(HISTORY).cloned().collect();
        let mut histories = [const { None }; LANES];
        histories[kind.index()] = Some(history);
        Ok(Self {
            spec: spec.clone(),
            start_frames: run.start_frames,
            next: run.frames,
            histories,
            truth: Truth::Recorded(Days::resume(Rc::clone(recording), run.calendar, run.first)),
        })
    }

    /// Lanes that go on from frames: the last ones before frame number `next`, oldest first, one array a member. Truth does
    /// not go on with them. On the box only: they know no dates.
    pub(crate) fn from_frames(
        spec: &RolloutSpec,
        start_frames: usize,
        next: usize,
        frames: &[Vec<Arc<[f32]>>],
    ) -> Self {
        let history: History = frames.iter().rev().take(HISTORY).cloned().collect();
        Self {
            spec: spec.clone(),
            start_frames,
            next,
            histories: std::array::from_fn(|_| Some(history.clone())),
            truth: Truth::none(),
        }
    }

    /// The start frames, oldest first; one array a member.
    pub fn start_history(&self, kind: LaneKind) -> Vec<Vec<Arc<[f32]>>> {
        self.histories[kind.index()]
            .iter()
            .flat_map(|h| h.iter().rev().cloned())
            .collect()
    }

    /// The last frame of a lane, one array a member.
    pub fn last(&self, kind: LaneKind) -> Option<&Vec<Arc<[f32]>>> {
        self.histories[kind.index()].as_ref()?.front()
    }

    /// Whether a lane is on.
    pub fn is_on(&self, kind: LaneKind) -> bool {
        self.histories[kind.index()].is_some()
    }

    /// Switches a lane on (from the guided lane's history, or truth's) or off.
    pub fn switch(&mut self, kind: LaneKind, on: bool) {
        let i = kind.index();
        if !on {
            self.histories[i] = None;
        } else if self.histories[i].is_none() {
            self.histories[i] = self.histories[LaneKind::Guided.index()]
                .clone()
                .or_else(|| self.histories[LaneKind::Truth.index()].clone());
        }
    }

    /// History length in force: `m`, or less while a short start has not yet given so many frames.
    pub fn history_length(&self, m: usize) -> usize {
        m.min(self.next.saturating_sub(1)).min(HISTORY - 1)
    }

    /// Date of a frame, on the globe.
    pub fn date(&self, frame: usize) -> Option<Date> {
        self.days().map(|d| d.date(frame))
    }

    /// The days of the rollout, on the globe.
    pub fn days(&self) -> Option<&Days> {
        match &self.truth {
            Truth::Recorded(days) => Some(days),
            Truth::Solver { .. } | Truth::Process => None,
        }
    }

    /// Appends a frame to a lane.
    pub fn push(&mut self, kind: LaneKind, members: Vec<Arc<[f32]>>) {
        if let Some(h) = &mut self.histories[kind.index()] {
            h.push_front(members);
            h.truncate(HISTORY);
        }
    }

    /// Ends a frame: the next one has the next number.
    pub fn advance(&mut self) {
        self.next += 1;
        self.truth.keep(self.next);
    }

    /// The next frame of truth, one array a member, physical units.
    ///
    /// # Errors
    /// A recorded day that cannot be read.
    pub fn next_truth(&mut self, engine: &mut Engine) -> Result<TruthFrame> {
        let last = self.histories[LaneKind::Truth.index()].iter().flatten();
        self.truth.next(engine, &self.spec, self.next, last)
    }

    /// Goes back: the next frame is number `next`. `frames` gives the kept frame of a lane by number.
    pub fn go_back(
        &mut self,
        engine: &mut Engine,
        next: usize,
        frames: &dyn Fn(LaneKind, usize) -> Option<Vec<Arc<[f32]>>>,
    ) {
        let next = next.clamp(self.start_frames, self.next);
        self.recall(next, frames);
        self.truth_back(engine, next);
    }

    /// Takes the last frames before number `next` as the histories.
    pub fn recall(
        &mut self,
        next: usize,
        frames: &dyn Fn(LaneKind, usize) -> Option<Vec<Arc<[f32]>>>,
    ) {
        for kind in LaneKind::ALL {
            let history: History = (0..next)
                .rev()
                .take(HISTORY)
                .map_while(|f| frames(kind, f))
                .collect();
            // A lane that had no frame there is off; switched on, it begins anew.
            self.histories[kind.index()] = (!history.is_empty()).then_some(history);
        }
    }

    /// Truth alone goes back: the next frame is number `next`.
    pub fn truth_back(&mut self, engine: &mut Engine, next: usize) {
        self.truth.go_back(engine, &self.spec, next);
        self.next = next;
    }

    /// Truth alone goes on to where the next frame is number `end`. `go_on` is asked before each frame; `false` if it said
    /// no.
    pub fn truth_on(
        &mut self,
        engine: &mut Engine,
        end: usize,
        go_on: &dyn Fn(usize) -> bool,
    ) -> bool {
        while self.next < end {
            if !go_on(self.next) {
                return false;
            }
            match self.truth.pass(engine, &self.spec) {
                true => self.advance(),
                false => self.next = end,
            }
        }
        true
    }

    /// Lets truth go on from other fields, one a member, physical units; recorded days do not change.
    ///
    /// # Errors
    /// Fields that the solver cannot start from.
    pub fn restart_truth(&mut self, engine: &mut Engine, fields: &[Arc<[f32]>]) -> Result<()> {
        self.truth.restart(engine, fields, self.next)
    }

    /// Number of members.
    pub fn members(&self) -> usize {
        self.spec.members
    }

    /// Appends a lane's history in normalised units, `[member][past][y][x]`, newest first, zeros where a short start has
    /// given no frame yet. `false` for a lane that is off.
    pub fn append_history(&self, engine: &Engine, kind: LaneKind, out: &mut Vec<f32>) -> bool {
        let Some(h) = &self.histories[kind.index()] else {
            return false;
        };
        let cells = engine.cells();
        for member in 0..self.members() {
            for past in 0..HISTORY {
                match h.get(past).and_then(|frame| frame.get(member)) {
                    Some(frame) => engine.normaliser.normalise(frame, out),
                    None => out.extend(std::iter::repeat_n(0.0, cells)),
                }
            }
        }
        true
    }
}

/// What a file says of the run in it.
#[derive(Debug, Clone)]
pub struct WrittenRun {
    /// Frames that were given rather than generated.
    pub start_frames: usize,
    /// Calendar of its dates.
    pub calendar: Calendar,
    /// Date of frame 0.
    pub first: Date,
    /// Number of frames, start frames included.
    pub frames: usize,
    /// The last frames, oldest first, one array a member, physical units.
    pub last: Vec<Vec<Arc<[f32]>>>,
}
