//! A session in steady state takes no memory from the allocator: not one call, for any audio node.
//!
//! Gate and Segmenter are fed by events, which are JSON values and take memory; they stand in no chain here.
#![allow(unsafe_code)] // An allocator that counts is one by nature.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use remotemedia::data::Pool;
use remotemedia::node::prelude::*;
use remotemedia::{Pipeline, Runtime, SessionOptions};
use serde_json::{Value, json};
use support::random::Random;

struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is handed on to the system's allocator, unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.with(|calls| calls.set(calls.get() + 1));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        CALLS.with(|calls| calls.set(calls.get() + 1));
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Calls of the allocator in a hundred frames, after some to warm up.
fn calls(manifest: &Value, frames: usize) -> u64 {
    let pipeline = Pipeline::new(&manifest.to_string()).unwrap_or_else(|error| panic!("{error}"));
    let session = pipeline.session(SessionOptions::default()).unwrap();
    let pool = Pool::default();
    let format = AudioFormat::new(48_000, 2).unwrap();
    let mut random = Random::new(1);
    let mut given = 0;
    let mut feed = || {
        let mut samples = pool.samples(frames * 2).unwrap();
        samples.make_mut().unwrap().iter_mut().for_each(|sample| *sample = random.sample() * 0.1);
        let audio = AudioBuffer::new(samples, format).unwrap();
        session.feed_with(audio.into(), None, None, &mut |_, packet| given += packet.data.frames()).unwrap();
    };
    (0..100).for_each(|_| feed());
    let before = CALLS.with(Cell::get);
    (0..100).for_each(|_| feed());
    let after = CALLS.with(Cell::get);
    assert!(given > 0);
    after - before
}

/// The node, three times where it takes its own output, with its audio as the result.
fn chain(node: &str, params: &Value) -> Value {
    json!({"version": "v1", "outputs": ["b"],
        "nodes": [{"id": "a", "node_type": node, "params": params}, {"id": "b", "node_type": node, "params": params}],
        "connections": [{"from": "a", "to": "b"}]})
}

#[test]
fn no_audio_node_takes_memory_in_steady_state() {
    for node in Runtime::shared().registry().iter().filter(|node| node.info().category == "audio") {
        let name = node.info().name;
        let params = match name {
            "Gate" | "Segmenter" => continue,
            "AudioChannels" => json!({"channels": 2}),
            "AudioResample" => json!({"target_rate": 16_000}),
            "Chunk" => json!({"frames": 512}),
            _ => json!({}),
        };
        for frames in [960, 441] {
            assert_eq!(calls(&chain(name, &params), frames), 0, "{name} in frames of {frames}");
        }
    }
}

#[test]
fn fan_out_and_fan_in_take_none_either() {
    let manifest = json!({"version": "v1", "outputs": ["mix", "both"],
    "nodes": [
        {"id": "in", "node_type": "PassThrough"},
        {"id": "low", "node_type": "AudioResample", "params": {"target_rate": 16_000}},
        {"id": "high", "node_type": "AudioResample", "params": {"target_rate": 48_000, "quality": "very_high"}},
        {"id": "back", "node_type": "AudioResample", "params": {"target_rate": 48_000}},
        {"id": "soft", "node_type": "Gain", "params": {"gain_db": -6}},
        {"id": "mix", "node_type": "Mix"},
        {"id": "both", "node_type": "Merge"},
    ],
    "connections": [
        {"from": "in", "to": "low"}, {"from": "low", "to": "back"}, {"from": "back", "to": "mix"},
        {"from": "in", "to": "high"}, {"from": "high", "to": "soft"}, {"from": "soft", "to": "mix"},
        {"from": "in", "to": "both"}, {"from": "soft", "to": "both"},
    ]});
    assert_eq!(calls(&manifest, 960), 0);
}

/// The counter itself: a stream whose results nobody gives back takes memory, and is seen to.
#[test]
fn the_counter_counts() {
    let before = CALLS.with(Cell::get);
    drop(vec![1_u8; 100]);
    assert!(CALLS.with(Cell::get) > before);
}
