//! The latency that is known before a run, against what graphs do: impulses through random ones.

mod support;

use remotemedia::graph::PathLatency;
use remotemedia::node::prelude::*;
use remotemedia::{Pipeline, SessionOptions};
use serde_json::{Value, json};
use support::audio::buffer;
use support::random::Random;

/// How much is pushed at a time: a quarter of a millisecond.
const STEP: usize = 12;
const RATE: u32 = 48_000;
const RATES: [u32; 4] = [8_000, 16_000, 24_000, 44_100];

/// A random graph: a chain, with a second branch that is mixed in at the end.
fn random_graph(random: &mut Random) -> Value {
    let mut nodes = vec![json!({"id": "in", "node_type": "PassThrough"})];
    let mut connections = Vec::new();
    let mut ends = Vec::new();
    for branch in 0..1 + random.below(2) {
        let mut last = "in".to_owned();
        for place in 0..1 + random.below(3) {
            let id = format!("n{branch}{place}");
            let (node_type, params) = match random.below(5) {
                0 => ("Gain", json!({"gain_db": 0})),
                1 => ("AudioResample", json!({"target_rate": RATES[random.below(4)]})),
                2 => ("Chunk", json!({"frames": 100 + random.below(900)})),
                3 => ("JitterBuffer", json!({"delay_ms": random.below(40)})),
                _ => ("PassThrough", json!({})),
            };
            nodes.push(json!({"id": id, "node_type": node_type, "params": params}));
            connections.push(json!({"from": last, "to": id}));
            last = id;
        }
        // Both branches end at one rate, so that they can be mixed.
        let id = format!("out{branch}");
        nodes.push(json!({"id": id, "node_type": "AudioResample", "params": {"target_rate": 16_000}}));
        connections.push(json!({"from": last, "to": id}));
        ends.push(id);
    }
    nodes.push(json!({"id": "mix", "node_type": "Mix"}));
    connections.extend(ends.iter().map(|end| json!({"from": end, "to": "mix"})));
    json!({"version": "v1", "nodes": nodes, "connections": connections, "outputs": ["mix"],
        "input": {"type": "audio", "sample_rate_hz": RATE, "channels": 1}})
}

/// Impulses a second apart, pushed in small steps: the least and the most that frames were held back, and where the
/// impulses came out, in seconds.
fn measured(pipeline: &Pipeline, seconds: usize) -> (f64, f64, Vec<f64>) {
    let session = pipeline.session(SessionOptions::default()).unwrap();
    let (mut least, mut most, mut peaks) = (f64::MAX, f64::MIN, Vec::new());
    let mut best: (f32, f64) = (0.0, 0.0);
    for step in 0..seconds * RATE as usize / STEP {
        let mut samples = vec![0.0; STEP];
        let first = step * STEP;
        if first % RATE as usize == 24_000 {
            samples[0] = 1.0;
        }
        let now = (first + STEP) as f64 / f64::from(RATE);
        for output in session.feed(buffer(samples, RATE, 1).into(), None, None).unwrap() {
            let RuntimeData::Audio(audio) = &output.packet.data else { continue };
            let (start, rate) = (output.packet.pts.seconds(), f64::from(audio.sample_rate_hz()));
            let end = start + audio.frames() as f64 / rate;
            if start > 1.0 {
                (least, most) = (least.min(now - end), most.max(now - start));
            }
            for (frame, sample) in audio.samples().iter().enumerate() {
                let at = start + frame as f64 / rate;
                if at - best.1 > 0.5 && best.0 > 0.1 {
                    peaks.push(best.1);
                    best = (0.0, at);
                }
                if sample.abs() > best.0 {
                    best = (sample.abs(), at);
                }
            }
        }
    }
    (least, most, peaks)
}

#[test]
fn what_is_predicted_is_what_impulses_show() {
    for seed in 0..40 {
        let manifest = random_graph(&mut Random::new(seed));
        let pipeline = Pipeline::new(&manifest.to_string()).unwrap();
        let paths = pipeline.graph().latency(&Format::Unknown).unwrap();
        let [path]: &[PathLatency] = &paths[..] else { panic!("{paths:?}") };
        let (least, most, peaks) = measured(&pipeline, 4);
        let off = |predicted: f64, measured: f64| (predicted - measured).abs() * 1e3;
        assert!(
            off(path.min_s, least) < 1.0 && off(path.max_s, most) < 1.0,
            "seed {seed}: predicted {:.2} to {:.2} ms, measured {:.2} to {:.2} ms\n{manifest}",
            path.min_s * 1e3,
            path.max_s * 1e3,
            least * 1e3,
            most * 1e3
        );
        assert!(peaks.len() >= 3, "seed {seed}: {peaks:?}");
        for (second, peak) in peaks.iter().enumerate() {
            assert!((peak - 0.5 - second as f64).abs() < 1e-3, "seed {seed}: an impulse came out at {peak}");
        }
    }
}

#[test]
fn blocks_of_the_same_length_are_waited_for_once() {
    let manifest = json!({"version": "v1", "input": {"type": "audio", "sample_rate_hz": 16_000, "channels": 1},
        "nodes": [{"id": "a", "node_type": "Chunk", "params": {"ms": 20}},
                  {"id": "b", "node_type": "Chunk", "params": {"ms": 20}},
                  {"id": "v", "node_type": "EnergyVAD"}],
        "connections": [{"from": "a", "to": "b"}, {"from": "b", "to": "v"}]});
    let paths = Pipeline::new(&manifest.to_string()).unwrap().graph().latency(&Format::Unknown).unwrap();
    let audio = paths.iter().find(|path| path.result == "v").unwrap();
    let frame = 1.0 / 16_000.0;
    assert!((audio.max_s - (0.020 - frame)).abs() < 1e-9 && audio.min_s.abs() < 1e-9, "{audio:?}");
    let events = paths.iter().find(|path| path.result == "v.events").unwrap();
    assert!(events.of_content);
}

fn with_budget(budget: Value) -> Result<Pipeline> {
    let manifest = json!({"version": "v1", "budget": budget,
        "input": {"type": "audio", "sample_rate_hz": 48_000, "channels": 1},
        "nodes": [{"id": "rate", "node_type": "AudioResample", "params": {"target_rate": 16_000}},
                  {"id": "cut", "node_type": "Chunk", "params": {"ms": 500}}],
        "connections": [{"from": "rate", "to": "cut"}]});
    Pipeline::new(&manifest.to_string())
}

#[test]
fn a_budget_that_is_exceeded_is_an_error_that_names_the_biggest() {
    with_budget(json!({"latency_ms": 600, "copies": 3})).unwrap();
    let error = with_budget(json!({"latency_ms": 100})).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("the most by: `cut` (ahead 0.0 ms, block 500.0 ms), `rate`"), "{text}");
    assert_eq!(error.problems()[0].code, "RM0142");
    let error = with_budget(json!({"copies": 2})).unwrap_err();
    assert!(error.to_string().contains("cut: Chunk writes the same samples"), "{error}");
    for wrong in [json!({"copies": -1}), json!({"copies": 1.5}), json!({"latency_ms": "low"})] {
        assert_eq!(with_budget(wrong).unwrap_err().problems()[0].code, "RM0141");
    }
}

#[test]
fn copies_are_listed_with_their_reason() {
    let places = |manifest: Value| -> Vec<String> {
        let pipeline = Pipeline::new(&manifest.to_string()).unwrap();
        pipeline.graph().copies(&Format::Unknown).unwrap().into_iter().map(|copy| copy.place).collect()
    };
    let chain = json!({"version": "v1", "input": {"type": "audio"},
        "nodes": [{"id": "p", "node_type": "PassThrough"}, {"id": "g", "node_type": "Gain"}],
        "connections": [{"from": "p", "to": "g"}]});
    assert_eq!(places(chain), ["input", "result g"]);
    // The same memory is a result and goes on to a node that writes in place.
    let shared = json!({"version": "v1", "input": {"type": "audio"}, "outputs": ["p", "g"],
        "nodes": [{"id": "p", "node_type": "PassThrough"}, {"id": "g", "node_type": "Gain"}],
        "connections": [{"from": "p", "to": "g"}]});
    assert_eq!(places(shared), ["input", "g", "result p", "result g"]);
    // Also when a node that only passes memory on stands between.
    let behind = json!({"version": "v1", "input": {"type": "audio"}, "outputs": ["p", "g"],
        "nodes": [{"id": "p", "node_type": "PassThrough"}, {"id": "v", "node_type": "EnergyVAD"}, {"id": "g", "node_type": "Gain"}],
        "connections": [{"from": "p", "to": "v"}, {"from": "v", "to": "g"}]});
    assert_eq!(places(behind), ["input", "g", "result p", "result g"]);
}
