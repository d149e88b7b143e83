//! Audio files. A build without the feature `files` exports the same, and says so when it is called.

use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use super::audio::AudioBuffer;
use super::error::{RemoteMediaError, out_of_range};
#[cfg(not(feature = "files"))]
use super::no_files as media;
use crate::error::{Error, ErrorKind};
#[cfg(feature = "files")]
use crate::media;

/// What a file says of itself.
#[derive(Debug, Clone, uniffi::Record)]
pub struct AudioInfo {
    /// Sample rate in Hz.
    pub sample_rate_hz: i32,
    /// Number of channels.
    pub channels: i32,
    /// Length in frames; -1 when the file does not state it.
    pub frames: i64,
    /// `WAV` or `FLAC`.
    pub container: String,
    /// How the samples are stored, for example `PCM_16`.
    pub subtype: String,
}

/// What an audio file says of itself, without reading its audio.
#[uniffi::export]
pub fn audio_info(path: String) -> Result<AudioInfo, RemoteMediaError> {
    Ok(info(&media::info(path.as_ref())?))
}

fn info(info: &media::AudioInfo) -> AudioInfo {
    AudioInfo {
        sample_rate_hz: i32::try_from(info.format.sample_rate_hz()).unwrap_or(i32::MAX),
        channels: info.format.channels().into(),
        frames: info.frames.and_then(|frames| i64::try_from(frames).ok()).unwrap_or(-1),
        container: info.container.clone(),
        subtype: info.subtype.clone(),
    }
}

/// Reads a WAV or FLAC file from frame `start_frame` on, at most `frames` of it (-1: to the end). With a
/// `sample_rate_hz` other than 0 it is resampled, with `mono` its channels are mixed.
#[uniffi::export]
pub fn read_audio(
    path: String,
    start_frame: i64,
    frames: i64,
    sample_rate_hz: i32,
    mono: bool,
) -> Result<Arc<AudioBuffer>, RemoteMediaError> {
    part(media::AudioReader::open(path.as_ref())?, start_frame, frames, sample_rate_hz, mono)
}

fn part(
    reader: media::AudioReader,
    start_frame: i64,
    frames: i64,
    sample_rate_hz: i32,
    mono: bool,
) -> Result<Arc<AudioBuffer>, RemoteMediaError> {
    let start = u64::try_from(start_frame).map_err(|_| out_of_range("start", start_frame, "0 or more"))?;
    let rate =
        u32::try_from(sample_rate_hz).map_err(|_| out_of_range("sample_rate", sample_rate_hz.into(), "1 or more"))?;
    let inner = media::read_from(reader, start, u64::try_from(frames).ok())?;
    let inner = crate::runtime::convert(inner, (rate > 0).then_some(rate), mono)?;
    Ok(Arc::new(AudioBuffer { inner }))
}

/// Like `read_audio`, of a file that is in memory. `name` stands in errors.
#[cfg(feature = "python")]
#[uniffi::export]
pub fn raw_read_audio(
    data: &[u8],
    name: String,
    start_frame: i64,
    frames: i64,
    sample_rate_hz: i32,
    mono: bool,
) -> Result<Arc<AudioBuffer>, RemoteMediaError> {
    part(media::AudioReader::from_bytes(crate::data::copy_of(data)?, &name)?, start_frame, frames, sample_rate_hz, mono)
}

/// An audio file, read piece by piece.
#[derive(Debug, uniffi::Object)]
pub struct AudioReader {
    inner: Mutex<media::AudioReader>,
}

#[uniffi::export]
impl AudioReader {
    /// Opens a WAV or FLAC file.
    #[uniffi::constructor]
    pub fn new(path: String) -> Result<Arc<Self>, RemoteMediaError> {
        Ok(Arc::new(Self { inner: Mutex::new(media::AudioReader::open(path.as_ref())?) }))
    }

    /// What the file says of itself.
    pub fn info(&self) -> AudioInfo {
        info(self.inner.lock().unwrap_or_else(PoisonError::into_inner).info())
    }

    /// The next `frames` frames, fewer at the end of the file, nothing after it. One thread at a time.
    pub fn read(&self, frames: i64) -> Result<Option<Arc<AudioBuffer>>, RemoteMediaError> {
        let frames = usize::try_from(frames).map_err(|_| out_of_range("frames", frames, "0 or more"))?;
        let mut reader = match self.inner.try_lock() {
            Ok(reader) => reader,
            Err(TryLockError::Poisoned(reader)) => reader.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(ErrorKind::Busy, "another thread reads from this file").into());
            }
        };
        Ok(reader.read(frames)?.map(|inner| Arc::new(AudioBuffer { inner })))
    }
}

#[cfg(feature = "python")]
#[uniffi::export]
impl AudioReader {
    /// Reads a file that is in memory, such as what came out of a pipe. `name` stands in errors.
    #[uniffi::constructor]
    pub fn raw_of_bytes(data: &[u8], name: String) -> Result<Arc<Self>, RemoteMediaError> {
        let data = crate::data::copy_of(data)?;
        Ok(Arc::new(Self { inner: Mutex::new(media::AudioReader::from_bytes(data, &name)?) }))
    }

    /// Reads from a file that the caller has opened, and that is ours from now on. `name` stands in errors.
    #[uniffi::constructor]
    pub fn raw_of_descriptor(descriptor: i32, name: String) -> Result<Arc<Self>, RemoteMediaError> {
        let reader = media::AudioReader::from_file(super::raw::file_of(descriptor)?, &name)?;
        Ok(Arc::new(Self { inner: Mutex::new(reader) }))
    }
}

/// Writes audio to a `.wav` or `.flac` file. `subtype` is PCM_16 (also when empty), PCM_24, PCM_32 or FLOAT.
#[uniffi::export]
pub fn write_audio(path: String, audio: Arc<AudioBuffer>, subtype: String) -> Result<(), RemoteMediaError> {
    let subtype = if subtype.is_empty() { None } else { Some(subtype.parse()?) };
    Ok(media::write(path.as_ref(), &audio.inner, subtype)?)
}
