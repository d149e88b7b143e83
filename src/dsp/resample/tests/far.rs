//! Rates that are far apart.

use std::f64::consts::TAU;

use super::*;

const DOWN: [(u32, u32); 11] = [
    (48_000, 2_999),
    (48_000, 400),
    (16_000, 50),
    (48_000, 100),
    (48_000, 25),
    (47_963, 31),
    (16_000, 1),
    (48_000, 7),
    (48_000, 1),
    (1_536_000, 1_000),
    (1_535_977, 999),
];

const UP: [(u32, u32); 5] = [(50, 16_000), (1, 8_000), (3, 44_100), (101, 48_000), (1_000, 1_536_000)];

#[test]
fn a_bell_stays_where_it_is() {
    for (from, to) in DOWN.into_iter().chain(UP) {
        let frames = (f64::from(from) * 110.0 / f64::from(from.min(to))) as usize;
        let bell = Bell::new(from, to, frames);
        let input = bell.sampled(from, frames);
        for (quality, most) in QUALITIES.into_iter().zip([2e-5, 5e-7, 1.3e-7]) {
            let resampler = &mut opened(from, to, quality, 1, None);
            let out = whole(resampler, &input);
            assert_eq!(out.len() as u64, (frames as u64 * u64::from(to)).div_ceil(u64::from(from)));
            let (late, error) = bell.found(&out, to);
            assert!(late.abs() < 1e-2, "{from} -> {to} {quality:?}: {late:.6} frames late");
            assert!(error < most, "{from} -> {to} {quality:?}: {error:.2e} from the ideal");
            if quality == Quality::High && frames < 1_000_000 && out.len() < 1_000_000 {
                assert!(out == in_pieces(resampler, &input, &mut Random(9)), "{from} -> {to}");
            }
        }
    }
}

/// What the first step keeps one frame of so many of lets nothing through, beside the frequencies it folds to the band.
#[test]
fn nothing_folds_back() {
    for (from, to) in [(48_000, 100), (16_000, 50), (47_963, 311)] {
        let frames = from as usize * 500 / to as usize;
        // The first step keeps one in so many.
        let kept = f64::from(from) / f64::from(from / to / 8);
        let near = [-0.4, 0.1, 0.45].map(|part| part * f64::from(to));
        let folded = near.into_iter().flat_map(|near| [1.0, 2.0, 5.0].map(|times| times * kept + near));
        for hz in folded.chain([f64::from(to) * 0.56, f64::from(to) * 1.7, f64::from(from) * 0.49]) {
            let step = TAU * hz / f64::from(from);
            let input: Vec<f32> = (0..frames).map(|n| (step * n as f64 + 0.3).sin() as f32).collect();
            for (quality, most) in QUALITIES.into_iter().zip([-92.0, -130.0, -145.0]) {
                let out = whole(&mut opened(from, to, quality, 1, None), &input);
                let inner = &out[out.len() / 3..out.len() * 2 / 3];
                let level = db(rms(inner.iter().map(|value| f64::from(*value))) * 2.0_f64.sqrt());
                assert!(level < most, "{from} -> {to} {quality:?}, {hz:.1} Hz: {level:.1} dB");
            }
        }
    }
}

/// The furthest that a node takes, both ways: the first frame needs a table of a few megabytes, and so does the end.
#[test]
fn the_furthest_rates_take_little() {
    for (from, to) in [(1_536_000, 1), (1_535_977, 1), (1_535_977, 2), (1, 200_003), (48_000, 1), (1, 48_000)] {
        for (quality, ppm) in QUALITIES.into_iter().flat_map(|quality| [(quality, None), (quality, Some(0.0))]) {
            let mut resampler = opened(from, to, quality, 1, ppm);
            let coefficients = match &resampler.engine {
                Engine::Sinc(sinc) => sinc.coefficients(),
                Engine::SincDouble(sinc) => sinc.coefficients(),
                _ => panic!("{from} -> {to} has a transform"),
            };
            assert!(coefficients < 600_000, "{from} -> {to} {quality:?}: {coefficients}");
            let out = whole(&mut resampler, &Random(2).noise(1_000.min(2 * from as usize)));
            assert_eq!(out.len() as u64, (1_000.min(2 * u64::from(from)) * u64::from(to)).div_ceil(from.into()));
            assert!(out.iter().all(|sample| sample.abs() < 3.0));
        }
    }
}

#[test]
fn further_than_any_node_asks_is_an_error() {
    for (from_hz, to_hz) in [(u32::MAX, 1), (1, u32::MAX)] {
        let quality = Quality::High;
        let conversion = Conversion { from_hz, to_hz, channels: 1, quality, live: true, ratio_ppm: None };
        let error = Resampler::new(conversion).err().unwrap_or_default();
        assert!(error.contains("expected at most 2097152 to 1"), "{error}");
    }
}
