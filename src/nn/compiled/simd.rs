//! Sixteen floats at once, in the registers of the processor at hand.
//!
//! Everything above works in groups of 16 channels, whatever the processor: one AVX-512 register, two of AVX2, four of
//! NEON, or an array. The same operations in the same order on all of them. `benches/compiled_alone/check.sh arm` runs the NEON
//! kernels in an emulator.

/// Channels of one group.
pub(super) const LANES: usize = 16;

/// Operations on [`LANES`] floats.
///
/// # Safety
/// All functions: only on a processor that has the features of the implementing type. [`Simd::load`] and
/// [`Simd::store`]: the pointer is valid for 16 floats.
pub(super) trait Simd: Copy {
    /// 16 floats.
    type V: Copy;
    /// Registers for sums: how many `V` a kernel may keep at once beside two or three others.
    const SUMS: usize;

    unsafe fn splat(value: f32) -> Self::V;
    unsafe fn load(from: *const f32) -> Self::V;
    unsafe fn store(to: *mut f32, v: Self::V);
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `1 / a` to within a few units in the last place, for `a` in `[1, 2^126]`.
    unsafe fn recip(a: Self::V) -> Self::V;
    /// `2^n` for the integer n that was added to [`MAGIC`] in floating point.
    unsafe fn power(shifted: Self::V) -> Self::V;
}

/// Adding this to a float of small magnitude leaves the nearest integer in the lowest bits.
pub(super) const MAGIC: f32 = 12_582_912.0;

/// `exp(x)`, for `x` clamped to [-87, 87]; relative error about 1e-7.
///
/// # Safety
/// As [`Simd`].
#[inline(always)]
pub(super) unsafe fn exp<S: Simd>(x: S::V) -> S::V {
    // SAFETY: the caller has the features.
    unsafe {
        let c = |v: f32| S::splat(v);
        let x = S::min(S::max(x, c(-87.0)), c(87.0));
        let shifted = S::fma(x, c(std::f32::consts::LOG2_E), c(MAGIC));
        let n = S::sub(shifted, c(MAGIC));
        let r = S::fma(n, c(-0.693_359_4), x);
        let r = S::fma(n, c(2.121_944_4e-4), r);
        let p = S::fma(c(1.987_569_2e-4), r, c(1.398_199_9e-3));
        let p = S::fma(p, r, c(8.333_452e-3));
        let p = S::fma(p, r, c(4.166_579_6e-2));
        let p = S::fma(p, r, c(1.666_666_5e-1));
        let p = S::fma(p, r, c(0.5));
        let e = S::add(S::fma(S::mul(p, r), r, r), c(1.0));
        S::mul(e, S::power(shifted))
    }
}

/// Logistic function.
///
/// # Safety
/// As [`Simd`].
#[inline(always)]
pub(super) unsafe fn sigmoid<S: Simd>(x: S::V) -> S::V {
    // SAFETY: the caller has the features.
    unsafe {
        let e = exp::<S>(S::sub(S::splat(0.0), x));
        S::recip(S::add(S::splat(1.0), e))
    }
}

/// The 16 floats as an array.
///
/// # Safety
/// As [`Simd`].
#[inline(always)]
pub(super) unsafe fn lanes<S: Simd>(v: S::V) -> [f32; LANES] {
    let mut out = [0.0; LANES];
    // SAFETY: the array has room for 16 floats.
    unsafe { S::store(out.as_mut_ptr(), v) };
    out
}

/// No vector instructions that are not there everywhere.
#[derive(Clone, Copy)]
pub(super) struct Portable;

#[inline(always)]
fn each(a: [f32; LANES], b: [f32; LANES], f: impl Fn(f32, f32) -> f32) -> [f32; LANES] {
    let mut out = a;
    for (slot, b) in out.iter_mut().zip(b) {
        *slot = f(*slot, b);
    }
    out
}

// `clippy::missing_safety_doc` and the like are answered by the trait.
impl Simd for Portable {
    type V = [f32; LANES];
    const SUMS: usize = 2;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::V {
        [value; LANES]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        // SAFETY: the caller's pointer is valid for 16 floats.
        unsafe { from.cast::<[f32; LANES]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, v: Self::V) {
        // SAFETY: as in `load`.
        unsafe { to.cast::<[f32; LANES]>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        each(a, b, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        each(a, b, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        each(a, b, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        each(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
        each(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        each(each(a, b, |a, b| a * b), c, |p, c| p + c)
    }
    #[inline(always)]
    unsafe fn recip(a: Self::V) -> Self::V {
        a.map(|v| 1.0 / v)
    }
    #[inline(always)]
    unsafe fn power(shifted: Self::V) -> Self::V {
        shifted.map(|v| f32::from_bits(v.to_bits().wrapping_sub(MAGIC.to_bits() - 127) << 23))
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{MAGIC, Simd};

    /// One register of AVX-512.
    #[derive(Clone, Copy)]
    pub struct Avx512;

    // SAFETY of every block: the caller runs on a processor with AVX-512F (the trait's condition).
    impl Simd for Avx512 {
        type V = __m512;
        const SUMS: usize = 28;

        #[inline(always)]
        unsafe fn splat(value: f32) -> Self::V {
            unsafe { _mm512_set1_ps(value) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self::V {
            unsafe { _mm512_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn store(to: *mut f32, v: Self::V) {
            unsafe { _mm512_storeu_ps(to, v) }
        }
        #[inline(always)]
        unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
            unsafe { _mm512_add_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
            unsafe { _mm512_sub_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
            unsafe { _mm512_mul_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
            unsafe { _mm512_max_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
            unsafe { _mm512_min_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
            unsafe { _mm512_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        unsafe fn recip(a: Self::V) -> Self::V {
            // 14 bits and one step of Newton's.
            unsafe {
                let r = _mm512_rcp14_ps(a);
                let e = _mm512_fnmadd_ps(a, r, _mm512_set1_ps(1.0));
                _mm512_fmadd_ps(r, e, r)
            }
        }
        #[inline(always)]
        unsafe fn power(shifted: Self::V) -> Self::V {
            unsafe {
                let bias = _mm512_set1_epi32(MAGIC.to_bits() as i32 - 127);
                let n = _mm512_sub_epi32(_mm512_castps_si512(shifted), bias);
                _mm512_castsi512_ps(_mm512_slli_epi32::<23>(n))
            }
        }
    }

    /// Two registers of AVX2, with FMA.
    #[derive(Clone, Copy)]
    pub struct Avx2;

    // SAFETY of every block: the caller runs on a processor with AVX2 and FMA (the trait's condition).
    impl Simd for Avx2 {
        type V = [__m256; 2];
        const SUMS: usize = 6;

        #[inline(always)]
        unsafe fn splat(value: f32) -> Self::V {
            unsafe { [_mm256_set1_ps(value); 2] }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self::V {
            unsafe { [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))] }
        }
        #[inline(always)]
        unsafe fn store(to: *mut f32, v: Self::V) {
            unsafe {
                _mm256_storeu_ps(to, v[0]);
                _mm256_storeu_ps(to.add(8), v[1]);
            }
        }
        #[inline(always)]
        unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
            unsafe { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
        }
        #[inline(always)]
        unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
            unsafe { [_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])] }
        }
        #[inline(always)]
        unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
            unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
        }
        #[inline(always)]
        unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
            unsafe { [_mm256_max_ps(a[0], b[0]), _mm256_max_ps(a[1], b[1])] }
        }
        #[inline(always)]
        unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
            unsafe { [_mm256_min_ps(a[0], b[0]), _mm256_min_ps(a[1], b[1])] }
        }
        #[inline(always)]
        unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
            unsafe {
                [
                    _mm256_fmadd_ps(a[0], b[0], c[0]),
                    _mm256_fmadd_ps(a[1], b[1], c[1]),
                ]
            }
        }
        #[inline(always)]
        unsafe fn recip(a: Self::V) -> Self::V {
            unsafe {
                let one = _mm256_set1_ps(1.0);
                [_mm256_div_ps(one, a[0]), _mm256_div_ps(one, a[1])]
            }
        }
        #[inline(always)]
        unsafe fn power(shifted: Self::V) -> Self::V {
            unsafe {
                let bias = _mm256_set1_epi32(MAGIC.to_bits() as i32 - 127);
                shifted.map(|v| {
                    let n = _mm256_sub_epi32(_mm256_castps_si256(v), bias);
                    _mm256_castsi256_ps(_mm256_slli_epi32::<23>(n))
                })
            }
        }
    }
}

#[cfg(target_arch = "aarch64")]
pub(super) use arm::Neon;

#[cfg(target_arch = "aarch64")]
mod arm {
    use std::arch::aarch64::*;

    use super::{MAGIC, Simd};

    /// Four registers of NEON.
    #[derive(Clone, Copy)]
    pub struct Neon;

    #[inline(always)]
    fn two(
        a: [float32x4_t; 4],
        b: [float32x4_t; 4],
        f: impl Fn(float32x4_t, float32x4_t) -> float32x4_t,
    ) -> [float32x4_t; 4] {
        [f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3])]
    }

    // SAFETY of every block: NEON is part of every aarch64 processor.
    impl Simd for Neon {
        type V = [float32x4_t; 4];
        const SUMS: usize = 6;

        #[inline(always)]
        unsafe fn splat(value: f32) -> Self::V {
            unsafe { [vdupq_n_f32(value); 4] }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self::V {
            unsafe {
                [
                    vld1q_f32(from),
                    vld1q_f32(from.add(4)),
                    vld1q_f32(from.add(8)),
                    vld1q_f32(from.add(12)),
                ]
            }
        }
        #[inline(always)]
        unsafe fn store(to: *mut f32, v: Self::V) {
            unsafe {
                vst1q_f32(to, v[0]);
                vst1q_f32(to.add(4), v[1]);
                vst1q_f32(to.add(8), v[2]);
                vst1q_f32(to.add(12), v[3]);
            }
        }
        #[inline(always)]
        unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
            two(a, b, |a, b| unsafe { vaddq_f32(a, b) })
        }
        #[inline(always)]
        unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
            two(a, b, |a, b| unsafe { vsubq_f32(a, b) })
        }
        #[inline(always)]
        unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
            two(a, b, |a, b| unsafe { vmulq_f32(a, b) })
        }
        #[inline(always)]
        unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
            two(a, b, |a, b| unsafe { vmaxq_f32(a, b) })
        }
        #[inline(always)]
        unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
            two(a, b, |a, b| unsafe { vminq_f32(a, b) })
        }
        #[inline(always)]
        unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
            unsafe {
                [
                    vfmaq_f32(c[0], a[0], b[0]),
                    vfmaq_f32(c[1], a[1], b[1]),
                    vfmaq_f32(c[2], a[2], b[2]),
                    vfmaq_f32(c[3], a[3], b[3]),
                ]
            }
        }
        #[inline(always)]
        unsafe fn recip(a: Self::V) -> Self::V {
            a.map(|v| unsafe { vdivq_f32(vdupq_n_f32(1.0), v) })
        }
        #[inline(always)]
        unsafe fn power(shifted: Self::V) -> Self::V {
            shifted.map(|v| unsafe {
                let bias = vdupq_n_s32(MAGIC.to_bits() as i32 - 127);
                let n = vsubq_s32(vreinterpretq_s32_f32(v), bias);
                vreinterpretq_f32_s32(vshlq_n_s32::<23>(n))
            })
        }
    }
}
