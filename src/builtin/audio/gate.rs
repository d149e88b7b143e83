//! `Gate`: audio passed while somebody speaks.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::Deserialize;

use super::segments::{self, Heard};
use crate::data::Control;
use crate::node::prelude::*;

/// Parameters of `Gate`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Params {
    /// Audio passes where the VAD gives at least this probability.
    #[schemars(range(min = 0.01, max = 1.0))]
    threshold: f32,
    /// Passed before that, in milliseconds. Audio is held back for as long.
    #[schemars(range(min = 0, max = 5000))]
    pre_roll_ms: u32,
    /// Passed after that, in milliseconds.
    #[schemars(range(min = 0, max = 60000))]
    hold_ms: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self { threshold: 0.5, pre_roll_ms: 200, hold_ms: 300 }
    }
}

#[derive(Debug)]
pub(super) struct Gate;

const VAD: PortId = PortId(1);

impl TypedNode for Gate {
    type Params = Params;

    fn info(&self) -> NodeInfo {
        NodeInfo {
            name: "Gate",
            aliases: &["GateNode", "AudioGate", "SpeechGate"],
            category: "audio",
            description: "Passes audio while a VAD hears speech, with a little before and after it. `vad` is connected to the VAD's output `probability`. What does not pass is left out: times jump over it, and whatever joins audio later fills it with silence.",
            inputs: vec![PortInfo::input(Kind::Audio), PortInfo::named("vad", Kind::Json)],
            outputs: vec![PortInfo::out(Kind::Audio)],
            params: serde_json::Value::Null,
            cost_ns_per_frame: 0.5,
            memory: Memory::Passes,
        }
    }

    fn negotiate(&self, _: &Params, inputs: &[Format]) -> Result<Vec<Format>> {
        Ok(vec![inputs.first().filter(|format| **format != Format::Unknown).cloned().unwrap_or(Format::AUDIO)])
    }

    fn build(&self, params: Params) -> Result<Box<dyn Processor>> {
        Ok(Box::new(Gated {
            params,
            rate: None,
            early: Vec::new(),
            held: VecDeque::new(),
            spans: VecDeque::new(),
            decided: 0,
            heard: 0,
            told: 0,
        }))
    }
}

struct Gated {
    params: Params,
    rate: Option<u32>,
    /// What the VAD said before the first audio came.
    early: Vec<Packet>,
    /// Audio that is not decided yet, with its first frame.
    held: VecDeque<(i64, Packet)>,
    /// Where the gate is open, in order, without overlap.
    spans: VecDeque<(i64, i64)>,
    /// Frames before this one are decided.
    decided: i64,
    /// What the VAD has heard.
    heard: i64,
    /// The frame after the last one that was passed, or said to be left out.
    told: i64,
}

impl Gated {
    fn frames(&self, ms: u32) -> i64 {
        i64::try_from(segments::samples(ms, self.rate.unwrap_or(1))).unwrap_or(i64::MAX)
    }

    fn hear(&mut self, packet: &Packet) -> Result<()> {
        let Some(rate) = self.rate else {
            self.early.push(packet.clone());
            return Ok(());
        };
        let heard = Heard::read(packet, rate)?;
        self.heard = self.heard.max(heard.to);
        if heard.probability >= self.params.threshold {
            let span = (heard.from - self.frames(self.params.pre_roll_ms), heard.to + self.frames(self.params.hold_ms));
            match self.spans.back_mut() {
                Some((_, end)) if span.0 <= *end => *end = span.1.max(*end),
                _ => self.spans.push_back(span),
            }
        }
        Ok(())
    }

    /// Says that nothing comes before a frame.
    fn tell(&mut self, packet: &Packet, until: i64, format: AudioFormat, out: &mut Out) {
        if self.told < until {
            let from = self.told;
            let time = |frame| Pts::frames(frame, format.sample_rate_hz());
            let gap = RuntimeData::Control(Control::Gap { until: time(until), format });
            out.emit(PortId::FIRST, packet.with(gap, time(from)));
            self.told = until;
        }
    }

    /// Decides on all audio before a frame.
    fn decide(&mut self, until: i64, out: &mut Out) {
        while let Some((at, packet)) = self.held.pop_front() {
            let RuntimeData::Audio(audio) = &packet.data else { continue };
            let (rate, end) = (audio.sample_rate_hz(), at + audio.frames() as i64);
            let stop = end.min(until);
            let mut from = at;
            while from < stop {
                while self.spans.front().is_some_and(|(_, close)| *close <= from) {
                    self.spans.pop_front();
                }
                let (open, close) = self.spans.front().copied().unwrap_or((i64::MAX, i64::MAX));
                let (first, last) = (open.max(from).min(stop), close.min(stop));
                if first < last {
                    self.tell(&packet, first, audio.format(), out);
                    let part = audio.slice((first - at) as usize..(last - at) as usize);
                    out.emit(PortId::FIRST, packet.with(part, Pts::frames(first, rate)));
                    self.told = last;
                }
                from = if first == stop { stop } else { last };
            }
            self.decided = stop.max(self.decided);
            if stop < end || self.held.is_empty() {
                self.tell(&packet, self.decided, audio.format(), out);
            }
            if stop < end {
                let rest = audio.slice((stop.max(at) - at) as usize..(end - at) as usize);
                let rest = packet.with(rest, Pts::frames(stop.max(at), rate));
                self.held.push_front((stop.max(at), rest));
                return;
            }
        }
    }
}

impl Processor for Gated {
    fn open(&mut self, inputs: &[Format], _: Opening) -> Result<Opened> {
        let format = inputs.first().filter(|format| **format != Format::Unknown).cloned().unwrap_or(Format::AUDIO);
        let rate = format.sample_rate_hz().unwrap_or(48_000);
        let pre_roll = Pts::frames(i64::try_from(segments::samples(self.params.pre_roll_ms, rate)).unwrap_or(0), rate);
        Ok(Opened::new(vec![format], Latency { delay: pre_roll, block: Pts::ZERO }))
    }

    fn process(&mut self, port: PortId, packet: Packet, out: &mut Out) -> Result<()> {
        if port == VAD {
            self.hear(&packet)?;
        } else if let RuntimeData::Audio(audio) = &packet.data {
            if self.rate.is_none() {
                self.rate = Some(audio.sample_rate_hz());
                for early in std::mem::take(&mut self.early) {
                    self.hear(&early)?;
                }
            }
            let at = packet.pts.to_frames(audio.sample_rate_hz());
            self.held.push_back((at, packet));
        }
        // A frame is decided when the VAD has heard what lies a pre-roll after it.
        let until = self.heard - self.frames(self.params.pre_roll_ms);
        self.decide(until, out);
        Ok(())
    }

    fn end(&mut self, port: PortId, out: &mut Out) -> Result<()> {
        // Ports end in order, the VAD's after the audio.
        if port == VAD {
            self.decide(i64::MAX, out);
        }
        Ok(())
    }

    fn held_frames(&self) -> u64 {
        let frames = |packet: &Packet| packet.data.frames();
        self.held.iter().map(|(_, packet)| frames(packet)).sum()
    }

    fn reset(&mut self) {
        (self.rate, self.decided, self.heard, self.told) = (None, 0, 0, 0);
        self.early.clear();
        self.held.clear();
        self.spans.clear();
    }
}
