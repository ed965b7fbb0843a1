//! Positive and negative pairs for a discriminator, importance-sampled in time (Hess et al. 2025).

use super::augment::append_crop;
use super::dataset::{Dataset, Draw, Part, pick};
use crate::random::{NoiseKey, Stream};

/// Which candidates are shown as false successors.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PairSettings {
    /// A false successor of frame n is frame `n + l`, `l = round(N(1, sigma_step))`, `l != 1`.
    pub sigma_step: f64,
    /// Share of false successors that are any frame of any training run instead. With random frames only, the optimal
    /// logit's gradient at strength 1 is exactly what turns the image score into the score of the next frame.
    pub random_share: f64,
    /// Side of the square window cut out of all frames of a pair; `None` = whole frames.
    pub crop: Option<usize>,
    /// Share of the batches that are cropped.
    pub crop_share: f64,
}

impl Default for PairSettings {
    fn default() -> Self {
        Self {
            sigma_step: 2.0,
            random_share: 0.5,
            crop: None,
            crop_share: 1.0,
        }
    }
}

/// A batch of pairs; every array is normalised and row-major, `H` and `W` are the crop's or the grid's.
#[derive(Debug, Clone, PartialEq)]
pub struct PairBatch {
    /// Clean past, `[batch, past, H, W]`, newest first (`x_n`, `x_{n-1}`, …).
    pub history: Vec<f32>,
    /// True successors `x_{n+1}`, `[batch, 1, H, W]`.
    pub positive: Vec<f32>,
    /// False successors, `[batch, 1, H, W]`.
    pub negative: Vec<f32>,
    /// Lag `l` of each false successor; `None` where it is a random frame.
    pub lags: Vec<Option<i64>>,
    /// Rows and columns.
    pub shape: (usize, usize),
}

/// Draws of a lag before giving up on one that stays inside the run; then the last frame itself is the candidate.
const ATTEMPTS: usize = 32;

impl Dataset {
    /// Random pairs of training frames. A pure function of the seed and `step`; empty where a run is too short for
    /// `past + 1` frames.
    pub fn batch_pairs(
        &self,
        step: u32,
        batch: usize,
        past: usize,
        settings: &PairSettings,
        augment: bool,
    ) -> PairBatch {
        let (ny, nx) = (self.grid().ny, self.grid().nx);
        let crop = settings
            .crop
            .filter(|&c| c > 0 && (c < ny || c < nx))
            .filter(|_| {
                settings.crop_share >= 1.0
                    || self.draw(Draw::Crops, step, 1)[0] < settings.crop_share
            });
        let mut pairs = PairBatch {
            history: Vec::new(),
            positive: Vec::new(),
            negative: Vec::new(),
            lags: Vec::new(),
            shape: crop.map_or((ny, nx), |c| (c, c)),
        };
        let past = past.max(1);
        if past + 1 > self.frames() {
            return pairs;
        }
        let runs = self.runs(Part::Training);
        let mut normals = vec![0.0; ATTEMPTS * batch];
        NoiseKey {
            seed: self.seed(),
            stream: Stream::Training,
            member: Draw::PairLags as u32,
            frame: step,
            step: 0,
        }
        .normal_f64(&mut normals);
        let uniform = self.draw(Draw::Pairs, step, 11 * batch);
        let mut whole = Vec::new();
        for (u, normals) in uniform.chunks_exact(11).zip(normals.chunks_exact(ATTEMPTS)) {
            let run = pick(u[0], runs.clone());
            let next = pick(u[1], past..self.frames());
            let (false_run, false_frame, lag) = if u[2] < settings.random_share {
                let other = (pick(u[3], runs.clone()), pick(u[4], 0..self.frames()));
                // The true successor would be a wrong label.
                if other == (run, next) {
                    (run, next - 1, Some(0))
                } else {
                    (other.0, other.1, None)
                }
            } else {
                let lag = lag(normals, settings.sigma_step, next, self.frames());
                (run, (next as i64 - 1 + lag) as usize, Some(lag))
            };
            let symmetry = self.symmetry(augment, [u[5], u[6], u[7], u[8]]);
            // No window reaches across a pole.
            let lowest = match crop {
                Some(size) if self.is_globe() => ny.saturating_sub(size) + 1,
                _ => ny,
            };
            let corner = (pick(u[9], 0..lowest), pick(u[10], 0..nx));
            let mut append = |run: usize, frame: usize, out: &mut Vec<f32>| match crop {
                None => self.append(run, frame, symmetry, out),
                Some(size) => {
                    whole.clear();
                    self.append(run, frame, symmetry, &mut whole);
                    append_crop(&whole, (ny, nx), size, corner, out);
                }
            };
            for back in 1..=past {
                append(run, next - back, &mut pairs.history);
            }
            append(run, next, &mut pairs.positive);
            append(false_run, false_frame, &mut pairs.negative);
            pairs.lags.push(lag);
        }
        pairs
    }
}

/// The first drawn lag other than 1 that stays inside the run; 0 (the last frame itself) if there is none.
fn lag(normals: &[f64], sigma_step: f64, next: usize, frames: usize) -> i64 {
    normals
        .iter()
        .map(|z| (1.0 + sigma_step * z).round() as i64)
        .find(|&l| l != 1 && (0..frames as i64).contains(&(next as i64 - 1 + l)))
        .unwrap_or(0)
}
