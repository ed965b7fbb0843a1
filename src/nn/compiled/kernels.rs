//! The kernels of each processor behind function pointers, chosen once when the program runs.

use std::sync::OnceLock;

use super::attention::{Head, attend};
use super::conv::{Addend, Rows, finish, rows};
use super::norm::{Activation, activate};
use super::simd::{Portable, Simd};

/// The kernels for one processor. All are unsafe to call as the functions that they come from.
pub(super) struct Kernels {
    pub name: &'static str,
    /// Output groups that a tile holds at most.
    pub groups: usize,
    /// By shape (see [`shape`]) and output groups - 1.
    pub rows: [[unsafe fn(&Rows); 3]; 3],
    pub finish: unsafe fn(*mut f32, usize, usize, &[Addend], *mut f32),
    pub activate: unsafe fn(&Activation),
    pub attend: unsafe fn(&Head),
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
                finish: end,
                activate: act,
                attend: att,
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
