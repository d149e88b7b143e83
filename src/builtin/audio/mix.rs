//! `Mix`: several streams as one.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::data::Control;
use crate::node::prelude::*;
use crate::node::{Join, Missing};

/// Parameters of `Mix`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Params {
    /// What happens when an input does not keep up. `wait`: its audio is waited for, and an error when it is too far
    /// behind. `silence`: it is silence then, and what comes of it later is left out and counted in `events`.
    missing: Missing,
    /// How far inputs may lie apart, in milliseconds. By default 10000 where they are waited for, and 200 where they are
    /// silence then.
    #[schemars(range(min = 1, max = 60000))]
    max_skew_ms: Option<u32>,
}

#[derive(Debug)]
pub(super) struct Mix;

/// What the known ones of the inputs have in common.
fn common(inputs: &[Format]) -> Result<Format> {
    let (mut rate, mut channels) = (None, None);
    for (index, format) in inputs.iter().enumerate() {
        for (name, is, known) in [
            ("sample_rate_hz", format.sample_rate_hz(), &mut rate),
            ("channels", format.channels().map(u32::from), &mut channels),
        ] {
            let Some(is) = is else { continue };
            let expected = *known.get_or_insert(is);
            if is != expected {
                let fix = if name == "channels" { "AudioChannels" } else { "AudioResample" };
                return Err(Error::new(
                    ErrorKind::Format,
                    format!("{name} of `in_{}` is {is}, expected {expected} as of the other inputs", index + 1),
                )
                .code_of("RM0201")
                .hint(format!("put an {fix} before it")));
            }
        }
    }
    Ok(Format::Audio { sample_rate_hz: rate, channels: channels.and_then(|channels| u16::try_from(channels).ok()) })
}

impl TypedNode for Mix {
    type Params = Params;

    fn info(&self) -> NodeInfo {
        NodeInfo {
            name: "Mix",
            aliases: &["MixNode", "AudioMixer", "Mixer", "MixerNode", "AudioMix"],
            category: "audio",
            description: "Adds up to eight streams of one format, frame by frame of the same time. Nothing is scaled or clipped: put a Gain before or after it. The mix ends with its last input.",
            inputs: NodeInfo::numbered(Kind::Audio),
            outputs: vec![PortInfo::out(Kind::Audio), PortInfo::events().on_request()],
            params: serde_json::Value::Null,
            cost_ns_per_frame: 1.0,
            memory: Memory::Makes,
        }
    }

    fn negotiate(&self, _: &Params, inputs: &[Format]) -> Result<Vec<Format>> {
        Ok(vec![common(inputs)?, Format::Json])
    }

    fn build(&self, params: Params) -> Result<Box<dyn Processor>> {
        Ok(Box::new(Mixer { join: Join::new(params.missing, params.max_skew_ms), format: None, tag: (0, 0) }))
    }
}

struct Mixer {
    join: Join,
    format: Option<AudioFormat>,
    /// Item and generation of the last packet.
    tag: (u32, u32),
}

impl Mixer {
    fn check(&mut self, port: PortId, is: AudioFormat) -> Result<()> {
        let format = *self.format.get_or_insert(is);
        if is.channels() == format.channels() {
            return Ok(());
        }
        let text = format!("channels of `in_{}` is {}, expected {}", port.0 + 1, is.channels(), format.channels());
        Err(Error::new(ErrorKind::Format, text).code_of("RM0201").hint("put an AudioChannels before it"))
    }

    fn put(&mut self, quiet: bool, out: &mut Out) -> Result<()> {
        let (Some(format), (item, generation)) = (self.format, self.tag) else { return Ok(()) };
        while let Some((at, frames)) = self.join.ready(quiet)? {
            let frames = frames.min(65_536);
            let mut mix = out.audio(format, frames)?;
            let target = mix.samples_mut()?;
            target.fill(0.0);
            let channels = usize::from(format.channels());
            self.join.take(frames, |_, from, audio| {
                let target = &mut target[from * channels..];
                target.iter_mut().zip(audio.samples()).for_each(|(sum, sample)| *sum += sample);
            });
            let pts = Pts::frames(at, format.sample_rate_hz());
            out.emit(PortId::FIRST, Packet::new(mix, pts).tagged(item, generation));
        }
        Ok(())
    }
}

impl Processor for Mixer {
    fn open(&mut self, inputs: &[Format], _: Opening) -> Result<Opened> {
        self.join.open(inputs);
        self.format = None;
        Ok(Opened::new(vec![common(inputs)?, Format::Json], Latency::ZERO))
    }

    fn process(&mut self, port: PortId, packet: Packet, out: &mut Out) -> Result<()> {
        self.tag = (packet.item, packet.generation);
        let audio = match packet.data {
            RuntimeData::Audio(audio) => audio,
            RuntimeData::Control(Control::Gap { until, format }) => {
                self.check(port, format)?;
                self.join.gap(port, format, packet.pts, until)?;
                return self.put(false, out);
            }
            _ => return Ok(()),
        };
        let is = audio.format();
        self.check(port, is)?;
        let late = self.join.push(port, audio, packet.pts)?;
        if late > 0 && out.wants(PortId::EVENTS) {
            let value = json!({"event": "late", "input": format!("in_{}", port.0 + 1), "sample": packet.pts.to_frames(is.sample_rate_hz()), "frames": late});
            let data = RuntimeData::json(value);
            out.emit(PortId::EVENTS, Packet::new(data, packet.pts).tagged(self.tag.0, self.tag.1));
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
        self.format = None;
    }
}
