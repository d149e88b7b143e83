//! The pipeline as its author wrote it: JSON in, a checked model and every problem at once out. No I/O.
//!
//! What needs no knowledge of nodes is checked here; node types, parameters and ports are checked by
//! [`graph`](crate::graph).

mod model;
mod parse;
mod span;

pub use model::{Connection, InputFormats, Manifest, NodeSpec, OnError, PortRef};
pub use parse::{Parsed, parse};
pub(crate) use span::locate;

/// The largest manifest, in bytes.
pub const MAX_BYTES: usize = 16 << 20;
/// The most nodes of one manifest.
pub const MAX_NODES: usize = 10_000;
/// The most connections of one manifest.
pub const MAX_CONNECTIONS: usize = 100_000;
