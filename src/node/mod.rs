//! The contract of a node. Built-in nodes and those of users go through the same door.
//!
//! A node has two halves. A [`NodeType`] is what can be known before a run: name, ports, parameters, cost, and how
//! formats go through it. A [`Processor`] is built from it once per stream and does the work. Its life:
//!
//! 1. [`NodeType::build`] makes it from checked parameters;
//! 2. [`Processor::open`] tells it the formats, fully known;
//! 3. [`Processor::process`] gets packets, any number, of any size;
//! 4. [`Processor::end`] says that a port is over; the last one flushes everything held;
//! 5. [`Processor::reset`] forgets the stream, at any time; then it goes on at 3.

mod clock;
mod execution;
mod join;
mod out;
mod params;
mod ports;
mod processor;
mod registry;

pub use clock::{Clock, ManualClock, MonotonicClock};
pub use execution::{
    Execution, Nudge, OnCrash, Placement, Restart, Runs, StopCheck, StopWaiting, is_callers_thread, mark_own_thread,
};
pub use join::{Join, Missing};
pub use out::Out;
pub use params::{Params, schema_of};
pub use ports::{Memory, NodeInfo, PortId, PortInfo};
pub use processor::{Align, Latency, NodeType, Opened, Opening, Processor, TypedNode};
pub use registry::Registry;

/// What node authors need.
pub mod prelude {
    pub use super::{
        Align, Latency, Memory, NodeInfo, NodeType, Opened, Opening, Out, PortId, PortInfo, Processor, Registry,
        TypedNode,
    };
    pub use crate::data::{AudioBuffer, AudioFormat, Format, Kind, Kinds, Packet, Pts, RuntimeData, VideoFrame};
    pub use crate::error::{Error, ErrorKind, Result};
}
