//! Streams that wait to be used again, so that a short run does not build plans and load weights anew.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, TryLockError};

use super::stream::{Stream, StreamOptions};
use crate::error::Result;
use crate::graph::Graph;

/// The most streams kept.
const KEPT: usize = 4;

/// A few streams of one graph, reset.
#[derive(Debug, Default)]
pub struct Idle {
    streams: Mutex<Vec<Stream>>,
    closed: AtomicBool,
}

impl Idle {
    /// A stream that waits, or a new one.
    ///
    /// # Errors
    /// What a node says against its parameters.
    pub fn take(&self, graph: &Arc<Graph>, options: StreamOptions) -> Result<Stream> {
        let suits = |streams: &mut Vec<Stream>| {
            let last = streams.iter().rposition(|stream| stream.opened_for() == options.opening)?;
            Some(streams.swap_remove(last))
        };
        if let Some(mut stream) = self.with(suits).flatten() {
            stream.set_options(options);
            return Ok(stream);
        }
        Stream::new(graph.clone(), options)
    }

    /// Keeps a stream that has ended well.
    pub fn put(&self, mut stream: Stream) {
        // Reset here, so that what it holds is freed now and the next run need not do it.
        if !self.closed.load(Ordering::Relaxed) && stream.reset() {
            self.with(|streams| {
                if streams.len() < KEPT {
                    streams.push(stream);
                }
            });
        }
    }

    /// Lets go of the streams that wait. None is kept any more.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        drop(self.with(std::mem::take));
    }

    /// Never waits: a forked child may find the lock taken for ever.
    fn with<T>(&self, work: impl FnOnce(&mut Vec<Stream>) -> T) -> Option<T> {
        match self.streams.try_lock() {
            Ok(mut streams) => Some(work(&mut streams)),
            Err(TryLockError::Poisoned(streams)) => Some(work(&mut streams.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}
