//! What the Python package calls on a session: records in, records out.

use std::sync::{Arc, PoisonError};

use super::batch::{EndCall, figures};
use super::error::RemoteMediaError;
use super::pipeline::Pipeline;
use super::raw::handle;
use super::session::{Session, SessionConfig, options, pts};
use super::{dtype, owned, wire};
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

/// When an item is: ticks and denominator; a denominator of 0 for none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time {
    pub(super) ticks: i64,
    pub(super) den: i64,
}

/// What bare arrays are that go in: element type by number, -1 for none.
pub(super) fn bare(dtype: i64, one_axis: bool) -> Result<Option<wire::Bare>> {
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
pub(super) fn source(graph: &Graph, to: i64) -> Option<String> {
    let node = usize::try_from(to).ok().and_then(|to| graph.takers().nth(to))?;
    Some(graph.nodes[node].id.clone())
}

impl Session {
    fn answer(&self, outputs: Vec<SessionOutput>, bare: Option<wire::Bare>) -> Result<Vec<u8>> {
        let (bytes, buffers) = wire::outputs_with_buffers(outputs, bare)?;
        *self.buffers.lock().unwrap_or_else(PoisonError::into_inner) = buffers;
        Ok(bytes)
    }

    /// Takes one item and gives what comes out. `to` is the position among `raw_sources`, or -1 for all. Memory is only
    /// read until this returns.
    pub(super) fn feed_records(&self, records: &[u8], to: i64, time: Time) -> Result<Vec<u8>> {
        let mut batch = EndCall(wire::batch(records)?);
        let item = one_item(&mut batch)?;
        let bare = match &item {
            RuntimeData::Numpy(array) if array.audio.is_none() => {
                Some((array.dtype, array.order, array.shape.len() == 1))
            }
            _ => None,
        };
        let to = source(self.inner.graph(), to);
        let pts = pts(time.ticks, i32::try_from(time.den).unwrap_or(-1))?;
        let outputs = self.inner.feed(item, pts, to.as_deref())?;
        self.answer(outputs, bare)
    }

    /// Ends the stream. `dtype`, `one_axis`: of the bare arrays that went in; -1 for none.
    pub(super) fn flush_records(&self, dtype: i64, one_axis: bool) -> Result<Vec<u8>> {
        let bare = bare(dtype, one_axis)?;
        let outputs = self.inner.flush()?;
        self.answer(outputs, bare)
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
    /// What the plain calls take. Keep this object while they may be made.
    pub fn raw_handle(&self) -> u64 {
        handle(self)
    }

    /// Gives a buffer that the last answer names, each once, to the owner of a number: its address.
    pub fn raw_buffer(&self, index: i32, owner: u64) -> Answer<u64> {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(owned::put_memory(owner, wire::take_out(&mut buffers, index)?))
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
        self.inner.cost_ns(u64::try_from(frames).unwrap_or(0))
    }

    /// The figures of every node, as JSON.
    pub fn raw_metrics(&self) -> Answer<String> {
        Ok(figures(&self.inner.metrics()?).to_string())
    }
}
