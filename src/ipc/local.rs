//! Python nodes in this process: on the thread that calls, when it is Python's own; else on threads that Python has
//! started and that wait here for work. No thread of ours ever calls Python.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::{Value, json};

use super::reply::{Body, Inbox, Reply, given_up};
use super::seat::Seat;
use super::spec::Spec;
use super::time::{LOOK, deadline, left};
use super::wire::{ABANDONS, Head, LAST, Payload};
use crate::data::{Kind, Pool};
use crate::error::{Error, ErrorKind, Result};
use crate::fork::{self, PerProcess};
use crate::node::{Nudge, StopCheck, StopWaiting, is_callers_thread};

/// What became of a call into the interpreter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Called {
    /// It has answered.
    Answered,
    /// It has raised something that is not the node's, such as at Ctrl-C: the caller of the pipeline gets it.
    Interrupted,
    /// The interpreter is going away, and was not called.
    Ended,
}

/// The interpreter of this process.
pub trait Interpreter: Send + Sync {
    /// Works on a request on this thread, which is one of Python's. The payload lies at this address while it
    /// lasts. Replies come through [`accept`].
    fn run(&self, head: &[u8], payload: u64) -> Called;

    /// Works on a frame in memory that Python has made ready for frames of this form of the stream. `result` is called
    /// with a result of the same form; other replies come through [`accept`]. `None`: there is no such memory, and
    /// nothing was done.
    fn run_frame(
        &self,
        stream: u32,
        head: &[u8],
        payload: &Payload<'_>,
        result: &mut dyn FnMut(&[u8]),
    ) -> Option<Called>;

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
        return Err(Error::new(ErrorKind::Closed, "the call was stopped"));
    }
    let stop = is_callers_thread()
        && super::os::is_main_thread()
        && INTERPRETER.get().is_some_and(|interpreter| interpreter.is_interrupted());
    if stop { Err(interrupted()) } else { Ok(()) }
}

fn interrupted() -> Error {
    Error::new(ErrorKind::Node, "the node was interrupted")
        .code_of(Error::INTERRUPTED)
        .hint("reset() begins another stream")
}

/// A request that waits for a thread of Python's, or that one works on. It owns its bytes: its caller may give up.
struct Request {
    stream: u32,
    sequence: u64,
    /// It is about the node: what it says is not given up with the frames.
    is_control: bool,
    head: Vec<u8>,
    payload: Vec<u8>,
}

/// A request that the thread which calls works on itself. Nobody takes its results before the call ends.
struct Inline {
    sequence: u64,
    deadline_ns: i64,
    stop: Option<StopCheck>,
}

impl Inline {
    /// Whether more results may wait.
    fn check(&self, waiting_bytes: usize) -> Result<()> {
        if self.stop.as_ref().is_some_and(|stop| stop()) {
            return Err(given_up());
        }
        if left(self.deadline_ns).is_zero() {
            return Err(Error::new(ErrorKind::Timeout, "the node gives results for longer than a frame may take")
                .hint("raise `execution.frame_timeout_ms`"));
        }
        if waiting_bytes > MOST_WAITING_BYTES {
            let most = MOST_WAITING_BYTES >> 20;
            return Err(Error::new(ErrorKind::Node, format!("the results of one input take more than {most} MiB"))
                .hint("use push() and next(), which hand results on as they come"));
        }
        Ok(())
    }
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Arc<Request>>,
    /// Of each stream at most one.
    running: HashMap<u32, Arc<Request>>,
    /// Requests that the thread which calls works on itself, by stream.
    inline: HashMap<u32, Inline>,
    /// Streams whose running request is not wanted any more.
    abandoned: HashSet<u32>,
    inboxes: HashMap<u32, Inbox>,
    /// Threads of Python's that wait for work.
    idle: usize,
    stopped: bool,
}

impl State {
    /// Where the next request is that may begin: an instance works on one at a time, in their order.
    fn next_waiting(&self) -> Option<usize> {
        self.waiting.iter().position(|request| !self.running.contains_key(&request.stream))
    }

    fn take_waiting(&mut self) -> Option<Arc<Request>> {
        self.next_waiting().and_then(|at| self.waiting.remove(at))
    }
}

/// Results of one request that wait; a generator waits with the next one.
const MOST_REPLIES: usize = 16;

/// The most that results of one request may hold while they wait for the call that made them to end.
const MOST_WAITING_BYTES: usize = 1 << 30;

static STATE: PerProcess<Mutex<State>> = PerProcess::new();
static CHANGED: Condvar = Condvar::new();
static STREAMS: AtomicU32 = AtomicU32::new(1);
static SEQUENCE: AtomicU64 = AtomicU64::new(1);

fn state() -> MutexGuard<'static, State> {
    STATE.get().lock().unwrap_or_else(PoisonError::into_inner)
}

/// Blocks a thread of Python's until there is work for it: address and length of the head, address of the payload, and
/// whether another thread is wanted beside. `None`: it ends.
pub fn next_request() -> Option<[u64; 4]> {
    let mut state = state();
    state.idle += 1;
    let mut state = CHANGED
        .wait_while(state, |state| state.next_waiting().is_none() && !state.stopped)
        .unwrap_or_else(PoisonError::into_inner);
    state.idle -= 1;
    let request = state.take_waiting().filter(|_| !state.stopped)?;
    // One thread is always free: a node may run a pipeline with a node in it, and wait for that.
    let more = state.idle == 0;
    let found = [address(&request.head), request.head.len() as u64, address(&request.payload), more.into()];
    // Kept until it is answered: Python looks at its memory.
    state.running.insert(request.stream, request);
    Some(found)
}

/// Takes a reply of a node in this process.
///
/// # Errors
/// `Internal` when it is malformed. One of several: `Full` when it must wait, `Closed` when nobody wants them any more,
/// `Timeout` when the call that it is for has waited as long as it may.
pub fn accept(head: &[u8], payload: &[u8]) -> Result<()> {
    let (read, _) = Head::read(head, head.len().saturating_add(payload.len()))?;
    let reply = Reply::read(read, payload, &Pool::default())?;
    let mut state = state();
    let (stream, sequence) = (reply.head.stream, reply.head.sequence);
    let waited_for = state.running.get(&stream).is_some_and(|running| running.sequence == sequence);
    let inline = state.inline.get(&stream).filter(|inline| inline.sequence == sequence);
    let waiting = state.inboxes.get(&stream);
    if waited_for && reply.is_last() {
        state.running.remove(&stream);
        state.abandoned.remove(&stream);
    } else if waited_for && state.abandoned.contains(&stream) {
        return Err(given_up());
    } else if waited_for && waiting.is_some_and(|inbox| inbox.len() >= MOST_REPLIES) {
        return Err(Error::new(ErrorKind::Full, "as many results wait as may be"));
    } else if let Some(inline) = inline.filter(|_| !reply.is_last()) {
        inline.check(waiting.map_or(0, Inbox::bytes))?;
    }
    if let Some(inbox) = state.inboxes.get_mut(&stream) {
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
    state().stopped = true;
    CHANGED.notify_all();
}

/// An instance in this process.
pub struct LocalSeat {
    spec: Arc<Spec>,
    /// Of the process that it is of: in a forked child it is nobody's.
    generation: u32,
    stream: u32,
    deadline_ns: i64,
    head: Vec<u8>,
    /// The result that the frame sent last has given at once.
    ready: Option<Reply>,
    pool: Pool,
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
        let (head, ready, pool) = (Vec::new(), None, Pool::default());
        let mut seat =
            Self { spec: spec.clone(), generation: fork::generation(), stream, deadline_ns: 0, head, ready, pool };
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
        let reply = self.receive(sequence, None)?;
        reply.map(|reply| reply.body).ok_or_else(|| Error::new(ErrorKind::Internal, "a node was left unasked"))
    }

    fn start(&mut self, mut head: Head, payload: &Payload<'_>, timeout_ms: u64) -> Result<u64> {
        self.deadline_ns = deadline(timeout_ms);
        let sequence = SEQUENCE.fetch_add(1, Ordering::Relaxed);
        (head.stream, head.sequence, head.deadline_ns) = (self.stream, sequence, self.deadline_ns);
        head.write(&mut self.head)?;
        if head.flags & ABANDONS != 0 {
            self.abandon();
        }
        let Some(interpreter) = INTERPRETER.get().filter(|_| is_callers_thread()) else {
            let is_control = head.kind == Kind::Control;
            let (head, payload) = (self.head.clone(), payload.bytes()?.into_owned());
            let request = Request { stream: self.stream, sequence, is_control, head, payload };
            state().waiting.push_back(Arc::new(request));
            CHANGED.notify_all();
            return Ok(sequence);
        };
        // It may give many results.
        let inline = Inline { sequence, deadline_ns: self.deadline_ns, stop: StopWaiting::check() };
        state().inline.insert(self.stream, inline);
        let (ready, pool) = (&mut self.ready, &self.pool);
        let mut failed = Ok(());
        let called = interpreter.run_frame(self.stream, &self.head, payload, &mut |result| {
            head.flags = LAST;
            match head.data(result, pool) {
                Ok(data) => *ready = Some(Reply { head: head.clone(), body: Body::Data(data) }),
                Err(error) => failed = Err(error),
            }
        });
        let called = match called {
            Some(called) => Ok(called),
            None => payload.bytes().map(|payload| interpreter.run(&self.head, address(&payload))),
        };
        state().inline.remove(&self.stream);
        match called? {
            Called::Answered => failed.map(|()| sequence),
            Called::Interrupted => {
                // What it has raised is the caller's. The node says it, too, if it came that far.
                let said = state().inboxes.get_mut(&self.stream).and_then(|inbox| inbox.next(sequence));
                Err(match said.map(|reply| reply.body) {
                    Some(Body::Failed(error)) => error.code_of(Error::INTERRUPTED),
                    _ => interrupted(),
                })
            }
            Called::Ended => Err(Error::new(ErrorKind::Closed, "the interpreter is going away")),
        }
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

    fn receive(&mut self, sequence: u64, nudge: Option<&Nudge>) -> Result<Option<Reply>> {
        if let Some(reply) = self.ready.take_if(|reply| reply.head.sequence == sequence) {
            return Ok(Some(reply));
        }
        if let Some(nudge) = nudge {
            nudge.wake_with(|| {
                // Whoever waits has looked before, or is woken: there is no time between.
                drop(state());
                CHANGED.notify_all();
            });
        }
        let mut state = state();
        loop {
            if let Some(reply) = state.inboxes.get_mut(&self.stream).and_then(|inbox| inbox.next(sequence)) {
                if reply.is_last() {
                    // The time of the next one begins when this one is over.
                    self.deadline_ns = deadline(self.spec.execution.frame_timeout_ms);
                }
                return Ok(Some(reply));
            }
            if nudge.is_some_and(Nudge::is_asked) {
                return Ok(None);
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

    fn abandon(&mut self) {
        let mut state = state();
        state.waiting.retain(|request| request.stream != self.stream || request.is_control);
        if state.running.contains_key(&self.stream) {
            state.abandoned.insert(self.stream);
        }
    }

    fn is_lost(&self) -> bool {
        self.generation != fork::generation()
    }

    fn may_renew(&mut self) -> Result<bool> {
        Ok(false)
    }

    fn renew(&mut self) -> Result<()> {
        Err(Error::new(ErrorKind::Internal, "a node of this process is not started again"))
    }
}

impl Drop for LocalSeat {
    fn drop(&mut self) {
        if self.is_lost() {
            return;
        }
        let (mut head, question) = Payload::control(self.stream, &json!({"op": "close"}));
        head.flags = ABANDONS;
        let sent = self.start(head, &question, 1_000);
        let mut state = state();
        state.inboxes.remove(&self.stream);
        drop((state, sent));
    }
}
