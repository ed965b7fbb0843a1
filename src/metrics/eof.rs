//! Empirical orthogonal functions: the directions along which frames vary most.
//!
//! Frames are centred and multiplied by the root of the cells' weights (`sqrt(cos lat)` up to a constant on the globe).
//! Singular values s of that matrix give eigenvalues `s^2 / (N - 1)`. Only the leading ones are asked for, so the matrix
//! is never squared nor decomposed: [`eofs`] runs a block Krylov iteration (Lanczos in blocks of 8, fully
//! orthogonalised, restarted with the best directions so far), one pass over the frames a step. Blocks also find
//! directions of equal variance, which come in groups of up to 8 on a torus. The iteration ends when every asked
//! direction is one to 1e-10 of the largest eigenvalue, or when it has all directions there are.

use rayon::prelude::*;

use super::linalg::{Eigen, add_scaled, dot, orthogonalise, symmetric_eigen};
use super::weights::Weights;
use crate::random::{NoiseKey, Stream};

/// Directions that one pass over the frames serves.
const BLOCK: usize = 8;

/// Directions kept before a restart.
const BASIS: usize = 160;

/// Restarts at most; a spectrum that is flat to the last digit would ask for more.
const RESTARTS: usize = 30;

/// What is left of `C v - lambda v`, relative to the largest eigenvalue, where a direction counts as found.
const FOUND: f64 = 1e-10;

/// Parts of the sum over frames: fixed, so that the result does not depend on the number of threads.
const PARTS: usize = 8;

/// Leading EOFs.
#[derive(Debug, Clone, PartialEq)]
pub struct Eofs {
    /// `[mode][cell]`, of length 1 each and orthogonal, of the frames multiplied by the root of the weights. The entry
    /// of largest size is positive.
    pub patterns: Vec<Vec<f64>>,
    /// Variance along each, weighted sum over cells, largest first (units of the field squared).
    pub eigenvalues: Vec<f64>,
    /// Their shares of `total_variance`.
    pub fractions: Vec<f64>,
    /// Weighted sum of all cells' variances, denominator N - 1.
    pub total_variance: f64,
    /// Mean frame.
    pub mean: Vec<f64>,
    /// Number of frames.
    pub frames: usize,
    /// Largest of what is left of `C v - lambda v`, relative to the largest eigenvalue; of a stream the share of the
    /// sum of squares that was dropped.
    pub residual: f64,
    /// Root of each cell's weight.
    pub(super) roots: Vec<f64>,
}

/// The `modes` leading EOFs, or as many as the frames have directions. `None` where frames differ in size, hold a value
/// that is not finite, or do not vary (a single frame, constant fields), where the weights do not fit, or for 0 modes.
pub fn eofs(frames: &[&[f32]], weights: Weights, modes: usize) -> Option<Eofs> {
    let cells = frames.first()?.len();
    let unfit = |f: &&[f32]| f.len() != cells || f.iter().any(|v| !v.is_finite());
    if cells == 0 || modes == 0 || !weights.fit(cells) || frames.iter().any(unfit) {
        return None;
    }
    let roots: Vec<f64> = (0..cells).map(|c| weights.of(c).max(0.0).sqrt()).collect();
    let data = Data::new(frames, &roots);
    let (largest_possible, squares) = (modes.min(cells), data.squares());
    // What rounding leaves of constant cells is no variance.
    let size: f64 = data
        .mean
        .iter()
        .zip(&roots)
        .map(|(m, r)| (m * r).powi(2))
        .sum();
    if squares <= 1e-26 * size * frames.len() as f64 || squares <= 0.0 {
        return None;
    }
    let found = Krylov::new(&data).run(largest_possible)?;
    Some(found.finish(squares, data.mean.clone(), frames.len(), roots))
}

/// Directions with their sums of squares, before they are normalised and cut.
pub(super) struct Found {
    pub values: Vec<f64>,
    pub patterns: Vec<Vec<f64>>,
    pub residual: f64,
}

impl Found {
    /// Eigenvalues from sums of squares; drops directions along which nothing varies.
    pub(super) fn finish(
        self,
        squares: f64,
        mean: Vec<f64>,
        frames: usize,
        roots: Vec<f64>,
    ) -> Eofs {
        let degrees = frames as f64 - 1.0;
        let live = self.values.iter().take_while(|v| **v > 1e-13 * squares);
        let values: Vec<f64> = live.copied().collect();
        let mut patterns = self.patterns;
        patterns.truncate(values.len());
        for pattern in &mut patterns {
            let largest = pattern
                .iter()
                .fold(0.0_f64, |m, v| if v.abs() > m.abs() { *v } else { m });
            if largest < 0.0 {
                pattern.iter_mut().for_each(|v| *v = -*v);
            }
        }
        Eofs {
            patterns,
            fractions: values.iter().map(|v| v / squares).collect(),
            eigenvalues: values.iter().map(|v| v / degrees).collect(),
            total_variance: squares / degrees,
            mean,
            frames,
            residual: self.residual,
            roots,
        }
    }
}

impl Eofs {
    /// What the field looks like at one standard deviation of a mode, by cell, in the units of the field:
    /// `pattern sqrt(eigenvalue) / sqrt(weight)`. NaN in cells without weight; `None` without such a mode.
    pub fn map(&self, mode: usize) -> Option<Vec<f64>> {
        let size = self.eigenvalues.get(mode)?.sqrt();
        let of = |(v, r): (&f64, &f64)| if *r > 0.0 { size * v / r } else { f64::NAN };
        Some(
            self.patterns
                .get(mode)?
                .iter()
                .zip(&self.roots)
                .map(of)
                .collect(),
        )
    }

    /// How far a frame lies along each mode (its principal components, variance = eigenvalue). `None` where it has
    /// another number of cells.
    pub fn project(&self, frame: &[f32]) -> Option<Vec<f64>> {
        if frame.len() != self.mean.len() {
            return None;
        }
        let away: Vec<f64> = frame
            .iter()
            .zip(&self.mean)
            .zip(&self.roots)
            .map(|((&x, m), r)| (f64::from(x) - m) * r)
            .collect();
        Some(self.patterns.iter().map(|p| dot(&away, p)).collect())
    }
}

/// The frames as a matrix that is only ever applied.
struct Data<'a> {
    frames: &'a [&'a [f32]],
    mean: Vec<f64>,
    roots: &'a [f64],
}

impl<'a> Data<'a> {
    fn new(frames: &'a [&'a [f32]], roots: &'a [f64]) -> Self {
        let mut mean = vec![0.0; roots.len()];
        for frame in frames {
            for (m, &v) in mean.iter_mut().zip(*frame) {
                *m += f64::from(v);
            }
        }
        mean.iter_mut().for_each(|m| *m /= frames.len() as f64);
        Self {
            frames,
            mean,
            roots,
        }
    }

    /// Weighted sum of squared deviations from the mean.
    fn squares(&self) -> f64 {
        let of = |frame: &&[f32]| -> f64 {
            let cells = frame.iter().zip(&self.mean).zip(self.roots);
            cells
                .map(|((&x, m), r)| ((f64::from(x) - m) * r).powi(2))
                .sum()
        };
        self.frames.iter().map(of).sum()
    }

    /// `C v` of up to [`BLOCK`] directions: each frame's deviation times how far the direction lies along it.
    fn apply(&self, directions: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let mut lanes = vec![[0.0; BLOCK]; self.roots.len()];
        for (k, direction) in directions.iter().enumerate() {
            for ((lane, v), r) in lanes.iter_mut().zip(direction).zip(self.roots) {
                lane[k] = v * r;
            }
        }
        let part = |frames: &[&[f32]]| {
            let mut out = vec![[0.0; BLOCK]; lanes.len()];
            let mut away = vec![0.0; lanes.len()];
            for frame in frames {
                let mut along = [0.0; BLOCK];
                for (((a, &x), m), lane) in away.iter_mut().zip(*frame).zip(&self.mean).zip(&lanes)
                {
                    *a = f64::from(x) - m;
                    for k in 0..BLOCK {
                        along[k] += *a * lane[k];
                    }
                }
                for (out, a) in out.iter_mut().zip(&away) {
                    for k in 0..BLOCK {
                        out[k] += *a * along[k];
                    }
                }
            }
            out
        };
        let length = self.frames.len().div_ceil(PARTS);
        let parts: Vec<_> = self.frames.par_chunks(length).map(part).collect();
        let column = |k: usize| {
            let cell = |(c, r): (usize, &f64)| parts.iter().map(|p| p[c][k]).sum::<f64>() * r;
            self.roots.iter().enumerate().map(cell).collect()
        };
        (0..directions.len()).map(column).collect()
    }
}

/// A growing orthonormal basis and the operator within it.
struct Krylov<'a> {
    data: &'a Data<'a>,
    basis: Vec<Vec<f64>>,
    /// `basis^T C basis` of the directions that the operator was applied to: the first so many.
    inner: Vec<Vec<f64>>,
    /// Largest length of a `C v` so far.
    scale: f64,
}

impl<'a> Krylov<'a> {
    fn new(data: &'a Data<'a>) -> Self {
        Self {
            data,
            basis: Vec::new(),
            inner: Vec::new(),
            scale: 0.0,
        }
    }

    fn run(mut self, modes: usize) -> Option<Found> {
        let cells = self.data.roots.len();
        let room = BASIS.max(2 * modes + 2 * BLOCK).min(cells);
        let mut start: Vec<Vec<f64>> = (0..BLOCK.min(cells)).map(|k| noise(k, cells)).collect();
        // A first application leaves out what the frames cannot have (cells without weight).
        start = self.data.apply(&start);
        let longest = start.iter().map(|v| dot(v, v)).fold(0.0, f64::max).sqrt();
        self.extend(start, 1e-13 * longest);
        let mut restarts = 0;
        loop {
            let from = self.inner.len();
            let images = self.data.apply(&self.basis[from..]);
            let couplings = self.grow(images);
            let found = symmetric_eigen(self.inner.clone())?;
            let residual = self.residual(&found, &couplings, modes);
            let exhausted = self.basis.len() == self.inner.len();
            if exhausted || residual <= FOUND || restarts == RESTARTS {
                return Some(self.answer(&found, modes, residual));
            }
            if room < cells && self.basis.len() + BLOCK > room {
                restarts += 1;
                self.restart(&found, modes + BLOCK);
            }
        }
    }

    /// Adds what is new in `vectors` to the basis. Returns, for each vector, its parts along the new directions.
    fn extend(&mut self, vectors: Vec<Vec<f64>>, floor: f64) -> Vec<Vec<f64>> {
        let old = self.basis.len();
        let mut parts = Vec::new();
        for mut vector in vectors {
            let mut along = orthogonalise(&mut vector, &self.basis).split_off(old);
            let length = dot(&vector, &vector).sqrt();
            if length > floor && length > 0.0 {
                vector.iter_mut().for_each(|v| *v /= length);
                // Dividing what is almost nothing brings its rounding back.
                orthogonalise(&mut vector, &self.basis);
                let again = dot(&vector, &vector).sqrt();
                vector.iter_mut().for_each(|v| *v /= again);
                along.push(length);
                self.basis.push(vector);
            }
            parts.push(along);
        }
        parts
    }

    /// Takes the images of the newest directions: the operator within the basis grows, and so does the basis.
    fn grow(&mut self, images: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
        let from = self.inner.len();
        let all = self.basis.len();
        for row in &mut self.inner {
            row.resize(all, 0.0);
        }
        self.inner.resize(all, vec![0.0; all]);
        for (k, image) in images.iter().enumerate() {
            self.scale = self.scale.max(dot(image, image).sqrt());
            for i in 0..all {
                let entry = dot(image, &self.basis[i]);
                if i < from {
                    self.inner[i][from + k] = entry;
                    self.inner[from + k][i] = entry;
                } else {
                    // Both halves of the square come: their mean.
                    self.inner[i][from + k] += 0.5 * entry;
                    self.inner[from + k][i] += 0.5 * entry;
                }
            }
        }
        self.extend(images, 1e-14 * self.scale)
    }

    /// Largest `|C v - lambda v|` over the wanted directions, relative to the largest eigenvalue. It lies in the part of
    /// the newest images outside of the basis that they came from.
    fn residual(&self, found: &Eigen, couplings: &[Vec<f64>], modes: usize) -> f64 {
        let first = self.inner.len() - couplings.len();
        let largest = found.values.first().copied().unwrap_or(0.0);
        let outside = |vector: &Vec<f64>| {
            let mut sums = [0.0; BLOCK];
            for (part, share) in couplings.iter().zip(&vector[first..]) {
                for (s, p) in sums.iter_mut().zip(part) {
                    *s += share * p;
                }
            }
            sums.iter().map(|s| s * s).sum::<f64>().sqrt()
        };
        let wanted = found.vectors.iter().take(modes).map(outside);
        let worst = wanted.fold(0.0_f64, f64::max);
        // Fewer directions than asked for are not an answer yet.
        if found.vectors.len() < modes {
            return f64::INFINITY;
        }
        if largest > 0.0 { worst / largest } else { 0.0 }
    }

    fn combine(&self, vector: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; self.data.roots.len()];
        for (share, direction) in vector.iter().zip(&self.basis) {
            add_scaled(&mut out, *share, direction);
        }
        out
    }

    /// Keeps the best directions so far and the newest block, which the operator was not applied to yet.
    fn restart(&mut self, found: &Eigen, kept: usize) {
        let kept = kept.min(found.vectors.len());
        let newest = self.basis.split_off(self.inner.len());
        let best: Vec<Vec<f64>> = found.vectors[..kept]
            .iter()
            .map(|v| self.combine(v))
            .collect();
        self.inner = (0..kept)
            .map(|i| {
                let mut row = vec![0.0; kept];
                row[i] = found.values[i];
                row
            })
            .collect();
        self.basis = best;
        self.basis.extend(newest);
    }

    fn answer(&self, found: &Eigen, modes: usize, residual: f64) -> Found {
        let wanted = modes.min(found.values.len());
        Found {
            values: found.values[..wanted].to_vec(),
            patterns: found.vectors[..wanted]
                .iter()
                .map(|v| self.combine(v))
                .collect(),
            residual: if residual.is_finite() { residual } else { 0.0 },
        }
    }
}

/// A direction without preference.
fn noise(k: usize, cells: usize) -> Vec<f64> {
    let mut vector = vec![0.0; cells];
    NoiseKey {
        seed: 0,
        stream: Stream::Directions,
        member: k as u32,
        frame: 0,
        step: 0,
    }
    .normal_f64(&mut vector);
    vector
}
