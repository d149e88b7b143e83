//! One stream through a graph: synchronous nodes, packet by packet, no queue between threads.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde_json::Value;

use super::metrics::{NodeMetrics, Recorder};
use super::stop::StopFlag;
use crate::data::{AudioFormat, Control, Format, Kind, Kinds, Packet, Pool, Pts, RuntimeData, denormals};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Graph, GraphNode};
use crate::manifest::OnError;
use crate::node::{Clock, Nudge, Opening, Out, PortId, Processor};

/// How a stream behaves.
#[derive(Debug, Clone, Default)]
pub struct StreamOptions {
    /// Bare arrays get an assumed format, and items of a kind that a node does not take go around it; with warnings.
    pub lenient: bool,
    /// What its nodes are opened for.
    pub opening: Opening,
    /// A clock, when figures are to be collected.
    pub clock: Option<Arc<dyn Clock>>,
    /// The flag that stops the work.
    pub stop: StopFlag,
}

/// What a stream assumed or let pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What it is about.
    pub kind: WarningKind,
    /// The node concerned.
    pub node: String,
    /// In words, with what to do about it.
    pub text: String,
}

/// What a warning is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WarningKind {
    /// A bare array was taken as audio of an assumed format.
    AssumedFormat,
    /// An item went around a node that does not take its kind.
    UnhandledKind,
}

/// A node at work.
pub(super) struct Running {
    processor: Box<dyn Processor>,
    /// The formats it was opened with, in this stream or in one before it.
    opened: Option<Vec<Format>>,
    /// Whether it joins streams.
    joins: bool,
    /// Whether a packet of this stream has come.
    used: bool,
    /// For each input of audio, the frame that comes next.
    pub(super) next: Vec<i64>,
    /// When the stream begins that it works on: it counts from there.
    base: Option<Pts>,
    /// When the stream of a node that joins others begins.
    began: Option<Pts>,
    /// For arrays that become audio here: their format, and the frames so far.
    pub(super) adapted: Option<(AudioFormat, i64)>,
    /// The format of the audio that has come out last, of a node that runs elsewhere.
    pub(super) made: Option<AudioFormat>,
    /// How many samples it makes of one of a format, at most.
    pub(super) growth: Option<(AudioFormat, usize)>,
    /// A bit for each output that leads somewhere.
    wanted: u64,
    /// Parameters that were changed while running.
    changed: BTreeMap<String, Value>,
    recorder: Recorder,
}

/// What a processor is called for.
#[derive(Clone, Copy)]
enum Call {
    /// A packet of this item.
    Packet(usize),
    /// The answer to a packet of before.
    Settle,
    /// Nothing is on its way.
    Quiet,
    /// The end of an input.
    End,
}

/// A packet on its way to an input of a node.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) node: usize,
    pub(super) port: PortId,
    pub(super) packet: Packet,
    /// How many of its frames the node has got already.
    pub(super) done: usize,
}

impl Waiting {
    /// A packet at the door of a node, in the node's own time.
    fn new(nodes: &mut [Running], node: usize, port: PortId, mut packet: Packet) -> Self {
        let running = &mut nodes[node];
        // Streams that are joined have one clock, whenever each of them has begun.
        let base = *running.base.get_or_insert(if running.joins { Pts::ZERO } else { packet.start });
        if base.ticks != 0 {
            packet.shift(|pts| pts.minus(base));
        }
        Self { node, port, packet, done: 0 }
    }
}

/// A stream: processors in their graph. Results pile up until they are taken.
pub struct Stream {
    pub(super) graph: Arc<Graph>,
    pub(super) nodes: Vec<Running>,
    pub(super) out: Out,
    /// What comes next is first. What a packet becomes goes before what waited already: each is done before the next.
    pub(super) queue: VecDeque<Waiting>,
    results: Vec<(usize, Packet)>,
    pub(super) warnings: Vec<Warning>,
    pub(super) options: StreamOptions,
    failed: Option<Error>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("graph", &self.graph).finish_non_exhaustive()
    }
}

impl Stream {
    /// Builds the processors of a graph.
    ///
    /// # Errors
    /// What a node says against its parameters.
    pub fn new(graph: Arc<Graph>, options: StreamOptions) -> Result<Self> {
        let mut nodes = Vec::with_capacity(graph.nodes.len());
        for node in &graph.nodes {
            let processor = node.kind.build(&node.params).map_err(|error| error.at_node(&node.id))?;
            nodes.push(Running {
                processor,
                opened: None,
                joins: node.joins(),
                used: false,
                next: vec![0; node.connected.len()],
                base: None,
                began: None,
                adapted: None,
                made: None,
                growth: None,
                wanted: wanted(node),
                changed: BTreeMap::new(),
                recorder: Recorder::default(),
            });
        }
        Ok(Self {
            graph,
            nodes,
            out: Out::new(Pool::default()),
            queue: VecDeque::new(),
            results: Vec::new(),
            warnings: Vec::new(),
            options,
            failed: None,
        })
    }

    /// Starts what takes a while, before the first packet.
    ///
    /// # Errors
    /// What a node says.
    pub fn prepare(&mut self) -> Result<()> {
        if !self.graph.waits() {
            return Ok(());
        }
        let opening = self.options.opening;
        for (node, at) in self.nodes.iter_mut().zip(&self.graph.nodes) {
            caught(|| node.processor.prepare(opening)).map_err(|error| error.at_node(&at.id))?;
        }
        Ok(())
    }

    /// Puts a packet into every source and works until nothing moves.
    ///
    /// # Errors
    /// The first failure; the stream is stopped then and gives the same error to every later call.
    pub fn push(&mut self, packet: Packet) -> Result<()> {
        self.guarded(|stream| {
            let graph = stream.graph.clone();
            let mut takers = graph.takers().peekable();
            while let Some(node) = takers.next() {
                if takers.peek().is_none() {
                    stream.deliver(node, PortId::FIRST, packet)?;
                    break;
                }
                stream.deliver(node, PortId::FIRST, packet.clone())?;
            }
            stream.rest()
        })
    }

    /// Puts a packet into one input of one node, and works until nothing moves.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_port(&mut self, node: usize, port: PortId, packet: Packet) -> Result<()> {
        self.guarded(|stream| {
            stream.deliver(node, port, packet)?;
            stream.rest()
        })
    }

    /// How many frames a packet is to a node, with the silence that is missing before it. One of another kind is one.
    pub fn frames_for(&self, node: usize, port: PortId, packet: &Packet) -> u64 {
        let RuntimeData::Audio(audio) = &packet.data else { return packet.data.frames() };
        let base = self.nodes[node].base.unwrap_or(packet.start);
        let at = packet.pts.minus(base).to_frames(audio.sample_rate_hz());
        let next = self.nodes[node].next.get(port.index()).copied().unwrap_or(at);
        audio.frames() as u64 + u64::try_from(at.saturating_sub(next)).unwrap_or(0)
    }

    /// Whether packets are under way in a node that runs elsewhere.
    pub fn is_under_way(&self) -> bool {
        self.graph.waits() && self.nodes.iter().any(|node| node.processor.is_under_way())
    }

    /// Waits for the answer to the oldest packet of the first node that has some under way, and works until nothing
    /// moves. Comes back without it when nudged.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn settle(&mut self, nudge: &Nudge) -> Result<()> {
        let Some(node) = self.nodes.iter().position(|node| node.processor.is_under_way()) else { return Ok(()) };
        self.guarded(|stream| {
            stream.call(node, Call::Settle, |processor, out| processor.settle(out, nudge))?;
            stream.pump()
        })
    }

    /// Ends the stream: every node gives back what it holds.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn end(&mut self) -> Result<()> {
        self.guarded(|stream| {
            for node in 0..stream.nodes.len() {
                if !stream.nodes[node].used {
                    continue; // Nothing went in, nothing is held.
                }
                for port in 0..stream.graph.nodes[node].connected.len() {
                    let port = PortId(u16::try_from(port).unwrap_or(u16::MAX));
                    stream.call(node, Call::End, |processor, out| processor.end(port, out))?;
                    stream.pump()?;
                }
            }
            Ok(())
        })
    }

    /// Makes it ready for another stream: nothing of the old one stays but plans and weights. Says whether it can be:
    /// not after a failure.
    pub fn reset(&mut self) -> bool {
        self.results.clear();
        self.warnings.clear();
        for node in &mut self.nodes {
            // A panic in `reset` leaves the processor unusable.
            if caught(|| {
                node.processor.reset();
                Ok(())
            })
            .is_err()
            {
                return false;
            }
            (node.used, node.adapted, node.made, node.recorder) = (false, None, None, Recorder::default());
            (node.base, node.began) = (None, None);
            node.next.fill(0);
        }
        self.failed.is_none()
    }

    /// Changes a parameter of a node. What its position is, the graph says.
    ///
    /// # Errors
    /// `InputValue` for a name or value that the node does not have, `Unsupported` when it cannot change while running.
    pub fn set_param(&mut self, node: usize, name: &str, value: &Value) -> Result<()> {
        let at = &self.graph.nodes[node];
        at.check_param(name, value)?;
        let running = &mut self.nodes[node];
        caught(|| running.processor.set_param(name, value)).map_err(|error| error.at_node(&at.id))?;
        running.changed.insert(name.to_owned(), value.clone());
        Ok(())
    }

    /// The failure that stopped it.
    pub fn failure(&self) -> Option<Error> {
        self.failed.clone()
    }

    /// Whether a failure has stopped it.
    pub fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// A stream like this one, with the parameters that were changed, built anew.
    ///
    /// # Errors
    /// What a node says against its parameters.
    pub fn rebuilt(&self) -> Result<Self> {
        let mut stream = Self::new(self.graph.clone(), self.options.clone())?;
        for (node, before) in self.nodes.iter().enumerate() {
            for (name, value) in &before.changed {
                stream.set_param(node, name, value)?;
            }
        }
        Ok(stream)
    }

    /// Whether a parameter was changed while running: such a stream serves nobody else.
    pub fn is_changed(&self) -> bool {
        self.nodes.iter().any(|node| !node.changed.is_empty())
    }

    /// The most audio frames that a node holds back.
    pub fn held_frames(&self) -> u64 {
        self.nodes.iter().map(|node| node.processor.held_frames()).max().unwrap_or(0)
    }

    /// What its nodes are opened for.
    pub fn opened_for(&self) -> Opening {
        self.options.opening
    }

    /// Takes other options for the stream that begins; what its nodes are opened for stays.
    pub fn set_options(&mut self, options: StreamOptions) {
        let opening = self.options.opening;
        self.options = StreamOptions { opening, ..options };
    }

    /// Takes the results so far: the position in [`Graph::results`] and the packet, in order.
    pub fn take_results(&mut self) -> impl Iterator<Item = (usize, Packet)> + '_ {
        self.results.drain(..)
    }

    /// Takes the warnings so far.
    pub fn take_warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.warnings)
    }

    /// The figures of every node.
    pub fn metrics(&self) -> Vec<NodeMetrics> {
        let figures = self.nodes.iter().zip(&self.graph.nodes).map(|(node, at)| {
            let worker = node.processor.metrics();
            (at.index, NodeMetrics { worker, ..node.recorder.figures(&at.id) })
        });
        let mut figures: Vec<_> = figures.collect();
        figures.sort_by_key(|(index, _)| *index);
        figures.into_iter().map(|(_, figures)| figures).collect()
    }

    fn guarded(&mut self, work: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let denormals = denormals::flushed();
        let done = work(self);
        drop(denormals);
        if let Err(error) = &done {
            self.failed = Some(error.clone()).filter(|error| !error.does_session_go_on());
            if self.failed.is_some() {
                self.queue.clear();
            }
        }
        done
    }

    /// Works until nothing moves.
    pub(super) fn pump(&mut self) -> Result<()> {
        while let Some(waiting) = self.queue.pop_front() {
            self.step(waiting)?;
        }
        Ok(())
    }

    /// Tells nodes that join streams that nothing is on its way any more.
    fn rest(&mut self) -> Result<()> {
        if !self.graph.joins {
            return Ok(());
        }
        for node in 0..self.nodes.len() {
            if self.nodes[node].used && self.nodes[node].joins {
                self.call(node, Call::Quiet, |processor, out| processor.quiet(out))?;
                self.pump()?;
            }
        }
        Ok(())
    }

    pub(super) fn deliver(&mut self, node: usize, port: PortId, packet: Packet) -> Result<()> {
        let waiting = Waiting::new(&mut self.nodes, node, port, packet);
        if self.queue.is_empty() {
            self.step(waiting)?;
        } else {
            // What a failure has left of a packet before it comes first.
            self.queue.push_back(waiting);
        }
        self.pump()
    }

    pub(super) fn process(&mut self, node: usize, port: PortId, packet: Packet) -> Result<()> {
        self.open(node, port, &packet)?;
        let recorder = &mut self.nodes[node].recorder;
        recorder.packets_in += 1;
        recorder.frames_in += packet.data.frames();
        let item = packet.item as usize;
        self.call(node, Call::Packet(item), |processor, out| processor.process(port, packet, out))
    }

    /// Whether a node has dropped a packet.
    pub fn has_dropped(&self) -> bool {
        self.nodes.iter().any(|node| node.recorder.dropped > 0)
    }

    /// Opens a node with the format of its first packet, and holds later ones to it.
    fn open(&mut self, node: usize, port: PortId, packet: &Packet) -> Result<()> {
        if !self.nodes[node].used {
            let format = match &packet.data {
                RuntimeData::Control(Control::Gap { format, .. }) => (*format).into(),
                data => data.format(),
            };
            self.open_with(node, opening(&self.graph.nodes[node], port, format))?;
            self.nodes[node].used = true;
            return Ok(());
        }
        let RuntimeData::Audio(audio) = &packet.data else { return Ok(()) };
        let is = audio.format();
        let was = self.nodes[node].opened.as_mut().and_then(|formats| formats.get_mut(port.index()));
        if let Some(was) = was.filter(|was| **was == Format::AUDIO) {
            // The first packet of another input than the one that opened the node.
            *was = is.into();
            return Ok(());
        }
        let was = self.nodes[node].opened.as_ref().and_then(|formats| formats.get(port.index()));
        match was.map(Format::audio) {
            Some(Ok(was)) if was != is => {
                Err(Error::new(ErrorKind::Format, format!("the stream changes to {is}, expected {was} as before"))
                    .code_of("RM0203")
                    .at_node(&self.graph.nodes[node].id)
                    .at_item(packet.item as usize)
                    .hint("one run is one stream: run items of other formats apart"))
            }
            _ => Ok(()),
        }
    }

    fn open_with(&mut self, node: usize, formats: Vec<Format>) -> Result<()> {
        if let Some(before) = self.nodes[node].opened.take() {
            if before == formats {
                self.nodes[node].opened = Some(before);
                return Ok(());
            }
            // It served a stream of another format: a processor is opened once.
            let at = &self.graph.nodes[node];
            let mut processor = at.kind.build(&at.params).map_err(|error| error.at_node(&at.id))?;
            for (name, value) in &self.nodes[node].changed {
                processor.set_param(name, value).map_err(|error| error.at_node(&at.id))?;
            }
            self.nodes[node].processor = processor;
        }
        let processor = &mut self.nodes[node].processor;
        let opening = self.options.opening;
        let opened = caught(|| processor.open(&formats, opening).map(drop));
        opened.map_err(|error| error.at_node(&self.graph.nodes[node].id))?;
        self.nodes[node].opened = Some(formats);
        Ok(())
    }

    /// Calls a processor, catches its panic, keeps the figures, and routes what it puts out.
    fn call(
        &mut self,
        node: usize,
        what: Call,
        work: impl FnOnce(&mut dyn Processor, &mut Out) -> Result<()>,
    ) -> Result<()> {
        let started = self.options.clock.as_ref().map(|clock| clock.now_ns());
        let running = &mut self.nodes[node];
        let out = &mut self.out;
        out.listen(running.wanted);
        // Code of others finds the thread as it left it.
        let waits = self.graph.nodes[node].waits();
        let _denormals = waits.then(denormals::kept);
        let done = caught(|| work(running.processor.as_mut(), out));
        if let (Some(clock), Some(started)) = (&self.options.clock, started) {
            let ns = clock.now_ns().saturating_sub(started);
            match what {
                Call::Packet(_) => running.recorder.call(ns),
                Call::Settle => running.recorder.wait(ns),
                Call::Quiet | Call::End => running.recorder.end(ns),
            }
        }
        let mut failed = out.take_failed();
        failed.extend(done.err().map(|error| match what {
            Call::Packet(item) => error.at_item(item),
            Call::Settle | Call::Quiet | Call::End => error,
        }));
        let failure = self.failure_of(node, failed);
        if failure.as_ref().is_some_and(|error| !error.does_session_go_on()) {
            self.out.drain().for_each(drop);
            return failure.map_or(Ok(()), Err);
        }
        self.nodes[node].recorder.dropped += self.out.take_skipped();
        let mut packets = self.out.take();
        self.routed(|stream| {
            for (port, packet) in packets.drain(..) {
                let recorder = &mut stream.nodes[node].recorder;
                recorder.packets_out += 1;
                recorder.frames_out += packet.data.frames();
                if let (true, RuntimeData::Audio(audio)) = (waits, &packet.data) {
                    stream.nodes[node].made = Some(audio.format());
                }
                stream.route(node, port, packet);
            }
        });
        self.out.refill(packets);
        failure.map_or(Ok(()), Err)
    }

    /// Counts failures of a node. Gives the one that the stream stops for, or else that it goes on after.
    fn failure_of(&mut self, node: usize, failed: Vec<Error>) -> Option<Error> {
        let (at, recorder) = (&self.graph.nodes[node], &mut self.nodes[node].recorder);
        let mut first: Option<Error> = None;
        for error in failed {
            let error = error.at_node(&at.id);
            recorder.errors += 1;
            // Who stops the call means the call, and not this packet.
            if at.on_error == OnError::Skip && !error.ends_the_call() {
                tracing::debug!(%error, "packet skipped");
                recorder.dropped += 1;
            } else if first.as_ref().is_none_or(|first| first.does_session_go_on() && !error.does_session_go_on()) {
                first = Some(error);
            }
        }
        first
    }

    /// Routes packets, which come before those that wait already.
    pub(super) fn routed(&mut self, route: impl FnOnce(&mut Self)) {
        let before = self.queue.len();
        route(self);
        if before > 0 {
            self.queue.rotate_left(before);
        }
    }

    /// What a node has put out, in the time of the stream.
    fn outside(&mut self, node: usize, packet: &mut Packet) {
        let running = &mut self.nodes[node];
        packet.start = match running.base {
            _ if running.joins => *running.began.get_or_insert(packet.pts),
            Some(base) if base.ticks != 0 => {
                packet.shift(|pts| pts.plus(base));
                base
            }
            _ => Pts::ZERO,
        };
    }

    /// Hands a packet to whoever an output leads to.
    pub(super) fn route(&mut self, node: usize, port: PortId, mut packet: Packet) {
        self.outside(node, &mut packet);
        let at = &self.graph.nodes[node];
        let result = at.result[port.index()];
        let targets = &at.targets[port.index()];
        let Some((last, rest)) = targets.split_last() else {
            if let Some(result) = result {
                self.results.push((result, packet));
            }
            return;
        };
        if let Some(result) = result {
            self.results.push((result, packet.clone()));
        }
        for &(target, target_port) in rest {
            let waiting = Waiting::new(&mut self.nodes, target, target_port, packet.clone());
            self.queue.push_back(waiting);
        }
        let waiting = Waiting::new(&mut self.nodes, last.0, last.1, packet);
        self.queue.push_back(waiting);
    }
}

/// The formats that a node is opened with: that of its first packet; of its other inputs what is declared, or the kind, or
/// nothing where they are not connected.
fn opening(node: &GraphNode, first: PortId, format: Format) -> Vec<Format> {
    let ports = node.kind.info().inputs.iter().zip(node.connected.iter().zip(&node.expected)).enumerate();
    let formats = ports.map(|(index, (port, (connected, expected)))| match port.kinds {
        _ if index == first.index() => format.clone(),
        _ if port.takes_gaps && *connected && expected.audio().is_ok() => expected.clone(),
        kinds if *connected && kinds == Kinds::only(Kind::Audio) => Format::AUDIO,
        kinds if *connected && kinds == Kinds::only(Kind::Json) => Format::Json,
        _ => Format::Unknown,
    });
    formats.collect()
}

fn wanted(node: &GraphNode) -> u64 {
    let leads = |port: usize| !node.targets[port].is_empty() || node.result[port].is_some();
    (0..node.targets.len()).filter(|port| leads(*port)).fold(0, |ports, port| ports | 1 << port.min(63))
}

/// Calls into a node. Its panic is its error, and nobody else's.
fn caught(work: impl FnOnce() -> Result<()>) -> Result<()> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(Error::new(ErrorKind::Node, format!("the node panicked: {text}")).code_of("RM0401"))
    })
}
