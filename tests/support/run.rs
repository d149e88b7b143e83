//! Short ways to compile and run a manifest.

use remotemedia::{AudioBuffer, Error, Pipeline, RunOptions, RunResults, RuntimeData};
use serde_json::{Value, json};

/// A manifest of nodes `(id, type, params)` in a chain.
pub fn chain(nodes: &[(&str, &str, Value)]) -> String {
    let list: Vec<Value> = nodes
        .iter()
        .map(|(id, node_type, params)| json!({"id": id, "node_type": node_type, "params": params}))
        .collect();
    let connections: Vec<Value> = nodes.windows(2).map(|pair| json!({"from": pair[0].0, "to": pair[1].0})).collect();
    json!({"version": "v1", "nodes": list, "connections": connections}).to_string()
}

/// A manifest of one node, called `node`.
pub fn single(node_type: &str, params: Value) -> String {
    chain(&[("node", node_type, params)])
}

pub fn pipeline(manifest: &str) -> Pipeline {
    Pipeline::new(manifest).unwrap_or_else(|error| panic!("{error}"))
}

pub fn run(manifest: &str, items: Vec<RuntimeData>) -> RunResults {
    pipeline(manifest).run(items, &RunOptions::default()).unwrap_or_else(|error| panic!("{error}"))
}

pub fn run_error(manifest: &str, items: Vec<RuntimeData>) -> Error {
    pipeline(manifest).run(items, &RunOptions::default()).expect_err("the run gives an error")
}

/// The results of a port by its name (`node`, or `node.port`).
pub fn result<'a>(results: &'a RunResults, name: &str) -> Vec<&'a RuntimeData> {
    let port = results.ports.iter().find(|port| port.port.name() == name);
    port.unwrap_or_else(|| panic!("no result `{name}`")).items.iter().map(|item| &item.data).collect()
}

pub fn audio(data: &RuntimeData) -> &AudioBuffer {
    match data {
        RuntimeData::Audio(audio) => audio,
        other => panic!("{} instead of audio", other.kind()),
    }
}

pub fn text(data: &RuntimeData) -> &str {
    match data {
        RuntimeData::Text(text) => text,
        other => panic!("{} instead of text", other.kind()),
    }
}

pub fn value(data: &RuntimeData) -> &Value {
    match data {
        RuntimeData::Json(value) => value,
        other => panic!("{} instead of JSON", other.kind()),
    }
}

/// One audio item through one node: its one audio result.
pub fn convert(node_type: &str, params: Value, input: AudioBuffer) -> AudioBuffer {
    let results = run(&single(node_type, params), vec![input.into()]);
    match result(&results, "node").as_slice() {
        [one] => audio(one).clone(),
        many => panic!("{} results instead of one", many.len()),
    }
}
