//! Small worlds with known statistics: what a study trains on.
//!
//! Each makes frames on a periodic square grid whose law in time is known in closed form (or, for the flow, from the
//! solver), so that a rollout can be held against the truth and not only against other rollouts. The tests of each file
//! hold its frames against the formulas in its documentation.

pub mod flow;
pub mod star;
pub mod volatility;
pub mod wave;

use serde::{Deserialize, Serialize};

use crate::data::{Dataset, Normalisation, Series, Symmetries};
use crate::diffusion::gaussian::GaussianWorld;
use crate::error::{Result, UserError};
use crate::field::Grid;
use crate::random::{NoiseKey, Stream};
use crate::study::{Halt, Outcome};

pub use flow::Flow;
pub use star::Star;
pub use volatility::Volatility;
pub use wave::Wave;

/// A world by name, with its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum World {
    /// A travelling wave.
    Wave(Wave),
    /// Gaussian fields, an AR(1) process in every wavenumber ([`crate::diffusion::gaussian`]).
    Gaussian,
    /// A rotating star with spots.
    Star(Star),
    /// Returns with stochastic volatility.
    Volatility(Volatility),
    /// Two-dimensional turbulence.
    Flow(Flow),
}

/// How much of a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amount {
    /// Independent runs.
    pub runs: usize,
    /// The last so many of them are kept from training.
    pub validation_runs: usize,
    /// Frames of each.
    pub frames: usize,
}

impl World {
    /// Checks the numbers.
    ///
    /// # Errors
    /// Names the number.
    pub fn validate(&self) -> Result<()> {
        match self {
            Self::Wave(w) => w.validate(),
            Self::Gaussian => Ok(()),
            Self::Star(s) => s.validate(),
            Self::Volatility(v) => v.validate(),
            Self::Flow(f) => f.validate(),
        }
    }

    /// Short name for files and tables.
    pub fn name(&self) -> String {
        match self {
            Self::Wave(w) => format!("wave-{}", w.name()),
            Self::Gaussian => "gaussian".into(),
            Self::Star(_) => "star".into(),
            Self::Volatility(_) => "volatility".into(),
            Self::Flow(f) => format!("flow-{}", f.steps_per_frame),
        }
    }

    /// What leaves the law of the world as it is.
    pub fn symmetries(&self) -> Symmetries {
        match self {
            Self::Wave(_) | Self::Star(_) => Symmetries::Shifts,
            _ => Symmetries::All,
        }
    }

    /// Frames on an `n` x `n` grid.
    ///
    /// # Errors
    /// A stop, or a size that the world cannot have.
    pub fn series(
        &self,
        n: usize,
        amount: Amount,
        seed: u64,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Outcome<Series> {
        match self {
            Self::Flow(f) => return f.series(n, amount, seed, stop),
            Self::Gaussian => return gaussian(n, amount, seed, stop),
            _ => {}
        }
        let mut series = Series::zeros(Grid::periodic(n), amount.runs, amount.frames, 1.0)?;
        let size = amount.frames * n * n;
        for (run, values) in series.values.chunks_exact_mut(size.max(1)).enumerate() {
            if stop() {
                return Err(Halt::Stopped);
            }
            let run = run as u32;
            match self {
                Self::Wave(w) => w.fill(values, n, seed, run),
                Self::Star(s) => s.fill(values, n, seed, run),
                Self::Volatility(v) => v.fill(values, n, seed, run),
                Self::Flow(_) | Self::Gaussian => {}
            }
        }
        Ok(series)
    }

    /// The same, normalised and split for training. The scale is that of the training runs, or is given;
    /// the Gaussian world keeps its own, in which its exact networks are written.
    ///
    /// # Errors
    /// As [`Self::series`], or runs that cannot be split.
    pub fn dataset(
        &self,
        n: usize,
        amount: Amount,
        seed: u64,
        scale: Option<Normalisation>,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Outcome<Dataset> {
        let series = self.series(n, amount, seed, stop)?;
        let scale = match self {
            Self::Gaussian => Some(Normalisation { scale: 1.0 }),
            _ => scale,
        };
        let data = Dataset::new(series, amount.validation_runs, scale, seed)?;
        Ok(data.with_symmetries(self.symmetries()))
    }
}

fn gaussian(
    n: usize,
    amount: Amount,
    seed: u64,
    stop: &(dyn Fn() -> bool + Sync),
) -> Outcome<Series> {
    let device = burn::tensor::Device::flex();
    let world = GaussianWorld::new(n, &device);
    let mut series = Series::zeros(Grid::periodic(n), amount.runs, amount.frames, 1.0)?;
    let cells = n * n;
    let (groups, spare) = (world.shells.groups().to_vec(), world.innovation());
    for (run, values) in series
        .values
        .chunks_exact_mut((amount.frames * cells).max(1))
        .enumerate()
    {
        if stop() {
            return Err(Halt::Stopped);
        }
        let mut state = vec![0.0f32; cells];
        for (frame, slot) in values.chunks_exact_mut(cells).enumerate() {
            let z = noise(seed, run as u32, frame as u32, 0, cells);
            for ((x, z), &g) in state.iter_mut().zip(z).zip(&groups) {
                *x = match frame {
                    0 => world.power[g].sqrt() * z as f32,
                    _ => world.phi[g] * *x + spare[g].sqrt() * z as f32,
                };
            }
            let spectral = burn::tensor::TensorData::new(state.clone(), [1, 1, n, n]);
            let field = world.transform(burn::tensor::Tensor::from_data(spectral, &device));
            slot.copy_from_slice(&crate::diffusion::to_vec(field));
        }
    }
    Ok(series)
}

/// Standard normal numbers of one frame of one run; `what` tells several draws apart.
fn noise(seed: u64, run: u32, frame: u32, what: u16, count: usize) -> Vec<f64> {
    let mut out = vec![0.0; count];
    key(seed, run, frame, what).normal_f64(&mut out);
    out
}

/// Uniform numbers, as [`noise`].
fn uniform(seed: u64, run: u32, frame: u32, what: u16, count: usize) -> Vec<f64> {
    key(seed, run, frame, what).uniform(count)
}

fn key(seed: u64, run: u32, frame: u32, what: u16) -> NoiseKey {
    NoiseKey {
        seed,
        stream: Stream::Forcing,
        member: run,
        frame,
        step: what,
    }
}

/// Refuses a world whose numbers do not fit.
fn check(fits: bool, what: &str) -> Result<()> {
    if fits {
        return Ok(());
    }
    Err(UserError::new(
        "The world of the study cannot be made",
        what,
        "correct the study's file, or begin with a copy of the shipped one",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::pooled_acf;

    pub(super) fn members(series: &Series) -> Vec<Vec<&[f32]>> {
        (0..series.members)
            .map(|m| series.member_frames(m).collect())
            .collect()
    }

    /// The autocorrelation of an AR(1) field is `sum_k C_k phi_k^j / sum_k C_k`.
    #[test]
    fn gaussian_fields_have_the_autocorrelation_of_their_law() {
        let amount = Amount {
            runs: 8,
            validation_runs: 0,
            frames: 400,
        };
        let n = 16;
        let series = World::Gaussian.series(n, amount, 3, &|| false).unwrap();
        let found = pooled_acf(&members(&series), 6).unwrap();
        let world = GaussianWorld::new(n, &burn::tensor::Device::flex());
        let sum = |lag: i32| -> f64 {
            world
                .shells
                .groups()
                .iter()
                .map(|&g| f64::from(world.power[g] * world.phi[g].powi(lag)))
                .sum()
        };
        for (lag, found) in found.iter().enumerate() {
            let exact = sum(lag as i32) / sum(0);
            assert!((found - exact).abs() < 0.02, "lag {lag}: {found} {exact}");
        }
        let power: f64 = series.values.iter().map(|v| f64::from(*v).powi(2)).sum();
        let std = (power / series.values.len() as f64).sqrt();
        assert!((std - 0.5).abs() < 0.01, "{std}");
    }

    #[test]
    fn the_same_seed_makes_the_same_frames_and_another_seed_others() {
        let amount = Amount {
            runs: 2,
            validation_runs: 0,
            frames: 3,
        };
        let worlds = [
            World::Wave(Wave::default()),
            World::Gaussian,
            World::Star(Star::default()),
            World::Volatility(Volatility::default()),
        ];
        for world in worlds {
            let make = |seed| world.series(16, amount, seed, &|| false).unwrap().values;
            assert_eq!(make(1), make(1), "{}", world.name());
            assert_ne!(make(1), make(2), "{}", world.name());
            assert!(make(1).iter().all(|v| v.is_finite()));
            assert!(matches!(
                world.series(16, amount, 1, &|| true),
                Err(Halt::Stopped)
            ));
        }
    }
}
