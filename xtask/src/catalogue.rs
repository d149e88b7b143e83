//! The node catalogue, as the program `remotemedia nodes --json` prints it.

use crate::schema::{self, Param};
use crate::{paths, run};
use anyhow::{Context, Result};
use serde_json::Value;

/// A node type of the registry.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeType {
    pub name: String,
    pub aliases: Vec<String>,
    pub category: String,
    pub description: String,
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
    pub params: Vec<Param>,
}

/// A port and the kinds of data it takes or gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Port {
    pub name: String,
    pub kinds: Vec<String>,
}

/// Asks the program of this workspace.
pub fn load() -> Result<Vec<NodeType>> {
    let mut cargo = run::cargo();
    cargo.current_dir(paths::root()?).args(["run", "--quiet", "--bin", "remotemedia", "--", "nodes", "--json"]);
    parse(&run::output(&mut cargo)?).context("`remotemedia nodes --json` printed something else than the catalogue")
}

/// The catalogue, sorted by name.
pub fn parse(text: &str) -> Result<Vec<NodeType>> {
    let value: Value = serde_json::from_str(text)?;
    let list = value.as_array().context("not a list")?;
    let mut nodes: Vec<NodeType> = list.iter().map(node).collect::<Result<_>>()?;
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(nodes)
}

fn node(value: &Value) -> Result<NodeType> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let name = text("name").context("a node without a name")?;
    let params = match value.get("params") {
        Some(schema) => schema::params(schema).with_context(|| format!("node {name}"))?,
        None => Vec::new(),
    };
    Ok(NodeType {
        aliases: words(value.get("aliases")),
        category: text("category").unwrap_or_else(|| "other".to_owned()),
        description: text("description").map(|text| schema::one_paragraph(&text)).unwrap_or_default(),
        inputs: ports(value.get("inputs")),
        outputs: ports(value.get("outputs")),
        params,
        name,
    })
}

fn words(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect()
}

fn ports(value: Option<&Value>) -> Vec<Port> {
    let list = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let port = |one: &Value| Some(Port { name: one.get("name")?.as_str()?.to_owned(), kinds: words(one.get("kinds")) });
    list.iter().filter_map(port).collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Two nodes, as the program would print them.
    pub const SAMPLE: &str = r##"[
      {"name": "Gain", "aliases": ["GainNode"], "category": "audio", "description": "Makes audio louder or softer.",
       "inputs": [{"name": "in", "kinds": ["audio"]}], "outputs": [{"name": "out", "kinds": ["audio"]}], "cost_ns_per_frame": 1.0,
       "params": {"type": "object", "properties": {
          "gain_db": {"type": "number", "default": 0.0, "minimum": -60, "maximum": 60, "description": "Gain in dB."}}}},
      {"name": "AudioResample", "aliases": [], "category": "audio", "description": "Changes the sample rate.",
       "inputs": [{"name": "in", "kinds": ["audio"]}], "outputs": [{"name": "out", "kinds": ["audio"]}], "cost_ns_per_frame": 9.0,
       "params": {"type": "object", "required": ["target_rate"], "properties": {
          "target_rate": {"type": "integer", "minimum": 1, "description": "Rate of the output in Hz."},
          "source_rate": {"type": ["integer", "null"], "description": "Rate of the input in Hz."},
          "quality": {"$ref": "#/$defs/Q", "default": "high", "description": "How steep the filter is."}},
        "$defs": {"Q": {"type": "string", "enum": ["high", "very_high"]}}}}
    ]"##;

    #[test]
    fn nodes_are_sorted_and_complete() {
        let nodes = parse(SAMPLE).unwrap();
        assert_eq!(nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["AudioResample", "Gain"]);
        assert_eq!(nodes[1].aliases, ["GainNode"]);
        assert_eq!(nodes[0].params.len(), 3);
        assert!(parse("{}").is_err());
    }
}
