//! The certificate of chunk invariance: every shipped node gets it, whole graphs get it, and a faulty node does not.

mod support;

use remotemedia::engine::{VerifyOptions, VerifyReport};
use remotemedia::node::prelude::*;
use remotemedia::{Pipeline, Runtime};
use serde_json::{Value, json};
use support::nodes::UserNode;

fn options() -> VerifyOptions {
    VerifyOptions { rounds: 4, ..VerifyOptions::default() }
}

fn expect_passed(what: &str, report: &VerifyReport) {
    let failures: Vec<_> = report.cases.iter().filter(|case| case.failure.is_some()).collect();
    assert!(report.passed(), "{what}: {failures:#?}");
    assert_eq!(report.largest_difference(), 0.0, "{what}");
    assert!(report.cases.len() >= 10, "{what}: {} cases, skipped {:?}", report.cases.len(), report.skipped);
}

/// Parameters to try, where a node needs some.
fn params(node: &str) -> Vec<Value> {
    match node {
        "AudioChannels" => vec![json!({"channels": 1}), json!({"channels": 2})],
        "AudioResample" => vec![
            json!({"target_rate": 16_000}),
            json!({"target_rate": 44_100, "quality": "very_high"}),
            json!({"target_rate": 24_000, "quality": "low_latency"}),
            json!({"target_rate": 16_000, "ratio_ppm": -200}),
        ],
        "Chunk" => vec![json!({"frames": 512}), json!({"ms": 20}), json!({"frames": 4_096, "last": "pad"})],
        "Gate" => vec![json!({}), json!({"pre_roll_ms": 0, "hold_ms": 0})],
        "JitterBuffer" => vec![json!({}), json!({"delay_ms": 0})],
        "Mix" => vec![json!({}), json!({"missing": "silence"})],
        "Segmenter" => vec![json!({}), json!({"preset": "file", "max_speech_ms": 700})],
        "SpeechVAD" => vec![json!({}), json!({"model": "earshot", "preset": "file"})],
        "TextCase" => vec![json!({"mode": "upper"})],
        "VideoScale" => vec![json!({"width": 9, "height": 7})],
        _ => vec![json!({})],
    }
}

#[test]
fn every_shipped_node_passes() {
    let runtime = Runtime::shared();
    // A class of the user's is what `rm.testing.certify` is for.
    for node in runtime.registry().iter().filter(|node| node.info().category != "python") {
        let name = node.info().name;
        for params in params(name) {
            let pipeline = Pipeline::of_node(name, &params, &runtime.registry()).unwrap();
            expect_passed(&format!("{name} {params}"), &pipeline.verify(&options()).unwrap());
        }
    }
}

fn graph(nodes: Value, connections: Value, outputs: Value) -> Pipeline {
    let manifest = json!({"version": "v1", "nodes": nodes, "connections": connections, "outputs": outputs});
    Pipeline::new(&manifest.to_string()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn branches_of_different_delay_are_joined_by_time() {
    let pipeline = graph(
        json!([
            {"id": "in", "node_type": "PassThrough"},
            {"id": "down", "node_type": "AudioResample", "params": {"target_rate": 8_000}},
            {"id": "up", "node_type": "AudioResample", "params": {"target_rate": 16_000}},
            {"id": "here", "node_type": "AudioResample", "params": {"target_rate": 16_000}},
            {"id": "minus", "node_type": "Gain", "params": {"gain_db": -3}},
            {"id": "mix", "node_type": "Mix"},
            {"id": "both", "node_type": "Merge"},
        ]),
        json!([
            {"from": "in", "to": "down"}, {"from": "down", "to": "up"}, {"from": "up", "to": "mix"},
            {"from": "in", "to": "here"}, {"from": "here", "to": "minus"}, {"from": "minus", "to": "mix"},
            {"from": "up", "to": "both"}, {"from": "here", "to": "both"},
        ]),
        json!(["mix", "both"]),
    );
    expect_passed("fan-in", &pipeline.verify(&options()).unwrap());
}

/// A gate that takes its audio from elsewhere than the VAD: who comes first does not matter.
#[test]
fn a_gate_and_a_segmenter_beside_the_vad() {
    let pipeline = graph(
        json!([
            {"id": "in", "node_type": "PassThrough"},
            {"id": "low", "node_type": "AudioResample", "params": {"target_rate": 8_000}},
            {"id": "vad", "node_type": "SpeechVAD"},
            {"id": "level", "node_type": "EnergyVAD"},
            {"id": "gate", "node_type": "Gate"},
            {"id": "cut", "node_type": "Segmenter", "params": {"min_silence_ms": 100}},
        ]),
        json!([
            {"from": "in", "to": "low"}, {"from": "low", "to": "vad"}, {"from": "in", "to": "level"},
            {"from": "in", "to": "gate"}, {"from": "vad", "from_port": "probability", "to": "gate", "to_port": "vad"},
            {"from": "in", "to": "cut"}, {"from": "level", "from_port": "probability", "to": "cut", "to_port": "vad"},
        ]),
        json!(["gate", "cut.segments", "cut.events", "vad.events"]),
    );
    expect_passed("gate", &pipeline.verify(&options()).unwrap());
}

/// Adds a little that depends on how the stream is cut.
fn faulty() -> UserNode {
    UserNode::new("Faulty", |packet| {
        if let RuntimeData::Audio(audio) = &mut packet.data
            && let Some(last) = audio.samples_mut().unwrap().last_mut()
        {
            *last += 0.01;
        }
        Ok(())
    })
}

#[test]
fn a_node_that_depends_on_the_cuts_is_found_and_measured() {
    let mut registry = Runtime::shared().registry().as_ref().clone();
    registry.add(faulty()).unwrap();
    let pipeline = Pipeline::of_node("Faulty", &json!({}), &registry).unwrap();
    let report = pipeline.verify(&options()).unwrap();
    assert!(!report.passed());
    assert!((report.largest_difference() - 0.01).abs() < 1e-6, "{}", report.largest_difference());
    let failure = report.cases.iter().find_map(|case| case.failure.as_ref()).unwrap();
    assert!(failure.contains("`node`") && failure.contains("a sample at"), "{failure}");
    // What the user allows is no failure, and still reported.
    let report = pipeline.verify(&VerifyOptions { tolerance: 0.02, ..options() }).unwrap();
    assert!(report.passed() && report.largest_difference() > 0.005);
}
