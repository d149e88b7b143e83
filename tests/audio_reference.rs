//! `AudioResample` against theory: sines and impulses have a known answer at any rate.
//!
//! Rates, tones and limits are those of section 1.9 of the DSP design, thinned so that an unoptimised build is done
//! in seconds.

mod support;

use remotemedia::AudioBuffer;
use serde_json::json;
use support::audio::{buffer, noise, sine};
use support::fit::{rms_db, tone};
use support::run::convert;

/// Rates by FFT (the first seven) and by interpolation (the last).
const RATIOS: [(u32, u32); 8] = [
    (48_000, 16_000),
    (44_100, 16_000),
    (44_100, 48_000),
    (16_000, 48_000),
    (8_000, 16_000),
    (24_000, 8_000),
    (11_025, 16_000),
    (44_101, 16_000),
];

const QUALITIES: [&str; 3] = ["low_latency", "high", "very_high"];

fn resample(input: AudioBuffer, to: u32, quality: &str) -> AudioBuffer {
    convert("AudioResample", json!({"target_rate": to, "quality": quality}), input)
}

/// A mono tone of amplitude 0.5 through the resampler; the part from 0.5 s to 1.1 s, where no end is near.
fn tone_through(from: u32, to: u32, hz: f64, quality: &str) -> Vec<f32> {
    let input = buffer(sine(hz, 0.5, from as usize * 8 / 5, from), from, 1);
    let out = resample(input, to, quality);
    out.samples()[to as usize / 2..to as usize * 11 / 10].to_vec()
}

/// The reduced ratio: `up` frames out for `down` frames in.
fn ratio(from: u32, to: u32) -> (usize, usize) {
    let (mut a, mut b) = (from, to);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    ((to / a) as usize, (from / a) as usize)
}

#[test]
fn length_is_exact() {
    for (from, to) in RATIOS {
        let (up, down) = ratio(from, to);
        let rate = from as usize;
        for frames in [1, 2, down - 1, down, down + 1, 300, rate, rate + 17] {
            let out = resample(noise(1, frames, from, 1), to, "high");
            assert_eq!(out.frames(), (frames * up).div_ceil(down), "{from} -> {to}, {frames} frames");
            assert_eq!(out.sample_rate_hz(), to);
        }
    }
}

/// N items in, N items out: one without frames is no exception.
#[test]
fn no_frames_give_no_frames() {
    for (from, to) in RATIOS {
        assert_eq!(resample(noise(1, 0, from, 2), to, "high").frames(), 0, "{from} -> {to}");
    }
}

#[test]
fn an_impulse_stays_where_it_is() {
    for quality in QUALITIES {
        for (from, to) in RATIOS {
            let (up, down) = ratio(from, to);
            // A multiple of `down` near to 0.3 s: an output frame lies exactly there. At an odd ratio it is 1 s.
            let steps = (from as usize * 3 / 10 / down).max(1);
            let mut samples = vec![0.0; steps * down + from as usize / 4];
            samples[steps * down] = 1.0;
            let out = resample(buffer(samples, from, 1), to, quality);
            let peak = |(at, best): (usize, f32), (index, sample): (usize, &f32)| {
                if sample.abs() > best { (index, sample.abs()) } else { (at, best) }
            };
            let (at, _) = out.samples().iter().enumerate().fold((0, 0.0), peak);
            assert_eq!(at, steps * up, "{from} -> {to} {quality}");
            // The answer of a linear-phase filter is the same on both sides of a whole frame.
            for distance in (1..50).filter(|_| up.max(down) < 1_000) {
                let (left, right) = (out.samples()[at - distance], out.samples()[at + distance]);
                assert!((left - right).abs() < 1e-5, "{from} -> {to} {quality}: {left} {right} at {distance}");
            }
        }
    }
}

/// A tone comes out at its own time: its phase says where, to a small part of a frame.
#[test]
fn tones_stay_in_time() {
    const ODD: [(u32, u32); 5] =
        [(44_101, 16_000), (16_000, 44_101), (8_001, 48_000), (48_000, 44_101), (44_101, 44_100)];
    let mut late = Vec::new();
    for quality in QUALITIES {
        let limit = 1e-3;
        for &(from, to) in RATIOS.iter().chain(&ODD) {
            let hz = 440.0;
            let delay = tone(&tone_through(from, to, hz, quality), hz, to).delay_frames(hz, to, to as usize / 2);
            if delay.abs() > limit {
                late.push(format!("{from} -> {to} {quality}: {delay:.3} frames late, expected at most {limit}"));
            }
        }
    }
    assert!(late.is_empty(), "\n{}", late.join("\n"));
}

/// The pass band is flat, and what is not the tone (noise, images, aliases) lies below -125 dB.
///
/// f32 input alone has rounding noise at -144 dB of the sample; an FFT of 2,048 points in f32 adds a few units in
/// the last place, the filter's stop band lies at -135 dB. -125 dB leaves 6 dB for other FFT kernels (AVX, NEON).
#[test]
fn tones_pass_unchanged() {
    let mut worst = (0.0_f64, -200.0_f64);
    for (from, to) in RATIOS {
        let nyquist = f64::from(from.min(to)) / 2.0;
        for part in [0.05, 0.2, 0.5, 0.75, 0.85] {
            let hz = part * nyquist + 0.37;
            let fit = tone(&tone_through(from, to, hz, "high"), hz, to);
            let (gain, residual) = (fit.gain_db(0.5), fit.residual_db());
            worst = (worst.0.max(gain.abs()), worst.1.max(residual));
            assert!(gain.abs() <= 0.01, "{from} -> {to}, {hz:.1} Hz: gain {gain:.5} dB");
            assert!(residual <= -125.0, "{from} -> {to}, {hz:.1} Hz: residual {residual:.1} dB");
        }
    }
    println!("worst gain {:.6} dB, worst residual {:.1} dB", worst.0, worst.1);
}

#[test]
fn the_pass_band_reaches_to_93_percent() {
    for (from, to) in RATIOS {
        let nyquist = f64::from(from.min(to)) / 2.0;
        let gain = |part: f64| {
            let hz = part * nyquist + 0.37;
            tone(&tone_through(from, to, hz, "high"), hz, to).gain_db(0.5)
        };
        let edge = gain(0.93) - gain(0.05);
        println!("{from} -> {to}: {edge:.4} dB at 0.93");
        assert!(edge >= -0.1, "{from} -> {to}: {edge:.3} dB at 0.93 of Nyquist");
    }
}

/// On the way down, nothing above the new Nyquist frequency comes back as something else.
#[test]
fn nothing_folds_back() {
    let mut worst = -200.0_f64;
    for (from, to) in RATIOS.into_iter().filter(|(from, to)| from > to) {
        for part in [1.0005, 1.02, 1.1, 1.5] {
            let hz = part * f64::from(to) / 2.0;
            let out = rms_db(&tone_through(from, to, hz, "high")) - 20.0 * (0.5 / 2.0_f64.sqrt()).log10();
            worst = worst.max(out);
            assert!(out <= -120.0, "{from} -> {to}, {hz:.1} Hz: {out:.1} dB comes through");
        }
    }
    println!("worst {worst:.1} dB");
}

/// `very_high` computes in f64: what is left is the rounding of f32 samples on the way in and out.
///
/// That alone is -144 dB of each sample's own binary step, on average -150 dB of the tone: -145 dB is below what
/// f32 arithmetic can do, and above what f32 samples allow.
#[test]
fn very_high_leaves_only_the_rounding_of_the_samples() {
    let mut worst = -200.0_f64;
    for (from, to) in RATIOS {
        let nyquist = f64::from(from.min(to)) / 2.0;
        for part in [0.05, 0.85] {
            let hz = part * nyquist + 0.37;
            let fit = tone(&tone_through(from, to, hz, "very_high"), hz, to);
            worst = worst.max(fit.residual_db());
            println!("{from} -> {to}, {part}: {:.1}", fit.residual_db());
            assert!(fit.gain_db(0.5).abs() <= 0.01, "{from} -> {to}, {hz:.1} Hz: gain {:.5} dB", fit.gain_db(0.5));
            assert!(fit.residual_db() <= -145.0, "{from} -> {to}, {hz:.1} Hz: residual {:.1} dB", fit.residual_db());
        }
    }
    println!("worst residual {worst:.1} dB");
}

/// Channels know nothing of each other. Two of them go through one complex transform and add in another order than
/// one does: they agree to the rounding of f32, -120 dB.
#[test]
fn stereo_is_two_times_mono() {
    for quality in QUALITIES {
        for (from, to) in RATIOS {
            let sides = [noise(1, 4_000, from, 1), noise(2, 4_000, from, 1), noise(3, 4_000, from, 1)];
            for channels in [2, 3] {
                let frames = (0..4_000).flat_map(|n| sides[..channels].iter().map(move |side| side.samples()[n]));
                let together = resample(buffer(frames.collect(), from, channels as u16), to, quality);
                for (channel, side) in sides[..channels].iter().enumerate() {
                    let mono = resample(side.clone(), to, quality);
                    let of_all = together.samples().iter().skip(channel).step_by(channels);
                    let differences: Vec<f32> = of_all.zip(mono.samples()).map(|(a, b)| a - b).collect();
                    assert_eq!(differences.len(), mono.frames());
                    let rest = rms_db(&differences) - rms_db(mono.samples());
                    assert!(rest < -120.0, "{from} -> {to} {quality}, channel {channel}: {rest:.1} dB apart");
                }
            }
        }
    }
}

#[test]
fn a_silent_channel_beside_a_loud_one_stays_silent() {
    for (from, to) in RATIOS {
        let loud = noise(3, 4_000, from, 1);
        let both = buffer(loud.samples().iter().flat_map(|sample| [2.0 * sample, 0.0]).collect(), from, 2);
        let stereo = resample(both, to, "high");
        let silent: Vec<f32> = stereo.samples().iter().skip(1).step_by(2).copied().collect();
        assert!(rms_db(&silent) < -120.0, "{from} -> {to}: {:.1} dB", rms_db(&silent));
    }
}

#[test]
fn the_same_rate_changes_nothing() {
    let input = noise(5, 1_000, 22_050, 2);
    assert_eq!(resample(input.clone(), 22_050, "high"), input);
}
