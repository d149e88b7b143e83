//! Fourier transforms, from rustfft. The one place that says how they are planned.

use std::sync::Arc;

use rustfft::{Fft, FftDirection, FftNum};

/// A transform of `size` values.
pub(super) fn forward<T: FftNum>(size: usize) -> Arc<dyn Fft<T>> {
    plan(size, FftDirection::Forward)
}

/// The inverse, without the division by `size`.
pub(super) fn inverse<T: FftNum>(size: usize) -> Arc<dyn Fft<T>> {
    plan(size, FftDirection::Inverse)
}

/// Every processor of this kind has NEON, so that rustfft's scalar code is left out.
#[cfg(all(feature = "fft-simd", target_arch = "aarch64"))]
fn plan<T: FftNum>(size: usize, direction: FftDirection) -> Arc<dyn Fft<T>> {
    let mut planner = rustfft::FftPlannerNeon::new().expect("NEON is a part of aarch64");
    planner.plan_fft(size, direction)
}

/// Whatever this processor does best, chosen when it runs.
#[cfg(all(feature = "fft-simd", not(target_arch = "aarch64")))]
fn plan<T: FftNum>(size: usize, direction: FftDirection) -> Arc<dyn Fft<T>> {
    rustfft::FftPlanner::new().plan_fft(size, direction)
}

#[cfg(not(feature = "fft-simd"))]
use small::plan;

/// Where size counts: transforms that are put together from a few small ones. rustfft's planners bring one for each
/// prime to 31, for each set of instructions and for both kinds of floats, half a megabyte and more.
#[cfg(any(test, not(feature = "fft-simd")))]
mod small {
    use super::*;
    use rustfft::algorithm::butterflies::{
        Butterfly2, Butterfly3, Butterfly4, Butterfly5, Butterfly7, Butterfly8, Butterfly16,
    };
    use rustfft::algorithm::{Dft, MixedRadix, MixedRadixSmall};

    /// Below it, the variant of a mixed radix for small sizes is the faster one: so does rustfft's own planner.
    const SMALL: usize = 31;

    pub(super) fn plan<T: FftNum>(size: usize, direction: FftDirection) -> Arc<dyn Fft<T>> {
        match size {
            2 => Arc::new(Butterfly2::new(direction)),
            3 => Arc::new(Butterfly3::new(direction)),
            4 => Arc::new(Butterfly4::new(direction)),
            5 => Arc::new(Butterfly5::new(direction)),
            7 => Arc::new(Butterfly7::new(direction)),
            8 => Arc::new(Butterfly8::new(direction)),
            16 => Arc::new(Butterfly16::new(direction)),
            _ => match widest_divisor(size) {
                Some(width) => {
                    let (width, height) = (plan(width, direction), plan(size / width, direction));
                    let small = width.len() < SMALL && height.len() < SMALL;
                    if small {
                        Arc::new(MixedRadixSmall::new(width, height))
                    } else {
                        Arc::new(MixedRadix::new(width, height))
                    }
                }
                None => Arc::new(Dft::new(size, direction)),
            },
        }
    }

    /// The largest divisor up to the square root, but for 1: the two parts are about as long.
    fn widest_divisor(size: usize) -> Option<usize> {
        (2..=size.isqrt()).rev().find(|&divisor| size.is_multiple_of(divisor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustfft::num_complex::Complex;

    #[test]
    fn small_plans_give_what_the_definition_gives() {
        for size in [1, 2, 6, 11, 16, 60, 147, 160, 256, 294, 480, 882, 1_200] {
            let wave: Vec<Complex<f64>> =
                (0..size).map(|at| Complex::new((at as f64 * 0.37).sin(), (at as f64 * 1.13).cos())).collect();
            for direction in [FftDirection::Forward, FftDirection::Inverse] {
                let mut found = wave.clone();
                small::plan::<f64>(size, direction).process(&mut found);
                let sign = if direction == FftDirection::Forward { -1.0 } else { 1.0 };
                for (line, value) in found.iter().enumerate().step_by(size / 16 + 1) {
                    let turn = sign * std::f64::consts::TAU / size as f64;
                    let angle = |at: usize| turn * ((line * at) % size) as f64;
                    let sum: Complex<f64> =
                        wave.iter().enumerate().map(|(at, one)| one * Complex::from_polar(1.0, angle(at))).sum();
                    assert!((sum - value).norm() < 1e-10 * size as f64, "size {size}, line {line}: {value}, not {sum}");
                }
            }
        }
    }
}
