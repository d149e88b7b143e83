//! Writing: WAV with hound, FLAC with flacenc.

use std::io::{Seek, Write};
use std::str::FromStr;

use camino::Utf8Path;
use flacenc::component::BitRepr;
use flacenc::error::Verify;

use crate::data::AudioBuffer;
use crate::error::{Error, ErrorKind, Result};

/// How samples are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subtype {
    /// 16-bit integers.
    Pcm16,
    /// 24-bit integers.
    Pcm24,
    /// 32-bit integers (WAV only).
    Pcm32,
    /// 32-bit floats (WAV only).
    Float,
}

impl FromStr for Subtype {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "PCM_16" => Ok(Self::Pcm16),
            "PCM_24" => Ok(Self::Pcm24),
            "PCM_32" => Ok(Self::Pcm32),
            "FLOAT" => Ok(Self::Float),
            other => Err(Error::new(
                ErrorKind::InputValue,
                format!("subtype is `{other}`, expected PCM_16, PCM_24, PCM_32 or FLOAT"),
            )),
        }
    }
}

fn io(path: &Utf8Path, reason: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Io, format!("{path}: {reason}")).at_path(path.as_str())
}

/// Writes audio to a `.wav` or `.flac` file, as 16-bit integers unless told otherwise. An existing file is replaced.
///
/// Integers are rounded to nearest and clipped.
///
/// # Errors
/// `InputValue` for another extension or a subtype that the container does not have, `Io` when writing fails.
pub fn write(path: &Utf8Path, audio: &AudioBuffer, subtype: Option<Subtype>) -> Result<()> {
    let subtype = subtype.unwrap_or(Subtype::Pcm16);
    match path.extension().map(str::to_ascii_lowercase).as_deref() {
        Some("wav" | "wave") => {
            let file = std::fs::File::create(path).map_err(|error| io(path, &error).caused_by(error))?;
            wav(path, std::io::BufWriter::new(file), audio, subtype)
        }
        Some("flac") => flac(path, audio, subtype),
        _ => Err(Error::new(ErrorKind::InputValue, format!("{path}: the extension is not known"))
            .hint("name the file .wav or .flac")),
    }
}

/// Full scale is `2^(bits - 1)`; NaN is 0.
fn integer(sample: f32, bits: u32) -> i32 {
    let scale = 2_f64.powi(bits as i32 - 1);
    let value = (f64::from(sample) * scale).round_ties_even();
    if value.is_nan() { 0 } else { value.clamp(-scale, scale - 1.0) as i32 }
}

/// A WAV file in memory.
///
/// # Errors
/// `Io` when it would be larger than a WAV file can be (4 GiB).
pub fn wav_bytes(audio: &AudioBuffer, subtype: Option<Subtype>) -> Result<Vec<u8>> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    wav(Utf8Path::new("the WAV file"), &mut bytes, audio, subtype.unwrap_or(Subtype::Pcm16))?;
    Ok(bytes.into_inner())
}

fn wav(path: &Utf8Path, file: impl Write + Seek, audio: &AudioBuffer, subtype: Subtype) -> Result<()> {
    let (bits, float) = match subtype {
        Subtype::Pcm16 => (16, false),
        Subtype::Pcm24 => (24, false),
        Subtype::Pcm32 => (32, false),
        Subtype::Float => (32, true),
    };
    let spec = hound::WavSpec {
        channels: audio.channels(),
        sample_rate: audio.sample_rate_hz(),
        bits_per_sample: bits,
        sample_format: if float { hound::SampleFormat::Float } else { hound::SampleFormat::Int },
    };
    let mut writer = hound::WavWriter::new(file, spec).map_err(|error| io(path, error))?;
    for &sample in audio.samples() {
        let written =
            if float { writer.write_sample(sample) } else { writer.write_sample(integer(sample, bits.into())) };
        written.map_err(|error| io(path, error))?;
    }
    writer.finalize().map_err(|error| io(path, error))
}

fn flac(path: &Utf8Path, audio: &AudioBuffer, subtype: Subtype) -> Result<()> {
    let bits = match subtype {
        Subtype::Pcm16 => 16,
        Subtype::Pcm24 => 24,
        Subtype::Pcm32 | Subtype::Float => {
            return Err(Error::new(ErrorKind::InputValue, "FLAC stores PCM_16 or PCM_24").hint("write a .wav instead"));
        }
    };
    if audio.frames() == 0 {
        return Err(Error::new(ErrorKind::InputValue, "a FLAC file without a frame cannot be read back")
            .hint("write a .wav, which can be empty"));
    }
    if audio.channels() > 8 {
        let channels = audio.channels();
        return Err(Error::new(ErrorKind::InputValue, format!("FLAC stores at most 8 channels, not {channels}")));
    }
    let samples: Vec<i32> = audio.samples().iter().map(|&sample| integer(sample, bits)).collect();
    let config = flacenc::config::Encoder::default()
        .into_verified()
        .map_err(|(_, error)| Error::new(ErrorKind::Internal, error.to_string()))?;
    let source = flacenc::source::MemSource::from_samples(
        &samples,
        audio.channels().into(),
        bits as usize,
        audio.sample_rate_hz() as usize,
    );
    let mut stream = flacenc::encode_with_fixed_block_size(&config, source, config.block_size)
        .map_err(|error| io(path, format!("{error:?}")))?;
    // The smallest block leaves the last one out (RFC 9639, 8.2); the encoder counts it, and readers then take the
    // stream for one of varying blocks.
    stream
        .stream_info_mut()
        .set_block_sizes(config.block_size, config.block_size)
        .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
    let mut sink = flacenc::bitsink::ByteSink::new();
    stream.write(&mut sink).map_err(|error| io(path, format!("{error:?}")))?;
    std::fs::write(path, sink.as_slice()).map_err(|error| io(path, &error).caused_by(error))
}
