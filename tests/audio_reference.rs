//! `AudioResample` against theory: sines by least squares, impulses by position, lengths by arithmetic.

use std::f64::consts::TAU;

use remotemedia::{AudioBuffer, AudioFormat, Pipeline, RunOptions, RuntimeData};

fn resample(samples: Vec<f32>, from: u32, to: u32, channels: u16, quality: &str) -> Vec<f32> {
    let manifest = format!(
        r#"{{"version":"v1","nodes":[{{"id":"r","node_type":"AudioResample","params":{{"target_rate":{to},"quality":"{quality}"}}}}]}}"#
    );
    let audio = AudioBuffer::new(samples, AudioFormat::new(from, channels).unwrap()).unwrap();
    let results = Pipeline::new(&manifest).unwrap().run(vec![audio.into()], &RunOptions::default()).unwrap();
    match results.ports[0].items.first().map(|item| &item.data) {
        Some(RuntimeData::Audio(audio)) => audio.samples().to_vec(),
        None => Vec::new(),
        Some(other) => panic!("{:?}", other.kind()),
    }
}

fn sine(hz: f64, rate: u32, frames: usize) -> Vec<f32> {
    (0..frames).map(|n| (0.5 * (TAU * hz * n as f64 / f64::from(rate)).sin()) as f32).collect()
}

/// Amplitude of the sine of a frequency in `samples`, and RMS of what is left, by least squares over sine and cosine.
fn fit(samples: &[f32], hz: f64, rate: u32, first: usize) -> (f64, f64) {
    let (mut ss, mut cc, mut sc, mut xs, mut xc) = (0.0, 0.0, 0.0, 0.0, 0.0);
    let wave = |n: usize| (TAU * hz * (first + n) as f64 / f64::from(rate)).sin_cos();
    for (n, &x) in samples.iter().enumerate() {
        let ((s, c), x) = (wave(n), f64::from(x));
        ss += s * s;
        cc += c * c;
        sc += s * c;
        xs += x * s;
        xc += x * c;
    }
    let det = ss * cc - sc * sc;
    let (a, b) = ((xs * cc - xc * sc) / det, (xc * ss - xs * sc) / det);
    let rest: f64 = samples
        .iter()
        .enumerate()
        .map(|(n, &x)| {
            let (s, c) = wave(n);
            (f64::from(x) - a * s - b * c).powi(2)
        })
        .sum();
    (a.hypot(b), (rest / samples.len() as f64).sqrt())
}

fn db(ratio: f64) -> f64 {
    20.0 * ratio.max(1e-15).log10()
}

const RATIOS: [(u32, u32); 8] = [
    (48_000, 16_000),
    (44_100, 16_000),
    (44_100, 48_000),
    (48_000, 44_100),
    (16_000, 48_000),
    (8_000, 16_000),
    (24_000, 8_000),
    (11_025, 16_000),
];

/// Gain and residual in dB of a tone at a fraction of the lower Nyquist frequency.
fn tone(from: u32, to: u32, fraction: f64, quality: &str) -> (f64, f64) {
    let hz = fraction * f64::from(from.min(to)) / 2.0 + 0.37;
    let y = resample(sine(hz, from, from as usize * 8 / 5), from, to, 1, quality);
    let (first, last) = (to as usize / 2, to as usize * 11 / 10);
    let (amplitude, rest) = fit(&y[first..last], hz, to, first);
    (db(amplitude / 0.5), db(rest / (amplitude / 2.0_f64.sqrt())))
}

#[test]
fn lengths_are_exact() {
    for (from, to) in RATIOS.into_iter().chain([(44_101, 16_000)]) {
        for frames in [0, 1, 2, 146, 147, 148, 300, from as usize, from as usize + 17] {
            let expected = (frames as u64 * u64::from(to)).div_ceil(u64::from(from)) as usize;
            assert_eq!(resample(vec![0.1; frames], from, to, 1, "high").len(), expected, "{from} {to} {frames}");
        }
    }
}

#[test]
fn an_impulse_stays_where_it_is() {
    for (from, to) in RATIOS {
        let common = (1..=from.min(to)).rev().find(|n| from % n == 0 && to % n == 0).unwrap();
        let (down, up) = ((from / common) as usize, (to / common) as usize);
        let mut x = vec![0.0; from as usize * 2];
        x[down * 40] = 1.0;
        let y = resample(x, from, to, 1, "high");
        let peak = (0..y.len()).max_by(|&a, &b| y[a].abs().total_cmp(&y[b].abs())).unwrap();
        assert_eq!(peak, up * 40, "{from} -> {to}");
    }
}

#[test]
fn tones_below_the_edge_come_through_clean() {
    for (from, to) in RATIOS {
        for fraction in [0.05, 0.3, 0.6, 0.85] {
            let (gain, rest) = tone(from, to, fraction, "high");
            assert!(gain.abs() < 0.005, "{from} -> {to} at {fraction}: gain {gain} dB");
            // soxr HQ has -131 to -135 dB; f32 input alone is rounded at about -150 dB, the transforms add the rest.
            assert!(rest < -128.0, "{from} -> {to} at {fraction}: residual {rest} dB");
        }
        // The pass band of soxr HQ ends (-0.1 dB) at 0.93 of the lower Nyquist frequency.
        let (gain, _) = tone(from, to, 0.93, "high");
        assert!(gain > -0.1, "{from} -> {to} at 0.93: {gain} dB");
    }
}

#[test]
fn very_high_quality_is_limited_by_its_f32_input_alone() {
    for (from, to) in [(48_000, 16_000), (16_000, 48_000)] {
        let (gain, rest) = tone(from, to, 0.6, "very_high");
        assert!(gain.abs() < 0.001 && rest < -145.0, "{from} -> {to}: {gain} {rest}");
    }
}

#[test]
fn tones_above_the_new_nyquist_frequency_are_gone() {
    for (from, to) in [(48_000, 16_000), (44_100, 16_000), (24_000, 8_000), (48_000, 44_100)] {
        for fraction in [1.0005, 1.05, 1.5] {
            let hz = fraction * f64::from(to) / 2.0;
            if hz > 0.995 * f64::from(from) / 2.0 {
                continue;
            }
            let y = resample(sine(hz, from, from as usize), from, to, 1, "high");
            let middle = &y[to as usize / 4..to as usize * 3 / 4];
            let rms = (middle.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>() / middle.len() as f64).sqrt();
            let level = db(rms / (0.5 / 2.0_f64.sqrt()));
            // soxr HQ: -128 to -134 dB at 1.0005.
            assert!(level < -127.0, "{from} -> {to} at {fraction}: {level} dB");
        }
    }
}

#[test]
fn other_ratios_go_through_the_sinc_and_are_as_clean() {
    for (from, to) in [(44_101, 16_000), (16_000, 44_101)] {
        let (gain, rest) = tone(from, to, 0.6, "high");
        assert!(gain.abs() < 0.01 && rest < -115.0, "{from} -> {to}: {gain} {rest}");
    }
}

#[test]
fn stereo_is_two_monos() {
    let (left, right) = (sine(440.0, 48_000, 9_000), sine(3_000.0, 48_000, 9_000));
    let stereo: Vec<f32> = left.iter().zip(&right).flat_map(|(l, r)| [*l, *r]).collect();
    let y = resample(stereo, 48_000, 16_000, 2, "high");
    let (l, r) = (resample(left, 48_000, 16_000, 1, "high"), resample(right, 48_000, 16_000, 1, "high"));
    assert!(y.chunks(2).zip(l.iter().zip(&r)).all(|(y, (l, r))| y[0] == *l && y[1] == *r));
}
