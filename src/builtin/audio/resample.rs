//! `AudioResample`: another sample rate.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::dsp::resample::{Quality, Resampler};
use crate::node::prelude::*;

/// Parameters of `AudioResample`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Sample rate of the output in Hz.
    #[serde(alias = "target_sample_rate")]
    #[schemars(range(min = 1, max = 1536000))]
    target_rate: u32,
    /// Sample rate that the input must have, in Hz. Any, if it is left out.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1536000))]
    source_rate: Option<u32>,
    /// `high`: noise, images and aliases below -130 dB. `very_high`: below -150 dB, computed in f64.
    #[serde(default)]
    quality: Setting,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Setting {
    /// As good as soxr HQ.
    #[default]
    High,
    /// As good as soxr VHQ.
    VeryHigh,
}

#[derive(Debug)]
pub(super) struct AudioResample;

impl Params {
    fn check_rate(&self, rate: u32) -> Result<()> {
        match self.source_rate {
            Some(expected) if expected != rate => Err(Error::new(
                ErrorKind::Format,
                format!("sample_rate_hz is {rate}, expected {expected} as `source_rate` says"),
            )
            .code_of("RM0201")
            .hint("leave `source_rate` out to take any rate")),
            _ => Ok(()),
        }
    }
}

impl TypedNode for AudioResample {
    type Params = Params;

    fn info(&self) -> NodeInfo {
        NodeInfo {
            name: "AudioResample",
            aliases: &["AudioResampleNode", "FastResampleNode", "RustResampleNode", "ResampleNode"],
            category: "audio",
            description: "Changes the sample rate. The output is aligned in time with the input and has exactly ceil(frames * target / source) frames. Samples that are not finite count as silence.",
            inputs: vec![PortInfo::input(Kind::Audio)],
            outputs: vec![PortInfo::out(Kind::Audio)],
            params: serde_json::Value::Null,
            cost_ns_per_frame: 6.0,
            memory: Memory::Makes,
        }
    }

    fn negotiate(&self, params: &Params, inputs: &[Format]) -> Result<Vec<Format>> {
        let input = inputs.first().unwrap_or(&Format::AUDIO);
        if let Some(rate) = input.sample_rate_hz() {
            params.check_rate(rate)?;
        }
        Ok(vec![Format::Audio { sample_rate_hz: Some(params.target_rate), channels: input.channels() }])
    }

    fn build(&self, params: Params) -> Result<Box<dyn Processor>> {
        Ok(Box::new(Converter { params, resampler: None, format: None, frames: 0, delay: 0, tag: None }))
    }
}

struct Converter {
    params: Params,
    /// `None` when the rate is right already.
    resampler: Option<Resampler>,
    format: Option<AudioFormat>,
    /// Frames put out so far.
    frames: i64,
    /// What the first frame's time lies before the origin, in frames.
    delay: i64,
    /// Item and generation of the last packet in.
    tag: Option<(u32, u32)>,
}

fn fault(error: String) -> Error {
    Error::new(ErrorKind::Node, format!("resampling failed: {error}"))
}

impl Converter {
    fn put(&mut self, audio: AudioBuffer, out: &mut Out) {
        let pts = Pts::frames(self.frames - self.delay, self.params.target_rate);
        self.frames += audio.frames() as i64;
        let (item, generation) = self.tag.unwrap_or_default();
        out.emit(PortId::FIRST, Packet { data: audio.into(), pts, item, generation });
    }
}

impl Processor for Converter {
    fn open(&mut self, inputs: &[Format], align: Align) -> Result<Opened> {
        let input = inputs.first().unwrap_or(&Format::Unknown).audio()?;
        self.params.check_rate(input.sample_rate_hz())?;
        let format = AudioFormat::new(self.params.target_rate, input.channels())?;
        self.format = Some(format);
        let mut latency = Latency::ZERO;
        if input.sample_rate_hz() != self.params.target_rate {
            let quality = match self.params.quality {
                Setting::High => Quality::High,
                Setting::VeryHigh => Quality::VeryHigh,
            };
            let trim = align == Align::Trim;
            let channels = usize::from(input.channels());
            let resampler = Resampler::new(input.sample_rate_hz(), self.params.target_rate, channels, quality, trim)
                .map_err(|error| Error::new(ErrorKind::Format, error))?;
            let delay = i64::try_from(resampler.delay_frames()).unwrap_or(i64::MAX);
            latency = Latency {
                delay: Pts::frames(delay, self.params.target_rate),
                block: Pts::frames(resampler.block_frames() as i64, input.sample_rate_hz()),
            };
            self.delay = if trim { 0 } else { delay };
            self.resampler = Some(resampler);
        }
        Ok(Opened::new(vec![format.into()], latency))
    }

    fn process(&mut self, _: PortId, packet: Packet, out: &mut Out) -> Result<()> {
        let RuntimeData::Audio(audio) = &packet.data else { return Ok(()) };
        let (Some(resampler), Some(format)) = (&mut self.resampler, self.format) else {
            out.emit(PortId::FIRST, packet);
            return Ok(());
        };
        let bound = resampler.push_bound(audio.frames());
        let mut samples = out.samples(bound * usize::from(format.channels()));
        let frames = resampler.push(audio.samples(), samples.make_mut()).map_err(fault)?;
        samples.truncate(frames * usize::from(format.channels()));
        self.tag = Some((packet.item, packet.generation));
        if frames > 0 {
            self.put(AudioBuffer::new(samples, format)?, out);
        }
        Ok(())
    }

    fn end(&mut self, _: PortId, out: &mut Out) -> Result<()> {
        let (Some(resampler), Some(format)) = (&mut self.resampler, self.format) else { return Ok(()) };
        let mut tail = out.audio(format, resampler.held_frames())?;
        resampler.flush(tail.samples_mut()).map_err(fault)?;
        // A stream without a frame still says what it is.
        if tail.frames() > 0 || self.frames == 0 {
            self.put(tail, out);
        }
        Ok(())
    }

    fn held_frames(&self) -> u64 {
        let frames = self.resampler.as_ref().map_or(0, Resampler::held_frames) as u64;
        if self.tag.is_some() { frames } else { 0 }
    }

    fn reset(&mut self) {
        if let Some(resampler) = &mut self.resampler {
            resampler.reset();
        }
        self.frames = 0;
        self.tag = None;
    }
}
