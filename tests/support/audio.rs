//! Audio to put in.

use std::f64::consts::TAU;
use std::path::Path;

use remotemedia::{AudioBuffer, AudioFormat};

use super::random::Random;

pub fn buffer(samples: Vec<f32>, sample_rate_hz: u32, channels: u16) -> AudioBuffer {
    AudioBuffer::new(samples, AudioFormat::new(sample_rate_hz, channels).unwrap()).unwrap()
}

/// White noise at half of full scale.
pub fn noise(seed: u64, frames: usize, sample_rate_hz: u32, channels: u16) -> AudioBuffer {
    let mut random = Random::new(seed);
    let samples = (0..frames * usize::from(channels)).map(|_| 0.5 * random.sample()).collect();
    buffer(samples, sample_rate_hz, channels)
}

/// A sine from frame 0 on, computed in f64.
pub fn sine(hz: f64, amplitude: f64, frames: usize, sample_rate_hz: u32) -> Vec<f32> {
    let step = TAU * hz / f64::from(sample_rate_hz);
    (0..frames).map(|n| (amplitude * (step * n as f64).sin()) as f32).collect()
}

/// Bursts of noise with silence between: something for a detector of activity to find.
pub fn bursts(seed: u64, frames: usize, sample_rate_hz: u32, channels: u16) -> AudioBuffer {
    let mut audio = noise(seed, frames, sample_rate_hz, channels);
    let burst = sample_rate_hz as usize * usize::from(channels) * 4 / 10;
    for (index, sample) in audio.samples_mut().unwrap().iter_mut().enumerate() {
        if (index / burst).is_multiple_of(2) {
            *sample *= 1e-5;
        }
    }
    audio
}

/// A recording of `examples/data`: 16 kHz, mono, 16 bits. Read here by hand, so that the tests do not lean on feature
/// `files`.
pub fn recording(name: &str) -> AudioBuffer {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data").join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let length = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let mut at = 12; // After "RIFF", size and "WAVE" come chunks: a name, a length, the content.
    while &bytes[at..at + 4] != b"data" {
        at += 8 + length(at + 4);
    }
    let samples = bytes[at + 8..at + 8 + length(at + 4)].as_chunks::<2>().0.iter();
    buffer(samples.map(|b| f32::from(i16::from_le_bytes(*b)) / 32_768.0).collect(), 16_000, 1)
}

/// The first seconds of `examples/data/jfk.wav`: one voice with pauses.
pub fn speech(seconds: f64) -> AudioBuffer {
    recording("jfk.wav").slice(0..(seconds * 16_000.0) as usize)
}
