//! Weights of the multistep solvers: one network evaluation a step, estimates of earlier steps used again.
//!
//! With `tau = ln(here / sigma)`, the distance from the left end of a step in logarithmic noise, the probability flow is
//! `x(h) = e^{-h} x(0) + int_0^h e^{tau - h} D(tau) dtau`: what is known of the clean estimate `D` at some nodes is
//! interpolated, and the polynomial is integrated exactly. Nodes at and before the left end predict (Adams-Bashforth; the
//! multistep form of DPM-Solver++, Lu et al. 2022), a node at the right end corrects (Adams-Moulton; UniPC, Zhao et al. 2023).

use crate::rollout::settings::Solver;

/// What a multistep solver does in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Multistep {
    /// Estimates that a prediction looks at, at most.
    pub order: usize,
    /// Whether the state is corrected once the estimate at its own noise level is known.
    pub corrects: bool,
    /// DPM-Solver++(2M) as published: the slope counts as at the middle of the step.
    midpoint: bool,
}

impl Multistep {
    /// `None` for a solver that takes each step for itself.
    pub fn of(solver: Solver) -> Option<Self> {
        let (order, corrects, midpoint) = match solver {
            Solver::Dpm => (2, false, true),
            Solver::Dpm3 => (3, false, false),
            Solver::UniPc => (2, true, false),
            Solver::Flow | Solver::Heun | Solver::AsPrinted => return None,
        };
        Some(Self {
            order,
            corrects,
            midpoint,
        })
    }

    /// Weights of the estimates at `sigmas` (the newest, at `here`, first) for the step from `here` to `there`.
    pub fn prediction(&self, sigmas: &[f64], here: f64, there: f64) -> Vec<f64> {
        if self.midpoint
            && let [_, before] = sigmas
        {
            let h = (here / there).ln();
            let (all, w) = (-(-h).exp_m1(), 0.5 * h / (before / here).ln());
            return vec![all * (1.0 + w), -all * w];
        }
        weights(sigmas, here, there)
    }
}

/// `int_0^h e^{tau - h} L_j(tau) dtau` for the Lagrange polynomials of the nodes at these noise levels.
pub(super) fn weights(sigmas: &[f64], here: f64, there: f64) -> Vec<f64> {
    let h = (here / there).ln();
    let nodes: Vec<f64> = sigmas.iter().map(|s| (here / s).ln()).collect();
    // int_0^h e^{tau - h} tau^k dtau
    let mut moments = vec![-(-h).exp_m1()];
    for k in 1..nodes.len() {
        moments.push(h.powi(k as i32) - k as f64 * moments[k - 1]);
    }
    (0..nodes.len())
        .map(|j| {
            let mut polynomial = vec![1.0];
            for (_, node) in nodes.iter().enumerate().filter(|(i, _)| *i != j) {
                let scale = 1.0 / (nodes[j] - node);
                let mut next = vec![0.0; polynomial.len() + 1];
                for (k, c) in polynomial.iter().enumerate() {
                    next[k] -= c * node * scale;
                    next[k + 1] += c * scale;
                }
                polynomial = next;
            }
            polynomial.iter().zip(&moments).map(|(c, m)| c * m).sum()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A polynomial of the nodes' degree is integrated exactly.
    #[test]
    fn polynomials_are_integrated_exactly() {
        let (here, there) = (2.0f64, 0.7f64);
        let h = (here / there).ln();
        for sigmas in [
            vec![2.0],
            vec![2.0, 5.0],
            vec![2.0, 5.0, 9.0],
            vec![0.7, 2.0, 5.0],
        ] {
            let w = weights(&sigmas, here, there);
            for power in 0..sigmas.len() as i32 {
                let f = |tau: f64| tau.powi(power);
                let made: f64 = sigmas
                    .iter()
                    .zip(&w)
                    .map(|(s, w)| w * f((here / s).ln()))
                    .sum();
                let n = 20_000;
                let exact: f64 = (0..n)
                    .map(|i| (i as f64 + 0.5) * h / n as f64)
                    .map(|tau| (tau - h).exp() * f(tau) * h / n as f64)
                    .sum();
                assert!(
                    (made - exact).abs() < 1e-8,
                    "{sigmas:?} {power}: {made} {exact}"
                );
            }
        }
    }

    /// The published second-order step: `D + (D - D_before) / (2 r)`, r the ratio of the steps.
    #[test]
    fn two_estimates_are_taken_as_published() {
        let dpm = Multistep::of(Solver::Dpm).unwrap();
        let (before, here, there) = (8.0f64, 2.0f64, 1.0f64);
        let w = dpm.prediction(&[here, before], here, there);
        let r = (before / here).ln() / (here / there).ln();
        assert!((w[0] - 0.5 * (1.0 + 0.5 / r)).abs() < 1e-12);
        assert!((w[1] + 0.5 * 0.5 / r).abs() < 1e-12);
        // One estimate alone is Euler's exponential step, and all weights together are always that.
        assert!((dpm.prediction(&[here], here, there)[0] - 0.5).abs() < 1e-12);
        for solver in [Solver::Dpm, Solver::Dpm3, Solver::UniPc] {
            let m = Multistep::of(solver).unwrap();
            let w = m.prediction(&[2.0, 8.0, 30.0][..m.order], here, there);
            assert!((w.iter().sum::<f64>() - 0.5).abs() < 1e-12, "{solver:?}");
        }
    }
}
