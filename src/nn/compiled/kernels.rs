//! The kernels of each processor behind function pointers, chosen once when the program runs.

use std::sync::OnceLock;

use super::attention::{Head, attend};
use super::conv::{Addend, Rows, finish, rows};
use super::norm::{Activation, activate};
use super::outer::{Outer, outer};
use super::pointwise::{Affine, affine, affine_back, in_place, moment_of};
use super::simd::{Portable, Simd};
use super::slopes::{Combination, HeadBack, Slopes, attend_back, combine, slopes};

/// [`affine_back`] of one processor.
type AffineBack = unsafe fn(&Affine, &[f32], &[f32], &mut [f32]) -> [f32; 2];

/// The kernels for one processor. All are unsafe to call as the functions that they come from.
pub(super) struct Kernels {
    pub name: &'static str,
    /// Output groups that a tile holds at most.
    pub groups: usize,
    /// By shape (see [`shape`]) and output groups - 1.
    pub rows: [[unsafe fn(&Rows); 3]; 3],
    /// By stride - 1 and output groups - 1.
    pub outer: [[unsafe fn(&Outer); 3]; 2],
    pub affine: unsafe fn(&Affine, &[f32], &mut [f32]),
    pub affine_back: AffineBack,
    pub moment: unsafe fn(&[f32], f32, u8) -> f32,
    pub in_place: unsafe fn([f32; 3], &[f32], &mut [f32]),
    pub finish: unsafe fn(*mut f32, usize, usize, &[Addend], *mut f32),
    pub activate: unsafe fn(&Activation),
    pub attend: unsafe fn(&Head),
    pub slopes: unsafe fn(&Slopes),
    pub combine: unsafe fn(&Combination),
    pub attend_back: unsafe fn(&HeadBack),
    /// So many rounds of multiplications and additions in registers.
    pub spin: unsafe fn(usize) -> f32,
    /// Sums that `spin` keeps.
    pub spinning: usize,
}

/// Index of a kernel of side 1 or 3 with stride 1 or 2.
pub(super) fn shape(side: usize, stride: usize) -> usize {
    match (side, stride) {
        (1, _) => 0,
        (_, 1) => 1,
        _ => 2,
    }
}

macro_rules! kernels {
    ($module:ident, $simd:ty, $name:literal, $groups:literal $(, $feature:literal)?) => {
        mod $module {
            use super::*;

            $(#[target_feature(enable = $feature)])?
            unsafe fn conv<const K: usize, const STRIDE: usize, const NB: usize>(r: &Rows) {
                // SAFETY: the features are enabled here; the rest is the caller's promise.
                unsafe { rows::<$simd, K, STRIDE, NB>(r) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn out<const STRIDE: usize, const NB: usize>(o: &Outer) {
                // SAFETY: as above.
                unsafe { outer::<$simd, STRIDE, NB>(o) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn aff(a: &Affine, x: &[f32], out: &mut [f32]) {
                // SAFETY: as above.
                unsafe { affine::<$simd>(a, x, out) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn aff_back(a: &Affine, x: &[f32], g: &[f32], out: &mut [f32]) -> [f32; 2] {
                // SAFETY: as above.
                unsafe { affine_back::<$simd>(a, x, g, out) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn mom(x: &[f32], about: f32, power: u8) -> f32 {
                // SAFETY: as above.
                unsafe { moment_of::<$simd>(x, about, power) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn inp(factors: [f32; 3], x: &[f32], out: &mut [f32]) {
                // SAFETY: as above.
                unsafe { in_place::<$simd>(factors, x, out) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn end(
                output: *mut f32,
                rows: usize,
                width: usize,
                addends: &[Addend],
                moments: *mut f32,
            ) {
                // SAFETY: as above.
                unsafe { finish::<$simd>(output, rows, width, addends, moments) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn act(a: &Activation) {
                // SAFETY: as above.
                unsafe { activate::<$simd>(a) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn att(h: &Head) {
                // SAFETY: as above.
                unsafe { attend::<$simd>(h) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn slo(s: &Slopes) {
                // SAFETY: as above.
                unsafe { slopes::<$simd>(s) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn com(c: &Combination) {
                // SAFETY: as above.
                unsafe { combine::<$simd>(c) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn back(h: &HeadBack) {
                // SAFETY: as above.
                unsafe { attend_back::<$simd>(h) }
            }
            $(#[target_feature(enable = $feature)])?
            unsafe fn spi(rounds: usize) -> f32 {
                // SAFETY: as above.
                unsafe { spin::<$simd, SPINNING>(rounds) }
            }
            const SPINNING: usize = if SUMS < 12 { 6 } else { 12 };
            const SUMS: usize = <$simd as Simd>::SUMS;
            const _: () = assert!($groups <= SUMS);

            pub static KERNELS: Kernels = Kernels {
                name: $name,
                groups: $groups,
                rows: [
                    [conv::<1, 1, 1>, conv::<1, 1, 2>, conv::<1, 1, 3>],
                    [conv::<3, 1, 1>, conv::<3, 1, 2>, conv::<3, 1, 3>],
                    [conv::<3, 2, 1>, conv::<3, 2, 2>, conv::<3, 2, 3>],
                ],
                outer: [
                    [out::<1, 1>, out::<1, 2>, out::<1, 3>],
                    [out::<2, 1>, out::<2, 2>, out::<2, 3>],
                ],
                affine: aff,
                affine_back: aff_back,
                moment: mom,
                in_place: inp,
                finish: end,
                activate: act,
                attend: att,
                slopes: slo,
                combine: com,
                attend_back: back,
                spin: spi,
                spinning: SPINNING,
            };
        }
    };
}

kernels!(portable, Portable, "portable", 1);
#[cfg(target_arch = "x86_64")]
kernels!(avx2, super::super::simd::Avx2, "AVX2", 1, "avx2,fma");
#[cfg(target_arch = "x86_64")]
kernels!(
    avx512,
    super::super::simd::Avx512,
    "AVX-512",
    3,
    "avx512f,fma"
);
#[cfg(target_arch = "aarch64")]
kernels!(neon, super::super::simd::Neon, "NEON", 1, "neon");

/// Multiplications and additions in registers, which nothing can outrun: `rounds` times `N` times 16.
///
/// # Safety
/// The processor has the features of `S`.
#[inline(always)]
unsafe fn spin<S: Simd, const N: usize>(rounds: usize) -> f32 {
    // SAFETY: the caller has the features.
    unsafe {
        let a = S::splat(std::hint::black_box(0.999));
        let b = S::splat(std::hint::black_box(0.001));
        let mut sums = [S::splat(1.0); N];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = S::fma(*sum, a, b);
            }
        }
        let mut total = sums[0];
        for sum in &sums[1..] {
            total = S::add(total, *sum);
        }
        super::simd::lanes::<S>(total).into_iter().sum()
    }
}

/// All kernels that this processor can run, best first.
pub(super) fn available() -> Vec<&'static Kernels> {
    let mut out: Vec<&'static Kernels> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("fma") {
            out.push(&avx512::KERNELS);
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            out.push(&avx2::KERNELS);
        }
    }
    #[cfg(target_arch = "aarch64")]
    out.push(&neon::KERNELS);
    out.push(&portable::KERNELS);
    out
}

/// The best kernels for this processor.
pub(super) fn best() -> &'static Kernels {
    static BEST: OnceLock<&'static Kernels> = OnceLock::new();
    BEST.get_or_init(|| available()[0])
}
