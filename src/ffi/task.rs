//! Waiting for a run from another language's executor.
//!
//! The waiting itself needs no runtime of ours: the run computes on a compute thread and wakes whoever waits.

use std::sync::Arc;

use crate::data::RuntimeData;
use crate::engine::{Job, RunOptions, RunResults};
use crate::error::Result;
use crate::runtime::{Pipeline, Runtime};

/// Stops a run when its wait is dropped: a cancelled coroutine leaves nothing running.
struct StopOnDrop(Job);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Runs items on a compute thread and waits. Cancel-safe: dropping the wait stops the run.
pub(super) async fn run(pipeline: &Pipeline, items: Vec<RuntimeData>, options: RunOptions) -> Result<RunResults> {
    let runtime: Arc<Runtime> = Runtime::shared();
    let job = StopOnDrop(pipeline.start(&runtime, items, options, 0)?);
    job.0.finished().await;
    job.0.take()
}
