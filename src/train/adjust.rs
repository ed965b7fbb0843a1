//! Correction of the marginal law of rain, from rollouts on the validation days.
//!
//! A denoiser of finite training makes tails a little too heavy, and on the way back to amounts a cube enlarges that. A
//! short guided rollout tells which transformed amounts the model shows how often, the days which ones it should; the map
//! from quantile to quantile is kept in the card. It acts where amounts leave the model and, inverted, where they come
//! back as history: the rollout itself goes on in the model's own law, so one pass is enough.
//!
//! What is left of the zonal mean is a bias of the forecast that the year's rollout shows in every member alike: each row
//! has a factor for it, fitted in turn with the quantiles and applied and inverted at the same place.

use std::ops::ControlFlow;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};

use crate::data::dataset::{Dataset, NORMALISED_STD, Part};
use crate::data::{Amounts, Normaliser};
use crate::diffusion::sampler::{Sampler, StepContext, Wanted};
use crate::diffusion::{Context, Denoise, Discriminate, to_vec};
use crate::error::{Result, UserError};
use crate::random::{NoiseKey, Stream};
use crate::rollout::engine::HISTORY;
use crate::rollout::settings::{GuidanceSettings, SamplerSettings};

/// Members of the rollout; each starts in another stretch of the validation days, at the same day of the year.
const MEMBERS: usize = 4;
/// Days that it runs before it counts, and that count: a whole year.
const SPIN_UP: usize = 20;
/// See [`SPIN_UP`].
const DAYS: usize = 365;
/// Rounds in which quantiles and rows are fitted in turn.
const ROUNDS: usize = 4;
/// Smallest and largest factor of a row.
const FACTORS: [f64; 2] = [0.5, 2.0];
/// Ranks at which the laws are matched: close where the tail bends.
const RANKS: [f64; 22] = [
    0.30, 0.35, 0.40, 0.45, 0.50, 0.55, 0.60, 0.65, 0.70, 0.75, 0.80, 0.85, 0.90, 0.93, 0.95, 0.97,
    0.98, 0.99, 0.995, 0.998, 0.999, 0.9995,
];

/// A model whose amounts are corrected.
pub struct Adjustment<'a> {
    /// The image model.
    pub denoiser: &'a dyn Denoise,
    /// The discriminator that guides.
    pub discriminator: &'a dyn Discriminate,
    /// Days, normalised.
    pub data: &'a Dataset,
    /// The normalisation without correction.
    pub amounts: &'a Amounts,
    /// Guidance strength of the rollout.
    pub strength: f32,
    /// Whether the tower is told the day of the year.
    pub told: bool,
    /// Sampler of the rollout.
    pub sampler: SamplerSettings,
    /// Where to compute.
    pub device: &'a Device,
}

impl Adjustment<'_> {
    /// The pairs of transformed amounts, and the factor of each row. `progress(done, total)` may stop it.
    ///
    /// # Errors
    /// A rollout that is not finite, or a stop.
    pub fn fit(
        &self,
        seed: u64,
        progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<(Vec<[f32; 2]>, Vec<f32>)> {
        let truth = self.truth();
        let mut amounts = self.amounts.clone();
        let made = self.roll(&amounts, seed, &mut |day| progress(day, SPIN_UP + DAYS))?;
        let sorted = |mut v: Vec<f32>| {
            v.sort_unstable_by(f32::total_cmp);
            v
        };
        let ordered = sorted(made.clone());
        let wanted = self.row_means(&amounts, &truth);
        amounts.rows = vec![1.0; self.data.grid().ny];
        for _ in 0..ROUNDS {
            // The quantiles aim at truth before the rows' factors, the factors at truth after the quantiles.
            amounts.adjust = matched(&ordered, &sorted(self.unscaled(&amounts.rows, &truth)));
            let shown = Amounts {
                rows: Vec::new(),
                ..amounts.clone()
            };
            let got = self.row_means(&shown, &made);
            amounts.rows = wanted
                .iter()
                .zip(got)
                .map(|(want, got)| (want / got.max(1e-9)).clamp(FACTORS[0], FACTORS[1]) as f32)
                .collect();
        }
        amounts.validate(self.data.grid().len())?;
        Ok((amounts.adjust, amounts.rows))
    }

    /// Mean amount of each row, mm/day, over frames of transformed amounts.
    fn row_means(&self, amounts: &Amounts, transformed: &[f32]) -> Vec<f64> {
        let (grid, cells) = (self.data.grid(), self.data.grid().len());
        let mut sums = vec![0.0; grid.ny];
        for frame in transformed.chunks_exact(cells) {
            for (row, sum) in frame.chunks_exact(grid.nx).zip(&mut sums) {
                let amount = |&y: &f32| amounts.transform.inverse(amounts.adjusted(f64::from(y)));
                *sum += row.iter().map(amount).sum::<f64>();
            }
        }
        let count = (transformed.len() / cells.max(1) * grid.nx).max(1) as f64;
        sums.into_iter().map(|s| s / count).collect()
    }

    /// Frames of transformed amounts, every amount divided by its row's factor.
    fn unscaled(&self, rows: &[f32], transformed: &[f32]) -> Vec<f32> {
        let t = self.amounts.transform;
        let nx = self.data.grid().nx;
        let factors = rows.iter().cycle();
        transformed
            .chunks_exact(nx)
            .zip(factors)
            .flat_map(|(row, &f)| {
                let one = move |&y: &f32| t.forward(t.inverse(f64::from(y)) / f64::from(f)) as f32;
                row.iter().map(one)
            })
            .collect()
    }

    /// Transformed amounts of some of the validation days.
    fn truth(&self) -> Vec<f32> {
        let mut all = Vec::new();
        for run in self.data.runs(Part::Validation) {
            for day in (0..self.data.frames()).step_by(5) {
                self.transformed(self.data.frame(run, day).unwrap_or(&[]), &mut all);
            }
        }
        all
    }

    /// Transformed amounts of normalised values, not below 0.
    fn transformed(&self, normalised: &[f32], out: &mut Vec<f32>) {
        let cells = self.amounts.mean.iter().zip(&self.amounts.std);
        out.extend(
            normalised
                .iter()
                .zip(cells)
                .map(|(z, (m, s))| (z / NORMALISED_STD as f32 * s + m).max(0.0)),
        );
    }

    /// Transformed amounts of a guided rollout, day after day.
    fn roll(
        &self,
        amounts: &Amounts,
        seed: u64,
        progress: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Vec<f32>> {
        let normaliser = Normaliser::Amounts(Arc::new(amounts.clone()));
        let (grid, cells) = (self.data.grid(), self.data.grid().len());
        let runs: Vec<usize> = self.data.runs(Part::Validation).collect();
        let mut history: Vec<Vec<Vec<f32>>> = (0..MEMBERS)
            .map(|member| {
                let run = runs[member * runs.len() / MEMBERS];
                (0..HISTORY)
                    .rev()
                    .map(|day| self.data.frame(run, day).unwrap_or(&[]).to_vec())
                    .collect()
            })
            .collect();
        let tensor = |values: Vec<f32>, channels: usize| {
            Tensor::<4>::from_data(
                TensorData::new(values, [MEMBERS, channels, grid.ny, grid.nx]),
                self.device,
            )
        };
        let guidance = GuidanceSettings {
            strength: self.strength,
            ..GuidanceSettings::default()
        };
        // The stretches are as long as a year, so that all begin at about the same day of it.
        let first = runs.first().and_then(|&run| self.data.season(run, 0));
        let mut made = Vec::with_capacity(DAYS * MEMBERS * cells);
        for day in 0..SPIN_UP + DAYS {
            let past = history.iter().flatten().flatten().copied().collect();
            let context = Context {
                m: HISTORY - 1,
                season: first
                    .filter(|_| self.told)
                    .map(|s| (s + (HISTORY + day) as f64 / DAYS as f64).fract()),
                belief: None,
            };
            let conditioned = self
                .discriminator
                .condition(&tensor(past, HISTORY), context);
            let noise = |step: usize| {
                let key = |member| NoiseKey {
                    seed,
                    stream: Stream::Calibration,
                    member: 0x1000 + member as u32,
                    frame: day as u32,
                    step: step as u16,
                };
                let values = (0..MEMBERS)
                    .flat_map(|m| key(m).normal_f32(cells))
                    .collect();
                tensor(values, 1)
            };
            let mut sampler = Sampler::new(&self.sampler, noise(0), None);
            while !sampler.is_done() {
                sampler.step(&StepContext {
                    denoiser: self.denoiser,
                    discriminator: Some(conditioned.as_ref()),
                    guidance: &guidance,
                    strengths: &[self.strength; MEMBERS],
                    flow: None,
                    noise: &|i| noise(i + 1),
                    wanted: Wanted::Nothing,
                });
            }
            let values = to_vec(sampler.state().clone());
            if values.iter().any(|v| !v.is_finite()) {
                return Err(stopped("the rollout left the finite numbers"));
            }
            for (frame, history) in values.chunks_exact(cells).zip(&mut history) {
                if day >= SPIN_UP {
                    self.transformed(frame, &mut made);
                }
                let mut back = Vec::with_capacity(cells);
                normaliser.normalise(&normaliser.physical(frame).0, &mut back);
                history.insert(0, back);
                history.truncate(HISTORY);
            }
            if progress(day + 1).is_break() {
                return Err(stopped("it was stopped"));
            }
        }
        Ok(made)
    }
}

fn stopped(cause: &str) -> UserError {
    UserError::new(
        "Cannot fit the law of the amounts",
        cause,
        "train the networks longer, or start the command again",
    )
}

/// Pairs of equal rank of two sorted samples, ascending.
fn matched(made: &[f32], truth: &[f32]) -> Vec<[f32; 2]> {
    let at = |v: &[f32], rank: f64| {
        let i = (rank * v.len().saturating_sub(1) as f64).round() as usize;
        v.get(i).copied().unwrap_or(0.0)
    };
    let mut pairs: Vec<[f32; 2]> = vec![[0.0, 0.0]];
    for rank in RANKS {
        let (from, to) = (at(made, rank), at(truth, rank));
        let last = pairs[pairs.len() - 1];
        // Where both are dry there is nothing to match.
        if from > last[0] + 1e-3 {
            pairs.push([from, to.max(last[1])]);
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::matched;

    #[test]
    fn equal_ranks_are_paired() {
        let truth: Vec<f32> = (0..1000)
            .map(|i| (i as f32 / 100.0 - 4.0).max(0.0))
            .collect();
        let made: Vec<f32> = truth.iter().map(|v| v * 1.2).collect();
        let pairs = matched(&made, &truth);
        assert_eq!(pairs[0], [0.0, 0.0]);
        assert!(pairs.len() > 10);
        for [from, to] in pairs {
            assert!((from - 1.2 * to).abs() < 1e-4, "{from} {to}");
        }
    }

    #[test]
    fn a_model_with_too_little_dry_area_is_dried() {
        let truth = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0];
        let made = vec![0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1.0, 2.0, 3.0];
        let pairs = matched(&made, &truth);
        assert!(
            pairs
                .windows(2)
                .all(|w| w[0][0] < w[1][0] && w[0][1] <= w[1][1])
        );
        assert!(pairs.iter().any(|p| p[0] > 0.3 && p[1] == 0.0), "{pairs:?}");
    }
}
