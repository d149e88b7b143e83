//! The pipeline as its author wrote it: JSON in, a checked model and every problem at once out. No I/O.
//!
//! What needs no knowledge of nodes is checked here; node types, parameters and ports are checked by
//! [`graph`](crate::graph).

mod excerpt;
mod json;
mod model;
mod parse;
mod span;

pub use model::{Budget, Connection, InputFormats, Manifest, NodeSpec, OnError, PortRef};
pub use parse::{Parsed, parse, parse_from};
pub(crate) use span::locate;

/// Where a manifest's text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Source<'a> {
    /// A person wrote the text: problems have a line and an excerpt.
    #[default]
    Text,
    /// It stands in a file of this name, which excerpts give too.
    File(&'a str),
    /// A program made the text from a value, such as a dict: problems have a pointer and no line.
    Value,
}

/// The largest manifest, in bytes.
pub const MAX_BYTES: usize = 16 << 20;
/// The most nodes of one manifest.
pub const MAX_NODES: usize = 10_000;
/// The most connections of one manifest.
pub const MAX_CONNECTIONS: usize = 100_000;
