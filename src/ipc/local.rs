//! Python nodes in this process: on the thread that calls, when it is Python's own; else on threads that Python has
//! started and that wait here for work. No thread of ours ever calls Python.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::{Value, json};

use super::reply::{Body, Inbox, Reply};
use super::seat::Seat;
use super::spec::Spec;
use super::time::{LOOK, deadline, left};
use super::wire::{Head, Payload};
use crate::data::Pool;
use crate::error::{Error, ErrorKind, Result};
use crate::node::{StopWaiting, is_callers_thread};

/// The interpreter of this process.
pub trait Interpreter: Send + Sync {
    /// Works on a request on this thread, which is one of Python's. The payload lies at this address while it
    /// lasts. Replies come through [`accept`].
    fn run(&self, head: &[u8], payload: u64);

    /// Whether a signal asks this thread, the main one, to stop.
    fn is_interrupted(&self) -> bool;
}

static INTERPRETER: OnceLock<Box<dyn Interpreter>> = OnceLock::new();

/// Says how Python is called. The first one stays.
pub fn install(interpreter: Box<dyn Interpreter>) {
    let _ = INTERPRETER.set(interpreter);
}

/// An error when Python wants the call on this thread to stop, as Ctrl-C does.
///
/// # Errors
/// `Closed`.
pub fn check_interrupt() -> Result<()> {
    // Signals are for the main thread alone.
    if StopWaiting::is_asked() {
        return Err(Error::new(ErrorKind::Closed, "the run was stopped"));
    }
    let stop = is_callers_thread()
        && super::os::is_main_thread()
        && INTERPRETER.get().is_some_and(|interpreter| interpreter.is_interrupted());
    if stop { Err(Error::new(ErrorKind::Closed, "the call was interrupted")) } else { Ok(()) }
}

/// A request that waits for a thread of Python's, or that one works on. It owns its bytes: its caller may give up.
struct Request {
    stream: u32,
    sequence: u64,
    head: Vec<u8>,
    payload: Vec<u8>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Arc<Request>>,
    running: HashMap<(u32, u64), Arc<Request>>,
    inboxes: HashMap<u32, Inbox>,
    /// Threads of Python's that wait for work.
    idle: usize,
    stopped: bool,
}

static STATE: OnceLock<Mutex<State>> = OnceLock::new();
static CHANGED: Condvar = Condvar::new();
static STREAMS: AtomicU32 = AtomicU32::new(1);
static SEQUENCE: AtomicU64 = AtomicU64::new(1);

fn state() -> MutexGuard<'static, State> {
    STATE.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

/// Blocks a thread of Python's until there is work for it: address and length of the head, address of the payload, and
/// whether another thread is wanted beside. `None`: it ends.
pub fn next_request() -> Option<[u64; 4]> {
    let mut state = state();
    state.idle += 1;
    let mut state = CHANGED
        .wait_while(state, |state| state.waiting.is_empty() && !state.stopped)
        .unwrap_or_else(PoisonError::into_inner);
    state.idle -= 1;
    let request = state.waiting.pop_front().filter(|_| !state.stopped)?;
    let more = !state.waiting.is_empty() && state.idle == 0;
    let found = [address(&request.head), request.head.len() as u64, address(&request.payload), more.into()];
    // Kept until it is answered: Python looks at its memory.
    state.running.insert((request.stream, request.sequence), request);
    Some(found)
}

/// Takes a reply of a node in this process.
///
/// # Errors
/// `Internal` when it is malformed.
pub fn accept(head: &[u8], payload: &[u8]) -> Result<()> {
    let (read, _) = Head::read(head, head.len().saturating_add(payload.len()))?;
    let reply = Reply::read(read, payload, &Pool::default())?;
    let mut state = state();
    let key = (reply.head.stream, reply.head.sequence);
    let waited_for =
        if reply.is_last() { state.running.remove(&key).is_some() } else { state.running.contains_key(&key) };
    if let Some(inbox) = state.inboxes.get_mut(&reply.head.stream) {
        inbox.put(reply);
    }
    drop(state);
    if waited_for {
        CHANGED.notify_all();
    }
    Ok(())
}

/// Ends the threads of Python's that wait. Nothing is taken after it.
pub fn shutdown() {
    if STATE.get().is_some() {
        state().stopped = true;
        CHANGED.notify_all();
    }
}

/// An instance in this process.
pub struct LocalSeat {
    spec: Arc<Spec>,
    stream: u32,
    deadline_ns: i64,
}

impl LocalSeat {
    /// Makes an instance of the node, and waits until its setup is done.
    ///
    /// # Errors
    /// `Unsupported` without Python; the node's own error.
    pub fn open(spec: &Arc<Spec>) -> Result<Self> {
        if INTERPRETER.get().is_none() {
            return Err(Error::new(ErrorKind::Unsupported, "this process has no Python interpreter")
                .at_node(&spec.node)
                .hint("set `execution.placement` to \"process\" and name one in `execution.python`"));
        }
        let stream = STREAMS.fetch_add(1, Ordering::Relaxed);
        state().inboxes.insert(stream, Inbox::default());
        let mut seat = Self { spec: spec.clone(), stream, deadline_ns: 0 };
        let limit = spec.execution.startup_timeout_ms;
        let question = json!({
            "op": "open",
            "class": spec.class.to_json(),
            "params": spec.params,
            "copy_inputs": spec.execution.copy_inputs,
        });
        match seat.ask(&question, limit)? {
            Body::Failed(error) => Err(error.at_node(&spec.node)),
            _ => Ok(seat),
        }
    }

    fn ask(&mut self, question: &Value, timeout_ms: u64) -> Result<Body> {
        let (head, question) = Payload::control(self.stream, question);
        let sequence = self.start(head, &question, timeout_ms)?;
        Ok(self.receive(sequence)?.body)
    }

    fn start(&mut self, mut head: Head, payload: &Payload<'_>, timeout_ms: u64) -> Result<u64> {
        self.deadline_ns = deadline(timeout_ms);
        let sequence = SEQUENCE.fetch_add(1, Ordering::Relaxed);
        (head.stream, head.sequence, head.deadline_ns) = (self.stream, sequence, self.deadline_ns);
        let mut bytes = Vec::with_capacity(128);
        head.write(&mut bytes)?;
        let payload = payload.bytes();
        match INTERPRETER.get().filter(|_| is_callers_thread()) {
            Some(interpreter) => interpreter.run(&bytes, address(&payload)),
            None => {
                let request = Request { stream: self.stream, sequence, head: bytes, payload: payload.into_owned() };
                state().waiting.push_back(Arc::new(request));
                CHANGED.notify_all();
            }
        }
        Ok(sequence)
    }
}

fn address(bytes: &[u8]) -> u64 {
    bytes.as_ptr().expose_provenance() as u64
}

impl Seat for LocalSeat {
    fn send(&mut self, head: Head, payload: &Payload<'_>) -> Result<u64> {
        let limit = self.spec.execution.frame_timeout_ms;
        self.start(head, payload, limit)
    }

    fn receive(&mut self, sequence: u64) -> Result<Reply> {
        let mut state = state();
        loop {
            if let Some(reply) = state.inboxes.get_mut(&self.stream).and_then(|inbox| inbox.next(sequence)) {
                return Ok(reply);
            }
            let left = left(self.deadline_ns);
            if state.stopped {
                return Err(Error::new(ErrorKind::Closed, "the runtime is shut down"));
            }
            if left.is_zero() || is_callers_thread() {
                state.waiting.retain(|request| request.stream != self.stream);
                let limit = self.spec.execution.frame_timeout_ms;
                let text = if left.is_zero() {
                    format!("the node has not answered within {limit} ms")
                } else {
                    "the node was left without an answer".to_owned()
                };
                return Err(Error::new(ErrorKind::Timeout, text)
                    .at_node(&self.spec.node)
                    .hint("raise `execution.frame_timeout_ms`, or run it in a worker process, which can be ended"));
            }
            check_interrupt()?;
            state = CHANGED.wait_timeout(state, left.min(LOOK)).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn is_lost(&self) -> bool {
        false
    }

    fn renew(&mut self) -> Result<bool> {
        Ok(false)
    }
}

impl Drop for LocalSeat {
    fn drop(&mut self) {
        let (head, question) = Payload::control(self.stream, &json!({"op": "close"}));
        let sent = self.start(head, &question, 1_000);
        let mut state = state();
        state.inboxes.remove(&self.stream);
        drop((state, sent));
    }
}
