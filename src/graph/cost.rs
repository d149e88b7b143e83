//! How long a graph works on audio, and how much it makes of it, before it has run.

use super::{Graph, GraphNode};
use crate::data::{AudioFormat, Format};
use crate::node::PortId;

impl Graph {
    /// Estimated CPU time of so many frames of a format through every node, in nanoseconds: of what goes in or of what
    /// comes out, whichever is more. Without a format all nodes are taken to work on as many samples as come in.
    pub fn cost_ns(&self, format: Option<AudioFormat>, frames: u64) -> f64 {
        frames as f64 * self.cost_per_frame_ns(format)
    }

    /// The same for one frame.
    pub fn cost_per_frame_ns(&self, format: Option<AudioFormat>) -> f64 {
        let Some(format) = format else {
            return self.nodes.iter().map(|node| node.kind.info().cost_ns_per_frame).sum();
        };
        self.estimated(format).0
    }

    /// How many samples one frame of a format becomes at the port where it becomes most.
    pub fn samples_per_frame(&self, format: AudioFormat) -> f64 {
        self.estimated(format).1
    }

    fn estimated(&self, format: AudioFormat) -> (f64, f64) {
        if let Some(known) = self.cost.load().as_deref().filter(|known| known.0 == format) {
            return known.1;
        }
        let cost = self.estimate(format);
        self.cost.store(Some(std::sync::Arc::new((format, cost))));
        cost
    }

    fn estimate(&self, format: AudioFormat) -> (f64, f64) {
        // What comes from outside of the graph, be it a part of another one, is taken to be of this format.
        let mut inputs: Vec<Vec<Format>> =
            self.nodes.iter().map(|node| vec![format.into(); node.connected.len()]).collect();
        let (mut total, mut most) = (0.0, f64::from(format.channels()));
        for (position, node) in self.nodes.iter().enumerate() {
            let outputs = node.kind.negotiate(&node.params, &inputs[position]).unwrap_or_default();
            let ports = inputs[position].iter().chain(&outputs);
            let samples = ports.filter_map(|port| port.audio().ok()).map(samples_per_second).fold(0.0, f64::max);
            let per_frame = samples / f64::from(format.sample_rate_hz());
            most = most.max(per_frame);
            total += node.kind.info().cost_ns_per_frame * if samples > 0.0 { per_frame } else { 1.0 };
            for (output, targets) in outputs.iter().zip(&node.targets) {
                for (target, port) in targets {
                    inputs[*target][port.index()] = output.clone();
                }
            }
        }
        (total, most)
    }
}

impl GraphNode {
    /// How many samples come out of one that goes in, at most; 1 or more.
    pub fn growth(&self, port: PortId, format: AudioFormat) -> usize {
        let mut inputs = vec![Format::Unknown; self.connected.len()];
        if let Some(input) = inputs.get_mut(port.index()) {
            *input = format.into();
        }
        let outputs = self.kind.negotiate(&self.params, &inputs).unwrap_or_default();
        let most = outputs.iter().filter_map(|output| output.audio().ok()).map(samples_per_second).fold(0.0, f64::max);
        ((most / samples_per_second(format)).ceil() as usize).max(1)
    }
}

fn samples_per_second(format: AudioFormat) -> f64 {
    f64::from(format.sample_rate_hz()) * f64::from(format.channels())
}
