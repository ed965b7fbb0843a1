//! Frames of a method in memory, and the world that they are of.

use std::ops::Range;
use std::sync::Arc;

use crate::metrics::rain::MonthlyMeans;
use crate::metrics::{RainGrid, Weights};
use crate::rollout::engine::Engine;
use crate::rollout::world::World as Truth;
use crate::sim::Params;

use super::method::Method;

/// A frame, row-major, physical units.
pub type Frame = Arc<[f32]>;

/// What frames are of.
pub struct World {
    /// Rows and columns.
    pub shape: [usize; 2],
    /// The globe, where the world is one.
    pub globe: Option<RainGrid>,
    /// The solver's parameters, where truth has a solver.
    pub params: Option<Params>,
    /// What the field is called.
    pub quantity: String,
    /// Its unit.
    pub units: String,
    /// Time between frames.
    pub interval: f64,
    /// The data's standard deviation.
    pub std: f64,
    rows: Vec<f64>,
}

impl World {
    /// The world of a model.
    pub fn of(engine: &Engine) -> Self {
        let globe = engine.climate.as_ref().map(|c| RainGrid::new(&c.globe));
        let params = match &engine.world {
            Truth::Solver(solver) => Some(solver.params().clone()),
            Truth::Recorded(_) | Truth::Process(_) => None,
        };
        Self {
            shape: engine.shape(),
            rows: globe
                .as_ref()
                .map_or(Vec::new(), |g| g.row_weights().to_vec()),
            globe,
            params,
            quantity: engine.card.quantity.clone(),
            units: engine.card.units.clone(),
            interval: engine.frame_interval(),
            std: engine.card.truth.std,
        }
    }

    /// Weights of the cells.
    pub fn weights(&self) -> Weights<'_> {
        if self.rows.is_empty() {
            Weights::EVEN
        } else {
            Weights::rows(&self.rows, self.shape[1])
        }
    }

    /// What one frame is called: time axes count in it.
    pub fn step(&self) -> &'static str {
        if self.globe.is_some() {
            "days"
        } else {
            "frames"
        }
    }

    /// Mean over cells.
    pub fn mean(&self, frame: &[f32]) -> f64 {
        let weights = self.weights();
        let (mut sum, mut total) = (0.0, 0.0);
        for (cell, &v) in frame.iter().enumerate() {
            sum += weights.of(cell) * f64::from(v);
            total += weights.of(cell);
        }
        sum / total
    }

    /// Standard deviation over cells.
    pub fn std(&self, frame: &[f32]) -> f64 {
        let (weights, mean) = (self.weights(), self.mean(frame));
        let (mut sum, mut total) = (0.0, 0.0);
        for (cell, &v) in frame.iter().enumerate() {
            sum += weights.of(cell) * (f64::from(v) - mean).powi(2);
            total += weights.of(cell);
        }
        (sum / total).sqrt()
    }
}

/// Frames of one run.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// The frames, oldest first; start frames do not count among them.
    pub frames: Vec<Frame>,
    /// Month of each, 0 for January; empty without dates.
    pub months: Vec<usize>,
    /// Each `i` where frame `i` does not follow frame `i - 1`.
    pub breaks: Vec<usize>,
}

/// Runs of a method.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Which method.
    pub method: Method,
    /// Its runs.
    pub runs: Vec<Run>,
    /// Why it ended before its last frame, where it did.
    pub ended: Option<String>,
}

/// Consecutive frames of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Which run.
    pub run: usize,
    /// Which of its frames.
    pub frames: Range<usize>,
}

impl Sample {
    /// Number of frames, all runs together.
    pub fn frames(&self) -> usize {
        self.runs.iter().map(|r| r.frames.len()).sum()
    }

    /// Whole blocks of `length` frames; a run shorter than one is a block of its own.
    pub fn blocks(&self, length: usize) -> Vec<Block> {
        let mut blocks = Vec::new();
        for (run, r) in self.runs.iter().enumerate() {
            let mut edges = vec![0];
            edges.extend(r.breaks.iter().copied());
            edges.push(r.frames.len());
            for piece in edges.windows(2) {
                let whole = (piece[1] - piece[0]) / length.max(1);
                for k in 0..whole {
                    let first = piece[0] + k * length;
                    blocks.push(Block {
                        run,
                        frames: first..first + length,
                    });
                }
                if whole == 0 && piece[1] > piece[0] {
                    blocks.push(Block {
                        run,
                        frames: piece[0]..piece[1],
                    });
                }
            }
        }
        blocks
    }

    /// The frames of a block.
    pub fn of<'a>(&'a self, block: &Block) -> Vec<&'a [f32]> {
        let frames = self.runs.get(block.run).map(|r| &r.frames);
        frames
            .and_then(|f| f.get(block.frames.clone()))
            .map(|f| f.iter().map(|v| &v[..]).collect())
            .unwrap_or_default()
    }

    /// All frames, run by run.
    pub fn all(&self) -> impl Iterator<Item = &[f32]> {
        self.runs
            .iter()
            .flat_map(|r| r.frames.iter().map(|f| &f[..]))
    }

    /// Every so manieth frame, so that at most `most` are left.
    pub fn thinned(&self, most: usize) -> Vec<&[f32]> {
        let every = self.frames().div_ceil(most.max(1)).max(1);
        self.all().step_by(every).collect()
    }

    /// The sample without the mean of each calendar month (of all its runs); as it is, without dates.
    pub fn anomalies(&self) -> Self {
        let mut out = self.clone();
        let cells = self.all().next().map_or(0, <[f32]>::len);
        if self.runs.iter().all(|r| r.months.is_empty()) {
            return out;
        }
        let mut monthly = MonthlyMeans::new(cells);
        for run in &self.runs {
            for (frame, month) in run.frames.iter().zip(&run.months) {
                monthly.push(frame, *month);
            }
        }
        let means = monthly.means();
        for run in &mut out.runs {
            for (frame, month) in run.frames.iter_mut().zip(&run.months) {
                if let Some(mean) = means.get(*month) {
                    *frame = frame.iter().zip(mean).map(|(v, m)| v - m).collect();
                }
            }
        }
        out
    }

    /// Anomalies divided by their standard deviation in each cell and multiplied by the root of its weight: the
    /// autocorrelation of all cells pooled is then the weighted mean of the cells' own.
    pub fn standardised(&self, weights: Weights<'_>) -> Self {
        let mut out = self.anomalies();
        let cells = out.all().next().map_or(0, <[f32]>::len);
        let mut square = vec![0.0f64; cells];
        for frame in out.all() {
            for (s, a) in square.iter_mut().zip(frame) {
                *s += f64::from(*a).powi(2);
            }
        }
        let n = out.frames() as f64;
        let factor: Vec<f32> = square
            .iter()
            .enumerate()
            .map(|(cell, s)| match (s / n).sqrt() {
                std if std > 1e-9 => (weights.of(cell).max(0.0).sqrt() / std) as f32,
                _ => 0.0,
            })
            .collect();
        for frame in out.runs.iter_mut().flat_map(|r| &mut r.frames) {
            *frame = frame.iter().zip(&factor).map(|(v, f)| v * f).collect();
        }
        out
    }

    /// The frames of each piece without a break, run by run.
    pub fn pieces(&self) -> Vec<Vec<&[f32]>> {
        let whole = self.blocks(usize::MAX);
        whole.iter().map(|b| self.of(b)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(n: usize, breaks: Vec<usize>) -> Run {
        Run {
            frames: (0..n)
                .map(|i| Arc::from([i as f32, -2.0 * i as f32]))
                .collect(),
            months: (0..n).map(|i| i % 12).collect(),
            breaks,
        }
    }

    #[test]
    fn blocks_do_not_cross_breaks() {
        let sample = Sample {
            method: Method::TRUTH,
            runs: vec![run(25, vec![12]), run(4, vec![])],
            ended: None,
        };
        let found: Vec<_> = sample
            .blocks(6)
            .into_iter()
            .map(|b| (b.run, b.frames))
            .collect();
        assert_eq!(
            found,
            [(0, 0..6), (0, 6..12), (0, 12..18), (0, 18..24), (1, 0..4)]
        );
        assert_eq!(sample.thinned(10).len(), 10);
    }

    #[test]
    fn anomalies_have_no_monthly_mean_and_unit_variance() {
        let sample = Sample {
            method: Method::TRUTH,
            runs: vec![run(48, vec![])],
            ended: None,
        }
        .standardised(Weights::EVEN);
        let frames = &sample.runs[0].frames;
        for cell in 0..2 {
            let variance: f32 = frames.iter().map(|f| f[cell].powi(2)).sum::<f32>() / 48.0;
            assert!((variance - 1.0).abs() < 1e-4);
            let january: f32 = (0..4).map(|y| frames[12 * y][cell]).sum();
            assert!(january.abs() < 1e-4);
        }
    }
}
