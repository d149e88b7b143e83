//! Ratios that move.

use std::f64::consts::TAU;

use super::*;

/// The whole stream at another ratio: each frame is the input at its own time.
#[test]
fn a_moved_ratio_is_exact() {
    for (from, to) in [(48_000, 16_000), (16_000, 48_000), (44_100, 48_000), (48_000, 48_000), (48_000, 200)] {
        for ppm in [-50_000.0, -312.5, 0.0, 0.1, 35.0, 50_000.0] {
            let rate = f64::from(to) * (1.0 + ppm * 1e-6);
            let frames = (f64::from(from) * 900.0 / f64::from(from.min(to))) as usize;
            let step = TAU * f64::from(from.min(to)) * 0.2;
            let input: Vec<f32> = (0..frames).map(|n| (step * n as f64 / f64::from(from)).sin() as f32).collect();
            for (quality, most) in QUALITIES.into_iter().zip([-85.0, -127.0, -145.0]) {
                let resampler = &mut opened(from, to, quality, 1, Some(ppm));
                let out = whole(resampler, &input);
                assert!(out == in_pieces(resampler, &input, &mut Random(5)), "{from} -> {to} {ppm}");
                assert_eq!(out.len(), (frames as f64 * rate / f64::from(from) - 1e-7).ceil() as usize);
                let inner = out.len() / 3..out.len() * 2 / 3;
                let error = db(rms(inner.map(|n| f64::from(out[n]) - (step * n as f64 / rate).sin())) * 2.0_f64.sqrt());
                assert!(error < most, "{from} -> {to} {quality:?} {ppm} ppm: {error:.1} dB");
            }
        }
    }
}

/// While the stream runs: the same frames by any cut, no click, and as many frames as each part stands for.
#[test]
fn it_moves_between_two_frames() {
    let (from, to) = (48_000, 44_100);
    let step = TAU * 1_000.0 / f64::from(from);
    let input: Vec<f32> = (0..96_000).map(|n| (step * n as f64).sin() as f32).collect();
    let run = |seed: u64| {
        let (mut resampler, mut out, mut random) =
            (opened(from, to, Quality::High, 1, Some(0.0)), Vec::new(), Random(seed));
        for (second, ppm) in [(0, 500.0), (1, -20_000.0)] {
            resampler.set_ratio_ppm(ppm).unwrap_or_else(|error| panic!("{error}"));
            let mut rest = &input[second * 48_000..][..48_000];
            while !rest.is_empty() {
                let (piece, later) = rest.split_at((1 + random.below(3_000)).min(rest.len()));
                put(&mut resampler, piece, &mut out);
                rest = later;
            }
        }
        end(&mut resampler, &mut out);
        out
    };
    let out = run(1);
    assert!(out == run(2));
    let expected = 44_100.0 * (1.0 + 500e-6) + 44_100.0 * 0.98;
    // The move is heard half a filter before the frame that it comes with.
    assert!((out.len() as f64 - expected).abs() < 4.0, "{} frames, expected {expected}", out.len());
    let steepest = out[100..out.len() - 200].windows(2).map(|two| (two[1] - two[0]).abs()).fold(0.0, f32::max);
    assert!(f64::from(steepest) < TAU * 1_000.0 / 44_100.0 * 1.022, "{steepest}");
    let mut resampler = opened(from, to, Quality::High, 1, Some(0.0));
    for ppm in [f64::NAN, f64::INFINITY, 100_001.0, -1e6] {
        assert!(resampler.set_ratio_ppm(ppm).is_err());
    }
}
