//! Which modes the solver carries, and their wavenumbers.

use rustfft::num_complex::Complex64;

/// The half-plane of resolved modes, stored `[kx][ky]`: index `i * n + j`, `kx = i` for `0 <= i <= kmax`, `ky = j` for
/// `j <= n/2`, else `j - n`. Modes with `|ky| > kmax` are stored but always zero.
///
/// Coefficients are normalised so that `omega(x, y) = sum_k c_k exp(i (kx x + ky y))`.
#[derive(Debug)]
pub(super) struct Modes {
    /// Grid points a side.
    pub n: usize,
    /// Largest resolved integer wavenumber: the largest below `n / 3`.
    pub kmax: usize,
    /// Angular wavenumber along x.
    pub kx: Vec<f64>,
    /// Angular wavenumber along y.
    pub ky: Vec<f64>,
    /// `kx^2 + ky^2`.
    pub k2: Vec<f64>,
    /// `1 / k^2`, 0 for the mean and for modes that are not resolved.
    pub inverse_k2: Vec<f64>,
    /// How often a mode counts in a sum over the whole plane: 1 on `kx = 0`, else 2; 0 where not resolved.
    pub weight: Vec<f64>,
}

impl Modes {
    pub fn new(n: usize, length: f64) -> Self {
        let kmax = (n - 1) / 3;
        let unit = std::f64::consts::TAU / length;
        let size = (kmax + 1) * n;
        let mut modes = Self {
            n,
            kmax,
            kx: Vec::with_capacity(size),
            ky: Vec::with_capacity(size),
            k2: Vec::with_capacity(size),
            inverse_k2: Vec::with_capacity(size),
            weight: Vec::with_capacity(size),
        };
        for i in 0..=kmax {
            for j in 0..n {
                let signed = signed(j, n);
                let (kx, ky) = (unit * i as f64, unit * signed as f64);
                let k2 = kx * kx + ky * ky;
                let resolved = signed.unsigned_abs() <= kmax as u64;
                modes.kx.push(kx);
                modes.ky.push(ky);
                modes.k2.push(k2);
                let live = resolved && k2 > 0.0;
                modes.inverse_k2.push(if live { 1.0 / k2 } else { 0.0 });
                let weight = if i == 0 { 1.0 } else { 2.0 };
                modes.weight.push(if resolved { weight } else { 0.0 });
            }
        }
        modes
    }

    /// Number of stored modes.
    pub fn len(&self) -> usize {
        self.k2.len()
    }

    /// Rows of a column that hold resolved modes.
    pub fn resolved_rows(&self) -> [std::ops::Range<usize>; 2] {
        [0..self.kmax + 1, self.n - self.kmax..self.n]
    }

    /// Sets the mean and every mode that is not resolved to zero.
    pub fn project(&self, spectrum: &mut [Complex64]) {
        for (c, &inverse) in spectrum.iter_mut().zip(&self.inverse_k2) {
            if inverse == 0.0 {
                *c = Complex64::ZERO;
            }
        }
    }
}

/// Signed wavenumber of index `j` of a full transform of length `n`.
pub(super) fn signed(j: usize, n: usize) -> i64 {
    if j <= n / 2 {
        j as i64
    } else {
        j as i64 - n as i64
    }
}
