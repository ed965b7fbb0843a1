//! What truth looks like, from its law: no frame is made for it.
//!
//! Bands are those of an estimate from one run of [`RUN`] frames, or of one frame: its variance follows from the law
//! (products of Gaussian values, Isserlis), and its law is taken as normal.

use super::gaussian_process::{GaussianProcess, ShellLaw, VARIANCE};
use super::travelling_wave::{TravellingWave, Way};
use super::{Known, SIDE};

/// Largest lag of the autocorrelation in a model's card.
const MAX_LAG: usize = 10;
/// Frames of a run.
const RUN: usize = 100;
/// 5 and 95 % of a normal law, in standard deviations.
const NINETY: f64 = 1.645;
const CELLS: f64 = (SIDE * SIDE) as f64;

/// Band of the rms of a frame whose mean square is `mean` and varies by `sd`.
fn rms_band(mean: f64, sd: f64) -> [f64; 2] {
    let rms = mean.max(0.0).sqrt();
    let half = if rms > 0.0 {
        NINETY * sd / (2.0 * rms)
    } else {
        0.0
    };
    [(rms - half).max(0.0), rms + half]
}

/// The Gaussian process.
pub(super) fn gaussian(world: &GaussianProcess) -> Known {
    let shells = GaussianProcess::shells();
    let laws = world.laws(&shells, f64::from(world.correlation));
    let [vx, vy] = world.velocity();
    // Phase that each Fourier mode gains in a frame.
    let turn = std::f64::consts::TAU / SIDE as f64;
    let wave = |i: usize| i as f64 - if i > SIDE / 2 { SIDE as f64 } else { 0.0 };
    let modes: Vec<(usize, f64)> = shells
        .groups()
        .iter()
        .enumerate()
        .map(|(i, &g)| (g, turn * (vx * wave(i % SIDE) + vy * wave(i / SIDE))))
        .collect();
    let sum = |of: &dyn Fn(&ShellLaw, f64) -> f64| -> f64 {
        modes.iter().map(|(g, omega)| of(&laws[*g], *omega)).sum()
    };
    let total = sum(&|l, _| l.power);
    let acf: Vec<f64> = (0..=MAX_LAG)
        .map(|j| sum(&|l, omega| l.power * l.rho(j) * (omega * j as f64).cos()) / total)
        .collect();

    // Variance of sum x_n x_{n-j} - r sum x_n^2 over a run, for each shell: three sums over lags.
    let acf_spread = (0..=MAX_LAG)
        .map(|j| {
            let by_shell: Vec<[f64; 3]> = laws.iter().map(|l| lag_sums(l, j)).collect();
            let r = acf[j];
            let variance: f64 = modes
                .iter()
                .map(|(g, omega)| {
                    let [square, across, mixed] = by_shell[*g];
                    let phase = omega * j as f64;
                    let v = square * (1.0 + 2.0 * r * r) + across * (2.0 * phase).cos()
                        - 4.0 * r * phase.cos() * mixed;
                    laws[*g].power.powi(2) * v
                })
                .sum::<f64>()
                / (RUN as f64 * total * total);
            NINETY * variance.max(0.0).sqrt()
        })
        .collect();

    let change = |l: &ShellLaw, omega: f64| 2.0 * l.power * (1.0 - l.rho(1) * omega.cos());
    let band = |of: &dyn Fn(&ShellLaw, f64) -> f64| {
        let mean = sum(of) / CELLS;
        let sd = (2.0 * sum(&|l, omega| of(l, omega).powi(2))).sqrt() / CELLS;
        rms_band(mean, sd)
    };
    let scale = VARIANCE.sqrt().recip();
    let physical = |[lo, hi]: [f64; 2]| [scale * lo, scale * hi];
    let missed = sum(&|l, _| l.unknown()[0]);
    Known {
        scale,
        acf,
        acf_spread,
        std: 1.0,
        std_band: physical(band(&|l, _| l.power)),
        rmse_band: physical(band(&change)),
        dynamics_skill: 1.0 - missed / sum(&change),
        residual: (missed / total).sqrt(),
        kurtosis: 3.0,
        spectrum: laws[..laws.len() / 2]
            .iter()
            .map(|l| l.power * scale * scale)
            .collect(),
        usable_strength: usable(&laws),
    }
}

/// `sum_u w rho(u)^2`, `sum_u w rho(u+j) rho(j-u)` and `sum_u w rho(u) rho(j-u)` with `w = 1 - |u| / RUN`.
fn lag_sums(law: &ShellLaw, j: usize) -> [f64; 3] {
    let rho: Vec<f64> = (0..RUN + MAX_LAG + 1).map(|u| law.rho(u)).collect();
    let at = |u: isize| rho[u.unsigned_abs()];
    let j = j as isize;
    let mut sums = [0.0; 3];
    for u in 1 - RUN as isize..RUN as isize {
        let w = 1.0 - u.unsigned_abs() as f64 / RUN as f64;
        sums[0] += w * at(u) * at(u);
        sums[1] += w * at(u + j) * at(j - u);
        sums[2] += w * at(u) * at(j - u);
    }
    sums
}

/// The strength above which the mean of a frame outgrows the last ones: guidance that is told a shell's mean `mu` ends at
/// `G(lambda) mu`, and the shell grows where a root of `z^2 = G (phi1 z + phi2)` leaves the unit circle.
fn usable(laws: &[ShellLaw]) -> f32 {
    let grows = |lambda: f64| {
        laws.iter().filter(|l| l.power > 1e-6).any(|l| {
            let gain = mean_gain(lambda, l.unknown()[1] / l.power);
            let [a, b] = l.phi().map(|p| gain * p);
            // Jury's conditions.
            a + b >= 1.0 || b <= -1.0
        })
    };
    let (mut lo, mut hi) = (1.0, 100.0);
    if !grows(hi) {
        return f32::INFINITY;
    }
    for _ in 0..30 {
        let middle = 0.5 * (lo + hi);
        if grows(middle) {
            hi = middle;
        } else {
            lo = middle;
        }
    }
    lo as f32
}

/// `G(lambda)` along the probability flow, for a coefficient of power 1 of which the share `s` is unknown:
/// `h(0) int lambda sigma / ((s + sigma^2) h) d sigma`, `h = (1 + sigma^2)^((1 - lambda) / 2) (s + sigma^2)^(lambda / 2)`.
fn mean_gain(lambda: f64, s: f64) -> f64 {
    let s = s.max(1e-6);
    let ln_h = |v: f64| 0.5 * ((1.0 - lambda) * (1.0 + v).ln() + lambda * (s + v).ln());
    let (lo, hi, steps) = (-9.0f64, 9.0f64, 400);
    let step = (hi - lo) / f64::from(steps);
    (0..steps)
        .map(|i| {
            let sigma = (lo + (f64::from(i) + 0.5) * step).exp();
            let v = sigma * sigma;
            step * sigma * lambda * sigma / (s + v) * (ln_h(0.0) - ln_h(v)).exp()
        })
        .sum()
}

/// The travelling wave. The wave itself is certain; only the noise of the cells varies.
pub(super) fn wave(world: &TravellingWave) -> Known {
    // Physical units: amplitude 1.
    let scale = std::f64::consts::SQRT_2;
    let noise = f64::from(world.noise).powi(2);
    let power = 0.5;
    let variance = power + noise;
    let omega = world.omega();
    let acf: Vec<f64> = (0..=MAX_LAG)
        .map(|j| match j {
            0 => 1.0,
            j => power * (omega * j as f64).cos() / variance,
        })
        .collect();
    let acf_spread = acf
        .iter()
        .enumerate()
        .map(|(j, r)| {
            if j == 0 {
                return 0.0;
            }
            // sum of (w + e)(w' + e') - r (w + e)^2: the parts linear and quadratic in the noise.
            let linear = 2.0 * (omega * j as f64).cos() - 2.0 * r;
            // The first and last frames have one partner only: the wave's change does not cancel there.
            let ends = 2.0 * j as f64 / RUN as f64 * (omega * j as f64).sin().powi(2);
            let v = noise * power * (linear * linear + ends) + noise * noise * (1.0 + 2.0 * r * r);
            NINETY * (v / (RUN as f64 * CELLS)).sqrt() / variance
        })
        .collect();
    let wave_change = 2.0 * power * (1.0 - omega.cos());
    let change = wave_change + 2.0 * noise;
    // Which way it goes is not in one frame.
    let unknown_way = match world.way {
        Way::Either => power * omega.sin().powi(2),
        Way::Forward | Way::Backward => 0.0,
    };
    let missed = noise + unknown_way;
    let sd = |wave: f64, noise: f64| ((2.0 * noise * noise + 4.0 * wave * noise) / CELLS).sqrt();
    let mut spectrum = vec![noise; SIDE];
    let k = f64::from(world.across).hypot(f64::from(world.up)).round() as usize;
    let in_shell = (0..SIDE * SIDE)
        .filter(|i| {
            let wave = |i: usize| i as f64 - if i > SIDE / 2 { SIDE as f64 } else { 0.0 };
            wave(i % SIDE).hypot(wave(i / SIDE)).round() as usize == k
        })
        .count();
    if let Some(s) = spectrum.get_mut(k) {
        *s += power * CELLS / in_shell.max(1) as f64;
    }
    Known {
        scale,
        acf,
        acf_spread,
        std: variance.sqrt(),
        std_band: rms_band(variance, sd(power, noise)),
        rmse_band: rms_band(change, sd(wave_change, 2.0 * noise)),
        dynamics_skill: 1.0 - missed / change,
        residual: (missed / variance).sqrt(),
        kurtosis: (1.5 * power * power + 6.0 * power * noise + 3.0 * noise * noise)
            / (variance * variance),
        spectrum,
        usable_strength: f32::INFINITY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_strength_one_the_mean_is_right_and_beyond_it_too_large() {
        for s in [1e-3, 0.1, 0.9] {
            assert!(
                (mean_gain(1.0, s) - 1.0).abs() < 1e-3,
                "{}",
                mean_gain(1.0, s)
            );
            assert!(mean_gain(0.0, s).abs() < 1e-12);
            assert!(mean_gain(0.5, s) < 1.0 && mean_gain(2.0, s) > 1.0);
        }
        let usable = gaussian(&GaussianProcess::default()).usable_strength;
        assert!(usable > 1.0, "{usable}");
    }
}
