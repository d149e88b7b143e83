//! The two halves of a node.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::params::{self, Params};
use super::{Execution, NodeInfo, Nudge, Out, Placement, PortId, Runs};
use crate::data::{Duration, Format, Packet};
use crate::error::{Error, ErrorKind, Problem, Result};

/// How a node's output lies in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Align {
    /// Time-aligned with the input: the first packets are short by the delay, the end returns the rest, counts are
    /// exact.
    #[default]
    Trim,
    /// One frame out per frame in from the first; the first ones are at negative time.
    Keep,
}

/// How a processor is going to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Opening {
    /// How its output is to lie in time.
    pub align: Align,
    /// Whether somebody waits for the output, as in a session: then it works in short blocks, and otherwise in those
    /// that cost least. What comes out may differ by rounding between the two, and never within one.
    pub live: bool,
    /// Whether the next packet may come before the one before it is answered. Otherwise [`process`](Processor::process)
    /// puts out all that its packet gives.
    pub overlaps: bool,
}

impl Opening {
    /// As for a run over files.
    pub const BATCH: Self = Self { align: Align::Trim, live: false, overlaps: true };

    /// As for a session.
    pub fn live(align: Align) -> Self {
        Self { align, live: true, overlaps: false }
    }

    /// The same, where results may come later than the call with their packet.
    #[must_use]
    pub fn overlapping(self) -> Self {
        Self { overlaps: true, ..self }
    }
}

/// How much of the input a node needs before a frame comes out, in exact media time. The frame of time `t` comes when
/// the input has come up to the end of the block that `t + delay` lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// How far the node looks ahead.
    pub delay: Duration,
    /// What it works in at a time, from time 0 on. Zero: frame by frame.
    pub block: Duration,
}

impl Latency {
    /// None at all.
    pub const ZERO: Self = Self { delay: Duration::ZERO, block: Duration::ZERO };
}

/// What a processor answers when it is opened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Opened {
    /// The format of each output, in the order of the ports.
    pub outputs: Vec<Format>,
    /// The latency of each output: one after the other, when the node works in several stages. `None`: it depends on
    /// what is in the stream, as that of an event does.
    pub latency: Vec<Option<Vec<Latency>>>,
}

impl Opened {
    /// Formats of the outputs, and one latency for all of them but those of JSON, whose latency depends on the stream.
    pub fn new(outputs: Vec<Format>, latency: Latency) -> Self {
        let of = |format: &Format| (*format != Format::Json).then(|| vec![latency]);
        let latency = outputs.iter().map(of).collect();
        Self { outputs, latency }
    }

    /// The same, with the latency of one output.
    #[must_use]
    pub fn with_latency(mut self, port: PortId, latency: Option<Vec<Latency>>) -> Self {
        if let Some(of_port) = self.latency.get_mut(port.index()) {
            *of_port = latency;
        }
        self
    }
}

/// The running half of a node: one stream, one thread at a time.
pub trait Processor: Send {
    /// Takes the formats of the inputs, which are fully known now. Called once, before anything else.
    ///
    /// # Errors
    /// `Format` when it cannot work on them.
    fn open(&mut self, inputs: &[Format], opening: Opening) -> Result<Opened>;

    /// Starts what takes a while, such as a worker process and the model in it. Called when a session opens, so that
    /// its first packet does not wait; `open` follows, and may come without it.
    ///
    /// # Errors
    /// Any.
    fn prepare(&mut self, opening: Opening) -> Result<()> {
        let _ = opening;
        Ok(())
    }

    /// Takes a packet and puts out zero or more. Never blocks, but for a node that runs elsewhere
    /// ([`NodeType::runs`]), and that only up to its deadline.
    ///
    /// # Errors
    /// Any; the session stops, unless the manifest says to skip.
    fn process(&mut self, port: PortId, packet: Packet, out: &mut Out) -> Result<()>;

    /// Whether packets are under way, in a node that runs elsewhere, that were not answered yet.
    fn is_under_way(&self) -> bool {
        false
    }

    /// Waits for the answer to the oldest packet that is under way, and puts it out. Comes back without it when nudged.
    ///
    /// # Errors
    /// As [`process`](Self::process).
    fn settle(&mut self, out: &mut Out, nudge: &Nudge) -> Result<()> {
        let _ = (out, nudge);
        Ok(())
    }

    /// This input is over. The last one puts out everything held.
    ///
    /// # Errors
    /// As [`process`](Self::process).
    fn end(&mut self, port: PortId, out: &mut Out) -> Result<()> {
        let _ = (port, out);
        Ok(())
    }

    /// Whatever was put into the graph has come to its nodes: a node that waits for one of its inputs may decide that it
    /// has waited long enough. Called for nodes whose inputs take gaps.
    ///
    /// # Errors
    /// As [`process`](Self::process).
    fn quiet(&mut self, out: &mut Out) -> Result<()> {
        let _ = out;
        Ok(())
    }

    /// Forgets the stream. Plans and weights stay.
    fn reset(&mut self);

    /// What the node itself has measured, as JSON, beside the figures that the engine takes.
    fn metrics(&self) -> Option<Value> {
        None
    }

    /// Audio frames held back for now that [`end`](Self::end) would put out, at the rate of the output.
    fn held_frames(&self) -> u64 {
        0
    }

    /// Changes a parameter while running.
    ///
    /// # Errors
    /// `Unsupported` when the parameter cannot be changed, `InputValue` when the value is wrong.
    fn set_param(&mut self, name: &str, value: &Value) -> Result<()> {
        let _ = value;
        Err(Error::new(ErrorKind::Unsupported, format!("the parameter `{name}` cannot be changed while running"))
            .hint("open another session with it"))
    }
}

/// The half of a node that is known before any run.
pub trait NodeType: Send + Sync {
    /// Name, ports, parameters, cost.
    fn info(&self) -> &NodeInfo;

    /// Everything that is wrong with the parameters; paths are relative to `params`.
    fn check(&self, params: &Map<String, Value>) -> Vec<Problem>;

    /// The formats of the outputs, as far as the formats of the inputs allow to tell.
    ///
    /// # Errors
    /// `Format` when the node cannot take these inputs.
    fn negotiate(&self, params: &Map<String, Value>, inputs: &[Format]) -> Result<Vec<Format>>;

    /// A processor with these parameters, which have passed [`check`](Self::check).
    ///
    /// # Errors
    /// `InputValue` when the parameters are wrong all the same.
    fn build(&self, params: &Map<String, Value>) -> Result<Box<dyn Processor>>;

    /// What runs it.
    fn runs(&self) -> Runs {
        Runs::Natively
    }

    /// Whether its parameters name code that is not part of the library.
    fn runs_code(&self) -> bool {
        false
    }

    /// Its pipeline is not used any more: what was started for it ends with the streams that still use it.
    fn retire(&self) {}

    /// This type as a node of a graph that runs as `execution` says; `None`: it is the same everywhere.
    ///
    /// # Errors
    /// `Unsupported` when it cannot run there.
    fn placed(&self, id: &str, execution: &Execution) -> Result<Option<Arc<dyn NodeType>>> {
        let _ = id;
        if execution.placement == Placement::Process {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "`placement` is \"process\", expected \"inline\" for a built-in node",
            )
            .hint("only nodes written in Python run in worker processes"));
        }
        Ok(None)
    }
}

/// A node type with a parameter struct: the usual way to write one.
///
/// The struct derives `Deserialize` and `JsonSchema` with `deny_unknown_fields`; ranges stand in the schema and are
/// checked from there. See `docs/adding-a-node.md`.
pub trait TypedNode: Send + Sync + 'static {
    /// The parameters.
    type Params: DeserializeOwned + JsonSchema;

    /// Name, ports, cost. `params` is filled in by the registry.
    fn info(&self) -> NodeInfo;

    /// The formats of the outputs, as far as the formats of the inputs allow to tell.
    ///
    /// # Errors
    /// `Format` when the node cannot take these inputs.
    fn negotiate(&self, params: &Self::Params, inputs: &[Format]) -> Result<Vec<Format>>;

    /// A processor.
    ///
    /// # Errors
    /// `InputValue` when parameters contradict one another.
    fn build(&self, params: Self::Params) -> Result<Box<dyn Processor>>;
}

/// A [`TypedNode`] as a [`NodeType`].
pub(super) struct Typed<N: TypedNode> {
    node: N,
    info: NodeInfo,
    params: Params,
}

impl<N: TypedNode> Typed<N> {
    pub(super) fn new(node: N) -> Self {
        let mut info = node.info();
        info.params = params::schema_of::<N::Params>();
        let params = Params::new(&info.params);
        Self { node, info, params }
    }

    fn read(&self, params: &Map<String, Value>) -> Result<N::Params> {
        serde_json::from_value(Value::Object(params.clone()))
            .map_err(|error| Error::new(ErrorKind::InputValue, format!("params: {error}")))
    }
}

impl<N: TypedNode> NodeType for Typed<N> {
    fn info(&self) -> &NodeInfo {
        &self.info
    }

    fn check(&self, params: &Map<String, Value>) -> Vec<Problem> {
        let mut problems = self.params.check(params);
        if problems.is_empty() {
            // What the schema cannot say: parameters that contradict one another.
            let built = self.read(params).and_then(|params| self.node.build(params));
            problems.extend(built.err().map(|error| Problem::error("RM0112", "", error.message())));
        }
        problems
    }

    fn negotiate(&self, params: &Map<String, Value>, inputs: &[Format]) -> Result<Vec<Format>> {
        self.node.negotiate(&self.read(params)?, inputs)
    }

    fn build(&self, params: &Map<String, Value>) -> Result<Box<dyn Processor>> {
        self.node.build(self.read(params)?)
    }
}

impl<N: TypedNode> fmt::Debug for Typed<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NodeType").field(&self.info.name).finish()
    }
}
