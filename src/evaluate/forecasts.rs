//! Ensemble forecasts of each method from the same starts, scored frame by frame.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::{Result, UserError};
use crate::metrics::{self, SpreadSkill};
use crate::random::{NoiseKey, Stream};
use crate::rollout::engine::{Engine, HISTORY};
use crate::rollout::headless::{self, Job};
use crate::rollout::lanes::Lanes;
use crate::rollout::settings::{LaneKind, RolloutSpec};

use super::ledger::Ledger;
use super::method::Method;
use super::plan::Plan;
use super::runs::{Tick, Truth};
use super::sample::{Frame, World};
use super::starts::{APART, climatological, draw, evenly, within};

/// Scores of an ensemble against one frame; means over cells, area-weighted on the globe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Fair CRPS; of a single member its mean absolute error.
    pub crps: f64,
    /// Mean variance among members; none of a single member.
    pub spread2: Option<f64>,
    /// Mean square error of the ensemble mean.
    pub skill2: f64,
    /// Share of the cells in which truth has 0, 1, … members below it; empty for a single member.
    pub ranks: Vec<f64>,
}

impl Score {
    /// Scores an ensemble. `None` where a member does not fit truth, or a value is not finite.
    fn of(world: &World, members: &[Frame], truth: &[f32]) -> Option<Self> {
        let views: Vec<&[f32]> = members.iter().map(|m| &m[..]).collect();
        let weights = world.weights();
        let crps = metrics::weighted_crps(&views, truth, weights)?;
        if let [one] = views[..] {
            return Some(Self {
                crps: crps.biased,
                spread2: None,
                skill2: metrics::weighted_rmse(&[truth], &[one], weights)?.powi(2),
                ranks: Vec::new(),
            });
        }
        let mut both = SpreadSkill::default();
        both.push_weighted(&views, truth, weights).then_some(())?;
        let ranks = metrics::rank_histogram(&views, truth)?;
        let cells: f64 = ranks.iter().sum();
        Some(Self {
            crps: crps.fair?,
            spread2: Some(both.spread()?.powi(2)),
            skill2: both.skill()?.powi(2),
            ranks: ranks.iter().map(|r| r / cells).collect(),
        })
    }
}

/// The forecasts of a method from one start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// Run of truth, and its frame that the forecast starts from.
    pub at: (usize, usize),
    /// Members.
    pub members: usize,
    /// By lead, from 1.
    pub leads: Vec<Score>,
    /// Why the forecast ended before its last lead, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
}

/// All forecasts of a method.
#[derive(Debug, Clone)]
pub struct Forecasts {
    /// Which method.
    pub method: Method,
    /// From each start.
    pub starts: Vec<Start>,
}

/// What all forecasts of an evaluation have in common.
pub struct Experiment<'a> {
    /// What is evaluated.
    pub plan: &'a Plan,
    /// The world.
    pub world: &'a World,
    /// Truth.
    pub truth: &'a Truth,
    /// Run of truth and frame of each start.
    pub starts: Vec<(usize, usize)>,
}

impl<'a> Experiment<'a> {
    /// Spreads the starts evenly over the runs of truth.
    ///
    /// # Errors
    /// Too few frames of truth.
    pub fn new(plan: &'a Plan, world: &'a World, truth: &'a Truth) -> Result<Self> {
        let (count, leads) = (plan.sizes.starts, plan.sizes.leads);
        let mut fit = Vec::new();
        for (k, run) in truth.sample.runs.iter().enumerate() {
            let mut edges = vec![0];
            edges.extend(run.breaks.iter().copied());
            edges.push(run.frames.len());
            for piece in edges.windows(2) {
                let row: Range<usize> = piece[0]..piece[1];
                fit.extend(within(row, HISTORY - 1, leads).map(|i| (k, i)));
            }
        }
        if fit.len() < count {
            return Err(UserError::new(
                format!("{count} forecasts cannot start from truth"),
                format!("{} of its frames have {leads} after them", fit.len()),
                "ask for fewer --starts or --leads, or for more --frames",
            ));
        }
        Ok(Self {
            plan,
            world,
            truth,
            starts: evenly(&fit, count),
        })
    }

    /// The seed of a start: another for each place of truth, and for each seed of the evaluation. It does not depend on
    /// how many starts there are, so that a larger evaluation goes on with the forecasts of a smaller one.
    fn seed(&self, start: usize) -> u64 {
        let (run, frame) = self.starts.get(start).copied().unwrap_or_default();
        self.plan
            .seed
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .wrapping_add(((run as u64) << 32) + frame as u64)
    }

    /// Lanes of `members` members that start from a frame of truth.
    ///
    /// # Errors
    /// Days that cannot be read.
    pub fn lanes(&self, engine: &mut Engine, start: usize, members: usize) -> Result<Lanes> {
        let (run, frame) = self.starts.get(start).copied().unwrap_or_default();
        let mut spec = RolloutSpec {
            seed: self.seed(start),
            ..self.plan.spec(members)
        };
        if let Some(recording) = &self.truth.recording {
            spec.start_date = Some(recording.date(frame));
            return Lanes::start(engine, &spec, self.plan.settings.guidance.history);
        }
        let last: Vec<Vec<Frame>> = (0..HISTORY)
            .filter_map(|i| self.frame(run, (frame + 1 + i).checked_sub(HISTORY)?))
            .map(|f| vec![f; members])
            .collect();
        Ok(Lanes::from_frames(&spec, last.len(), last.len(), &last))
    }

    fn frame(&self, run: usize, frame: usize) -> Option<Frame> {
        self.truth.sample.runs.get(run)?.frames.get(frame).cloned()
    }

    /// The forecasts of a method; those of earlier calls are in a file and not made again. `None` where the work was
    /// stopped; what was scored is kept.
    ///
    /// # Errors
    /// A lane that the model cannot make, a file of another recipe or that cannot be written.
    pub fn of(
        &self,
        engine: &mut Engine,
        method: Method,
        tick: Tick<'_>,
    ) -> Result<Option<Forecasts>> {
        let plan = self.plan;
        let lane = match method {
            Method::Lane(kind) => Some(kind),
            _ => None,
        };
        let mut recipe = plan.recipe(engine, lane, "forecasts", plan.sizes.members);
        recipe["method"] = json!(method.slug());
        recipe["leads"] = json!(plan.sizes.leads);
        let folder = plan.out.join("runs");
        super::store::create(&folder)?;
        let path = folder.join(format!("forecasts-{}.jsonl", method.slug()));
        // What costs nothing is not kept: frames of other times are drawn from all that there are.
        let path = lane.is_some().then_some(path);
        let mut ledger: Ledger<Start> = Ledger::open(path.as_deref(), &recipe)?;
        let what = format!("{}, forecasts", method.label());
        let total = self.starts.len() * plan.sizes.leads;
        for (k, at) in self.starts.iter().enumerate() {
            if ledger.starts.iter().any(|s| s.at == *at) {
                continue;
            }
            let mut step = |lead: usize| tick(&what, k * plan.sizes.leads + lead, total).is_break();
            let made = match method {
                Method::Lane(kind) => self.made(engine, kind, k, &mut step)?,
                _ => self.given(method, k, &mut step)?,
            };
            match made {
                Some(start) => ledger.add(start)?,
                None => return Ok(None),
            }
        }
        // A file of more starts than are asked for.
        let asked = |s: &Start| self.starts.contains(&s.at);
        Ok(Some(Forecasts {
            method,
            starts: ledger.starts.into_iter().filter(asked).collect(),
        }))
    }

    /// Forecasts of a lane from one start.
    fn made(
        &self,
        engine: &mut Engine,
        kind: LaneKind,
        k: usize,
        stop: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Option<Start>> {
        let members = self.plan.sizes.members;
        let at = self.starts.get(k).copied().unwrap_or_default();
        let mut lanes = self.lanes(engine, k, members)?;
        let spec = lanes.spec.clone();
        let job = Job {
            spec: &spec,
            settings: &self.plan.settings,
            lane: kind,
            frames: self.plan.sizes.leads,
        };
        headless::check_lane(engine, &job)?;
        let mut start = Start {
            at,
            members,
            leads: Vec::new(),
            ended: None,
        };
        let mut ensemble: Vec<Frame> = Vec::new();
        for lead in 1..=self.plan.sizes.leads {
            // The law of unrelated frames does not depend on the lead: they are made once a start.
            if Method::Lane(kind).follows() || lead == 1 {
                ensemble = headless::next_frame(engine, &lanes, &job)?.0;
            }
            let truth = self.frame(at.0, at.1 + lead);
            match truth.and_then(|t| Score::of(self.world, &ensemble, &t)) {
                Some(score) => start.leads.push(score),
                None => break,
            }
            if let Some(b) = headless::blow_up(engine, kind, &ensemble) {
                start.ended = Some(format!("lead {lead}: {}", b.what));
                break;
            }
            lanes.push(kind, ensemble.clone());
            lanes.advance();
            if stop(lead) {
                return Ok(None);
            }
        }
        Ok(Some(start))
    }

    /// Forecasts without a model, from one start.
    fn given(
        &self,
        method: Method,
        k: usize,
        stop: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Option<Start>> {
        let (run, frame) = self.starts.get(k).copied().unwrap_or_default();
        let mut leads = Vec::new();
        let mut members = 1;
        for lead in 1..=self.plan.sizes.leads {
            let ensemble = match method {
                Method::Climatology => self.climatology(run, frame + lead, k)?,
                _ => self.frame(run, frame).into_iter().collect(),
            };
            members = ensemble.len();
            let truth = self.frame(run, frame + lead);
            match truth.and_then(|t| Score::of(self.world, &ensemble, &t)) {
                Some(score) => leads.push(score),
                None => break,
            }
            if stop(lead) {
                return Ok(None);
            }
        }
        Ok(Some(Start {
            at: (run, frame),
            members,
            leads,
            ended: None,
        }))
    }

    /// Frames of other times: on the globe of the same season.
    fn climatology(&self, run: usize, frame: usize, start: usize) -> Result<Vec<Frame>> {
        let members = self.plan.sizes.members;
        let seed = self.seed(start);
        if let Some(recording) = &self.truth.recording {
            let drawn = climatological(recording.as_ref(), frame, members, seed)?;
            return Ok(drawn.unwrap_or_default());
        }
        let choice: Vec<usize> = self
            .places()
            .filter(|(_, (r, f))| *r != run || f.abs_diff(frame) > APART)
            .map(|(number, _)| number)
            .collect();
        let key = NoiseKey {
            seed,
            stream: Stream::Climatology,
            member: 0,
            frame: frame as u32,
            step: 0,
        };
        let chosen = draw(&key.uniform(members), choice);
        let places: Vec<(usize, usize)> = self.places().map(|p| p.1).collect();
        Ok(chosen
            .into_iter()
            .filter_map(|i| places.get(i).and_then(|(r, f)| self.frame(*r, *f)))
            .collect())
    }

    /// All frames of truth, numbered.
    fn places(&self) -> impl Iterator<Item = (usize, (usize, usize))> + '_ {
        let runs = self.truth.sample.runs.iter().enumerate();
        runs.flat_map(|(k, r)| (0..r.frames.len()).map(move |f| (k, f)))
            .enumerate()
    }

    /// A frame drawn from all of truth, for each number in `[0, 1)`.
    pub fn any(&self, uniform: f64) -> Frame {
        let places: Vec<(usize, usize)> = self.places().map(|p| p.1).collect();
        let at = ((uniform * places.len() as f64) as usize).min(places.len().saturating_sub(1));
        places
            .get(at)
            .and_then(|(r, f)| self.frame(*r, *f))
            .unwrap_or_else(|| Arc::from([]))
    }

    /// The frames before and after a place of truth: the history, newest first, and the next frame.
    pub fn pair(&self, run: usize, frame: usize) -> Option<(Vec<Frame>, Frame)> {
        let history = (0..HISTORY)
            .map(|back| self.frame(run, frame.checked_sub(back)?))
            .collect::<Option<Vec<_>>>()?;
        Some((history, self.frame(run, frame + 1)?))
    }
}
