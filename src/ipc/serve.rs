//! The worker's side of the channel: requests are looked at where they lie, replies are written where they are read.

use std::collections::{HashMap, VecDeque};
use std::io::Read as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::os;
use super::reply::given_up;
use super::shm::{Channel, Loan, Place, Received};
use super::wire::{self, ABANDONS, CORE, Head, LAST, MOST_HEAD};
use crate::data::Kind;
use crate::error::{Error, ErrorKind, Result};

/// How long a reply waits for room at a time.
const ROOM: Duration = Duration::from_micros(200);
/// How long a waiting worker sleeps at most before it looks again.
const LOOK: Duration = Duration::from_secs(5);

/// A worker process at its work.
#[derive(Debug)]
pub struct Serving {
    channel: Channel,
    max_frame_bytes: usize,
    /// How many requests are taken out of the channel before their turn. One result less may be written where it is sent
    /// from, so that there is room for one that is not.
    frames: usize,
    pid: u32,
    held: Mutex<Held>,
}

/// A request that was not begun yet.
struct Waiting {
    received: Received,
    stream: u32,
    is_control: bool,
    payload_offset: usize,
}

/// Memory of the channel that Python looks at.
#[derive(Default)]
struct Held {
    current: Option<Received>,
    current_stream: u32,
    /// What the node works on is not wanted any more.
    is_abandoned: bool,
    /// Requests that have come, in order.
    waiting: VecDeque<Waiting>,
    /// Requests that somebody still looks at after the node has returned.
    kept: HashMap<u64, Received>,
    next_kept: u64,
    /// Memory of results that are still to be sent, by its number.
    lent: HashMap<u64, Loan>,
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
        let Some(folder) = text("folder") else { return Err(wrong()) };
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
        let channel = Channel::open(&Place { folder, frames })?;
        Ok(Self { channel, max_frame_bytes, frames, pid: std::process::id(), held: Mutex::default() })
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
            let mut held = self.held();
            self.take_all(&mut held)?;
            if let Some(Waiting { received, stream, payload_offset, .. }) = held.waiting.pop_front() {
                let at = received.bytes(self.max_frame_bytes)?.as_ptr().expose_provenance() as u64;
                // What was said before is about requests before this one.
                (held.current, held.current_stream, held.is_abandoned) = (Some(received), stream, false);
                return Ok([at, payload_offset as u64, at + payload_offset as u64, 0]);
            }
            drop(held);
            self.channel.wait(LOOK)?;
        }
    }

    /// Takes what has come. Requests that a later one says are not wanted any more are given back unanswered: nobody
    /// waits for them.
    fn take_all(&self, held: &mut Held) -> Result<()> {
        while held.waiting.len() < self.frames {
            let Some(received) = self.channel.receive()? else { return Ok(()) };
            let bytes = received.bytes(self.max_frame_bytes)?;
            let (head, payload) = Head::read(bytes, bytes.len())?;
            if head.flags & ABANDONS != 0 {
                held.waiting.retain(|waiting| waiting.stream != head.stream || waiting.is_control);
                held.is_abandoned |= held.current_stream == head.stream;
            }
            let is_control = head.kind == Kind::Control;
            held.waiting.push_back(Waiting {
                received,
                stream: head.stream,
                is_control,
                payload_offset: payload.start,
            });
        }
        Ok(())
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
        if !self.is_forked() {
            self.held().kept.remove(&number);
        }
    }

    /// A forked child has copies of what Python holds, and must not give back the memory of its parent.
    fn is_forked(&self) -> bool {
        std::process::id() != self.pid
    }

    fn check_len(&self, payload_len: usize) -> Result<()> {
        if payload_len <= self.max_frame_bytes {
            return Ok(());
        }
        let text = format!("the result has {payload_len} bytes, expected at most {}", self.max_frame_bytes);
        Err(Error::new(ErrorKind::InputValue, text).hint("raise `execution.max_frame_bytes`"))
    }

    /// Sends a reply, head and payload; waits until there is room for it.
    ///
    /// # Errors
    /// `Closed` for one of several when nobody wants them any more;
    /// `InputValue` for a frame that is too long; `Internal` for a malformed one; `Io`.
    pub fn reply(&self, bytes: &[u8], payload: &[u8]) -> Result<()> {
        self.check_len(payload.len())?;
        let (head, _) = Head::read(bytes, bytes.len().saturating_add(payload.len()))?;
        // One of several that a generator gives: it may have been given up meanwhile.
        let is_last = head.flags & LAST != 0;
        if !is_last && self.is_given_up()? {
            return Err(given_up());
        }
        loop {
            let loan = self.channel.loan(bytes.len() + payload.len())?;
            let sent = self.channel.send(loan, |memory| {
                write_head(memory, bytes);
                memory[bytes.len()..].copy_from_slice(payload);
            });
            match sent {
                Err(error) if error.kind() == ErrorKind::Full => {}
                sent => return sent,
            }
            // The host takes what came before as soon as it looks. For what nobody wants it may never look.
            if self.is_given_up()? {
                return if is_last { Ok(()) } else { Err(given_up()) };
            }
            std::thread::sleep(ROOM);
        }
    }

    /// Whether the host has said that it does not want what the node works on.
    fn is_given_up(&self) -> Result<bool> {
        let mut held = self.held();
        self.take_all(&mut held)?;
        Ok(held.is_abandoned)
    }

    /// Memory for the payload of a result, by a number that was not used before: its address. Then
    /// [`reply_lent`](Self::reply_lent) or [`take_back`](Self::take_back). `None` when as much is lent as may be, and in a
    /// forked child.
    ///
    /// # Errors
    /// `InputValue` for more than a frame may have; `Io` when there is no memory.
    pub fn lend(&self, number: u64, payload_len: usize) -> Result<Option<u64>> {
        self.check_len(payload_len)?;
        if self.is_forked() {
            return Ok(None);
        }
        let mut held = self.held();
        if held.lent.len() + 1 >= self.frames {
            return Ok(None);
        }
        let mut loan = self.channel.loan(MOST_HEAD + payload_len)?;
        let payload = loan.address() + MOST_HEAD as u64;
        held.lent.insert(number, loan);
        Ok(Some(payload))
    }

    /// Sends a reply whose payload was written to memory that was lent, and is not looked at any more.
    ///
    /// # Errors
    /// `Internal` when nothing was lent by this number, and for a malformed head; `Io`.
    pub fn reply_lent(&self, number: u64, head: &[u8]) -> Result<()> {
        let loan = self.held().lent.remove(&number);
        let loan = loan.ok_or_else(|| Error::new(ErrorKind::Internal, "no memory was lent by this number"))?;
        let (_, range) = Head::read(head, loan.byte_len())?;
        if head.len() != MOST_HEAD || range != (MOST_HEAD..loan.byte_len()) {
            return Err(Error::new(ErrorKind::Internal, "the head is not that of the memory that was lent"));
        }
        self.channel.send_surely(loan, |memory| write_head(memory, head))
    }

    /// Takes back memory that was lent and is not looked at any more.
    pub fn take_back(&self, number: u64) {
        if !self.is_forked() {
            self.held().lent.remove(&number);
        }
    }
}

/// Writes the head of a reply.
fn write_head(memory: &mut [u8], head: &[u8]) {
    memory[..head.len()].copy_from_slice(head);
    memory[CORE].copy_from_slice(&os::core().to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipc::wire::Payload;

    fn request(host: &Channel, stream: u32, flags: u8) {
        let (mut head, message) = Payload::control(stream, &serde_json::json!({}));
        head.flags = flags;
        if flags == 0 {
            head.kind = Kind::Binary;
        }
        let mut bytes = Vec::new();
        head.write(&mut bytes).unwrap();
        bytes.extend_from_slice(&message.bytes().unwrap());
        host.send(host.loan(bytes.len()).unwrap(), |memory| memory.copy_from_slice(&bytes)).unwrap();
    }

    #[test]
    fn what_is_not_wanted_any_more_is_not_begun() {
        let folder = format!("/dev/shm/rm_test_{}_serve", std::process::id());
        std::fs::create_dir(&folder).unwrap();
        let place = Place { folder, frames: 8 };
        let host = Channel::create(&place).unwrap();
        let worker = Serving {
            channel: Channel::open(&place).unwrap(),
            max_frame_bytes: 1 << 20,
            frames: 8,
            pid: std::process::id(),
            held: Mutex::default(),
        };
        let stream = |worker: &Serving| {
            worker.next().unwrap();
            let held = worker.held();
            let bytes = held.current.as_ref().unwrap().bytes(1 << 20).unwrap();
            Head::read(bytes, bytes.len()).unwrap().0.stream
        };
        for of in [1, 1, 2, 1] {
            request(&host, of, 0);
        }
        assert_eq!(stream(&worker), 1);
        request(&host, 1, ABANDONS);
        request(&host, 1, 0);
        // The other stream goes on; of this one, what says so and what came after it.
        assert_eq!([stream(&worker), stream(&worker), stream(&worker)], [2, 1, 1]);
        assert!(worker.held().waiting.is_empty());
        // What is at work is given up with its own stream, and what comes after it is not.
        request(&host, 2, 0);
        request(&host, 1, ABANDONS);
        assert_eq!(stream(&worker), 2);
        assert!(!worker.is_given_up().unwrap());
        request(&host, 2, ABANDONS);
        assert!(worker.is_given_up().unwrap());
        drop((host, worker));
        std::fs::remove_dir_all(place.folder).unwrap();
    }
}
