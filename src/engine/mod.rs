//! Runs graphs: one-shot runs with exact counts, compute threads, jobs that can be waited for and stopped, metrics.

mod adapt;
mod collect;
mod compute;
mod deliver;
mod entrance;
mod group;
mod idle;
mod job;
mod live;
mod live_stage;
mod metrics;
mod run;
mod session;
mod stop;
mod stream;
mod verify;

pub use collect::{PortResult, ResultItem};
pub use compute::{Compute, Ticket};
pub use group::Group;
pub use idle::Idle;
pub use job::Job;
pub use live::{Live, LiveOptions, Pushed, Spawn, WhenFull};
pub use metrics::{NodeMetrics, RunMetrics};
pub use run::{RunOptions, RunResults, run};
pub use session::{Session, SessionOptions, SessionOutput};
pub use stop::StopFlag;
pub use stream::{Stream, StreamOptions, Warning, WarningKind};
pub use verify::{VerifyCase, VerifyOptions, VerifyReport, verify};

/// Audio is processed in slices of at most this many samples, with a look at the stop flag between them. A slice and what
/// is made of it stay in the second-level cache.
pub const SLICE_SAMPLES: usize = 65_536;

/// Frames of a slice of so many channels.
fn slice_frames(channels: usize) -> usize {
    (SLICE_SAMPLES / channels).max(1)
}
