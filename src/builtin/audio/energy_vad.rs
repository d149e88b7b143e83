//! `EnergyVAD`: activity by level alone.

use schemars::JsonSchema;
use serde::Deserialize;

use super::segments;
use crate::dsp::level::Meter;
use crate::dsp::segment::{Mark, SegmentSettings, Segmenter};
use crate::node::prelude::*;

/// Parameters of `EnergyVAD`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Params {
    /// Windows at or above this RMS level in dBFS are active.
    #[schemars(range(min = -120.0, max = 0.0))]
    threshold_db: f64,
    /// Length of a window in milliseconds.
    #[schemars(range(min = 1, max = 1000))]
    window_ms: u32,
    /// Shorter activity is not reported, in milliseconds.
    #[schemars(range(min = 0, max = 60000))]
    min_speech_ms: u32,
    /// Shorter silence does not end a segment, in milliseconds.
    #[schemars(range(min = 0, max = 60000))]
    min_silence_ms: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self { threshold_db: -40.0, window_ms: 20, min_speech_ms: 60, min_silence_ms: 300 }
    }
}

#[derive(Debug)]
pub(super) struct EnergyVad;

impl TypedNode for EnergyVad {
    type Params = Params;

    fn info(&self) -> NodeInfo {
        NodeInfo {
            name: "EnergyVAD",
            aliases: &["EnergyVADNode", "EnergyVadNode", "RustVADNode", "VADNode"],
            category: "audio",
            description: "Finds activity by its level: cheap, and blind to what makes the sound. Events say where segments start and end; the audio goes through untouched.",
            inputs: vec![PortInfo::input(Kind::Audio)],
            outputs: vec![PortInfo::out(Kind::Audio), PortInfo::events(), segments::probability_port()],
            params: serde_json::Value::Null,
            cost_ns_per_frame: 1.5,
            memory: Memory::Passes,
        }
    }

    fn negotiate(&self, _: &Params, inputs: &[Format]) -> Result<Vec<Format>> {
        Ok(vec![inputs.first().cloned().unwrap_or(Format::AUDIO), Format::Json, Format::Json])
    }

    fn build(&self, params: Params) -> Result<Box<dyn Processor>> {
        Ok(Box::new(Detector {
            params,
            rate: 1,
            window: 1,
            segmenter: None,
            start: 0,
            filled: 0,
            meter: Meter::default(),
        }))
    }
}

#[derive(Debug)]
struct Detector {
    params: Params,
    rate: u32,
    window: usize,
    segmenter: Option<Segmenter>,
    start: u64,
    filled: usize,
    meter: Meter,
}

impl Detector {
    fn hop(&mut self, item: u32, out: &mut Out) {
        let active = self.meter.rms_db() >= self.params.threshold_db;
        let end = self.start + self.filled as u64;
        let rate = self.rate;
        let probability = if active { 1.0 } else { 0.0 };
        segments::emit_probability(self.start, end, probability, rate, item, out);
        if let Some(segmenter) = &mut self.segmenter {
            segmenter.hop(self.start, end, probability, |mark| segments::emit(mark, rate, item, out));
        }
        (self.start, self.filled) = (end, 0);
        self.meter = Meter::default();
    }
}

impl Processor for Detector {
    fn open(&mut self, inputs: &[Format], _: Opening) -> Result<Opened> {
        let format = inputs.first().unwrap_or(&Format::Unknown).audio()?;
        self.rate = format.sample_rate_hz();
        self.window = usize::try_from(segments::samples(self.params.window_ms, self.rate)).unwrap_or(usize::MAX).max(1);
        self.segmenter = Some(Segmenter::new(SegmentSettings {
            enter: 0.5,
            exit: 0.5,
            min_speech: segments::samples(self.params.min_speech_ms, self.rate),
            min_silence: segments::samples(self.params.min_silence_ms, self.rate).max(1),
            pad_start: 0,
            pad_end: 0,
            max_speech: 0,
            min_pause: 0,
            bridge: false,
        }));
        let window = Latency { delay: Pts::ZERO, block: Pts::frames(self.window as i64, self.rate) };
        Ok(Opened::new(vec![format.into(), Format::Json, Format::Json], Latency::ZERO)
            .with_latency(segments::PROBABILITY, Some(vec![window])))
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
                self.hop(packet.item, out);
            }
        }
        out.emit(PortId::FIRST, packet);
        Ok(())
    }

    fn end(&mut self, _: PortId, out: &mut Out) -> Result<()> {
        if self.filled > 0 {
            self.hop(0, out);
        }
        let (end, rate) = (self.start, self.rate);
        if let Some(segmenter) = &mut self.segmenter {
            segmenter.flush(end, |mark: Mark| segments::emit(mark, rate, 0, out));
        }
        Ok(())
    }

    fn reset(&mut self) {
        (self.start, self.filled) = (0, 0);
        self.meter = Meter::default();
        if let Some(segmenter) = &mut self.segmenter {
            segmenter.reset();
        }
    }
}
