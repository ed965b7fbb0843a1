//! The square of a complex field that is given by its coefficients: what a quadratic equation asks of the transforms.

use std::sync::Arc;

use rustfft::num_complex::Complex64;
use rustfft::{Fft, FftPlanner};

/// Rows that are turned into columns, or back, together: their coefficients fill whole lines of the cache, and the rows
/// stay in the nearest cache from one transform to the next.
const ROWS: usize = 8;

/// Plans and scratch.
///
/// A complex field has independent coefficients at `k` and `-k`: `2 kmax + 1` columns, `kx` at `kx` for `kx >= 0` and at
/// `2 kmax + 1 + kx` below, `[column][ky]`.
#[derive(Clone)]
pub(super) struct Square {
    n: usize,
    kmax: usize,
    forward: Arc<dyn Fft<f64>>,
    inverse: Arc<dyn Fft<f64>>,
    /// `[column][ky]`, coefficients before and after.
    columns: Vec<Complex64>,
    /// `[column][y]`.
    between: Vec<Complex64>,
    /// A copy of column 0, where a mode and its mirror image stand in the same column.
    first: Vec<Complex64>,
    /// Some rows before their transform; zero at wavenumbers that are not resolved.
    spectra: Vec<Complex64>,
    rows: Vec<Complex64>,
    scratch: Vec<Complex64>,
}

impl Square {
    pub fn new(n: usize, kmax: usize) -> Self {
        let mut planner = FftPlanner::<f64>::new();
        let forward = planner.plan_fft_forward(n);
        let inverse = planner.plan_fft_inverse(n);
        let scratch = [&forward, &inverse]
            .into_iter()
            .flat_map(|fft| {
                [
                    fft.get_inplace_scratch_len(),
                    fft.get_outofplace_scratch_len(),
                    fft.get_immutable_scratch_len(),
                ]
            })
            .max()
            .unwrap_or(0);
        let zeros = |len: usize| vec![Complex64::ZERO; len];
        Self {
            n,
            kmax,
            columns: zeros((2 * kmax + 1) * n),
            first: zeros(n),
            between: zeros((2 * kmax + 1) * n),
            spectra: zeros(ROWS * n),
            rows: zeros(ROWS * n),
            scratch: zeros(scratch),
            forward,
            inverse,
        }
    }

    /// Rows `first..first + R` of [`Self::between`].
    fn square_rows<const R: usize>(&mut self, first: usize) {
        let Self { n, kmax, .. } = *self;
        let spectra = &mut self.spectra[..R * n];
        let rows = &mut self.rows[..R * n];
        let (positive, negative) = self.between.split_at_mut((kmax + 1) * n);
        let mut places = [(0, positive), (n - kmax, negative)];
        for (start, columns) in &places {
            for (x, column) in columns.chunks_exact(n).enumerate() {
                if let Some(values) = column[first..].first_chunk::<R>() {
                    for (row, value) in spectra.chunks_exact_mut(n).zip(values) {
                        row[start + x] = *value;
                    }
                }
            }
        }
        self.inverse
            .process_immutable_with_scratch(spectra, rows, &mut self.scratch);
        for w in &mut *rows {
            *w = Complex64::new(w.re * w.re - w.im * w.im, 2.0 * (w.re * w.im));
        }
        self.forward.process_with_scratch(rows, &mut self.scratch);
        for (start, columns) in &mut places {
            for (x, column) in columns.chunks_exact_mut(n).enumerate() {
                if let Some(values) = column[first..].first_chunk_mut::<R>() {
                    for (row, value) in rows.chunks_exact(n).zip(values) {
                        *value = row[*start + x];
                    }
                }
            }
        }
    }

    /// The columns of `kx = i` and `kx = -i`.
    pub fn pair(&mut self, i: usize) -> Pair<'_> {
        let n = self.n;
        let (here, mirror) = if i == 0 {
            self.first.copy_from_slice(&self.columns[..n]);
            (&mut self.columns[..n], &mut self.first[..])
        } else {
            let (left, right) = self.columns.split_at_mut((self.kmax + 1) * n);
            (
                &mut left[i * n..][..n],
                &mut right[(self.kmax - i) * n..][..n],
            )
        };
        Pair {
            here,
            mirror,
            first: i == 0,
        }
    }

    /// The coefficients of `w` become those of `w^2`, times `n^2`.
    pub fn square(&mut self) {
        let Self { n, kmax, .. } = *self;
        self.inverse.process_outofplace_with_scratch(
            &mut self.columns,
            &mut self.between,
            &mut self.scratch,
        );
        let whole = n - n % ROWS;
        for first in (0..whole).step_by(ROWS) {
            self.square_rows::<ROWS>(first);
        }
        for first in whole..n {
            self.square_rows::<1>(first);
        }
        self.forward.process_outofplace_with_scratch(
            &mut self.between,
            &mut self.columns,
            &mut self.scratch,
        );
        // Dealiasing: what is not resolved is not there in the next field either.
        for column in self.columns.chunks_exact_mut(n) {
            column[kmax + 1..n - kmax].fill(Complex64::ZERO);
        }
    }
}

/// The columns of `kx` and `-kx`.
pub(super) struct Pair<'a> {
    here: &'a mut [Complex64],
    mirror: &'a mut [Complex64],
    first: bool,
}

impl Pair<'_> {
    /// The coefficient of the mode whose `ky` is at `j`, and the conjugate of that of its mirror image.
    #[inline]
    pub fn get(&self, j: usize) -> (Complex64, Complex64) {
        (self.here[j], self.mirror[self.mirrored(j)].conj())
    }

    /// Puts the complex velocity of a mode there: `(kx + i ky) q`, with `q` the vorticity over `k^2`.
    #[inline]
    pub fn put(&mut self, j: usize, kx: f64, ky: f64, q: Complex64) {
        let mirrored = self.mirrored(j);
        self.here[j] = Complex64::new(kx * q.re - ky * q.im, kx * q.im + ky * q.re);
        if !self.first {
            self.mirror[mirrored] = Complex64::new(-kx * q.re - ky * q.im, kx * q.im - ky * q.re);
        }
    }

    fn mirrored(&self, j: usize) -> usize {
        if j == 0 { 0 } else { self.here.len() - j }
    }
}
