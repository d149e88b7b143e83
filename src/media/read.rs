//! Reading, with symphonia.

use std::fs::File;

use camino::{Utf8Path, Utf8PathBuf};
use symphonia::core::codecs::audio::well_known as codec;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as MediaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;

use crate::data::{AudioBuffer, AudioFormat, make_room};
use crate::error::{Error, ErrorKind, Result};

/// What a file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioInfo {
    /// Rate and channels.
    pub format: AudioFormat,
    /// Length in frames, when the file states it.
    pub frames: Option<u64>,
    /// `WAV` or `FLAC`.
    pub container: String,
    /// `PCM_16`, `PCM_24`, `PCM_32`, `PCM_U8`, `FLOAT`, or the bits of a FLAC stream.
    pub subtype: String,
}

/// FLAC makes speech and music two to four times as small, and hardly anything more than this.
const MOST_SAMPLES_PER_BYTE: u64 = 16;
/// Room to begin with where the header says something else, 64 MiB.
const FIRST_SAMPLES: u64 = 16 << 20;

fn io(path: &Utf8Path, reason: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Io, format!("{path}: {reason}")).at_path(path.as_str())
}

struct Opened {
    reader: Box<dyn FormatReader>,
    track: u32,
    params: AudioCodecParameters,
    info: AudioInfo,
}

fn open(path: &Utf8Path) -> Result<Opened> {
    let file = File::open(path).map_err(|error| Error::of_file(path.as_str(), error))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(io(path, "it is a folder").caused_by(std::io::Error::from(std::io::ErrorKind::IsADirectory)));
    }
    probe(path, Box::new(file))
}

fn probe(path: &Utf8Path, source: Box<dyn MediaSource>) -> Result<Opened> {
    let stream = MediaSourceStream::new(source, Default::default());
    let mut hint = Hint::new();
    if let Some(extension) = path.extension() {
        hint.with_extension(extension);
    }
    let reader = symphonia::default::get_probe()
        .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(|error| io(path, format!("not a WAV or FLAC file ({error})")))?;
    let track = reader.default_track(TrackType::Audio).ok_or_else(|| io(path, "it holds no audio"))?;
    let params = track.codec_params.as_ref().and_then(|params| params.audio());
    let params = params.ok_or_else(|| io(path, "its audio codec is not known"))?.clone();
    let rate = params.sample_rate.ok_or_else(|| io(path, "it states no sample rate"))?;
    let channels = params.channels.as_ref().map_or(0, |channels| channels.count());
    let format = AudioFormat::new(rate, u16::try_from(channels).unwrap_or(u16::MAX))
        .map_err(|error| io(path, error.message()))?;
    let info = AudioInfo {
        format,
        frames: track.num_frames,
        container: container(reader.format_info().short_name),
        subtype: subtype(&params),
    };
    let track = track.id;
    Ok(Opened { reader, track, params, info })
}

fn container(name: &str) -> String {
    if name.starts_with("wav") { "WAV".to_owned() } else { name.to_uppercase() }
}

fn subtype(params: &AudioCodecParameters) -> String {
    match params.codec {
        codec::CODEC_ID_PCM_S16LE => "PCM_16".to_owned(),
        codec::CODEC_ID_PCM_S24LE => "PCM_24".to_owned(),
        codec::CODEC_ID_PCM_S32LE => "PCM_32".to_owned(),
        codec::CODEC_ID_PCM_U8 => "PCM_U8".to_owned(),
        codec::CODEC_ID_PCM_F32LE => "FLOAT".to_owned(),
        codec::CODEC_ID_PCM_F64LE => "DOUBLE".to_owned(),
        codec::CODEC_ID_FLAC => format!("PCM_{}", params.bits_per_sample.unwrap_or(16)),
        other => other.to_string(),
    }
}

/// What a file says of itself, without reading its audio.
///
/// # Errors
/// `Io` when it cannot be opened or is not WAV or FLAC.
pub fn info(path: &Utf8Path) -> Result<AudioInfo> {
    Ok(open(path)?.info)
}

/// An audio file, read piece by piece.
pub struct AudioReader {
    path: Utf8PathBuf,
    reader: Box<dyn FormatReader>,
    track: u32,
    decoder: Box<dyn AudioDecoder>,
    info: AudioInfo,
    /// Decoded samples; those before `given` are given out.
    decoded: Vec<f32>,
    given: usize,
}

impl AudioReader {
    /// Opens a WAV or FLAC file.
    ///
    /// # Errors
    /// `Io` when it cannot be opened or is not WAV or FLAC.
    pub fn open(path: &Utf8Path) -> Result<Self> {
        Self::new(path, open(path)?)
    }

    /// Reads a file that somebody has opened, which may be a pipe. `name` stands in errors.
    ///
    /// # Errors
    /// `Io` when it is not WAV or FLAC.
    pub fn from_file(file: File, name: &str) -> Result<Self> {
        let path = Utf8Path::new(name);
        Self::new(path, probe(path, Box::new(file))?)
    }

    /// Reads a file that is in memory. `name` stands in errors.
    ///
    /// # Errors
    /// `Io` when it is not WAV or FLAC.
    pub fn from_bytes(bytes: Vec<u8>, name: &str) -> Result<Self> {
        let path = Utf8Path::new(name);
        Self::new(path, probe(path, Box::new(std::io::Cursor::new(bytes)))?)
    }

    fn new(path: &Utf8Path, opened: Opened) -> Result<Self> {
        let Opened { reader, track, params, info } = opened;
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(&params, &AudioDecoderOptions::default())
            .map_err(|error| io(path, error))?;
        Ok(Self { path: path.to_owned(), reader, track, decoder, info, decoded: Vec::new(), given: 0 })
    }

    /// What the file says of itself.
    pub fn info(&self) -> &AudioInfo {
        &self.info
    }

    /// The next `frames` frames, fewer at the end of the file, `None` after it.
    ///
    /// # Errors
    /// `Io` when the file is broken; nothing is skipped in silence.
    pub fn read(&mut self, frames: usize) -> Result<Option<AudioBuffer>> {
        let mut samples = Vec::new();
        self.append(frames, &mut samples)?;
        if samples.is_empty() {
            return Ok(None);
        }
        AudioBuffer::new(samples, self.info.format).map(Some)
    }

    /// Appends up to `frames` frames.
    fn append(&mut self, frames: usize, samples: &mut Vec<f32>) -> Result<()> {
        let mut wanted = frames.saturating_mul(usize::from(self.info.format.channels()));
        while wanted > 0 && (self.given < self.decoded.len() || self.decode()?) {
            let count = wanted.min(self.decoded.len() - self.given);
            make_room(samples, count)?;
            samples.extend_from_slice(&self.decoded[self.given..self.given + count]);
            self.given += count;
            wanted -= count;
        }
        Ok(())
    }

    /// Passes over up to `frames` frames, and says how many there were.
    fn skip(&mut self, frames: u64) -> Result<u64> {
        let channels = usize::from(self.info.format.channels());
        let mut skipped = 0;
        while skipped < frames && (self.given < self.decoded.len() || self.decode()?) {
            let held = ((self.decoded.len() - self.given) / channels) as u64;
            let count = held.min(frames - skipped);
            self.given += count as usize * channels;
            skipped += count;
        }
        Ok(skipped)
    }

    /// Decodes the next packet. False at the end.
    fn decode(&mut self) -> Result<bool> {
        let path = &self.path;
        loop {
            let packet = match self.reader.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(false),
                Err(MediaError::IoError(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    return Err(io(path, "it ends in the middle of its audio"));
                }
                Err(error) => return Err(io(path, error)),
            };
            if packet.track_id != self.track {
                continue;
            }
            let decoded = self.decoder.decode(&packet);
            let decoded = decoded.map_err(|error| io(path, format!("its audio is broken ({error})")))?;
            let (rate, channels) = (decoded.spec().rate(), decoded.spec().channels().count());
            let format = self.info.format;
            if rate != format.sample_rate_hz() || channels != usize::from(format.channels()) {
                return Err(io(path, "its format changes in the middle"));
            }
            decoded.copy_to_vec_interleaved(&mut self.decoded);
            self.given = 0;
            if !self.decoded.is_empty() {
                return Ok(true);
            }
        }
    }
}

impl std::fmt::Debug for AudioReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AudioReader").field("path", &self.path).field("info", &self.info).finish_non_exhaustive()
    }
}

/// Reads audio from frame `start` on, at most `frames` of it.
///
/// # Errors
/// `Io` when the file cannot be read or is broken; nothing is skipped in silence. `InputValue` when `start` lies
/// beyond the end.
pub fn read(path: &Utf8Path, start: u64, frames: Option<u64>) -> Result<AudioBuffer> {
    read_from(AudioReader::open(path)?, start, frames)
}

/// Like [`read`], from the start of a reader.
///
/// # Errors
/// As [`read`].
pub fn read_from(mut reader: AudioReader, start: u64, frames: Option<u64>) -> Result<AudioBuffer> {
    if reader.skip(start)? < start {
        let path = &reader.path;
        return Err(Error::new(ErrorKind::InputValue, format!("start is {start}, beyond the end of {path}")));
    }
    let stated = reader.info.frames.unwrap_or(0).saturating_sub(start).min(frames.unwrap_or(u64::MAX));
    // The header may lie: beyond what a file of this size can well hold, it decides a first size only.
    let likely = std::fs::metadata(&reader.path).map_or(0, |file| file.len().saturating_mul(MOST_SAMPLES_PER_BYTE));
    let stated = stated.saturating_mul(reader.info.format.channels().into());
    let first = usize::try_from(if stated <= likely { stated } else { stated.min(FIRST_SAMPLES) }).unwrap_or(0);
    let mut samples: Vec<f32> = Vec::new();
    make_room(&mut samples, first)?;
    let frames = frames.map_or(usize::MAX, |frames| usize::try_from(frames).unwrap_or(usize::MAX));
    reader.append(frames, &mut samples)?;
    AudioBuffer::new(samples, reader.info.format)
}
