//! The resampler against theory: frame n of the output is the band-limited input at the time of n.

use super::super::simd;
use super::*;

mod far;
mod moved;
mod odd;

const QUALITIES: [Quality; 3] = [Quality::LowLatency, Quality::High, Quality::VeryHigh];

/// Knuth's linear congruential generator: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn noise(&mut self, samples: usize) -> Vec<f32> {
        (0..samples).map(|_| self.below(2_000_001) as f32 / 1e6 - 1.0).collect()
    }
}

fn opened(from_hz: u32, to_hz: u32, quality: Quality, channels: usize, ratio_ppm: Option<f64>) -> Resampler {
    let conversion = Conversion { from_hz, to_hz, channels, quality, live: true, ratio_ppm };
    Resampler::new(conversion).unwrap_or_else(|error| panic!("{from_hz} -> {to_hz}: {error}"))
}

/// A piece through.
fn put(resampler: &mut Resampler, piece: &[f32], out: &mut Vec<f32>) {
    let (channels, begin) = (resampler.channels, out.len());
    let bound = resampler.push_bound(piece.len() / channels);
    out.resize(begin + bound * channels, f32::NAN);
    let frames = resampler.push(piece, &mut out[begin..]);
    match resampler.engine {
        Engine::Sinc(_) | Engine::SincDouble(_) => assert_eq!(frames, bound),
        // What lies before the stream is thrown away.
        _ => out.truncate(begin + frames * channels),
    }
}

fn end(resampler: &mut Resampler, out: &mut Vec<f32>) {
    let begin = out.len();
    out.resize(begin + resampler.held_frames() * resampler.channels, f32::NAN);
    resampler.flush(&mut out[begin..]);
    assert_eq!(resampler.held_frames(), 0);
}

/// The whole input at once.
fn whole(resampler: &mut Resampler, input: &[f32]) -> Vec<f32> {
    let mut out = Vec::new();
    put(resampler, input, &mut out);
    end(resampler, &mut out);
    resampler.reset();
    out
}

/// The same in pieces of any length, none included.
fn in_pieces(resampler: &mut Resampler, input: &[f32], random: &mut Random) -> Vec<f32> {
    let (mut out, mut rest) = (Vec::new(), input);
    while !rest.is_empty() {
        let longest = [2, 30, 1_000, 5_000][random.below(4)];
        let frames = random.below(longest).min(rest.len() / resampler.channels);
        let (piece, later) = rest.split_at(frames * resampler.channels);
        put(resampler, piece, &mut out);
        rest = later;
    }
    end(resampler, &mut out);
    resampler.reset();
    out
}

fn db(value: f64) -> f64 {
    20.0 * value.log10()
}

fn rms(values: impl Iterator<Item = f64> + Clone) -> f64 {
    (values.clone().map(|value| value * value).sum::<f64>() / values.count() as f64).sqrt()
}

/// A bell that is far narrower than the band: `width` frames of the lower rate, so that nothing of it is stopped.
struct Bell {
    at: f64,
    width: f64,
}

impl Bell {
    /// In the middle of a stream of so many frames.
    fn new(from_hz: u32, to_hz: u32, frames: usize) -> Self {
        Self { at: frames as f64 / 2.0 / f64::from(from_hz) + 1e-5, width: 8.0 / f64::from(from_hz.min(to_hz)) }
    }

    fn value(&self, seconds: f64) -> f64 {
        (-0.5 * ((seconds - self.at) / self.width).powi(2)).exp()
    }

    fn sampled(&self, rate_hz: u32, frames: usize) -> Vec<f32> {
        (0..frames).map(|n| self.value(n as f64 / f64::from(rate_hz)) as f32).collect()
    }

    /// How many frames late it is, and how far it is from the ideal at most.
    fn found(&self, out: &[f32], rate_hz: u32) -> (f64, f64) {
        let weight: f64 = out.iter().map(|value| f64::from(*value)).sum();
        let centre: f64 = out.iter().enumerate().map(|(n, value)| n as f64 * f64::from(*value)).sum();
        let error = |(n, value): (usize, &f32)| (f64::from(*value) - self.value(n as f64 / f64::from(rate_hz))).abs();
        (centre / weight - self.at * f64::from(rate_hz), out.iter().enumerate().map(error).fold(0.0, f64::max))
    }
}

/// Without special instructions of ours the same comes out of the transforms: nothing in a block is rounded in another
/// order. Sums have fused products where the processor does, so that they differ by their rounding.
#[test]
fn plain_arithmetic_gives_the_same() {
    for (to_hz, limit) in [(16_000, 0.0), (16_001, 3e-6)] {
        for quality in QUALITIES {
            for channels in [1, 2, 3] {
                let input = Random(7).noise(9_600 * channels);
                let made = || whole(&mut opened(48_000, to_hz, quality, channels, None), &input);
                let (fast, plain) = (made(), simd::plain(made));
                assert!(fast.len() >= 3_200 * channels);
                let apart = fast.iter().zip(&plain).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(apart <= limit, "{to_hz} {quality:?}, {channels} channels: {apart}");
            }
        }
    }
}
