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
    /// Of an output: it is a result only where the manifest's `outputs` name it, and made only for those who listen.
    pub on_request: bool,
    /// Of an output: each packet is a thing of its own, such as a segment, and not joined with the next one.
    pub pieces: bool,
    /// Of an input: packets come as they came, out of order and with gaps. Else the engine fills gaps with silence.
    pub as_it_comes: bool,
    /// Of an input: it takes a [`Gap`](crate::data::Control::Gap), and audio behind one as it is. Else the engine makes
    /// silence of both.
    pub takes_gaps: bool,
}

impl PortInfo {
    /// The usual input.
    pub fn input(kinds: impl Into<Kinds>) -> Self {
        Self::named("in", kinds)
    }

    /// The usual output.
    pub fn out(kinds: impl Into<Kinds>) -> Self {
        Self::named("out", kinds)
    }

    /// The output of results, as JSON values.
    pub fn events() -> Self {
        Self::named("events", Kind::Json)
    }

    /// A port with a name of its own.
    pub fn named(name: &'static str, kinds: impl Into<Kinds>) -> Self {
        Self { name, kinds: kinds.into(), on_request: false, pieces: false, as_it_comes: false, takes_gaps: false }
    }

    /// The same port, as a result only where it is asked for.
    #[must_use]
    pub fn on_request(mut self) -> Self {
        self.on_request = true;
        self
    }

    /// The same port, with packets that are things of their own.
    #[must_use]
    pub fn pieces(mut self) -> Self {
        self.pieces = true;
        self
    }

    /// The same port, of a node that knows what a gap is.
    #[must_use]
    pub fn takes_gaps(mut self) -> Self {
        self.takes_gaps = true;
        self
    }

    /// The same port, with packets as they come.
    #[must_use]
    pub fn as_it_comes(mut self) -> Self {
        self.as_it_comes = true;
        self
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
    /// What it does with the memory of media.
    pub memory: Memory,
}

/// What a node does with the memory of the media that goes through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Memory {
    /// The same memory comes out.
    Passes,
    /// It is written in place, and copied first while others look at it.
    InPlace,
    /// The same samples, written to other memory.
    Copies,
    /// What comes out is something else, in memory of its own.
    #[default]
    Makes,
}

impl NodeInfo {
    /// The inputs of a node that joins: `in_1`, `in_2` and so on. A connection without a port takes the first free one.
    pub fn numbered(kinds: impl Into<Kinds> + Copy) -> Vec<PortInfo> {
        ["in_1", "in_2", "in_3", "in_4", "in_5", "in_6", "in_7", "in_8"]
            .map(|name| PortInfo::named(name, kinds).takes_gaps())
            .into()
    }

    /// Whether its inputs are numbered.
    pub fn is_numbered(&self) -> bool {
        self.inputs.first().is_some_and(|port| port.name == "in_1")
    }

    /// The input of a name; `None` as a name means the only one, or the one called `in`.
    pub fn input(&self, name: Option<&str>) -> Option<PortId> {
        match name {
            None if self.inputs.len() == 1 => Some(PortId::FIRST),
            None => position(&self.inputs, "in"),
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
