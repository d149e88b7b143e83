//! The certificate: a stream cut in any way gives what the whole gives, and nothing of it is left for the next one.

use std::sync::Arc;

use super::idle::Idle;
use super::session::{Session, SessionOptions, SessionOutput};
use crate::data::{AudioBuffer, AudioFormat, Format, Kind, PixelFormat, Pts, RuntimeData, VideoFormat, VideoFrame};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Graph;
use crate::words::counted;

/// How a graph is put to the test.
#[derive(Debug, Clone)]
pub struct VerifyOptions {
    /// Audio to use instead of signals of our own.
    pub audio: Option<AudioBuffer>,
    /// Random chunkings of each signal.
    pub rounds: u32,
    /// The same seed, the same chunkings.
    pub seed: u64,
    /// Samples may differ by this much, 0 for not at all. Times, counts and events are compared exactly.
    pub tolerance: f32,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self { audio: None, rounds: 12, seed: 1, tolerance: 0.0 }
    }
}

/// What one way of feeding has shown.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifyCase {
    /// The input, and how it was fed.
    pub what: String,
    /// The largest difference of a sample.
    pub difference: f32,
    /// What else differs, in words; `None` when it is the same.
    pub failure: Option<String>,
}

/// The certificate.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VerifyReport {
    /// Every way of feeding.
    pub cases: Vec<VerifyCase>,
    /// Inputs that the graph does not take, and why.
    pub skipped: Vec<String>,
}

impl VerifyReport {
    /// Whether everything was the same.
    pub fn passed(&self) -> bool {
        !self.cases.is_empty() && self.cases.iter().all(|case| case.failure.is_none())
    }

    /// As JSON: `passed`, `largest_difference`, `cases`, `skipped`.
    pub fn to_json(&self) -> serde_json::Value {
        let cases = self
            .cases
            .iter()
            .map(|case| serde_json::json!({"what": case.what, "difference": case.difference, "failure": case.failure}));
        serde_json::json!({
            "passed": self.passed(),
            "largest_difference": self.largest_difference(),
            "cases": cases.collect::<Vec<_>>(),
            "skipped": self.skipped,
        })
    }

    /// The largest difference of a sample in any case.
    pub fn largest_difference(&self) -> f32 {
        self.cases.iter().map(|case| case.difference).fold(0.0, f32::max)
    }
}

/// Formats that are tried where nothing is declared.
const FORMATS: [(u32, u16); 5] = [(16_000, 1), (48_000, 2), (44_100, 1), (8_000, 1), (24_000, 1)];

/// Length of our own signals.
const SECONDS: u32 = 3;

/// Feeds a graph in many ways and compares what comes out, by time.
///
/// # Errors
/// When a graph cannot be opened at all, or takes none of the inputs.
pub fn verify(graph: &Arc<Graph>, options: &VerifyOptions) -> Result<VerifyReport> {
    let mut report = VerifyReport::default();
    let idle = Arc::new(Idle::default());
    for (name, items) in inputs(graph, options, &mut report.skipped) {
        let trial = Trial { graph, idle: &idle, options, name: &name, items: &items };
        match trial.run() {
            Ok(cases) => report.cases.extend(cases),
            Err(error) if refuses(&error) => report.skipped.push(format!("{name}: {}", error.message())),
            Err(error) => {
                report.cases.push(VerifyCase { what: name.clone(), difference: 0.0, failure: Some(error.to_string()) })
            }
        }
    }
    if report.cases.is_empty() {
        let text = format!("the graph takes none of the inputs tried: {}", report.skipped.join("; "));
        return Err(Error::new(ErrorKind::Unsupported, text).hint("pass audio that it takes"));
    }
    Ok(report)
}

fn refuses(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Format | ErrorKind::InputType)
}

/// Everything that the first source might take.
fn inputs(graph: &Graph, options: &VerifyOptions, skipped: &mut Vec<String>) -> Vec<(String, Vec<RuntimeData>)> {
    if let Some(audio) = &options.audio {
        return vec![(audio.format().to_string(), vec![audio.clone().into()])];
    }
    let mut random = Random(options.seed);
    let Some(source) = graph.takers().next().map(|node| &graph.nodes[node]) else { return Vec::new() };
    let kinds = source.kind.info().inputs[0].kinds;
    let mut inputs = Vec::new();
    if kinds.contains(Kind::Audio) && matches!(source.declared, Format::Unknown | Format::Audio { .. }) {
        for (rate, channels) in FORMATS {
            let declared = &source.declared;
            let format =
                AudioFormat::new(declared.sample_rate_hz().unwrap_or(rate), declared.channels().unwrap_or(channels));
            let Ok(format) = format else { continue };
            let name = format.to_string();
            if inputs.iter().any(|(known, _)| *known == name) {
                continue;
            }
            match signal(format, &mut random) {
                Ok(audio) => inputs.push((name, vec![audio.into()])),
                Err(error) => skipped.push(format!("{name}: {error}")),
            }
        }
        return inputs;
    }
    for (kind, items) in other_items() {
        if kinds.contains(kind) {
            inputs.push((kind.to_string(), items));
        }
    }
    inputs
}

/// Bursts of tones and noise with silence between, of random lengths: something for detectors to find.
fn signal(format: AudioFormat, random: &mut Random) -> Result<AudioBuffer> {
    let (rate, channels) = (format.sample_rate_hz(), usize::from(format.channels()));
    // An odd number of frames: no block of any node ends with it.
    let frames = (rate * SECONDS) as usize + 37;
    let mut samples = vec![0.0; frames * channels];
    let mut at = 0;
    while at < frames {
        let length = (rate as usize / 10 + random.below(rate as usize)).min(frames - at);
        let loud = random.below(3) > 0;
        let step = (100 + random.below(2_000)) as f32 / rate as f32 * std::f32::consts::TAU;
        for frame in at..at + length {
            for channel in 0..channels {
                let noise = random.below(2_001) as f32 / 1_000.0 - 1.0;
                let tone = ((frame - at) as f32 * step * (channel + 1) as f32).sin();
                samples[frame * channels + channel] = if loud { 0.3 * tone + 0.05 * noise } else { 1e-4 * noise };
            }
        }
        at += length;
    }
    AudioBuffer::new(samples, format)
}

fn other_items() -> Vec<(Kind, Vec<RuntimeData>)> {
    let format = VideoFormat { width: 32, height: 24, pixel_format: PixelFormat::Rgb24 };
    let picture = |seed: u8| VideoFrame::new((0..32 * 24 * 3).map(|n| (n as u8).wrapping_mul(seed)).collect(), format);
    vec![
        (Kind::Text, ["one two", "", "ÉLAN vital"].map(RuntimeData::text).into()),
        (Kind::Json, vec![RuntimeData::json(serde_json::json!({"a": [1, 2.5, null]}))]),
        (Kind::Binary, vec![RuntimeData::Binary(Arc::new(vec![0, 255, 7]))]),
        (Kind::Video, [3, 5, 7].into_iter().filter_map(|seed| picture(seed).ok()).map(RuntimeData::from).collect()),
    ]
}

/// What came out of one result: stretches of audio, or things one by one.
#[derive(Debug, Clone, Default)]
struct Port {
    stretches: Vec<(Pts, AudioFormat, Vec<f32>)>,
    things: Vec<(Pts, String)>,
}

struct Trial<'a> {
    graph: &'a Arc<Graph>,
    idle: &'a Arc<Idle>,
    options: &'a VerifyOptions,
    name: &'a str,
    items: &'a [RuntimeData],
}

impl Trial<'_> {
    fn run(&self) -> Result<Vec<VerifyCase>> {
        let whole = self.feed(&self.open(false)?, &mut |_| usize::MAX)?;
        let mut cases = Vec::new();
        for round in 0..self.options.rounds.max(1) {
            let mut random = Random(self.options.seed.wrapping_mul(0x9e37).wrapping_add(u64::from(round)));
            let limit = [2, 40, 500, 1_024, 3_000, 20_000][round as usize % 6];
            let session = self.open(false)?;
            // Single frames are slow: only the beginning is cut so fine.
            let mut cuts = 0;
            let mut size = move |_: usize| {
                cuts += 1;
                if limit < 100 && cuts > 3_000 { 4_096 } else { 1 + random.below(limit) }
            };
            cases.push(self.compare(&format!("chunks of up to {limit}"), &whole, self.feed(&session, &mut size)));
        }
        for size in [160, 441, 480, 512, 960] {
            let got = self.open(false).and_then(|session| self.feed(&session, &mut |_| size));
            cases.push(self.compare(&format!("chunks of {size}"), &whole, got));
        }
        let session = self.open(false)?;
        let again = self.feed(&session, &mut |_| 700).and_then(|_| self.feed(&session, &mut |_| 1_000));
        cases.push(self.compare("a second stream after flush", &whole, again));
        let session = self.open(false)?;
        let begun = self.begin(&session).and_then(|()| session.reset());
        cases.push(self.compare("after reset", &whole, begun.and_then(|()| self.feed(&session, &mut |_| 900))));
        let session = self.open(false)?;
        let begun = self.begin(&session).map(|()| session.interrupt());
        cases.push(self.compare("after interrupt", &whole, begun.and_then(|_| self.feed(&session, &mut |_| 900))));
        let kept = self.open(true).and_then(|session| self.feed(&session, &mut |_| usize::MAX));
        let cut = self.open(true).and_then(|session| self.feed(&session, &mut |_| 333));
        match kept {
            Ok(kept) => cases.push(self.compare("constant_frames, chunks of 333", &kept, cut)),
            // A node that says that it cannot do this breaks no promise.
            Err(error) if error.kind() == ErrorKind::Unsupported => {}
            Err(error) => cases.push(self.compare("constant_frames", &whole, Err(error))),
        }
        Ok(cases)
    }

    fn open(&self, constant_frames: bool) -> Result<Session> {
        let options = SessionOptions { constant_frames, ..SessionOptions::default() };
        Session::new(self.graph, self.idle, options)
    }

    /// A part of the input, without an end.
    fn begin(&self, session: &Session) -> Result<()> {
        for item in self.items {
            let part = match item {
                RuntimeData::Audio(audio) => audio.slice(0..audio.frames() * 2 / 3).into(),
                other => other.clone(),
            };
            session.feed(part, None, None)?;
        }
        Ok(())
    }

    fn feed(&self, session: &Session, size: &mut dyn FnMut(usize) -> usize) -> Result<Vec<Port>> {
        let mut ports = vec![Port::default(); self.graph.results.len()];
        for item in self.items {
            let RuntimeData::Audio(audio) = item else {
                self.gather(&mut ports, session.feed(item.clone(), None, None)?);
                continue;
            };
            let mut at = 0;
            while at < audio.frames() {
                let end = at.saturating_add(size(at)).min(audio.frames());
                self.gather(&mut ports, session.feed(audio.slice(at..end).into(), None, None)?);
                at = end;
            }
        }
        self.gather(&mut ports, session.flush()?);
        Ok(ports)
    }

    fn gather(&self, ports: &mut [Port], outputs: Vec<SessionOutput>) {
        for SessionOutput { result, packet, .. } in outputs {
            let port = &mut ports[result];
            let RuntimeData::Audio(audio) = &packet.data else {
                let content = match &packet.data {
                    RuntimeData::Json(value) => value.to_string(),
                    other => format!("{other:?}"),
                };
                port.things.push((packet.pts, content));
                continue;
            };
            let format = audio.format();
            // Audio is one stream, whose packets may be cut anywhere, unless each is a thing of its own.
            if !self.graph.results[result].pieces
                && let Some((start, was, samples)) = port.stretches.last_mut()
                && *was == format
                && *start
                    == packet.pts.minus(Pts::frames(
                        (samples.len() / usize::from(format.channels())) as i64,
                        format.sample_rate_hz(),
                    ))
            {
                samples.extend_from_slice(audio.samples());
            } else if audio.frames() > 0 {
                port.stretches.push((packet.pts, format, audio.samples().to_vec()));
            }
        }
    }

    fn compare(&self, how: &str, whole: &[Port], got: Result<Vec<Port>>) -> VerifyCase {
        let mut case = VerifyCase { what: format!("{}, {how}", self.name), difference: 0.0, failure: None };
        let got = match got {
            Ok(got) => got,
            Err(error) => {
                case.failure = Some(error.to_string());
                return case;
            }
        };
        for ((whole, got), result) in whole.iter().zip(&got).zip(&self.graph.results) {
            let (difference, failure) = differ(whole, got, self.options.tolerance);
            case.difference = case.difference.max(difference);
            if let Some(failure) = failure {
                case.failure.get_or_insert(format!("`{}`: {failure}", result.name()));
            }
        }
        case
    }
}

fn differ(whole: &Port, got: &Port, tolerance: f32) -> (f32, Option<String>) {
    if whole.things.len() != got.things.len() {
        return (0.0, Some(format!("{}, expected {}", counted(got.things.len(), "result"), whole.things.len())));
    }
    for (index, (expected, found)) in whole.things.iter().zip(&got.things).enumerate() {
        if expected != found {
            let text =
                format!("result {index} is {} at {}, expected {} at {}", found.1, found.0, expected.1, expected.0);
            return (0.0, Some(text));
        }
    }
    if whole.stretches.len() != got.stretches.len() {
        let found = counted(got.stretches.len(), "piece");
        return (0.0, Some(format!("{found} of connected audio, expected {}", whole.stretches.len())));
    }
    let mut largest = 0.0_f32;
    let mut failure = None;
    for (expected, found) in whole.stretches.iter().zip(&got.stretches) {
        if (expected.0, expected.1) != (found.0, found.1) || expected.2.len() != found.2.len() {
            let (is, was) = (found.2.len(), expected.2.len());
            let text = format!(
                "{} of {} at {}, expected {was} of {} at {}",
                counted(is, "sample"),
                found.1,
                found.0,
                expected.1,
                expected.0
            );
            return (largest, Some(text));
        }
        for (index, (expected_sample, sample)) in expected.2.iter().zip(&found.2).enumerate() {
            let difference =
                if expected_sample.to_bits() == sample.to_bits() { 0.0 } else { (expected_sample - sample).abs() };
            // What is not a number on one side only is the largest difference there is.
            let difference = if difference.is_nan() { f32::INFINITY } else { difference };
            if difference > tolerance && failure.is_none() {
                let frame = index / usize::from(found.1.channels());
                let at = found.0.plus(Pts::frames(frame as i64, found.1.sample_rate_hz()));
                failure = Some(format!("a sample at {at} is {sample}, expected {expected_sample}"));
            }
            largest = largest.max(difference);
        }
    }
    (largest, failure)
}

/// SplitMix64 of Steele, Lea and Flood (2014).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit.max(1) as u64) as usize
    }
}
