//! Two-dimensional real FFT of an `n x n` field that keeps only the resolved columns.

use std::sync::Arc;

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::num_complex::Complex64;
use rustfft::{Fft, FftPlanner};

/// Plans and scratch. Rows are transformed with a real FFT, then the `kmax + 1` resolved columns with a complex one;
/// the other third of the columns is never computed.
#[derive(Clone)]
pub(super) struct Fft2 {
    n: usize,
    kmax: usize,
    row_forward: Arc<dyn RealToComplex<f64>>,
    row_inverse: Arc<dyn ComplexToReal<f64>>,
    column_forward: Arc<dyn Fft<f64>>,
    column_inverse: Arc<dyn Fft<f64>>,
    /// `[kx][y]`, contiguous along the column transform.
    columns: Vec<Complex64>,
    real_row: Vec<f64>,
    complex_row: Vec<Complex64>,
    scratch: Vec<Complex64>,
}

impl Fft2 {
    pub fn new(n: usize, kmax: usize) -> Self {
        let mut real = RealFftPlanner::<f64>::new();
        let mut complex = FftPlanner::<f64>::new();
        let row_forward = real.plan_fft_forward(n);
        let row_inverse = real.plan_fft_inverse(n);
        let column_forward = complex.plan_fft_forward(n);
        let column_inverse = complex.plan_fft_inverse(n);
        let scratch = [
            row_forward.get_scratch_len(),
            row_inverse.get_scratch_len(),
            column_forward.get_inplace_scratch_len(),
            column_inverse.get_inplace_scratch_len(),
        ]
        .into_iter()
        .max()
        .unwrap_or(0);
        Self {
            n,
            kmax,
            columns: vec![Complex64::ZERO; (kmax + 1) * n],
            real_row: vec![0.0; n],
            complex_row: vec![Complex64::ZERO; n / 2 + 1],
            scratch: vec![Complex64::ZERO; scratch],
            row_forward,
            row_inverse,
            column_forward,
            column_inverse,
        }
    }

    /// Field `[y][x]` to normalised coefficients `[kx][ky]` of the columns `kx <= kmax`; `field` is `n * n`,
    /// `spectrum` `(kmax + 1) * n` long.
    pub fn forward(&mut self, field: &[f64], spectrum: &mut [Complex64]) {
        let n = self.n;
        for (y, row) in field.chunks_exact(n).enumerate() {
            self.real_row.copy_from_slice(row);
            // Lengths are those of the plan, the only thing that can be wrong.
            let done = self.row_forward.process_with_scratch(
                &mut self.real_row,
                &mut self.complex_row,
                &mut self.scratch,
            );
            debug_assert!(done.is_ok());
            for (i, &c) in self.complex_row[..=self.kmax].iter().enumerate() {
                spectrum[i * n + y] = c;
            }
        }
        self.column_forward
            .process_with_scratch(spectrum, &mut self.scratch);
        let scale = 1.0 / (n * n) as f64;
        for c in spectrum {
            *c *= scale;
        }
    }

    /// Normalised coefficients to the field, the reverse of [`Self::forward`] for resolved fields.
    pub fn inverse(&mut self, spectrum: &[Complex64], field: &mut [f64]) {
        let n = self.n;
        self.columns.copy_from_slice(spectrum);
        self.column_inverse
            .process_with_scratch(&mut self.columns, &mut self.scratch);
        for (y, row) in field.chunks_exact_mut(n).enumerate() {
            for (i, c) in self.complex_row[..=self.kmax].iter_mut().enumerate() {
                *c = self.columns[i * n + y];
            }
            self.complex_row[self.kmax + 1..].fill(Complex64::ZERO);
            // A real row has a real mean; what rounding leaves there would be refused.
            self.complex_row[0].im = 0.0;
            let done = self.row_inverse.process_with_scratch(
                &mut self.complex_row,
                row,
                &mut self.scratch,
            );
            debug_assert!(done.is_ok());
        }
    }
}
