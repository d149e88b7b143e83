//! Arrays become audio, once, on the first edge into an input of audio.

use super::stream::{Warning, WarningKind};
use crate::data::{AudioFormat, Format, NdArray};
use crate::error::{Error, ErrorKind, Result};
use crate::words::counted;

/// The sample rate that the published calls assume for a bare array, as their documentation says.
const ASSUMED_RATE_HZ: u32 = 48_000;

/// Decides what audio an array is: as it is declared, or, for the published calls only, as they assume.
pub(super) fn audio_format(
    array: &NdArray,
    declared: &Format,
    lenient: bool,
    warn: &mut dyn FnMut(Warning),
    node: &str,
) -> Result<AudioFormat> {
    if let Some(format) = array.audio {
        return Ok(format);
    }
    let shape_text = format!("{:?}", array.shape).replace('[', "(").replace(']', ")");
    let Some((frames, channels)) = array.frames_and_channels() else {
        return Err(Error::new(
            ErrorKind::Format,
            format!("an array of shape {shape_text} is not audio, expected (frames,) or (frames, channels)"),
        )
        .code_of("RM0206"));
    };
    let channels_first = array.shape.len() == 2 && frames <= 8 && channels > 8;
    if channels_first && declared.channels().is_none_or(|declared| usize::from(declared) != channels) {
        return Err(Error::new(ErrorKind::Format, format!("an array of shape {shape_text} has its channels first"))
            .code_of("RM0205")
            .hint("pass x.T: audio is (frames, channels)"));
    }
    if let Some(expected) = declared.channels()
        && usize::from(expected) != channels
    {
        return Err(Error::new(
            ErrorKind::Format,
            format!(
                "an array of shape {shape_text} has {}, expected {expected} as `input` declares",
                counted(channels, "channel")
            ),
        )
        .code_of("RM0201"));
    }
    let channels = u16::try_from(channels).unwrap_or(u16::MAX);
    if let Some(rate) = declared.sample_rate_hz() {
        return AudioFormat::new(rate, channels);
    }
    if !lenient {
        return Err(Error::new(ErrorKind::Format, "the sample rate of a bare array is not known")
            .code_of("RM0202")
            .hint("pass rm.Audio(x, sample_rate), or declare it in the manifest: \"input\": {\"type\": \"audio\", \"sample_rate_hz\": 48000, \"channels\": 1}"));
    }
    let format = AudioFormat::new(ASSUMED_RATE_HZ, channels)?;
    warn(Warning {
        kind: WarningKind::AssumedFormat,
        node: node.to_owned(),
        text: format!(
            "node `{node}`: a bare array is taken as {format}; pass rm.Audio(x, sample_rate), or declare \"input\" in the manifest"
        ),
    });
    Ok(format)
}
