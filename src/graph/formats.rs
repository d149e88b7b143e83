//! Formats forward through the graph, as far as they are known.

use super::{Graph, GraphNode};
use crate::data::{Format, Kind, Kinds};
use crate::error::{Error, ErrorKind, Problem, Result};

/// Formats of ports, by node.
pub(super) type ByNode = Vec<Vec<Format>>;

impl Graph {
    /// The formats of every node's outputs when every source gets a format, as far as it can be told.
    ///
    /// With `lenient`, a stream of a kind that a node does not take goes around it.
    ///
    /// # Errors
    /// `Format`, naming the first node that cannot take what reaches it.
    pub fn formats(&self, source: &Format, lenient: bool) -> Result<Vec<Vec<Format>>> {
        Ok(self.flow(source, lenient)?.1)
    }

    /// The formats of every node's inputs (`Unknown` for those that are not connected), and of its outputs.
    pub(super) fn flow(&self, source: &Format, lenient: bool) -> Result<(ByNode, ByNode)> {
        let mut formats: Vec<Vec<Format>> = self.nodes.iter().map(|node| unknown(node.targets.len())).collect();
        let mut inputs: Vec<Vec<Format>> = self.nodes.iter().map(|node| unknown(node.connected.len())).collect();
        for (position, node) in self.nodes.iter().enumerate() {
            if self.sources.contains(&position)
                && let Some(first) = inputs[position].first_mut()
            {
                *first = declared(source, &node.declared)?;
            }
            let outputs = node.negotiate(&inputs[position], lenient).map_err(|error| error.at_node(&node.id))?;
            for (format, targets) in outputs.iter().zip(&node.targets) {
                for (target, port) in targets {
                    inputs[*target][port.index()] = format.clone();
                }
            }
            formats[position] = outputs;
        }
        Ok((inputs, formats))
    }

    /// What the declared input formats contradict.
    pub(super) fn check_declared(&self) -> Option<Problem> {
        let error = self.formats(&Format::Unknown, false).err()?;
        let index = self.nodes.iter().find(|node| Some(node.id.as_str()) == error.node()).map(|node| node.index);
        let path = index.map_or_else(|| "/input".to_owned(), |index| format!("/nodes/{index}"));
        let named = error.node().map_or_else(String::new, |node| format!("node `{node}`: "));
        let mut problem = Problem::error(error.code(), path, format!("{named}{}", error.message()));
        problem.node = error.node().map(str::to_owned);
        problem.fix = error.fix().map(str::to_owned);
        Some(problem)
    }
}

fn unknown(count: usize) -> Vec<Format> {
    vec![Format::Unknown; count]
}

/// What an item is, together with what the manifest declares of it.
fn declared(item: &Format, declared: &Format) -> Result<Format> {
    let merged = |rate: Option<u32>, channels: Option<u16>| match *declared {
        Format::Audio { sample_rate_hz, channels: declared_channels } => {
            let clash = |name: &str, is: u64, expected: u64| {
                Error::new(ErrorKind::Format, format!("{name} is {is}, expected {expected} as `input` declares"))
                    .code_of("RM0201")
            };
            if let (Some(is), Some(expected)) = (rate, sample_rate_hz)
                && is != expected
            {
                return Err(clash("sample_rate_hz", is.into(), expected.into()));
            }
            if let (Some(is), Some(expected)) = (channels, declared_channels)
                && is != expected
            {
                return Err(clash("channels", is.into(), expected.into()));
            }
            Ok(Format::Audio { sample_rate_hz: rate.or(sample_rate_hz), channels: channels.or(declared_channels) })
        }
        _ => Ok(Format::Audio { sample_rate_hz: rate, channels }),
    };
    match (item, declared) {
        (Format::Unknown, declared) => Ok(declared.clone()),
        (Format::Audio { sample_rate_hz, channels }, _) => merged(*sample_rate_hz, *channels),
        (Format::Array { .. }, Format::Audio { .. }) => merged(None, None),
        (item, _) => Ok(item.clone()),
    }
}

impl GraphNode {
    fn negotiate(&self, inputs: &[Format], lenient: bool) -> Result<Vec<Format>> {
        let info = self.kind.info();
        let mut taken = inputs.to_vec();
        for ((format, port), connected) in taken.iter_mut().zip(&info.inputs).zip(&self.connected) {
            if *connected && *format == Format::Unknown && port.kinds == Kinds::only(Kind::Audio) {
                // Not known, but not nothing either: a node that joins tells them apart.
                *format = Format::AUDIO;
            }
            let Some(kind) = format.kind() else { continue };
            if port.kinds.contains(kind) {
                continue;
            }
            if kind == Kind::Array && port.kinds.contains(Kind::Audio) {
                *format = Format::AUDIO;
            } else if lenient {
                return Ok(vec![inputs.first().cloned().unwrap_or_default(); info.outputs.len()]);
            } else {
                return Err(Error::new(ErrorKind::InputType, format!("{kind} comes in, expected {}", port.kinds))
                    .code_of("RM0301")
                    .hint("pass what the first node takes"));
            }
        }
        self.kind.negotiate(&self.params, &taken)
    }
}
