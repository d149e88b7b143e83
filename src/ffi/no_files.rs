//! What stands for `media` in a build that was made without audio files: every call says so.

use std::convert::Infallible;

use crate::data::{AudioBuffer, AudioFormat};
use crate::error::{Error, ErrorKind, Result};

fn none<T>(path: &str) -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, "this build reads and writes no audio files")
        .at_path(path)
        .hint("build the library with the feature `files`, or decode the file with what the platform has"))
}

/// As `media::AudioInfo`.
pub(super) struct AudioInfo {
    pub(super) format: AudioFormat,
    pub(super) frames: Option<u64>,
    pub(super) container: String,
    pub(super) subtype: String,
}

/// As `media::AudioReader`: there is none.
#[derive(Debug)]
pub(super) struct AudioReader(Infallible);

impl AudioReader {
    pub(super) fn open(path: &str) -> Result<Self> {
        none(path)
    }

    #[cfg(feature = "python")]
    pub(super) fn from_bytes(_data: Vec<u8>, name: &str) -> Result<Self> {
        none(name)
    }

    #[cfg(feature = "python")]
    pub(super) fn from_file(_file: std::fs::File, name: &str) -> Result<Self> {
        none(name)
    }

    pub(super) fn info(&self) -> &AudioInfo {
        match self.0 {}
    }

    pub(super) fn read(&mut self, _frames: usize) -> Result<Option<AudioBuffer>> {
        match self.0 {}
    }
}

pub(super) fn info(path: &str) -> Result<AudioInfo> {
    none(path)
}

pub(super) fn read_from(reader: AudioReader, _start: u64, _frames: Option<u64>) -> Result<AudioBuffer> {
    match reader.0 {}
}

/// As `media::Subtype`, not looked at: the call that it is for fails.
pub(super) struct Subtype;

impl std::str::FromStr for Subtype {
    type Err = Error;

    fn from_str(_name: &str) -> Result<Self> {
        Ok(Self)
    }
}

pub(super) fn write(path: &str, _audio: &AudioBuffer, _subtype: Option<Subtype>) -> Result<()> {
    none(path)
}
