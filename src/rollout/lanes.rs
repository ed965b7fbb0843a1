//! The state of a rollout: what each lane has seen.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::data;
use crate::error::{Result, UserError};
use crate::sim;

use super::engine::{Engine, HISTORY};
use super::settings::{LaneKind, RolloutSpec};

/// The states of the true solver are kept every so many frames, so that going back need not begin at the start.
const CHECKPOINT_EVERY: usize = 16;

/// Frames of one lane, newest first, at most [`HISTORY`]; one array a member, physical units.
type History = VecDeque<Vec<Arc<[f32]>>>;

/// What each lane has seen.
pub struct Lanes {
    /// What the rollout began with.
    pub spec: RolloutSpec,
    /// Number of start frames: 4 unless the start file had fewer.
    pub start_frames: usize,
    /// Number of the next frame.
    pub next: usize,
    /// Histories by [`LaneKind::index`]; `None` for a lane that is off.
    histories: [Option<History>; 4],
    truth: Vec<sim::State>,
    checkpoints: BTreeMap<usize, Vec<sim::State>>,
}

impl Lanes {
    /// Makes or reads the start frames. All lanes begin with the same. A start file must hold at least `history + 1`
    /// frames; it gives as many as the discriminators can use.
    ///
    /// # Errors
    /// A start file that cannot be used; a number of members out of range.
    pub fn start(engine: &mut Engine, spec: &RolloutSpec, history: usize) -> Result<Self> {
        if !(1..=64).contains(&spec.members) {
            return Err(UserError::new(
                format!("members cannot be {}", spec.members),
                "a rollout has 1 to 64 members",
                "choose a number in that range; several runs with other seeds make larger ensembles",
            ));
        }
        let seed = spec.seed;
        let (frames, truth) = match &spec.start_file {
            None => {
                let solver = &mut engine.solver;
                let mut members = Vec::with_capacity(spec.members);
                let mut truth = Vec::with_capacity(spec.members);
                for member in 0..spec.members as u32 {
                    let mut state = solver.random_state(seed, member);
                    solver.spin_up(&mut state, seed, member);
                    let mut run = vec![solver.field(&state)];
                    for _ in 1..HISTORY {
                        solver.advance_frame(&mut state, seed, member);
                        run.push(solver.field(&state));
                    }
                    members.push(run);
                    truth.push(state);
                }
                (members, truth)
            }
            Some(path) => {
                let members = start_members(engine, path, spec.members, history)?;
                let truth = members
                    .iter()
                    .map(|run| {
                        let last = run.last().map_or(&[] as &[f32], Vec::as_slice);
                        engine.solver.state_from_field(last)
                    })
                    .collect::<Result<Vec<_>>>()?;
                (members, truth)
            }
        };
        let count = frames[0].len();
        let history: History = (0..count)
            .rev()
            .map(|t| {
                frames
                    .iter()
                    .map(|run| Arc::from(run[t].as_slice()))
                    .collect()
            })
            .collect();
        Ok(Self {
            spec: spec.clone(),
            start_frames: count,
            next: count,
            histories: [
                Some(history.clone()),
                Some(history.clone()),
                Some(history.clone()),
                Some(history),
            ],
            checkpoints: BTreeMap::from([(count, truth.clone())]),
            truth,
        })
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
        if self.next.is_multiple_of(CHECKPOINT_EVERY) {
            self.checkpoints.insert(self.next, self.truth.clone());
        }
    }

    /// The next frame of the true solver, one array a member, physical units.
    pub fn next_truth(&mut self, engine: &mut Engine) -> Vec<Arc<[f32]>> {
        let seed = self.spec.seed;
        self.truth
            .iter_mut()
            .enumerate()
            .map(|(member, state)| {
                engine.solver.advance_frame(state, seed, member as u32);
                Arc::from(engine.solver.field(state))
            })
            .collect()
    }

    /// Goes back: the next frame is number `next`. `frames` gives the kept frame of a lane by number.
    pub fn go_back(
        &mut self,
        engine: &mut Engine,
        next: usize,
        frames: &dyn Fn(LaneKind, usize) -> Option<Vec<Arc<[f32]>>>,
    ) {
        let next = next.clamp(self.start_frames, self.next);
        for kind in LaneKind::ALL {
            let history: History = (0..next)
                .rev()
                .take(HISTORY)
                .map_while(|f| frames(kind, f))
                .collect();
            if !history.is_empty() {
                self.histories[kind.index()] = Some(history);
            }
        }
        self.checkpoints.split_off(&(next + 1));
        if let Some((&from, states)) = self.checkpoints.iter().next_back() {
            self.truth = states.clone();
            self.next = from;
            while self.next < next {
                self.next_truth(engine);
                self.next += 1;
            }
        }
        self.next = next;
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
        let cells = engine.side() * engine.side();
        let to_normalised = 1.0 / engine.scale();
        for member in 0..self.members() {
            for past in 0..HISTORY {
                match h.get(past) {
                    Some(frame) => out.extend(frame[member].iter().map(|v| v * to_normalised)),
                    None => out.extend(std::iter::repeat_n(0.0, cells)),
                }
            }
        }
        true
    }
}

/// Start frames of each member from a file, oldest first; as many as the file has, at most [`HISTORY`].
fn start_members(
    engine: &Engine,
    path: &std::path::Path,
    members: usize,
    history: usize,
) -> Result<Vec<Vec<Vec<f32>>>> {
    let series = data::read_series(path, None)?;
    let name = path.display().to_string();
    let past = history.max(series.frames.saturating_sub(1).min(HISTORY - 1));
    let grid = crate::field::Grid::periodic(engine.side());
    let start = data::start_from_series(&name, &series, grid, past, members)?;
    let expected = engine.solver.params().frame_interval();
    if history > 0 && (start.frame_interval / expected - 1.0).abs() > 0.01 {
        return Err(UserError::new(
            format!("Cannot start from {name}"),
            format!(
                "its frames are {} time units apart, the model's are {expected}",
                start.frame_interval
            ),
            "use a history length of 0, which needs the last frame only, or frames with the model's spacing",
        ));
    }
    Ok(start.members)
}
