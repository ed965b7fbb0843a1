//! Ring forcing: which modes are stirred, how strongly, and the noise that stirs them.

use rustfft::num_complex::Complex64;

use super::modes::{Modes, signed};
use super::params::Ring;
use crate::random::NoiseKey;

/// Modes with less than this share of the ring's peak amplitude are left alone: together they would carry less than
/// 1e-11 of the energy input, and drawing noise for them costs more than all the others.
const AMPLITUDE_FLOOR: f64 = 1e-6;

/// Independent complex noise on the modes of a ring, with the Hermitian symmetry of a real field.
#[derive(Debug)]
pub(super) struct RingNoise {
    /// (index of the mode, index of its mirror image where both are stored, root mean square amplitude).
    modes: Vec<(usize, Option<usize>, f64)>,
}

impl RingNoise {
    /// Noise whose energy `1/2 sum_k <|f_k|^2> / k^2` is 1, shaped by `ring`.
    pub fn of_unit_energy(ring: Ring, modes: &Modes) -> Self {
        let n = modes.n;
        let mut list = Vec::new();
        let mut energy = 0.0;
        for index in 0..modes.len() {
            if modes.inverse_k2[index] == 0.0 {
                continue;
            }
            let (i, j) = (index / n, index % n);
            let distance = modes.k2[index].sqrt() - ring.wavenumber;
            let amplitude = (-distance * distance / (2.0 * ring.bandwidth.powi(2))).exp();
            if amplitude < AMPLITUDE_FLOOR {
                continue;
            }
            energy += 0.5 * modes.weight[index] * amplitude.powi(2) * modes.inverse_k2[index];
            match (i, signed(j, n)) {
                // The column kx = 0 holds both a mode and its mirror image: draw for one of them.
                (0, ..0) => {}
                (0, _) => list.push((index, Some(n - j), amplitude)),
                _ => list.push((index, None, amplitude)),
            }
        }
        let scale = if energy > 0.0 {
            1.0 / energy.sqrt()
        } else {
            0.0
        };
        for mode in &mut list {
            mode.2 *= scale;
        }
        Self { modes: list }
    }

    /// Calls `visit(mode, value)` for every stirred mode with `scale` times the noise named `key`. The value depends on
    /// the key alone.
    pub fn for_each(&self, key: NoiseKey, scale: f64, mut visit: impl FnMut(usize, Complex64)) {
        let mut normals = vec![0.0; 2 * self.modes.len()];
        key.normal_f64(&mut normals);
        for (&(index, mirror, amplitude), pair) in self.modes.iter().zip(normals.chunks_exact(2)) {
            // Real and imaginary part each carry half of the variance.
            let factor = scale * amplitude * std::f64::consts::FRAC_1_SQRT_2;
            let value = Complex64::new(factor * pair[0], factor * pair[1]);
            visit(index, value);
            if let Some(mirror) = mirror {
                visit(mirror, value.conj());
            }
        }
    }
}
