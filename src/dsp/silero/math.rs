//! Functions of many values at a time, exact to a few units in the last place of f32.

use super::super::simd::Simd;

/// Adding and taking away this number rounds to a whole one, which then stands in its lowest bits.
const ROUND: f32 = 12_582_912.0;
/// ln 2 in two parts: the first has so few digits that its products with whole numbers are exact.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;

/// e^x, for x from -87 to 88: 2^n e^r with a whole n and |r| up to ln(2) / 2, e^r by its Taylor series.
#[inline(always)]
fn exp<S: Simd>(simd: S, x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    let shifted = simd.mul_add_one(x, std::f32::consts::LOG2_E, ROUND);
    let whole = shifted - ROUND;
    let rest = simd.mul_add_one(whole, -LN2_LOW, simd.mul_add_one(whole, -LN2_HIGH, x));
    let mut sum = 1.0 / 5_040.0;
    for factor in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        sum = simd.mul_add_one(sum, rest, factor);
    }
    // The exponent's bits: n + 127, moved up.
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    sum * power
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub(super) fn sigmoid<S: Simd>(simd: S, x: f32) -> f32 {
    1.0 / (1.0 + exp(simd, -x))
}

/// 1 - 2 / (1 + e^2x).
#[inline(always)]
pub(super) fn tanh<S: Simd>(simd: S, x: f32) -> f32 {
    1.0 - 2.0 / (1.0 + exp(simd, 2.0 * x))
}

#[cfg(test)]
mod tests {
    use super::super::super::simd::{self, Kernel};
    use super::*;

    struct Both(f32);

    impl Kernel for Both {
        type Output = (f32, f32);

        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> (f32, f32) {
            (sigmoid(simd, self.0), tanh(simd, self.0))
        }
    }

    #[test]
    fn as_in_f64() {
        for step in -2_000..=2_000 {
            let x = step as f32 * 0.05;
            let wide = f64::from(x);
            for (found, expected) in [
                (simd::run(Both(x)).0, 1.0 / (1.0 + (-wide).exp())),
                (simd::run(Both(x)).1, wide.tanh()),
                (simd::plain(|| simd::run(Both(x)).0), 1.0 / (1.0 + (-wide).exp())),
                (simd::plain(|| simd::run(Both(x)).1), wide.tanh()),
            ] {
                assert!((f64::from(found) - expected).abs() < 3e-7, "{x}: {found}, expected {expected}");
            }
        }
    }
}
