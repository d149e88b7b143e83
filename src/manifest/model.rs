//! What a manifest says.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::data::Format;

/// A manifest of version "v1".
#[derive(Debug, Clone, Default)]
pub struct Manifest {
    /// `metadata.name`.
    pub name: Option<String>,
    /// `metadata.description`.
    pub description: Option<String>,
    /// The nodes, in the order they are written.
    pub nodes: Vec<NodeSpec>,
    /// The connections, in the order they are written.
    pub connections: Vec<Connection>,
    /// What the input is declared to be.
    pub input: InputFormats,
    /// The ports whose packets are the results; `None`: the unconnected ones.
    pub outputs: Option<Vec<PortRef>>,
    /// Limits that the graph must keep.
    pub budget: Budget,
}

/// Limits that are checked before any run.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Budget {
    /// The most that any result may come later than its input, in milliseconds.
    pub latency_ms: Option<f64>,
    /// The most places where media is copied or converted.
    pub copies: Option<usize>,
}

/// The declared formats of what goes in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum InputFormats {
    /// Nothing is declared.
    #[default]
    Undeclared,
    /// The same for every node that takes input.
    All(Format),
    /// By node id.
    ByNode(BTreeMap<String, Format>),
}

/// One node.
#[derive(Debug, Clone)]
pub struct NodeSpec {
    /// Unique among the nodes.
    pub id: String,
    /// The name of its type, or one of the older names.
    pub node_type: String,
    /// The parameters as written.
    pub params: Map<String, Value>,
    /// What to do when it fails.
    pub on_error: OnError,
    /// How it runs, as written, without `on_error`.
    pub execution: Map<String, Value>,
    /// Its position in `nodes`.
    pub index: usize,
}

/// What happens when a node returns an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// The session stops and every call raises the error.
    #[default]
    Fail,
    /// The packet is dropped and counted; the session goes on.
    Skip,
}

/// A connection between two ports.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Where it comes from.
    pub from: PortRef,
    /// Where it goes.
    pub to: PortRef,
    /// Its position in `connections`.
    pub index: usize,
}

/// A port by the id of its node and its name, if one was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortRef {
    /// The id of the node.
    pub node: String,
    /// The name of the port; `None`: `out`, or the only input.
    pub port: Option<String>,
}
