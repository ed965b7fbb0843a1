//! The state of a rollout: what each lane has seen, and how its next frame is made.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use burn::tensor::Tensor;

use crate::data;
use crate::diffusion::sampler::{Evaluation, Sampler, StepContext};
use crate::diffusion::{Conditioned, to_vec};
use crate::error::{Result, UserError};
use crate::random::{NoiseKey, Stream};
use crate::sim;

use super::engine::{Engine, HISTORY};
use super::frame::DenoisingTrace;
use super::settings::{DiscriminatorKind, LaneKind, RolloutSpec, Settings, Start};

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

    fn members(&self) -> usize {
        self.spec.members
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

/// A frame of the sampled lanes on its way.
pub struct FrameInProgress {
    sampler: Sampler,
    rows: Vec<(LaneKind, u32)>,
    history: Tensor<4>,
    conditioned: Option<Box<dyn Conditioned>>,
    conditioned_for: Option<(DiscriminatorKind, usize)>,
    frame: usize,
    seed: u64,
    evaluations: Vec<Trace>,
    watch: bool,
    /// Seconds spent in the discriminator (tower or encoder, and closed form); measured where asked.
    pub guidance_seconds: f64,
}

struct Trace {
    sigma: f64,
    logit: Option<Tensor<1>>,
    ratio: Tensor<1>,
}

/// One sampled frame of one lane.
pub struct SampledLane {
    /// Which lane.
    pub kind: LaneKind,
    /// One array a member, physical units.
    pub members: Vec<Arc<[f32]>>,
    /// How the discriminator saw member 0.
    pub trace: DenoisingTrace,
}

impl FrameInProgress {
    /// Begins the next frame of the given lanes (unconditional and guided ones). `None` when there is no lane. With
    /// `watch` the discriminator is asked even where its strength is 0, so that its answer can be shown.
    pub fn begin(
        engine: &Engine,
        lanes: &Lanes,
        kinds: &[LaneKind],
        settings: &Settings,
        watch: bool,
    ) -> Option<Self> {
        let mut rows = Vec::new();
        let mut history = Vec::new();
        let cells = engine.side() * engine.side();
        let to_normalised = 1.0 / engine.scale();
        for &kind in kinds {
            let Some(h) = &lanes.histories[kind.index()] else {
                continue;
            };
            for member in 0..lanes.members() {
                rows.push((kind, member as u32));
                for past in 0..HISTORY {
                    match h.get(past) {
                        Some(frame) => {
                            history.extend(frame[member].iter().map(|v| v * to_normalised));
                        }
                        None => history.extend(std::iter::repeat_n(0.0, cells)),
                    }
                }
            }
        }
        if rows.is_empty() {
            return None;
        }
        let history = engine.tensor(history, rows.len(), HISTORY);
        let frame = lanes.next;
        let noise = noise_rows(engine, &rows, lanes.spec.seed, frame, 0);
        let warm = match settings.sampler.start {
            Start::Noise => None,
            Start::Warm { sigma } => Some((history.clone().narrow(1, 0, 1), sigma)),
        };
        Some(Self {
            sampler: Sampler::new(&settings.sampler, noise, warm),
            rows,
            history,
            conditioned: None,
            conditioned_for: None,
            frame,
            seed: lanes.spec.seed,
            evaluations: Vec::new(),
            watch,
            guidance_seconds: 0.0,
        })
    }

    /// Steps done and their number.
    pub fn progress(&self) -> (usize, usize) {
        self.sampler.progress()
    }

    /// Whether all steps are done.
    pub fn is_done(&self) -> bool {
        self.sampler.is_done()
    }

    /// Does one solver step under the settings of this moment.
    ///
    /// # Errors
    /// A discriminator that the model does not have.
    pub fn step(
        &mut self,
        engine: &Engine,
        lanes: &Lanes,
        settings: &Settings,
    ) -> Result<Vec<Evaluation>> {
        let g = &settings.guidance;
        let wanted = (g.discriminator, lanes.history_length(g.history));
        let asked = self.watch || g.strength != 0.0;
        if !asked {
            self.conditioned = None;
            self.conditioned_for = None;
        } else if self.conditioned_for != Some(wanted) {
            let began = Instant::now();
            let discriminator = engine.discriminator(wanted.0)?;
            self.conditioned = Some(discriminator.condition(&self.history, wanted.1));
            self.conditioned_for = Some(wanted);
            self.guidance_seconds += began.elapsed().as_secs_f64();
        }
        let strengths: Vec<f32> = self
            .rows
            .iter()
            .map(|(kind, _)| match kind {
                LaneKind::Guided => g.strength,
                _ => 0.0,
            })
            .collect();
        let (rows, seed, frame) = (&self.rows, self.seed, self.frame);
        let noise = |i: usize| noise_rows(engine, rows, seed, frame, i as u16 + 1);
        let timed = self.conditioned.as_deref().map(|inner| Timed {
            inner,
            seconds: std::cell::Cell::new(0.0),
        });
        let evaluations = self.sampler.step(&StepContext {
            denoiser: &engine.denoiser,
            discriminator: timed.as_ref().map(|t| t as &dyn Conditioned),
            guidance: g,
            strengths: &strengths,
            noise: &noise,
        });
        self.guidance_seconds += timed.map_or(0.0, |t| t.seconds.get());
        for e in &evaluations {
            self.evaluations.push(Trace {
                sigma: e.sigma,
                logit: e.logit.clone(),
                ratio: ratio(e),
            });
        }
        Ok(evaluations)
    }

    /// The finished frames, physical units, and how the discriminator saw them.
    pub fn finish(self, engine: &Engine) -> Vec<SampledLane> {
        let cells = engine.side() * engine.side();
        let scale = engine.scale();
        let values = to_vec(self.sampler.state().clone());
        let logits: Vec<Option<Vec<f32>>> = self
            .evaluations
            .iter()
            .map(|t| t.logit.clone().map(to_vec))
            .collect();
        let ratios: Vec<Vec<f32>> = self
            .evaluations
            .iter()
            .map(|t| to_vec(t.ratio.clone()))
            .collect();
        let mut out: Vec<SampledLane> = Vec::new();
        for (row, (kind, _)) in self.rows.iter().enumerate() {
            let frame: Arc<[f32]> = values[row * cells..(row + 1) * cells]
                .iter()
                .map(|v| v * scale)
                .collect();
            match out.iter_mut().find(|l| l.kind == *kind) {
                Some(lane) => lane.members.push(frame),
                None => out.push(SampledLane {
                    kind: *kind,
                    members: vec![frame],
                    trace: DenoisingTrace {
                        sigma: self.evaluations.iter().map(|t| t.sigma as f32).collect(),
                        logit: logits
                            .iter()
                            .map(|l| l.as_ref().map_or(f32::NAN, |l| l[row]))
                            .collect(),
                        guidance_ratio: ratios.iter().map(|r| r[row]).collect(),
                    },
                }),
            }
        }
        out
    }
}

/// The control lane: the tower's forecast plus Gaussian noise, physical units.
///
/// # Errors
/// A model without the two-tower discriminator.
pub fn forecaster_frame(engine: &Engine, lanes: &Lanes, m: usize) -> Result<Vec<Arc<[f32]>>> {
    let Some(two_tower) = &engine.two_tower else {
        return Err(UserError::new(
            "There is no forecaster in this model",
            "the lane \"forecaster + noise\" needs the two-tower discriminator",
            "switch the lane off, or open a model with a two-tower discriminator",
        ));
    };
    let Some(h) = &lanes.histories[LaneKind::Forecaster.index()] else {
        return Ok(Vec::new());
    };
    let to_normalised = 1.0 / engine.scale();
    let cells = engine.side() * engine.side();
    let mut history = Vec::with_capacity(lanes.members() * HISTORY * cells);
    let mut noise = Vec::with_capacity(lanes.members() * cells);
    for member in 0..lanes.members() {
        for past in 0..HISTORY {
            match h.get(past) {
                Some(frame) => history.extend(frame[member].iter().map(|v| v * to_normalised)),
                None => history.extend(std::iter::repeat_n(0.0, cells)),
            }
        }
        let key = NoiseKey {
            seed: lanes.spec.seed,
            stream: Stream::Forecaster,
            member: member as u32,
            frame: lanes.next as u32,
            step: 0,
        };
        noise.extend(key.normal_f32(cells));
    }
    let rows = lanes.members();
    let out = two_tower.forecast_with_noise(
        &engine.tensor(history, rows, HISTORY),
        lanes.history_length(m),
        engine.tensor(noise, rows, 1),
    );
    Ok(to_vec(out)
        .chunks_exact(cells)
        .map(|c| c.iter().map(|v| v * engine.scale()).collect())
        .collect())
}

/// `|guidance| / |score|` of each row.
fn ratio(e: &Evaluation) -> Tensor<1> {
    let norm = |t: Tensor<4>| {
        let [rows, c, h, w] = t.dims();
        (t.clone() * t)
            .reshape([rows, c * h * w])
            .sum_dim(1)
            .reshape([rows])
            .sqrt()
    };
    norm(e.guidance.clone()) / norm(e.denoised.clone() - e.x.clone())
}

/// The noise of one step: the same for a member in every lane, so that what differs is the method.
fn noise_rows(
    engine: &Engine,
    rows: &[(LaneKind, u32)],
    seed: u64,
    frame: usize,
    step: u16,
) -> Tensor<4> {
    let cells = engine.side() * engine.side();
    let mut values = Vec::with_capacity(rows.len() * cells);
    for (_, member) in rows {
        let key = NoiseKey {
            seed,
            stream: Stream::Sampler,
            member: *member,
            frame: frame as u32,
            step,
        };
        values.extend(key.normal_f32(cells));
    }
    engine.tensor(values, rows.len(), 1)
}

/// Measures the time that a discriminator takes. Exact on the CPU, where calls finish before they return.
struct Timed<'a> {
    inner: &'a dyn Conditioned,
    seconds: std::cell::Cell<f64>,
}

impl Conditioned for Timed<'_> {
    fn judge(
        &self,
        x: &Tensor<4>,
        sigma: f64,
        denoised: &Tensor<4>,
    ) -> crate::diffusion::Judgement {
        let began = Instant::now();
        let out = self.inner.judge(x, sigma, denoised);
        self.seconds
            .set(self.seconds.get() + began.elapsed().as_secs_f64());
        out
    }
}
