//! RemoteMedia runs media pipelines described by a JSON manifest: audio (speech first), video frames, arrays, text.
//!
//! ```
//! use remotemedia::{AudioBuffer, AudioFormat, Pipeline, RunOptions, RuntimeData};
//!
//! let pipeline = Pipeline::new(r#"{
//!     "version": "v1",
//!     "nodes": [{"id": "resample", "node_type": "AudioResample", "params": {"target_rate": 16000}}]
//! }"#)?;
//! let second = AudioBuffer::new(vec![0.0; 48_000], AudioFormat::new(48_000, 1)?)?;
//! let results = pipeline.run(vec![second.into()], &RunOptions::default())?;
//! let RuntimeData::Audio(audio) = &results.ports[0].items[0].data else { panic!("not audio") };
//! assert_eq!(audio.frames(), 16_000);
//! # Ok::<(), remotemedia::Error>(())
//! ```
//!
//! `docs/architecture.md` walks through the modules. Each may use only those above it:
//! [`error`], [`codes`], [`data`], `dsp`, `media`, [`manifest`], [`node`], [`graph`], [`builtin`], [`engine`], [`runtime`],
//! `cli`, `ffi`.

pub mod builtin;
#[cfg(feature = "cli")]
pub mod cli;
pub mod codes;
pub mod data;
pub mod engine;
pub mod error;
#[cfg(feature = "ffi")]
pub mod ffi;
#[cfg(any(feature = "ipc", feature = "python"))]
mod fork;
pub mod graph;
#[cfg(feature = "ipc")]
pub mod ipc;
pub mod manifest;
#[cfg(feature = "files")]
pub mod media;
pub mod node;
pub mod runtime;
mod words;

#[cfg(feature = "audio")]
use remotemedia_dsp as dsp;

pub use data::{
    AudioBuffer, AudioFormat, Format, Kind, NdArray, Packet, PixelFormat, Pts, RuntimeData, VideoFormat, VideoFrame,
};
pub use engine::{PortResult, RunOptions, RunResults, Session, SessionOptions, SessionOutput};
pub use error::{Error, ErrorKind, Problem, Result, Severity};
pub use runtime::{Pipeline, Runtime};

/// The version of this crate and of every package made from it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

#[cfg(feature = "ffi")]
uniffi::setup_scaffolding!();
