//! Spectra by wavenumber shell: shell s holds the modes with `|k|` nearest to s.

use std::fmt;
use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};
use rustfft::num_complex::Complex64;
use rustfft::{Fft, FftPlanner};

/// Shell sums of one field, per unit area.
#[derive(Debug, Clone, PartialEq)]
pub struct RadialSpectrum {
    /// Kinetic energy `1/2 sum |c_k|^2 / k^2` of each shell; the mean has none.
    pub energy: Vec<f64>,
    /// Enstrophy `1/2 sum |c_k|^2` of each shell; their sum is `1/2 <omega^2>` (Parseval).
    pub enstrophy: Vec<f64>,
}

/// Shell sums of energy and enstrophy of an `n x n` field of vorticity on a box of side 2 pi. `None` where the field does
/// not have `n * n` values, `n` is odd or 0, or a value is not finite.
pub fn radial_spectrum(field: &[f32], n: usize) -> Option<RadialSpectrum> {
    Some(radial(&Transform::new(n)?.power(field)?, n))
}

/// Mean power of a mode in each shell, averaged over frames: `|FFT|^2` with the orthonormal transform, so that white
/// noise of variance v has power v in every shell. Only resolved modes count (`|kx|, |ky| < n / 3`, the solver's 2/3
/// rule); shells without one are NaN. `None` as in [`radial_spectrum`], or without frames.
pub fn shell_power(frames: &[&[f32]], n: usize) -> Option<Vec<f64>> {
    let mut stream = SpectrumStream::new(n)?;
    for frame in frames {
        if !stream.push(frame) {
            return None;
        }
    }
    stream.shell_power()
}

/// Mean spectra of a growing series.
#[derive(Debug, Clone)]
pub struct SpectrumStream {
    transform: Transform,
    frames: usize,
    /// Sum over frames, half plane `[ky][kx]`.
    power: Vec<f64>,
}

impl SpectrumStream {
    /// For `n x n` fields; `None` where `n` is odd or 0.
    pub fn new(n: usize) -> Option<Self> {
        Some(Self {
            transform: Transform::new(n)?,
            frames: 0,
            power: vec![0.0; n * (n / 2 + 1)],
        })
    }

    /// Takes the next frame. `false`, and ignored, where it has another size or holds a value that is not finite.
    pub fn push(&mut self, frame: &[f32]) -> bool {
        let Some(power) = self.transform.power(frame) else {
            return false;
        };
        for (sum, p) in self.power.iter_mut().zip(power) {
            *sum += p;
        }
        self.frames += 1;
        true
    }

    /// Adds the frames of another series. `false`, and nothing done, where the two differ in size.
    pub fn merge(&mut self, other: &Self) -> bool {
        if self.power.len() != other.power.len() {
            return false;
        }
        for (sum, p) in self.power.iter_mut().zip(&other.power) {
            *sum += p;
        }
        self.frames += other.frames;
        true
    }

    /// Number of frames so far.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Mean of [`radial_spectrum`]; `None` without frames.
    pub fn mean(&self) -> Option<RadialSpectrum> {
        Some(radial(&self.mean_power()?, self.transform.n))
    }

    /// [`shell_power`]; `None` without frames.
    pub fn shell_power(&self) -> Option<Vec<f64>> {
        let n = self.transform.n;
        let mean = self.mean_power()?;
        // From the mean square per mode to the orthonormal transform.
        let factor = (n * n) as f64;
        let resolved = ((n - 1) / 3) as i64;
        let shells = shell_count(n);
        let (mut sum, mut weight) = (vec![0.0; shells], vec![0.0; shells]);
        for mode in half_plane(n) {
            if mode.kx <= resolved && mode.ky.abs() <= resolved {
                sum[mode.shell] += mode.weight * mean[mode.index] * factor;
                weight[mode.shell] += mode.weight;
            }
        }
        Some(sum.iter().zip(&weight).map(|(s, w)| s / w).collect())
    }

    fn mean_power(&self) -> Option<Vec<f64>> {
        let n = self.frames as f64;
        (self.frames > 0).then(|| self.power.iter().map(|p| p / n).collect())
    }
}

fn radial(power: &[f64], n: usize) -> RadialSpectrum {
    let shells = shell_count(n);
    let mut spectrum = RadialSpectrum {
        energy: vec![0.0; shells],
        enstrophy: vec![0.0; shells],
    };
    for mode in half_plane(n) {
        let half = 0.5 * mode.weight * power[mode.index];
        spectrum.enstrophy[mode.shell] += half;
        if mode.k2 > 0.0 {
            spectrum.energy[mode.shell] += half / mode.k2;
        }
    }
    spectrum
}

/// Mean of `|log10(model / truth)|` over shells `1..=20` (or as many as both have) of two [`shell_power`]s. `None` where a
/// shell has no power or is undefined.
pub fn spectrum_error(model: &[f64], truth: &[f64]) -> Option<f64> {
    let logs: Vec<f64> = model
        .iter()
        .zip(truth)
        .skip(1)
        .take(20)
        .map(|(x, y)| (x / y).log10().abs())
        .collect();
    let mean = logs.iter().sum::<f64>() / logs.len() as f64;
    mean.is_finite().then_some(mean)
}

/// Number of shells of an `n x n` field.
fn shell_count(n: usize) -> usize {
    let corner = (n / 2) as f64 * std::f64::consts::SQRT_2;
    corner.round() as usize + 1
}

struct Mode {
    /// Position in the half plane `[ky][kx]`.
    index: usize,
    kx: i64,
    ky: i64,
    k2: f64,
    shell: usize,
    /// 2 where the mirror image is not stored.
    weight: f64,
}

/// The half plane `[ky][kx]`, `0 <= kx <= n/2`.
fn half_plane(n: usize) -> impl Iterator<Item = Mode> {
    let columns = n / 2 + 1;
    (0..n * columns).map(move |index| {
        let kx = (index % columns) as i64;
        let row = (index / columns) as i64;
        let ky = if row <= n as i64 / 2 {
            row
        } else {
            row - n as i64
        };
        let k2 = (kx * kx + ky * ky) as f64;
        Mode {
            index,
            kx,
            ky,
            k2,
            shell: k2.sqrt().round() as usize,
            weight: if kx == 0 || kx == n as i64 / 2 {
                1.0
            } else {
                2.0
            },
        }
    })
}

/// Two-dimensional real FFT of `n x n` fields.
#[derive(Clone)]
struct Transform {
    n: usize,
    rows: Arc<dyn RealToComplex<f64>>,
    columns: Arc<dyn Fft<f64>>,
}

impl fmt::Debug for Transform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transform")
            .field("n", &self.n)
            .finish_non_exhaustive()
    }
}

impl Transform {
    fn new(n: usize) -> Option<Self> {
        (n >= 2 && n.is_multiple_of(2)).then(|| Self {
            n,
            rows: RealFftPlanner::new().plan_fft_forward(n),
            columns: FftPlanner::new().plan_fft_forward(n),
        })
    }

    /// `|c_k|^2` of normalised coefficients, half plane `[ky][kx]`.
    fn power(&self, field: &[f32]) -> Option<Vec<f64>> {
        let (n, columns) = (self.n, self.n / 2 + 1);
        if field.len() != n * n || field.iter().any(|v| !v.is_finite()) {
            return None;
        }
        // [kx][y], so that the second transform is contiguous.
        let mut turned = vec![Complex64::ZERO; n * columns];
        let mut spectrum = self.rows.make_output_vec();
        for (y, row) in field.chunks_exact(n).enumerate() {
            let mut row: Vec<f64> = row.iter().map(|&v| f64::from(v)).collect();
            self.rows.process(&mut row, &mut spectrum).ok()?;
            for (kx, &c) in spectrum.iter().enumerate() {
                turned[kx * n + y] = c;
            }
        }
        self.columns.process(&mut turned);
        let scale = 1.0 / (n as f64).powi(4);
        Some(
            (0..n * columns)
                .map(|index| turned[index % columns * n + index / columns].norm_sqr() * scale)
                .collect(),
        )
    }
}
