//! The closed form of [`super::two_tower`] on the CPU: the same law in Fourier space, in one pass over the modes.
//!
//! Power and weights depend on the shell alone, so the law is the same in the Hartley basis and in Fourier space, where a
//! fast transform takes a field there: the candidate and the image model's estimate together, as the real and the
//! imaginary part of one complex field, and the shift and the correction back in the same way.

use std::cell::RefCell;
use std::sync::Arc;

use rustfft::num_complex::Complex32;
use rustfft::{Fft, FftPlanner};

use super::basis::Shells;
use super::flow;

/// Side of the squares in which a field is transposed: 64 bytes are a line of the cache.
const TILE: usize = 8;

/// Plans and scratch for fields of `n x n` cells.
pub(super) struct FourierLaw {
    n: usize,
    forward: Arc<dyn Fft<f32>>,
    inverse: Arc<dyn Fft<f32>>,
    /// Group of each coefficient, `[kx][ky]` (the same as `[ky][kx]`), and the number of coefficients in each group.
    groups: Vec<u16>,
    sizes: Vec<usize>,
    work: RefCell<Work>,
}

/// A row's state, its estimate and its remainder of the step before, as [`FourierLaw::advance`] takes them.
pub(super) struct Moved<'a> {
    /// `n * n` cells.
    pub x: &'a [f32],
    /// `n * n` cells; `None` = the law alone.
    pub estimate: Option<&'a [f32]>,
    /// `n * n` coefficients, as an earlier step returned them.
    pub before: Option<&'a [f32]>,
}

struct Work {
    a: Vec<Complex32>,
    b: Vec<Complex32>,
    scratch: Vec<Complex32>,
}

/// What one group's coefficients are told at a noise level; `x`, `d`, `m` are candidate, estimate and forecast.
#[derive(Clone, Copy, Default)]
pub(super) struct Weights {
    /// `shift = shift_x x + shift_m m`.
    pub shift_x: f32,
    /// See [`Self::shift_x`].
    pub shift_m: f32,
    /// `correction = correction_x x + correction_d d`.
    pub correction_x: f32,
    /// See [`Self::correction_x`].
    pub correction_d: f32,
    /// `logit = sum (marginal |x|^2 - conditional |x - m|^2 + logarithm) / 2`.
    pub marginal: f32,
    /// See [`Self::marginal`].
    pub conditional: f32,
    /// See [`Self::marginal`].
    pub logarithm: f64,
}

/// What becomes of one group's coefficients in a step whose estimate is guided on the way; `x`, `d`, `m` are state, estimate
/// and forecast, and triples their factors in this order.
#[derive(Clone, Copy, Default)]
pub(super) struct Guided {
    /// `d` where there is no other: `estimate[0] x + estimate[1] m`.
    pub estimate: [f32; 2],
    /// What guidance adds to `d`.
    pub guidance: [f32; 3],
    /// What the guided estimate knows beyond the law, over `scale`.
    pub remainder: [f32; 3],
    /// As in [`flow::Weights`].
    pub scale: f32,
    /// See [`Self::scale`].
    pub keep: f32,
    /// See [`Self::scale`].
    pub mean: f32,
    /// See [`Self::scale`].
    pub now: f32,
    /// See [`Self::scale`].
    pub before: f32,
    /// As in [`Weights`].
    pub marginal: f32,
    /// See [`Self::marginal`].
    pub conditional: f32,
    /// See [`Self::marginal`].
    pub logarithm: f64,
}

/// What the discriminator says of a row.
#[derive(Clone, Copy)]
pub(super) struct Said {
    /// `log(D / (1 - D))`.
    pub logit: f32,
    /// Norm of the guidance over that of the score.
    pub ratio: f32,
}

impl FourierLaw {
    pub fn new(shells: &Shells) -> Self {
        let n = shells.n;
        let mut planner = FftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(n), planner.plan_fft_inverse(n));
        let scratch = forward
            .get_outofplace_scratch_len()
            .max(inverse.get_outofplace_scratch_len())
            .max(forward.get_inplace_scratch_len())
            .max(inverse.get_inplace_scratch_len());
        let mut sizes = vec![0; shells.count()];
        for &group in shells.groups() {
            sizes[group] += 1;
        }
        let zeros = |len: usize| vec![Complex32::ZERO; len];
        Self {
            n,
            groups: shells.groups().iter().map(|&g| g as u16).collect(),
            sizes,
            work: RefCell::new(Work {
                a: zeros(n * n),
                b: zeros(n * n),
                scratch: zeros(scratch),
            }),
            forward,
            inverse,
        }
    }

    /// The forecast `field` (`n * n` cells) in Fourier space `[kx][ky]`, times its group's `beta`.
    pub fn forecast(&self, field: &[f32], beta: &[f32]) -> Vec<Complex32> {
        let work = &mut *self.work.borrow_mut();
        for (z, &x) in work.a.iter_mut().zip(field) {
            *z = Complex32::new(x, 0.0);
        }
        self.transform(&*self.forward, work);
        let groups = self.groups.iter();
        groups
            .zip(&work.a)
            .map(|(&g, z)| z * beta[usize::from(g)])
            .collect()
    }

    /// Judges a row: candidate `x` and estimate `denoised` (`n * n` cells each) beside the forecast of [`Self::forecast`],
    /// with one [`Weights`] for each group. Returns the logit; `n * n` values go to the end of `shift` and `correction`.
    pub fn judge(
        &self,
        x: &[f32],
        denoised: &[f32],
        forecast: &[Complex32],
        weights: &[Weights],
        shift: &mut Vec<f32>,
        correction: &mut Vec<f32>,
    ) -> f32 {
        let n = self.n;
        let work = &mut *self.work.borrow_mut();
        // Rounding goes from the larger part of a complex field into the smaller one: a candidate of mostly noise is made as
        // small as an estimate, by a power of two.
        let power = (largest(x) / largest(denoised)).log2().clamp(-60.0, 60.0);
        let smaller = (-power.round()).exp2();
        for ((z, &x), &d) in work.a.iter_mut().zip(x).zip(denoised) {
            *z = Complex32::new(x * smaller, d);
        }
        let half = 0.5 / smaller;
        self.transform(&*self.forward, work);
        // Transforms there and back together multiply by n^2, and so does a square of one.
        let scale = 1.0 / (n * n) as f32;
        let scaled: Vec<Weights> = weights
            .iter()
            .map(|w| Weights {
                shift_x: w.shift_x * scale,
                shift_m: w.shift_m * scale,
                correction_x: w.correction_x * scale,
                correction_d: w.correction_d * scale,
                ..*w
            })
            .collect();
        let mut squares = 0.0f64;
        // Of a mode and its mirror image one is looked at; where kx is its own mirror image both lie in one column.
        for i in (0..n).filter(|&i| 2 * i <= n) {
            let groups = &self.groups[i * n..][..n];
            let forecast = &forecast[i * n..][..n];
            let weights = |j: usize| &scaled[usize::from(groups[j])];
            let opposite = |j: usize| if j == 0 { 0 } else { n - j };
            let mut sum = 0.0f32;
            if i == 0 || 2 * i == n {
                let column = &mut work.a[i * n..][..n];
                for j in (0..n).filter(|&j| 2 * j <= n) {
                    let other = opposite(j);
                    let mode = Mode::of(column[j], column[other], forecast[j], half, weights(j));
                    column[other] = mode.mirror;
                    column[j] = mode.here;
                    sum += if other == j { 1.0 } else { 2.0 } * mode.square;
                }
            } else {
                let (left, right) = work.a.split_at_mut((i + 1) * n);
                let here = &mut left[i * n..];
                let mirror = &mut right[(n - 2 * i - 1) * n..][..n];
                for j in 0..n {
                    let other = opposite(j);
                    let mode = Mode::of(here[j], mirror[other], forecast[j], half, weights(j));
                    mirror[other] = mode.mirror;
                    here[j] = mode.here;
                    sum += 2.0 * mode.square;
                }
            }
            squares += f64::from(sum);
        }
        let logarithms: f64 = weights
            .iter()
            .zip(&self.sizes)
            .map(|(w, &size)| w.logarithm * size as f64)
            .sum();
        self.transform(&*self.inverse, work);
        shift.extend(work.a.iter().map(|z| z.re));
        correction.extend(work.a.iter().map(|z| z.im));
        (0.5 * (squares * f64::from(scale) + logarithms)) as f32
    }

    /// Moves a row along the flow of the law: `weights` has an entry for each group, `forecast` is that of
    /// [`Self::forecast`]. `n * n` cells go to the end of `next`; with an estimate, `n * n` coefficients to the end of
    /// `remainder`.
    ///
    /// The coefficients are those of the Hartley transform, `Re X - Im X` of a field's Fourier coefficients X: real numbers, and
    /// a transform that takes back what it did.
    pub fn advance(
        &self,
        row: &Moved<'_>,
        forecast: Option<&[Complex32]>,
        weights: &[flow::Weights],
        next: &mut Vec<f32>,
        remainder: &mut Vec<f32>,
    ) {
        let n = self.n;
        let work = &mut *self.work.borrow_mut();
        let half = self.modes_of(row, work);
        let cells = n * n;
        let known = remainder.len();
        if row.estimate.is_some() {
            remainder.resize(known + cells, 0.0);
        }
        for i in 0..n {
            let lines = [i, if i == 0 { 0 } else { n - i }].map(|k| k * n);
            for j in 0..n {
                let (at, mirror) = (lines[0] + j, lines[1] + if j == 0 { 0 } else { n - j });
                let w = &weights[usize::from(self.groups[at])];
                let (x, estimate) = hartley(work.a[at], work.a[mirror], half);
                let m = forecast.map_or(0.0, |f| f[at].re - f[at].im);
                let mut to = w.keep * x + w.mean * m;
                if row.estimate.is_some() {
                    let r = w.scale * (estimate - w.law_x * x - w.law_m * m);
                    let before = row.before.map_or(0.0, |b| b[at]);
                    to += w.now * r + w.before * before;
                    remainder[known + at] = r;
                }
                work.b[at] = Complex32::new(to, 0.0);
            }
        }
        self.back(work, next);
    }

    /// [`Self::advance`] and [`Self::judge`] in one pass, so that nothing is transformed twice: a row's estimate is guided in
    /// the law's basis. With `moves`, `n * n` cells go to the end of `next`.
    pub fn advance_judged(
        &self,
        row: &Moved<'_>,
        forecast: &[Complex32],
        weights: &[Guided],
        moves: bool,
        next: &mut Vec<f32>,
        remainder: &mut Vec<f32>,
    ) -> Said {
        let n = self.n;
        let work = &mut *self.work.borrow_mut();
        let half = self.modes_of(row, work);
        let cells = n * n;
        let known = remainder.len();
        if row.estimate.is_some() {
            remainder.resize(known + cells, 0.0);
        }
        let (mut logit, mut guidance, mut score) = (0.0f64, 0.0f64, 0.0f64);
        for i in 0..n {
            let lines = [i, if i == 0 { 0 } else { n - i }].map(|k| k * n);
            // Sums of a line, in which digits enough are left.
            let mut sums = [0.0f32; 3];
            for j in 0..n {
                let (at, mirror) = (lines[0] + j, lines[1] + if j == 0 { 0 } else { n - j });
                let w = &weights[usize::from(self.groups[at])];
                let (x, d) = hartley(work.a[at], work.a[mirror], half);
                let m = forecast[at].re - forecast[at].im;
                let estimated = row.estimate.is_some();
                let d = match estimated {
                    true => d,
                    false => w.estimate[0] * x + w.estimate[1] * m,
                };
                let g = w.guidance[0] * x + w.guidance[1] * d + w.guidance[2] * m;
                sums[0] += w.marginal * x * x - w.conditional * (x - m) * (x - m);
                sums[1] += g * g;
                sums[2] += (d - x) * (d - x);
                let mut to = w.keep * x + w.mean * m;
                if estimated {
                    // In this order a row without guidance comes out of here with the bits that `advance` gives it.
                    let [of_x, of_d, of_m] = w.remainder;
                    let r = w.scale * (of_d * d + of_x * x + of_m * m);
                    let before = row.before.map_or(0.0, |b| b[at]);
                    to += w.now * r + w.before * before;
                    remainder[known + at] = r;
                }
                work.b[at] = Complex32::new(to, 0.0);
            }
            logit += f64::from(sums[0]);
            guidance += f64::from(sums[1]);
            score += f64::from(sums[2]);
        }
        if moves {
            self.back(work, next);
        }
        Said {
            logit: (0.5 * (logit / cells as f64 + self.logarithms(weights))) as f32,
            ratio: (guidance / score).sqrt() as f32,
        }
    }

    /// The part of a logit, times two, that does not depend on the row.
    pub fn logarithms(&self, weights: &[Guided]) -> f64 {
        let sizes = weights.iter().zip(&self.sizes);
        sizes.map(|(w, &size)| w.logarithm * size as f64).sum()
    }

    /// A row's state and estimate in Fourier space, as the real and the imaginary part of the field in `work.a`; the state is
    /// twice the value returned times its part.
    fn modes_of(&self, row: &Moved<'_>, work: &mut Work) -> f32 {
        let Some(estimate) = row.estimate else {
            for (z, &x) in work.a.iter_mut().zip(row.x) {
                *z = Complex32::new(x, 0.0);
            }
            self.transform(&*self.forward, work);
            return 0.5;
        };
        // See `judge`.
        let power = (largest(row.x) / largest(estimate)).log2();
        let smaller = (-power.clamp(-60.0, 60.0).round()).exp2();
        for ((z, &x), &d) in work.a.iter_mut().zip(row.x).zip(estimate) {
            *z = Complex32::new(x * smaller, d);
        }
        self.transform(&*self.forward, work);
        0.5 / smaller
    }

    /// The cells of the Hartley coefficients in `work.b`, to the end of `next`.
    fn back(&self, work: &mut Work, next: &mut Vec<f32>) {
        std::mem::swap(&mut work.a, &mut work.b);
        self.transform(&*self.forward, work);
        let scale = 1.0 / (self.n * self.n) as f32;
        next.extend(work.a.iter().map(|z| scale * (z.re - z.im)));
    }

    /// `[y][x]` to `[kx][ky]`, or `[kx][ky]` to `[y][x]`, in `work.a`.
    fn transform(&self, fft: &dyn Fft<f32>, work: &mut Work) {
        fft.process_outofplace_with_scratch(&mut work.a, &mut work.b, &mut work.scratch);
        transpose(&work.b, &mut work.a, self.n);
        fft.process_with_scratch(&mut work.a, &mut work.scratch);
    }
}

/// Hartley coefficients of state and estimate, of a mode and its mirror image in the field of both.
#[inline(always)]
fn hartley(z: Complex32, mirror: Complex32, half: f32) -> (f32, f32) {
    (
        half * (z.re + mirror.re + mirror.im - z.im),
        0.5 * (z.im + mirror.im + z.re - mirror.re),
    )
}

fn largest(v: &[f32]) -> f32 {
    v.iter().fold(1e-30, |a, v| a.max(v.abs()))
}

/// A mode's answer.
struct Mode {
    /// Coefficients of shift + i correction, of the mode and of its mirror image.
    here: Complex32,
    mirror: Complex32,
    /// Its term of the logit but for the logarithm.
    square: f32,
}

impl Mode {
    /// `z` and `mirrored` are the coefficients of candidate + i estimate, of the mode and of its mirror image; the candidate
    /// is twice `half` of its part.
    #[inline(always)]
    fn of(z: Complex32, mirrored: Complex32, m: Complex32, half: f32, w: &Weights) -> Self {
        let c = mirrored.conj();
        let (x, id) = ((z + c) * half, (z - c) * 0.5);
        let d = Complex32::new(id.im, -id.re);
        let shift = x * w.shift_x + m * w.shift_m;
        let correction = x * w.correction_x + d * w.correction_d;
        Self {
            here: Complex32::new(shift.re - correction.im, shift.im + correction.re),
            mirror: Complex32::new(shift.re + correction.im, correction.re - shift.im),
            square: w.marginal * x.norm_sqr() - w.conditional * (x - m).norm_sqr(),
        }
    }
}

/// `to[j][i] = from[i][j]`, `n * n` values.
fn transpose(from: &[Complex32], to: &mut [Complex32], n: usize) {
    for (block, lines) in to.chunks_mut(TILE * n).enumerate() {
        for first in (0..n).step_by(TILE) {
            for (j, line) in lines.chunks_exact_mut(n).enumerate() {
                let column = from[first * n + block * TILE + j..].iter().step_by(n);
                for (to, &from) in line[first..].iter_mut().take(TILE).zip(column) {
                    *to = from;
                }
            }
        }
    }
}
