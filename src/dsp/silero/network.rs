//! The network, one window at a time.

use rustfft::num_complex::Complex;

use super::super::simd::{Kernel, LANES, Simd};
use super::math::{sigmoid, tanh};
use super::weights::Weights;
use super::{CONTEXT, Detector, STATE, WINDOW};

/// Bins of the short-time Fourier transform.
pub(super) const BINS: usize = 129;
/// Its windows in one step of the network.
const STEPS: usize = 4;
/// Samples of a window of it, and from one to the next.
const FRAME: usize = 256;
const HOP: usize = 128;

/// The weights of a group of outputs for one input: lines of the cache, so that loading one touches one.
#[repr(align(64))]
pub(super) struct Row<const V: usize>(pub(super) [[f32; LANES]; V]);

/// A matrix and what is added. The outputs go in groups of `V` times [`LANES`]; a group has one row for each input.
pub(super) struct Layer<const V: usize> {
    pub(super) weights: Vec<Row<V>>,
    pub(super) bias: Vec<f32>,
    pub(super) inputs: usize,
}

impl<const V: usize> Layer<V> {
    /// Multiplies several inputs at once, so that every weight is loaded once. Calls `store` with the input's number,
    /// the first output's number and the outputs.
    #[inline(always)]
    fn apply<S: Simd, const N: usize>(
        &self,
        simd: S,
        inputs: [&[f32]; N],
        mut store: impl FnMut(usize, usize, &[f32; LANES]),
    ) {
        let inputs = inputs.map(|input| &input[..self.inputs]);
        let groups = self.weights.chunks_exact(self.inputs).zip(self.bias.chunks_exact(V * LANES));
        for (group, (rows, bias)) in groups.enumerate() {
            let bias = bias.as_chunks::<LANES>().0;
            let start: [S::Lanes; V] = std::array::from_fn(|vector| simd.load(&bias[vector]));
            let mut sums = [start; N];
            for (index, row) in rows.iter().enumerate() {
                let weights: [S::Lanes; V] = std::array::from_fn(|vector| simd.load(&row.0[vector]));
                for (sums, input) in sums.iter_mut().zip(inputs) {
                    let value = simd.splat(input[index]);
                    for (sum, weights) in sums.iter_mut().zip(weights) {
                        *sum = simd.mul_add(weights, value, *sum);
                    }
                }
            }
            for (number, sums) in sums.into_iter().enumerate() {
                for (vector, sum) in sums.into_iter().enumerate() {
                    let mut values = [0.0; LANES];
                    simd.store(sum, &mut values);
                    store(number, (group * V + vector) * LANES, &values);
                }
            }
        }
    }
}

/// What is below zero becomes zero.
#[inline(always)]
fn rectified(values: &[f32; LANES]) -> [f32; LANES] {
    values.map(|value| value.max(0.0))
}

/// One window. Gives the probability.
pub(super) struct Step<'a> {
    pub(super) weights: &'a Weights,
    pub(super) detector: &'a mut Detector,
    pub(super) samples: &'a [f32; WINDOW],
}

impl Kernel for Step<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> f32 {
        let Self { weights, detector, samples } = self;
        // Rows of zeros before and after, so that the three taps of a step are one stretch of memory.
        let mut spectra = [0.0; (STEPS + 2) * BINS];
        magnitudes(weights, detector, samples, &mut spectra[BINS..]);
        let step = |n: usize| &spectra[n * BINS..][..3 * BINS];
        let mut first = [0.0; (STEPS + 1) * 128];
        weights.conv1.apply(simd, [step(0), step(1), step(2), step(3)], |number, output, values| {
            first[(number + 1) * 128 + output..][..LANES].copy_from_slice(&rectified(values));
        });
        let mut second = [0.0; 2 * 64];
        weights.conv2.apply(simd, [&first[..3 * 128], &first[2 * 128..]], |number, output, values| {
            second[number * 64 + output..][..LANES].copy_from_slice(&rectified(values));
        });
        let mut third = [0.0; 64];
        weights.conv3.apply(simd, [&second], |_, output, values| {
            third[output..][..LANES].copy_from_slice(&rectified(values));
        });
        let mut fourth = [0.0; 128 + STATE];
        weights.conv4.apply(simd, [&third], |_, output, values| {
            fourth[output..][..LANES].copy_from_slice(&rectified(values));
        });
        fourth[128..].copy_from_slice(&detector.hidden);
        let mut gates = [0.0; 4 * STATE];
        weights.gates.apply(simd, [&fourth], |_, output, values| {
            gates[output..][..LANES].copy_from_slice(values);
        });
        remember(simd, detector, &gates);
        let hidden = detector.hidden.as_chunks::<LANES>().0.iter();
        let mut sum = simd.splat(0.0);
        for (hidden, factors) in hidden.zip(weights.last.as_chunks::<LANES>().0) {
            sum = simd.mul_add(simd.load(&rectified(hidden)), simd.load(factors), sum);
        }
        sigmoid(simd, simd.sum(sum) + weights.last_bias)
    }
}

/// The amplitudes of four windows, 256 samples long and 128 apart, over the context, the new samples and their last 64
/// mirrored. Two windows go through one complex transform.
#[inline(always)]
fn magnitudes(weights: &Weights, detector: &mut Detector, samples: &[f32; WINDOW], target: &mut [f32]) {
    const LENGTH: usize = CONTEXT + WINDOW + CONTEXT;
    let mut signal = [0.0; LENGTH];
    signal[..CONTEXT].copy_from_slice(&detector.context);
    signal[CONTEXT..CONTEXT + WINDOW].copy_from_slice(samples);
    for n in 0..CONTEXT {
        signal[CONTEXT + WINDOW + n] = signal[CONTEXT + WINDOW - 2 - n];
    }
    detector.context.copy_from_slice(&samples[WINDOW - CONTEXT..]);
    let mut scratch = [Complex::default(); FRAME];
    for (pair, target) in target.chunks_exact_mut(2 * BINS).take(STEPS / 2).enumerate() {
        let first = &signal[2 * pair * HOP..][..FRAME];
        let second = &signal[(2 * pair + 1) * HOP..][..FRAME];
        let mut bins: [Complex<f32>; FRAME] =
            std::array::from_fn(|n| Complex::new(first[n] * weights.window[n], second[n] * weights.window[n]));
        weights.transform.process_with_scratch(&mut bins, &mut scratch[..weights.transform.get_inplace_scratch_len()]);
        let (early, late) = target.split_at_mut(BINS);
        for bin in 0..BINS {
            let (a, b) = (bins[bin], bins[(FRAME - bin) % FRAME]);
            early[bin] = 0.5 * length(a.re + b.re, a.im - b.im);
            late[bin] = 0.5 * length(a.im + b.im, b.re - a.re);
        }
    }
}

/// The length of (a, b): both are far from the limits of f32.
#[inline(always)]
fn length(a: f32, b: f32) -> f32 {
    (a * a + b * b).sqrt()
}

/// The LSTM's new state from its gates: input, forget, cell, output.
#[inline(always)]
fn remember<S: Simd>(simd: S, detector: &mut Detector, gates: &[f32; 4 * STATE]) {
    let [input, forget, candidate, output] = [0, 1, 2, 3].map(|gate| &gates[gate * STATE..][..STATE]);
    let states = detector.cell.iter_mut().zip(&mut detector.hidden);
    for (((((cell, hidden), input), forget), candidate), output) in
        states.zip(input).zip(forget).zip(candidate).zip(output)
    {
        *cell = sigmoid(simd, *forget) * *cell + sigmoid(simd, *input) * tanh(simd, *candidate);
        *hidden = sigmoid(simd, *output) * tanh(simd, *cell);
    }
}
