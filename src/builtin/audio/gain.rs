//! `Gain`: louder or softer.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::node::prelude::*;

const RANGE_DB: std::ops::RangeInclusive<f64> = -120.0..=60.0;

/// Parameters of `Gain`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Gain in dB. 0 changes nothing, -6.02 halves.
    #[serde(default)]
    #[schemars(range(min = -120.0, max = 60.0))]
    gain_db: f64,
}

#[derive(Debug)]
pub(super) struct Gain;

impl TypedNode for Gain {
    type Params = Params;

    fn info(&self) -> NodeInfo {
        NodeInfo {
            name: "Gain",
            aliases: &["GainNode", "AudioGain", "Volume"],
            category: "audio",
            description: "Multiplies audio by a gain. Nothing is clipped before a conversion to integers.",
            inputs: vec![PortInfo::input(Kind::Audio)],
            outputs: vec![PortInfo::out(Kind::Audio)],
            params: Value::Null,
            cost_ns_per_frame: 1.0,
            memory: Memory::InPlace,
        }
    }

    fn negotiate(&self, _: &Params, inputs: &[Format]) -> Result<Vec<Format>> {
        Ok(inputs.to_vec())
    }

    fn build(&self, params: Params) -> Result<Box<dyn Processor>> {
        Ok(Box::new(Amplifier { factor: factor(params.gain_db) }))
    }
}

fn factor(gain_db: f64) -> f32 {
    10.0_f64.powf(gain_db / 20.0) as f32
}

#[derive(Debug)]
struct Amplifier {
    factor: f32,
}

impl Processor for Amplifier {
    fn open(&mut self, inputs: &[Format], _: Opening) -> Result<Opened> {
        Ok(Opened::new(inputs.to_vec(), Latency::ZERO))
    }

    fn process(&mut self, _: PortId, mut packet: Packet, out: &mut Out) -> Result<()> {
        if let RuntimeData::Audio(audio) = &mut packet.data {
            let factor = self.factor;
            audio.samples_mut()?.iter_mut().for_each(|sample| *sample *= factor);
        }
        out.emit(PortId::FIRST, packet);
        Ok(())
    }

    fn reset(&mut self) {}

    fn set_param(&mut self, name: &str, value: &Value) -> Result<()> {
        if name != "gain_db" {
            return Err(Error::new(ErrorKind::Unsupported, format!("the parameter `{name}` cannot be changed")));
        }
        let gain_db = value.as_f64().filter(|gain| RANGE_DB.contains(gain)).ok_or_else(|| {
            Error::new(ErrorKind::InputValue, format!("gain_db is {value}, expected a number from -120 to 60"))
        })?;
        self.factor = factor(gain_db);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::factor;

    #[test]
    fn decibels_are_of_amplitude() {
        assert_eq!(factor(0.0), 1.0);
        assert!((factor(20.0) - 10.0).abs() < 1e-6);
        assert!((factor(-6.020_6) - 0.5).abs() < 1e-6);
    }
}
