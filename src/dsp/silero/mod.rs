//! The Silero voice activity detector, version 6, for 16 kHz: how likely is it that somebody speaks?
//!
//! The network is written out here: a short-time Fourier transform, four convolutions, an LSTM cell, one output. Its
//! weights come from the PyPI package silero-vad 6.2.3 (MIT, `LICENSE-silero-vad`); `extract.py` says how.

mod math;
mod network;
mod weights;

use super::simd;

/// New samples of a window, at [`RATE_HZ`]: 32 ms.
pub const WINDOW: usize = 512;
/// The rate of the samples.
pub const RATE_HZ: u32 = 16_000;
/// Samples of the window before that belong to a window.
const CONTEXT: usize = 64;
/// Size of the LSTM's state.
const STATE: usize = 128;

/// One stream. All streams share the weights.
pub struct Detector {
    /// The end of the window before, then the LSTM's state.
    context: [f32; CONTEXT],
    hidden: [f32; STATE],
    cell: [f32; STATE],
}

/// The start of a stream.
impl Default for Detector {
    fn default() -> Self {
        Self { context: [0.0; CONTEXT], hidden: [0.0; STATE], cell: [0.0; STATE] }
    }
}

impl Detector {
    /// Forgets the stream.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// The probability of speech in the next 32 ms. Samples from -1 to 1.
    pub fn predict(&mut self, samples: &[f32; WINDOW]) -> f32 {
        simd::run(network::Step { weights: weights::weights(), detector: self, samples })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The arithmetic without special instructions gives the same to the rounding of f32.
    #[test]
    fn plain_arithmetic_gives_the_same() {
        let mut state = 7_u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        let (mut fast, mut plain) = (Detector::default(), Detector::default());
        for window in 0..60 {
            let loudness = if window % 20 < 10 { 0.3 } else { 0.003 };
            let pitch = 0.05 + 0.001 * window as f32;
            let samples: [f32; WINDOW] =
                std::array::from_fn(|n| loudness * ((n as f32 * pitch).sin().signum() * 0.7 + 0.3 * noise()));
            let (a, b) = (fast.predict(&samples), simd::plain(|| plain.predict(&samples)));
            assert!((0.0..=1.0).contains(&a));
            assert!((a - b).abs() < 1e-5, "window {window}: {a} and {b}");
        }
    }

    #[test]
    fn a_reset_forgets() {
        let loud: [f32; WINDOW] = std::array::from_fn(|n| (n as f32 * 0.07).sin());
        let mut detector = Detector::default();
        let first = detector.predict(&loud);
        assert!(detector.predict(&loud) != first);
        detector.reset();
        assert!(detector.predict(&loud) == first);
    }
}
