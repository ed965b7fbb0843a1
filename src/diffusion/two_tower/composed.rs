//! A step along the flow of the law from burn's operations, on any device, guided on its way or not.
//!
//! The weights are those of [`super::judged`], computed once for a step and kept on the device: what is left are three
//! transforms and some sums.

use burn::tensor::{Int, Tensor, TensorData};

use super::judged::{Key, Strengths};
use super::{Advance, Guide, Guided, Judged, Law};

/// Bytes of weights that are kept on the device.
const MOST: usize = 128 << 20;

/// Weights of one coefficient, in the order in which they lie on the device.
const EACH: usize = 15;

/// Weights of a step, `[1 or rows, EACH, n, n]`, and the logit's part that does not depend on the row.
#[derive(Clone)]
pub(super) struct OnDevice {
    all: Tensor<4>,
    logarithms: f32,
}

impl OnDevice {
    fn at(&self, i: usize) -> Tensor<4> {
        self.all.clone().narrow(1, i, 1)
    }
}

fn listed(w: &Guided) -> [f32; EACH] {
    let ([e0, e1], [g0, g1, g2], [r0, r1, r2]) = (w.estimate, w.guidance, w.remainder);
    [
        e0,
        e1,
        g0,
        g1,
        g2,
        r0,
        r1,
        r2,
        w.scale,
        w.keep,
        w.mean,
        w.now,
        w.before,
        w.marginal,
        w.conditional,
    ]
}

impl Law {
    /// A step; `mean` is the forecast in the spectral basis, which only strengths of 0 can do without. With `guide` the
    /// step's estimate is guided on its way, and a step to 0 ends at it.
    pub(super) fn advance_composed(
        &self,
        step: &Advance<'_>,
        guide: Option<&Guide<'_>>,
        m: usize,
        mean: Option<&Tensor<4>>,
    ) -> Judged {
        let [rows, _, n, _] = step.x.dims();
        let w = self.on_device(rows, step, guide, m);
        let x = self.basis.transform(step.x.clone());
        // `weight * forecast`; 0 without one.
        let told = |i: usize| mean.map(|m| w.at(i) * m.clone());
        let sum = |t: Tensor<4>, other: Option<Tensor<4>>| match other {
            Some(other) => t + other,
            None => t,
        };
        let own = step.estimate.map(|e| self.basis.transform(e.clone()));
        let mut to = sum(w.at(9) * x.clone(), told(10));
        let mut beyond = None;
        let by_row = |t: Tensor<4>| t.reshape([rows, n * n]).sum_dim(1).reshape([rows]);
        let zeros = || Tensor::zeros([rows], &self.device);
        let (mut logit, mut ratio) = (zeros(), zeros());
        if let Some(mean) = mean.filter(|_| guide.is_some()) {
            let estimate = match &own {
                Some(own) => own.clone(),
                None => sum(w.at(0) * x.clone(), told(1)),
            };
            let off = x.clone() - mean.clone();
            let squares = w.at(13) * x.clone() * x.clone() - w.at(14) * off.clone() * off;
            logit = by_row(squares).add_scalar(w.logarithms).mul_scalar(0.5);
            let guidance = sum(w.at(2) * x.clone() + w.at(3) * estimate.clone(), told(4));
            let score = estimate - x.clone();
            let norm = |t: Tensor<4>| by_row(t.clone() * t).sqrt();
            ratio = norm(guidance) / norm(score);
        }
        if let Some(own) = own.filter(|_| guide.is_some() || step.to > 0.0) {
            let r = sum(w.at(6) * own + w.at(5) * x, told(7)) * w.at(8);
            to = to + w.at(11) * r.clone();
            if let Some((before, _)) = step.before {
                to = to + w.at(12) * before.clone();
            }
            beyond = Some(r);
        }
        Judged {
            x: self.basis.transform(to),
            beyond,
            logit,
            ratio,
        }
    }

    /// Weights of a step on the device; of one row where all have the same.
    fn on_device(
        &self,
        rows: usize,
        step: &Advance<'_>,
        guide: Option<&Guide<'_>>,
        m: usize,
    ) -> OnDevice {
        let mut distinct: Vec<(Key, OnDevice)> = Vec::new();
        let of_rows: Vec<i32> = (0..rows)
            .map(|row| {
                let (strengths, earlier) = (Strengths::of(step, guide, row), step.before_of(row));
                let key = strengths.key(m, step, earlier);
                let at = distinct.iter().position(|(k, _)| *k == key);
                at.unwrap_or_else(|| {
                    let weights = self.kept_on_device(key, m, strengths, step, earlier);
                    distinct.push((key, weights));
                    distinct.len() - 1
                }) as i32
            })
            .collect();
        // The same for all rows: it depends on the noise level alone.
        let logarithms = distinct.first().map_or(0.0, |(_, w)| w.logarithms);
        let mut parts: Vec<Tensor<4>> = distinct.into_iter().map(|(_, w)| w.all).collect();
        let all = match parts.len() {
            1 => parts.remove(0),
            _ => {
                let rows =
                    Tensor::<1, Int>::from_data(TensorData::new(of_rows, [rows]), &self.device);
                Tensor::cat(parts, 0).select(0, rows)
            }
        };
        OnDevice { all, logarithms }
    }

    /// Weights of one row; they are computed and carried there once.
    fn kept_on_device(
        &self,
        key: Key,
        m: usize,
        strengths: Strengths,
        step: &Advance<'_>,
        before: Option<f64>,
    ) -> OnDevice {
        let n = self.shells.n;
        let mut kept = self.on_device.borrow_mut();
        if let Some(known) = kept.get(&key) {
            return known.clone();
        }
        if (kept.len() + 1) * EACH * n * n * size_of::<f32>() > MOST {
            kept.clear();
        }
        let weights = self.guided_weights(m, strengths, step, before);
        let by_group: Vec<[f32; EACH]> = weights.iter().map(listed).collect();
        let groups = self.shells.groups();
        let values = (0..EACH).flat_map(|i| groups.iter().map(move |&g| (g, i)));
        let values: Vec<f32> = values.map(|(g, i)| by_group[g][i]).collect();
        let made = OnDevice {
            all: Tensor::from_data(TensorData::new(values, [1, EACH, n, n]), &self.device),
            logarithms: self.fourier.logarithms(&weights) as f32,
        };
        kept.insert(key, made.clone());
        made
    }
}
