//! `AudioResample`: another sample rate.

use std::collections::VecDeque;

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
        Ok(Box::new(Converter {
            params,
            rates: (1, 1),
            resampler: None,
            format: None,
            frames: 0,
            delay: 0,
            tag: None,
            even: None,
        }))
    }
}

struct Converter {
    params: Params,
    /// `None` when the rate is right already.
    resampler: Option<Resampler>,
    format: Option<AudioFormat>,
    /// Frames put out so far.
    frames: i64,
    /// Of the input and the output, in Hz.
    rates: (u32, u32),
    /// What the first frame's time lies before the origin, in frames.
    delay: i64,
    /// Item and generation of the last packet in.
    tag: Option<(u32, u32)>,
    /// With a delay that is kept: as many frames come out as go in, whatever the block.
    even: Option<Even>,
}

/// Evens out the blocks of the resampler: what it gives at a time waits here and goes out as the input comes in. A block
/// of silence goes before, so that there is always enough.
struct Even {
    waiting: VecDeque<f32>,
    /// Frames of silence at the start.
    ahead: usize,
    frames_in: u64,
    frames_out: u64,
}

impl Even {
    fn new(ahead: usize, channels: usize) -> Self {
        let waiting = std::iter::repeat_n(0.0, ahead * channels).collect();
        Self { waiting, ahead, frames_in: 0, frames_out: 0 }
    }

    /// Takes what the resampler gave for `frames` frames of input, and says how many may go out now.
    fn take(&mut self, made: &[f32], frames: usize, (from_hz, to_hz): (u32, u32)) -> usize {
        self.waiting.extend(made);
        self.frames_in += frames as u64;
        let due = u128::from(self.frames_in) * u128::from(to_hz) / u128::from(from_hz);
        let now = u64::try_from(due).unwrap_or(u64::MAX) - self.frames_out;
        self.frames_out += now;
        usize::try_from(now).unwrap_or(usize::MAX)
    }

    fn give(&mut self, target: &mut [f32]) {
        let count = target.len().min(self.waiting.len());
        for (target, sample) in target.iter_mut().zip(self.waiting.drain(..count)) {
            *target = sample;
        }
    }
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
            self.delay = 0;
            self.rates = (input.sample_rate_hz(), self.params.target_rate);
            if !trim {
                let even = Even::new(resampler.push_bound(resampler.block_frames()), channels);
                self.delay = delay + i64::try_from(even.ahead).unwrap_or(0);
                self.even = Some(even);
            }
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
        if let Some(even) = &mut self.even {
            let due = even.take(&samples, audio.frames(), self.rates);
            samples = out.samples(due * usize::from(format.channels()));
            even.give(samples.make_mut());
        }
        if !samples.is_empty() {
            self.put(AudioBuffer::new(samples, format)?, out);
        }
        Ok(())
    }

    fn end(&mut self, _: PortId, out: &mut Out) -> Result<()> {
        let (Some(resampler), Some(format)) = (&mut self.resampler, self.format) else { return Ok(()) };
        let channels = usize::from(format.channels());
        let waiting = self.even.as_ref().map_or(0, |even| even.waiting.len());
        let mut tail = out.audio(format, resampler.held_frames() + waiting / channels)?;
        let (first, rest) = tail.samples_mut().split_at_mut(waiting);
        if let Some(even) = &mut self.even {
            even.give(first);
        }
        resampler.flush(rest).map_err(fault)?;
        // A stream without a frame still says what it is.
        if tail.frames() > 0 || self.frames == 0 {
            self.put(tail, out);
        }
        Ok(())
    }

    fn held_frames(&self) -> u64 {
        let channels = self.format.map_or(1, |format| usize::from(format.channels()));
        let waiting = self.even.as_ref().map_or(0, |even| even.waiting.len() / channels);
        let frames = (self.resampler.as_ref().map_or(0, Resampler::held_frames) + waiting) as u64;
        if self.tag.is_some() { frames } else { 0 }
    }

    fn reset(&mut self) {
        if let Some(resampler) = &mut self.resampler {
            resampler.reset();
        }
        if let (Some(even), Some(format)) = (&mut self.even, self.format) {
            *even = Even::new(even.ahead, format.channels().into());
        }
        self.frames = 0;
        self.tag = None;
    }
}
