//! `Chunk`: the same audio in pieces of one length.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::node::prelude::*;

/// Parameters of `Chunk`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Params {
    /// Frames in a piece. This or `ms`.
    #[schemars(range(min = 1, max = 1048576))]
    frames: Option<u32>,
    /// Length of a piece in milliseconds; must be whole frames at the rate of the stream. This or `frames`.
    #[schemars(range(min = 1, max = 60000))]
    ms: Option<u32>,
    /// The rest at the end of the stream. `short`: as long as it is. `pad`: filled up with silence.
    last: Last,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Last {
    #[default]
    Short,
    Pad,
}

#[derive(Debug)]
pub(super) struct Chunk;

impl TypedNode for Chunk {
    type Params = Params;

    fn info(&self) -> NodeInfo {
        NodeInfo {
            name: "Chunk",
            aliases: &["ChunkNode", "AudioChunk", "AudioChunker", "Rechunk"],
            category: "audio",
            description: "Gives the same audio in pieces of exactly one length, for models and codecs that want a fixed frame.",
            inputs: vec![PortInfo::input(Kind::Audio)],
            outputs: vec![PortInfo::out(Kind::Audio)],
            params: serde_json::Value::Null,
            cost_ns_per_frame: 0.5,
            memory: Memory::Copies,
        }
    }

    fn negotiate(&self, params: &Params, inputs: &[Format]) -> Result<Vec<Format>> {
        if let Some(rate) = inputs.first().and_then(Format::sample_rate_hz) {
            params.length(rate)?;
        }
        Ok(vec![inputs.first().cloned().unwrap_or(Format::AUDIO)])
    }

    fn build(&self, params: Params) -> Result<Box<dyn Processor>> {
        if params.frames.is_some() == params.ms.is_some() {
            let text = "expected exactly one of `frames` and `ms`";
            return Err(Error::new(ErrorKind::InputValue, text));
        }
        Ok(Box::new(Chunker { params, length: 1, format: None, waiting: None, filled: 0, next: 0 }))
    }
}

impl Params {
    fn length(&self, rate: u32) -> Result<usize> {
        let Some(ms) = self.ms else { return Ok(self.frames.unwrap_or(1) as usize) };
        let frames = u64::from(ms) * u64::from(rate);
        if !frames.is_multiple_of(1000) {
            let text = format!("{ms} ms are {} frames at {rate} Hz, expected whole frames", frames as f64 / 1000.0);
            return Err(Error::new(ErrorKind::Format, text).hint("set `frames` instead, or resample first"));
        }
        Ok((frames / 1000) as usize)
    }
}

struct Chunker {
    params: Params,
    length: usize,
    format: Option<AudioFormat>,
    /// A piece that is not whole yet, and how many of its frames are written.
    waiting: Option<AudioBuffer>,
    filled: usize,
    /// The frame after the last one that came.
    next: i64,
}

impl Processor for Chunker {
    fn open(&mut self, inputs: &[Format], _: Opening) -> Result<Opened> {
        let format = inputs.first().unwrap_or(&Format::Unknown).audio()?;
        let rate = format.sample_rate_hz();
        self.length = self.params.length(rate)?;
        self.format = Some(format);
        let latency = Latency { delay: Pts::ZERO, block: Pts::frames(self.length as i64, rate) };
        Ok(Opened::new(vec![format.into()], latency))
    }

    fn process(&mut self, _: PortId, packet: Packet, out: &mut Out) -> Result<()> {
        let RuntimeData::Audio(audio) = &packet.data else { return Ok(()) };
        let (format, frames) = (audio.format(), audio.frames());
        let (rate, channels) = (format.sample_rate_hz(), usize::from(format.channels()));
        let at = packet.pts.to_frames(rate);
        self.next = at + frames as i64;
        let mut start = 0;
        while start < frames {
            if self.waiting.is_none() && frames - start >= self.length {
                // A whole piece: the same memory.
                let piece = audio.slice(start..start + self.length);
                out.emit(PortId::FIRST, packet.with(piece, Pts::frames(at + start as i64, rate)));
                start += self.length;
                continue;
            }
            let mut piece = match self.waiting.take() {
                Some(piece) => piece,
                None => out.audio(format, self.length)?,
            };
            let count = (self.length - self.filled).min(frames - start);
            let target = &mut piece.samples_mut()?[self.filled * channels..][..count * channels];
            target.copy_from_slice(&audio.samples()[start * channels..][..count * channels]);
            self.filled += count;
            start += count;
            if self.filled == self.length {
                let pts = Pts::frames(at + start as i64 - self.length as i64, rate);
                out.emit(PortId::FIRST, packet.with(piece, pts));
                self.filled = 0;
            } else {
                self.waiting = Some(piece);
            }
        }
        Ok(())
    }

    fn end(&mut self, _: PortId, out: &mut Out) -> Result<()> {
        let (Some(mut piece), Some(format)) = (self.waiting.take(), self.format) else { return Ok(()) };
        let pts = Pts::frames(self.next - self.filled as i64, format.sample_rate_hz());
        let channels = usize::from(format.channels());
        match self.params.last {
            Last::Short => piece = piece.slice(0..self.filled),
            Last::Pad => piece.samples_mut()?[self.filled * channels..].fill(0.0),
        }
        self.filled = 0;
        out.emit(PortId::FIRST, Packet::new(piece, pts));
        Ok(())
    }

    fn held_frames(&self) -> u64 {
        self.filled as u64
    }

    fn reset(&mut self) {
        (self.waiting, self.filled, self.next) = (None, 0, 0);
    }
}
