//! The truth lane: the solver continued, the recorded days that follow the start, or draws from a known law.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use crate::data;
use crate::data::Date;
use crate::data::recording::Recording;
use crate::error::{Result, UserError};
use crate::field::Grid;
use crate::sim;

use super::engine::{Engine, HISTORY};
use super::settings::RolloutSpec;
use super::world::{Days, World, files_as_recording};

/// The states of the true solver are kept every so many frames, so that going back need not begin at the start.
const CHECKPOINT_EVERY: usize = 16;
/// So far back from the newest frame; further back they lie ever wider apart.
const DENSE: usize = 16 * CHECKPOINT_EVERY;

/// How truth goes on.
#[derive(Clone)]
pub(super) enum Truth {
    /// A state of the solver for each member, and earlier ones.
    Solver {
        states: Vec<sim::State>,
        checkpoints: Checkpoints,
    },
    /// The days of a recording, the same for all members.
    Recorded(Days),
    /// A known law: the next frame is a function of the last ones and the seed.
    Process,
}

/// Earlier states of the solver, by the number of the frame that follows. Twice as far back they lie twice as far apart:
/// their number grows with the logarithm of the run's length, and going back costs a small part of what was made since.
#[derive(Clone, Default)]
pub(super) struct Checkpoints {
    states: BTreeMap<usize, Arc<Vec<sim::State>>>,
    /// Where truth began, and began anew: what lies behind cannot be reached from before.
    begun: Vec<usize>,
}

impl Checkpoints {
    /// Truth begins at frame number `next`.
    fn begin(&mut self, next: usize, states: &[sim::State]) {
        self.begun.push(next);
        self.states.insert(next, Arc::new(states.to_vec()));
    }

    /// Keeps the state before frame number `next`, where it is time.
    fn note(&mut self, next: usize, states: &[sim::State]) {
        if !next.is_multiple_of(CHECKPOINT_EVERY) {
            return;
        }
        self.states.insert(next, Arc::new(states.to_vec()));
        let begun = &self.begun;
        self.states.retain(|&at, _| {
            let age = next.saturating_sub(at) / DENSE;
            let apart = CHECKPOINT_EVERY << age.checked_ilog2().map_or(0, |octave| octave + 1);
            at.is_multiple_of(apart) || begun.contains(&at)
        });
    }

    /// The newest state at or before frame number `next`, with its number; later ones are forgotten.
    fn back(&mut self, next: usize) -> Option<(usize, Arc<Vec<sim::State>>)> {
        self.states.retain(|&at, _| at <= next);
        self.begun.retain(|&at| at <= next);
        let (&at, states) = self.states.last_key_value()?;
        Some((at, Arc::clone(states)))
    }
}

/// A frame of truth.
#[derive(Default)]
pub struct TruthFrame {
    /// One array a member, physical units.
    pub members: Vec<Arc<[f32]>>,
    /// The recorded day, on the globe.
    pub recorded: Option<Date>,
}

/// Frames, oldest first, one array a member.
type Frames = Vec<Vec<Arc<[f32]>>>;

impl Truth {
    /// A truth that does not go on.
    pub fn none() -> Self {
        Self::Solver {
            states: Vec::new(),
            checkpoints: Checkpoints::default(),
        }
    }

    /// Makes or reads the start frames.
    pub fn start(
        engine: &mut Engine,
        spec: &RolloutSpec,
        history: usize,
    ) -> Result<(Self, Frames)> {
        engine.adopt(spec)?;
        if matches!(engine.world, World::Recorded(_)) {
            let recording = Self::recording(engine, spec)?;
            let (days, count) = Days::begin(Rc::clone(&recording), spec, history)?;
            let frames = (0..count)
                .map(|f| Ok(vec![days.truth(f)?.1; spec.members]))
                .collect::<Result<Vec<_>>>()?;
            engine.world = World::Recorded(recording);
            return Ok((Self::Recorded(days), frames));
        }
        if spec.start_date.is_some() {
            return Err(UserError::new(
                format!("The model {} knows no dates", engine.card.name),
                "a start date was given, and its world is not the globe",
                "leave the start date out, or open a model of the globe",
            ));
        }
        if matches!(engine.world, World::Process(_)) {
            return Ok((Self::Process, process_start(engine, spec, history)?));
        }
        let (states, runs) = solver_start(engine, spec, history)?;
        let count = runs.first().map_or(0, Vec::len);
        let frames = by_time(&runs);
        let mut checkpoints = Checkpoints::default();
        checkpoints.begin(count, &states);
        Ok((
            Self::Solver {
                states,
                checkpoints,
            },
            frames,
        ))
    }

    /// The recording that a rollout asks for: a person's files, or the one that comes with the program.
    fn recording(engine: &Engine, spec: &RolloutSpec) -> Result<Rc<dyn Recording>> {
        let (Some(climate), Some(shipped)) = (&engine.climate, &engine.shipped) else {
            return Err(UserError::new(
                format!("The model {} has no recorded days", engine.card.name),
                "its world is not the globe",
                "open a model of the globe",
            ));
        };
        let Some(first) = &spec.start_file else {
            return Ok(Rc::clone(shipped));
        };
        let paths: Vec<_> = std::iter::once(first)
            .chain(&spec.more_files)
            .cloned()
            .collect();
        files_as_recording(&paths, &spec.reading, &climate.globe)
    }

    /// Truth's frame number `frame`, which is the next one; `last` are its last frames, newest first.
    pub fn next<'a>(
        &mut self,
        engine: &mut Engine,
        spec: &RolloutSpec,
        frame: usize,
        last: impl Iterator<Item = &'a Vec<Arc<[f32]>>>,
    ) -> Result<TruthFrame> {
        match self {
            Self::Recorded(days) => {
                let (date, day) = days.truth(frame)?;
                Ok(TruthFrame {
                    members: vec![day; spec.members],
                    recorded: Some(date),
                })
            }
            Self::Process => {
                let last: Vec<_> = last.collect();
                let World::Process(process) = &engine.world else {
                    return Ok(TruthFrame::default());
                };
                let members = (0..spec.members)
                    .map(|member| {
                        let history: Vec<Vec<f32>> = last
                            .iter()
                            .filter_map(|f| f.get(member))
                            .map(|f| engine.normaliser.normalised(f))
                            .collect();
                        let next = process.next(spec.seed, spec.number(member), frame, &history);
                        engine.normaliser.physical(&next).0.into()
                    })
                    .collect();
                Ok(TruthFrame {
                    members,
                    recorded: None,
                })
            }
            Self::Solver { states, .. } => {
                advance(states, engine, spec);
                let solver = engine.world.solver();
                let members = solver.map_or_else(Vec::new, |solver| {
                    let field = |state| Arc::from(solver.field(state));
                    states.iter().map(field).collect()
                });
                Ok(TruthFrame {
                    members,
                    recorded: None,
                })
            }
        }
    }

    /// Goes on by a frame that nobody looks at. `false` where there is no state that would have to.
    pub fn pass(&mut self, engine: &mut Engine, spec: &RolloutSpec) -> bool {
        match self {
            Self::Solver { states, .. } => {
                advance(states, engine, spec);
                true
            }
            Self::Recorded(_) | Self::Process => false,
        }
    }

    /// Keeps the state for going back, where it is time; the next frame is `next`.
    pub fn keep(&mut self, next: usize) {
        if let Self::Solver {
            states,
            checkpoints,
        } = self
        {
            checkpoints.note(next, states);
        }
    }

    /// Goes back: the next frame is `next`.
    pub fn go_back(&mut self, engine: &mut Engine, spec: &RolloutSpec, next: usize) {
        // The others need no state.
        let Self::Solver {
            states,
            checkpoints,
        } = self
        else {
            return;
        };
        let Some((from, kept)) = checkpoints.back(next) else {
            return;
        };
        states.clone_from(kept.as_ref());
        for _ in from..next {
            advance(states, engine, spec);
        }
    }
}

/// Lets the solver make the next frame of every member.
fn advance(states: &mut [sim::State], engine: &mut Engine, spec: &RolloutSpec) {
    if let Some(solver) = engine.world.solver() {
        for (member, state) in states.iter_mut().enumerate() {
            solver.advance_frame(state, spec.seed, spec.number(member));
        }
    }
}

impl Truth {
    /// Goes on from other fields, one a member; the next frame is `next`. Recorded days stay as they are.
    ///
    /// # Errors
    /// Fields that the solver cannot start from.
    pub fn restart(
        &mut self,
        engine: &mut Engine,
        fields: &[Arc<[f32]>],
        next: usize,
    ) -> Result<()> {
        if let (
            Self::Solver {
                states,
                checkpoints,
            },
            Some(solver),
        ) = (self, engine.world.solver())
        {
            let begun = fields.iter().map(|f| solver.state_from_field(f));
            *states = begun.collect::<Result<Vec<_>>>()?;
            checkpoints.begin(next, states);
        }
        Ok(())
    }
}

/// Frames of each member, by time.
fn by_time(runs: &[Vec<Vec<f32>>]) -> Frames {
    let count = runs.first().map_or(0, Vec::len);
    (0..count)
        .map(|t| {
            runs.iter()
                .filter_map(|run| run.get(t).map(|f| Arc::from(f.as_slice())))
                .collect()
        })
        .collect()
}

/// Start frames of a known law: drawn from it, or from a file.
fn process_start(engine: &Engine, spec: &RolloutSpec, history: usize) -> Result<Frames> {
    let World::Process(process) = &engine.world else {
        return Ok(Vec::new());
    };
    if let Some(path) = &spec.start_file {
        if !process.goes_on_from_files() {
            return Err(UserError::new(
                format!("The model {} starts from its seed alone", engine.card.name),
                format!("{} was given as a start", path.display()),
                "leave the file out; the seed chooses the phase",
            ));
        }
        let interval = engine.frame_interval();
        let runs = start_members(path, engine.shape()[0], interval, spec, history)?;
        return Ok(by_time(&runs));
    }
    let runs: Vec<_> = (0..spec.members)
        .map(|member| {
            let start = process.start(spec.seed, spec.number(member), HISTORY);
            start
                .iter()
                .map(|f| engine.normaliser.physical(f).0)
                .collect()
        })
        .collect();
    Ok(by_time(&runs))
}

/// States and start frames of each member, oldest first: spun up from the seed, or read from a file.
type SolverStart = (Vec<sim::State>, Vec<Vec<Vec<f32>>>);

fn solver_start(engine: &mut Engine, spec: &RolloutSpec, history: usize) -> Result<SolverStart> {
    let side = engine.shape()[0];
    let interval = engine.frame_interval();
    let Some(solver) = engine.world.solver() else {
        return Ok((Vec::new(), Vec::new()));
    };
    if let Some(path) = &spec.start_file {
        let members = start_members(path, side, interval, spec, history)?;
        let states = members
            .iter()
            .map(|run| solver.state_from_field(run.last().map_or(&[] as &[f32], Vec::as_slice)))
            .collect::<Result<Vec<_>>>()?;
        return Ok((states, members));
    }
    let mut members = Vec::with_capacity(spec.members);
    let mut states = Vec::with_capacity(spec.members);
    // An ensemble from one start: the forcing, and with it truth's future, still differs from member to member.
    let (made, first) = match spec.one_start {
        true => (1, 0),
        false => (spec.members, spec.number(0)),
    };
    for member in first..first + made as u32 {
        let mut state = solver.random_state(spec.seed, member);
        solver.spin_up(&mut state, spec.seed, member);
        let mut run = vec![solver.field(&state)];
        for _ in 1..HISTORY {
            solver.advance_frame(&mut state, spec.seed, member);
            run.push(solver.field(&state));
        }
        members.push(run);
        states.push(state);
    }
    if let (Some(run), Some(state)) = (members.first().cloned(), states.first().cloned()) {
        members.resize(spec.members.max(made), run);
        states.resize(spec.members.max(made), state);
    }
    Ok((states, members))
}

/// Start frames of each member from a file, oldest first; as many as the file has, at most [`HISTORY`].
fn start_members(
    path: &Path,
    side: usize,
    interval: f64,
    spec: &RolloutSpec,
    history: usize,
) -> Result<Vec<Vec<Vec<f32>>>> {
    let series = data::read_series(path, None)?;
    let name = path.display().to_string();
    let past = history.max(series.frames.saturating_sub(1).min(HISTORY - 1));
    // A file with one member starts all of them.
    let skipped = if series.members == 1 {
        0
    } else {
        spec.first_member
    };
    let members = skipped + spec.members;
    let start = data::start_from_series(&name, &series, Grid::periodic(side), past, members)?;
    if history > 0 && (start.frame_interval / interval - 1.0).abs() > 0.01 {
        return Err(UserError::new(
            format!("Cannot start from {name}"),
            format!(
                "its frames are {} time units apart, the model's are {interval}",
                start.frame_interval
            ),
            "use a history length of 0, which needs the last frame only, or frames with the model's spacing",
        ));
    }
    Ok(start.members.into_iter().skip(skipped).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_stay_few_and_no_frame_lies_far_behind_one() {
        let mut kept = Checkpoints::default();
        kept.begin(4, &[]);
        for next in 5..=1_000_000 {
            kept.note(next, &[]);
            if next == 1616 {
                // Where a checkpoint of its own would have been dropped later.
                kept.begin(next, &[]);
            }
        }
        assert!(kept.states.len() < 150, "{}", kept.states.len());
        for age in [0, 1, 255, 3000, 100_000, 900_000] {
            let next = 1_000_000 - age;
            let (at, _) = kept.clone().back(next).unwrap();
            assert!(next - at <= 16.max(age / 4), "{age}: {}", next - at);
        }
        // What follows a new beginning is never made from before it, and the other way round.
        assert_eq!(kept.clone().back(1620).unwrap().0, 1616);
        assert_eq!(kept.back(1615).unwrap().0, 4);
        assert_eq!(kept.begun, [4]);
    }
}
