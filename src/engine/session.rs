//! A session: one live stream through a compiled graph, worked on the caller's thread, piece by piece.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use serde_json::Value;

use super::entrance::{Entrance, position};
use super::idle::Idle;
use super::metrics::NodeMetrics;
use super::stop::StopFlag;
use super::stream::{Stream, StreamOptions};
use crate::data::{AudioFormat, Format, Packet, Pts, RuntimeData};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Graph;
use crate::node::{Align, Clock, Opening, PortId, StopWaiting};

/// How a session behaves.
#[derive(Debug, Clone, Default)]
pub struct SessionOptions {
    /// What bare arrays are. Unknown: what the manifest declares.
    pub input: Format,
    /// One frame out per frame in from the first on, instead of output that is aligned with the input.
    pub constant_frames: bool,
    /// A clock, when figures are to be collected.
    pub clock: Option<Arc<dyn Clock>>,
    /// Workers are started and models loaded with the first packet, not when the session opens: for whoever must not
    /// wait.
    pub later: bool,
}

/// One result of a session.
#[derive(Debug, Clone)]
pub struct SessionOutput {
    /// Its position in [`Graph::results`].
    pub result: usize,
    /// What came, and when it is in the time of the input.
    pub packet: Packet,
    /// How many packets a full queue has dropped since the result before.
    pub dropped: u32,
}

/// One stream through a graph. Shared between threads, used by one at a time: nothing here waits for a lock.
///
/// An error about an input leaves the session as it was: that input was not taken. After the failure of a node every
/// call gives that error until [`reset`](Self::reset).
///
/// # Examples
/// ```
/// use remotemedia::{AudioBuffer, AudioFormat, Pipeline, RuntimeData, SessionOptions};
///
/// let pipe = Pipeline::new(
///     r#"{"version": "v1", "metadata": {"name": "a"},
///         "nodes": [{"id": "r", "node_type": "AudioResample", "params": {"target_rate": 16000}}], "connections": []}"#,
/// )?;
/// let session = pipe.session(SessionOptions::default())?;
/// let mut frames = 0;
/// for _ in 0..50 {
///     let frame = AudioBuffer::new(vec![0.0; 960], AudioFormat::new(48_000, 1)?)?;
///     frames += session.feed(frame.into(), None, None)?.iter().map(|out| out.packet.data.frames()).sum::<u64>();
/// }
/// frames += session.flush()?.iter().map(|out| out.packet.data.frames()).sum::<u64>();
/// assert_eq!(frames, 16_000);
/// # Ok::<(), remotemedia::Error>(())
/// ```
pub struct Session {
    graph: Arc<Graph>,
    idle: Arc<Idle>,
    options: SessionOptions,
    /// Rises with every interrupt. Work of an older generation is thrown away.
    generation: Arc<AtomicU32>,
    closed: StopFlag,
    inner: Mutex<Inner>,
    /// What [`held_frames`](Self::held_frames) says: the generation in the upper half, the frames in the lower one.
    held: AtomicU64,
    /// Parameters that the next packet finds changed: node, name, value.
    pending: Mutex<Vec<(usize, String, Value)>>,
    has_pending: AtomicBool,
}

/// How often the lock is tried.
const TRIES: usize = 64;

struct Inner {
    stream: Option<Stream>,
    entrance: Entrance,
    /// The generation that the stream is in.
    generation: u32,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("graph", &self.graph).field("options", &self.options).finish_non_exhaustive()
    }
}

impl Session {
    /// Opens a session over a graph, on a stream that waits in `idle`, or a new one.
    ///
    /// # Errors
    /// `Format` when the input does not fit the graph, and what a node says against its parameters.
    pub fn new(graph: &Arc<Graph>, idle: &Arc<Idle>, options: SessionOptions) -> Result<Self> {
        let entrance = Entrance::new(graph, &options.input)?;
        let mut stream = idle.take(graph, stream_options(&options))?;
        if !options.later {
            stream.prepare()?;
        }
        Ok(Self {
            graph: graph.clone(),
            idle: idle.clone(),
            options,
            generation: Arc::default(),
            closed: StopFlag::default(),
            held: AtomicU64::new(0),
            pending: Mutex::default(),
            has_pending: AtomicBool::new(false),
            inner: Mutex::new(Inner { stream: Some(stream), entrance, generation: 0 }),
        })
    }

    /// The graph it works on.
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// The rate at which frames of the first source count, as far as it is known.
    pub fn sample_rate_hz(&self) -> Option<u32> {
        let inner = self.lock()?;
        inner.entrance.sample_rate_hz()
    }

    /// The channels of the first source, as far as they are known.
    pub fn channels(&self) -> Option<u16> {
        let inner = self.lock()?;
        inner.entrance.channels()
    }

    /// Estimated CPU time of so many frames of the first source, in nanoseconds.
    pub fn cost_ns(&self, frames: u64) -> f64 {
        let known = self.lock().map(|inner| (inner.entrance.sample_rate_hz(), inner.entrance.channels()));
        let format = known.and_then(|(rate, channels)| AudioFormat::new(rate?, channels.unwrap_or(1)).ok());
        self.graph.cost_ns(format, frames)
    }

    /// Checks whether audio of a format can go in.
    ///
    /// # Errors
    /// `Format`; `Busy`; `Closed`.
    pub fn check_input(&self, format: AudioFormat) -> Result<()> {
        self.enter()?.entrance.check(&self.graph, format)
    }

    /// Takes an item and gives what comes out, in order.
    ///
    /// `pts` is the time of its first frame; without one it follows what came before. `to` names the node that takes
    /// it; without one every node that takes input does.
    ///
    /// # Errors
    /// `Format`, `InputType`, `InputValue` for an item that does not fit; `Busy` when another thread is in the session;
    /// `Closed` after [`shutdown`](Self::shutdown); the failure of a node.
    pub fn feed(&self, data: RuntimeData, pts: Option<Pts>, to: Option<&str>) -> Result<Vec<SessionOutput>> {
        let mut outputs = Vec::new();
        self.feed_with(data, pts, to, &mut |result, packet| {
            outputs.push(SessionOutput { result, packet, dropped: 0 })
        })?;
        Ok(outputs)
    }

    /// Like [`feed`](Self::feed), with a function that takes the results.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    pub fn feed_with(
        &self,
        data: RuntimeData,
        pts: Option<Pts>,
        to: Option<&str>,
        sink: &mut dyn FnMut(usize, Packet),
    ) -> Result<()> {
        let mut inner = self.enter()?;
        let _waiting = self.ends_waits();
        let inner = &mut *inner;
        let node = to.map(|id| inner.entrance.find(&self.graph, id)).transpose()?;
        let before = self.generation();
        let done = self.push(inner, data, pts, node).and_then(|()| self.give(inner, sink));
        let done = self.given_up(inner, before, done);
        self.count_held(inner);
        done
    }

    /// While what it gives lives, nodes that wait on this thread end their wait at a close or an interrupt.
    fn ends_waits(&self) -> Option<StopWaiting> {
        let (closed, generation) = (self.closed.clone(), self.generation.clone());
        let before = self.generation();
        self.graph
            .waits()
            .then(|| StopWaiting::when(move || closed.is_set() || generation.load(Ordering::Acquire) != before))
    }

    /// What comes of a call that another thread has ended: of a close the error that says so, of an interrupt nothing.
    fn given_up(&self, inner: &mut Inner, before: u32, done: Result<()>) -> Result<()> {
        match done {
            Err(_) if self.closed.is_set() => Err(closed()),
            Err(_) if self.generation() != before => self.restart(inner),
            done => done,
        }
    }

    /// Ends the stream and gives everything that nodes hold back. What is fed next begins another stream, at time 0.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    pub fn flush(&self) -> Result<Vec<SessionOutput>> {
        let mut outputs = Vec::new();
        self.flush_with(&mut |result, packet| outputs.push(SessionOutput { result, packet, dropped: 0 }))?;
        Ok(outputs)
    }

    /// Like [`flush`](Self::flush), with a function that takes the results.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    pub fn flush_with(&self, sink: &mut dyn FnMut(usize, Packet)) -> Result<()> {
        let mut inner = self.enter()?;
        let _waiting = self.ends_waits();
        let inner = &mut *inner;
        if inner.generation != self.generation() && self.stream(inner)?.failure().is_none() {
            return self.restart(inner);
        }
        let before = self.generation();
        let done = self.stream(inner)?.end().and_then(|()| self.give(inner, sink));
        self.given_up(inner, before, done)?;
        self.restart(inner)
    }

    /// Says for other threads what is held now.
    fn count_held(&self, inner: &Inner) {
        let frames = inner.stream.as_ref().map_or(0, Stream::held_frames).min(u32::MAX.into());
        self.held.store(u64::from(inner.generation) << 32 | frames, Ordering::Release);
    }

    /// Starts workers and loads models, as [`new`](Self::new) does unless it was told not to.
    ///
    /// # Errors
    /// What a node says; `Busy`; `Closed`.
    pub fn prepare(&self) -> Result<()> {
        let mut inner = self.enter()?;
        let _waiting = self.closed.ends_waits(&self.graph);
        self.stream(&mut inner)?.prepare()
    }

    /// Ends the session, and with it its processors, so that what they have started and not used is free.
    pub fn release(&self) {
        self.closed.stop();
        if let Some(mut inner) = self.lock() {
            inner.stream = None;
        }
    }

    /// Forgets the stream, with everything held, and begins another one at time 0. Plans, weights and changed
    /// parameters stay. A session whose node has failed works again.
    ///
    /// # Errors
    /// `Busy`, `Closed`, and what a node says when it must be built anew.
    pub fn reset(&self) -> Result<()> {
        let mut inner = self.enter()?;
        self.restart(&mut inner)
    }

    /// Throws away what is queued or held, at once: no output of before comes after this returns. A call that is
    /// under way in another thread gives nothing. Time begins at 0 again. Returns the new generation.
    pub fn interrupt(&self) -> u32 {
        // No lock: a thread that is in must not be told that the session is busy. Whoever comes next sees that the stream
        // is of an older generation, and begins another one first.
        self.generation.fetch_add(1, Ordering::AcqRel).wrapping_add(1)
    }

    /// The generation that outputs carry: 0, and one more with each interrupt.
    pub fn generation(&self) -> u32 {
        self.generation.load(Ordering::Acquire)
    }

    /// Changes a parameter of a node, from the next packet on. Any thread may call it.
    ///
    /// # Errors
    /// `InputValue` for a node, name or value that there is not; `Unsupported` when it cannot change while running;
    /// `Closed`.
    pub fn set_param(&self, node: &str, name: &str, value: &Value) -> Result<()> {
        let position = position(&self.graph, node)?;
        // Tried on a processor of its own, so that the error comes here and the stream is left alone.
        self.graph.nodes[position].try_param(name, value)?;
        if self.closed.is_set() {
            return Err(closed());
        }
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.push((position, name.to_owned(), value.clone()));
        self.has_pending.store(true, Ordering::Release);
        Ok(())
    }

    /// Takes over what `set_param` has left.
    fn apply_pending(&self, inner: &mut Inner) -> Result<()> {
        // Taken by another thread just now: its `set_param` has not returned yet.
        let Ok(mut pending) = self.pending.try_lock() else { return Ok(()) };
        self.has_pending.store(false, Ordering::Release);
        for (node, name, value) in pending.drain(..) {
            self.stream(inner)?.set_param(node, &name, &value)?;
        }
        Ok(())
    }

    /// The most audio frames that a node holds back, at the rate of its output, after the last call that has ended.
    pub fn held_frames(&self) -> u64 {
        // No lock: another thread that comes in meanwhile would be told that the session is busy.
        let held = self.held.load(Ordering::Acquire);
        // What was interrupted is held by nobody.
        if held >> 32 == u64::from(self.generation()) { held & u64::from(u32::MAX) } else { 0 }
    }

    /// The figures of every node since the stream began. Empty without a clock.
    ///
    /// # Errors
    /// `Busy`, `Closed`.
    pub fn metrics(&self) -> Result<Vec<NodeMetrics>> {
        let inner = self.enter()?;
        let measured = inner.stream.as_ref().filter(|_| self.options.clock.is_some());
        Ok(measured.map(Stream::metrics).unwrap_or_default())
    }

    /// Ends the session: what is held is dropped. Every later call gives `Closed`.
    pub fn shutdown(&self) {
        self.closed.stop();
        if let Some(mut inner) = self.lock() {
            self.give_back(&mut inner);
        }
    }

    /// Tried for some microseconds, so that a look from another thread is no collision; never waited for.
    fn lock(&self) -> Option<MutexGuard<'_, Inner>> {
        for attempt in 0..TRIES {
            match self.inner.try_lock() {
                Ok(inner) => return Some(inner),
                Err(TryLockError::Poisoned(inner)) => return Some(inner.into_inner()),
                Err(TryLockError::WouldBlock) if attempt < TRIES / 2 => std::hint::spin_loop(),
                Err(TryLockError::WouldBlock) => std::thread::yield_now(),
            }
        }
        None
    }

    fn enter(&self) -> Result<MutexGuard<'_, Inner>> {
        if self.closed.is_set() {
            return Err(closed());
        }
        match self.lock() {
            Some(inner) if inner.stream.is_some() => Ok(inner),
            Some(_) => Err(closed()),
            // Who is in may be the thread that closes: a closed session is never busy.
            None if self.closed.is_set() => Err(closed()),
            None => {
                Err(Error::new(ErrorKind::Busy, "another thread is in the session").hint("a session each, or a lock"))
            }
        }
    }

    fn stream<'a>(&self, inner: &'a mut Inner) -> Result<&'a mut Stream> {
        inner.stream.as_mut().ok_or_else(closed)
    }

    fn push(&self, inner: &mut Inner, data: RuntimeData, pts: Option<Pts>, to: Option<usize>) -> Result<()> {
        // A failed stream stays failed, and says so.
        if let Some(error) = inner.stream.as_ref().and_then(Stream::failure) {
            return Err(error);
        }
        let generation = self.generation();
        if inner.generation != generation {
            self.restart(inner)?;
        }
        if self.has_pending.load(Ordering::Acquire) {
            self.apply_pending(inner)?;
        }
        let packet = inner.entrance.admit(&self.graph, data, pts, to, generation)?;
        let stream = self.stream(inner)?;
        match to {
            Some(node) => stream.push_port(node, PortId::FIRST, packet),
            None => stream.push(packet),
        }
    }

    /// Hands the results over, unless an interrupt came meanwhile.
    fn give(&self, inner: &mut Inner, sink: &mut dyn FnMut(usize, Packet)) -> Result<()> {
        let generation = inner.generation;
        if self.generation() != generation {
            return self.restart(inner);
        }
        let entrance = &inner.entrance;
        if let Some(stream) = &mut inner.stream {
            for (result, mut packet) in stream.take_results().filter(|(_, packet)| !packet.is_gap()) {
                packet.generation = generation;
                entrance.outside(&self.graph, result, &mut packet);
                sink(result, packet);
            }
        }
        Ok(())
    }

    /// Begins a stream anew, in the present generation.
    fn restart(&self, inner: &mut Inner) -> Result<()> {
        inner.generation = self.generation();
        inner.entrance.reset();
        let stream = self.stream(inner)?;
        if !stream.reset() {
            *stream = stream.rebuilt()?;
        }
        self.count_held(inner);
        Ok(())
    }

    fn give_back(&self, inner: &mut Inner) {
        if let Some(stream) = inner.stream.take().filter(|stream| !stream.is_changed() && !stream.has_failed()) {
            self.idle.put(stream);
        }
        self.count_held(inner);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(mut inner) = self.lock() {
            self.give_back(&mut inner);
        }
    }
}

pub(super) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the session is closed").hint("open another one")
}

pub(super) fn stream_options(options: &SessionOptions) -> StreamOptions {
    StreamOptions {
        lenient: false,
        opening: Opening::live(if options.constant_frames { Align::Keep } else { Align::Trim }),
        clock: options.clock.clone(),
        stop: StopFlag::default(),
    }
}
