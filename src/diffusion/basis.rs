//! The spectral basis of the closed form: a separable orthonormal Hartley transform.
//!
//! `X = H x H^T` with `H_kj = cas(2 pi k j / n) / sqrt n`, `cas = cos + sin`; H is symmetric and its own inverse. A
//! coefficient mixes the Fourier modes `(+-k_y, +-k_x)`, which share `|k|`: a filter that depends on `|k|` alone is
//! diagonal here exactly as it is in Fourier space, with the same power in each shell. As four small matrix products
//! it runs on every device and needs no complex numbers.

use burn::tensor::{Device, Tensor, TensorData};

/// Orthonormal Hartley basis of a square periodic grid.
#[derive(Debug, Clone)]
pub struct SpectralBasis {
    n: usize,
    cas: Tensor<4>,
}

impl SpectralBasis {
    /// Basis for an `n` x `n` grid on `device`.
    pub fn new(n: usize, device: &Device) -> Self {
        let norm = 1.0 / (n as f64).sqrt();
        let mut values = Vec::with_capacity(n * n);
        for k in 0..n {
            for j in 0..n {
                // The product is reduced first: exact angles at any size.
                let angle = std::f64::consts::TAU * ((k * j) % n) as f64 / n as f64;
                values.push(((angle.cos() + angle.sin()) * norm) as f32);
            }
        }
        let cas = Tensor::from_data(TensorData::new(values, [1, 1, n, n]), device);
        Self { n, cas }
    }

    /// Points a side.
    pub fn side(&self) -> usize {
        self.n
    }

    /// Grid values to coefficients and back (the transform is its own inverse); `[rows, 1, n, n]`.
    pub fn transform(&self, x: Tensor<4>) -> Tensor<4> {
        let [rows, channels, n, _] = x.dims();
        let cas = self.cas.clone().expand([rows, channels, n, n]);
        cas.clone().matmul(x).matmul(cas)
    }
}

/// The shells of an `n` x `n` grid: coefficients of (nearly) equal wavenumber, kept apart inside and outside of the
/// square that the solver resolves (2/3 dealiasing), because outside of it the data have no variance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shells {
    /// Points a side.
    pub n: usize,
    /// Largest resolved wavenumber in each direction.
    pub resolved: usize,
    group: Vec<usize>,
    half: usize,
}

impl Shells {
    /// Groups of an `n` x `n` grid whose data are resolved up to `resolved` in each direction.
    pub fn new(n: usize, resolved: usize) -> Self {
        let half = ((n / 2) as f64 * std::f64::consts::SQRT_2).round() as usize + 1;
        let wave = |i: usize| if i <= n / 2 { i } else { n - i };
        let mut group = Vec::with_capacity(n * n);
        for j in 0..n {
            for i in 0..n {
                let (ky, kx) = (wave(j), wave(i));
                let shell = ((ky * ky + kx * kx) as f64).sqrt().round() as usize;
                let inside = ky <= resolved && kx <= resolved;
                group.push(if inside { shell } else { half + shell });
            }
        }
        Self {
            n,
            resolved,
            group,
            half,
        }
    }

    /// Number of groups (some are empty).
    pub fn count(&self) -> usize {
        2 * self.half
    }

    /// Group of each coefficient, row-major.
    pub fn groups(&self) -> &[usize] {
        &self.group
    }

    /// Mean of `values` (one for each coefficient) over each group; 0 where a group is empty.
    pub fn mean(&self, values: &[f64]) -> Vec<f64> {
        let mut sum = vec![0.0; self.count()];
        let mut size = vec![0usize; self.count()];
        for (&g, v) in self.group.iter().zip(values) {
            sum[g] += v;
            size[g] += 1;
        }
        sum.iter()
            .zip(size)
            .map(|(s, n)| if n == 0 { 0.0 } else { s / n as f64 })
            .collect()
    }

    /// A tensor `[1, 1, n, n]` that holds each coefficient's group value.
    pub fn spread(&self, by_group: &[f32], device: &Device) -> Tensor<4> {
        let values: Vec<f32> = self
            .group
            .iter()
            .map(|&g| by_group.get(g).copied().unwrap_or(0.0))
            .collect();
        Tensor::from_data(TensorData::new(values, [1, 1, self.n, self.n]), device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::to_vec;
    use crate::random::{NoiseKey, Stream};
    use rustfft::{FftPlanner, num_complex::Complex};

    #[test]
    fn is_orthonormal_and_filters_like_fourier() {
        let n = 32;
        let device = Device::flex();
        let key = NoiseKey {
            seed: 1,
            stream: Stream::Test,
            member: 0,
            frame: 0,
            step: 0,
        };
        let x = key.normal_f32(n * n);
        let basis = SpectralBasis::new(n, &device);
        let shells = Shells::new(n, n / 3);
        let filter: Vec<f32> = (0..shells.count())
            .map(|g| 1.0 / (1.0 + g as f32))
            .collect();
        let t = Tensor::<4>::from_data(TensorData::new(x.clone(), [1, 1, n, n]), &device);
        let there = basis.transform(t.clone());
        let back = to_vec(basis.transform(there.clone()));
        for (a, b) in x.iter().zip(&back) {
            assert!((a - b).abs() < 1e-5);
        }
        let filtered = to_vec(basis.transform(there * shells.spread(&filter, &device)));

        // The same filter in Fourier space.
        let mut planner = FftPlanner::<f64>::new();
        let (f, inv) = (planner.plan_fft_forward(n), planner.plan_fft_inverse(n));
        let mut z: Vec<Complex<f64>> = x.iter().map(|&v| Complex::new(f64::from(v), 0.0)).collect();
        let both = |z: &mut Vec<Complex<f64>>, plan: &std::sync::Arc<dyn rustfft::Fft<f64>>| {
            for _ in 0..2 {
                plan.process(z);
                let t: Vec<_> = (0..n * n).map(|i| z[(i % n) * n + i / n]).collect();
                *z = t;
            }
        };
        both(&mut z, &f);
        for (v, &g) in z.iter_mut().zip(shells.groups()) {
            *v *= f64::from(filter[g]);
        }
        both(&mut z, &inv);
        for (a, b) in filtered.iter().zip(&z) {
            let b = b.re / (n * n) as f64;
            assert!((f64::from(*a) - b).abs() < 2e-6, "{a} {b}");
        }
    }
}
