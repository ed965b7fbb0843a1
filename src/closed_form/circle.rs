//! Von Mises laws on the circle: `p(t) ~ exp(kappa cos(t - mu))`, and the Bessel functions in them.

/// Below this `kappa` the power series, above it the asymptotic one; both are good to 1e-10 here.
const LARGE: f64 = 40.0;

/// `ln I0(kappa)`.
pub fn ln_bessel0(kappa: f64) -> f64 {
    if kappa < LARGE {
        return series(kappa, 0).ln();
    }
    kappa - 0.5 * (std::f64::consts::TAU * kappa).ln() + asymptotic(kappa, 0).ln()
}

/// Mean resultant length `I1(kappa) / I0(kappa)`: how far the mean of the unit vectors reaches.
pub fn resultant(kappa: f64) -> f64 {
    if kappa < LARGE {
        return series(kappa, 1) / series(kappa, 0);
    }
    asymptotic(kappa, 1) / asymptotic(kappa, 0)
}

/// `I_n(x) = sum_k (x/2)^(2k+n) / (k! (k+n)!)`.
fn series(x: f64, n: u32) -> f64 {
    let half = 0.5 * x;
    let mut term = half.powi(n as i32);
    let mut sum = term;
    for k in 1..200 {
        term *= half * half / (f64::from(k) * f64::from(k + n));
        sum += term;
        if term < 1e-17 * sum {
            break;
        }
    }
    sum
}

/// `I_n(x) sqrt(2 pi x) exp(-x)`, the first terms of Hankel's expansion.
fn asymptotic(x: f64, n: u32) -> f64 {
    let mu = f64::from(4 * n * n);
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..12 {
        let odd = f64::from(2 * k - 1);
        term *= -(mu - odd * odd) / (f64::from(k) * 8.0 * x);
        sum += term;
    }
    sum
}

/// The angle `t` in `[-pi, pi]` below which the share `u` of the law around 0 lies.
pub fn quantile(kappa: f64, u: f64) -> f64 {
    const POINTS: usize = 2000;
    // Ten standard deviations, or the whole circle.
    let reach = (10.0 / kappa.max(1e-9).sqrt()).min(std::f64::consts::PI);
    let at = |i: usize| reach * (2.0 * i as f64 / POINTS as f64 - 1.0);
    let density = |t: f64| (kappa * (t.cos() - 1.0)).exp();
    let mut sums = Vec::with_capacity(POINTS + 1);
    let mut sum = 0.0;
    sums.push(0.0);
    for i in 0..POINTS {
        sum += 0.5 * (density(at(i)) + density(at(i + 1)));
        sums.push(sum);
    }
    let wanted = u.clamp(0.0, 1.0) * sum;
    let i = sums.partition_point(|s| *s < wanted).clamp(1, POINTS);
    let (below, above) = (sums[i - 1], sums[i]);
    let part = if above > below {
        (wanted - below) / (above - below)
    } else {
        0.5
    };
    at(i - 1) + part * (at(i) - at(i - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the integrals `I_n(k) = 1/pi int_0^pi exp(k cos t) cos(n t) dt`.
    #[test]
    fn bessel_functions_agree_with_their_integrals() {
        for kappa in [0.0, 1e-3, 0.5, 3.0, 20.0, 39.9, 40.1, 300.0, 1e4, 1e7] {
            let steps = 200_000;
            let (mut zero, mut one) = (0.0, 0.0);
            // Nothing is left beyond fifteen standard deviations.
            let reach = (15.0 / f64::max(kappa, 1e-9).sqrt()).min(std::f64::consts::PI);
            for i in 0..steps {
                let t: f64 = (i as f64 + 0.5) / steps as f64 * reach;
                let w = (-2.0 * kappa * (0.5 * t).sin().powi(2)).exp();
                zero += w;
                one += w * t.cos();
            }
            let ln = kappa + (zero / steps as f64 * reach / std::f64::consts::PI).ln();
            assert!(
                (ln_bessel0(kappa) - ln).abs() < 1e-6 * ln.abs().max(1.0),
                "{kappa}"
            );
            assert!((resultant(kappa) - one / zero).abs() < 1e-6, "{kappa}");
        }
    }

    #[test]
    fn quantiles_have_the_resultant_of_their_law() {
        for kappa in [0.0, 0.7, 5.0, 400.0, 1e6] {
            let n = 20_000;
            let mean = (0..n)
                .map(|i| quantile(kappa, (f64::from(i) + 0.5) / f64::from(n)).cos())
                .sum::<f64>()
                / f64::from(n);
            assert!((mean - resultant(kappa)).abs() < 2e-4, "{kappa} {mean}");
        }
    }
}
