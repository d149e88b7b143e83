//! A manifest and a registry become a checked graph, and formats flow forward through it.

mod budget;
mod check;
mod copies;
mod cost;
mod formats;
mod hints;
mod latency;
mod stages;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use serde_json::{Map, Value};

use crate::data::{AudioFormat, Format};
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::OnError;
use crate::node::{NodeType, PortId, Runs};

pub use check::{Checked, check};
pub use copies::CopyPlace;
pub use latency::{NodeLatency, PathLatency};
pub use stages::{Exit, Stage, Stages};

/// A graph that can run: node types known, parameters right, connections whole, no cycle.
#[derive(Debug)]
pub struct Graph {
    /// `metadata.name`, or an empty text.
    pub name: String,
    /// The nodes in an order in which data flows only forward.
    pub nodes: Vec<GraphNode>,
    /// Positions of the nodes that take what is put in.
    pub sources: Vec<usize>,
    /// The ports whose packets are the results.
    pub results: Vec<ResultPort>,
    /// Whether a node of it joins streams.
    pub joins: bool,
    runs: Runs,
    /// Of the format asked for last, what a frame costs, and how many samples it becomes.
    cost: ArcSwapOption<(AudioFormat, (f64, f64))>,
}

impl Graph {
    fn new(name: String, nodes: Vec<GraphNode>, sources: Vec<usize>, results: Vec<ResultPort>) -> Self {
        let runs = nodes.iter().map(|node| node.kind.runs()).max().unwrap_or_default();
        let joins = nodes.iter().any(GraphNode::joins);
        Self { name, nodes, sources, results, joins, runs, cost: ArcSwapOption::empty() }
    }

    /// Positions of the sources that take input: a node that makes its own data takes none.
    pub fn takers(&self) -> impl Iterator<Item = usize> + '_ {
        self.sources.iter().copied().filter(|node| !self.nodes[*node].connected.is_empty())
    }

    /// What runs it: the slowest to reach of what runs its nodes.
    pub fn runs(&self) -> Runs {
        self.runs
    }

    /// Whether a node of it runs elsewhere, in a Python interpreter, so that whoever runs the graph may wait.
    pub fn waits(&self) -> bool {
        self.runs != Runs::Natively
    }

    /// Its pipeline is not used any more: what was started for its nodes ends with the streams that still use it.
    pub fn retire(&self) {
        self.nodes.iter().for_each(|node| node.kind.retire());
    }
}

/// A node in its place.
#[derive(Clone)]
pub struct GraphNode {
    /// Its id.
    pub id: String,
    /// Its position in the manifest.
    pub index: usize,
    /// Its type.
    pub kind: Arc<dyn NodeType>,
    /// Its checked parameters.
    pub params: Map<String, Value>,
    /// What to do when it fails.
    pub on_error: OnError,
    /// What is declared of the input, for nodes that take it.
    pub declared: Format,
    /// For each input, how many connections end there: 0 or 1.
    pub connected: Vec<bool>,
    /// For each input, the format that comes, as far as what is declared tells.
    pub expected: Vec<Format>,
    /// For each input, whether what comes is in pieces, each a thing of its own that stays whole.
    pub takes_pieces: Vec<bool>,
    /// Whether a node that joins streams comes of it: that waits for audio, and must be told when there is none.
    pub is_waited_for: bool,
    /// For each output, where its packets go.
    pub targets: Vec<Vec<(usize, PortId)>>,
    /// For each output, its position among the results.
    pub result: Vec<Option<usize>>,
}

impl GraphNode {
    /// Whether it runs elsewhere, in a Python interpreter.
    pub fn waits(&self) -> bool {
        self.kind.runs() != Runs::Natively
    }

    /// Whether it joins streams, and so may wait for one of them.
    pub fn joins(&self) -> bool {
        self.kind.info().inputs.iter().any(|port| port.takes_gaps)
    }

    /// Whether a parameter may have a value, besides the others.
    ///
    /// # Errors
    /// `InputValue`.
    pub fn check_param(&self, name: &str, value: &Value) -> Result<()> {
        let mut params = self.params.clone();
        params.insert(name.to_owned(), value.clone());
        match self.kind.check(&params).into_iter().next() {
            Some(problem) => {
                Err(Error::new(ErrorKind::InputValue, problem.to_string()).code_of(problem.code).at_node(&self.id))
            }
            None => Ok(()),
        }
    }

    /// Whether a parameter can change to a value while a stream runs: tried on a processor of its own.
    ///
    /// # Errors
    /// `InputValue`; `Unsupported`.
    pub fn try_param(&self, name: &str, value: &Value) -> Result<()> {
        self.check_param(name, value)?;
        let mut processor = self.kind.build(&self.params)?;
        processor.set_param(name, value).map_err(|error| error.at_node(&self.id))
    }
}

impl std::fmt::Debug for GraphNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GraphNode").field("id", &self.id).field("type", &self.kind.info().name).finish_non_exhaustive()
    }
}

/// A port whose packets are a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultPort {
    /// Position of the node in [`Graph::nodes`].
    pub node: usize,
    /// The output.
    pub port: PortId,
    /// The id of the node.
    pub node_id: String,
    /// The name of the port.
    pub port_name: &'static str,
    /// Whether it carries events of the stream (every port but `out`) rather than one result an item.
    pub stream: bool,
    /// Whether each packet is a thing of its own, not to be joined with the next one.
    pub pieces: bool,
}

impl ResultPort {
    /// The name of the result: the node, and the port unless it is `out`.
    pub fn name(&self) -> String {
        if self.stream { format!("{}.{}", self.node_id, self.port_name) } else { self.node_id.clone() }
    }
}
