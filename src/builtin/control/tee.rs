//! `Tee`: the same on two outputs.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::node::prelude::*;

/// No parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {}

#[derive(Debug)]
pub(super) struct Tee;

const TAP: PortId = PortId(1);

impl TypedNode for Tee {
    type Params = Params;

    fn info(&self) -> NodeInfo {
        NodeInfo {
            name: "Tee",
            aliases: &["TeeNode", "Fork"],
            category: "control",
            description: "Gives everything on two outputs: `out`, and `tap` for whoever looks on. The memory is shared, not copied. (Any output may lead to several nodes without it; `tap` gives the second way a name.)",
            inputs: vec![PortInfo::input(Kinds::ANY)],
            outputs: vec![PortInfo::out(Kinds::ANY), PortInfo::named("tap", Kinds::ANY)],
            params: serde_json::Value::Null,
            cost_ns_per_frame: 0.0,
            memory: Memory::Passes,
        }
    }

    fn negotiate(&self, _: &Params, inputs: &[Format]) -> Result<Vec<Format>> {
        let input = inputs.first().cloned().unwrap_or_default();
        Ok(vec![input.clone(), input])
    }

    fn build(&self, _: Params) -> Result<Box<dyn Processor>> {
        Ok(Box::new(Passing))
    }
}

#[derive(Debug)]
struct Passing;

impl Processor for Passing {
    fn open(&mut self, inputs: &[Format], _: Opening) -> Result<Opened> {
        let input = inputs.first().cloned().unwrap_or_default();
        Ok(Opened::new(vec![input.clone(), input], Latency::ZERO))
    }

    fn process(&mut self, _: PortId, packet: Packet, out: &mut Out) -> Result<()> {
        if out.wants(TAP) {
            out.emit(TAP, packet.clone());
        }
        out.emit(PortId::FIRST, packet);
        Ok(())
    }

    fn reset(&mut self) {}
}
