//! Ports, and what a node says of itself.

use serde_json::Value;

use crate::data::{Kind, Kinds};

/// A port by its position among the node's inputs or outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(pub u16);

impl PortId {
    /// The first input, or the output `out`.
    pub const FIRST: Self = Self(0);
    /// The second output: `events` of nodes that analyse.
    pub const EVENTS: Self = Self(1);

    /// The position as an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortInfo {
    /// Its name in connections.
    pub name: &'static str,
    /// The kinds that go through it.
    pub kinds: Kinds,
}

impl PortInfo {
    /// The usual input.
    pub fn input(kinds: impl Into<Kinds>) -> Self {
        Self { name: "in", kinds: kinds.into() }
    }

    /// The usual output.
    pub fn out(kinds: impl Into<Kinds>) -> Self {
        Self { name: "out", kinds: kinds.into() }
    }

    /// The output of results, as JSON values.
    pub fn events() -> Self {
        Self { name: "events", kinds: Kinds::only(Kind::Json) }
    }
}

/// What a node type says of itself before any run.
#[derive(Debug, Clone)]
pub struct NodeInfo {
    /// The name in manifests.
    pub name: &'static str,
    /// Names that older manifests use.
    pub aliases: &'static [&'static str],
    /// One of `audio`, `video`, `text`, `control`.
    pub category: &'static str,
    /// One or two sentences.
    pub description: &'static str,
    /// Inputs, in the order of their [`PortId`].
    pub inputs: Vec<PortInfo>,
    /// Outputs, in the order of their [`PortId`]. The first is `out`.
    pub outputs: Vec<PortInfo>,
    /// JSON schema of the parameters.
    pub params: Value,
    /// Estimated CPU time per audio frame (or per item of another kind), in nanoseconds.
    pub cost_ns_per_frame: f64,
}

impl NodeInfo {
    /// The input of a name; `None` as a name means the only one.
    pub fn input(&self, name: Option<&str>) -> Option<PortId> {
        match name {
            None if self.inputs.len() == 1 => Some(PortId::FIRST),
            None => None,
            Some(name) => position(&self.inputs, name),
        }
    }

    /// The output of a name; `None` as a name means `out`.
    pub fn output(&self, name: Option<&str>) -> Option<PortId> {
        position(&self.outputs, name.unwrap_or("out"))
    }
}

fn position(ports: &[PortInfo], name: &str) -> Option<PortId> {
    ports.iter().position(|port| port.name == name).and_then(|index| u16::try_from(index).ok()).map(PortId)
}
