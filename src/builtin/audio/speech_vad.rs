//! `SpeechVAD`: where somebody speaks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conversion;
use super::segments;
use super::speech_params::SpeechParams;
use crate::dsp::resample::{Conversion, Quality, Resampler};
use crate::dsp::segment::Segmenter;
use crate::dsp::silero;
use crate::node::prelude::*;

/// Both networks work at this rate.
const RATE_HZ: u32 = silero::RATE_HZ;

/// Parameters of `SpeechVAD`. What is left out comes from the preset.
// Unknown names are found by the schema: serde cannot refuse them here.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub(super) struct Params {
    /// The network. `silero`: the most exact one, above all in music and noise; answers every 32 ms. `earshot`: about as
    /// costly, answers every 16 ms and 32 ms late, hears music as speech more often.
    #[serde(default)]
    model: Choice,
    #[serde(flatten)]
    speech: SpeechParams,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Choice {
    /// Silero VAD, version 6.
    #[default]
    Silero,
    /// The network of the crate earshot.
    Earshot,
}

/// A network with its state for one stream.
enum Model {
    Silero(Box<silero::Detector>),
    Earshot(Box<earshot::Detector>),
}

impl Model {
    fn new(choice: Choice) -> Self {
        match choice {
            Choice::Silero => Self::Silero(Box::default()),
            Choice::Earshot => Self::Earshot(earshot::Detector::default_boxed()),
        }
    }

    /// Samples that it takes at a time.
    fn hop(&self) -> usize {
        match self {
            Self::Silero(_) => silero::WINDOW,
            Self::Earshot(_) => 256,
        }
    }

    /// How many hops late it answers. Of earshot, whose window of 768 samples and context of three hops make it late, two
    /// fit best to the labelled recordings of `examples/data`.
    fn lag_hops(&self) -> u64 {
        match self {
            Self::Silero(_) => 0,
            Self::Earshot(_) => 2,
        }
    }

    /// Takes a hop.
    fn predict(&mut self, samples: &[f32]) -> f32 {
        match self {
            Self::Silero(detector) => samples.try_into().map_or(0.0, |samples| detector.predict(samples)),
            Self::Earshot(detector) => detector.predict_f32(samples),
        }
    }

    fn reset(&mut self) {
        match self {
            Self::Silero(detector) => detector.reset(),
            Self::Earshot(detector) => detector.reset(),
        }
    }
}

#[derive(Debug)]
pub(super) struct SpeechVad;

impl TypedNode for SpeechVad {
    type Params = Params;

    fn info(&self) -> NodeInfo {
        NodeInfo {
            name: "SpeechVAD",
            aliases: &["SpeechVADNode", "SileroVADNode", "SileroVAD", "RustSileroVADNode"],
            category: "audio",
            description: "Finds speech with the Silero network, at any rate, channels and chunk size. Events say where segments start and end, in samples of the input; the audio goes through untouched.",
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
        params.speech.check()?;
        let settings = params.speech.settings(RATE_HZ);
        let model = Model::new(params.model);
        Ok(Box::new(Finder {
            params,
            rate: RATE_HZ,
            resampler: None,
            waiting: Vec::with_capacity(model.hop()),
            model,
            segmenter: Segmenter::new(settings),
            mono: Vec::new(),
            converted: Vec::new(),
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
    model: Model,
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
        let samples = hops.saturating_sub(self.model.lag_hops()) * self.model.hop() as u64;
        let at = u128::from(samples) * u128::from(self.rate) / u128::from(RATE_HZ);
        u64::try_from(at).unwrap_or(u64::MAX).min(self.frames)
    }

    fn take(&mut self, mut samples: &[f32], out: &mut Out) {
        let hop = self.model.hop();
        while !samples.is_empty() {
            let count = (hop - self.waiting.len()).min(samples.len());
            self.waiting.extend(samples[..count].iter().map(|sample| sample.clamp(-1.0, 1.0)));
            samples = &samples[count..];
            if self.waiting.len() == hop {
                self.hop(out);
            }
        }
    }

    fn hop(&mut self, out: &mut Out) {
        let probability = self.model.predict(&self.waiting);
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
        self.segmenter = Segmenter::new(self.params.speech.settings(self.rate));
        if self.rate != RATE_HZ {
            let (from_hz, to_hz, live) = (self.rate, RATE_HZ, opening.live);
            let conversion = Conversion { from_hz, to_hz, channels: 1, quality: Quality::High, live, ratio_ppm: None };
            self.resampler = Some(conversion::open(conversion)?);
        }
        // Its hops are those of the network; what the resampler before it holds back comes on top.
        let hops = |count: u64| Pts::frames((count * self.model.hop() as u64) as i64, RATE_HZ);
        let mut latency = vec![Latency { delay: hops(self.model.lag_hops()), block: hops(1) }];
        if let Some(resampler) = &self.resampler {
            latency.push(conversion::latency(resampler, self.rate, RATE_HZ));
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
                let frames = resampler.push(&mono, &mut converted);
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
            resampler.flush(&mut tail);
            self.take(&tail, out);
        }
        // Silence to fill the last hop, and to hear what the network's lag holds back.
        let hop = self.model.hop();
        let last = (hop - self.waiting.len()) % hop;
        self.take(&vec![0.0; last + hop * self.model.lag_hops() as usize], out);
        let (end, rate, item) = (self.frames, self.rate, self.item);
        self.segmenter.flush(end, |mark| segments::emit(mark, rate, item, out));
        Ok(())
    }

    fn reset(&mut self) {
        if let Some(resampler) = &mut self.resampler {
            resampler.reset();
        }
        self.model.reset();
        self.segmenter.reset();
        self.waiting.clear();
        (self.hops, self.frames, self.item) = (0, 0, 0);
    }
}
