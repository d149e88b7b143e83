//! A worker process as its host sees it: requests in, replies out, and how it ends.

use std::collections::HashMap;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use serde_json::{Value, json};

use super::child::{Exit, Watched};
use super::gate::{Gate, Turn};
use super::local;
use super::memory::{FOLDER, megabytes};
use super::os;
use super::reply::{Body, Inbox, Reply};
use super::said;
use super::seat::Times;
use super::shm::{Channel, Place, Waker};
use super::spec::{Interpreter, Spec};
use super::sweep::Run;
use super::time::{LOOK, deadline, elapsed, left, now_ns};
use super::wire::{self, ABANDONS, Head, Payload};
use crate::data::Pool;
use crate::error::{Error, ErrorKind, Result};
use crate::node::{Execution, Nudge};

/// A stream of the worker itself and not of one of its instances.
pub const WHOLE: u32 = 0;

/// The workers of this process. A forked child has a copy, whose locks may be locked for ever and whose workers are not
/// its own: it takes another one.
static OURS: ArcSwapOption<Ours> = ArcSwapOption::const_empty();

#[derive(Debug)]
struct Ours {
    host: u32,
    /// Every worker that may still live, for the end of this process.
    living: Mutex<Vec<Weak<Watched>>>,
    /// Those that can be asked to end.
    workers: Mutex<Vec<Weak<Worker>>>,
    /// This process ends: no worker is started any more.
    ending: AtomicBool,
}

impl Ours {
    fn get() -> Arc<Self> {
        loop {
            let before = OURS.load();
            if let Some(ours) = before.as_ref().filter(|ours| ours.host == std::process::id()) {
                return ours.clone();
            }
            let (living, workers) = (Mutex::default(), Mutex::default());
            let new = Self { host: std::process::id(), living, workers, ending: AtomicBool::new(false) };
            // What was the parent's is left as it is.
            std::mem::forget(OURS.compare_and_swap(&*before, Some(Arc::new(new))));
        }
    }
}

/// What a worker runs. Modules are found where its host finds them, or where another interpreter does, and never in the
/// folder that it happens to be started in.
const START: &str = "import sys; sys.path[:] = sys.argv[1:] or [p for p in sys.path if p]; del sys.argv[1:]; \
                     from remotemedia.worker.__main__ import main; sys.exit(main())";

/// How long a thread looks for an answer that comes from another core before it sleeps. To be woken from there takes longer.
const AWAKE_NS: i64 = 40_000;
/// An answer that took less came soon: then the next one is looked for.
const SOON_NS: u64 = 100_000;

/// A running worker.
#[derive(Debug)]
pub struct Worker {
    spec: Arc<Spec>,
    watched: Arc<Watched>,
    line: Arc<Gate<Line>>,
    waker: Arc<Waker>,
    next_stream: AtomicU32,
    /// Instances that nobody uses any more: the worker is told with the next request.
    closing: Mutex<Vec<u32>>,
    generation: u32,
    host: u32,
}

/// The channel and what has come through it for others.
#[derive(Debug)]
pub struct Line {
    channel: Channel,
    sequence: u64,
    inboxes: HashMap<u32, Inbox>,
    head: Vec<u8>,
    pool: Pool,
    copy_ns: u64,
    /// The core that the worker ran on when it answered last.
    core: i64,
    /// Whether the next answer is to be looked for before a sleep: the last one came soon, and from another core.
    comes_soon: bool,
}

impl Line {
    /// Looks for something for a while without sleeping.
    fn comes_while_awake(&self, nudge: Option<&Nudge>) -> bool {
        let until = now_ns() + AWAKE_NS;
        while now_ns() < until {
            if self.channel.has_come() || nudge.is_some_and(Nudge::is_asked) {
                return true;
            }
            std::hint::spin_loop();
        }
        false
    }
}

/// Puts something on a list, and takes off what is gone.
fn remember<T>(list: &Mutex<Vec<Weak<T>>>, one: &Arc<T>) {
    let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
    list.retain(|known| known.strong_count() > 0);
    list.push(Arc::downgrade(one));
}

/// Takes all that is left of a list.
fn taken<T>(list: &Mutex<Vec<Weak<T>>>) -> Vec<Arc<T>> {
    let list = std::mem::take(&mut *list.lock().unwrap_or_else(PoisonError::into_inner));
    list.iter().filter_map(Weak::upgrade).collect()
}

impl Worker {
    /// Starts a worker and waits until it speaks. No instance of the node is made yet.
    ///
    /// # Errors
    /// `WorkerStart`, with its exit status and last lines; `Timeout`.
    pub fn start(spec: &Arc<Spec>, generation: u32, until: i64) -> Result<Arc<Self>> {
        let interpreter = Interpreter::of(spec)?;
        warn_of_little_memory(spec);
        let ours = Ours::get();
        let ending = || Error::new(ErrorKind::Closed, "the process ends, and starts no worker any more");
        if ours.ending.load(Ordering::Acquire) {
            return Err(ending().at_node(&spec.node));
        }
        let run = Run::new()?;
        let place = Place { folder: run.folder(), frames: spec.execution.max_in_flight + 1 };
        let channel = Channel::create(&place)?;
        let waker = Arc::new(channel.waker()?);
        let mut command = Command::new(&interpreter.executable);
        command.args(&interpreter.flags).args(["-c", START]).args(&interpreter.sys_path);
        let first = json!({
            "folder": place.folder,
            "frames": place.frames,
            "version": crate::VERSION,
            "wire": wire::VERSION,
            "parent": std::process::id(),
            "node": spec.node,
            "generation": generation,
            "class": spec.class.to_json(),
            "log_level": said::log_level(),
            "copy_inputs": spec.execution.copy_inputs,
            "max_frame_bytes": spec.execution.max_frame_bytes,
        });
        let line = Line {
            channel,
            sequence: 0,
            inboxes: HashMap::from([(WHOLE, Inbox::default())]),
            head: Vec::new(),
            pool: Pool::default(),
            copy_ns: 0,
            core: 0,
            comes_soon: false,
        };
        let line = Arc::new(Gate::new(line));
        let for_the_end = line.clone();
        let ended = move || {
            // First the mapped memory, then its names. Whoever waits in there has been woken, and leaves.
            drop(for_the_end.take(Duration::from_secs(5)));
            drop(run);
        };
        let woken = waker.clone();
        let watched = Watched::start(&spec.node, command, &first.to_string(), ended, move || woken.wake())
            .inspect_err(|_| drop(line.take(Duration::ZERO)))?;
        let ours = Ours::get();
        remember(&ours.living, &watched);
        let worker = Arc::new(Self {
            spec: spec.clone(),
            watched,
            line,
            waker,
            next_stream: AtomicU32::new(WHOLE + 1),
            closing: Mutex::default(),
            generation,
            host: std::process::id(),
        });
        remember(&ours.workers, &worker);
        worker.greet(until)?;
        Ok(worker)
    }

    fn greet(&self, deadline: i64) -> Result<()> {
        let mut line = self.enter(deadline)?;
        let hello = self.wait(&mut line, deadline, |line| line.inboxes.get_mut(&WHOLE)?.next(0));
        let hello = hello.map_err(|error| self.not_started(error))?;
        let Body::Answer(hello) = hello.body else {
            return Err(Error::new(ErrorKind::WorkerStart, "the worker did not say who it is").at_node(&self.spec.node));
        };
        if hello["version"] != json!(crate::VERSION) {
            let text = format!("the worker has remotemedia {}, expected {}", hello["version"], crate::VERSION);
            return Err(Error::new(ErrorKind::WorkerStart, text)
                .at_node(&self.spec.node)
                .hint("install the same version for both interpreters"));
        }
        tracing::debug!(node = self.spec.node, pid = self.watched.pid(), %hello, "worker started");
        Ok(())
    }

    /// An end before the node was ready is a failed start.
    fn not_started(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::WorkerCrashed => Error::new(
                ErrorKind::WorkerStart,
                error.message().replacen("the worker ended", "the worker ended before it was ready", 1),
            )
            .at_node(&self.spec.node),
            ErrorKind::Timeout => {
                let limit = self.spec.execution.startup_timeout_ms;
                self.watched.end(Some(format!("it was not ready within {limit} ms")), Duration::ZERO);
                let said = with_lines(&self.watched.last_lines());
                Error::new(ErrorKind::Timeout, format!("the worker was not ready within {limit} ms{said}"))
                    .at_node(&self.spec.node)
                    .hint("raise `execution.startup_timeout_ms`")
            }
            _ => error,
        }
    }

    /// Makes an instance of the node, and waits until its setup is done.
    ///
    /// # Errors
    /// `WorkerStart` with the traceback of the node's own error; `Timeout`.
    pub fn open(&self, deadline: i64) -> Result<u32> {
        let stream = self.next_stream.fetch_add(1, Ordering::Relaxed);
        let mut line = self.enter(deadline)?;
        line.inboxes.insert(stream, Inbox::default());
        let opened = self
            .tell(&mut line, stream, &json!({"op": "open", "params": self.spec.params}), 0, deadline)
            .and_then(|sequence| self.wait(&mut line, deadline, |line| line.inboxes.get_mut(&stream)?.next(sequence)));
        match opened.map_err(|error| self.not_started(error))?.body {
            Body::Failed(error) => {
                line.inboxes.remove(&stream);
                let mut failed = Error::new(ErrorKind::WorkerStart, error.message()).at_node(&self.spec.node);
                if let Some(fix) = error.fix() {
                    failed = failed.hint(fix);
                }
                Err(failed)
            }
            _ => Ok(stream),
        }
    }

    /// Forgets an instance.
    pub fn close(&self, stream: u32) {
        if std::process::id() != self.host || self.watched.has_ended() {
            return;
        }
        self.closing.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
        // At once if the worker is free; whoever closes does not wait for the frames of others.
        if let Some(mut line) = self.line.enter(Duration::ZERO) {
            self.tell_closed(&mut line);
        }
    }

    /// Says that what was asked of an instance and not begun is not wanted any more, if the worker can be told at once.
    pub fn abandon(&self, stream: u32) {
        if std::process::id() != self.host || self.watched.has_ended() {
            return;
        }
        if let Some(mut line) = self.line.enter(Duration::ZERO)
            && let Err(error) = self.tell(&mut line, stream, &json!({"op": "abandon"}), ABANDONS, deadline(50))
        {
            tracing::debug!(%error, stream, "a worker was not told that frames are not wanted any more");
        }
    }

    fn tell_closed(&self, line: &mut Line) {
        for stream in std::mem::take(&mut *self.closing.lock().unwrap_or_else(PoisonError::into_inner)) {
            line.inboxes.remove(&stream);
            if let Err(error) = self.tell(line, stream, &json!({"op": "close"}), ABANDONS, deadline(50)) {
                tracing::debug!(%error, stream, "a worker was not told that an instance is not used any more");
            }
        }
    }

    fn tell(&self, line: &mut Line, stream: u32, message: &Value, flags: u8, deadline: i64) -> Result<u64> {
        let (mut head, message) = Payload::control(stream, message);
        head.flags = flags;
        self.send_in(line, head, &message, deadline)
    }

    /// Sends a request to an instance; gives its number.
    ///
    /// # Errors
    /// `WorkerCrashed`, `Timeout`, `InputValue` when it is longer than a frame may be.
    pub fn send(&self, head: Head, payload: &Payload<'_>, times: &mut Times) -> Result<u64> {
        if payload.byte_len() > self.spec.execution.max_frame_bytes {
            let most = self.spec.execution.max_frame_bytes;
            let text = format!("the frame has {} bytes, expected at most {most}", payload.byte_len());
            return Err(Error::new(ErrorKind::InputValue, text).hint("raise `execution.max_frame_bytes`"));
        }
        let deadline = head.deadline_ns;
        let mut line = self.enter(deadline)?;
        self.tell_closed(&mut line);
        line.copy_ns = 0;
        let sequence = self.send_in(&mut line, head, payload, deadline)?;
        times.copy += line.copy_ns;
        Ok(sequence)
    }

    /// Waits for the next reply to a request. `None`: nudged.
    ///
    /// # Errors
    /// `WorkerCrashed`; `Timeout`, which ends the worker: it hangs.
    pub fn receive(
        &self,
        stream: u32,
        sequence: u64,
        deadline: i64,
        times: &mut Times,
        nudge: Option<&Nudge>,
    ) -> Result<Option<Reply>> {
        if let Some(nudge) = nudge {
            let waker = self.waker.clone();
            nudge.wake_with(move || waker.wake());
        }
        let mut line = self.enter(deadline)?;
        line.copy_ns = 0;
        let reply = self.wait_for(&mut line, deadline, nudge, |line| line.inboxes.get_mut(&stream)?.next(sequence));
        times.copy += line.copy_ns;
        if reply.as_ref().is_err_and(|error| error.kind() == ErrorKind::Timeout) {
            let limit = self.spec.execution.frame_timeout_ms;
            self.watched.end(Some(format!("a frame took longer than {limit} ms")), Duration::ZERO);
        }
        reply
    }

    fn enter(&self, deadline: i64) -> Result<Turn<'_, Line>> {
        if std::process::id() != self.host {
            return Err(Error::new(ErrorKind::Closed, "the worker belongs to the parent process")
                .hint("open a session in this process"));
        }
        loop {
            if let Some(turn) = self.line.enter(left(deadline).min(LOOK)) {
                return Ok(turn);
            }
            self.look(deadline)?;
        }
    }

    /// What ends a wait before its time.
    fn look(&self, deadline: i64) -> Result<()> {
        if let Some(exit) = self.watched.exit() {
            return Err(self.crashed(&exit));
        }
        if now_ns() >= deadline {
            let limit = self.spec.execution.frame_timeout_ms;
            return Err(Error::new(ErrorKind::Timeout, format!("the worker has not answered within {limit} ms"))
                .at_node(&self.spec.node)
                .hint("raise `execution.frame_timeout_ms`, or find what the node waits for"));
        }
        local::check_interrupt()
    }

    fn crashed(&self, exit: &Exit) -> Error {
        let mut text = format!("the worker ended with {}", exit.status);
        if let Some(why) = &exit.why {
            text.push_str(&format!(", because {why}"));
        }
        text.push_str(&with_lines(&exit.stderr));
        Error::new(ErrorKind::WorkerCrashed, text).at_node(&self.spec.node)
    }

    /// How the worker has ended: whether that is a failure.
    pub fn ended(&self) -> Option<bool> {
        self.watched.exit().map(|exit| exit.failed)
    }

    /// Whether it can still be used here: not when it has ended or is being ended.
    pub fn is_alive(&self) -> bool {
        std::process::id() == self.host && !self.watched.is_ending()
    }

    /// Waits until it has ended, if it is being ended.
    pub fn wait_for_end(&self) {
        self.watched.gone_within(Duration::from_secs(5));
    }

    fn send_in(&self, line: &mut Line, mut head: Head, payload: &Payload<'_>, deadline: i64) -> Result<u64> {
        line.sequence += 1;
        (head.sequence, head.generation) = (line.sequence, self.generation);
        let mut bytes = std::mem::take(&mut line.head);
        head.write(&mut bytes)?;
        let len = bytes.len() + payload.byte_len();
        loop {
            let started = now_ns();
            let sent = line.channel.loan(len).and_then(|loan| {
                line.channel.send(loan, |memory| {
                    memory[..bytes.len()].copy_from_slice(&bytes);
                    payload.copy_to(&mut memory[bytes.len()..]);
                })
            });
            match sent {
                Ok(()) => {
                    line.copy_ns += elapsed(started, now_ns());
                    line.head = bytes;
                    return Ok(head.sequence);
                }
                Err(error) if error.kind() == ErrorKind::Full => {}
                Err(error) => return Err(self.watched.exit().map_or(error, |exit| self.crashed(&exit))),
            }
            // As many frames are under way as may be: the worker answers one, and then there is room.
            self.accept_all(line)?;
            self.look(deadline)?;
            line.channel.wait(left(deadline).min(Duration::from_millis(1)))?;
        }
    }

    fn wait<T>(&self, line: &mut Line, deadline: i64, done: impl FnMut(&mut Line) -> Option<T>) -> Result<T> {
        let waited = self.wait_for(line, deadline, None, done)?;
        waited.ok_or_else(|| Error::new(ErrorKind::Internal, "a wait has ended that nobody has nudged"))
    }

    /// Waits; `None` when nudged.
    fn wait_for<T>(
        &self,
        line: &mut Line,
        deadline: i64,
        nudge: Option<&Nudge>,
        mut done: impl FnMut(&mut Line) -> Option<T>,
    ) -> Result<Option<T>> {
        let began = now_ns();
        let found = self.wait_awake_or_asleep(line, deadline, nudge, &mut done);
        line.comes_soon = line.core != os::core() && elapsed(began, now_ns()) < SOON_NS;
        found
    }

    fn wait_awake_or_asleep<T>(
        &self,
        line: &mut Line,
        deadline: i64,
        nudge: Option<&Nudge>,
        done: &mut impl FnMut(&mut Line) -> Option<T>,
    ) -> Result<Option<T>> {
        let mut awake = line.comes_soon;
        loop {
            if let Some(done) = done(line) {
                return Ok(Some(done));
            }
            // Looked at before the last receive: what the worker has said before its end counts.
            let looked = self.look(deadline);
            self.accept_all(line)?;
            if let Some(done) = done(line) {
                return Ok(Some(done));
            }
            looked?;
            if nudge.is_some_and(Nudge::is_asked) {
                return Ok(None);
            }
            if std::mem::take(&mut awake) && line.comes_while_awake(nudge) {
                continue;
            }
            line.channel.wait(left(deadline).min(LOOK))?;
        }
    }

    /// Puts everything that has come into the inboxes.
    fn accept_all(&self, line: &mut Line) -> Result<()> {
        while let Some(received) = line.channel.receive()? {
            let started = now_ns();
            let reply = received
                .bytes(self.spec.execution.max_frame_bytes)
                .and_then(|bytes| Head::read(bytes, bytes.len()).map(|(head, payload)| (head, &bytes[payload])))
                .and_then(|(head, payload)| Reply::read(head, payload, &line.pool))
                .map_err(|error| {
                    self.watched.end(Some(error.message().to_owned()), Duration::ZERO);
                    Error::new(ErrorKind::WorkerCrashed, format!("the worker is ended: {}", error.message()))
                        .at_node(&self.spec.node)
                })?;
            line.copy_ns += elapsed(started, now_ns());
            line.core = reply.head.deadline_ns;
            // Of an instance that was closed meanwhile, or of nobody.
            if let Some(inbox) = line.inboxes.get_mut(&reply.head.stream) {
                inbox.put(reply);
            }
        }
        Ok(())
    }

    /// Asks it to end when it has done its work. Returns at once.
    pub fn stop(&self) {
        if !self.is_alive() {
            return;
        }
        if let Some(mut line) = self.line.enter(LOOK) {
            let _ = self.tell(&mut line, WHOLE, &json!({"op": "stop"}), 0, deadline(50));
        }
        let after = Duration::from_millis(self.spec.execution.stop_timeout_ms);
        self.watched.end(Some("it was asked to end".to_owned()), after);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if std::process::id() == self.host {
            self.stop();
        } else {
            // Of the parent process: its memory must not be unmapped or removed by us.
            std::mem::forget(self.line.clone());
        }
    }
}

/// Says early that frames as long as a manifest asks for will not fit: so many in, and one out.
fn warn_of_little_memory(spec: &Spec) {
    let Execution { max_frame_bytes, max_in_flight, .. } = spec.execution;
    let needed = (max_frame_bytes as u64).saturating_mul(max_in_flight as u64 + 1);
    if max_frame_bytes == Execution::default().max_frame_bytes {
        return; // Nobody has asked for it.
    }
    if let Some((_, all)) = os::room(FOLDER).filter(|(_, all)| *all < needed) {
        let (needed, all) = (megabytes(needed), megabytes(all));
        tracing::warn!(
            node = spec.node,
            "`max_frame_bytes` times `max_in_flight` and a result are {needed}, and {FOLDER} has {all}: not all may fit"
        );
    }
}

/// What a worker has said last, for the end of an error.
fn with_lines(lines: &[String]) -> String {
    if lines.is_empty() { String::new() } else { format!("; its last lines:\n  {}", lines.join("\n  ")) }
}

/// Ends every worker of this process, and waits for all of them.
pub fn shutdown(limit: Duration) {
    let ours = Ours::get();
    ours.ending.store(true, Ordering::Release);
    taken(&ours.workers).iter().for_each(|worker| worker.stop());
    let living = taken(&ours.living);
    living.iter().for_each(|worker| worker.end(None, limit / 2));
    // One that is idle ends at once; one that is at work gets half of the time.
    let until = std::time::Instant::now() + limit / 2;
    for worker in living {
        if !worker.gone_within(until.saturating_duration_since(std::time::Instant::now())) {
            worker.kill();
            worker.gone_within(Duration::from_secs(1));
        }
    }
}
