//! `Merge`: the channels of several streams side by side.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::data::Control;
use crate::node::prelude::*;
use crate::node::{Join, Missing};

/// Parameters of `Merge`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Params {
    /// What happens when an input does not keep up. `wait`: its audio is waited for, and an error when it is too far
    /// behind. `silence`: it is silence then, and what comes of it later is left out.
    missing: Missing,
    /// How far inputs may lie apart, in milliseconds. By default 10000 where they are waited for, and 200 where they are
    /// silence then.
    #[schemars(range(min = 1, max = 60000))]
    max_skew_ms: Option<u32>,
}

#[derive(Debug)]
pub(super) struct Merge;

const MOST_CHANNELS: u16 = 64;

/// The format of the whole, as far as it is known.
fn merged(inputs: &[Format]) -> Result<Format> {
    let connected: Vec<&Format> = inputs.iter().filter(|format| **format != Format::Unknown).collect();
    let mut rate = None;
    for (index, is) in
        connected.iter().enumerate().filter_map(|(index, format)| Some((index, format.sample_rate_hz()?)))
    {
        let expected = *rate.get_or_insert(is);
        if is != expected {
            let text = format!("sample_rate_hz of input {} is {is}, expected {expected} as of the others", index + 1);
            let error = Error::new(ErrorKind::Format, text).code_of("RM0201");
            return Err(error.hint("put an AudioResample before it"));
        }
    }
    let channels: Option<u32> = connected.iter().map(|format| format.channels().map(u32::from)).sum();
    let channels = channels.filter(|_| !connected.is_empty()).map(checked).transpose()?;
    Ok(Format::Audio { sample_rate_hz: rate, channels })
}

fn checked(channels: u32) -> Result<u16> {
    u16::try_from(channels).ok().filter(|channels| *channels <= MOST_CHANNELS).ok_or_else(|| {
        let text = format!("the inputs have {channels} channels in all, expected at most {MOST_CHANNELS}");
        Error::new(ErrorKind::Format, text).code_of("RM0201")
    })
}

impl TypedNode for Merge {
    type Params = Params;

    fn info(&self) -> NodeInfo {
        NodeInfo {
            name: "Merge",
            aliases: &["MergeNode", "ChannelMerge", "Interleave"],
            category: "audio",
            description: "Puts the channels of up to eight streams side by side, in the order of the inputs. Two mono streams become one of two channels. One that ends before the others is silence from there.",
            inputs: NodeInfo::numbered(Kind::Audio),
            outputs: vec![PortInfo::out(Kind::Audio)],
            params: serde_json::Value::Null,
            cost_ns_per_frame: 2.0,
            memory: Memory::Copies,
        }
    }

    fn negotiate(&self, _: &Params, inputs: &[Format]) -> Result<Vec<Format>> {
        Ok(vec![merged(inputs)?])
    }

    fn build(&self, params: Params) -> Result<Box<dyn Processor>> {
        let join = Join::new(params.missing, params.max_skew_ms);
        Ok(Box::new(Merger { join, channels: Vec::new(), tag: (0, 0) }))
    }
}

struct Merger {
    join: Join,
    /// Of each connected input, from the first output on.
    channels: Vec<usize>,
    /// Item and generation of the last packet.
    tag: (u32, u32),
}

impl Merger {
    fn put(&mut self, quiet: bool, out: &mut Out) -> Result<()> {
        let (item, generation) = self.tag;
        while let (Some((at, frames)), Some(rate)) = (self.join.ready(quiet)?, self.join.sample_rate_hz()) {
            if self.channels.is_empty() {
                self.channels = self.join.channels().ok_or_else(|| {
                    Error::new(ErrorKind::Format, "an input has given no audio: its channels are not known")
                        .hint("declare the manifest's `input`, feed every input, or connect fewer")
                })?;
            }
            let channels = &self.channels;
            let total = channels.iter().sum::<usize>();
            let format = AudioFormat::new(rate, checked(u32::try_from(total).unwrap_or(u32::MAX))?)?;
            let frames = frames.min(65_536);
            let mut whole = out.audio(format, frames)?;
            let target = whole.samples_mut()?;
            target.fill(0.0);
            self.join.take(frames, |input, from, audio| {
                let (before, count) = (channels[..input].iter().sum::<usize>(), channels[input]);
                let rows = target[from * total..].chunks_exact_mut(total);
                for (row, frame) in rows.zip(audio.samples().chunks_exact(count)) {
                    row[before..before + count].copy_from_slice(frame);
                }
            });
            out.emit(PortId::FIRST, Packet::new(whole, Pts::frames(at, rate)).tagged(item, generation));
        }
        Ok(())
    }
}

impl Processor for Merger {
    fn open(&mut self, inputs: &[Format], _: Opening) -> Result<Opened> {
        self.join.open(inputs);
        Ok(Opened::new(vec![merged(inputs)?], Latency::ZERO))
    }

    fn process(&mut self, port: PortId, packet: Packet, out: &mut Out) -> Result<()> {
        self.tag = (packet.item, packet.generation);
        match packet.data {
            RuntimeData::Audio(audio) => {
                self.join.push(port, audio, packet.pts)?;
            }
            RuntimeData::Control(Control::Gap { until, format }) => self.join.gap(port, format, packet.pts, until)?,
            _ => return Ok(()),
        }
        self.put(false, out)
    }

    fn quiet(&mut self, out: &mut Out) -> Result<()> {
        self.put(true, out)
    }

    fn end(&mut self, port: PortId, out: &mut Out) -> Result<()> {
        self.join.end(port);
        self.put(false, out)
    }

    fn held_frames(&self) -> u64 {
        self.join.held_frames()
    }

    fn reset(&mut self) {
        self.join.reset();
        self.channels.clear();
    }
}
