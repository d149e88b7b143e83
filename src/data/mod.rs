//! What flows through a pipeline: audio, video, arrays, text, JSON, bytes, each with exact media time.

mod array;
mod audio;
mod convert;
pub(crate) mod denormals;
mod format;
mod packet;
mod pages;
mod pool;
mod pts;
mod samples;
mod video;

pub use array::{ArrayBytes, ByteOrder, DType, ForeignMemory, NdArray};
pub use audio::AudioBuffer;
pub use convert::{ClipCount, read_samples, write_samples};
pub use format::{AudioFormat, Format, Kind, Kinds, VideoFormat};
pub use packet::{Control, Packet, RuntimeData};
#[cfg(feature = "python")]
pub(crate) use pages::no_memory;
pub(crate) use pages::{copy_of, keep_room, make_room, room_for, with_room, zeros};
pub use pool::Pool;
pub(crate) use pts::gcd;
pub use pts::{Duration, Pts};
pub use samples::Samples;
pub use video::{PixelFormat, VideoFrame};
