//! Live streams: items pushed on one side, results awaited on the other.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::Notify;

use super::error::{RemoteMediaError, out_of_range};
use super::item::Item;
use super::pipeline::Pipeline;
use super::session::{SessionConfig, StreamOutput, options, parsed, stream_outputs};
use crate::engine::{LiveOptions, Pushed};
use crate::runtime::Runtime;

type Answer<T> = std::result::Result<T, RemoteMediaError>;

/// What happens when a queue is full.
#[derive(Debug, Clone, Copy, uniffi::Enum)]
pub enum WhenFull {
    /// Whoever pushes waits.
    Wait,
    /// The oldest one goes.
    DropOldest,
    /// The new one goes.
    DropNewest,
    /// Only the new one stays.
    Latest,
}

/// A live stream: push and await results at the same time, from any thread.
#[derive(Debug, uniffi::Object)]
pub struct LiveStream {
    pub(super) inner: crate::engine::Live,
    pub(super) graph: Arc<crate::graph::Graph>,
}

#[uniffi::export]
impl Pipeline {
    /// Opens a live stream. `queue`: how many items, and how many results, may wait.
    pub fn live(&self, config: SessionConfig, queue: i32, when_full: WhenFull) -> Answer<Arc<LiveStream>> {
        let queue = usize::try_from(queue).map_err(|_| out_of_range("queue", queue.into(), "1 or more"))?;
        let when_full = match when_full {
            WhenFull::Wait => crate::engine::WhenFull::Wait,
            WhenFull::DropOldest => crate::engine::WhenFull::DropOldest,
            WhenFull::DropNewest => crate::engine::WhenFull::DropNewest,
            WhenFull::Latest => crate::engine::WhenFull::Latest,
        };
        let options = LiveOptions { session: options(&config)?, queue, when_full, inline: true };
        let inner = self.inner.live(&Runtime::shared(), options)?;
        Ok(Arc::new(LiveStream { inner, graph: self.inner.graph().clone() }))
    }
}

#[uniffi::export]
impl LiveStream {
    /// Pushes an item. Says whether there was room; if not, wait with `room` and push again. Only the policy `Wait` ever
    /// says no. `to` names the node that takes it.
    #[uniffi::method(default(to = None))]
    pub fn try_push(&self, item: Item, to: Option<String>) -> Answer<bool> {
        let pushed = self.inner.push(item.try_into()?, None, to.as_deref())?;
        Ok(matches!(pushed, Pushed::Taken))
    }

    /// The results that are ready, at most `most`. None: wait with `ready`, unless `is_finished`. Nothing is lost when a
    /// wait is cancelled, because waiting and taking are two calls.
    pub fn take(&self, most: i32) -> Answer<Vec<StreamOutput>> {
        let outputs = self.inner.take(usize::try_from(most).unwrap_or(1).max(1))?;
        Ok(stream_outputs(&self.graph, outputs)?)
    }

    /// No more items: every node gives back what it holds, and `take` gives nothing after that.
    pub fn end(&self) -> Answer<()> {
        Ok(self.inner.end()?)
    }

    /// Throws away what is queued or held, at once. Gives the new generation.
    pub fn interrupt(&self) -> i64 {
        self.inner.interrupt().into()
    }

    /// Begins another stream, also after a failure.
    pub fn reset(&self) -> Answer<()> {
        Ok(self.inner.reset()?)
    }

    /// Changes a parameter of a node, from the next item that reaches it on. The value is JSON text.
    pub fn set_param(&self, node: String, name: String, value_json: String) -> Answer<()> {
        let value: Value = parsed(&name, &value_json)?;
        Ok(self.inner.set_param(&node, &name, &value)?)
    }

    /// How many items a full queue has dropped.
    pub fn dropped_items(&self) -> i64 {
        i64::try_from(self.inner.dropped().0).unwrap_or(i64::MAX)
    }

    /// How many results a full queue has dropped.
    pub fn dropped_outputs(&self) -> i64 {
        i64::try_from(self.inner.dropped().1).unwrap_or(i64::MAX)
    }

    /// Whether all results were taken and there will be no more.
    pub fn is_finished(&self) -> bool {
        self.inner.is_finished()
    }

    /// Waits until there is a result, or nothing more to come.
    pub async fn ready(&self) {
        self.inner.ready().await;
    }

    /// Waits until there is room for an item.
    pub async fn room(&self) {
        self.inner.room().await;
    }

    /// The generation that outputs carry.
    pub fn generation(&self) -> i64 {
        self.inner.generation().into()
    }

    /// Ends it: what is queued or held is dropped. Every later call gives `Closed`.
    pub fn shutdown(&self) {
        self.inner.shutdown();
    }
}

/// Waiting for a live stream, in a way that can be given up. For languages whose tasks cannot drop a future of ours:
/// Swift. Elsewhere, `LiveStream.ready` and `LiveStream.room` are enough.
#[derive(Debug, uniffi::Object)]
pub struct LiveWait {
    stream: Arc<LiveStream>,
    for_room: bool,
    stopped: Notify,
}

#[uniffi::export]
impl LiveStream {
    /// A wait for room for an item. It begins with `LiveWait.done`.
    pub fn wait_for_room(self: Arc<Self>) -> Arc<LiveWait> {
        Arc::new(LiveWait { stream: self, for_room: true, stopped: Notify::new() })
    }

    /// A wait for a result, or for the end. It begins with `LiveWait.done`.
    pub fn wait_for_results(self: Arc<Self>) -> Arc<LiveWait> {
        Arc::new(LiveWait { stream: self, for_room: false, stopped: Notify::new() })
    }
}

#[uniffi::export]
impl LiveWait {
    /// Waits. Comes back also when `stop` was called, before or during it.
    pub async fn done(&self) {
        let waited = async {
            match self.for_room {
                true => self.stream.room().await,
                false => self.stream.ready().await,
            }
        };
        tokio::select! {
            biased;
            () = self.stopped.notified() => {}
            () = waited => {}
        }
    }

    /// Ends the wait at once. Any thread may call it.
    pub fn stop(&self) {
        self.stopped.notify_one();
    }
}

impl Drop for LiveStream {
    fn drop(&mut self) {
        // Whoever still waits is told.
        self.inner.shutdown();
    }
}

#[cfg(feature = "python")]
mod python {
    use super::*;
    use crate::data::{ArrayBytes, RuntimeData};
    use crate::error::Result;
    use crate::ffi::batch::{EndCall, figures};
    use crate::ffi::feed::{bare, one_item, source};
    use crate::ffi::raw::handle;
    use crate::ffi::session::pts;
    use crate::ffi::{owned, wire};

    /// Gives a buffer that an answer names, each once, to the owner of another number: its address.
    #[uniffi::export]
    pub fn raw_answer_buffer(answer: u64, index: i32, owner: u64) -> Answer<u64> {
        Ok(owned::put_memory(owner, owned::take_buffer(answer, index)?))
    }

    #[uniffi::export]
    impl LiveStream {
        /// What the plain calls take. Keep this object while they may be made.
        pub fn raw_handle(&self) -> u64 {
            handle(self)
        }

        /// Pushes one item of a batch, whose memory is only read until this returns. Says whether there was room.
        pub fn raw_push(&self, batch: &[u8], to: i32, pts_ticks: i64, pts_den: i32) -> Answer<bool> {
            let mut batch = EndCall(wire::batch(batch)?);
            let mut item = one_item(&mut batch)?;
            if let RuntimeData::Numpy(array) = &mut item
                && let ArrayBytes::Foreign(memory) = &array.bytes
            {
                // It is worked on after this call.
                let mut bytes = crate::data::zeros(memory.len())?;
                memory.read(0, &mut bytes);
                array.bytes = ArrayBytes::Owned(Arc::new(bytes));
            }
            let to = source(&self.graph, to.into());
            let pushed = self.inner.push(item, pts(pts_ticks, pts_den)?, to.as_deref())?;
            Ok(matches!(pushed, Pushed::Taken))
        }

        /// The figures of every node, as JSON.
        pub fn raw_metrics(&self) -> String {
            figures(&self.inner.metrics()).to_string()
        }
    }

    impl LiveStream {
        /// Results that are ready, at most `most`. `dtype`, `one_axis`: of the bare arrays that go in; -1 for none. Long
        /// ones are buffers of the answer, which `owner` owns.
        pub(in crate::ffi) fn take_records(
            &self,
            most: usize,
            dtype: i64,
            one_axis: bool,
            owner: u64,
        ) -> Result<Vec<u8>> {
            let bare = bare(dtype, one_axis)?;
            let (bytes, buffers) = wire::outputs_with_buffers(self.inner.take(most)?, bare)?;
            if !buffers.is_empty() {
                owned::put_buffers(owner, buffers);
            }
            Ok(bytes)
        }
    }
}
