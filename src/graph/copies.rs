//! Where media bytes are copied or converted, before anything has run.

use std::collections::{HashMap, HashSet};

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
        let shared = self.shared();
        for (position, node) in self.nodes.iter().enumerate() {
            match node.kind.info().memory {
                Memory::Copies => {
                    add(&node.id, format!("{} writes the same samples to other memory", node.kind.info().name))
                }
                Memory::InPlace if shared[position] => {
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

    /// For each node, whether the memory that comes to it is looked at elsewhere too.
    fn shared(&self) -> Vec<bool> {
        let mut shared = vec![false; self.nodes.len()];
        for source in &self.sources {
            shared[*source] = self.sources.len() > 1;
        }
        // Those before a node are known: they come earlier in the order.
        for (position, at) in self.nodes.iter().enumerate() {
            let info = at.kind.info();
            let media = |port: usize| {
                info.outputs[port].kinds.contains(Kind::Audio) || info.outputs[port].kinds.contains(Kind::Video)
            };
            let ways = |port: usize| at.targets[port].len() + usize::from(at.result[port].is_some());
            // A node that passes memory on may pass it to several outputs.
            let passed: usize = (0..at.targets.len()).filter(|port| media(*port)).map(ways).sum();
            let passes = info.memory == Memory::Passes;
            let mut ways_to: HashMap<usize, usize> = HashMap::new();
            for (port, targets) in at.targets.iter().enumerate() {
                let targets: HashSet<usize> = targets.iter().map(|(target, _)| *target).collect();
                for target in targets {
                    *ways_to.entry(target).or_default() += ways(port);
                }
            }
            for (target, ways) in ways_to {
                shared[target] |= if passes { passed > 1 || shared[position] } else { ways > 1 };
            }
        }
        shared
    }
}
