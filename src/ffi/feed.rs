//! What the Python package calls on a session: records in, records out.

use std::sync::{Arc, PoisonError};

use super::audio::blob;
use super::batch::{EndCall, figures};
use super::error::RemoteMediaError;
use super::pipeline::Pipeline;
use super::raw::{Blob, RawBuffer};
use super::session::{Session, SessionConfig, options, pts};
use super::{dtype, wire};
use crate::data::RuntimeData;
use crate::engine::{SessionOptions, SessionOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Graph;

type Answer<T> = std::result::Result<T, RemoteMediaError>;

/// The one item of a batch.
pub(super) fn one_item(batch: &mut EndCall) -> Result<RuntimeData> {
    let item = batch.0.items.pop().filter(|_| batch.0.items.is_empty());
    item.ok_or_else(|| Error::new(ErrorKind::InputValue, "a batch of one item is expected"))
}

/// What bare arrays are that go in: element type by number, -1 for none.
pub(super) fn bare(dtype: i32, one_axis: bool) -> Result<Option<wire::Bare>> {
    if dtype == -1 {
        return Ok(None);
    }
    let (dtype, order) = dtype::from_number(i16::try_from(dtype).unwrap_or(-1))?;
    Ok(Some((dtype, order, one_axis)))
}

fn sources(graph: &Graph) -> Vec<String> {
    graph.takers().map(|node| graph.nodes[node].id.clone()).collect()
}

/// The id of a source by its position among them; none below 0.
pub(super) fn source(graph: &Graph, to: i32) -> Option<String> {
    let node = usize::try_from(to).ok().and_then(|to| graph.takers().nth(to))?;
    Some(graph.nodes[node].id.clone())
}

impl Session {
    fn answer(&self, outputs: Vec<SessionOutput>, bare: Option<wire::Bare>) -> Answer<Blob> {
        let (bytes, buffers) = wire::outputs_with_buffers(outputs, bare)?;
        *self.buffers.lock().unwrap_or_else(PoisonError::into_inner) = buffers;
        Ok(blob(bytes)?)
    }
}

#[uniffi::export]
impl Pipeline {
    /// Opens a session whose workers and models are started with the first packet.
    pub fn raw_session_later(&self, config: SessionConfig) -> Answer<Arc<Session>> {
        self.open_session(SessionOptions { later: true, ..options(&config)? })
    }
}

#[uniffi::export]
impl Session {
    /// Takes one item and gives what comes out. `to` is the position among `raw_sources`, or -1 for all; `pts_den` of 0
    /// says that the item follows the one before. Memory is only read until this returns.
    pub fn raw_feed(&self, batch: &[u8], to: i32, pts_ticks: i64, pts_den: i32) -> Answer<Blob> {
        let mut batch = EndCall(wire::batch(batch)?);
        let item = one_item(&mut batch)?;
        let bare = match &item {
            RuntimeData::Numpy(array) if array.audio.is_none() => {
                Some((array.dtype, array.order, array.shape.len() == 1))
            }
            _ => None,
        };
        let to = source(self.inner.graph(), to);
        let outputs = self.inner.feed(item, pts(pts_ticks, pts_den)?, to.as_deref())?;
        self.answer(outputs, bare)
    }

    /// A buffer that the last answer names, once.
    pub fn raw_buffer(&self, index: i32) -> Answer<Arc<RawBuffer>> {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        let buffer = usize::try_from(index).ok().and_then(|at| buffers.get_mut(at)).and_then(Option::take);
        Ok(buffer.ok_or_else(|| Error::new(ErrorKind::Internal, format!("the answer has no buffer {index}")))?)
    }

    /// Ends the stream. `dtype`, `one_axis`: of the bare arrays that went in; -1 for none.
    pub fn raw_flush(&self, dtype: i32, one_axis: bool) -> Answer<Blob> {
        let bare = bare(dtype, one_axis)?;
        let outputs = self.inner.flush()?;
        self.answer(outputs, bare)
    }

    /// Starts workers and loads models.
    pub fn raw_prepare(&self) -> Answer<()> {
        Ok(self.inner.prepare()?)
    }

    /// Ends the session, and leaves what was started for it, and not used, to whoever comes next.
    pub fn raw_release(&self) {
        self.inner.release();
    }

    /// The ids of the nodes that take input.
    pub fn raw_sources(&self) -> Vec<String> {
        sources(self.inner.graph())
    }

    /// Estimated CPU time of a frame of so many frames, in nanoseconds.
    pub fn raw_cost_ns(&self, frames: i64) -> f64 {
        self.inner.graph().cost_ns(u64::try_from(frames).unwrap_or(0))
    }

    /// The figures of every node, as JSON.
    pub fn raw_metrics(&self) -> Answer<String> {
        Ok(figures(&self.inner.metrics()?).to_string())
    }
}
