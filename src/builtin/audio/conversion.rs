//! What nodes that change the sample rate share: opening a resampler, its latency, its failures.

use crate::dsp::resample::{Conversion, Resampler};
use crate::node::prelude::*;

/// A resampler.
pub(super) fn open(conversion: Conversion) -> Result<Resampler> {
    Resampler::new(conversion).map_err(|error| Error::new(ErrorKind::Format, error))
}

/// What it holds back, between these rates.
pub(super) fn latency(resampler: &Resampler, from_hz: u32, to_hz: u32) -> Latency {
    Latency {
        delay: Pts::frames(resampler.delay_frames() as i64, to_hz),
        block: Pts::frames(resampler.block_frames() as i64, from_hz),
    }
}

/// It failed while it ran.
pub(super) fn fault(error: String) -> Error {
    Error::new(ErrorKind::Node, format!("resampling failed: {error}"))
}
