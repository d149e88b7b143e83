//! Deadlines on the clock that both sides of a machine share.

use std::time::Duration;

pub use super::os::now_ns;

/// The longest wait without a look at what ends it before its time: a deadline, the end of a worker, a stop flag, Ctrl-C.
pub const LOOK: Duration = Duration::from_millis(50);

/// So many milliseconds from now.
pub fn deadline(timeout_ms: u64) -> i64 {
    now_ns().saturating_add(i64::try_from(timeout_ms).unwrap_or(i64::MAX).saturating_mul(1_000_000))
}

/// What is left until then; nothing when it is over.
pub fn left(deadline_ns: i64) -> Duration {
    Duration::from_nanos(elapsed(now_ns(), deadline_ns))
}

/// From one time to another, in ns.
pub fn elapsed(from_ns: i64, to_ns: i64) -> u64 {
    u64::try_from(to_ns.saturating_sub(from_ns)).unwrap_or(0)
}
