//! Sums over a filter's coefficients, in either precision.

use super::super::simd::{DOUBLES, LANES, Simd};

/// Slices are as long as a multiple of this: nothing is left over.
pub(super) const STEP: usize = 16;

pub(super) trait Sums: Copy {
    /// The sum of four rows.
    fn mix<S: Simd>(simd: S, rows: [&[Self]; 4], weights: [Self; 4], into: &mut [Self]);
    /// The sum of products.
    fn product<S: Simd>(simd: S, coefficients: &[Self], samples: &[Self]) -> Self;
}

/// For a precision, with so many values at a time.
macro_rules! sums {
    ($type:ty, $lanes:ident, $splat:ident, $load:ident, $store:ident, $mul_add:ident) => {
        impl Sums for $type {
            #[inline(always)]
            fn mix<S: Simd>(simd: S, rows: [&[Self]; 4], weights: [Self; 4], into: &mut [Self]) {
                let [a, b, c, d] = rows.map(|row| row.as_chunks::<$lanes>().0);
                let weights = weights.map(|weight| simd.$splat(weight));
                let into = into.as_chunks_mut::<$lanes>().0;
                for ((((into, a), b), c), d) in into.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                    let mut sum = simd.$splat(0.0);
                    for (row, weight) in [a, b, c, d].into_iter().zip(weights) {
                        sum = simd.$mul_add(simd.$load(row), weight, sum);
                    }
                    simd.$store(sum, into);
                }
            }

            #[inline(always)]
            fn product<S: Simd>(simd: S, coefficients: &[Self], samples: &[Self]) -> Self {
                const SIDES: usize = STEP / $lanes;
                // Sums side by side: one alone would wait for itself.
                let mut sums = [simd.$splat(0.0); SIDES];
                let coefficients = coefficients.as_chunks::<STEP>().0;
                for (coefficients, samples) in coefficients.iter().zip(samples.as_chunks::<STEP>().0) {
                    let coefficients = coefficients.as_chunks::<$lanes>().0;
                    let samples = samples.as_chunks::<$lanes>().0;
                    for (sum, (coefficients, samples)) in sums.iter_mut().zip(coefficients.iter().zip(samples)) {
                        *sum = simd.$mul_add(simd.$load(coefficients), simd.$load(samples), *sum);
                    }
                }
                let mut lanes = [[0.0; $lanes]; SIDES];
                for (lanes, sum) in lanes.iter_mut().zip(sums) {
                    simd.$store(sum, lanes);
                }
                let sum = |values: &[Self]| values.chunks_exact(2).map(|two| two[0] + two[1]).sum::<Self>();
                sum(lanes.as_flattened())
            }
        }
    };
}

sums!(f32, LANES, splat, load, store, mul_add);
sums!(f64, DOUBLES, splat_double, load_double, store_double, mul_add_double);
