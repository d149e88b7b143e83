//! Pure algorithms on slices. Nothing here knows of packets, nodes or files.

mod fft;
pub(crate) mod level;
pub(crate) mod resample;
pub(crate) mod segment;
pub(crate) mod silero;
mod simd;
