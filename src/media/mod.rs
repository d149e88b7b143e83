//! Audio files to data and back: WAV and FLAC.

mod read;
mod write;

pub use read::{AudioInfo, AudioReader, info, read};
pub use write::{Subtype, wav_bytes, write};
