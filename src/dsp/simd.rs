//! The widest arithmetic of the machine, chosen while running.
//!
//! A loop is written once, as a [`Kernel`]. [`run`] compiles it twice: with the instructions that every machine of the
//! target has (SSE2 or NEON), and with AVX2 and FMA, and takes the second where the processor has them.
#![allow(unsafe_code)]

/// Values that go together.
pub const LANES: usize = 8;
/// Values of double precision that go together.
pub const DOUBLES: usize = 4;

/// Arithmetic on [`LANES`] values at a time.
///
/// A value of this type is proof that the machine has the instructions: [`run`] alone hands one out.
pub trait Simd: Copy {
    /// The values.
    type Lanes: Copy;
    /// The same value in all.
    fn splat(self, value: f32) -> Self::Lanes;
    /// From memory.
    fn load(self, from: &[f32; LANES]) -> Self::Lanes;
    /// Into memory.
    fn store(self, values: Self::Lanes, to: &mut [f32; LANES]);
    /// `a * b + c`, rounded once where the machine can.
    fn mul_add(self, a: Self::Lanes, b: Self::Lanes, c: Self::Lanes) -> Self::Lanes;
    /// Values in double precision.
    type Doubles: Copy;
    /// The same value in all.
    fn splat_double(self, value: f64) -> Self::Doubles;
    /// From memory.
    fn load_double(self, from: &[f64; DOUBLES]) -> Self::Doubles;
    /// Into memory.
    fn store_double(self, values: Self::Doubles, to: &mut [f64; DOUBLES]);
    /// `a * b + c`, as [`mul_add`](Self::mul_add).
    fn mul_add_double(self, a: Self::Doubles, b: Self::Doubles, c: Self::Doubles) -> Self::Doubles;
    /// One value: `a * b + c` as [`mul_add`](Self::mul_add) has it.
    fn mul_add_one(self, a: f32, b: f32, c: f32) -> f32;
    /// The lanes, added up.
    #[inline(always)]
    fn sum(self, values: Self::Lanes) -> f32 {
        let mut lanes = [0.0; LANES];
        self.store(values, &mut lanes);
        let [a, b, c, d, e, f, g, h] = lanes;
        ((a + b) + (c + d)) + ((e + f) + (g + h))
    }
}

/// What every machine of the target has. Two roundings, because `f32::mul_add` would call a library.
#[derive(Debug, Clone, Copy)]
pub struct Plain(());

impl Simd for Plain {
    type Lanes = [f32; LANES];

    #[inline(always)]
    fn splat(self, value: f32) -> Self::Lanes {
        [value; LANES]
    }

    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::Lanes {
        *from
    }

    #[inline(always)]
    fn store(self, values: Self::Lanes, to: &mut [f32; LANES]) {
        *to = values;
    }

    #[inline(always)]
    fn mul_add(self, a: Self::Lanes, b: Self::Lanes, c: Self::Lanes) -> Self::Lanes {
        std::array::from_fn(|lane| self.mul_add_one(a[lane], b[lane], c[lane]))
    }

    type Doubles = [f64; DOUBLES];

    #[inline(always)]
    fn splat_double(self, value: f64) -> Self::Doubles {
        [value; DOUBLES]
    }

    #[inline(always)]
    fn load_double(self, from: &[f64; DOUBLES]) -> Self::Doubles {
        *from
    }

    #[inline(always)]
    fn store_double(self, values: Self::Doubles, to: &mut [f64; DOUBLES]) {
        *to = values;
    }

    #[inline(always)]
    fn mul_add_double(self, a: Self::Doubles, b: Self::Doubles, c: Self::Doubles) -> Self::Doubles {
        std::array::from_fn(|lane| {
            let (a, b, c) = (a[lane], b[lane], c[lane]);
            if cfg!(target_arch = "aarch64") { a.mul_add(b, c) } else { a * b + c }
        })
    }

    #[inline(always)]
    fn mul_add_one(self, a: f32, b: f32, c: f32) -> f32 {
        // Every 64-bit ARM has the fused instruction.
        if cfg!(target_arch = "aarch64") { a.mul_add(b, c) } else { a * b + c }
    }
}

/// AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy)]
pub struct Avx2(());

#[cfg(target_arch = "x86_64")]
impl Simd for Avx2 {
    type Lanes = std::arch::x86_64::__m256;

    #[inline(always)]
    fn splat(self, value: f32) -> Self::Lanes {
        // SAFETY: whoever has an `Avx2` has a machine with AVX2 and FMA; so in all functions here.
        unsafe { std::arch::x86_64::_mm256_set1_ps(value) }
    }

    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::Lanes {
        // SAFETY: as above. The eight values are there, and the instruction asks for no alignment.
        unsafe { std::arch::x86_64::_mm256_loadu_ps(from.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, values: Self::Lanes, to: &mut [f32; LANES]) {
        // SAFETY: as above. There is room for eight values, and the instruction asks for no alignment.
        unsafe { std::arch::x86_64::_mm256_storeu_ps(to.as_mut_ptr(), values) }
    }

    #[inline(always)]
    fn mul_add(self, a: Self::Lanes, b: Self::Lanes, c: Self::Lanes) -> Self::Lanes {
        // SAFETY: as above.
        unsafe { std::arch::x86_64::_mm256_fmadd_ps(a, b, c) }
    }

    type Doubles = std::arch::x86_64::__m256d;

    #[inline(always)]
    fn splat_double(self, value: f64) -> Self::Doubles {
        // SAFETY: as above.
        unsafe { std::arch::x86_64::_mm256_set1_pd(value) }
    }

    #[inline(always)]
    fn load_double(self, from: &[f64; DOUBLES]) -> Self::Doubles {
        // SAFETY: as above. The four values are there, and the instruction asks for no alignment.
        unsafe { std::arch::x86_64::_mm256_loadu_pd(from.as_ptr()) }
    }

    #[inline(always)]
    fn store_double(self, values: Self::Doubles, to: &mut [f64; DOUBLES]) {
        // SAFETY: as above. There is room for four values, and the instruction asks for no alignment.
        unsafe { std::arch::x86_64::_mm256_storeu_pd(to.as_mut_ptr(), values) }
    }

    #[inline(always)]
    fn mul_add_double(self, a: Self::Doubles, b: Self::Doubles, c: Self::Doubles) -> Self::Doubles {
        // SAFETY: as above.
        unsafe { std::arch::x86_64::_mm256_fmadd_pd(a, b, c) }
    }

    #[inline(always)]
    fn mul_add_one(self, a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
}

/// A loop over slices. `run` is `#[inline(always)]`, and so is what it calls: only then do the instructions reach it.
pub trait Kernel {
    /// What it gives.
    type Output;
    /// The loop.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Runs a kernel with the best instructions there are.
#[inline]
pub fn run<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    if !forced::plain() && is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: the processor has just said that it has both.
        return unsafe { with_avx2(kernel) };
    }
    kernel.run(Plain(()))
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn with_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx2(()))
}

#[cfg(not(test))]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
mod forced {
    #[inline(always)]
    pub(super) fn plain() -> bool {
        false
    }
}

/// What `work` gives without the special instructions.
#[cfg(test)]
pub fn plain<T>(work: impl FnOnce() -> T) -> T {
    forced::set(true);
    let result = work();
    forced::set(false);
    result
}

/// Tests run everything a second time without the special instructions.
#[cfg(test)]
mod forced {
    use std::cell::Cell;

    thread_local!(static PLAIN: Cell<bool> = const { Cell::new(false) });

    pub(super) fn plain() -> bool {
        PLAIN.get()
    }

    pub(super) fn set(plain: bool) {
        PLAIN.set(plain);
    }
}
