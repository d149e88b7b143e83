//! `PassThrough`: everything goes through untouched.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::node::prelude::*;

/// No parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {}

#[derive(Debug)]
pub(super) struct PassThrough;

impl TypedNode for PassThrough {
    type Params = Params;

    fn info(&self) -> NodeInfo {
        NodeInfo {
            name: "PassThrough",
            aliases: &["PassThroughNode", "Passthrough", "Echo"],
            category: "control",
            description: "Passes everything through untouched.",
            inputs: vec![PortInfo::input(Kinds::ANY)],
            outputs: vec![PortInfo::out(Kinds::ANY)],
            params: serde_json::Value::Null,
            cost_ns_per_frame: 0.0,
            memory: Memory::Passes,
        }
    }

    fn negotiate(&self, _: &Params, inputs: &[Format]) -> Result<Vec<Format>> {
        Ok(inputs.to_vec())
    }

    fn build(&self, _: Params) -> Result<Box<dyn Processor>> {
        Ok(Box::new(Passing))
    }
}

#[derive(Debug)]
struct Passing;

impl Processor for Passing {
    fn open(&mut self, inputs: &[Format], _: Opening) -> Result<Opened> {
        Ok(Opened::new(inputs.to_vec(), Latency::ZERO))
    }

    fn process(&mut self, _: PortId, packet: Packet, out: &mut Out) -> Result<()> {
        out.emit(PortId::FIRST, packet);
        Ok(())
    }

    fn reset(&mut self) {}
}
