//! The paper's sanity case: a sine of fixed amplitude and unknown phase that travels, with fresh noise in each cell.
//!
//! `u = cos(k x - theta_n) + noise`, `theta_{n+1} = theta_n + omega`: the picture alone does not tell the speed, and where
//! the wave may go either way only two frames tell which.

use serde::{Deserialize, Serialize};

use super::{SIDE, within};
use crate::error::{Result, UserError};

/// Amplitude in normalised units: without noise the standard deviation is 0.5.
pub(super) const AMPLITUDE: f64 = std::f64::consts::FRAC_1_SQRT_2;

/// Which way the wave goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Along its wave vector.
    Forward,
    /// Against it.
    Backward,
    /// Either, one way for a whole run; the discriminator has to find out.
    Either,
}

impl Way {
    /// The ways that are possible, as signs.
    pub fn signs(self) -> &'static [f64] {
        match self {
            Self::Forward => &[1.0],
            Self::Backward => &[-1.0],
            Self::Either => &[1.0, -1.0],
        }
    }
}

/// Parameters of the travelling wave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TravellingWave {
    /// Wave lengths across the box.
    pub across: u32,
    /// Wave lengths up the box.
    pub up: u32,
    /// Cells a frame, along the wave vector.
    pub speed: f32,
    /// Which way.
    pub way: Way,
    /// Standard deviation of the noise in each cell, over the amplitude.
    pub noise: f32,
}

impl Default for TravellingWave {
    fn default() -> Self {
        Self {
            across: 2,
            up: 1,
            speed: 3.0,
            way: Way::Forward,
            noise: 0.1,
        }
    }
}

impl TravellingWave {
    /// Largest number of wave lengths in each direction.
    pub const MOST: u32 = 6;

    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the value and its range.
    pub fn validate(&self) -> Result<()> {
        if self.across > Self::MOST || self.up > Self::MOST || self.across + self.up == 0 {
            return Err(UserError::new(
                format!(
                    "There is no wave of {} x {} wave lengths",
                    self.across, self.up
                ),
                format!("each is from 0 to {}, and not both are 0", Self::MOST),
                "choose wave numbers in that range",
            ));
        }
        within("the speed of the wave", self.speed, 0.0, 6.0)?;
        within("the noise of the wave", self.noise, 0.02, 1.0)
    }

    /// Phase that the wave gains in a frame when it goes forward, radians.
    pub fn omega(&self) -> f64 {
        let k = f64::from(self.across).hypot(f64::from(self.up));
        std::f64::consts::TAU * k / SIDE as f64 * f64::from(self.speed)
    }

    /// Standard deviation of the noise, normalised units.
    pub(super) fn epsilon(&self) -> f64 {
        f64::from(self.noise) * AMPLITUDE
    }

    /// The two functions that a wave is made of, orthonormal on the grid, `[2][SIDE * SIDE]`.
    pub(super) fn functions(&self) -> [Vec<f32>; 2] {
        let norm = std::f64::consts::SQRT_2 / SIDE as f64;
        let of = |wave: fn(f64) -> f64| {
            (0..SIDE * SIDE)
                .map(|i| {
                    let turns =
                        (self.across as usize * (i % SIDE) + self.up as usize * (i / SIDE)) % SIDE;
                    (norm * wave(std::f64::consts::TAU * turns as f64 / SIDE as f64)) as f32
                })
                .collect()
        };
        [of(f64::cos), of(f64::sin)]
    }

    /// Length of the wave's coefficient pair: the amplitude on the orthonormal functions.
    pub(super) fn radius() -> f64 {
        AMPLITUDE * SIDE as f64 * std::f64::consts::FRAC_1_SQRT_2
    }
}
