//! `JitterBuffer`: packets of a network, in order and without gaps.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::segments;
use crate::node::prelude::*;

/// Parameters of `JitterBuffer`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Params {
    /// How much later than the newest audio the output is, in milliseconds: a packet may be late by as much.
    #[schemars(range(min = 0, max = 5000))]
    delay_ms: u32,
    /// A jump in time of more than this is an error, in milliseconds. Shorter ones become silence.
    #[schemars(range(min = 1, max = 600000))]
    max_gap_ms: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self { delay_ms: 60, max_gap_ms: 60_000 }
    }
}

#[derive(Debug)]
pub(super) struct JitterBuffer;

impl TypedNode for JitterBuffer {
    type Params = Params;

    fn info(&self) -> NodeInfo {
        NodeInfo {
            name: "JitterBuffer",
            aliases: &["JitterBufferNode", "Jitter"],
            category: "audio",
            description: "Puts packets in the order of their times and gives audio without gaps, later by a fixed delay. What has not come by then is silence, and counted in `events` (`underrun`); what comes later still is dropped, and counted too (`late`). Time is that of the packets: no clock is read.",
            inputs: vec![PortInfo::input(Kind::Audio).as_it_comes()],
            outputs: vec![PortInfo::out(Kind::Audio), PortInfo::events()],
            params: serde_json::Value::Null,
            cost_ns_per_frame: 0.5,
            memory: Memory::Passes,
        }
    }

    fn negotiate(&self, _: &Params, inputs: &[Format]) -> Result<Vec<Format>> {
        Ok(vec![inputs.first().cloned().unwrap_or(Format::AUDIO), Format::Json])
    }

    fn build(&self, params: Params) -> Result<Box<dyn Processor>> {
        Ok(Box::new(Buffer {
            params,
            format: None,
            waiting: VecDeque::new(),
            next: None,
            given: false,
            newest: 0,
            underruns: 0,
            late: 0,
            tag: (0, 0),
        }))
    }
}

struct Buffer {
    params: Params,
    format: Option<AudioFormat>,
    /// Packets in the order of their first frames.
    waiting: VecDeque<(i64, AudioBuffer)>,
    /// The frame that comes out next, from the first packet on.
    next: Option<i64>,
    /// Whether anything has come out.
    given: bool,
    /// The frame after the newest one.
    newest: i64,
    underruns: u64,
    late: u64,
    /// Item and generation of the last packet.
    tag: (u32, u32),
}

impl Buffer {
    /// Of two packets of one time the longer one stays.
    fn keep(&mut self, at: i64, audio: AudioBuffer) {
        let place = self.waiting.partition_point(|(there, _)| *there < at);
        match self.waiting.get_mut(place).filter(|(there, _)| *there == at) {
            Some((_, there)) if there.frames() < audio.frames() => *there = audio,
            Some(_) => {}
            None => self.waiting.insert(place, (at, audio)),
        }
    }

    fn put(&self, audio: AudioBuffer, at: i64, out: &mut Out) {
        let pts = Pts::frames(at, audio.sample_rate_hz());
        out.emit(PortId::FIRST, Packet::new(audio, pts).tagged(self.tag.0, self.tag.1));
    }

    fn event(&self, event: &str, at: i64, frames: i64, count: u64, format: AudioFormat, out: &mut Out) {
        if out.wants(PortId::EVENTS) {
            let rate = format.sample_rate_hz();
            let pts = Pts::frames(at, rate);
            let data = RuntimeData::json(
                json!({"event": event, "sample": at, "frames": frames, "time_s": pts.seconds(), "count": count}),
            );
            out.emit(PortId::EVENTS, Packet::new(data, pts).tagged(self.tag.0, self.tag.1));
        }
    }

    /// Gives everything before a frame.
    fn give(&mut self, until: i64, out: &mut Out) -> Result<()> {
        let (Some(mut next), Some(format)) = (self.next, self.format) else { return Ok(()) };
        while next < until {
            let Some(&(at, _)) = self.waiting.front() else { break };
            if at > next {
                // It has not come in time.
                let frames = at.min(until) - next;
                let mut left = frames;
                while left > 0 {
                    let count = left.min(65_536);
                    let mut silence = out.audio(format, count as usize)?;
                    silence.samples_mut()?.fill(0.0);
                    self.put(silence, next + frames - left, out);
                    left -= count;
                }
                self.underruns += 1;
                self.event("underrun", next, frames, self.underruns, format, out);
                next += frames;
                continue;
            }
            let Some((_, audio)) = self.waiting.pop_front() else { break };
            let end = at + audio.frames() as i64;
            if end <= next {
                continue; // All of it has come before.
            }
            let stop = end.min(until);
            if stop < end {
                self.keep(stop, audio.slice((stop - at) as usize..(end - at) as usize));
            }
            self.put(audio.slice((next - at) as usize..(stop - at) as usize), next, out);
            next = stop;
        }
        self.given |= self.next != Some(next);
        self.next = Some(next);
        Ok(())
    }
}

impl Processor for Buffer {
    fn open(&mut self, inputs: &[Format], _: Opening) -> Result<Opened> {
        let format = inputs.first().unwrap_or(&Format::Unknown).audio()?;
        self.format = Some(format);
        let rate = format.sample_rate_hz();
        let delay = i64::try_from(segments::samples(self.params.delay_ms, rate)).unwrap_or(0);
        let delay = Pts::frames(delay, rate);
        Ok(Opened::new(vec![format.into(), Format::Json], Latency { delay, block: Pts::ZERO }))
    }

    fn process(&mut self, _: PortId, packet: Packet, out: &mut Out) -> Result<()> {
        let RuntimeData::Audio(audio) = &packet.data else { return Ok(()) };
        let format = audio.format();
        let rate = format.sample_rate_hz();
        let (mut at, end) = (packet.pts.to_frames(rate), packet.pts.to_frames(rate) + audio.frames() as i64);
        self.tag = (packet.item, packet.generation);
        // The stream begins with its first packet, or with one that it has overtaken: until something was given.
        let delay = i64::try_from(segments::samples(self.params.delay_ms, rate)).unwrap_or(0);
        let most = i64::try_from(segments::samples(self.params.max_gap_ms, rate)).unwrap_or(i64::MAX);
        match &mut self.next {
            None => (self.next, self.newest) = (Some(at), at),
            // One that is further back than the time may jump is late, and does not move the beginning.
            Some(next) if !self.given && next.saturating_sub(at) <= most => *next = at.min(*next),
            Some(_) => {}
        }
        let next = self.next.unwrap_or(at);
        if at - self.newest > most {
            let gap = Pts::frames(at - self.newest, rate).seconds();
            let text = format!("the time jumps by {gap:.3} s, expected at most {} ms", self.params.max_gap_ms);
            return Err(Error::new(ErrorKind::InputValue, text).hint("reset() begins another stream"));
        }
        if at < next {
            let late = end.min(next) - at;
            self.late += 1;
            self.event("late", at, late, self.late, format, out);
            at = next;
        }
        if at < end {
            let from = audio.frames() - (end - at) as usize;
            self.keep(at, audio.slice(from..audio.frames()));
        }
        self.newest = self.newest.max(end);
        self.give(self.newest - delay, out)
    }

    fn end(&mut self, _: PortId, out: &mut Out) -> Result<()> {
        self.give(self.newest, out)
    }

    fn held_frames(&self) -> u64 {
        self.next.map_or(0, |next| u64::try_from(self.newest - next).unwrap_or(0))
    }

    fn reset(&mut self) {
        self.waiting.clear();
        (self.next, self.given, self.newest, self.underruns, self.late, self.tag) = (None, false, 0, 0, 0, (0, 0));
    }
}
