//! What a Python node answers.

use std::collections::VecDeque;

use serde_json::Value;

use super::wire::{self, ERROR, Head, LAST};
use crate::data::{Kind, Pool, RuntimeData};
use crate::error::{Error, ErrorKind, Result};

/// One answer to a request; a request may have many.
#[derive(Debug)]
pub struct Reply {
    /// Its head.
    pub head: Head,
    /// What it says.
    pub body: Body,
}

/// What a reply says.
#[derive(Debug)]
pub enum Body {
    /// Nothing but that it is there.
    Nothing,
    /// A result.
    Data(RuntimeData),
    /// What a question about the node was answered.
    Answer(Value),
    /// It went wrong.
    Failed(Error),
}

impl Reply {
    /// Reads a frame.
    ///
    /// # Errors
    /// `Internal` when it is malformed.
    pub fn read(head: Head, payload: &[u8], pool: &Pool) -> Result<Self> {
        let body = if head.flags & ERROR != 0 {
            Body::Failed(error(payload))
        } else if head.kind != Kind::Control {
            Body::Data(head.data(payload, pool)?)
        } else if payload.is_empty() {
            Body::Nothing
        } else {
            Body::Answer(wire::json(payload).unwrap_or(Value::Null))
        };
        Ok(Self { head, body })
    }

    fn bytes(&self) -> usize {
        if let Body::Data(data) = &self.body { data.bytes() } else { 0 }
    }

    /// Whether the request is answered with it.
    pub fn is_last(&self) -> bool {
        self.head.flags & LAST != 0
    }
}

/// What has come for one stream and was not taken yet.
#[derive(Debug, Default)]
pub struct Inbox {
    replies: VecDeque<Reply>,
    bytes: usize,
}

impl Inbox {
    /// Keeps a reply.
    pub fn put(&mut self, reply: Reply) {
        self.bytes += reply.bytes();
        self.replies.push_back(reply);
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.replies.len()
    }

    /// How much data waits.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The next reply to a request. Replies to older ones are dropped: nobody waits for them any more.
    pub fn next(&mut self, sequence: u64) -> Option<Reply> {
        loop {
            let reply = self.replies.pop_front()?;
            self.bytes -= reply.bytes();
            if reply.head.sequence >= sequence {
                return Some(reply);
            }
        }
    }
}

/// What a node is told that goes on giving results of a request which was given up.
pub fn given_up() -> Error {
    Error::new(ErrorKind::Closed, "nobody wants the result any more")
}

/// An error as the other side has written it: `{"kind", "reason", "traceback", "hint"}`.
fn error(payload: &[u8]) -> Error {
    let value = wire::json(payload).unwrap_or(Value::Null);
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    let code = if text("kind") == "Escaped" { "RM0403" } else { "RM0402" };
    let (reason, traceback) = (text("reason"), text("traceback"));
    let reason = if reason.is_empty() { "the node failed without a reason" } else { reason };
    let message = if traceback.is_empty() { reason.to_owned() } else { format!("{reason}\n{}", traceback.trim_end()) };
    let error = Error::new(ErrorKind::Node, message).code_of(code);
    match text("hint") {
        "" => error,
        hint => error.hint(hint),
    }
}
