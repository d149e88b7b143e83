//! A seat: the instance of a Python node that serves one stream, wherever it is.

use serde_json::{Value, json};

use super::reply::Reply;
use super::wire::{Head, Payload};
use crate::error::Result;
use crate::node::Nudge;

/// An instance of a node. One thread at a time.
pub trait Seat: Send {
    /// Sends a request; gives its number. The sequence number, the stream and the deadline are the seat's to fill in.
    ///
    /// # Errors
    /// `WorkerCrashed`, `Timeout`, `Full`.
    fn send(&mut self, head: Head, payload: &Payload<'_>) -> Result<u64>;

    /// Waits for the next reply to a request. Replies to older ones are dropped. `None`: nudged.
    ///
    /// # Errors
    /// `WorkerCrashed`, `Timeout`.
    fn receive(&mut self, sequence: u64, nudge: Option<&Nudge>) -> Result<Option<Reply>>;

    /// Gives up what was asked and not begun, if that can be said at once. Nobody waits for it any more.
    fn abandon(&mut self);

    /// Whether the instance is lost, and with it what it held.
    fn is_lost(&self) -> bool;

    /// Whether the node of a lost seat is to be started again.
    ///
    /// # Errors
    /// `Closed` when the wait for others was stopped.
    fn may_renew(&mut self) -> Result<bool>;

    /// Takes another seat in place of a lost one that [`may_renew`](Self::may_renew): waits until it is time.
    ///
    /// # Errors
    /// What the start says.
    fn renew(&mut self) -> Result<()>;

    /// Where the time of its frames went.
    fn times(&self) -> Option<&Times> {
        None
    }
}

/// Where the time of frames went, in ns.
#[derive(Debug, Clone, Default)]
pub struct Times {
    /// Frames that were answered.
    pub frames: u64,
    /// From the send to when the worker took the request.
    pub queue: u64,
    /// Into shared memory and out of it, on this side.
    pub copy: u64,
    /// In the worker, from taking the request to its last reply.
    pub process: u64,
    /// From the last reply to when it was seen here.
    pub reply: u64,
    /// Starts of the worker beyond the first.
    pub restarts: u64,
}

impl Times {
    /// The sum of both. What another process says of time is not trusted.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            frames: self.frames.saturating_add(other.frames),
            queue: self.queue.saturating_add(other.queue),
            copy: self.copy.saturating_add(other.copy),
            process: self.process.saturating_add(other.process),
            reply: self.reply.saturating_add(other.reply),
            restarts: self.restarts.saturating_add(other.restarts),
        }
    }

    /// As JSON, in microseconds.
    pub fn to_json(&self) -> Value {
        let us = |ns: u64| ns as f64 / 1e3;
        json!({
            "frames": self.frames,
            "queue_us": us(self.queue),
            "copy_us": us(self.copy),
            "process_us": us(self.process),
            "reply_us": us(self.reply),
            "restarts": self.restarts,
        })
    }
}
