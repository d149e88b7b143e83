//! The widest arithmetic of the machine, chosen while running.
//!
//! A loop is written once, as a [`Kernel`]. [`run`] compiles it twice: with the instructions that every machine of the
//! target has, and with AVX2 and FMA, and takes the second where the processor has them. On ARM the first one has NEON
//! and fused multiply-add already.
#![allow(unsafe_code)]

/// Multiply and add, in one step where the instructions in use have that.
pub(crate) trait Simd: Copy {
    /// `a * b + c`.
    fn mul_add(self, a: f32, b: f32, c: f32) -> f32;
}

/// Two roundings: for machines without a fused instruction, where `f32::mul_add` would call a library.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain;

/// One rounding.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), allow(dead_code))]
pub(crate) struct Fused;

impl Simd for Plain {
    #[inline(always)]
    fn mul_add(self, a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }
}

impl Simd for Fused {
    #[inline(always)]
    fn mul_add(self, a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
}

/// A loop over slices. `run` is `#[inline(always)]`, and so is what it calls: only then do the instructions reach it.
pub(crate) trait Kernel {
    /// What it gives.
    type Output;
    /// The loop.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Runs a kernel with the best instructions there are.
#[inline]
pub(crate) fn run<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    if !forced::plain() && is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: the processor has just said that it has both.
        return unsafe { with_avx2(kernel) };
    }
    #[cfg(target_arch = "aarch64")]
    if !forced::plain() {
        return kernel.run(Fused);
    }
    kernel.run(Plain)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn with_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Fused)
}

#[cfg(not(test))]
mod forced {
    #[inline(always)]
    pub(super) fn plain() -> bool {
        false
    }
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

/// What `work` gives without the special instructions.
#[cfg(test)]
pub(crate) fn plain<T>(work: impl FnOnce() -> T) -> T {
    forced::set(true);
    let result = work();
    forced::set(false);
    result
}
