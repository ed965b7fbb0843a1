//! What a simulation is made with, and the named presets.

use serde::{Deserialize, Serialize};

use crate::error::{Result, UserError};
use crate::field::Grid;

/// Where in wavenumber space the forcing puts its energy: `exp(-(|k| - wavenumber)^2 / (2 bandwidth^2))`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ring {
    /// Centre of the ring, as an angular wavenumber.
    pub wavenumber: f64,
    /// Width of the ring.
    pub bandwidth: f64,
    /// Energy put in per unit time and area. Exact on average for white forcing; for Ornstein-Uhlenbeck forcing it is
    /// the value in the limit of a short correlation time, because the work then depends on the flow's own memory.
    pub energy_input: f64,
}

/// How the flow is stirred.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Forcing {
    /// Not at all: the flow decays.
    None,
    /// White in time: an independent kick after every step.
    White(Ring),
    /// An Ornstein-Uhlenbeck process for every mode of the ring, held constant during a step.
    OrnsteinUhlenbeck {
        /// Where and how strongly.
        ring: Ring,
        /// Time over which the forcing forgets itself by a factor e.
        correlation_time: f64,
    },
}

impl Forcing {
    /// The ring, if there is forcing.
    pub fn ring(&self) -> Option<Ring> {
        match *self {
            Self::None => None,
            Self::White(ring) | Self::OrnsteinUhlenbeck { ring, .. } => Some(ring),
        }
    }

    /// The same forcing with another energy input; none where it is 0.
    #[must_use]
    pub fn with_energy_input(self, energy_input: f64) -> Self {
        if energy_input == 0.0 {
            return Self::None;
        }
        let scaled = |ring: Ring| Ring {
            energy_input,
            ..ring
        };
        match self {
            Self::None => Self::None,
            Self::White(ring) => Self::White(scaled(ring)),
            Self::OrnsteinUhlenbeck {
                ring,
                correlation_time,
            } => Self::OrnsteinUhlenbeck {
                ring: scaled(ring),
                correlation_time,
            },
        }
    }
}

/// Everything that fixes a simulation but for its seed and its length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Grid points a side; even.
    pub n: usize,
    /// Side of the box.
    pub length: f64,
    /// Coefficient of the hyperviscosity: mode `k` is damped at the rate `nu k^(2 nu_order)`.
    pub nu: f64,
    /// Order of the Laplacian in it: 1 is ordinary viscosity, 2 damps with `k^4`.
    pub nu_order: u32,
    /// Linear drag: every mode is damped at this rate.
    pub mu: f64,
    /// How the flow is stirred.
    pub forcing: Forcing,
    /// Time step.
    pub dt: f64,
    /// Steps between two frames.
    pub steps_per_frame: usize,
    /// Time from the first random state to the first frame.
    pub spinup_time: f64,
}

/// Names that [`Params::preset`] knows.
pub const PRESETS: [&str; 3] = ["vorticity-64", "vorticity-256", "vorticity-256-ou"];

impl Params {
    /// A named set of parameters.
    ///
    /// `vorticity-64` is the world of the shipped model. `vorticity-256` has the numbers of Hess et al. 2025 with
    /// forcing white in time, as in the example of the solver package they name; `vorticity-256-ou` has the
    /// Ornstein-Uhlenbeck forcing that their text names, with a correlation time of 0.1 (the paper gives none).
    ///
    /// # Errors
    /// An unknown name; the error lists those there are.
    pub fn preset(name: &str) -> Result<Self> {
        let small = Self {
            n: 64,
            length: std::f64::consts::TAU,
            nu: 6e-5,
            nu_order: 2,
            mu: 0.1,
            forcing: Forcing::White(Ring {
                wavenumber: 5.0,
                bandwidth: 1.5,
                energy_input: 0.1,
            }),
            dt: 0.032,
            steps_per_frame: 5,
            spinup_time: 20.0,
        };
        let ring = Ring {
            wavenumber: 6.0,
            bandwidth: 1.5,
            energy_input: 0.1,
        };
        let large = Self {
            n: 256,
            nu: 2e-7,
            forcing: Forcing::White(ring),
            dt: 0.005,
            steps_per_frame: 80,
            spinup_time: 20.0,
            ..small.clone()
        };
        match name {
            "vorticity-64" => Ok(small),
            "vorticity-256" => Ok(large),
            "vorticity-256-ou" => Ok(Self {
                forcing: Forcing::OrnsteinUhlenbeck {
                    ring,
                    correlation_time: 0.1,
                },
                ..large
            }),
            _ => Err(UserError::new(
                format!("There is no solver preset named {name}"),
                format!("the presets are {}", PRESETS.join(", ")),
                "Give one of these names",
            )),
        }
    }

    /// Time between two frames.
    pub fn frame_interval(&self) -> f64 {
        self.dt * self.steps_per_frame as f64
    }

    /// Number of steps of the spin-up.
    pub fn spinup_steps(&self) -> usize {
        (self.spinup_time / self.dt).round() as usize
    }

    /// The grid of the fields.
    pub fn grid(&self) -> Grid {
        Grid {
            ny: self.n,
            nx: self.n,
            length: self.length,
        }
    }

    /// Checks every value against its range.
    ///
    /// # Errors
    /// Names the value, its range and what to use instead.
    pub fn validate(&self) -> Result<()> {
        let bad = |name: &str, value: String, cause: &str, remedy: &str| {
            Err(UserError::new(
                format!("{name} of the solver cannot be {value}"),
                cause,
                remedy,
            ))
        };
        if !self.n.is_multiple_of(2) || !(8..=8192).contains(&self.n) {
            return bad(
                "grid size",
                self.n.to_string(),
                "it must be an even number from 8 to 8192",
                "Use 64 or 256, as the presets do",
            );
        }
        if !(1..=16).contains(&self.nu_order) {
            return bad(
                "hyperviscosity order",
                self.nu_order.to_string(),
                "it must be from 1 (ordinary viscosity) to 16",
                "Use 2",
            );
        }
        if !(1..=1_000_000).contains(&self.steps_per_frame) {
            return bad(
                "number of steps per frame",
                self.steps_per_frame.to_string(),
                "it must be at least 1 and at most a million",
                "Use 5, as vorticity-64 does",
            );
        }
        let mut numbers = vec![
            ("length", self.length, true),
            ("time step", self.dt, true),
            ("hyperviscosity", self.nu, false),
            ("drag", self.mu, false),
            ("spin-up time", self.spinup_time, false),
        ];
        if let Some(ring) = self.forcing.ring() {
            numbers.push(("forcing wavenumber", ring.wavenumber, true));
            numbers.push(("forcing bandwidth", ring.bandwidth, true));
            numbers.push(("energy input", ring.energy_input, false));
        }
        if let Forcing::OrnsteinUhlenbeck {
            correlation_time, ..
        } = self.forcing
        {
            numbers.push(("correlation time of the forcing", correlation_time, true));
        }
        for (name, value, positive) in numbers {
            let low = if positive { value > 0.0 } else { value >= 0.0 };
            if !low || !value.is_finite() {
                let cause = if positive {
                    "it must be a number above 0"
                } else {
                    "it must be a number, 0 or more"
                };
                return bad(
                    name,
                    value.to_string(),
                    cause,
                    "Start from a preset and change one value at a time",
                );
            }
        }
        if self.spinup_time / self.dt > 4e9 {
            return bad(
                "spin-up time",
                self.spinup_time.to_string(),
                "it is more than 4 billion steps",
                "Use a spin-up of 20",
            );
        }
        Ok(())
    }
}
