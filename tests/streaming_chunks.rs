//! The law for every node: any chunking gives what one push gives, counts are exact, `reset` forgets everything.

use std::collections::BTreeMap;

use remotemedia::node::prelude::*;
use remotemedia::node::{NodeType, Params};
use remotemedia::runtime::Runtime;
use serde_json::{Map, Value, json};

/// How a node is put through the harness.
struct Case {
    node: &'static str,
    params: Value,
    sample_rate_hz: u32,
    channels: u16,
    /// The largest difference allowed to the one-shot output; its reason stands at the case.
    tolerance: f32,
}

fn cases() -> Vec<Case> {
    let case = |node, params, sample_rate_hz, channels| Case { node, params, sample_rate_hz, channels, tolerance: 0.0 };
    vec![
        case("PassThrough", json!({}), 48_000, 2),
        case("Gain", json!({"gain_db": -3.0}), 48_000, 2),
        case("AudioChannels", json!({"channels": 1}), 48_000, 2),
        case("AudioChannels", json!({"channels": 2}), 16_000, 1),
        case("AudioLevel", json!({"window_ms": 10}), 44_100, 2),
        case("EnergyVAD", json!({"threshold_db": -20.0, "min_speech_ms": 20, "min_silence_ms": 20}), 48_000, 1),
        case("SpeechVAD", json!({"preset": "file", "min_speech_ms": 16}), 16_000, 1),
        case("SpeechVAD", json!({}), 44_100, 2),
        // Blocks are cut at fixed places of the stream, so the arithmetic is the same whatever the chunks.
        case("AudioResample", json!({"target_rate": 16_000}), 48_000, 1),
        case("AudioResample", json!({"target_rate": 48_000}), 44_100, 2),
        case("AudioResample", json!({"target_rate": 16_000, "quality": "very_high"}), 8_000, 1),
        case("AudioResample", json!({"target_rate": 16_000}), 44_101, 1),
    ]
}

/// Nodes whose items are not cut: text and frames.
const WHOLE_ITEMS: [&str; 2] = ["TextCase", "VideoScale"];

/// Repeatable numbers: xorshift.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// Bursts of noise and silence: something for detectors to find.
fn signal(frames: usize, channels: u16, rate: u32) -> Vec<f32> {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let burst = rate as usize / 4;
    (0..frames * usize::from(channels))
        .map(|index| {
            let loud = (index / usize::from(channels) / burst) % 2 == 1;
            let noise = (random.next() >> 40) as f32 / (1 << 23) as f32 - 1.0;
            if loud { noise * 0.5 } else { noise * 1e-4 }
        })
        .collect()
}

/// What came out of one port: audio joined with the place of its first frame, and events with their times.
#[derive(Debug, Default, PartialEq)]
struct Output {
    start: Option<i64>,
    audio: Vec<f32>,
    events: Vec<(i64, String)>,
}

fn gather(out: &mut Out, outputs: &mut BTreeMap<u16, Output>) {
    for (port, packet) in out.drain() {
        let output = outputs.entry(port.0).or_default();
        match packet.data {
            RuntimeData::Audio(audio) => {
                let at = packet.pts.to_frames(audio.sample_rate_hz());
                let start = *output.start.get_or_insert(at);
                let so_far = (output.audio.len() / usize::from(audio.channels())) as i64;
                assert_eq!(at, start + so_far, "a gap or an overlap");
                output.audio.extend_from_slice(audio.samples());
            }
            RuntimeData::Json(value) => output.events.push((packet.pts.ticks, value.to_string())),
            other => panic!("{:?} was not expected", other.kind()),
        }
    }
}

fn run(
    processor: &mut dyn Processor,
    case: &Case,
    samples: &[f32],
    cut: &mut dyn FnMut() -> usize,
) -> BTreeMap<u16, Output> {
    let format = AudioFormat::new(case.sample_rate_hz, case.channels).unwrap();
    let channels = usize::from(case.channels);
    let mut outputs = BTreeMap::new();
    let mut out = Out::default();
    let (mut at, frames) = (0, samples.len() / channels);
    while at < frames {
        let end = (at + cut()).min(frames);
        let audio = AudioBuffer::new(samples[at * channels..end * channels].to_vec(), format).unwrap();
        let packet = Packet::new(audio, Pts::frames(at as i64, case.sample_rate_hz));
        processor.process(PortId::FIRST, packet, &mut out).unwrap();
        gather(&mut out, &mut outputs);
        at = end;
    }
    processor.end(PortId::FIRST, &mut out).unwrap();
    gather(&mut out, &mut outputs);
    outputs
}

fn opened(node: &dyn NodeType, case: &Case) -> Box<dyn Processor> {
    let params: Map<String, Value> = case.params.as_object().unwrap().clone();
    assert!(node.check(&params).is_empty(), "{:?}", node.check(&params));
    let mut processor = node.build(&params).unwrap();
    let format = AudioFormat::new(case.sample_rate_hz, case.channels).unwrap();
    processor.open(&[format.into()], Align::Trim).unwrap();
    processor
}

fn compare(name: &str, case: &Case, left: &BTreeMap<u16, Output>, right: &BTreeMap<u16, Output>) {
    assert_eq!(left.keys().collect::<Vec<_>>(), right.keys().collect::<Vec<_>>(), "{name}");
    for (left, right) in left.values().zip(right.values()) {
        assert_eq!(left.start, right.start, "{name}");
        assert_eq!(left.events, right.events, "{name}");
        assert_eq!(left.audio.len(), right.audio.len(), "{name}");
        let worst = left.audio.iter().zip(&right.audio).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= case.tolerance, "{name}: differs by {worst}");
    }
}

#[test]
fn every_node_is_in_the_harness() {
    let runtime = Runtime::shared();
    for node in runtime.registry().iter() {
        let name = node.info().name;
        let known = cases().iter().any(|case| case.node == name) || WHOLE_ITEMS.contains(&name);
        assert!(known, "`{name}` needs a case in tests/streaming_chunks.rs");
    }
}

#[test]
fn any_chunking_gives_what_one_push_gives() {
    let runtime = Runtime::shared();
    for case in cases() {
        let node = runtime.registry().find(case.node).unwrap();
        let name = format!("{} {} at {} Hz", case.node, case.params, case.sample_rate_hz);
        let samples = signal(case.sample_rate_hz as usize * 2 + 17, case.channels, case.sample_rate_hz);
        let whole = run(opened(node.as_ref(), &case).as_mut(), &case, &samples, &mut || usize::MAX / 2);
        let mut random = Random(42);
        for largest in [3, 161, 480, 5000, 40_000] {
            let cut = run(opened(node.as_ref(), &case).as_mut(), &case, &samples, &mut || random.below(largest) + 1);
            compare(&name, &case, &whole, &cut);
        }
    }
}

#[test]
fn after_reset_nothing_of_the_old_stream_is_heard() {
    let runtime = Runtime::shared();
    for case in cases() {
        let node = runtime.registry().find(case.node).unwrap();
        let name = format!("{} {} at {} Hz after reset", case.node, case.params, case.sample_rate_hz);
        let samples = signal(case.sample_rate_hz as usize, case.channels, case.sample_rate_hz);
        let mut processor = opened(node.as_ref(), &case);
        let first = run(processor.as_mut(), &case, &samples, &mut || 960);
        // The old stream ends in the middle of a block, with NaN and infinity in it.
        processor.reset();
        let mut poison = signal(5001, case.channels, case.sample_rate_hz);
        poison.iter_mut().step_by(7).for_each(|sample| *sample = f32::NAN);
        poison.iter_mut().step_by(11).for_each(|sample| *sample = f32::NEG_INFINITY);
        run(processor.as_mut(), &case, &poison, &mut || 333);
        processor.reset();
        let second = run(processor.as_mut(), &case, &samples, &mut || 960);
        compare(&name, &Case { tolerance: 0.0, ..case }, &first, &second);
    }
}

#[test]
fn the_schema_of_every_node_is_checked() {
    for node in Runtime::shared().registry().iter() {
        let unknown = json!({"no_such_parameter": 1});
        let problems = Params::new(&node.info().params).check(unknown.as_object().unwrap());
        assert_eq!(problems[0].code, "RM0110", "{}", node.info().name);
    }
}
