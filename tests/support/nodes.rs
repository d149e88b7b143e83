//! A node of our own, added as any user would add one.

use std::sync::Arc;

use remotemedia::Runtime;
use remotemedia::node::prelude::*;

type Act = dyn Fn(&mut Packet) -> Result<()> + Send + Sync;

/// Does something with each packet, then passes it on.
#[derive(Clone)]
pub struct UserNode {
    name: &'static str,
    act: Arc<Act>,
    cost_ns_per_frame: f64,
}

impl UserNode {
    pub fn new(name: &'static str, act: impl Fn(&mut Packet) -> Result<()> + Send + Sync + 'static) -> Self {
        Self { name, act: Arc::new(act), cost_ns_per_frame: 1.0 }
    }

    /// The same node, said to cost so much.
    #[allow(dead_code)] // Each test program has this module for itself.
    pub fn costing(mut self, cost_ns_per_frame: f64) -> Self {
        self.cost_ns_per_frame = cost_ns_per_frame;
        self
    }
}

/// No parameters.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

impl TypedNode for UserNode {
    type Params = NoParams;

    fn info(&self) -> NodeInfo {
        NodeInfo {
            name: self.name,
            aliases: &[],
            category: "control",
            description: "A node of the tests.",
            inputs: vec![PortInfo::input(Kinds::ANY)],
            outputs: vec![PortInfo::out(Kinds::ANY)],
            params: serde_json::Value::Null,
            cost_ns_per_frame: self.cost_ns_per_frame,
            memory: Memory::Passes,
        }
    }

    fn negotiate(&self, _: &NoParams, inputs: &[Format]) -> Result<Vec<Format>> {
        Ok(inputs.to_vec())
    }

    fn build(&self, _: NoParams) -> Result<Box<dyn Processor>> {
        Ok(Box::new(self.clone()))
    }
}

impl Processor for UserNode {
    fn open(&mut self, inputs: &[Format], _: Opening) -> Result<Opened> {
        Ok(Opened::new(inputs.to_vec(), Latency::ZERO))
    }

    fn process(&mut self, _: PortId, mut packet: Packet, out: &mut Out) -> Result<()> {
        (self.act)(&mut packet)?;
        out.emit(PortId::FIRST, packet);
        Ok(())
    }

    fn reset(&mut self) {}
}

/// All built-in nodes and this one.
pub fn registry_with(node: UserNode) -> Registry {
    let mut registry = Runtime::shared().registry().as_ref().clone();
    registry.add(node).unwrap();
    registry
}
