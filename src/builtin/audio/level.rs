//! `AudioLevel`: RMS and peak, window by window.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::dsp::level::Meter;
use crate::node::prelude::*;

/// Parameters of `AudioLevel`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Length of a window in milliseconds; every window gives one event.
    #[serde(default = "window_ms")]
    #[schemars(range(min = 1, max = 60000))]
    window_ms: u32,
}

fn window_ms() -> u32 {
    100
}

#[derive(Debug)]
pub(super) struct AudioLevel;

impl TypedNode for AudioLevel {
    type Params = Params;

    fn info(&self) -> NodeInfo {
        NodeInfo {
            name: "AudioLevel",
            aliases: &["AudioLevelNode", "LevelMeter"],
            category: "audio",
            description: "Measures RMS and peak in dBFS over all channels, one event a window. The audio goes through untouched.",
            inputs: vec![PortInfo::input(Kind::Audio)],
            outputs: vec![PortInfo::out(Kind::Audio), PortInfo::events()],
            params: serde_json::Value::Null,
            cost_ns_per_frame: 1.5,
            memory: Memory::Passes,
        }
    }

    fn negotiate(&self, _: &Params, inputs: &[Format]) -> Result<Vec<Format>> {
        Ok(vec![inputs.first().cloned().unwrap_or(Format::AUDIO), Format::Json])
    }

    fn build(&self, params: Params) -> Result<Box<dyn Processor>> {
        Ok(Box::new(Levels {
            window_ms: params.window_ms,
            window: 1,
            rate: 1,
            start: 0,
            filled: 0,
            meter: Meter::default(),
        }))
    }
}

#[derive(Debug)]
struct Levels {
    window_ms: u32,
    /// Frames of a window.
    window: usize,
    rate: u32,
    /// Frames of the stream before this window.
    start: u64,
    filled: usize,
    meter: Meter,
}

impl Levels {
    fn event(&mut self, packet: Option<&Packet>, out: &mut Out) {
        if out.wants(PortId::EVENTS) {
            self.emit(packet, out);
        }
        self.start += self.filled as u64;
        self.filled = 0;
        self.meter = Meter::default();
    }

    fn emit(&self, packet: Option<&Packet>, out: &mut Out) {
        let value = json!({
            "event": "level",
            "start_sample": self.start,
            "frames": self.filled,
            "rms_db": self.meter.rms_db(),
            "peak_db": self.meter.peak_db(),
        });
        let pts = Pts::frames(i64::try_from(self.start).unwrap_or(i64::MAX), self.rate);
        let data = RuntimeData::json(value);
        let (item, generation) = packet.map_or((0, 0), |packet| (packet.item, packet.generation));
        out.emit(PortId::EVENTS, Packet::new(data, pts).tagged(item, generation));
    }
}

impl Processor for Levels {
    fn open(&mut self, inputs: &[Format], _: Opening) -> Result<Opened> {
        let format = inputs.first().unwrap_or(&Format::Unknown).audio()?;
        self.rate = format.sample_rate_hz();
        let frames = u64::from(self.rate) * u64::from(self.window_ms) / 1000;
        self.window = usize::try_from(frames).unwrap_or(usize::MAX).max(1);
        Ok(Opened::new(vec![format.into(), Format::Json], Latency::ZERO))
    }

    fn process(&mut self, _: PortId, packet: Packet, out: &mut Out) -> Result<()> {
        let RuntimeData::Audio(audio) = &packet.data else { return Ok(()) };
        let channels = usize::from(audio.channels());
        let mut samples = audio.samples();
        while !samples.is_empty() {
            let frames = (self.window - self.filled).min(samples.len() / channels);
            let (now, rest) = samples.split_at(frames * channels);
            self.meter.add(now);
            self.filled += frames;
            samples = rest;
            if self.filled == self.window {
                self.event(Some(&packet), out);
            }
        }
        out.emit(PortId::FIRST, packet);
        Ok(())
    }

    fn end(&mut self, _: PortId, out: &mut Out) -> Result<()> {
        if self.filled > 0 {
            self.event(None, out);
        }
        Ok(())
    }

    fn reset(&mut self) {
        (self.start, self.filled) = (0, 0);
        self.meter = Meter::default();
    }
}
