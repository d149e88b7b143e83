//! Audio files to data and back: WAV and FLAC.

mod read;
mod write;

pub use read::{AudioInfo, AudioReader, info, read, read_from};
pub use write::{Subtype, check_name, wav_bytes, write, write_at};
