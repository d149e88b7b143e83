//! Runs of one pipeline know nothing of each other: not of the stream before, not of its format, not of its failure.

mod support;

use std::sync::Arc;

use remotemedia::node::prelude::*;
use remotemedia::node::{Clock, ManualClock};
use remotemedia::{Pipeline, RunOptions};
use serde_json::json;
use support::audio::noise;
use support::nodes::{UserNode, registry_with};
use support::run::{audio, chain, pipeline, result, single, value};

fn speech_chain() -> Pipeline {
    pipeline(&chain(&[
        ("mono", "AudioChannels", json!({"channels": 1})),
        ("rate", "AudioResample", json!({"target_rate": 16_000})),
        ("energy", "EnergyVAD", json!({"min_speech_ms": 20, "threshold_db": -30})),
        ("level", "AudioLevel", json!({"window_ms": 20})),
    ]))
}

/// Samples by their bits and events by their text: everything that a run gives.
fn run(pipeline: &Pipeline, items: &[AudioBuffer]) -> (Vec<u32>, Vec<String>) {
    let items = items.iter().map(|item| item.clone().into()).collect();
    let results = pipeline.run(items, &RunOptions::default()).unwrap();
    let samples = result(&results, "level").iter().flat_map(|item| audio(item).samples().to_vec()).collect::<Vec<_>>();
    let events = ["energy.events", "level.events"].iter().flat_map(|port| result(&results, port));
    (samples.iter().map(|s| s.to_bits()).collect(), events.map(|event| value(event).to_string()).collect())
}

#[test]
fn a_run_is_the_same_whatever_ran_before() {
    let shared = speech_chain();
    let inputs = [
        vec![noise(1, 10_000, 44_100, 2)],
        vec![noise(2, 7_001, 48_000, 1)],
        vec![noise(3, 500, 44_100, 2), noise(4, 9_000, 44_100, 2)],
        vec![noise(5, 3_000, 16_000, 1)],
        vec![noise(6, 3_000, 44_101, 6)],
    ];
    let fresh: Vec<_> = inputs.iter().map(|items| run(&speech_chain(), items)).collect();
    for round in 0..3 {
        for (items, expected) in inputs.iter().zip(&fresh) {
            assert!(run(&shared, items) == *expected, "round {round}");
        }
    }
}

#[test]
fn a_run_is_the_same_after_one_that_failed_in_the_middle() {
    let shared = speech_chain();
    let good = [noise(1, 10_000, 44_100, 2)];
    let expected = run(&speech_chain(), &good);
    for _ in 0..3 {
        let bad = vec![noise(2, 4_321, 44_100, 2).into(), noise(3, 100, 48_000, 2).into()];
        let error = shared.run(bad, &RunOptions::default()).unwrap_err();
        assert_eq!((error.kind(), error.item_index()), (ErrorKind::Format, Some(1)));
        assert!(run(&shared, &good) == expected);
    }
}

#[test]
fn a_run_is_the_same_after_one_that_panicked() {
    let node = UserNode::new("Touchy", |packet| match &packet.data {
        RuntimeData::Audio(audio) if audio.frames() == 13 => panic!("thirteen"),
        _ => Ok(()),
    });
    let manifest = chain(&[("rate", "AudioResample", json!({"target_rate": 8_000})), ("touchy", "Touchy", json!({}))]);
    // At the same rate everything goes straight to the node, in the pieces that came in.
    let shared = Pipeline::with_registry(&manifest, &registry_with(node)).unwrap();
    let good = || vec![noise(1, 5_000, 8_000, 1).into()];
    let expected = shared.run(good(), &RunOptions::default()).unwrap();
    let bad = vec![noise(2, 50, 8_000, 1).into(), noise(3, 13, 8_000, 1).into()];
    let error = shared.run(bad, &RunOptions::default()).unwrap_err();
    assert_eq!((error.code(), error.node(), error.item_index()), ("RM0401", Some("touchy"), Some(1)));
    let again = shared.run(good(), &RunOptions::default()).unwrap();
    assert_eq!(audio(result(&again, "touchy")[0]), audio(result(&expected, "touchy")[0]));
}

/// Values that are not finite stay in their own run.
#[test]
fn poison_stays_in_its_run() {
    let shared = speech_chain();
    let good = [noise(1, 10_000, 44_100, 2)];
    let expected = run(&shared, &good);
    let mut poisoned = noise(1, 10_000, 44_100, 2);
    poisoned.samples_mut().unwrap()[5_000] = f32::NAN;
    poisoned.samples_mut().unwrap()[19_999] = f32::INFINITY;
    run(&shared, &[poisoned]);
    assert!(run(&shared, &good) == expected);
}

/// What one run assumed is said by the next one too.
#[test]
fn every_run_gives_its_own_warnings() {
    let shared = pipeline(&single("Gain", json!({})));
    let lenient = RunOptions { lenient: true, ..RunOptions::default() };
    for _ in 0..3 {
        let results = shared.run(vec![RuntimeData::text("x"), RuntimeData::text("y")], &lenient).unwrap();
        assert_eq!(results.warnings.len(), 1);
    }
}

/// Figures count one run, not all of them.
#[test]
fn every_run_gives_its_own_figures() {
    let shared = speech_chain();
    for _ in 0..3 {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::default());
        let options = RunOptions { clock: Some(clock), ..RunOptions::default() };
        let results = shared.run(vec![noise(1, 4_800, 48_000, 2).into()], &options).unwrap();
        let metrics = results.metrics.unwrap();
        let frames: Vec<u64> = metrics.nodes.iter().map(|node| node.frames_in).collect();
        assert_eq!(frames, [4_800, 4_800, 1_600, 1_600]);
        assert_eq!(metrics.nodes[0].packets_in, 1);
    }
}

#[test]
fn runs_in_several_threads_keep_apart() {
    let shared = speech_chain();
    let alone: Vec<_> = (0..6).map(|seed| run(&speech_chain(), &[noise(seed, 9_000, 44_100, 2)])).collect();
    std::thread::scope(|scope| {
        for (seed, expected) in alone.iter().enumerate() {
            let shared = &shared;
            scope.spawn(move || {
                for _ in 0..5 {
                    assert!(run(shared, &[noise(seed as u64, 9_000, 44_100, 2)]) == *expected, "thread {seed}");
                }
            });
        }
    });
}
