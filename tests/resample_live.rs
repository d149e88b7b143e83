//! `AudioResample` as a live stream: latency, every pair of usual rates, a ratio that moves.

mod support;

use remotemedia::engine::{Session, SessionOptions};
use remotemedia::node::prelude::*;
use remotemedia::{AudioBuffer, Pipeline};
use serde_json::{Value, json};
use support::audio::{buffer, noise, sine};
use support::fit::{rms_db, tone};
use support::run::{convert, single};

const RATES: [u32; 9] = [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];

fn session(params: Value, constant_frames: bool) -> Session {
    let pipeline = Pipeline::new(&single("AudioResample", params)).unwrap_or_else(|error| panic!("{error}"));
    pipeline.session(SessionOptions { constant_frames, ..SessionOptions::default() }).unwrap()
}

/// Puts a piece in: what comes out, and the time of its first frame.
fn put(session: &Session, piece: AudioBuffer) -> (Vec<f32>, Option<Pts>) {
    let (mut samples, mut start) = (Vec::new(), None);
    let mut sink = |_, packet: Packet| {
        start.get_or_insert(packet.pts);
        samples.extend_from_slice(support::run::audio(&packet.data).samples());
    };
    session.feed_with(piece.into(), None, None, &mut sink).unwrap();
    (samples, start)
}

fn end(session: &Session) -> Vec<f32> {
    let mut samples = Vec::new();
    session
        .flush_with(&mut |_, packet| samples.extend_from_slice(support::run::audio(&packet.data).samples()))
        .unwrap();
    samples
}

/// The whole input in frames of 20 ms, or of another number of frames.
fn live(params: Value, input: &AudioBuffer, frame: usize) -> Vec<f32> {
    let session = session(params, false);
    let mut out = Vec::new();
    for start in (0..input.frames()).step_by(frame) {
        out.extend(put(&session, input.slice(start..(start + frame).min(input.frames()))).0);
    }
    out.extend(end(&session));
    out
}

/// Every pair of usual rates has blocks of its own for a live stream, gives the exact length, and what a run gives to
/// -120 dB.
#[test]
fn every_pair_of_usual_rates() {
    for from in RATES {
        for to in RATES.into_iter().filter(|to| *to != from) {
            let input = noise(u64::from(from + to), from as usize / 4 + 17, from, 1);
            for quality in ["low_latency", "high", "very_high"] {
                let params = json!({"target_rate": to, "quality": quality});
                let live = live(params.clone(), &input, from as usize / 50);
                let whole = convert("AudioResample", params, input.clone());
                let length = (input.frames() as u64 * u64::from(to)).div_ceil(u64::from(from));
                assert_eq!((live.len() as u64, whole.frames() as u64), (length, length), "{from} -> {to} {quality}");
                let rest: Vec<f32> = live.iter().zip(whole.samples()).map(|(a, b)| a - b).collect();
                let rest = rms_db(&rest) - rms_db(whole.samples());
                // The short filter leaves more of itself beyond the edges of a block.
                let limit = if quality == "low_latency" { -85.0 } else { -120.0 };
                assert!(rest < limit, "{from} -> {to} {quality}: {rest:.1} dB between live and whole");
            }
        }
    }
}

/// With `constant_frames` one frame comes out per frame in, and an impulse comes out after a delay that stays the same:
/// that of the filter.
#[test]
fn constant_frames_are_constant_and_late_by_the_filter_alone() {
    for (from, to, quality, most_ms) in [
        (48_000, 16_000, "high", 6.7),
        (44_100, 16_000, "high", 6.7),
        (44_100, 48_000, "high", 2.5),
        (16_000, 48_000, "high", 6.7),
        (8_000, 16_000, "high", 13.3),
        (48_000, 16_000, "low_latency", 2.0),
        (24_000, 8_000, "low_latency", 4.0),
        (8_000, 16_000, "low_latency", 4.0),
    ] {
        for channels in [1, 2] {
            let frame = from as usize / 50;
            let session = session(json!({"target_rate": to, "quality": quality}), true);
            let (mut made, mut begin) = (Vec::new(), None);
            for index in 0..100 {
                let mut samples = vec![0.0; frame * channels];
                if index == 50 {
                    samples[..channels].fill(0.9);
                }
                let (out, start) = put(&session, buffer(samples, from, channels as u16));
                assert_eq!(out.len(), to as usize / 50 * channels, "{from} -> {to} {quality}, frame {index}");
                begin = begin.or(start);
                made.extend(out);
            }
            let loudest = |(at, best): (usize, f32), (n, sample): (usize, &f32)| {
                if sample.abs() > best { (n, sample.abs()) } else { (at, best) }
            };
            let (at, _) = made.iter().step_by(channels).enumerate().fold((0, 0.0), loudest);
            let late = at as f64 / f64::from(to) - 1.0;
            assert!(late > 0.0 && late * 1e3 <= most_ms, "{from} -> {to} {quality}: {:.2} ms late", late * 1e3);
            // The time stamps say so.
            let stated = -(begin.unwrap().to_frames(to) as f64) / f64::from(to);
            assert!((late - stated).abs() < 1.0 / f64::from(to), "{from} -> {to}: {late} s late, stated {stated} s");
        }
    }
}

/// `low_latency`: at most -92 dB from 1.125 of the lower Nyquist frequency on, at most 2.3 dB down at 0.9, with no more
/// held back than the filter's half after each 20 ms.
#[test]
fn low_latency_is_as_good_as_promised() {
    for (from, to, most_ms) in [
        (48_000, 16_000, 2.0),
        (24_000, 8_000, 4.0),
        (8_000, 16_000, 4.0),
        (44_100, 16_000, 2.0),
        (44_101, 16_000, 4.1),
    ] {
        let params = json!({"target_rate": to, "quality": "low_latency"});
        let nyquist = f64::from(from.min(to)) / 2.0;
        let through = |part: f64| {
            let input = buffer(sine(part * nyquist + 0.37, 0.5, from as usize * 8 / 5, from), from, 1);
            live(params.clone(), &input, from as usize / 50)[to as usize / 2..to as usize * 11 / 10].to_vec()
        };
        for part in [0.05, 0.3, 0.6, 0.75, 0.9] {
            let fit = tone(&through(part), part * nyquist + 0.37, to);
            let most = if part > 0.8 { 2.3 } else { 0.01 };
            println!("{from} -> {to}: {:.4} dB at {part}, rest {:.1}", fit.gain_db(0.5), fit.residual_db());
            assert!(fit.gain_db(0.5).abs() <= most, "{from} -> {to}: {:.3} dB at {part}", fit.gain_db(0.5));
            // An image of a tone beyond 0.875 lies before the stop edge.
            assert!(part > 0.8 || fit.residual_db() <= -92.0, "{from} -> {to}: {:.1} dB at {part}", fit.residual_db());
        }
        for part in [1.125, 1.2, 1.5, 1.9].into_iter().filter(|_| from > to) {
            let alias = rms_db(&through(part)) - 20.0 * (0.5 / 2.0_f64.sqrt()).log10();
            println!("{from} -> {to}: alias {alias:.1} dB at {part}");
            assert!(alias <= -92.0, "{from} -> {to}: {alias:.1} dB at {part} of Nyquist");
        }
        let (session, frame, mut given) = (session(params, false), from as usize / 50, 0);
        for index in 1..=50 {
            given += put(&session, noise(index, frame, from, 1)).0.len();
            let held = index as f64 * 0.02 - given as f64 / f64::from(to);
            assert!(held * 1e3 <= most_ms, "{from} -> {to}: {:.2} ms held back", held * 1e3);
        }
    }
}

/// Two clocks: the ratio follows while the stream runs, and a tone follows the ratio, without a click.
#[test]
fn a_ratio_moves_while_the_stream_runs() {
    let session = session(json!({"target_rate": 48_000, "ratio_ppm": 0}), false);
    let second = |n: usize| buffer(sine(1_000.0, 0.5, 240_000, 48_000)[n * 48_000..][..48_000].to_vec(), 48_000, 1);
    let mut out = Vec::new();
    for n in 0..5 {
        if n == 2 {
            session.set_param("node", "ratio_ppm", &json!(1_000)).unwrap();
        }
        out.extend(put(&session, second(n)).0);
    }
    out.extend(end(&session));
    // Two seconds at the nominal ratio (less or more a block of 20 ms), three at 1,000 ppm more.
    let expected: f64 = 240_000.0 + 3.0 * 48.0;
    assert!((out.len() as f64 - expected).abs() <= 2.0, "{} frames, expected {expected}", out.len());
    let before = tone(&out[24_000..72_000], 1_000.0, 48_000);
    assert!(before.residual_db() < -120.0, "{:.1} dB", before.residual_db());
    let after = tone(&out[120_000..216_000], 1_000.0 / 1.001, 48_000);
    assert!(after.residual_db() < -120.0, "{:.1} dB", after.residual_db());
    // No click at the move: neighbours differ by no more than a tone of this height can.
    let steepest = out.windows(2).map(|two| (two[1] - two[0]).abs()).fold(0.0, f32::max);
    assert!(f64::from(steepest) < 0.5 * std::f64::consts::TAU * 1_000.0 / 48_000.0 * 1.001, "{steepest}");

    for (value, found) in [(json!(50_001), "50001"), (json!("fast"), "\"fast\""), (json!(null), "null")] {
        let error = session.set_param("node", "ratio_ppm", &value).unwrap_err();
        assert!(error.message().contains(found) && error.message().contains("expected"), "{error}");
    }
}

#[test]
fn a_fixed_ratio_says_how_to_move_it() {
    let session = session(json!({"target_rate": 16_000}), false);
    let error = session.set_param("node", "ratio_ppm", &json!(10)).unwrap_err();
    assert!(error.to_string().contains("give `ratio_ppm` in the manifest"), "{error}");
    let pipeline = Pipeline::new(&single("AudioResample", json!({"target_rate": 8_000, "ratio_ppm": 5}))).unwrap();
    let kept = pipeline.session(SessionOptions { constant_frames: true, ..SessionOptions::default() }).unwrap();
    let error = kept.feed_with(noise(1, 960, 48_000, 1).into(), None, None, &mut |_, _| {}).unwrap_err();
    assert!(error.message().contains("`ratio_ppm` is given"), "{error}");
}
