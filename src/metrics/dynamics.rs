//! Whether a series moves as the physics says.

/// Sums over steps `x_n -> x_{n+1}` with the solver's answer `G(x_n)` (one frame without forcing), from which dynamics
/// skill, `a` and residual follow. With `d = G(x_n) - x_n`, `e = x_{n+1} - x_n`:
///
/// * skill `1 - sum (e - d)^2 / sum e^2`: how much better physics predicts the next frame than persistence does. Truth
///   at `vorticity-64` has 0.56-0.58 (the rest is forcing); frozen or jittering frames 0 or less.
/// * `a = sum d e / sum d d`: 1 for truth. It misleads alone: unrelated frames reach 0.75, with a large residual.
/// * residual: rms of `e - a d`; for truth that of the forcing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Dynamics {
    dd: f64,
    de: f64,
    ee: f64,
    count: f64,
}

impl Dynamics {
    /// All steps of a series, oldest frame first; `unforced` is `G`.
    pub fn of(frames: &[&[f32]], mut unforced: impl FnMut(&[f32]) -> Vec<f32>) -> Self {
        let mut sums = Self::default();
        for pair in frames.windows(2) {
            sums.push(pair[0], pair[1], &unforced(pair[0]));
        }
        sums
    }

    /// Adds one step. Cells that one of the three does not have are left out.
    pub fn push(&mut self, now: &[f32], next: &[f32], unforced: &[f32]) {
        for ((&x, &y), &g) in now.iter().zip(next).zip(unforced) {
            let x = f64::from(x);
            let (d, e) = (f64::from(g) - x, f64::from(y) - x);
            self.dd += d * d;
            self.de += d * e;
            self.ee += e * e;
            self.count += 1.0;
        }
    }

    /// Adds the steps of another member.
    pub fn merge(&mut self, other: &Self) {
        self.dd += other.dd;
        self.de += other.de;
        self.ee += other.ee;
        self.count += other.count;
    }

    /// Dynamics skill; `None` where nothing moved (frozen frames) or values are not finite.
    pub fn skill(&self) -> Option<f64> {
        let missed = self.ee - 2.0 * self.de + self.dd;
        finite(1.0 - missed / self.ee)
    }

    /// Regression coefficient; `None` where the solver predicts no motion.
    pub fn a(&self) -> Option<f64> {
        finite(self.de / self.dd)
    }

    /// Rms of what the regression leaves, in the units of the field; `None` where `a` is undefined.
    pub fn residual(&self) -> Option<f64> {
        let a = self.a()?;
        let square = self.ee - 2.0 * a * self.de + a * a * self.dd;
        finite((square.max(0.0) / self.count).sqrt())
    }
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
