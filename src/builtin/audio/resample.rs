//! `AudioResample`: another sample rate.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conversion::{self, fault};
use super::even::Even;
use crate::dsp::resample::{Conversion, Quality, Resampler};
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
    /// `high`: noise, images and aliases below -130 dB. `very_high`: below -150 dB, computed in f64. `low_latency`: a
    /// short filter that holds back 1.3 ms from 48 to 16 kHz.
    #[serde(default)]
    quality: Setting,
    /// Moves the ratio by so many parts in a million, to reconcile two clocks: more than 0 gives more frames. Can be
    /// set while running if it was given at the start, be it 0. Costs ten times as much as a fixed ratio.
    #[serde(default)]
    #[schemars(range(min = -50000, max = 50000))]
    ratio_ppm: Option<f64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Setting {
    /// As GStreamer by default, or better: aliases below -92 dB from 1.125 of the lower Nyquist frequency on.
    LowLatency,
    /// As good as soxr HQ.
    #[default]
    High,
    /// As good as soxr VHQ.
    VeryHigh,
}

const MOST_PPM: f64 = 50_000.0;

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
            cost_ns_per_frame: 3.0,
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
        Ok(Box::new(Converter { params, resampler: None, format: None, frames: 0, even: None, tag: None }))
    }
}

struct Converter {
    params: Params,
    /// `None` when the rate is right already.
    resampler: Option<Resampler>,
    format: Option<AudioFormat>,
    /// Frames put out so far, without those before time 0.
    frames: i64,
    /// Item and generation of the last packet in.
    tag: Option<(u32, u32)>,
    /// With a delay that is kept: as many frames come out as go in.
    even: Option<Even>,
}

impl Converter {
    fn put(&mut self, audio: AudioBuffer, out: &mut Out) {
        let ahead = self.even.as_ref().map_or(0, Even::ahead);
        let pts = Pts::frames(self.frames - ahead as i64, self.params.target_rate);
        self.frames += audio.frames() as i64;
        let (item, generation) = self.tag.unwrap_or_default();
        out.emit(PortId::FIRST, Packet::new(audio, pts).tagged(item, generation));
    }
}

impl Processor for Converter {
    fn open(&mut self, inputs: &[Format], opening: Opening) -> Result<Opened> {
        let input = inputs.first().unwrap_or(&Format::Unknown).audio()?;
        self.params.check_rate(input.sample_rate_hz())?;
        let (from_hz, to_hz) = (input.sample_rate_hz(), self.params.target_rate);
        let format = AudioFormat::new(to_hz, input.channels())?;
        self.format = Some(format);
        if from_hz == to_hz && self.params.ratio_ppm.is_none() {
            return Ok(Opened::new(vec![format.into()], Latency::ZERO));
        }
        let resampler = conversion::open(Conversion {
            from_hz,
            to_hz,
            channels: input.channels().into(),
            quality: match self.params.quality {
                Setting::LowLatency => Quality::LowLatency,
                Setting::High => Quality::High,
                Setting::VeryHigh => Quality::VeryHigh,
            },
            live: opening.live,
            ratio_ppm: self.params.ratio_ppm,
        })?;
        if opening.align == Align::Keep {
            if self.params.ratio_ppm.is_some() {
                let text = "`ratio_ppm` is given, expected a fixed ratio: one frame out per frame in is not possible when the ratio moves";
                return Err(Error::new(ErrorKind::Unsupported, text).hint("open the session without `constant_frames`"));
            }
            self.even = Some(Even::new((from_hz, to_hz), input.channels().into()));
        }
        let latency = conversion::latency(&resampler, from_hz, to_hz);
        self.resampler = Some(resampler);
        Ok(Opened::new(vec![format.into()], latency))
    }

    fn process(&mut self, _: PortId, packet: Packet, out: &mut Out) -> Result<()> {
        let RuntimeData::Audio(audio) = &packet.data else { return Ok(()) };
        let (Some(resampler), Some(format)) = (&mut self.resampler, self.format) else {
            out.emit(PortId::FIRST, packet);
            return Ok(());
        };
        let channels = usize::from(format.channels());
        let bound = resampler.push_bound(audio.frames());
        let mut samples = out.samples(bound * channels)?;
        if let Some(even) = &mut self.even {
            even.begin(audio.frames(), resampler);
        }
        let frames = resampler.push(audio.samples(), samples.make_mut()?);
        samples.truncate(frames * channels);
        self.tag = Some((packet.item, packet.generation));
        if let Some(even) = &mut self.even {
            let due = even.take(&samples, audio.frames());
            samples = out.samples(due * channels)?;
            even.give(samples.make_mut()?);
        }
        if !samples.is_empty() {
            self.put(AudioBuffer::new(samples, format)?, out);
        }
        Ok(())
    }

    fn end(&mut self, _: PortId, out: &mut Out) -> Result<()> {
        let (Some(resampler), Some(format)) = (&mut self.resampler, self.format) else { return Ok(()) };
        let waiting = self.even.as_ref().map_or(0, Even::waiting_frames);
        let mut tail = out.audio(format, resampler.held_frames() + waiting)?;
        let (first, rest) = tail.samples_mut()?.split_at_mut(waiting * usize::from(format.channels()));
        if let Some(even) = &mut self.even {
            even.give(first);
        }
        resampler.flush(rest);
        // A stream without a frame still says what it is.
        if tail.frames() > 0 || self.frames == 0 {
            self.put(tail, out);
        }
        Ok(())
    }

    fn held_frames(&self) -> u64 {
        let waiting = self.even.as_ref().map_or(0, Even::waiting_frames);
        let frames = (self.resampler.as_ref().map_or(0, Resampler::held_frames) + waiting) as u64;
        if self.tag.is_some() { frames } else { 0 }
    }

    fn reset(&mut self) {
        if let Some(resampler) = &mut self.resampler {
            resampler.reset();
        }
        if let Some(even) = &mut self.even {
            even.reset();
        }
        self.frames = 0;
        self.tag = None;
    }

    fn set_param(&mut self, name: &str, value: &serde_json::Value) -> Result<()> {
        let fixed = self.params.ratio_ppm.is_none();
        if name != "ratio_ppm" || fixed {
            let hint = if name == "ratio_ppm" {
                "give `ratio_ppm` in the manifest, be it 0, to be able to move it"
            } else {
                "open another session with it"
            };
            let text = format!("the parameter `{name}` cannot be changed while running");
            return Err(Error::new(ErrorKind::Unsupported, text).hint(hint));
        }
        let ppm = value.as_f64().filter(|ppm| ppm.abs() <= MOST_PPM).ok_or_else(|| {
            let text = format!("`ratio_ppm` is {value}, expected a number from -{MOST_PPM} to {MOST_PPM}");
            Error::new(ErrorKind::InputValue, text)
        })?;
        self.params.ratio_ppm = Some(ppm);
        match &mut self.resampler {
            Some(resampler) => resampler.set_ratio_ppm(ppm).map_err(fault),
            None => Ok(()),
        }
    }
}
