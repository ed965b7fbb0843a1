//! Spectra by wavenumber shell: shell s holds the modes with `|k|` nearest to s.

use realfft::RealFftPlanner;
use rustfft::FftPlanner;
use rustfft::num_complex::Complex64;

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
    let power = Transform::new(n)?.power(field)?;
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
    Some(spectrum)
}

/// Mean power of a mode in each shell, averaged over frames: `|FFT|^2` with the orthonormal transform, so that white
/// noise of variance v has power v in every shell. Only resolved modes count (`|kx|, |ky| < n / 3`, the solver's 2/3
/// rule); shells without one are NaN. `None` as in [`radial_spectrum`], or without frames.
pub fn shell_power(frames: &[&[f32]], n: usize) -> Option<Vec<f64>> {
    let mut transform = Transform::new(n)?;
    let mut mean = vec![0.0; n * (n / 2 + 1)];
    for frame in frames {
        for (m, p) in mean.iter_mut().zip(transform.power(frame)?) {
            *m += p;
        }
    }
    // From the mean square per mode to the orthonormal transform, and from the sum to the mean over frames.
    let factor = (n * n) as f64 / frames.len() as f64;
    let resolved = ((n - 1) / 3) as i64;
    let shells = shell_count(n);
    let (mut sum, mut weight) = (vec![0.0; shells], vec![0.0; shells]);
    for mode in half_plane(n) {
        if mode.kx <= resolved && mode.ky.abs() <= resolved {
            sum[mode.shell] += mode.weight * mean[mode.index] * factor;
            weight[mode.shell] += mode.weight;
        }
    }
    (!frames.is_empty()).then(|| sum.iter().zip(&weight).map(|(s, w)| s / w).collect())
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
struct Transform {
    n: usize,
    real: RealFftPlanner<f64>,
    complex: FftPlanner<f64>,
}

impl Transform {
    fn new(n: usize) -> Option<Self> {
        (n >= 2 && n.is_multiple_of(2)).then(|| Self {
            n,
            real: RealFftPlanner::new(),
            complex: FftPlanner::new(),
        })
    }

    /// `|c_k|^2` of normalised coefficients, half plane `[ky][kx]`.
    fn power(&mut self, field: &[f32]) -> Option<Vec<f64>> {
        let (n, columns) = (self.n, self.n / 2 + 1);
        if field.len() != n * n || field.iter().any(|v| !v.is_finite()) {
            return None;
        }
        let rows = self.real.plan_fft_forward(n);
        // [kx][y], so that the second transform is contiguous.
        let mut turned = vec![Complex64::ZERO; n * columns];
        let mut spectrum = rows.make_output_vec();
        for (y, row) in field.chunks_exact(n).enumerate() {
            let mut row: Vec<f64> = row.iter().map(|&v| f64::from(v)).collect();
            rows.process(&mut row, &mut spectrum).ok()?;
            for (kx, &c) in spectrum.iter().enumerate() {
                turned[kx * n + y] = c;
            }
        }
        self.complex.plan_fft_forward(n).process(&mut turned);
        let scale = 1.0 / (n as f64).powi(4);
        Some(
            (0..n * columns)
                .map(|index| turned[index % columns * n + index / columns].norm_sqr() * scale)
                .collect(),
        )
    }
}
