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

/// The mean over the channels of a frame, with what is not finite as silence.
pub(super) fn mono(frame: &[f32]) -> f32 {
    let sum: f32 = frame.iter().map(|sample| if sample.is_finite() { *sample } else { 0.0 }).sum();
    sum / frame.len() as f32
}
