//! The precision in which a stream is computed.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use rustfft::FftNum;
use rustfft::num_complex::Complex;
use rustfft::num_traits::NumAssign;

use super::plan::Plans;
use super::sums::Sums;

/// Memory for one block. A thread has one of each precision; it grows to what the largest block needs.
#[derive(Default)]
pub(super) struct Work<T> {
    pub(super) first: Vec<Complex<T>>,
    pub(super) second: Vec<Complex<T>>,
    pub(super) scratch: Vec<Complex<T>>,
}

/// f32 or f64.
pub(super) trait Working: FftNum + NumAssign + Sums + Default {
    /// How far down the filter puts what it stops. 140 dB in f32 is what soxr HQ reaches, 175 dB in f64 soxr VHQ.
    const ATTENUATION_DB: f64;
    /// Phases for each frame of the lower rate that a filter's table has where it is interpolated: the cubic between
    /// them is right to -161 dB with 128, and to -185 dB with 256.
    const PHASES: usize;
    fn from_single(value: f32) -> Self;
    fn from_double(value: f64) -> Self;
    fn to_single(self) -> f32;
    fn to_double(self) -> f64;
    /// The plans of this precision.
    fn plans() -> &'static Plans<Self>;
    /// Lends the thread's memory.
    fn with_work<R>(use_it: impl FnOnce(&mut Work<Self>) -> R) -> R;
}

impl Working for f32 {
    const ATTENUATION_DB: f64 = 140.0;
    const PHASES: usize = 128;

    #[inline(always)]
    fn from_single(value: f32) -> Self {
        value
    }

    #[inline(always)]
    fn from_double(value: f64) -> Self {
        value as Self
    }

    #[inline(always)]
    fn to_single(self) -> f32 {
        self
    }

    #[inline(always)]
    fn to_double(self) -> f64 {
        self.into()
    }

    fn plans() -> &'static Plans<Self> {
        static PLANS: Plans<f32> = LazyLock::new(|| Mutex::new(HashMap::new()));
        &PLANS
    }

    fn with_work<R>(use_it: impl FnOnce(&mut Work<Self>) -> R) -> R {
        thread_local!(static WORK: RefCell<Work<f32>> = RefCell::default());
        WORK.with_borrow_mut(use_it)
    }
}

impl Working for f64 {
    const ATTENUATION_DB: f64 = 175.0;
    const PHASES: usize = 256;

    #[inline(always)]
    fn from_single(value: f32) -> Self {
        value.into()
    }

    #[inline(always)]
    fn from_double(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn to_single(self) -> f32 {
        self as f32
    }

    #[inline(always)]
    fn to_double(self) -> f64 {
        self
    }

    fn plans() -> &'static Plans<Self> {
        static PLANS: Plans<f64> = LazyLock::new(|| Mutex::new(HashMap::new()));
        &PLANS
    }

    fn with_work<R>(use_it: impl FnOnce(&mut Work<Self>) -> R) -> R {
        thread_local!(static WORK: RefCell<Work<f64>> = RefCell::default());
        WORK.with_borrow_mut(use_it)
    }
}

/// 2^100: no sum over a block reaches infinity from here.
const LIMIT_BITS: u32 = (127 + 100) << 23;

/// The sample, or 0 when it is not finite or absurdly large: one such value would spoil its whole block.
#[inline(always)]
pub(super) fn usable(sample: f32) -> f32 {
    if sample.to_bits() & 0x7fff_ffff < LIMIT_BITS { sample } else { 0.0 }
}
