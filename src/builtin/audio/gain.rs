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
    /// How long a change while running takes, in milliseconds: the gain goes there in a straight line, so that there is no
    /// click. 0: at once.
    #[serde(default = "ramp_ms")]
    #[schemars(range(min = 0, max = 10000))]
    ramp_ms: u32,
}

/// Short enough to be no fade, long enough to be no click.
fn ramp_ms() -> u32 {
    10
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
        let factor = factor(params.gain_db);
        Ok(Box::new(Amplifier { ramp_ms: params.ramp_ms, factor, from: factor, ramp: 0, done: 0, begun: false }))
    }
}

fn factor(gain_db: f64) -> f32 {
    10.0_f64.powf(gain_db / 20.0) as f32
}

#[derive(Debug)]
struct Amplifier {
    ramp_ms: u32,
    /// The gain, or where it goes.
    factor: f32,
    /// Where a change has begun, how many frames it takes, and how many of them are done.
    from: f32,
    ramp: usize,
    done: usize,
    /// Whether audio has come.
    begun: bool,
}

impl Amplifier {
    /// The gain after so many frames of a change.
    fn at(&self, frame: usize) -> f32 {
        let part = frame as f32 / self.ramp.max(1) as f32;
        self.from + (self.factor - self.from) * part
    }

    /// Multiplies what a change is still under way for. Says how many samples these are.
    fn change(&mut self, samples: &mut [f32], channels: usize, rate: u32) -> usize {
        if self.ramp == usize::MAX {
            self.ramp = (u64::from(self.ramp_ms) * u64::from(rate)).div_ceil(1_000) as usize;
        }
        let frames = (self.ramp - self.done).min(samples.len() / channels);
        for (index, frame) in samples[..frames * channels].chunks_exact_mut(channels).enumerate() {
            let factor = self.at(self.done + index + 1);
            frame.iter_mut().for_each(|sample| *sample *= factor);
        }
        self.done += frames;
        if self.done == self.ramp {
            (self.from, self.ramp, self.done) = (self.factor, 0, 0);
        }
        frames * channels
    }
}

impl Processor for Amplifier {
    fn open(&mut self, inputs: &[Format], _: Opening) -> Result<Opened> {
        Ok(Opened::new(inputs.to_vec(), Latency::ZERO))
    }

    fn process(&mut self, _: PortId, mut packet: Packet, out: &mut Out) -> Result<()> {
        if let RuntimeData::Audio(audio) = &mut packet.data {
            self.begun = true;
            let (channels, rate) = (usize::from(audio.channels()), audio.sample_rate_hz());
            let mut samples = audio.samples_mut()?;
            if self.ramp > 0 {
                let done = self.change(samples, channels, rate);
                samples = &mut samples[done..];
            }
            let factor = self.factor;
            samples.iter_mut().for_each(|sample| *sample *= factor);
        }
        out.emit(PortId::FIRST, packet);
        Ok(())
    }

    fn reset(&mut self) {
        (self.from, self.ramp, self.done, self.begun) = (self.factor, 0, 0, false);
    }

    fn set_param(&mut self, name: &str, value: &Value) -> Result<()> {
        if name != "gain_db" {
            return Err(Error::new(ErrorKind::Unsupported, format!("the parameter `{name}` cannot be changed")));
        }
        let gain_db = value.as_f64().filter(|gain| RANGE_DB.contains(gain)).ok_or_else(|| {
            Error::new(ErrorKind::InputValue, format!("gain_db is {value}, expected a number from -120 to 60"))
        })?;
        if self.begun && self.ramp_ms > 0 {
            // From where a change under way has come to. Its length in frames is known with the next audio.
            self.from = if self.ramp > 0 && self.ramp != usize::MAX { self.at(self.done) } else { self.from };
            (self.ramp, self.done) = (usize::MAX, 0);
            self.factor = factor(gain_db);
        } else {
            self.factor = factor(gain_db);
            self.from = self.factor;
        }
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
