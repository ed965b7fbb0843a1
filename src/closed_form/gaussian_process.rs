//! A Gaussian process in space and time: a Matern spectrum, an AR(2) law for each shell of wavenumbers, a drift.
//!
//! Seen by someone who moves with the drift, the coefficient of a shell follows `x_{n+1} = (r + s) x_n - r s x_{n-1} + z`
//! with the real roots `r` and `s = inertia r`; its lag-1 correlation is `(r + s) / (1 + r s)`. Without inertia that is an
//! AR(1) law, and the last frame tells all that the past can tell; with it the frame before tells where the field is going.

use serde::{Deserialize, Serialize};

use super::{SIDE, within};
use crate::diffusion::basis::Shells;
use crate::error::Result;

/// Normalised variance.
pub(super) const VARIANCE: f64 = 0.25;

/// Parameters of the Gaussian process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GaussianProcess {
    /// Correlation length, cells.
    pub length: f32,
    /// Lag-1 correlation of the field, moving with the drift.
    pub correlation: f32,
    /// How much faster small scales forget: 0 all alike, 1 in proportion to their wavenumber.
    pub small_scales: f32,
    /// Second root of the law over the first; 0 = AR(1).
    pub inertia: f32,
    /// Drift, cells a frame.
    pub speed: f32,
    /// Direction of the drift, degrees from the x axis, counterclockwise.
    pub direction: f32,
}

impl Default for GaussianProcess {
    fn default() -> Self {
        Self {
            length: 4.0,
            correlation: 0.96,
            small_scales: 1.0,
            // Larger roots would carry unrelated frames, those of strength 0, to twice the spread of the data.
            inertia: 0.3,
            speed: 1.0,
            direction: 20.0,
        }
    }
}

/// The law of one shell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ShellLaw {
    /// Power.
    pub power: f64,
    /// Larger root.
    pub r: f64,
    /// Smaller root.
    pub s: f64,
}

impl ShellLaw {
    /// `[phi1, phi2]`.
    pub fn phi(&self) -> [f64; 2] {
        [self.r + self.s, -self.r * self.s]
    }

    /// Autocorrelation at a lag, moving with the drift.
    pub fn rho(&self, lag: usize) -> f64 {
        let (r, s) = (self.r, self.s);
        if r <= 0.0 {
            return if lag == 0 { 1.0 } else { 0.0 };
        }
        let n = lag as i32 + 1;
        let above = r.powi(n) * (1.0 - s * s) - s.powi(n) * (1.0 - r * r);
        above / ((r - s) * (1.0 + r * s))
    }

    /// Power that one frame does not tell, and two frames.
    pub fn unknown(&self) -> [f64; 2] {
        let [a, b] = self.phi();
        let (one, two) = (self.rho(1), self.rho(2));
        [
            self.power * (1.0 - one * one),
            self.power * (1.0 - a * one - b * two),
        ]
    }
}

impl GaussianProcess {
    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the value and its range.
    pub fn validate(&self) -> Result<()> {
        within("the correlation length", self.length, 2.0, 10.0)?;
        within("the lag-1 correlation", self.correlation, 0.0, 0.995)?;
        within(
            "the faster loss of small scales",
            self.small_scales,
            0.0,
            2.0,
        )?;
        within("the inertia", self.inertia, 0.0, 0.9)?;
        within("the speed of the drift", self.speed, 0.0, 6.0)?;
        within("the direction of the drift", self.direction, -180.0, 180.0)
    }

    /// Shells of the grid; what cannot be moved by a fraction of a cell (the Nyquist wavenumber) has no power.
    pub(super) fn shells() -> Shells {
        Shells::new(SIDE, SIDE / 2 - 1)
    }

    /// Velocity, cells a frame, `[x, y]`.
    pub fn velocity(&self) -> [f64; 2] {
        let (sin, cos) = f64::from(self.direction).to_radians().sin_cos();
        [f64::from(self.speed) * cos, f64::from(self.speed) * sin]
    }

    /// Laws of the shell groups when the field's lag-1 correlation is `correlation`.
    pub(super) fn laws(&self, shells: &Shells, correlation: f64) -> Vec<ShellLaw> {
        let half = shells.count() / 2;
        let unit = std::f64::consts::TAU * f64::from(self.length) / SIDE as f64;
        let shape = |g: usize| match g {
            0 => 0.0,
            g if g >= half => 0.0,
            g => (1.0 + (unit * g as f64).powi(2)).powi(-3),
        };
        let sum: f64 = shells.groups().iter().map(|&g| shape(g)).sum();
        let scale = VARIANCE * (SIDE * SIDE) as f64 / sum;
        let share: Vec<f64> = (0..shells.count()).map(|g| shape(g) / sum).collect();
        let falloff = |g: usize| (unit * (g % half) as f64).powf(f64::from(self.small_scales));
        let mean = |rate: f64| -> f64 {
            let of = |&g: &usize| share[g] * (-rate * falloff(g)).exp();
            shells.groups().iter().map(of).sum()
        };
        // The mean falls with the rate.
        let (mut lo, mut hi) = (0.0, 1e4);
        for _ in 0..100 {
            let middle = 0.5 * (lo + hi);
            if mean(middle) > correlation {
                lo = middle;
            } else {
                hi = middle;
            }
        }
        let rate = 0.5 * (lo + hi);
        (0..shells.count())
            .map(|g| {
                let one = (-rate * falloff(g)).exp().min(0.9999);
                let q = f64::from(self.inertia);
                // q one r^2 - (1 + q) r + one = 0
                let r = if q * one < 1e-9 {
                    one
                } else {
                    let p = 1.0 + q;
                    (p - (p * p - 4.0 * q * one * one).max(0.0).sqrt()) / (2.0 * q * one)
                };
                ShellLaw {
                    power: scale * shape(g),
                    r,
                    s: q * r,
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_laws_have_the_correlation_and_variance_asked_for() {
        let shells = GaussianProcess::shells();
        for (correlation, small_scales, inertia) in [
            (0.96, 1.0, 0.5),
            (0.3, 2.0, 0.0),
            (0.9, 0.0, 0.9),
            (0.0, 1.0, 0.5),
        ] {
            let world = GaussianProcess {
                correlation,
                small_scales,
                inertia,
                ..Default::default()
            };
            let laws = world.laws(&shells, f64::from(correlation));
            let over = |of: &dyn Fn(&ShellLaw) -> f64| -> f64 {
                shells.groups().iter().map(|&g| of(&laws[g])).sum()
            };
            let power = over(&|l| l.power);
            assert!((power / (SIDE * SIDE) as f64 - VARIANCE).abs() < 1e-9);
            let one = over(&|l| l.power * l.rho(1)) / power;
            assert!(
                (one - f64::from(correlation)).abs() < 1e-3,
                "{one} {correlation}"
            );
            for l in &laws {
                // Yule-Walker, and two frames tell no less than one.
                let [a, b] = l.phi();
                for lag in 2..6 {
                    let told = a * l.rho(lag - 1) + b * l.rho(lag - 2);
                    assert!((l.rho(lag) - told).abs() < 1e-9, "{l:?}");
                }
                let [one, two] = l.unknown();
                assert!(two <= one + 1e-9 * l.power && two >= 0.0, "{l:?}");
            }
        }
    }
}
