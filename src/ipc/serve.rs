//! The worker's side of the channel: requests are looked at where they lie, replies are written where they are read.

use std::collections::HashMap;
use std::io::Read as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::os;
use super::shm::{Channel, Place, Received};
use super::wire::{self, Head};
use crate::error::{Error, ErrorKind, Result};

/// How long a waiting worker sleeps at most before it looks again.
const LOOK: Duration = Duration::from_secs(5);
/// How long a reply waits for room at a time.
const ROOM: Duration = Duration::from_micros(200);

/// A worker process at its work.
#[derive(Debug)]
pub struct Serving {
    channel: Channel,
    max_frame_bytes: usize,
    held: Mutex<Held>,
}

/// Memory of the channel that Python looks at.
#[derive(Default)]
struct Held {
    current: Option<Received>,
    /// Requests that somebody still looks at after the node has returned.
    kept: HashMap<u64, Received>,
    next_kept: u64,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("kept", &self.kept.len()).finish_non_exhaustive()
    }
}

impl Serving {
    /// Opens the channel that the host has made, as its first line says.
    ///
    /// # Errors
    /// `Io`; `Internal` when the line is not the host's.
    pub fn start(first_line: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(first_line).unwrap_or(Value::Null);
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        let number = |key: &str| value[key].as_u64().and_then(|number| usize::try_from(number).ok());
        let wrong = || {
            Error::new(ErrorKind::Internal, "this program is started by RemoteMedia and not by hand")
                .hint("set `execution.placement` to \"process\" in a manifest")
        };
        let (Some(prefix), Some(root)) = (text("prefix"), text("root")) else { return Err(wrong()) };
        let (Some(frames), Some(max_frame_bytes)) = (number("frames"), number("max_frame_bytes")) else {
            return Err(wrong());
        };
        if value["wire"] != wire::VERSION {
            let text = format!("the host's frames are of version {}, expected {}", value["wire"], wire::VERSION);
            return Err(Error::new(ErrorKind::WorkerStart, text)
                .hint("install the same version of remotemedia for both interpreters"));
        }
        let parent = value["parent"].as_u64().and_then(|pid| u32::try_from(pid).ok()).ok_or_else(wrong)?;
        if !os::die_with_parent(parent) {
            return Err(Error::new(ErrorKind::Closed, "the host has ended"));
        }
        let channel = Channel::open(&Place { prefix, root, frames, first_bytes: 8_192 })?;
        Ok(Self { channel, max_frame_bytes, held: Mutex::default() })
    }

    /// Ends this process when the host's end of a file is closed: the host is gone, whatever it was that ended it.
    pub fn end_with(mut life_line: std::fs::File) {
        let watch = move || {
            let mut byte = [0];
            while life_line.read(&mut byte).is_ok_and(|read| read > 0) {}
            os::exit_now(0);
        };
        if std::thread::Builder::new().name("remotemedia-host".into()).spawn(watch).is_err() {
            tracing::warn!("no thread could be started to watch the host");
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks until there is a request: address and length of its head, address of its payload, 0. The one before is
    /// given back, unless it was kept.
    ///
    /// # Errors
    /// `Internal` for a malformed one; `Io`.
    pub fn next(&self) -> Result<[u64; 4]> {
        self.held().current = None;
        loop {
            if let Some(received) = self.channel.receive()? {
                let bytes = received.bytes(self.max_frame_bytes)?;
                let (_, payload) = Head::read(bytes, bytes.len())?;
                let at = bytes.as_ptr().expose_provenance() as u64;
                let found = [at, payload.start as u64, at + payload.start as u64, 0];
                self.held().current = Some(received);
                return Ok(found);
            }
            self.channel.wait(LOOK)?;
        }
    }

    /// Keeps the request that was taken last: its number, for [`release`](Self::release). Whoever calls it sees to it
    /// that there is room for another one.
    ///
    /// # Errors
    /// `Internal` when there is none.
    pub fn keep(&self) -> Result<u64> {
        let mut held = self.held();
        let Some(current) = held.current.take() else {
            return Err(Error::new(ErrorKind::Internal, "there is no request to keep"));
        };
        held.next_kept += 1;
        let number = held.next_kept;
        held.kept.insert(number, current);
        Ok(number)
    }

    /// Gives back a request that was kept.
    pub fn release(&self, number: u64) {
        self.held().kept.remove(&number);
    }

    /// Sends a reply.
    ///
    /// # Errors
    /// `InputValue` for a frame that is too long; `Internal` for a malformed one; `Io`.
    pub fn reply(&self, head: &[u8], payload: &[u8]) -> Result<()> {
        if payload.len() > self.max_frame_bytes {
            let text = format!("the result has {} bytes, expected at most {}", payload.len(), self.max_frame_bytes);
            return Err(Error::new(ErrorKind::InputValue, text).hint("raise `execution.max_frame_bytes`"));
        }
        Head::read(head, head.len().saturating_add(payload.len()))?;
        loop {
            let sent = self.channel.loan(head.len() + payload.len()).and_then(|loan| {
                self.channel.send(loan, |memory| {
                    memory[..head.len()].copy_from_slice(head);
                    memory[head.len()..].copy_from_slice(payload);
                })
            });
            match sent {
                // The host takes what came before as soon as it looks.
                Err(error) if error.kind() == ErrorKind::Full => std::thread::sleep(ROOM),
                sent => return sent,
            }
        }
    }
}
