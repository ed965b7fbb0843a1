//! Noise levels (Karras et al. 2022, equation 5) and the churn of stochastic Heun.

use crate::rollout::settings::{SamplerSettings, Schedule, Solver};

/// The `steps + 1` noise levels of a frame, descending from `sigma_max` to `sigma_min`, then 0. Those of [`Solver::Flow`]
/// begin at `sigma_first`.
pub fn levels(settings: &SamplerSettings, sigma_max: f64) -> Vec<f64> {
    let sigma_max = match settings.solver {
        Solver::Flow => sigma_max.min(f64::from(settings.sigma_first)),
        _ => sigma_max,
    };
    let (n, lo) = (settings.steps, f64::from(settings.sigma_min));
    match settings.schedule {
        Schedule::Karras => noise_levels(n, lo, sigma_max, f64::from(settings.rho)),
        Schedule::Geometric => geometric_levels(n, lo, sigma_max),
        Schedule::Cosine => cosine_levels(n, lo, sigma_max),
    }
}

/// `s_i = smax (smin/smax)^(i/(n-1))` for i = 0..n-1, then 0.
pub fn geometric_levels(n: usize, sigma_min: f64, sigma_max: f64) -> Vec<f64> {
    let last = (n.max(2) - 1) as f64;
    (0..n)
        .map(|i| sigma_max * (sigma_min / sigma_max).powf(i as f64 / last))
        .chain(std::iter::once(0.0))
        .collect()
}

/// `s_i = tan(a_i)`, `a_i` in equal steps from `arctan smax` to `arctan smin` for i = 0..n-1, then 0. In
/// variance-preserving terms the signal is `cos a`, the noise `sin a`.
pub fn cosine_levels(n: usize, sigma_min: f64, sigma_max: f64) -> Vec<f64> {
    let (lo, hi) = (sigma_min.atan(), sigma_max.atan());
    let last = (n.max(2) - 1) as f64;
    (0..n)
        .map(|i| (hi + i as f64 / last * (lo - hi)).tan())
        .chain(std::iter::once(0.0))
        .collect()
}

/// `s_i = (smax^(1/rho) + i/(n-1) (smin^(1/rho) - smax^(1/rho)))^rho` for i = 0..n-1, then 0: `n + 1` levels.
pub fn noise_levels(n: usize, sigma_min: f64, sigma_max: f64, rho: f64) -> Vec<f64> {
    let (lo, hi) = (sigma_min.powf(1.0 / rho), sigma_max.powf(1.0 / rho));
    let last = (n.max(2) - 1) as f64;
    (0..n)
        .map(|i| (hi + i as f64 / last * (lo - hi)).powf(rho))
        .chain(std::iter::once(0.0))
        .collect()
}

/// The noise level to which churn lifts `sigma` before a step: `sigma (1 + min(S_churn/N, sqrt 2 - 1))`.
///
/// `S_min = 0` and `S_max = 1000` as in the paper, so churn acts at every level in use.
pub fn churned(sigma: f64, churn: f64, steps: usize) -> f64 {
    sigma * (1.0 + (churn / steps as f64).clamp(0.0, std::f64::consts::SQRT_2 - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_order() {
        let s = noise_levels(50, 0.002, 80.0, 7.0);
        assert_eq!(s.len(), 51);
        assert!((s[0] - 80.0).abs() < 1e-9 && (s[49] - 0.002).abs() < 1e-12 && s[50] == 0.0);
        assert!(s.windows(2).all(|w| w[0] > w[1]));
        // rho = 1 is linear.
        let s = noise_levels(5, 1.0, 5.0, 1.0);
        for (i, v) in s[..5].iter().enumerate() {
            assert!((v - (5.0 - i as f64)).abs() < 1e-12);
        }
    }

    #[test]
    fn geometric_levels_have_equal_ratios() {
        let s = geometric_levels(5, 0.01, 100.0);
        for (v, e) in s.iter().zip([100.0, 10.0, 1.0, 0.1, 0.01, 0.0]) {
            assert!((v - e).abs() < 1e-9, "{v} {e}");
        }
    }

    #[test]
    fn cosine_levels_have_equal_angles() {
        let s = cosine_levels(3, 0.01, 100.0);
        let middle = (0.5 * (0.01f64.atan() + 100.0f64.atan())).tan();
        for (v, e) in s.iter().zip([100.0, middle, 0.01, 0.0]) {
            assert!((v - e).abs() < 1e-9 * e.max(1.0), "{v} {e}");
        }
        assert!((middle - 1.0).abs() < 1e-9);
    }

    #[test]
    fn churn_saturates() {
        // The paper's 55 at 50 steps is beyond the saturation at 20.7: the same as any larger value.
        assert_eq!(churned(1.0, 55.0, 50), churned(1.0, 1e6, 50));
        assert!((churned(2.0, 55.0, 50) - 2.0 * std::f64::consts::SQRT_2).abs() < 1e-12);
        assert_eq!(churned(3.0, 0.0, 50), 3.0);
    }
}
