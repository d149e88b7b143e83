//! A stage of a live stream at work.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::live::Shared;
use super::metrics::NodeMetrics;
use super::stream::Stream;
use crate::data::Packet;
use crate::error::Result;
use crate::graph::{Exit, Graph, Stage};
use crate::node::{Nudge, PortId};

/// Packets that a job works on before it lets others have the thread.
const TURN: usize = 16;

/// What waits for a stage.
#[derive(Debug)]
pub(super) enum Entry {
    /// A packet for an input of a node.
    Packet(usize, PortId, Packet),
    /// One of the stages before has ended.
    End,
    /// A parameter of a node.
    Param(usize, String, Value),
    /// The answer to the oldest packet that is under way, and what calls back from the wait for it.
    Settle(Arc<Nudge>),
}

/// A stage, and what waits for it.
pub(super) struct Work {
    pub(super) queue: VecDeque<Entry>,
    /// Taken out while a job works with it.
    pub(super) stream: Option<Stream>,
    /// The generation that the stream is in.
    generation: u32,
    pub(super) running: bool,
    /// How many stages feed it, and how many of them have ended.
    pub(super) upstream: usize,
    ends: usize,
    pub(super) ended: bool,
    /// What one of them has cost for each frame, at most, as far as it was measured.
    measured_ns_per_frame: f64,
    graph: Arc<Graph>,
    /// Whether its nodes run elsewhere, so that whoever calls them waits.
    waits: bool,
    /// Whether packets are under way there, and whether the job waits for an answer.
    under_way: bool,
    settling: bool,
    nudge: Arc<Nudge>,
    /// The figures of its nodes before the last packet, if they run elsewhere.
    figures: Vec<NodeMetrics>,
}

impl Work {
    pub(super) fn new(stream: Stream, stage: &Stage) -> Self {
        let figures = stream.metrics();
        Self {
            queue: VecDeque::new(),
            stream: Some(stream),
            generation: 0,
            running: false,
            upstream: stage.upstream,
            ends: 0,
            ended: false,
            measured_ns_per_frame: 0.0,
            graph: stage.graph.clone(),
            waits: stage.graph.waits(),
            under_way: false,
            settling: false,
            nudge: Arc::default(),
            figures,
        }
    }

    /// Forgets what waits. Parameters stay: they are not of the old stream.
    pub(super) fn clear(&mut self) {
        self.queue.retain(|entry| matches!(entry, Entry::Param(..)));
        (self.ends, self.ended, self.under_way) = (0, false, false);
    }

    /// Whether it has something to do, if only to wait for an answer.
    pub(super) fn has_something(&self) -> bool {
        !self.queue.is_empty() || self.under_way
    }

    /// Whether what comes next takes at most so long.
    pub(super) fn is_short(&self, limit_ns: f64) -> bool {
        if self.waits {
            return false;
        }
        match self.queue.front() {
            Some(Entry::Packet(node, port, packet)) => {
                let frames = self.stream.as_ref().map_or(0, |stream| stream.frames_for(*node, *port, packet));
                let format = packet.data.format().audio().ok();
                let per_frame = self.graph.cost_per_frame_ns(format).max(self.measured_ns_per_frame);
                frames as f64 * per_frame <= limit_ns
            }
            // What a node holds comes out, however much it is.
            Some(Entry::End) => false,
            _ => true,
        }
    }

    /// Takes note of how long a packet took. Most have much in common with the next one.
    pub(super) fn measured(&mut self, frames: u64, elapsed: Duration) {
        let per_frame = elapsed.as_nanos() as f64 / frames.max(1) as f64;
        self.measured_ns_per_frame = per_frame.max(self.measured_ns_per_frame * 0.9);
    }

    /// Whether its figures can be told now: not in the middle of a packet.
    pub(super) fn has_figures(&self) -> bool {
        self.stream.is_some() || self.waits
    }

    /// The figures of its nodes.
    pub(super) fn figures(&self) -> Vec<NodeMetrics> {
        self.stream.as_ref().map_or_else(|| self.figures.clone(), Stream::metrics)
    }

    /// What calls the job back from its wait, if there is something else to do.
    pub(super) fn nudge(&self) -> Option<Arc<Nudge>> {
        (self.settling && !(self.queue.is_empty() && self.under_way)).then(|| self.nudge.clone())
    }

    /// What is to be done next. What is under way is answered when there is nothing else, and before a parameter
    /// changes: that is for what comes after it.
    fn next(&mut self) -> Option<Entry> {
        match self.queue.front() {
            None | Some(Entry::Param(..)) if self.under_way => Some(Entry::Settle(self.nudge.clone())),
            _ => self.queue.pop_front(),
        }
    }
}

impl Shared {
    /// Works on what waits for a stage.
    pub(super) fn run(self: &Arc<Self>, stage: usize) {
        let _waiting = self.closed.ends_waits(&self.stages.stages[stage].graph);
        let has_clock = self.options().session.clock.is_some();
        for _ in 0..TURN {
            let mut state = self.lock();
            if !state.can_run(stage, &self.stages, self.options()) {
                break;
            }
            let generation = state.generation;
            let work = &mut state.work[stage];
            let (Some(entry), Some(mut stream)) = (work.next(), work.stream.take()) else { break };
            let stale = work.generation != generation;
            work.generation = generation;
            work.settling = matches!(entry, Entry::Settle(_));
            work.nudge.clear();
            if has_clock && work.waits {
                work.figures = stream.metrics();
            }
            let last = matches!(entry, Entry::End) && {
                work.ends += 1;
                work.ends >= work.upstream.max(1)
            };
            drop(state);
            let frames = match &entry {
                Entry::Packet(node, port, packet) => stream.frames_for(*node, *port, packet),
                _ => 0,
            };
            let started = Instant::now();
            let done = self.step(&mut stream, entry, last, stale);
            let mut state = self.lock();
            if frames > 0 {
                state.work[stage].measured(frames, started.elapsed());
            }
            state.work[stage].settling = false;
            if self.closed.is_set() {
                drop(state);
                drop(stream);
                break;
            }
            if state.generation != generation {
                // Interrupted meanwhile: what waits at its nodes is given up now, and not with the next packet.
                drop(state);
                let is_fresh = stream.reset();
                state = self.lock();
                if is_fresh {
                    state.work[stage].generation = state.generation;
                }
                state.work[stage].stream = Some(stream);
                continue;
            }
            let results: Vec<_> = stream.take_results().collect();
            let under_way = stream.is_under_way();
            state.work[stage].stream = Some(stream);
            state.work[stage].under_way = under_way;
            for (result, packet) in results {
                for exit in &self.stages.stages[stage].exits[result] {
                    match *exit {
                        Exit::Result(_) if packet.is_gap() => {}
                        Exit::Result(result) => state.put_out(result, packet.clone(), self),
                        Exit::Stage(to, node, port) => {
                            state.work[to].queue.push_back(Entry::Packet(node, port, packet.clone()));
                        }
                    }
                }
            }
            if last {
                state.work[stage].ended = true;
                let mut after: Vec<usize> =
                    self.stages.stages[stage].exits.iter().flatten().filter_map(stage_of).collect();
                after.sort_unstable();
                after.dedup();
                for to in after {
                    state.work[to].queue.push_back(Entry::End);
                }
            }
            match done {
                Err(error) if error.does_session_go_on() => state.pass(error),
                Err(error) => {
                    state.failed.get_or_insert(error);
                    state.work.iter_mut().for_each(Work::clear);
                }
                Ok(()) => {}
            }
            if state.work[stage].waits {
                // The next wait may be long: what can go on beside it does.
                self.go_on(state);
            }
        }
        let mut state = self.lock();
        state.work[stage].running = false;
        self.go_on(state);
    }

    fn step(&self, stream: &mut Stream, entry: Entry, last: bool, stale: bool) -> Result<()> {
        if (stale || stream.has_failed()) && !stream.reset() {
            *stream = stream.rebuilt()?;
        }
        match entry {
            Entry::Packet(node, port, packet) => stream.push_port(node, port, packet),
            Entry::End if last => stream.end(),
            Entry::End => Ok(()),
            Entry::Param(node, name, value) => stream.set_param(node, &name, &value),
            Entry::Settle(nudge) => stream.settle(&nudge),
        }
    }
}

fn stage_of(exit: &Exit) -> Option<usize> {
    match exit {
        Exit::Stage(to, _, _) => Some(*to),
        Exit::Result(_) => None,
    }
}
