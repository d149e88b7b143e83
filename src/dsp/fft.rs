//! Fourier transforms, from rustfft. The one place that says which of its planners is used.

use std::sync::Arc;

use rustfft::{Fft, FftNum};

/// A transform of `size` values.
pub(super) fn forward<T: FftNum>(size: usize) -> Arc<dyn Fft<T>> {
    plan(size, rustfft::FftDirection::Forward)
}

/// The inverse, without the division by `size`.
pub(super) fn inverse<T: FftNum>(size: usize) -> Arc<dyn Fft<T>> {
    plan(size, rustfft::FftDirection::Inverse)
}

/// The choice between scalar code and vectors is made when it runs.
#[cfg(not(target_arch = "aarch64"))]
fn plan<T: FftNum>(size: usize, direction: rustfft::FftDirection) -> Arc<dyn Fft<T>> {
    rustfft::FftPlanner::new().plan_fft(size, direction)
}

/// Every processor of this kind has NEON, so that the scalar code, half a megabyte, is left out.
#[cfg(target_arch = "aarch64")]
fn plan<T: FftNum>(size: usize, direction: rustfft::FftDirection) -> Arc<dyn Fft<T>> {
    let mut planner = rustfft::FftPlannerNeon::new().expect("NEON is a part of aarch64");
    planner.plan_fft(size, direction)
}
