//! What follows a norm, element by element, and the way back: for fields of a batch as training has them, one channel of one
//! image at a time. Sums run in a fixed order that depends on the length alone.

use super::kernels::best;
use super::simd::{LANES, Simd, lanes, sigmoid};

/// A channel of an image, normalised: `u = x * scale + shift`, and SiLU of it if `silu`.
#[derive(Clone, Copy)]
pub(crate) struct Affine {
    /// See above.
    pub scale: f32,
    /// See above.
    pub shift: f32,
    /// See above.
    pub silu: bool,
}

impl Affine {
    /// `silu(x * scale + shift)`, or without SiLU.
    ///
    /// # Panics
    /// If `out` has another length than `x`.
    pub fn forward(&self, x: &[f32], out: &mut [f32]) {
        assert_eq!(x.len(), out.len());
        // SAFETY: `best` has the features of this processor.
        unsafe { (best().affine)(self, x, out) }
    }

    /// From `gradient`, the one with respect to the output, that with respect to `u` into `out`; returns the sums over
    /// elements of that one and of its products with `x`.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn backward(&self, x: &[f32], gradient: &[f32], out: &mut [f32]) -> [f32; 2] {
        assert!(x.len() == out.len() && gradient.len() == out.len());
        // SAFETY: as above.
        unsafe { (best().affine_back)(self, x, gradient, out) }
    }
}

/// Sum of `(x - about)^power`, `power` 1 or 2.
pub(crate) fn moment(x: &[f32], about: f32, power: u8) -> f32 {
    // SAFETY: as above.
    unsafe { (best().moment)(x, about, power) }
}

/// `out = a * out + b * x + c`.
///
/// # Panics
/// If the lengths differ.
pub(crate) fn combine_in_place([a, b, c]: [f32; 3], x: &[f32], out: &mut [f32]) {
    assert_eq!(x.len(), out.len());
    // SAFETY: as above.
    unsafe { (best().in_place)([a, b, c], x, out) }
}

/// The last elements of `x`, fewer than 16, and zeros.
fn padded(x: &[f32]) -> [f32; LANES] {
    let mut out = [0.0; LANES];
    for (slot, v) in out.iter_mut().zip(x) {
        *slot = *v;
    }
    out
}

/// # Safety
/// The processor has the features of `S`.
#[inline(always)]
unsafe fn activated<S: Simd>(a: &Affine, x: S::V) -> S::V {
    // SAFETY: as the caller has it.
    unsafe {
        let u = S::fma(x, S::splat(a.scale), S::splat(a.shift));
        if a.silu {
            S::mul(u, sigmoid::<S>(u))
        } else {
            u
        }
    }
}

/// See [`Affine::forward`].
///
/// # Safety
/// The processor has the features of `S`.
#[inline(always)]
pub(super) unsafe fn affine<S: Simd>(a: &Affine, x: &[f32], out: &mut [f32]) {
    let (x, x_rest) = x.as_chunks::<LANES>();
    let (out, out_rest) = out.as_chunks_mut::<LANES>();
    for (x, out) in x.iter().zip(out) {
        // SAFETY: both are 16 floats.
        unsafe { S::store(out.as_mut_ptr(), activated::<S>(a, S::load(x.as_ptr()))) };
    }
    let x = padded(x_rest);
    // SAFETY: as above.
    let last = unsafe { lanes::<S>(activated::<S>(a, S::load(x.as_ptr()))) };
    for (slot, v) in out_rest.iter_mut().zip(last) {
        *slot = v;
    }
}

/// From the gradient with respect to the output that with respect to `u`. Not a closure: those do not inherit the features
/// of the function around them.
///
/// # Safety
/// As [`affine`].
#[inline(always)]
unsafe fn through<S: Simd>(a: &Affine, x: S::V, g: S::V) -> S::V {
    if !a.silu {
        return g;
    }
    // SAFETY: as the caller has it.
    unsafe {
        let u = S::fma(x, S::splat(a.scale), S::splat(a.shift));
        let (s, one) = (sigmoid::<S>(u), S::splat(1.0));
        S::mul(S::mul(g, s), S::fma(u, S::sub(one, s), one))
    }
}

/// See [`Affine::backward`].
///
/// # Safety
/// As [`affine`].
#[inline(always)]
pub(super) unsafe fn affine_back<S: Simd>(
    a: &Affine,
    x: &[f32],
    gradient: &[f32],
    out: &mut [f32],
) -> [f32; 2] {
    // SAFETY: loads and stores are of arrays of 16 floats.
    unsafe {
        let (x, x_rest) = x.as_chunks::<LANES>();
        let (gradient, gradient_rest) = gradient.as_chunks::<LANES>();
        let (out, out_rest) = out.as_chunks_mut::<LANES>();
        let mut sums = [S::splat(0.0); 2];
        for ((x, g), out) in x.iter().zip(gradient).zip(out) {
            let x = S::load(x.as_ptr());
            let d = through::<S>(a, x, S::load(g.as_ptr()));
            S::store(out.as_mut_ptr(), d);
            sums = [S::add(sums[0], d), S::fma(d, x, sums[1])];
        }
        let (x, g) = (padded(x_rest), padded(gradient_rest));
        let x = S::load(x.as_ptr());
        // Where there is no element the gradient is 0, and so is all that follows from it.
        let d = through::<S>(a, x, S::load(g.as_ptr()));
        sums = [S::add(sums[0], d), S::fma(d, x, sums[1])];
        for (slot, v) in out_rest.iter_mut().zip(lanes::<S>(d)) {
            *slot = v;
        }
        let [first, second] = [lanes::<S>(sums[0]), lanes::<S>(sums[1])];
        [first.into_iter().sum(), second.into_iter().sum()]
    }
}

/// See [`moment()`].
///
/// # Safety
/// As [`affine`].
#[inline(always)]
pub(super) unsafe fn moment_of<S: Simd>(x: &[f32], about: f32, power: u8) -> f32 {
    let (x, rest) = x.as_chunks::<LANES>();
    // SAFETY: loads are of arrays of 16 floats.
    unsafe {
        let about_all = S::splat(about);
        let mut sums = [S::splat(0.0); 4];
        for (i, x) in x.iter().enumerate() {
            let off = S::sub(S::load(x.as_ptr()), about_all);
            let term = if power == 2 { S::mul(off, off) } else { off };
            sums[i % 4] = S::add(sums[i % 4], term);
        }
        let all = S::add(S::add(sums[0], sums[1]), S::add(sums[2], sums[3]));
        let own = |v: &f32| (v - about).powi(i32::from(power));
        lanes::<S>(all).into_iter().sum::<f32>() + rest.iter().map(own).sum::<f32>()
    }
}

/// See [`combine_in_place`].
///
/// # Safety
/// As [`affine`].
#[inline(always)]
pub(super) unsafe fn in_place<S: Simd>([a, b, c]: [f32; 3], x: &[f32], out: &mut [f32]) {
    let (x, x_rest) = x.as_chunks::<LANES>();
    let (out, out_rest) = out.as_chunks_mut::<LANES>();
    for (x, out) in x.iter().zip(out) {
        // SAFETY: both are 16 floats.
        unsafe {
            let sum = S::fma(S::load(x.as_ptr()), S::splat(b), S::splat(c));
            let sum = S::fma(S::load(out.as_ptr()), S::splat(a), sum);
            S::store(out.as_mut_ptr(), sum);
        }
    }
    for (slot, v) in out_rest.iter_mut().zip(x_rest) {
        *slot = *slot * a + (v * b + c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernels of every processor agree with the best ones, to rounding.
    #[test]
    fn all_processors_agree() {
        let n = 53;
        let x: Vec<f32> = (0..n).map(|i| (i as f32 * 1.7).sin() * 3.0).collect();
        let g: Vec<f32> = (0..n).map(|i| (i as f32 * 0.9).cos()).collect();
        let a = Affine {
            scale: 0.7,
            shift: -0.4,
            silu: true,
        };
        let all = |k: &super::super::kernels::Kernels| -> Vec<f32> {
            let (mut y, mut d) = (vec![0.0; n], vec![0.0; n]);
            // SAFETY: only kernels for this processor are asked.
            unsafe {
                (k.affine)(&a, &x, &mut y);
                let sums = (k.affine_back)(&a, &x, &g, &mut d);
                let moment = (k.moment)(&x, 0.3, 2);
                (k.in_place)([2.0, 3.0, 0.5], &x, &mut d);
                [&y[..], &d, &sums, &[moment]].concat()
            }
        };
        let expected = all(best());
        for kernels in super::super::kernels::available() {
            for (a, b) in all(kernels).iter().zip(&expected) {
                assert!(
                    (a - b).abs() < 1e-5 * b.abs().max(1.0),
                    "{}: {a} {b}",
                    kernels.name
                );
            }
        }
    }

    #[test]
    fn elements_and_sums_are_those_of_the_definition_at_any_length() {
        for n in [1, 15, 16, 17, 64, 100] {
            let x: Vec<f32> = (0..n).map(|i| (i as f32 * 1.7).sin() * 3.0).collect();
            let g: Vec<f32> = (0..n).map(|i| (i as f32 * 0.9).cos()).collect();
            for silu in [false, true] {
                let a = Affine {
                    scale: 0.7,
                    shift: -0.4,
                    silu,
                };
                let (mut y, mut d) = (vec![0.0; n], vec![0.0; n]);
                a.forward(&x, &mut y);
                let sums = a.backward(&x, &g, &mut d);
                let mut exact = [0.0f64; 2];
                for i in 0..n {
                    let u = f64::from(x[i]) * 0.7 - 0.4;
                    let s = 1.0 / (1.0 + (-u).exp());
                    let (value, slope) = if silu {
                        (u * s, s * (1.0 + u * (1.0 - s)))
                    } else {
                        (u, 1.0)
                    };
                    let slope = slope * f64::from(g[i]);
                    assert!((f64::from(y[i]) - value).abs() < 1e-5);
                    assert!((f64::from(d[i]) - slope).abs() < 1e-5);
                    exact[0] += slope;
                    exact[1] += slope * f64::from(x[i]);
                }
                for (sum, exact) in sums.iter().zip(exact) {
                    assert!((f64::from(*sum) - exact).abs() < 1e-4, "{sum} {exact}");
                }
                combine_in_place([2.0, 3.0, 0.5], &x, &mut d);
            }
            let sum: f64 = x.iter().map(|v| f64::from(*v)).sum();
            assert!((f64::from(moment(&x, 0.0, 1)) - sum).abs() < 1e-4);
            let squares: f64 = x.iter().map(|v| (f64::from(*v) - 0.3).powi(2)).sum();
            assert!((f64::from(moment(&x, 0.3, 2)) - squares).abs() < 1e-3);
            let mut out = vec![1.0f32; n];
            combine_in_place([2.0, 3.0, 0.5], &x, &mut out);
            for (o, x) in out.iter().zip(&x) {
                assert!((o - (2.5 + 3.0 * x)).abs() < 1e-5);
            }
        }
    }
}
