//! What goes into `run`: files, standard input, samples without a header.

use std::io::Read as _;
use std::str::FromStr;

use camino::Utf8Path;

use crate::data::{AudioBuffer, AudioFormat, RuntimeData};
use crate::error::{Error, ErrorKind, Result};
use crate::media::AudioReader;
use crate::words::counted;

/// The most that is read from standard input.
const MOST_BYTES: u64 = 4 << 30;

/// The layout of samples without a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Raw {
    float: bool,
    format: AudioFormat,
}

impl FromStr for Raw {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |what: String| {
            Error::new(ErrorKind::InputValue, format!("--raw is `{text}`: {what}")).hint("such as s16le,16000,1")
        };
        let mut parts = text.split(',').map(str::trim);
        let (Some(encoding), Some(rate), Some(channels), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong("expected ENCODING,RATE,CHANNELS".to_owned()));
        };
        let float = match encoding {
            "s16le" => false,
            "f32le" => true,
            other => return Err(wrong(format!("the encoding is `{other}`, expected s16le or f32le"))),
        };
        let rate = rate.parse().map_err(|_| wrong(format!("the rate is `{rate}`, expected Hz")))?;
        let channels = channels.parse().map_err(|_| wrong(format!("`{channels}` is no number of channels")))?;
        Ok(Self { float, format: AudioFormat::new(rate, channels).map_err(|error| wrong(error.message().to_owned()))? })
    }
}

impl Raw {
    fn audio(self, bytes: &[u8], name: &str) -> Result<AudioBuffer> {
        let size = if self.float { 4 } else { 2 };
        let frame = size * usize::from(self.format.channels());
        if !bytes.len().is_multiple_of(frame) {
            let text = format!("{name} has {}, expected whole frames of {frame}", counted(bytes.len(), "byte"));
            return Err(Error::new(ErrorKind::InputValue, text));
        }
        let samples: Vec<f32> = if self.float {
            bytes.as_chunks::<4>().0.iter().map(|sample| f32::from_le_bytes(*sample)).collect()
        } else {
            bytes.as_chunks::<2>().0.iter().map(|sample| f32::from(i16::from_le_bytes(*sample)) / 32_768.0).collect()
        };
        AudioBuffer::new(samples, self.format)
    }

    /// Audio in the same encoding.
    pub(super) fn bytes(self, audio: &AudioBuffer) -> Vec<u8> {
        if self.float {
            audio.samples().iter().flat_map(|sample| sample.to_le_bytes()).collect()
        } else {
            let integer = |sample: &f32| (sample * 32_768.0).round_ties_even().clamp(-32_768.0, 32_767.0) as i16;
            audio.samples().iter().flat_map(|sample| integer(sample).to_le_bytes()).collect()
        }
    }
}

/// The items of the files, in order. Audio comes in pieces of a second, so that progress can be seen.
pub(super) fn read(names: &[String], raw: Option<Raw>) -> Result<Vec<RuntimeData>> {
    let mut items = Vec::new();
    for name in names {
        match extension(name).as_deref() {
            Some("txt") => items.push(RuntimeData::text(text(name)?.as_str())),
            Some("json") => {
                let value =
                    serde_json::from_str(&text(name)?).map_err(|error| io(name, &format!("not JSON: {error}")))?;
                items.push(RuntimeData::json(value));
            }
            _ => audio(name, raw, &mut items)?,
        }
    }
    Ok(items)
}

fn audio(name: &str, raw: Option<Raw>, items: &mut Vec<RuntimeData>) -> Result<()> {
    let reader = match (raw, name) {
        (Some(raw), _) => {
            let audio = raw.audio(&bytes(name)?, name)?;
            let second = audio.sample_rate_hz() as usize;
            for start in (0..audio.frames().max(1)).step_by(second) {
                items.push(audio.slice(start..(start + second).min(audio.frames())).into());
            }
            return Ok(());
        }
        (None, "-") => AudioReader::from_bytes(bytes(name)?, "standard input"),
        (None, name) => AudioReader::open(Utf8Path::new(name)),
    };
    let mut reader = reader?;
    let format = reader.info().format;
    let before = items.len();
    while let Some(piece) = reader.read(format.sample_rate_hz() as usize)? {
        items.push(piece.into());
    }
    if items.len() == before {
        items.push(AudioBuffer::new(Vec::new(), format)?.into());
    }
    Ok(())
}

fn extension(name: &str) -> Option<String> {
    Utf8Path::new(name).extension().map(str::to_ascii_lowercase)
}

fn io(name: &str, reason: &str) -> Error {
    Error::new(ErrorKind::Io, format!("{name}: {reason}")).at_path(name)
}

fn bytes(name: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let done = if name == "-" {
        std::io::stdin().take(MOST_BYTES + 1).read_to_end(&mut bytes).map(drop)
    } else {
        std::fs::File::open(name).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes)).map(drop)
    };
    done.map_err(|error| io(name, &error.to_string()).caused_by(error))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(io(name, "more than 4 GiB"));
    }
    Ok(bytes)
}

fn text(name: &str) -> Result<String> {
    String::from_utf8(bytes(name)?).map_err(|error| io(name, &format!("not UTF-8: {error}")))
}
