//! Rates that no transform serves.

use std::f64::consts::TAU;

use super::*;

const PAIRS: [(u32, u32); 20] = [
    (44_056, 48_000),
    (48_000, 44_056),
    (22_051, 16_000),
    (16_000, 22_051),
    (47_952, 48_000),
    (48_000, 47_952),
    (11_024, 16_000),
    (16_000, 11_024),
    (16_000, 44_102),
    (44_102, 16_000),
    (44_100, 44_101),
    (44_101, 44_100),
    (8_001, 48_000),
    (48_000, 8_001),
    (96_000, 15_999),
    (192_000, 7_919),
    (7_919, 192_000),
    (11_000, 13_000),
    (33, 31),
    (17, 1_000),
];

/// The list, and as many pairs by chance.
fn pairs() -> Vec<(u32, u32)> {
    let mut random = Random(24);
    let mut rate = || 4_000 + random.below(60_000) as u32;
    PAIRS.into_iter().chain(std::iter::from_fn(|| Some((rate(), rate()))).take(20)).collect()
}

/// How far from the ideal a sample of height 1 may be. `high` and `very_high`: the rounding of f32, in sums and in
/// samples. The short filter stops at -97 dB and ripples as much.
fn limit(quality: Quality) -> f64 {
    match quality {
        Quality::LowLatency => 2e-5,
        Quality::High => 5e-7,
        Quality::VeryHigh => 1e-7,
    }
}

/// 0.01 frames are promised.
#[test]
fn a_bell_stays_where_it_is() {
    let mut random = Random(1);
    for (from, to) in pairs() {
        let frames = (f64::from(from) * 300.0 / f64::from(from.min(to))) as usize + random.below(100);
        let bell = Bell::new(from, to, frames);
        for quality in QUALITIES {
            let resampler = &mut opened(from, to, quality, 1, None);
            let input = bell.sampled(from, frames);
            let out = whole(resampler, &input);
            assert!(out == in_pieces(resampler, &input, &mut random), "{from} -> {to} {quality:?}");
            let length = (frames as u64 * u64::from(to)).div_ceil(u64::from(from));
            assert_eq!(out.len() as u64, length, "{from} -> {to} {quality:?}");
            let (late, error) = bell.found(&out, to);
            assert!(late.abs() < 1e-3, "{from} -> {to} {quality:?}: {late:.6} frames late");
            assert!(error < limit(quality), "{from} -> {to} {quality:?}: {error:.2e} from the ideal");
        }
    }
}

/// A tone comes out as the tone that it is, at its time: what differs from the ideal, against the tone.
#[test]
fn tones_are_the_ideal_ones() {
    let mut worst = [-200.0_f64; 3];
    for (from, to) in pairs() {
        let low = f64::from(from.min(to));
        let frames = (f64::from(from) * 900.0 / low) as usize;
        for part in [0.02, 0.2, 0.5, 0.7, 0.85] {
            // Another tone on the second channel, which is not heard on the first.
            let step = |channel: usize| TAU * low / 2.0 * part / (1 + channel) as f64;
            let value = |channel: usize, seconds: f64| (step(channel) * seconds).sin() * 0.5;
            let input: Vec<f32> =
                (0..2 * frames).map(|n| value(n % 2, (n / 2) as f64 / f64::from(from)) as f32).collect();
            for (index, quality) in QUALITIES.into_iter().enumerate() {
                // The short filter is no longer flat there.
                if part > 0.7 && index == 0 {
                    continue;
                }
                let out = whole(&mut opened(from, to, quality, 2, None), &input);
                let inner = out.len() / 6 * 2..out.len() / 6 * 4;
                for channel in 0..2 {
                    let errors = (inner.start..inner.end)
                        .skip(channel)
                        .step_by(2)
                        .map(|n| f64::from(out[n]) - value(channel, (n / 2) as f64 / f64::from(to)));
                    let error = db(rms(errors) / (0.5 / 2.0_f64.sqrt()));
                    worst[index] = worst[index].max(error);
                    let most = [-85.0, -127.0, -145.0][index];
                    assert!(error < most, "{from} -> {to} {quality:?}, {part}: {error:.1} dB");
                }
            }
        }
    }
    println!("worst: {worst:.1?} dB");
}

/// On the way down, what the new rate cannot hold is stopped.
#[test]
fn nothing_folds_back() {
    let mut worst = [-200.0_f64; 3];
    for (from, to) in pairs().into_iter().filter(|(from, to)| f64::from(*from) > 1.3 * f64::from(*to)) {
        let frames = (f64::from(from) * 900.0 / f64::from(to)) as usize;
        for part in [1.0, 1.01, 1.12, 1.25].into_iter().chain([2.0, 3.7]) {
            let step = TAU * f64::from(to) / 2.0 * part / f64::from(from);
            if step > 3.1 {
                continue;
            }
            let input: Vec<f32> = (0..frames).map(|n| (step * n as f64 + 0.4).sin() as f32).collect();
            for (index, quality) in QUALITIES.into_iter().enumerate().skip(usize::from(part < 1.12)) {
                let out = whole(&mut opened(from, to, quality, 1, None), &input);
                let inner = &out[out.len() / 3..out.len() * 2 / 3];
                let level = db(rms(inner.iter().map(|value| f64::from(*value))) * 2.0_f64.sqrt());
                worst[index] = worst[index].max(level);
                let most = [-92.0, -130.0, -145.0][index];
                assert!(level < most, "{from} -> {to} {quality:?}, {part}: {level:.1} dB");
            }
        }
    }
    println!("worst: {worst:.1?} dB");
}

/// What is held back is never more than the filter's delay, however the input comes: this is what `constant_frames`
/// stands on.
#[test]
fn no_more_is_held_back_than_the_delay() {
    for (from, to) in pairs() {
        for quality in QUALITIES {
            let mut resampler = opened(from, to, quality, 1, None);
            let (delay, mut made, mut random) = (resampler.delay_frames() as u64, Vec::new(), Random(3));
            let mut frames = 0;
            for _ in 0..200 {
                let piece = random.below(40);
                frames += piece as u64;
                put(&mut resampler, &vec![0.5; piece], &mut made);
                let due = frames * u64::from(to) / u64::from(from);
                assert!(made.len() as u64 + delay >= due, "{from} -> {to} {quality:?}, {frames} frames");
            }
        }
    }
}

/// A sample that is not finite counts as silence, and every length has its own count.
#[test]
fn lengths_are_exact_and_samples_finite() {
    for (from, to) in pairs() {
        let resampler = &mut opened(from, to, Quality::High, 1, None);
        for frames in [0, 1, 2, 3, 10, 101, 1_000, 1_024, 1_025] {
            let mut input = Random(frames).noise(frames as usize);
            input.iter_mut().step_by(7).for_each(|sample| *sample = f32::NAN);
            let out = whole(resampler, &input);
            assert_eq!(
                out.len() as u64,
                (frames * u64::from(to)).div_ceil(u64::from(from)),
                "{from} -> {to}, {frames}"
            );
            assert!(out.iter().all(|sample| sample.abs() < 3.0), "{from} -> {to}, {frames}");
        }
    }
}
