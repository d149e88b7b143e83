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

/// What a file holds, by the ending of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Container {
    Wav,
    Flac,
}

fn container(path: &Utf8Path) -> Result<Container> {
    match path.extension().map(str::to_ascii_lowercase).as_deref() {
        Some("wav" | "wave") => Ok(Container::Wav),
        Some("flac") => Ok(Container::Flac),
        _ => Err(Error::new(ErrorKind::InputValue, format!("{path}: the extension is not known"))
            .at_path(path.as_str())
            .hint("name the file .wav or .flac")),
    }
}

/// Checks what can be known before there is audio: the ending of the name, and that it goes with how samples are stored.
///
/// # Errors
/// `InputValue` for another extension or a subtype that the container does not have.
pub fn check_name(path: &Utf8Path, subtype: Option<Subtype>) -> Result<()> {
    match (container(path)?, subtype) {
        (Container::Flac, Some(subtype)) => flac_bits(subtype).map(drop),
        _ => Ok(()),
    }
}

/// Writes audio to a `.wav` or `.flac` file, as 16-bit integers unless told otherwise. An existing file is replaced.
///
/// Integers are rounded to nearest and clipped.
///
/// # Errors
/// `InputValue` for another extension or a subtype that the container does not have, `Io` when writing fails.
pub fn write(path: &Utf8Path, audio: &AudioBuffer, subtype: Option<Subtype>) -> Result<()> {
    write_at(path, path, audio, subtype)
}

/// Like [`write()`], but under another name in the meantime. `path` says how to write it, and stands in errors.
///
/// # Errors
/// As [`write()`].
pub fn write_at(place: &Utf8Path, path: &Utf8Path, audio: &AudioBuffer, subtype: Option<Subtype>) -> Result<()> {
    let subtype = subtype.unwrap_or(Subtype::Pcm16);
    let create = || std::fs::File::create(place).map_err(|error| Error::of_file(path.as_str(), error));
    match container(path)? {
        Container::Wav => wav(path, std::io::BufWriter::new(create()?), audio, subtype),
        Container::Flac => {
            let bytes = flac(path, audio, subtype)?;
            create()?.write_all(&bytes).map_err(|error| Error::of_file(path.as_str(), error))
        }
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
    let mut writer = hound::WavWriter::new(file, spec).map_err(|error| failed(path, error))?;
    for &sample in audio.samples() {
        let written =
            if float { writer.write_sample(sample) } else { writer.write_sample(integer(sample, bits.into())) };
        written.map_err(|error| failed(path, error))?;
    }
    writer.finalize().map_err(|error| failed(path, error))
}

fn failed(path: &Utf8Path, error: hound::Error) -> Error {
    match error {
        hound::Error::IoError(error) => Error::of_file(path.as_str(), error),
        other => io(path, other),
    }
}

fn flac_bits(subtype: Subtype) -> Result<u32> {
    match subtype {
        Subtype::Pcm16 => Ok(16),
        Subtype::Pcm24 => Ok(24),
        Subtype::Pcm32 | Subtype::Float => {
            Err(Error::new(ErrorKind::InputValue, "FLAC stores PCM_16 or PCM_24").hint("write a .wav instead"))
        }
    }
}

/// A FLAC file in memory.
fn flac(path: &Utf8Path, audio: &AudioBuffer, subtype: Subtype) -> Result<Vec<u8>> {
    let bits = flac_bits(subtype)?;
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
    Ok(sink.into_inner())
}
