//! A step along the flow of the law from burn's operations, on any device, guided on its way or not.
//!
//! The weights are those of [`super::judged`], computed once for a step and kept on the device: what is left are three
//! transforms and some sums.

use std::rc::Rc;

use burn::tensor::{Tensor, TensorData};

use super::judged::{Key, Strengths};
use super::{Advance, Guide, Guided, Judged, Law};

/// Steps whose weights are kept on the device: those of two settings, the way down from pure noise with them.
pub(super) const KEPT: usize = 32;

/// Weights of one coefficient, in the order in which they lie on the device.
const EACH: usize = 14;

/// Weights of a step, `[1 or rows, EACH, n, n]`, and the logit's part that does not depend on the row.
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
        let mut to = sum(w.at(8) * x.clone(), told(9));
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
            let squares = w.at(12) * x.clone() * x.clone() - w.at(13) * off.clone() * off;
            logit = by_row(squares).add_scalar(w.logarithms).mul_scalar(0.5);
            let guidance = sum(w.at(2) * x.clone() + w.at(3) * estimate.clone(), told(4));
            let score = estimate - x.clone();
            let norm = |t: Tensor<4>| by_row(t.clone() * t).sqrt();
            ratio = norm(guidance) / norm(score);
        }
        if let Some(own) = own.filter(|_| guide.is_some() || step.to > 0.0) {
            let r = sum(w.at(5) * x + w.at(6) * own, told(7));
            to = to + w.at(10) * r.clone();
            if let Some((before, _)) = step.before {
                to = to + w.at(11) * before.clone();
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
    ) -> Rc<OnDevice> {
        let told: Vec<(Strengths, Option<f64>)> = (0..rows)
            .map(|row| (Strengths::of(step, guide, row), step.before_of(row)))
            .collect();
        let mut keys: Vec<Key> = told
            .iter()
            .map(|(strengths, earlier)| strengths.key(m, step, *earlier))
            .collect();
        if keys.windows(2).all(|pair| pair[0] == pair[1]) {
            keys.truncate(1);
        }
        let mut kept = self.on_device.borrow_mut();
        if let Some(known) = kept.get(&keys) {
            return Rc::clone(known);
        }
        if kept.len() >= KEPT {
            kept.clear();
        }
        let n = self.shells.n;
        let mut values = Vec::with_capacity(keys.len() * EACH * n * n);
        let mut logarithms = 0.0;
        for (strengths, earlier) in &told[..keys.len()] {
            let weights = self.guided_weights(m, *strengths, step, *earlier);
            let by_group: Vec<[f32; EACH]> = weights.iter().map(listed).collect();
            for i in 0..EACH {
                values.extend(self.shells.groups().iter().map(|&g| by_group[g][i]));
            }
            // The same for all rows: it depends on the noise level alone.
            logarithms = self.fourier.logarithms(&weights);
        }
        let data = TensorData::new(values, [keys.len(), EACH, n, n]);
        let weights = Rc::new(OnDevice {
            all: Tensor::from_data(data, &self.device),
            logarithms: logarithms as f32,
        });
        kept.insert(keys, Rc::clone(&weights));
        weights
    }
}
