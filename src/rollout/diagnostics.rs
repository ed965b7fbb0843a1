//! Streaming figures of a lane: each frame adds a fixed set of sums, so that a rollout of any length costs the same time a
//! frame and the same memory. Going back finds the sums of an earlier frame and reads the few frames since then again.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::metrics::Dynamics;

use super::frame::{LaneDiagnostics, LaneStats};
use super::rewind::Rewind;

/// Largest lag of the autocorrelation.
pub const MAX_LAG: usize = 10;

/// What one frame adds (sums over cells and members).
#[derive(Debug, Clone, Copy, Default)]
struct Contribution {
    cells: f64,
    square: f64,
    /// `sum x_n x_{n-j}`, `sum x_{n-j}^2` and `sum x_n^2` where `x_{n-j}` exists.
    cross: [f64; MAX_LAG + 1],
    early: [f64; MAX_LAG + 1],
    late: [f64; MAX_LAG + 1],
    dynamics: Dynamics,
    /// `sum (x_{n+1} - x_n)^2`.
    change: f64,
}

/// The figures of one lane. Start frames are seen as history but add nothing.
#[derive(Debug, Clone, Default)]
pub struct LaneStream {
    /// The last frames, the newest first; `None` = one that did not enter.
    recent: VecDeque<Option<Vec<Arc<[f32]>>>>,
    sums: Sums,
}

/// What the figures follow from, and how many frames have entered since they began.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    total: Contribution,
    frames: usize,
}

impl Contribution {
    fn add(&mut self, c: &Self) {
        self.cells += c.cells;
        self.square += c.square;
        self.change += c.change;
        self.dynamics.merge(&c.dynamics);
        for j in 0..=MAX_LAG {
            self.cross[j] += c.cross[j];
            self.early[j] += c.early[j];
            self.late[j] += c.late[j];
        }
    }
}

impl LaneStream {
    /// The figures begin with the next frame: those before it were made under other settings.
    pub fn begin_anew(&mut self) {
        self.sums = Sums::default();
    }

    /// Takes a start frame: history only.
    pub fn push_start(&mut self, members: &[Arc<[f32]>]) {
        self.remember(members);
    }

    fn remember(&mut self, members: &[Arc<[f32]>]) {
        self.remember_or_not(Some(members.to_vec()));
    }

    fn remember_or_not(&mut self, members: Option<Vec<Arc<[f32]>>>) {
        self.recent.push_front(members);
        self.recent.truncate(MAX_LAG + 1);
    }

    /// A frame that does not enter: the next one follows nothing.
    pub fn skip(&mut self) {
        self.remember_or_not(None);
    }

    /// The frame that the next one follows.
    fn last(&self) -> Option<&Vec<Arc<[f32]>>> {
        self.recent.front()?.as_ref()
    }

    /// Takes a generated frame, physical units; `unforced` is the solver's answer `G(x_n)` from the frame before, one
    /// array a member. Returns the frame's own figures.
    pub fn push(&mut self, members: &[Arc<[f32]>], unforced: &[Vec<f32>]) -> LaneStats {
        let mut c = Contribution::default();
        let mut sum = 0.0;
        for x in members {
            c.cells += x.len() as f64;
            sum += x.iter().map(|&v| f64::from(v)).sum::<f64>();
            c.square += dot(x, x);
        }
        let has_previous = self.last().is_some() && !unforced.is_empty();
        if let Some(previous) = self.last() {
            for ((x, p), g) in members.iter().zip(previous).zip(unforced) {
                c.dynamics.push(p, x, g);
                c.change += x
                    .iter()
                    .zip(p.iter())
                    .map(|(&x, &p)| (f64::from(x) - f64::from(p)).powi(2))
                    .sum::<f64>();
            }
        }
        self.remember(members);
        // Lags count within the generated frames only, and those of the same settings: the start is truth's.
        for lag in 0..=MAX_LAG.min(self.sums.frames) {
            if let Some(Some(old)) = self.recent.get(lag) {
                for (x, y) in members.iter().zip(old) {
                    c.cross[lag] += dot(x, y);
                    c.early[lag] += dot(y, y);
                    c.late[lag] += dot(x, x);
                }
            }
        }
        self.sums.total.add(&c);
        self.sums.frames += 1;
        let mean = sum / c.cells;
        LaneStats {
            mean,
            std: (c.square / c.cells - mean * mean).max(0.0).sqrt(),
            rmse_to_previous: if has_previous {
                (c.change / c.cells).sqrt()
            } else {
                f64::NAN
            },
            dynamics_skill: c.dynamics.skill().unwrap_or(f64::NAN),
            ..LaneStats::UNKNOWN
        }
    }

    /// Adds another stream's sums, as of another run under the same law.
    pub fn join(&mut self, other: &Self) {
        self.sums.total.add(&other.sums.total);
        self.sums.frames += other.sums.frames;
    }

    /// The figures so far; `data_std` is the data's standard deviation in physical units.
    pub fn figures(&self, data_std: f64) -> LaneDiagnostics {
        let Sums { total: t, frames } = self.sums;
        LaneDiagnostics {
            acf: (0..=MAX_LAG)
                .map(|j| t.cross[j] / (t.early[j] * t.late[j]).sqrt())
                .collect(),
            dynamics_skill: t.dynamics.skill().unwrap_or(f64::NAN),
            a: t.dynamics.a().unwrap_or(f64::NAN),
            residual: t.dynamics.residual().unwrap_or(f64::NAN) / data_std,
            std_ratio: (t.square / t.cells).sqrt() / data_std,
            frames,
            ..LaneDiagnostics::default()
        }
    }
}

/// Sums of old frames are kept this small a part of the run apart.
const PARTS: usize = 512;

/// The figures of a lane that can go back.
#[derive(Debug, Clone)]
pub(super) struct RewindingStream {
    now: LaneStream,
    kept: Rewind<Sums>,
    /// What the first generated frame followed, where that is no frame of this lane.
    origin: Option<Vec<Arc<[f32]>>>,
    /// Number of the frame after the last one that was seen.
    end: usize,
}

/// What becomes of a frame that is read again.
pub(super) enum Again {
    /// It enters.
    Enter {
        /// One array a member, physical units.
        members: Vec<Arc<[f32]>>,
        /// The solver's answers from the frame before.
        unforced: Vec<Vec<f32>>,
        /// Whether the figures began anew with it.
        anew: bool,
    },
    /// It had blown up, or there was none.
    Skip {
        /// Whether the figures began anew with it.
        anew: bool,
    },
    /// It is no longer kept: the figures begin after it.
    Lost,
}

impl Default for RewindingStream {
    fn default() -> Self {
        Self {
            now: LaneStream::default(),
            kept: Rewind::new(1, PARTS),
            origin: None,
            end: 0,
        }
    }
}

impl RewindingStream {
    /// Of a lane that goes on from a frame of another one.
    pub fn begin(from: Option<&Vec<Arc<[f32]>>>) -> Self {
        let mut stream = Self::default();
        if let Some(members) = from {
            stream.now.push_start(members);
            stream.origin = Some(members.clone());
        }
        stream
    }

    /// See [`LaneStream::push_start`].
    pub fn push_start(&mut self, members: &[Arc<[f32]>]) {
        self.now.push_start(members);
    }

    /// Takes frame number `index`, with which the figures perhaps begin anew; see [`LaneStream::push`].
    pub fn push(
        &mut self,
        index: usize,
        members: &[Arc<[f32]>],
        unforced: &[Vec<f32>],
        anew: bool,
    ) -> LaneStats {
        self.see(index, anew);
        self.now.push(members, unforced)
    }

    /// Frame number `index` has blown up and does not enter.
    pub fn skip(&mut self, index: usize, anew: bool) {
        self.see(index, anew);
        self.now.skip();
    }

    fn see(&mut self, index: usize, anew: bool) {
        self.kept.note(index, &self.now.sums);
        self.end = index + 1;
        if anew {
            self.now.begin_anew();
        }
    }

    /// The figures so far; see [`LaneStream::figures`].
    pub fn figures(&self, data_std: f64) -> LaneDiagnostics {
        self.now.figures(data_std)
    }

    /// The frame that the next one follows, if it entered.
    pub fn last(&self) -> Option<&Vec<Arc<[f32]>>> {
        self.now.last()
    }

    /// Forgets the frames from number `next` on. `lane` gives the lane's frame of a number as far as there is one (`None` in
    /// it where it had blown up), and `again` says what becomes of one after the sums that are kept, given what it follows.
    /// Where frames before the kept sums are no longer there, the first frames after them lack those lags.
    pub fn go_back(
        &mut self,
        next: usize,
        lane: impl Fn(usize) -> Option<Option<Vec<Arc<[f32]>>>>,
        mut again: impl FnMut(usize, Option<&[Arc<[f32]>]>) -> Again,
    ) {
        let first = self.kept.first();
        let (from, sums) = self.kept.back(next).unwrap_or_else(|| {
            self.origin = None;
            (next, Sums::default())
        });
        let mut recent: VecDeque<_> = (0..from).rev().take(MAX_LAG + 1).map_while(lane).collect();
        if let Some(origin) = self.origin.as_ref().filter(|_| first == Some(from)) {
            recent = VecDeque::from([Some(origin.clone())]);
        }
        self.now = LaneStream { recent, sums };
        // A lane that was stopped has no frames behind its last one.
        let end = next.min(self.end);
        for index in from..end {
            match again(index, self.last().map(|m| &m[..])) {
                Again::Enter {
                    members,
                    unforced,
                    anew,
                } => {
                    if anew {
                        self.now.begin_anew();
                    }
                    self.now.push(&members, &unforced);
                }
                Again::Skip { anew } => {
                    if anew {
                        self.now.begin_anew();
                    }
                    self.now.skip();
                }
                Again::Lost => self.now = LaneStream::default(),
            }
        }
        if end < next {
            self.now.recent.clear();
        }
        self.end = end;
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(&x, &y)| f64::from(x) * f64::from(y))
        .sum()
}

#[cfg(test)]
mod tests;
