//! Figures of one lane beside those of time: distribution in space, ensemble, signatures. Each frame costs O(cells); the
//! memory does not grow with the run.

use std::rc::Rc;
use std::sync::Arc;

use crate::metrics::{SpreadSkill, rank_histogram, weighted_crps};

use super::frame::{DenoisingTrace, EnsembleFigures, LaneDiagnostics, LaneStats, SpaceFigures};
use super::rewind::Rewind;
use super::settings::LaneKind;
use super::signatures::{Detector, Seen};
use super::yardstick::{Profile, Reading, Yardstick};

/// The figures of one lane. Start frames are no part of them.
#[derive(Clone)]
pub struct LaneFigures {
    kind: LaneKind,
    yardstick: Rc<Yardstick>,
    frames: usize,
    power: Profile,
    log_power: Profile,
    shares: Profile,
    ensemble: Ensemble,
    detector: Detector,
}

/// Sums over frames of an ensemble held against truth.
#[derive(Debug, Clone, Default)]
struct Ensemble {
    frames: usize,
    crps: f64,
    spread_skill: SpreadSkill,
    ranks: Vec<f64>,
}

/// A frame of a lane, to be read.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    /// Its number.
    pub index: usize,
    /// One array a member, physical units.
    pub members: &'a [Arc<[f32]>],
    /// What the members are held against, if they are an ensemble: truth's first member at the same time.
    pub truth: Option<&'a Arc<[f32]>>,
    /// How the discriminator saw it.
    pub trace: &'a DenoisingTrace,
}

impl LaneFigures {
    /// Of a lane without frames.
    pub fn new(kind: LaneKind, yardstick: &Rc<Yardstick>) -> Self {
        Self {
            kind,
            yardstick: Rc::clone(yardstick),
            frames: 0,
            power: Profile::default(),
            log_power: Profile::default(),
            shares: Profile::default(),
            ensemble: Ensemble::default(),
            detector: Detector::new(&yardstick.truth),
        }
    }

    /// Takes a frame whose plain figures are known, and adds to them.
    pub fn push(&mut self, frame: Frame<'_>, stats: &mut LaneStats) {
        let reading = self.yardstick.read(frame.members);
        let mut finest = f64::NAN;
        if let Some(Reading {
            power,
            shares,
            energy,
            enstrophy,
            fine,
            finest: top,
        }) = reading
        {
            finest = top;
            self.frames += 1;
            self.power.push(power.iter().copied());
            self.log_power
                .push(power.iter().map(|p| p.max(1e-30).log10()));
            self.shares.push(shares.iter().copied());
            (stats.energy, stats.enstrophy, stats.fine) = (energy, enstrophy, fine);
        }
        self.verify(frame, stats);
        self.detector.push(Seen {
            change: stats.rmse_to_previous,
            mean: stats.mean,
            std: stats.std,
            fine: stats.fine,
            finest,
            decided: decided(frame.trace),
        });
    }

    /// Holds the members against truth. Truth's own other members are an ensemble too, where they differ.
    fn verify(&mut self, frame: Frame<'_>, stats: &mut LaneStats) {
        let members = match self.kind {
            LaneKind::Truth => frame.members.get(1..).unwrap_or_default(),
            _ => frame.members,
        };
        let Some(truth) = frame.truth.filter(|_| members.len() > 1) else {
            return;
        };
        if members.iter().all(|m| Arc::ptr_eq(m, truth)) {
            return;
        }
        let views: Vec<&[f32]> = members.iter().map(|m| &m[..]).collect();
        let weights = self.yardstick.weights();
        let mut now = SpreadSkill::default();
        let (Some(crps), true, Some(ranks)) = (
            weighted_crps(&views, truth, weights).and_then(|c| c.fair),
            now.push_weighted(&views, truth, weights),
            rank_histogram(&views, truth),
        ) else {
            return;
        };
        let e = &mut self.ensemble;
        e.frames += 1;
        e.crps += crps;
        e.spread_skill.merge(&now);
        e.ranks.resize(ranks.len(), 0.0);
        e.ranks.iter_mut().zip(&ranks).for_each(|(a, b)| *a += b);
        stats.crps = crps;
        stats.spread = now.spread().unwrap_or(f64::NAN);
        stats.skill = now.skill().unwrap_or(f64::NAN);
    }

    /// Puts the figures so far beside those of time.
    pub fn fill(&self, out: &mut LaneDiagnostics) {
        out.signs = self.detector.signs();
        if self.frames > 0 {
            let (lo, hi) = self.log_power.band();
            let (shares_lo, shares_hi) = self.shares.band();
            out.space = Some(Arc::new(SpaceFigures {
                power: self.power.mean(),
                power_lo: lo.iter().map(|l| 10f64.powf(*l)).collect(),
                power_hi: hi.iter().map(|l| 10f64.powf(*l)).collect(),
                truth: self.yardstick.truth.spectrum.clone(),
                fine: self.yardstick.fine.clone(),
                edges: self.yardstick.edges.clone(),
                shares: self.shares.mean(),
                shares_lo,
                shares_hi,
            }));
        }
        let e = &self.ensemble;
        if e.frames > 0 {
            let total: f64 = e.ranks.iter().sum();
            let nan = f64::NAN;
            out.ensemble = Some(Arc::new(EnsembleFigures {
                frames: e.frames,
                crps: e.crps / e.frames as f64,
                spread: e.spread_skill.spread().unwrap_or(nan),
                skill: e.spread_skill.skill().unwrap_or(nan),
                ratio: e.spread_skill.ratio().unwrap_or(nan),
                ranks: e.ranks.iter().map(|r| r / total).collect(),
            }));
        }
    }

    /// The detector.
    #[cfg(test)]
    pub fn detector(&self) -> &Detector {
        &self.detector
    }
}

/// How sure the discriminator was where it was surest, from 0 (D = 1/2 at all noise levels) to 1; NaN where it was not
/// asked.
fn decided(trace: &DenoisingTrace) -> f64 {
    trace
        .logit
        .iter()
        .map(|l| f64::from(*l))
        .filter(|l| l.is_finite())
        .map(|l| (0.5 * l).tanh().abs())
        .fold(f64::NAN, f64::max)
}

/// States are kept so many frames apart, and old ones a part of the run this small.
const EVERY: usize = 16;
const PARTS: usize = 64;

/// The figures of a lane that can go back.
#[derive(Clone)]
pub(super) struct Rewinding {
    /// Now.
    pub now: LaneFigures,
    kept: Rewind<LaneFigures>,
}

impl Rewinding {
    /// Of a lane without frames.
    pub fn new(kind: LaneKind, yardstick: &Rc<Yardstick>) -> Self {
        Self {
            now: LaneFigures::new(kind, yardstick),
            kept: Rewind::new(EVERY, PARTS),
        }
    }

    /// See [`LaneFigures::push`].
    pub fn push(&mut self, frame: Frame<'_>, stats: &mut LaneStats) {
        self.kept.note(frame.index, &self.now);
        self.now.push(frame, stats);
    }

    /// Forgets the frames from number `next` on: `again` is called with the figures of an earlier frame and its number, and
    /// takes in those between. Where none is so early, the figures begin anew.
    pub fn go_back(&mut self, next: usize, again: impl FnOnce(&mut LaneFigures, usize)) {
        let (from, state) = self.kept.back(next).unwrap_or_else(|| {
            let empty = LaneFigures::new(self.now.kind, &self.now.yardstick);
            (next, empty)
        });
        self.now = state;
        again(&mut self.now, from);
    }
}
