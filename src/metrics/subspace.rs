//! Whether two sets of EOFs are the same.
//!
//! Single patterns can be compared only where their eigenvalues are apart. Modes whose eigenvalues differ by no more than
//! their sampling errors explain (North, Bell, Cahalan and Moeng 1982: `lambda sqrt(2 / N)`, N independent frames) may mix
//! in any way, and on a homogeneous torus they always come in such groups: then what must agree is the space that the
//! group spans.

use std::ops::Range;

use super::eof::Eofs;
use super::linalg::{dot, orthogonalise, symmetric_eigen};

/// How a mode of truth is found among the model's.
#[derive(Debug, Clone, PartialEq)]
pub struct EofMatch {
    /// Number of the mode, 0 for the leading one.
    pub mode: usize,
    /// `|a_i . b_i|`: pattern correlation with the model's mode of the same number.
    pub single: f64,
    /// Modes of truth whose eigenvalues cannot be told apart from this one's; the mode alone where none.
    pub group: Range<usize>,
    /// Length of truth's pattern projected onto the space of the model's modes of the group: pattern correlation with
    /// the best mixture of them. Equal to `single` where the group is the mode alone.
    pub subspace: f64,
    /// Cosines of the principal angles between the two spaces of the group, largest first.
    pub cosines: Vec<f64>,
}

/// Compares the `modes` leading modes. Groups reach beyond them as far as both sets have modes: ask [`eofs`](super::eofs)
/// for some more. `independent` is the number of independent frames of truth ([`independent_samples`]). `None` where the
/// sets differ in cells or one has too few modes.
pub fn match_eofs(
    truth: &Eofs,
    model: &Eofs,
    modes: usize,
    independent: f64,
) -> Option<Vec<EofMatch>> {
    let shared = truth.patterns.len().min(model.patterns.len());
    if truth.mean.len() != model.mean.len() || modes == 0 || shared < modes {
        return None;
    }
    let groups = degenerate_groups(&truth.eigenvalues[..shared], independent);
    let of = |mode: usize| {
        let group = groups
            .iter()
            .find(|g| g.contains(&mode))
            .cloned()
            .unwrap_or(mode..mode + 1);
        let pattern = &truth.patterns[mode];
        let theirs = &model.patterns[group.clone()];
        let square: f64 = theirs.iter().map(|b| dot(pattern, b).powi(2)).sum();
        Some(EofMatch {
            mode,
            single: dot(pattern, &model.patterns[mode]).abs().min(1.0),
            subspace: square.sqrt().min(1.0),
            cosines: principal_cosines(&truth.patterns[group.clone()], theirs)?,
            group,
        })
    };
    (0..modes).map(of).collect()
}

/// Neighbouring eigenvalues (largest first) belong together where their error bars of 95 %, `1.96 lambda
/// sqrt(2 / independent)` each, overlap: sample eigenvalues repel each other, so equal ones lie further apart than
/// independent errors would put them. Covers all of them, in order.
pub fn degenerate_groups(eigenvalues: &[f64], independent: f64) -> Vec<Range<usize>> {
    let error = 1.96 * (2.0 / independent.max(1.0)).sqrt();
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut before = f64::NAN;
    for (i, &value) in eigenvalues.iter().enumerate() {
        match groups.last_mut() {
            Some(group) if before - value < error * (before + value) => group.end = i + 1,
            _ => groups.push(i..i + 1),
        }
        before = value;
    }
    groups
}

/// Cosines of the principal angles between the spaces that two sets of vectors span, largest first (scipy's
/// `subspace_angles`, as many as the smaller space has dimensions). `None` where a set is empty or without a direction,
/// or lengths differ.
pub fn principal_cosines(a: &[Vec<f64>], b: &[Vec<f64>]) -> Option<Vec<f64>> {
    let cells = a.first()?.len();
    if a.iter().chain(b).any(|v| v.len() != cells) {
        return None;
    }
    let (a, b) = (orthonormal(a)?, orthonormal(b)?);
    let (few, many) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let product: Vec<Vec<f64>> = few
        .iter()
        .map(|x| many.iter().map(|y| dot(x, y)).collect())
        .collect();
    let square = product
        .iter()
        .map(|x: &Vec<f64>| product.iter().map(|y| dot(x, y)).collect())
        .collect();
    let found = symmetric_eigen(square)?;
    Some(
        found
            .values
            .iter()
            .map(|v| v.clamp(0.0, 1.0).sqrt())
            .collect(),
    )
}

fn orthonormal(vectors: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for vector in vectors {
        let mut left = vector.clone();
        let before = dot(&left, &left).sqrt();
        orthogonalise(&mut left, &basis);
        let length = dot(&left, &left).sqrt();
        if !length.is_finite() {
            return None;
        }
        if length > 1e-12 * before {
            left.iter_mut().for_each(|v| *v /= length);
            basis.push(left);
        }
    }
    (!basis.is_empty()).then_some(basis)
}

/// Number of independent values that a series is worth when variances are estimated: `N (1 - r^2) / (1 + r^2)` with the
/// autocorrelation r at lag 1 (Bretherton et al. 1999). `None` with fewer than 3 values, or where they do not vary.
pub fn independent_samples(series: &[f64]) -> Option<f64> {
    let n = series.len() as f64;
    if series.len() < 3 {
        return None;
    }
    let mean = series.iter().sum::<f64>() / n;
    let variance: f64 = series.iter().map(|v| (v - mean).powi(2)).sum();
    let cross: f64 = series
        .windows(2)
        .map(|p| (p[0] - mean) * (p[1] - mean))
        .sum();
    let r2 = (cross / variance).powi(2);
    (variance > 0.0 && r2.is_finite()).then(|| (n * (1.0 - r2) / (1.0 + r2)).max(1.0))
}
