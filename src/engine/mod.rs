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

use crate::data::AudioFormat;
pub use collect::{PortResult, ResultItem};
pub use compute::{Compute, Ticket};
pub use group::Group;
pub use idle::Idle;
pub use job::Job;
pub use live::{Live, LiveOptions, Pushed, Spawn, WhenFull};
pub use metrics::{NodeMetrics, RunMetrics};
pub use run::{RunOptions, RunResults, cost_ns, run};
pub use session::{Session, SessionOptions, SessionOutput};
pub use stop::StopFlag;

pub use stream::{Stream, StreamOptions, Warning, WarningKind};
pub use verify::{VerifyCase, VerifyOptions, VerifyReport, verify};

/// Audio is processed in slices of at most this many samples, with a look at the stop flag between them. A slice and what
/// is made of it stay in the second-level cache.
pub const SLICE_SAMPLES: usize = 65_536;

/// A slice lasts no longer than this, whatever its rate: what is made of it at a higher rate is bounded too.
const SLICE_S: usize = 8;

/// Frames of a slice of a format, for a node that makes up to `growth` samples of one.
fn slice_frames(format: AudioFormat, growth: usize) -> usize {
    let samples = SLICE_SAMPLES / usize::from(format.channels());
    (samples.min(SLICE_S * format.sample_rate_hz() as usize) / growth).max(1)
}
