//! Where media bytes are copied or converted, before anything has run.

use serde_json::{Value, json};

use super::Graph;
use crate::data::{Format, Kind};
use crate::error::Result;
use crate::node::Memory;

/// A place where bytes of media are copied or converted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyPlace {
    /// Where: `input`, the id of a node, or `result`.
    pub place: String,
    /// Why.
    pub reason: String,
}

impl CopyPlace {
    /// As JSON.
    pub fn to_json(&self) -> Value {
        json!({"place": self.place, "reason": self.reason})
    }
}

impl Graph {
    /// Every place where a stream's media is copied or converted between the caller and the results. Samples that a
    /// node computes anew are its work, and no copy.
    ///
    /// # Errors
    /// `Format` when the input does not fit the graph.
    pub fn copies(&self, input: &Format) -> Result<Vec<CopyPlace>> {
        let (inputs, formats) = self.flow(input, false)?;
        let mut places = Vec::new();
        let mut add = |place: &str, reason: String| places.push(CopyPlace { place: place.to_owned(), reason });
        // One item is converted once, whoever takes it.
        let takes_audio = self.sources.iter().any(|source| {
            let node = &self.nodes[*source];
            let declared = matches!(inputs[*source].first(), Some(Format::Audio { .. }));
            let kinds = node.kind.info().inputs.first().map(|port| port.kinds);
            kinds.is_some_and(|kinds| kinds.contains(Kind::Audio) && (declared || !kinds.contains(Kind::Array)))
        });
        if takes_audio {
            add(
                "input",
                "samples of the caller's array are copied, and converted to float32 where they are another type"
                    .to_owned(),
            );
        }
        for (position, node) in self.nodes.iter().enumerate() {
            match node.kind.info().memory {
                Memory::Copies => {
                    add(&node.id, format!("{} writes the same samples to other memory", node.kind.info().name))
                }
                Memory::InPlace if self.shared(position) => {
                    add(
                        &node.id,
                        format!(
                            "{} works in place, on memory that another node or result shares",
                            node.kind.info().name
                        ),
                    );
                }
                Memory::InPlace | Memory::Passes | Memory::Makes => {}
            }
        }
        for result in &self.results {
            let kind = formats[result.node][result.port.index()].kind();
            if kind.is_some_and(|kind| matches!(kind, Kind::Json | Kind::Text)) {
                continue;
            }
            add(
                &format!("result {}", result.name()),
                "a frame of a session is copied into an array of its own; a long run hands its memory over instead"
                    .to_owned(),
            );
        }
        Ok(places)
    }

    /// Whether the memory that comes to a node is looked at elsewhere too.
    fn shared(&self, node: usize) -> bool {
        if self.sources.contains(&node) {
            return self.sources.len() > 1;
        }
        let before =
            self.nodes.iter().enumerate().filter(|(_, at)| at.targets.iter().flatten().any(|(to, _)| *to == node));
        before.into_iter().any(|(position, at)| {
            let info = at.kind.info();
            let passes = info.memory == Memory::Passes;
            let leads = |port: usize| at.targets[port].iter().any(|(to, _)| *to == node);
            let media = |port: usize| {
                info.outputs[port].kinds.contains(Kind::Audio) || info.outputs[port].kinds.contains(Kind::Video)
            };
            // A node that passes memory on may pass it to several outputs.
            let ports = (0..at.targets.len()).filter(|port| if passes { media(*port) } else { leads(*port) });
            let ways: usize = ports.map(|port| at.targets[port].len() + usize::from(at.result[port].is_some())).sum();
            ways > 1 || passes && self.shared(position)
        })
    }
}
