//! `AudioChannels`: another number of channels.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::node::prelude::*;

/// Parameters of `AudioChannels`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Channels of the output: 1 is mono, 2 stereo.
    #[schemars(range(min = 1, max = 64))]
    channels: u16,
}

#[derive(Debug)]
pub(super) struct AudioChannels;

impl TypedNode for AudioChannels {
    type Params = Params;

    fn info(&self) -> NodeInfo {
        NodeInfo {
            name: "AudioChannels",
            aliases: &["AudioChannelsNode", "ChannelConvert", "AudioConvert"],
            category: "audio",
            description: "Changes the number of channels. To mono: the mean. From mono: copies. 5.1 to stereo: ITU-R BS.775. More channels than before: the new ones are silent.",
            inputs: vec![PortInfo::input(Kind::Audio)],
            outputs: vec![PortInfo::out(Kind::Audio)],
            params: serde_json::Value::Null,
            cost_ns_per_frame: 2.0,
            memory: Memory::Makes,
        }
    }

    fn negotiate(&self, params: &Params, inputs: &[Format]) -> Result<Vec<Format>> {
        let input = inputs.first().unwrap_or(&Format::AUDIO);
        if let Some(from) = input.channels() {
            Way::new(from, params.channels)?;
        }
        Ok(vec![Format::Audio { sample_rate_hz: input.sample_rate_hz(), channels: Some(params.channels) }])
    }

    fn build(&self, params: Params) -> Result<Box<dyn Processor>> {
        Ok(Box::new(Mixer { channels: params.channels, way: Way::Same }))
    }
}

/// How the channels are mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Same,
    Mean,
    Copy,
    Fill,
    SurroundToStereo,
}

impl Way {
    fn new(from: u16, to: u16) -> Result<Self> {
        match (from, to) {
            (from, to) if from == to => Ok(Self::Same),
            (_, 1) => Ok(Self::Mean),
            (1, _) => Ok(Self::Copy),
            (6, 2) => Ok(Self::SurroundToStereo),
            (from, to) if to > from => Ok(Self::Fill),
            (from, to) => Err(Error::new(
                ErrorKind::Format,
                format!("{from} channels cannot be mixed to {to}, expected 6 to 2, any to 1, or more than before"),
            )
            .code_of("RM0201")
            .hint("mix to mono, or pick channels before the pipeline")),
        }
    }
}

#[derive(Debug)]
struct Mixer {
    channels: u16,
    way: Way,
}

impl Processor for Mixer {
    fn open(&mut self, inputs: &[Format], _: Opening) -> Result<Opened> {
        let input = inputs.first().unwrap_or(&Format::Unknown).audio()?;
        self.way = Way::new(input.channels(), self.channels)?;
        Ok(Opened::new(vec![input.with_channels(self.channels)?.into()], Latency::ZERO))
    }

    fn process(&mut self, _: PortId, packet: Packet, out: &mut Out) -> Result<()> {
        let RuntimeData::Audio(audio) = &packet.data else { return Ok(()) };
        if self.way == Way::Same {
            out.emit(PortId::FIRST, packet);
            return Ok(());
        }
        let (from, to) = (usize::from(audio.channels()), usize::from(self.channels));
        let mut mixed = out.audio(audio.format().with_channels(self.channels)?, audio.frames())?;
        let frames = audio.samples().chunks_exact(from).zip(mixed.samples_mut()?.chunks_exact_mut(to));
        match self.way {
            Way::Same => {}
            Way::Mean if from == 2 => frames.for_each(|(frame, target)| target[0] = 0.5 * (frame[0] + frame[1])),
            Way::Mean => {
                let share = 1.0 / from as f32;
                frames.for_each(|(frame, target)| target[0] = frame.iter().sum::<f32>() * share);
            }
            Way::Copy => frames.for_each(|(frame, target)| target.fill(frame[0])),
            Way::Fill => frames.for_each(|(frame, target)| {
                target[..from].copy_from_slice(frame);
                target[from..].fill(0.0);
            }),
            // L, R, C, LFE, Ls, Rs; the effects channel is left out, as the recommendation allows.
            Way::SurroundToStereo => frames.for_each(|(frame, target)| {
                const SHARE: f32 = std::f32::consts::FRAC_1_SQRT_2;
                target[0] = frame[0] + SHARE * (frame[2] + frame[4]);
                target[1] = frame[1] + SHARE * (frame[2] + frame[5]);
            }),
        }
        out.emit(PortId::FIRST, packet.with(mixed, packet.pts));
        Ok(())
    }

    fn reset(&mut self) {}
}
