//! Figures of values that do not look at neighbours in space or time.

use super::weights::Weights;

/// `sqrt(<mean_n (y_n - x_n)^2>)`. `None` without values, or where the two differ in shape.
pub fn rmse(truth: &[&[f32]], model: &[&[f32]]) -> Option<f64> {
    weighted_rmse(truth, model, Weights::EVEN)
}

/// [`rmse`] with weights; `None` also where they do not fit the frames.
pub fn weighted_rmse(truth: &[&[f32]], model: &[&[f32]], weights: Weights) -> Option<f64> {
    let alike = truth.len() == model.len()
        && truth
            .iter()
            .zip(model)
            .all(|(y, x)| y.len() == x.len() && weights.fit(y.len()));
    if !alike {
        return None;
    }
    let (mut sum, mut count) = (0.0, 0.0);
    for (y, x) in truth.iter().zip(model) {
        for (cell, (&y, &x)) in y.iter().zip(x.iter()).enumerate() {
            let weight = weights.of(cell);
            sum += weight * (f64::from(y) - f64::from(x)).powi(2);
            count += weight;
        }
    }
    (count > 0.0).then(|| (sum / count).sqrt())
}

/// Mean of the model minus mean of truth, by cell. `None` without frames, or where the frames differ in size. The two
/// may have different numbers of frames.
pub fn bias_map(truth: &[&[f32]], model: &[&[f32]]) -> Option<Vec<f64>> {
    let (y, x) = (mean_map(truth)?, mean_map(model)?);
    (y.len() == x.len()).then(|| x.iter().zip(&y).map(|(x, y)| x - y).collect())
}

/// `<|bias|>`, see [`bias_map`].
pub fn mean_absolute_bias(truth: &[&[f32]], model: &[&[f32]]) -> Option<f64> {
    weighted_absolute_bias(truth, model, Weights::EVEN)
}

/// [`mean_absolute_bias`] with weights; `None` also where they do not fit the frames.
pub fn weighted_absolute_bias(truth: &[&[f32]], model: &[&[f32]], weights: Weights) -> Option<f64> {
    let map = bias_map(truth, model)?;
    if !weights.fit(map.len()) {
        return None;
    }
    let (mut sum, mut count) = (0.0, 0.0);
    for (cell, bias) in map.iter().enumerate() {
        sum += weights.of(cell) * bias.abs();
        count += weights.of(cell);
    }
    (count > 0.0).then(|| sum / count)
}

/// Standard deviation over all cells and frames (denominator: their number). `None` without values.
pub fn std(frames: &[&[f32]]) -> Option<f64> {
    let count: usize = frames.iter().map(|f| f.len()).sum();
    if count == 0 {
        return None;
    }
    let n = count as f64;
    let mean = values(frames).sum::<f64>() / n;
    Some((values(frames).map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt())
}

/// Standard deviation of the model over that of truth. `None` where one is undefined or truth's is 0.
pub fn std_ratio(truth: &[&[f32]], model: &[&[f32]]) -> Option<f64> {
    let (y, x) = (std(truth)?, std(model)?);
    (y > 0.0).then(|| x / y)
}

/// `<x^4> / <x^2>^2` about zero (vorticity on a torus has no mean): 3 for a Gaussian. `None` where all values are 0.
pub fn kurtosis(frames: &[&[f32]]) -> Option<f64> {
    let (mut two, mut four, mut n) = (0.0, 0.0, 0.0);
    for v in values(frames) {
        two += v * v;
        four += v.powi(4);
        n += 1.0;
    }
    (two > 0.0).then(|| four * n / (two * two))
}

fn values<'a>(frames: &'a [&'a [f32]]) -> impl Iterator<Item = f64> + 'a {
    frames.iter().copied().flatten().map(|&v| f64::from(v))
}

fn mean_map(frames: &[&[f32]]) -> Option<Vec<f64>> {
    let cells = frames.first()?.len();
    if cells == 0 || frames.iter().any(|f| f.len() != cells) {
        return None;
    }
    let mut mean = vec![0.0; cells];
    for frame in frames {
        for (m, &v) in mean.iter_mut().zip(*frame) {
            *m += f64::from(v);
        }
    }
    for m in &mut mean {
        *m /= frames.len() as f64;
    }
    Some(mean)
}
