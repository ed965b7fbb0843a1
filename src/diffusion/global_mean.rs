//! The global mean in the closed form of the globe.
//!
//! Errors of a forecast that are drawn independently for every wavelet coefficient add up to a global mean of rain that
//! jumps from day to day: evaporation and the energy budget hold the true one together, so that what a region gets too
//! much others get too little. With `u` the gradient of the global mean at the forecast, in the wavelet basis, and `S` the
//! independent variances, the law of the errors has the covariance
//!
//! `C = S - (1 - r) S u u^T S / (u^T S u)`,
//!
//! in which the error of the global mean has the share `r` of the variance that independence gives it, and every other
//! direction that is not correlated with it is as before. `(C + s^2)^-1` and the determinant follow by Sherman and
//! Morrison.

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::data::Amounts;
use crate::data::amounts::Transform;
use crate::data::dataset::NORMALISED_STD;
use crate::field::Globe;

/// What calibration measures of it; kept in the model's card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlobalMean {
    /// `r`, for history lengths 0..=3.
    pub ratio: Vec<f32>,
    /// What was measured on the validation days, to first order: variance of the global mean's error divided by what
    /// independent coefficients give. A rollout needs less, since the image model's own detail is added and a cube is not
    /// straight.
    pub measured: Vec<f32>,
}

/// How the global mean depends on the cells.
#[derive(Debug, Clone)]
pub struct Sensitivity {
    /// Area weight of each cell times the standard deviation of its transformed amount, `[1, 1, ny, nx]`.
    weight: Tensor<4>,
    mean: Tensor<4>,
    std: Tensor<4>,
    transform: Transform,
}

impl Sensitivity {
    /// Of the amounts on a grid.
    pub fn new(amounts: &Amounts, grid: &Globe, device: &Device) -> Self {
        let (ny, nx) = (grid.ny(), grid.nx);
        let tensor = |v: Vec<f32>| Tensor::from_data(TensorData::new(v, [1, 1, ny, nx]), device);
        let rows = grid.row_weights();
        let total: f64 = rows.iter().sum::<f64>() * nx as f64;
        let weight = amounts
            .std
            .chunks_exact(nx)
            .zip(rows)
            .flat_map(|(row, w)| row.iter().map(move |s| (f64::from(*s) * w / total) as f32))
            .collect();
        let std = amounts.std.iter().map(|s| s / NORMALISED_STD as f32);
        Self {
            weight: tensor(weight),
            mean: tensor(amounts.mean.clone()),
            std: tensor(std.collect()),
            transform: amounts.transform,
        }
    }

    /// The gradient of the expected global mean at normalised cells `[rows, 1, ny, nx]` of which the share `missed` of
    /// the climatological variance is open; up to a factor, which the law does not depend on.
    pub fn gradient(&self, cells: Tensor<4>, missed: f32) -> Tensor<4> {
        let y = (cells * self.std.clone() + self.mean.clone()).clamp_min(0.0);
        let open = self.std.clone().square() * (missed * (NORMALISED_STD * NORMALISED_STD) as f32);
        let slope = match self.transform {
            // The derivative of E y^3 = y^3 + 3 y v.
            Transform::CubeRoot => y.square() + open,
            Transform::Log { .. } => (y + open * 0.5).exp(),
        };
        slope * self.weight.clone()
    }
}

/// The covariance of the errors of one forecast.
#[derive(Debug, Clone)]
pub struct Joint {
    /// `S u`, `[rows, 1, ny, nx]`.
    v: Tensor<4>,
    /// `(1 - r) / (u^T S u)`, `[rows, 1, 1, 1]`.
    k: Tensor<4>,
    u: Tensor<4>,
    ratio: f32,
}

/// Sum over cells, `[rows, 1, 1, 1]`.
fn total(x: Tensor<4>) -> Tensor<4> {
    x.sum_dim(3).sum_dim(2)
}

impl Joint {
    /// From the gradient and the independent variances, both in the wavelet basis.
    pub fn new(u: Tensor<4>, s: &Tensor<4>, ratio: f32) -> Self {
        let v = u.clone() * s.clone();
        let q = total(u.clone() * v.clone()).clamp_min(1e-30);
        Self {
            k: q.recip() * (1.0 - ratio),
            v,
            u,
            ratio,
        }
    }

    /// With `a = S + s^2` and `w = off / a`: what `(C + s^2)^-1 off` has beyond `w`; what the quadratic form has beyond
    /// its own, `[rows, 1, 1, 1]`; and the logarithm of `det (C + s^2) / det a`, `[rows, 1, 1, 1]`.
    pub fn beyond(&self, w: &Tensor<4>, a: &Tensor<4>) -> (Tensor<4>, Tensor<4>, Tensor<4>) {
        let p = self.v.clone() / a.clone();
        let rest = (total(self.v.clone() * p.clone()) * self.k.clone())
            .neg()
            .add_scalar(1.0)
            .clamp_min(1e-6);
        let along = total(self.v.clone() * w.clone());
        let factor = self.k.clone() * along.clone() / rest.clone();
        (p * factor.clone(), factor * along, rest.log())
    }

    /// An error drawn from `S` made one of `C`.
    pub fn tame(&self, error: Tensor<4>) -> Tensor<4> {
        let along = total(self.u.clone() * error.clone());
        // 1 - sqrt r of what lies along the global mean is taken away.
        let share = (1.0 - self.ratio.sqrt()) / (1.0 - self.ratio);
        let share = if share.is_finite() { share } else { 0.5 };
        error - self.v.clone() * (along * self.k.clone() * share)
    }

    /// `(u . error)^2` and `u^T S u`, of each row.
    pub fn measure(&self, error: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        (
            total(self.u.clone() * error),
            total(self.u.clone() * self.v.clone()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diffusion::to_vec;

    const N: usize = 6;

    fn tensor(v: &[f32]) -> Tensor<4> {
        Tensor::from_data(TensorData::new(v.to_vec(), [1, 1, 1, N]), &Device::flex())
    }

    /// `C + s^2`, dense.
    fn dense(u: &[f32], s: &[f32], ratio: f32, s2: f32) -> Vec<Vec<f64>> {
        let v: Vec<f64> = u.iter().zip(s).map(|(u, s)| f64::from(u * s)).collect();
        let q: f64 = u.iter().zip(&v).map(|(u, v)| f64::from(*u) * v).sum();
        (0..N)
            .map(|i| {
                (0..N)
                    .map(|j| {
                        let own = if i == j { f64::from(s[i] + s2) } else { 0.0 };
                        own - f64::from(1.0 - ratio) * v[i] * v[j] / q
                    })
                    .collect()
            })
            .collect()
    }

    /// Solution of `a x = b` and `ln det a` by elimination (positive definite).
    fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> (Vec<f64>, f64) {
        let mut log_det = 0.0;
        for i in 0..N {
            log_det += a[i][i].ln();
            let pivot = a[i].clone();
            for j in i + 1..N {
                let f = a[j][i] / pivot[i];
                for (x, above) in a[j].iter_mut().zip(&pivot) {
                    *x -= f * above;
                }
                b[j] -= f * b[i];
            }
        }
        for i in (0..N).rev() {
            let known: f64 = (i + 1..N).map(|k| a[i][k] * b[k]).sum();
            b[i] = (b[i] - known) / a[i][i];
        }
        (b, log_det)
    }

    #[test]
    fn agrees_with_the_dense_matrix() {
        let u = [0.5, -1.0, 2.0, 0.1, 0.0, 1.5];
        let s = [0.2, 0.7, 0.1, 1.0, 0.4, 0.3];
        let off = [0.3, -0.2, 1.0, 0.5, -0.7, 0.1];
        for (ratio, s2) in [(0.25f32, 0.01f32), (0.25, 4.0), (1.8, 0.3), (1.0, 1.0)] {
            let joint = Joint::new(tensor(&u), &tensor(&s), ratio);
            let a = tensor(&s).add_scalar(s2);
            let w = tensor(&off) / a.clone();
            let (more, square, det) = joint.beyond(&w, &a);
            let b = off.iter().map(|v| f64::from(*v)).collect();
            let (exact, log_det) = solve(dense(&u, &s, ratio, s2), b);
            let got = to_vec(w.clone() + more);
            for (g, e) in got.iter().zip(&exact) {
                assert!((f64::from(*g) - e).abs() < 1e-4, "{ratio} {s2}: {g} {e}");
            }
            let form: f64 = exact.iter().zip(off).map(|(e, o)| e * f64::from(o)).sum();
            let own: f32 = to_vec(w * tensor(&off)).iter().sum();
            assert!((f64::from(own + to_vec(square)[0]) - form).abs() < 1e-3 * form);
            let own: f32 = to_vec(a.log()).iter().sum();
            assert!((f64::from(own + to_vec(det)[0]) - log_det).abs() < 1e-3);
        }
    }

    #[test]
    fn a_tame_error_has_its_share_along_the_global_mean_and_keeps_the_rest() {
        let u = [0.5, -1.0, 2.0, 0.1, 0.0, 1.5];
        let s = [0.2, 0.7, 0.1, 1.0, 0.4, 0.3];
        let joint = Joint::new(tensor(&u), &tensor(&s), 0.25);
        let e = [0.3, -0.2, 1.0, 0.5, -0.7, 0.1];
        let tame = to_vec(joint.tame(tensor(&e)));
        let along = |e: &[f32]| -> f32 { u.iter().zip(e).map(|(u, e)| u * e).sum() };
        assert!((along(&tame) - 0.5 * along(&e)).abs() < 1e-5);
        // What is not correlated with the global mean: w with w^T S u = 0.
        let w = [s[1] * u[1], -s[0] * u[0], 0.0, 0.0, 1.0, 0.0];
        let dot = |e: &[f32]| -> f32 { w.iter().zip(e).map(|(w, e)| w * e).sum() };
        assert!((dot(&tame) - dot(&e)).abs() < 1e-5);
    }
}
