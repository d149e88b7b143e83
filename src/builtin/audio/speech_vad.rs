//! `SpeechVAD`: where somebody speaks.

use super::segments;
use super::speech_params::SpeechParams as Params;
use crate::dsp::resample::{Conversion, Quality, Resampler};
use crate::dsp::segment::Segmenter;
use crate::node::prelude::*;

/// The detector works on 256 samples at 16 kHz.
const HOP: usize = 256;
const RATE_HZ: u32 = 16_000;

/// Its window of 768 samples and its context of three hops make it answer late; measured on the labelled recordings
/// of `examples/data`, two hops fit best.
const LAG_HOPS: u64 = 2;

#[derive(Debug)]
pub(super) struct SpeechVad;

impl TypedNode for SpeechVad {
    type Params = Params;

    fn info(&self) -> NodeInfo {
        NodeInfo {
            name: "SpeechVAD",
            aliases: &["SpeechVADNode", "SileroVADNode", "SileroVAD", "RustSileroVADNode"],
            category: "audio",
            description: "Finds speech with the earshot network, at any rate, channels and chunk size. Events say where segments start and end, in samples of the input; the audio goes through untouched.",
            inputs: vec![PortInfo::input(Kind::Audio)],
            outputs: vec![PortInfo::out(Kind::Audio), PortInfo::events(), segments::probability_port()],
            params: serde_json::Value::Null,
            cost_ns_per_frame: 30.0,
            memory: Memory::Passes,
        }
    }

    fn negotiate(&self, _: &Params, inputs: &[Format]) -> Result<Vec<Format>> {
        Ok(vec![inputs.first().cloned().unwrap_or(Format::AUDIO), Format::Json, Format::Json])
    }

    fn build(&self, params: Params) -> Result<Box<dyn Processor>> {
        params.check()?;
        let settings = params.settings(RATE_HZ);
        Ok(Box::new(Finder {
            params,
            rate: RATE_HZ,
            resampler: None,
            detector: earshot::Detector::default_boxed(),
            segmenter: Segmenter::new(settings),
            mono: Vec::new(),
            converted: Vec::new(),
            waiting: Vec::with_capacity(HOP),
            hops: 0,
            frames: 0,
            item: 0,
        }))
    }
}

struct Finder {
    params: Params,
    /// Rate of the input in Hz.
    rate: u32,
    resampler: Option<Resampler>,
    detector: Box<earshot::Detector>,
    segmenter: Segmenter,
    mono: Vec<f32>,
    converted: Vec<f32>,
    /// Samples at 16 kHz that wait for a whole hop.
    waiting: Vec<f32>,
    hops: u64,
    /// Frames of the input so far.
    frames: u64,
    item: u32,
}

impl Finder {
    /// A position at 16 kHz as a sample of the input, not beyond what came in.
    fn position(&self, hops: u64) -> u64 {
        let at = u128::from(hops.saturating_sub(LAG_HOPS) * HOP as u64) * u128::from(self.rate) / u128::from(RATE_HZ);
        u64::try_from(at).unwrap_or(u64::MAX).min(self.frames)
    }

    fn take(&mut self, mut samples: &[f32], out: &mut Out) {
        while !samples.is_empty() {
            let count = (HOP - self.waiting.len()).min(samples.len());
            self.waiting.extend(samples[..count].iter().map(|sample| sample.clamp(-1.0, 1.0)));
            samples = &samples[count..];
            if self.waiting.len() == HOP {
                self.hop(out);
            }
        }
    }

    fn hop(&mut self, out: &mut Out) {
        let probability = self.detector.predict_f32(&self.waiting);
        self.waiting.clear();
        self.hops += 1;
        let (from, to) = (self.position(self.hops - 1), self.position(self.hops));
        let (rate, item) = (self.rate, self.item);
        if to > from {
            segments::emit_probability(from, to, probability, rate, item, out);
        }
        self.segmenter.hop(from, to, probability, |mark| segments::emit(mark, rate, item, out));
    }
}

impl Processor for Finder {
    fn open(&mut self, inputs: &[Format], opening: Opening) -> Result<Opened> {
        let format = inputs.first().unwrap_or(&Format::Unknown).audio()?;
        self.rate = format.sample_rate_hz();
        self.segmenter = Segmenter::new(self.params.settings(self.rate));
        if self.rate != RATE_HZ {
            let (from_hz, to_hz, live) = (self.rate, RATE_HZ, opening.live);
            let resampler =
                Resampler::new(Conversion { from_hz, to_hz, channels: 1, quality: Quality::High, live, ratio_ppm: None });
            self.resampler = Some(resampler.map_err(|error| Error::new(ErrorKind::Format, error))?);
        }
        // Its hops are those of the network; what the resampler before it holds back comes on top.
        let hop = Pts::frames(HOP as i64, RATE_HZ);
        let lag = Pts::frames((LAG_HOPS * HOP as u64) as i64, RATE_HZ);
        let mut latency = vec![Latency { delay: lag, block: hop }];
        if let Some(resampler) = &self.resampler {
            latency.push(Latency {
                delay: Pts::frames(resampler.delay_frames() as i64, RATE_HZ),
                block: Pts::frames(resampler.block_frames() as i64, self.rate),
            });
        }
        Ok(Opened::new(vec![format.into(), Format::Json, Format::Json], Latency::ZERO)
            .with_latency(segments::PROBABILITY, Some(latency)))
    }

    fn process(&mut self, _: PortId, packet: Packet, out: &mut Out) -> Result<()> {
        let RuntimeData::Audio(audio) = &packet.data else { return Ok(()) };
        self.item = packet.item;
        self.frames += audio.frames() as u64;
        let mut mono = std::mem::take(&mut self.mono);
        mono.clear();
        segments::mono(audio.samples(), audio.channels().into(), &mut mono);
        match &mut self.resampler {
            None => self.take(&mono, out),
            Some(resampler) => {
                let mut converted = std::mem::take(&mut self.converted);
                converted.resize(resampler.push_bound(mono.len()), 0.0);
                let frames = resampler
                    .push(&mono, &mut converted)
                    .map_err(|error| Error::new(ErrorKind::Node, format!("resampling failed: {error}")))?;
                self.take(&converted[..frames], out);
                self.converted = converted;
            }
        }
        self.mono = mono;
        out.emit(PortId::FIRST, packet);
        Ok(())
    }

    fn end(&mut self, _: PortId, out: &mut Out) -> Result<()> {
        if let Some(resampler) = &mut self.resampler {
            let mut tail = vec![0.0; resampler.held_frames()];
            resampler
                .flush(&mut tail)
                .map_err(|error| Error::new(ErrorKind::Node, format!("resampling failed: {error}")))?;
            self.take(&tail, out);
        }
        // Silence enough to hear what the detector's lag holds back.
        self.take(&vec![0.0; HOP * (LAG_HOPS as usize + 1) - self.waiting.len()], out);
        let (end, rate, item) = (self.frames, self.rate, self.item);
        self.segmenter.flush(end, |mark| segments::emit(mark, rate, item, out));
        Ok(())
    }

    fn reset(&mut self) {
        if let Some(resampler) = &mut self.resampler {
            resampler.reset();
        }
        self.detector.reset();
        self.segmenter.reset();
        self.waiting.clear();
        (self.hops, self.frames, self.item) = (0, 0, 0);
    }
}
