//! A live stream: items pushed on one side, results taken on the other, bounded queues between, and stages of the
//! graph that work at the same time.
//!
//! All queues lie under one lock, which is held only to move packets. A stage's work is a job: at most one at a time
//! for each stage, started when there is something to do and room for what comes of it. A job looks at the
//! generation again before it hands results on, under the lock: nothing of an older one gets through.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;

use super::entrance::{Entrance, position};
use super::live_stage::{Entry, Work};
use super::metrics::NodeMetrics;
use super::session::{SessionOptions, SessionOutput, closed, stream_options};
use super::stop::StopFlag;
use super::stream::Stream;
use crate::data::{Packet, Pts, RuntimeData};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Exit, Graph, Stages};
use crate::node::PortId;

/// A node of at least this cost a frame of 20 ms gets a stage of its own.
const HEAVY_NS: f64 = 100_000.0;

/// Frames that the cost of a node counts for: 20 ms at 48 kHz.
const USUAL_FRAMES: f64 = 960.0;

/// Work of at most this is done by whoever pushes or takes, who may be an event loop.
const INLINE_NS: f64 = 200_000.0;

/// How often, and after how long, figures look for a stage that is in the middle of a packet.
const LOOKS: u32 = 20;
const LOOK_AGAIN: Duration = Duration::from_micros(100);

/// Packets that wait between two stages.
const BETWEEN: usize = 2;

/// Runs jobs: a pool of threads, or a test's own order.
pub trait Spawn: Send + Sync {
    /// Runs a job, now or later. Says whether it will.
    fn spawn(&self, job: Box<dyn FnOnce() + Send>) -> bool;
}

/// What happens when a queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// Whoever pushes waits.
    #[default]
    Wait,
    /// The oldest one goes.
    DropOldest,
    /// The new one goes.
    DropNewest,
    /// Only the new one stays.
    Latest,
}

impl WhenFull {
    /// Each with its name.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Wait, "wait"),
        (Self::DropOldest, "drop_oldest"),
        (Self::DropNewest, "drop_newest"),
        (Self::Latest, "latest"),
    ];
}

/// How a live stream behaves.
#[derive(Debug, Clone)]
pub struct LiveOptions {
    /// As of a session.
    pub session: SessionOptions,
    /// How many items, and how many results, may wait. At least 1.
    pub queue: usize,
    /// What happens beyond that.
    pub when_full: WhenFull,
    /// Whether short work is done by whoever pushes or takes.
    pub inline: bool,
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self { session: SessionOptions::default(), queue: 64, when_full: WhenFull::Wait, inline: true }
    }
}

/// What became of a pushed item.
#[derive(Debug)]
pub enum Pushed {
    /// It was taken, or dropped as the policy says.
    Taken,
    /// There is no room: here it is again.
    Full(RuntimeData),
}

/// A live stream. Cheap to clone; all clones are the same stream.
#[derive(Clone)]
pub struct Live(Arc<Shared>);

pub(super) struct Shared {
    graph: Arc<Graph>,
    pub(super) stages: Stages,
    options: LiveOptions,
    spawn: Arc<dyn Spawn>,
    state: Mutex<State>,
    /// Woken at every change that somebody may wait for.
    changed: Notify,
    pub(super) closed: StopFlag,
}

pub(super) struct State {
    entrance: Entrance,
    pub(super) generation: u32,
    input: VecDeque<(Option<usize>, Packet)>,
    pub(super) work: Vec<Work>,
    output: VecDeque<SessionOutput>,
    /// Dropped since the last output that was put in the queue, and in all.
    dropped: u32,
    dropped_in: u64,
    dropped_out: u64,
    /// The end was pushed, and handed to the stages.
    ending: bool,
    ends_sent: bool,
    pub(super) failed: Option<Error>,
    /// A failure that the stream goes on after: told once, behind so many results.
    passing: Option<(usize, Error)>,
    /// That of the stream.
    closed: StopFlag,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("graph", &self.0.graph).field("options", &self.0.options).finish_non_exhaustive()
    }
}

impl Live {
    /// Opens a live stream over a graph.
    ///
    /// # Errors
    /// `Format` when the input does not fit the graph; `InputValue` for a queue of 0; what a node says against its
    /// parameters.
    pub fn new(graph: &Arc<Graph>, options: LiveOptions, spawn: Arc<dyn Spawn>) -> Result<Self> {
        if options.queue == 0 {
            return Err(Error::new(ErrorKind::InputValue, "queue is 0, expected at least 1"));
        }
        let entrance = Entrance::new(graph, &options.session.input)?;
        let stages = graph.stages(|node| {
            // What runs elsewhere works while the stages beside it do.
            node.waits() || node.kind.info().cost_ns_per_frame * USUAL_FRAMES >= HEAVY_NS
        });
        let mut work = Vec::with_capacity(stages.stages.len());
        for stage in &stages.stages {
            let mut of_stream = stream_options(&options.session);
            of_stream.opening = of_stream.opening.overlapping();
            let mut stream = Stream::new(stage.graph.clone(), of_stream)?;
            stream.prepare()?;
            work.push(Work::new(stream, stage));
        }
        let closed = StopFlag::default();
        let state = State {
            entrance,
            generation: 0,
            input: VecDeque::new(),
            work,
            output: VecDeque::new(),
            dropped: 0,
            dropped_in: 0,
            dropped_out: 0,
            ending: false,
            ends_sent: false,
            failed: None,
            passing: None,
            closed: closed.clone(),
        };
        Ok(Self(Arc::new(Shared {
            graph: graph.clone(),
            stages,
            options,
            spawn,
            state: Mutex::new(state),
            changed: Notify::new(),
            closed,
        })))
    }

    /// Pushes an item, unless there is no room and the policy is to wait.
    ///
    /// # Errors
    /// As a session's `feed`; `Closed` after [`end`](Self::end) or [`shutdown`](Self::shutdown).
    pub fn push(&self, data: RuntimeData, pts: Option<Pts>, to: Option<&str>) -> Result<Pushed> {
        let mut state = self.0.lock();
        state.usable()?;
        if state.ending {
            return Err(Error::new(ErrorKind::Closed, "the stream was ended").hint("reset() begins another one"));
        }
        let to = to.map(|id| state.entrance.find(&self.0.graph, id)).transpose()?;
        let policy = self.0.options.when_full;
        let full = state.input.len() >= self.0.options.queue;
        if full && policy == WhenFull::Wait {
            return Ok(Pushed::Full(data));
        }
        let generation = state.generation;
        // Time goes on over what is dropped.
        let packet = state.entrance.admit(&self.0.graph, data, pts, to, generation)?;
        let drops = match policy {
            WhenFull::Latest => state.input.drain(..).count(),
            WhenFull::DropOldest if full => usize::from(state.input.pop_front().is_some()),
            WhenFull::DropNewest if full => 1,
            _ => 0,
        };
        state.count_drops(drops, true);
        if !(full && policy == WhenFull::DropNewest) {
            state.input.push_back((to, packet));
        }
        self.0.go_on(state);
        Ok(Pushed::Taken)
    }

    /// Takes results that are ready, at most `most`. None: there are none yet, or no more.
    ///
    /// # Errors
    /// The failure of a node, once the results before it were taken; every time, or once if the stream goes on, as after
    /// the end of a worker that is started again. `Closed`.
    pub fn take(&self, most: usize) -> Result<Vec<SessionOutput>> {
        let mut state = self.0.lock();
        let before = state.passing.as_ref().map_or(usize::MAX, |(before, _)| *before);
        let count = most.min(state.output.len()).min(before);
        let outputs: Vec<SessionOutput> = state.output.drain(..count).collect();
        state.moved_up(count);
        if outputs.is_empty() {
            state.usable()?;
            if let Some((_, error)) = state.passing.take() {
                return Err(error);
            }
        }
        self.0.go_on(state);
        Ok(outputs)
    }

    /// No more items: every node gives back what it holds.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn end(&self) -> Result<()> {
        let mut state = self.0.lock();
        state.usable()?;
        state.ending = true;
        self.0.go_on(state);
        Ok(())
    }

    /// Whether the end has come: all results were taken, and there will be no more.
    pub fn is_finished(&self) -> bool {
        self.0.lock().finished()
    }

    /// Throws away what is queued or held, at once: no result of before comes after this returns. Time begins at 0
    /// again. Returns the new generation.
    pub fn interrupt(&self) -> u32 {
        let mut state = self.0.lock();
        state.restart();
        let generation = state.generation;
        self.0.go_on(state);
        generation
    }

    /// Begins another stream: as [`interrupt`](Self::interrupt), also after a failure.
    ///
    /// # Errors
    /// `Closed`, and what a node says when it must be built anew.
    pub fn reset(&self) -> Result<()> {
        let mut state = self.0.lock();
        if state.closed.is_set() {
            state.usable()?;
        }
        state.failed = None;
        state.restart();
        self.0.go_on(state);
        Ok(())
    }

    /// Changes a parameter of a node, from the next packet that reaches it on.
    ///
    /// # Errors
    /// `InputValue` for a node, a name or a value that there is not; `Unsupported` when it cannot change while running;
    /// `Closed`.
    pub fn set_param(&self, node: &str, name: &str, value: &Value) -> Result<()> {
        let position = position(&self.0.graph, node)?;
        self.0.graph.nodes[position].try_param(name, value)?;
        let mut state = self.0.lock();
        state.usable()?;
        let (stage, local) = self.0.stages.places[position];
        state.work[stage].queue.push_back(Entry::Param(local, name.to_owned(), value.clone()));
        self.0.go_on(state);
        Ok(())
    }

    /// Waits until [`take`](Self::take) gives something, or there is nothing more to come.
    pub async fn ready(&self) {
        self.until(|state| {
            !state.output.is_empty()
                || state.finished()
                || state.failed.is_some()
                || state.passing.is_some()
                || state.closed.is_set()
        })
        .await;
    }

    /// Waits until [`push`](Self::push) takes an item.
    pub async fn room(&self) {
        let queue = self.0.options.queue;
        self.until(|state| {
            state.input.len() < queue || state.ending || state.failed.is_some() || state.closed.is_set()
        })
        .await;
    }

    async fn until(&self, done: impl Fn(&State) -> bool) {
        loop {
            // Made before the look: a wake between the look and the wait is not lost.
            let changed = self.0.changed.notified();
            if done(&self.0.lock()) {
                return;
            }
            changed.await;
        }
    }

    /// How many items, and how many results, a full queue has dropped.
    pub fn dropped(&self) -> (u64, u64) {
        let state = self.0.lock();
        (state.dropped_in, state.dropped_out)
    }

    /// Items and results that wait now.
    pub fn waiting(&self) -> (usize, usize) {
        let state = self.0.lock();
        (state.input.len() + state.work.iter().map(|work| work.queue.len()).sum::<usize>(), state.output.len())
    }

    /// The generation that outputs carry.
    pub fn generation(&self) -> u32 {
        self.0.lock().generation
    }

    /// The figures of every node; of a stage that waits for another process, those of before that. One that is at work for
    /// long is left out. Empty without a clock.
    pub fn metrics(&self) -> Vec<NodeMetrics> {
        if self.0.options.session.clock.is_none() {
            return Vec::new();
        }
        for _ in 0..LOOKS {
            let state = self.0.lock();
            if state.work.iter().all(Work::has_figures) {
                return state.work.iter().flat_map(Work::figures).collect();
            }
            drop(state);
            std::thread::sleep(LOOK_AGAIN);
        }
        self.0.lock().work.iter().flat_map(Work::figures).collect()
    }

    /// Ends it: what is queued or held is dropped. Every later call gives `Closed`.
    pub fn shutdown(&self) {
        let mut state = self.0.lock();
        state.restart();
        state.closed.stop();
        // Nodes end on another thread: whoever closes may be an event loop. A stage at work ends with its job.
        let streams: Vec<Stream> = state.work.iter_mut().filter_map(|work| work.stream.take()).collect();
        self.0.go_on(state);
        self.0.spawn.spawn(Box::new(move || drop(streams)));
    }
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts what can start, and wakes whoever waits.
    pub(super) fn go_on(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        state.hand_out(&self.stages, &self.graph);
        let mut start = Vec::new();
        for stage in 0..state.work.len() {
            if !state.work[stage].running && state.can_run(stage, &self.stages, &self.options) {
                state.work[stage].running = true;
                let short = state.work[stage].is_short(INLINE_NS);
                start.push((stage, short && self.options.inline));
            }
        }
        let nudges: Vec<_> = state.work.iter().filter_map(Work::nudge).collect();
        drop(state);
        self.changed.notify_waiters();
        nudges.iter().for_each(|nudge| nudge.ask());
        for (stage, inline) in start {
            let shared = self.clone();
            if inline {
                shared.run(stage);
            } else if !self.spawn.spawn(Box::new(move || shared.run(stage))) {
                let mut state = self.lock();
                state.work[stage].running = false;
                state.failed.get_or_insert_with(|| Error::new(ErrorKind::Closed, "the runtime is shut down"));
                drop(state);
                self.changed.notify_waiters();
            }
        }
    }

    pub(super) fn when_full(&self) -> WhenFull {
        self.options.when_full
    }

    pub(super) fn queue(&self) -> usize {
        self.options.queue
    }

    pub(super) fn options(&self) -> &LiveOptions {
        &self.options
    }
}

impl State {
    fn usable(&self) -> Result<()> {
        if self.closed.is_set() {
            return Err(closed());
        }
        self.failed.clone().map_or(Ok(()), Err)
    }

    fn finished(&self) -> bool {
        self.output.is_empty() && self.passing.is_none() && self.ends_sent && self.work.iter().all(|work| work.ended)
    }

    fn restart(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        self.entrance.reset();
        self.input.clear();
        self.output.clear();
        self.passing = None;
        (self.ending, self.ends_sent, self.dropped) = (false, false, 0);
        for work in &mut self.work {
            work.clear();
        }
    }

    /// Moves items to the stages that take them.
    fn hand_out(&mut self, stages: &Stages, graph: &Graph) {
        if self.failed.is_some() {
            return;
        }
        let sources = |to: Option<usize>| -> Vec<(usize, usize)> {
            graph.takers().filter(|node| to.is_none_or(|to| to == *node)).map(|node| stages.places[node]).collect()
        };
        while let Some((to, _)) = self.input.front() {
            let places = sources(*to);
            if places.iter().any(|(stage, _)| self.work[*stage].queue.len() >= BETWEEN) {
                return;
            }
            let Some((_, packet)) = self.input.pop_front() else { return };
            for (stage, node) in places {
                self.work[stage].queue.push_back(Entry::Packet(node, PortId::FIRST, packet.clone()));
            }
        }
        if self.ending && !self.ends_sent {
            self.ends_sent = true;
            for work in self.work.iter_mut().filter(|work| work.upstream == 0) {
                work.queue.push_back(Entry::End);
            }
        }
    }

    /// Whether a stage has something to do, and room for what comes of it.
    pub(super) fn can_run(&self, stage: usize, stages: &Stages, options: &LiveOptions) -> bool {
        if !self.work[stage].has_something() || self.failed.is_some() || self.closed.is_set() {
            return false;
        }
        stages.stages[stage].exits.iter().flatten().all(|exit| match exit {
            Exit::Result(_) => options.when_full != WhenFull::Wait || self.output.len() < options.queue,
            Exit::Stage(to, _, _) => self.work[*to].queue.len() < BETWEEN,
        })
    }

    /// Keeps a failure that the stream goes on after.
    pub(super) fn pass(&mut self, error: Error) {
        if let Some((_, earlier)) = &self.passing {
            tracing::warn!(%error, %earlier, "a failure was not told, because one before it was not taken yet");
        } else {
            self.passing = Some((self.output.len(), error));
        }
    }

    /// So many results have left the front of the queue.
    fn moved_up(&mut self, results: usize) {
        if let Some((before, _)) = &mut self.passing {
            *before = before.saturating_sub(results);
        }
    }

    fn count_drops(&mut self, count: usize, input: bool) {
        self.dropped = self.dropped.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        *(if input { &mut self.dropped_in } else { &mut self.dropped_out }) += count as u64;
    }

    /// Puts a result in the queue, as the policy says.
    pub(super) fn put_out(&mut self, result: usize, mut packet: Packet, shared: &Shared) {
        packet.generation = self.generation;
        self.entrance.outside(&shared.graph, result, &mut packet);
        let full = self.output.len() >= shared.queue();
        let drops = match shared.when_full() {
            WhenFull::DropNewest if full => {
                self.count_drops(1, false);
                return;
            }
            WhenFull::DropOldest if full => self.output.pop_front().into_iter().collect(),
            WhenFull::Latest => std::mem::take(&mut self.output),
            _ => VecDeque::new(),
        };
        self.moved_up(drops.len());
        // What a dropped result said of drops before it is not lost with it.
        self.count_drops(drops.len(), false);
        let before: u32 = drops.iter().map(|output| output.dropped).sum();
        let dropped = std::mem::take(&mut self.dropped).saturating_add(before);
        // It is the next one to be taken that must say it.
        match self.output.front_mut().filter(|_| !drops.is_empty()) {
            Some(next) => {
                next.dropped = next.dropped.saturating_add(dropped);
                self.output.push_back(SessionOutput { result, packet, dropped: 0 });
            }
            None => self.output.push_back(SessionOutput { result, packet, dropped }),
        }
    }
}
