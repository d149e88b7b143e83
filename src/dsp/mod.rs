//! Pure algorithms on slices. Nothing here knows of packets, nodes or files.
//!
//! For the package `remotemedia` alone: what is public here may change with every commit.

mod fft;
pub mod level;
pub mod resample;
pub mod segment;
pub mod silero;
mod simd;
