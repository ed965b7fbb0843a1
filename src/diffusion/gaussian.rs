//! The Gaussian world: fields with a known spectrum that follow an AR(1) law in time, for which the image model and the
//! discriminator are exact in closed form. Samplers are tested here first, and learned guidance can stand beside
//! exact guidance.
//!
//! `x_{n+1} = phi_k x_n + sqrt(C_k (1 - phi_k^2)) z` per coefficient k of the spectral basis, so `x ~ N(0, C)`,
//! `D(x; s) = C/(C+s^2) x`, and `p(x|h) = N(phi x_n, C (1 - phi^2))` whatever the history length.

use burn::tensor::{Device, Tensor};

use super::Denoise;
use super::basis::{Shells, SpectralBasis};
use super::two_tower::{Calibration, Forecast, TwoTower};
use crate::error::Result;

/// A Gaussian world on an `n` x `n` grid.
pub struct GaussianWorld {
    /// Power of each shell group.
    pub power: Vec<f32>,
    /// AR(1) coefficient of each shell group.
    pub phi: Vec<f32>,
    /// The shells.
    pub shells: Shells,
    basis: SpectralBasis,
    c: Tensor<4>,
    device: Device,
}

impl GaussianWorld {
    /// A red spectrum with std 0.5 and a memory that shortens with the wavenumber.
    pub fn new(n: usize, device: &Device) -> Self {
        let shells = Shells::new(n, n / 2);
        let half = shells.count() / 2;
        let shape = |g: usize| {
            let k = (g % half) as f64;
            if k == 0.0 {
                0.0
            } else {
                k * k / (1.0 + (k / 3.0).powi(6))
            }
        };
        let variance: f64 = shells.groups().iter().map(|&g| shape(g)).sum::<f64>() / (n * n) as f64;
        let power: Vec<f32> = (0..shells.count())
            .map(|g| (0.25 * shape(g) / variance) as f32)
            .collect();
        let phi: Vec<f32> = (0..shells.count())
            .map(|g| (-((g % half) as f64) / 12.0).exp() as f32 * 0.98)
            .collect();
        Self {
            c: shells.spread(&power, device),
            basis: SpectralBasis::new(n, device),
            device: device.clone(),
            power,
            phi,
            shells,
        }
    }

    /// Power of the innovation of each shell group, `C (1 - phi^2)`.
    pub fn innovation(&self) -> Vec<f32> {
        self.power
            .iter()
            .zip(&self.phi)
            .map(|(c, p)| c * (1.0 - p * p))
            .collect()
    }

    /// The exact discriminator: a two-tower whose tower and laws are known.
    ///
    /// # Errors
    /// None for a world made by [`Self::new`]; the calibration is checked like any other.
    pub fn discriminator(&self) -> Result<TwoTower<Ar1>> {
        let s = self.innovation();
        let ones = vec![1.0; self.power.len()];
        let calibration = Calibration {
            n: self.shells.n,
            resolved: self.shells.resolved,
            c: self.power.clone(),
            beta: vec![ones.clone(); 4],
            s: vec![s; 4],
            gain_log_sigma: vec![-10.0, 10.0],
            gain: vec![ones.clone(), ones],
        };
        let tower = Ar1 {
            basis: self.basis.clone(),
            phi: self.shells.spread(&self.phi, &self.device),
        };
        TwoTower::new(tower, calibration, &self.device)
    }

    /// A draw from the world's law of single frames; `noise` is standard normal `[rows, 1, n, n]`.
    pub fn draw(&self, noise: Tensor<4>) -> Tensor<4> {
        self.basis.transform(noise * self.c.clone().sqrt())
    }

    /// Coefficients of frames in the spectral basis (and back).
    pub fn transform(&self, x: Tensor<4>) -> Tensor<4> {
        self.basis.transform(x)
    }
}

impl Denoise for GaussianWorld {
    fn denoise(&self, x: &Tensor<4>, sigma: f64) -> Tensor<4> {
        let s2 = (sigma * sigma) as f32;
        let w = self.c.clone() / (self.c.clone() + s2);
        self.basis.transform(self.basis.transform(x.clone()) * w)
    }
}

/// The exact forecaster of a [`GaussianWorld`].
pub struct Ar1 {
    basis: SpectralBasis,
    phi: Tensor<4>,
}

impl Forecast for Ar1 {
    fn forecast(&self, history: &Tensor<4>, _m: usize) -> Tensor<4> {
        let last = history.clone().narrow(1, 0, 1);
        self.basis
            .transform(self.basis.transform(last) * self.phi.clone())
    }
}
