//! Telling running work to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, ErrorKind, Result};
use crate::graph::Graph;
use crate::node::StopWaiting;

/// A flag that work looks at between slices. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// Asks the work to stop.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether the work was asked to stop.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// While what it gives lives, nodes of a graph that wait on this thread for others end their wait once the flag is
    /// set.
    pub(super) fn ends_waits(&self, graph: &Graph) -> Option<StopWaiting> {
        let flag = self.clone();
        graph.waits().then(|| StopWaiting::when(move || flag.is_set()))
    }

    /// # Errors
    /// `Closed` once the flag is set.
    pub fn check(&self) -> Result<()> {
        if self.is_set() {
            return Err(Error::new(ErrorKind::Closed, "the run was stopped"));
        }
        Ok(())
    }
}
