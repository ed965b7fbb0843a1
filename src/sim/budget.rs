//! Energy and enstrophy, and the rates at which drag and hyperviscosity take them away.

use super::solver::{Solver, State};

/// Energy and enstrophy per unit area: `E = 1/2 sum |c_k|^2 / k^2`, `Z = 1/2 sum |c_k|^2`. Also used for rates and work.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Invariants {
    /// Kinetic energy.
    pub energy: f64,
    /// Enstrophy.
    pub enstrophy: f64,
}

impl std::ops::Add for Invariants {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            energy: self.energy + other.energy,
            enstrophy: self.enstrophy + other.enstrophy,
        }
    }
}

impl std::ops::Mul<f64> for Invariants {
    type Output = Self;
    fn mul(self, factor: f64) -> Self {
        Self {
            energy: self.energy * factor,
            enstrophy: self.enstrophy * factor,
        }
    }
}

/// Content and losses of one state.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Budget {
    /// Energy and enstrophy.
    pub content: Invariants,
    /// Rate of change by drag: `-2 mu E`, `-2 mu Z`.
    pub drag: Invariants,
    /// Rate of change by hyperviscosity of order p: `-nu sum k^(2(p-1)) |c_k|^2`, `-nu sum k^(2p) |c_k|^2`.
    pub hyperviscosity: Invariants,
}

impl Solver {
    /// Content and losses of a state.
    pub fn budget(&self, state: &State) -> Budget {
        let modes = self.modes();
        let p = self.params();
        let mut content = Invariants::default();
        let mut lost = Invariants::default();
        for (index, c) in state.spectrum.iter().enumerate() {
            let power = modes.weight[index] * c.norm_sqr();
            let k2 = modes.k2[index];
            content.energy += 0.5 * power * modes.inverse_k2[index];
            content.enstrophy += 0.5 * power;
            if k2 > 0.0 {
                let damping = k2.powi(p.nu_order as i32 - 1);
                lost.energy += power * damping;
                lost.enstrophy += power * damping * k2;
            }
        }
        Budget {
            content,
            drag: content * (-2.0 * p.mu),
            hyperviscosity: lost * -p.nu,
        }
    }
}
