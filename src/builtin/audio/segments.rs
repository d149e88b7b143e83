//! What both voice detectors share: speech events from the marks of the segmenter.

use serde_json::json;

use crate::dsp::segment::Mark;
use crate::node::prelude::*;

/// Whole samples of a time in milliseconds.
pub(super) fn samples(ms: u32, rate: u32) -> u64 {
    u64::from(ms) * u64::from(rate) / 1000
}

/// Puts a mark out as an event. Samples count in the node's input.
pub(super) fn emit(mark: Mark, rate: u32, item: u32, out: &mut Out) {
    if !out.wants(PortId::EVENTS) {
        return;
    }
    let seconds = |sample: u64| sample as f64 / f64::from(rate);
    let (value, at) = match mark {
        Mark::Start(sample) => (json!({"event": "speech_start", "sample": sample, "time_s": seconds(sample)}), sample),
        Mark::End { start, end, probability } => (
            json!({
                "event": "speech_end",
                "start_sample": start,
                "end_sample": end,
                "start_s": seconds(start),
                "end_s": seconds(end),
                "probability": (f64::from(probability) * 1e4).round() / 1e4,
            }),
            end,
        ),
    };
    let pts = Pts::frames(i64::try_from(at).unwrap_or(i64::MAX), rate);
    let mut packet = Packet::new(RuntimeData::json(value), pts);
    packet.item = item;
    out.emit(PortId::EVENTS, packet);
}

/// The third output of the detectors, made only for those who listen.
pub(super) const PROBABILITY: PortId = PortId(2);

/// The port of [`PROBABILITY`].
pub(super) fn probability_port() -> PortInfo {
    PortInfo::named("probability", Kind::Json).on_request()
}

/// Puts out how likely speech is from frame `from` to frame `to` of the node's input.
pub(super) fn emit_probability(from: u64, to: u64, probability: f32, rate: u32, item: u32, out: &mut Out) {
    if !out.wants(PROBABILITY) {
        return;
    }
    let value = json!({"sample": from, "end_sample": to, "probability": (f64::from(probability) * 1e6).round() / 1e6});
    let pts = Pts::frames(i64::try_from(from).unwrap_or(i64::MAX), rate);
    let mut packet = Packet::new(RuntimeData::json(value), pts);
    packet.item = item;
    out.emit(PROBABILITY, packet);
}

/// What a detector says of a stretch of audio, in frames at the rate of whoever asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) probability: f32,
}

impl Heard {
    /// Reads an event of a `probability` output.
    pub(super) fn read(packet: &Packet, rate: u32) -> Result<Self> {
        let RuntimeData::Json(value) = &packet.data else { return Err(not_heard(packet)) };
        let number = |key: &str| value.get(key).and_then(serde_json::Value::as_f64);
        let (Some(from), Some(to), Some(probability)) = (number("sample"), number("end_sample"), number("probability"))
        else {
            return Err(not_heard(packet));
        };
        // The detector may have heard the stream at another rate: that of its time base.
        let frames = |sample: f64| Pts::frames(sample as i64, packet.pts.den).to_frames(rate);
        Ok(Self { from: frames(from), to: frames(to), probability: probability as f32 })
    }
}

fn not_heard(packet: &Packet) -> Error {
    let found = match &packet.data {
        RuntimeData::Json(value) => value.to_string().chars().take(80).collect(),
        other => other.kind().to_string(),
    };
    Error::new(ErrorKind::InputValue, format!("`vad` gets {found}, expected what a VAD says of each hop"))
        .hint("connect the VAD's output `probability` to `vad`")
}

/// Appends the mean over the channels of every frame, with what is not finite as silence.
pub(super) fn mono(samples: &[f32], channels: usize, target: &mut Vec<f32>) {
    let sound = |sample: f32| if sample.is_finite() { sample } else { 0.0 };
    if channels == 1 {
        target.extend(samples.iter().map(|sample| sound(*sample)));
        return;
    }
    let mean = |frame: &[f32]| frame.iter().map(|sample| sound(*sample)).sum::<f32>() / frame.len() as f32;
    target.extend(samples.chunks_exact(channels).map(mean));
}
