//! Everything that other languages call, exported with UniFFI. This layer converts and forwards: what needs to know
//! about media belongs below.
//!
//! What starts with `raw_` or `Raw` is for the Python package alone and is left out of Kotlin and Swift (the lane's
//! staging memory excepted, which Kotlin has as well). Everything else is exported by every build, whatever its features
//! are: the sources generated once fit each library, and what a build cannot do is an error of kind `Unsupported`.

// UniFFI wants the error by value, and serialises it anyway.
#![allow(clippy::result_large_err)]

mod audio;
#[cfg(feature = "python")]
mod batch;
#[cfg(feature = "python")]
mod c_abi;
mod calls;
mod dtype;
mod error;
#[cfg(feature = "python")]
mod feed;
mod files;
#[cfg(feature = "python")]
mod group;
#[cfg(feature = "python")]
mod interpreter;
mod item;
mod lane;
mod live;
#[cfg(feature = "python")]
mod log_writer;
#[cfg(feature = "python")]
mod logging;
#[cfg(not(feature = "files"))]
mod no_files;
#[cfg(all(feature = "python", feature = "ipc"))]
mod nodes;
#[cfg(feature = "python")]
mod owned;
mod pipeline;
mod process;
mod raw;
mod session;
mod task;
mod video;
#[cfg(feature = "python")]
mod wire;

pub use audio::AudioBuffer;
#[cfg(feature = "python")]
pub use batch::{raw_run_buffer, raw_run_finished, raw_run_stop, raw_run_wait};
#[cfg(feature = "python")]
pub use c_abi::{
    remotemedia_group_take, remotemedia_live_take, remotemedia_run, remotemedia_run_start, remotemedia_run_take,
    remotemedia_session_feed, remotemedia_session_flush,
};
pub use calls::{execute_pipeline, execute_pipeline_with_input, node_catalog, version};
pub use error::{ErrorInfo, Problem, RemoteMediaError};
pub use files::{AudioInfo, AudioReader, audio_info, read_audio, write_audio};
#[cfg(feature = "python")]
pub use group::RawGroup;
#[cfg(feature = "python")]
pub use interpreter::{
    raw_failure, remotemedia_owner_end, remotemedia_python, remotemedia_python_nodes, remotemedia_run_end,
    remotemedia_take_raised, remotemedia_wake,
};
pub use item::{Item, Output};
pub use lane::RawLane;
pub use live::{LiveStream, WhenFull};
pub use pipeline::{Pipeline, PipelineRun, PortFormat};
#[cfg(feature = "python")]
pub use raw::raw_next_released;
pub use raw::{Blob, remotemedia_lane_api, remotemedia_lane_process};
pub use session::{Session, SessionConfig, StreamOutput};
pub use video::VideoFrame;

#[cfg(feature = "cli")]
pub use calls::cli_main;
#[cfg(feature = "python")]
pub use logging::{raw_log_attach, raw_log_detach, raw_log_next};
#[cfg(all(feature = "python", feature = "ipc"))]
pub use nodes::{RawServing, raw_interpreter, raw_nodes_install, raw_register_node};
#[cfg(all(feature = "python", feature = "ipc"))]
pub use raw::{remotemedia_node_memory, remotemedia_node_next, remotemedia_node_reply};

#[cfg(feature = "python")]
pub use calls::{raw_after_fork, raw_shutdown};
