//! Streaming figures of a lane: each frame adds a fixed set of sums, so that a rollout of any length costs the same a
//! frame, and going back drops what the dropped frames had added.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::metrics::Dynamics;

use super::frame::{LaneDiagnostics, LaneStats};

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
    recent: VecDeque<Vec<Arc<[f32]>>>,
    /// Sums up to and with each frame, since the figures began: they cost the same however long the run is, and going back
    /// is exact.
    totals: Vec<Contribution>,
    /// Numbers of the frames with which the figures began anew.
    begins: Vec<usize>,
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
    /// Whether no generated frame has entered.
    pub fn is_empty(&self) -> bool {
        self.totals.is_empty()
    }

    /// The figures begin with the next frame: those before it were made under other settings.
    pub fn begin_anew(&mut self) {
        if self.totals.len() > self.since() {
            self.begins.push(self.totals.len());
        }
    }

    fn since(&self) -> usize {
        self.begins.last().copied().unwrap_or(0)
    }

    /// Takes a start frame: history only.
    pub fn push_start(&mut self, members: &[Arc<[f32]>]) {
        self.remember(members);
    }

    fn remember(&mut self, members: &[Arc<[f32]>]) {
        self.recent.push_front(members.to_vec());
        self.recent.truncate(MAX_LAG + 1);
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
        let has_previous = !self.recent.is_empty() && !unforced.is_empty();
        if let Some(previous) = self.recent.front() {
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
        let generated = self.totals.len() + 1 - self.since();
        for lag in 0..=MAX_LAG.min(generated - 1) {
            if let Some(old) = self.recent.get(lag) {
                for (x, y) in members.iter().zip(old) {
                    c.cross[lag] += dot(x, y);
                    c.early[lag] += dot(y, y);
                    c.late[lag] += dot(x, x);
                }
            }
        }
        self.add(&c);
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
        let before = self.totals.last().copied().unwrap_or_default();
        self.totals.extend(other.totals.iter().map(|t| {
            let mut sum = before;
            sum.add(t);
            sum
        }));
    }

    fn add(&mut self, c: &Contribution) {
        let before = match self.totals.len() > self.since() {
            true => self.totals.last().copied(),
            false => None,
        };
        let mut sum = before.unwrap_or_default();
        sum.add(c);
        self.totals.push(sum);
    }

    /// Forgets the generated frames from number `generated` on; `recent` are the frames before it, newest first.
    pub fn truncate(&mut self, generated: usize, recent: VecDeque<Vec<Arc<[f32]>>>) {
        self.totals.truncate(generated);
        self.begins.retain(|b| *b < generated);
        self.recent = recent;
        self.recent.truncate(MAX_LAG + 1);
    }

    /// The figures so far; `data_std` is the data's standard deviation in physical units.
    pub fn figures(&self, data_std: f64) -> LaneDiagnostics {
        let frames = self.totals.len() - self.since();
        let last = self.totals.last().filter(|_| frames > 0);
        let t = last.copied().unwrap_or_default();
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

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(&x, &y)| f64::from(x) * f64::from(y))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{NoiseKey, Stream};

    fn series(n: usize, phi: f32) -> Vec<Vec<Arc<[f32]>>> {
        let mut x = vec![0.0f32; 256];
        (0..n)
            .map(|f| {
                let key = NoiseKey {
                    seed: 3,
                    stream: Stream::Test,
                    member: 0,
                    frame: f as u32,
                    step: 0,
                };
                for (v, z) in x.iter_mut().zip(key.normal_f32(256)) {
                    *v = phi * *v + (1.0 - phi * phi).sqrt() * z;
                }
                vec![Arc::from(x.as_slice())]
            })
            .collect()
    }

    fn run(frames: &[Vec<Arc<[f32]>>], phi: f32) -> LaneStream {
        let mut s = LaneStream::default();
        s.push_start(&frames[50]);
        for f in &frames[51..] {
            let g: Vec<f32> = s.recent[0][0].iter().map(|v| phi * v).collect();
            s.push(f, &[g]);
        }
        s
    }

    #[test]
    fn ar1_figures() {
        let frames = series(400, 0.8);
        let d = run(&frames, 0.8).figures(1.0);
        assert!((d.acf[0] - 1.0).abs() < 1e-12);
        for (j, r) in d.acf.iter().enumerate() {
            assert!((r - 0.8f64.powi(j as i32)).abs() < 0.03, "lag {j}: {r}");
        }
        // The exact forecaster: a = 1, skill = 1 - (1 - phi^2) / (2 (1 - phi)) = 0.1, residual = sqrt(1 - phi^2).
        assert!((d.a - 1.0).abs() < 0.02, "{}", d.a);
        assert!(
            (d.dynamics_skill - 0.1).abs() < 0.01,
            "{}",
            d.dynamics_skill
        );
        assert!((d.residual - 0.6).abs() < 0.01, "{}", d.residual);
        assert!((d.std_ratio - 1.0).abs() < 0.02);
    }

    #[test]
    fn going_back_and_on_gives_the_same_figures() {
        let frames = series(120, 0.5);
        let straight = run(&frames, 0.5).figures(1.0);
        let mut s = run(&frames[..100], 0.5);
        let recent = (0..11).map(|i| frames[89 - i].clone()).collect();
        s.truncate(39, recent);
        for f in &frames[90..] {
            let g: Vec<f32> = s.recent[0][0].iter().map(|v| 0.5 * v).collect();
            s.push(f, &[g]);
        }
        let again = s.figures(1.0);
        assert_eq!(straight.acf, again.acf);
        assert_eq!(straight.residual, again.residual);
    }

    #[test]
    fn figures_begin_anew_and_going_back_finds_the_ones_before() {
        let (slow, fast) = (series(120, 0.9), series(120, 0.0));
        let mut s = run(&slow, 0.9);
        let before = s.figures(1.0);
        s.begin_anew();
        assert_eq!(s.figures(1.0).frames, 0);
        for f in &fast[60..] {
            s.push(f, &[]);
        }
        let now = s.figures(1.0);
        assert_eq!(now.frames, 60);
        // No pair across the change: unrelated frames, and nothing of the slow ones.
        assert!(now.acf[1].abs() < 0.03, "{}", now.acf[1]);
        let recent = (0..11).map(|i| slow[119 - i].clone()).collect();
        s.truncate(before.frames, recent);
        let again = s.figures(1.0);
        assert_eq!((again.acf, again.frames), (before.acf, before.frames));
    }

    #[test]
    fn nothing_yet_is_nan_not_a_panic() {
        let d = LaneStream::default().figures(1.0);
        assert!(d.acf.iter().all(|v| v.is_nan()) && d.dynamics_skill.is_nan());
    }
}
