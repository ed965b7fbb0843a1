//! Worlds whose score and discriminator are known in closed form, as models without weights.
//!
//! In them learned and exact guidance can be told apart, and a discriminator that believes something false can be
//! watched: what it believes ([`Belief`]) is set beside what is true.
//!
//! | file | what is in it |
//! |---|---|
//! | `gaussian_process` | fields of a given spectrum that follow an AR(2) law in time and drift |
//! | `travelling_wave` | a sine of fixed amplitude that travels, with noise in each cell |
//! | `gaussian_law`, `wave_law` | image model, discriminator and truth of each |
//! | `given` | the exact law of the next frame, as a video model |
//! | `bands` | what truth looks like: figures and their bands |
//! | `circle` | von Mises laws |
//!
//! Frames are `SIDE` x `SIDE`, doubly periodic; normalised units have a standard deviation of 0.5, as everywhere.

mod bands;
pub mod circle;
mod gaussian_law;
pub mod gaussian_process;
mod given;
pub mod travelling_wave;
mod wave_law;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::diffusion::{Control, Denoise};
use crate::error::{Result, UserError};

pub use gaussian_process::GaussianProcess;
pub use given::Given;
pub use travelling_wave::{TravellingWave, Way};

/// Points a side.
pub const SIDE: usize = 64;

/// A world and its parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "world", rename_all = "kebab-case")]
pub enum ClosedForm {
    /// A Gaussian process in space and time.
    GaussianProcess(GaussianProcess),
    /// A travelling sine.
    TravellingWave(TravellingWave),
}

/// What a discriminator believes of the world. Acts on the next solver step when changed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Belief {
    /// Lag-1 correlation that it believes in (Gaussian process).
    pub correlation: f32,
    /// Velocity that it believes in, as a multiple of the true one.
    pub velocity: f32,
}

impl Default for Belief {
    fn default() -> Self {
        Self {
            correlation: 0.7,
            velocity: 0.5,
        }
    }
}

impl Belief {
    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the value and its range.
    pub fn validate(&self) -> Result<()> {
        within(
            "the lag-1 correlation that D believes in",
            self.correlation,
            0.0,
            0.995,
        )?;
        within("the velocity that D believes in", self.velocity, -2.0, 2.0)
    }
}

/// What truth looks like; lengths in physical units.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Physical value = normalised value x scale.
    pub scale: f64,
    /// Autocorrelation at lags 0..=10.
    pub acf: Vec<f64>,
    /// Half-width of its band: 5 to 95 % of runs of 100 frames.
    pub acf_spread: Vec<f64>,
    /// Standard deviation.
    pub std: f64,
    /// 5 and 95 % of the std of single frames.
    pub std_band: [f64; 2],
    /// 5 and 95 % of the frame-to-frame rms difference.
    pub rmse_band: [f64; 2],
    /// Dynamics skill of the best forecast from the last frame.
    pub dynamics_skill: f64,
    /// Rms of what that forecast misses, divided by std.
    pub residual: f64,
    /// Kurtosis of the values.
    pub kurtosis: f64,
    /// Mean power of each wavenumber shell.
    pub spectrum: Vec<f64>,
    /// Strength above which exact guidance blows up.
    pub usable_strength: f32,
}

/// Truth, frame after frame, normalised units.
pub trait Process {
    /// The first frames of a member, oldest first.
    fn start(&self, seed: u64, member: u32, count: usize) -> Vec<Vec<f32>>;

    /// Frame number `frame`, given the last ones (newest first): a pure function of its arguments.
    fn next(&self, seed: u64, member: u32, frame: usize, history: &[Vec<f32>]) -> Vec<f32>;

    /// The mean of the next frame given the last one.
    fn forecast(&self, last: &[f32]) -> Vec<f32>;

    /// Whether truth can go on from given frames.
    fn goes_on_from_files(&self) -> bool;
}

/// A world on a device.
pub struct Exact {
    /// The image model.
    pub denoiser: Box<dyn Denoise>,
    /// The discriminator.
    pub discriminator: Box<dyn Control>,
    /// Truth.
    pub process: Box<dyn Process>,
}

impl ClosedForm {
    /// Names of the worlds, as models are opened by.
    pub const NAMES: [&'static str; 2] = ["gaussian-process", "travelling-wave"];

    /// The world of that name with its usual parameters.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "gaussian-process" => Some(Self::GaussianProcess(GaussianProcess::default())),
            "travelling-wave" => Some(Self::TravellingWave(TravellingWave::default())),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::GaussianProcess(_) => Self::NAMES[0],
            Self::TravellingWave(_) => Self::NAMES[1],
        }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// Names the value and its range.
    pub fn validate(&self) -> Result<()> {
        match self {
            Self::GaussianProcess(p) => p.validate(),
            Self::TravellingWave(p) => p.validate(),
        }
    }

    /// What is known of it.
    pub fn known(&self) -> Known {
        match self {
            Self::GaussianProcess(p) => bands::gaussian(p),
            Self::TravellingWave(p) => bands::wave(p),
        }
    }

    /// Puts it on a device.
    ///
    /// # Errors
    /// Parameters out of range.
    pub fn on(&self, device: &Device) -> Result<Exact> {
        self.validate()?;
        match self {
            Self::GaussianProcess(p) => gaussian_law::exact(p, device),
            Self::TravellingWave(p) => Ok(wave_law::exact(p, device)),
        }
    }
}

/// Refuses a value out of its range.
fn within(name: &str, value: f32, lo: f32, hi: f32) -> Result<()> {
    if value.is_finite() && (lo..=hi).contains(&value) {
        return Ok(());
    }
    Err(UserError::new(
        format!("{name} cannot be {value}"),
        format!("it must be a number from {lo} to {hi}"),
        "choose a value in that range",
    ))
}
