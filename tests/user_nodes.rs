//! Nodes of our own, through the same door as the built-in ones: they run, fail, panic, and are skipped.

mod support;

use std::sync::Arc;

use remotemedia::node::prelude::*;
use remotemedia::node::{Clock, ManualClock};
use remotemedia::{Pipeline, RunOptions};
use serde_json::json;
use support::audio::{buffer, noise};
use support::nodes::{UserNode, registry_with};
use support::run::{audio, result, text, value};

/// `PassThrough`, the node of the test, `PassThrough`.
fn between(node: UserNode, execution: serde_json::Value) -> Pipeline {
    let name = TypedNode::info(&node).name;
    let manifest = json!({
        "version": "v1",
        "nodes": [
            {"id": "before", "node_type": "PassThrough"},
            {"id": "mine", "node_type": name, "execution": execution},
            {"id": "after", "node_type": "PassThrough"},
        ],
        "connections": [{"from": "before", "to": "mine"}, {"from": "mine", "to": "after"}],
    });
    Pipeline::with_registry(&manifest.to_string(), &registry_with(node)).unwrap()
}

fn texts(words: &[&str]) -> Vec<RuntimeData> {
    words.iter().map(|word| RuntimeData::text(*word)).collect()
}

/// Does `act` to packets of the text "bad".
fn on_bad(act: impl Fn() -> Result<()> + Send + Sync + 'static) -> UserNode {
    UserNode::new("Mine", move |packet| match &packet.data {
        RuntimeData::Text(word) if **word == *"bad" => act(),
        _ => Ok(()),
    })
}

#[test]
fn a_registered_node_runs() {
    let pipeline = between(UserNode::new("Mine", |_| Ok(())), json!({}));
    let results = pipeline.run(texts(&["a", "b"]), &RunOptions::default()).unwrap();
    assert_eq!(result(&results, "after").iter().map(|item| text(item)).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn a_name_is_taken_once() {
    let mut registry = registry_with(UserNode::new("Mine", |_| Ok(())));
    for name in ["Mine", "PassThrough", "PassThroughNode"] {
        let error = registry.add(UserNode::new(name, |_| Ok(()))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InputValue);
        assert!(error.message().contains(name), "{error}");
    }
}

#[test]
fn a_failing_node_is_named_with_the_item() {
    let pipeline = between(
        on_bad(|| Err(Error::new(ErrorKind::Node, "no such voice").hint("choose another"))),
        json!({"on_error": "fail"}),
    );
    let error = pipeline.run(texts(&["a", "bad", "c"]), &RunOptions::default()).unwrap_err();
    assert_eq!((error.kind(), error.node(), error.item_index()), (ErrorKind::Node, Some("mine"), Some(1)));
    assert_eq!(error.to_string(), "item 1: node `mine`: no such voice; choose another");
    let results = pipeline.run(texts(&["a"]), &RunOptions::default()).unwrap();
    assert_eq!(result(&results, "after").len(), 1, "the next run starts afresh");
}

#[test]
fn a_panicking_node_gives_a_typed_error() {
    let pipeline = between(on_bad(|| panic!("index out of range")), json!({}));
    let error = pipeline.run(texts(&["a", "b", "bad"]), &RunOptions::default()).unwrap_err();
    assert_eq!((error.kind(), error.code(), error.node()), (ErrorKind::Node, "RM0401", Some("mine")));
    assert_eq!(error.item_index(), Some(2));
    assert!(error.message().contains("index out of range"), "{error}");
    let results = pipeline.run(texts(&["a"]), &RunOptions::default()).unwrap();
    assert_eq!(result(&results, "after").len(), 1, "the next run starts afresh");
}

#[test]
fn a_skipped_packet_leaves_the_others() {
    let pipeline = between(on_bad(|| Err(Error::new(ErrorKind::Node, "not this one"))), json!({"on_error": "skip"}));
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::default());
    let options = RunOptions { clock: Some(clock), ..RunOptions::default() };
    let results = pipeline.run(texts(&["a", "bad", "c"]), &options).unwrap();
    assert_eq!(result(&results, "after").iter().map(|item| text(item)).collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!(results.ports[0].items.iter().map(|item| item.item).collect::<Vec<_>>(), [0, 2]);
    let node = &results.metrics.unwrap().nodes[1];
    assert_eq!((node.errors, node.dropped, node.packets_out), (1, 1, 2));
}

/// Skips the audio of one input item.
fn without_item(item: u32) -> Pipeline {
    let node = UserNode::new("Mine", move |packet| match packet.item == item {
        true => Err(Error::new(ErrorKind::Node, "not this one")),
        false => Ok(()),
    });
    between(node, json!({"on_error": "skip"}))
}

fn three_items() -> Vec<RuntimeData> {
    (0..3).map(|seed| noise(seed, 960, 48_000, 2).into()).collect()
}

/// The gap of skipped audio is silence of its length: what follows keeps its time.
#[test]
fn skipped_audio_leaves_a_gap() {
    let items = three_items();
    let results = without_item(1).run(items.clone(), &RunOptions::default()).unwrap();
    let out = result(&results, "after");
    assert_eq!(out.iter().map(|item| audio(item).frames()).collect::<Vec<_>>(), [960, 960, 960]);
    assert!(audio(out[0]) == audio(&items[0]) && audio(out[2]) == audio(&items[2]));
    assert_eq!(audio(out[1]).samples(), [0.0; 1_920]);
}

/// After the last packets nothing comes that would have a time to keep.
#[test]
fn audio_skipped_at_the_end_leaves_the_rest_alone() {
    let items = three_items();
    let results = without_item(2).run(items.clone(), &RunOptions::default()).unwrap();
    let out = result(&results, "after");
    assert!(audio(out[0]) == audio(&items[0]) && audio(out[1]) == audio(&items[1]));
}

#[test]
fn audio_skipped_at_the_start_does_not_move_the_rest() {
    let items = three_items();
    let results = without_item(0).run(items.clone(), &RunOptions::default()).unwrap();
    let out = result(&results, "after");
    assert_eq!(out.iter().map(|item| audio(item).frames()).collect::<Vec<_>>(), [960, 960, 960]);
    assert!(audio(out[1]) == audio(&items[1]) && audio(out[2]) == audio(&items[2]));
}

/// A node that counts its own frames counts those of the gap too.
#[test]
fn a_gap_goes_through_a_resampler_and_a_meter() {
    let node = UserNode::new("Mine", |packet| match packet.item {
        1 => Err(Error::new(ErrorKind::Node, "not this one")),
        _ => Ok(()),
    });
    let manifest = json!({
        "version": "v1",
        "nodes": [
            {"id": "mine", "node_type": "Mine", "execution": {"on_error": "skip"}},
            {"id": "level", "node_type": "AudioLevel", "params": {"window_ms": 20}},
            {"id": "rate", "node_type": "AudioResample", "params": {"target_rate": 16_000}},
        ],
        "connections": [{"from": "mine", "to": "level"}, {"from": "level", "to": "rate"}],
    });
    let pipeline = Pipeline::with_registry(&manifest.to_string(), &registry_with(node)).unwrap();
    // Full in the last item only: there it must come out.
    let mut items = three_items();
    for item in &mut items[..2] {
        *item = buffer(vec![0.0; 1_920], 48_000, 2).into();
    }
    items[2] = buffer(vec![0.5; 1_920], 48_000, 2).into();
    let results = pipeline.run(items, &RunOptions::default()).unwrap();
    let frames: Vec<usize> = result(&results, "rate").iter().map(|item| audio(item).frames()).collect();
    let starts: Vec<_> =
        result(&results, "level.events").iter().map(|event| value(event)["start_sample"].as_u64()).collect();
    assert_eq!(frames, [320, 320, 320]);
    assert_eq!(starts, [Some(0), Some(960), Some(1_920)], "time goes on through the gap, in silence");
}
