//! One stream through a graph: synchronous nodes, packet by packet, no queue between threads.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::metrics::{NodeMetrics, Recorder};
use super::stop::StopFlag;
use super::{SLICE_FRAMES, adapt};
use crate::data::{AudioFormat, Format, Kind, NdArray, Packet, Pool, Pts, RuntimeData, read_samples};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Graph;
use crate::manifest::OnError;
use crate::node::{Align, Clock, Out, PortId, Processor};

/// How a stream behaves.
#[derive(Debug, Clone, Default)]
pub struct StreamOptions {
    /// Bare arrays get an assumed format, and items of a kind that a node does not take go around it; with warnings.
    pub lenient: bool,
    /// Alignment of the output.
    pub align: Align,
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
struct Running {
    processor: Box<dyn Processor>,
    /// The formats it was opened with, in this stream or in one before it.
    opened: Option<Vec<Format>>,
    /// Whether a packet of this stream has come.
    used: bool,
    /// For each input of audio, the frame that comes next.
    next: Vec<i64>,
    /// For arrays that become audio here: their format, and the frames so far.
    adapted: Option<(AudioFormat, i64)>,
    recorder: Recorder,
}

/// A stream: processors in their graph. Results pile up until they are taken.
pub struct Stream {
    graph: Arc<Graph>,
    nodes: Vec<Running>,
    out: Out,
    queue: VecDeque<(usize, PortId, Packet)>,
    results: Vec<(usize, Packet)>,
    warnings: Vec<Warning>,
    options: StreamOptions,
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
                used: false,
                next: vec![0; node.connected.len()],
                adapted: None,
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

    /// Puts a packet into every source and works until nothing moves.
    ///
    /// # Errors
    /// The first failure; the stream is stopped then and gives the same error to every later call.
    pub fn push(&mut self, packet: Packet) -> Result<()> {
        self.guarded(|stream| {
            let graph = stream.graph.clone();
            for (index, &source) in graph.sources.iter().enumerate() {
                if graph.nodes[source].connected.is_empty() {
                    continue; // A node that makes its own data takes none.
                }
                if index + 1 == graph.sources.len() {
                    return stream.deliver(source, PortId::FIRST, packet);
                }
                stream.deliver(source, PortId::FIRST, packet.clone())?;
            }
            Ok(())
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
                    stream.call(node, None, |processor, out| processor.end(port, out))?;
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
            (node.used, node.adapted, node.recorder) = (false, None, Recorder::default());
            node.next.fill(0);
        }
        self.failed.is_none()
    }

    /// Takes other options for the stream that begins. Says whether it can: its nodes were opened with one alignment.
    pub fn set_options(&mut self, options: StreamOptions) -> bool {
        let same = self.options.align == options.align;
        self.options = options;
        same
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
        let figures =
            self.nodes.iter().zip(&self.graph.nodes).map(|(node, at)| (at.index, node.recorder.figures(&at.id)));
        let mut figures: Vec<_> = figures.collect();
        figures.sort_by_key(|(index, _)| *index);
        figures.into_iter().map(|(_, figures)| figures).collect()
    }

    fn guarded(&mut self, work: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let done = work(self);
        if let Err(error) = &done {
            self.failed = Some(error.clone());
            self.queue.clear();
        }
        done
    }

    /// Works until nothing moves.
    fn pump(&mut self) -> Result<()> {
        while let Some((node, port, packet)) = self.queue.pop_front() {
            self.deliver_one(node, port, packet)?;
        }
        Ok(())
    }

    fn deliver(&mut self, node: usize, port: PortId, packet: Packet) -> Result<()> {
        self.deliver_one(node, port, packet)?;
        self.pump()
    }

    /// Gives a packet to a node: as it is, as audio in slices, or around it.
    fn deliver_one(&mut self, node: usize, port: PortId, packet: Packet) -> Result<()> {
        let kinds = self.graph.nodes[node].kind.info().inputs[port.index()].kinds;
        let kind = packet.data.kind();
        match &packet.data {
            RuntimeData::Audio(audio) if kinds.contains(kind) && audio.frames() > SLICE_FRAMES => {
                let audio = audio.clone();
                let rate = audio.sample_rate_hz();
                let mut start = 0;
                while start < audio.frames() {
                    let end = (start + SLICE_FRAMES).min(audio.frames());
                    let pts = Pts::frames(packet.pts.to_frames(rate) + start as i64, rate);
                    self.process(node, port, packet.with(audio.slice(start..end), pts))?;
                    self.pump_slice()?;
                    start = end;
                }
                Ok(())
            }
            _ if kinds.contains(kind) || kind == Kind::Control => self.process(node, port, packet),
            RuntimeData::Numpy(array) if kinds.contains(Kind::Audio) => {
                let array = array.clone();
                self.process_array(node, port, &packet, &array)
            }
            _ => self.go_around(node, packet),
        }
    }

    /// What a slice set moving runs to its end before the next slice, so that it stays in the cache.
    fn pump_slice(&mut self) -> Result<()> {
        self.options.stop.check()?;
        // The queue may hold packets of other branches; their order among edges does not matter.
        self.pump()
    }

    fn process_array(&mut self, node: usize, port: PortId, packet: &Packet, array: &NdArray) -> Result<()> {
        let graph = self.graph.clone();
        let at = &graph.nodes[node];
        let warnings = &mut self.warnings;
        let warned = self.nodes[node].adapted.is_some();
        let format = adapt::audio_format(
            array,
            &at.declared,
            self.options.lenient,
            &mut |warning| {
                if !warned {
                    warnings.push(warning);
                }
            },
            &at.id,
        )
        .map_err(|error| error.at_node(&at.id))?;
        let channels = usize::from(format.channels());
        let frames = array.elements() / channels;
        let mut start = 0;
        loop {
            let count = (frames - start).min(SLICE_FRAMES);
            let mut audio = self.out.audio(format, count)?;
            read_samples(array, start * channels, audio.samples_mut()).map_err(|error| error.at_node(&at.id))?;
            let so_far = self.nodes[node].adapted.get_or_insert((format, 0));
            let pts = Pts::frames(so_far.1, format.sample_rate_hz());
            so_far.1 += count as i64;
            self.process(node, port, packet.with(audio, pts))?;
            start += count;
            if start >= frames {
                return Ok(());
            }
            self.pump_slice()?;
        }
    }

    /// An item of a kind that the node does not take.
    fn go_around(&mut self, node: usize, packet: Packet) -> Result<()> {
        let at = &self.graph.nodes[node];
        let info = at.kind.info();
        let expected = info.inputs.iter().map(|port| port.kinds.to_string()).collect::<Vec<_>>().join(" or ");
        let kind = packet.data.kind();
        if !self.options.lenient {
            return Err(Error::new(
                ErrorKind::InputType,
                format!("an item of kind {kind} comes in, expected {expected}"),
            )
            .code_of("RM0301")
            .at_node(&at.id)
            .hint("pass what the first node takes"));
        }
        let warning = Warning {
            kind: WarningKind::UnhandledKind,
            node: at.id.clone(),
            text: format!(
                "node `{}` ({}) takes {expected}; an item of kind {kind} passes it unchanged",
                at.id, info.name
            ),
        };
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
        self.route(node, PortId::FIRST, packet);
        Ok(())
    }

    /// Gives a packet to a node. Audio that a node before it has dropped is silence of its length here, so that time
    /// goes on: no node has to know of gaps.
    fn process(&mut self, node: usize, port: PortId, packet: Packet) -> Result<()> {
        if let RuntimeData::Audio(audio) = &packet.data {
            let format = audio.format();
            let at = packet.pts.to_frames(format.sample_rate_hz());
            let frames = audio.frames() as i64;
            let next = self.nodes[node].next.get(port.index()).copied().unwrap_or(at);
            let mut from = next;
            while from < at {
                let count = usize::try_from(at - from).unwrap_or(0).min(SLICE_FRAMES);
                let mut silence = self.out.audio(format, count)?;
                silence.samples_mut().fill(0.0);
                self.process_one(node, port, packet.with(silence, Pts::frames(from, format.sample_rate_hz())))?;
                self.pump_slice()?;
                from += count as i64;
            }
            if let Some(next) = self.nodes[node].next.get_mut(port.index()) {
                *next = at + frames;
            }
        }
        self.process_one(node, port, packet)
    }

    fn process_one(&mut self, node: usize, port: PortId, packet: Packet) -> Result<()> {
        self.open(node, port, &packet)?;
        let recorder = &mut self.nodes[node].recorder;
        recorder.packets_in += 1;
        recorder.frames_in += packet.data.frames();
        let item = packet.item as usize;
        self.call(node, Some(item), |processor, out| processor.process(port, packet, out))
    }

    /// Whether a node has dropped a packet.
    pub fn has_dropped(&self) -> bool {
        self.nodes.iter().any(|node| node.recorder.dropped > 0)
    }

    /// Opens a node with the format of its first packet, and holds later ones to it.
    fn open(&mut self, node: usize, port: PortId, packet: &Packet) -> Result<()> {
        if !self.nodes[node].used {
            self.open_with(node, vec![packet.data.format(); self.graph.nodes[node].connected.len()])?;
            self.nodes[node].used = true;
            return Ok(());
        }
        let RuntimeData::Audio(audio) = &packet.data else { return Ok(()) };
        let is = audio.format();
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
            self.nodes[node].processor = at.kind.build(&at.params).map_err(|error| error.at_node(&at.id))?;
        }
        let processor = &mut self.nodes[node].processor;
        let align = self.options.align;
        let opened = caught(|| processor.open(&formats, align).map(drop));
        opened.map_err(|error| error.at_node(&self.graph.nodes[node].id))?;
        self.nodes[node].opened = Some(formats);
        Ok(())
    }

    /// Calls a processor, catches its panic, keeps the figures, and routes what it puts out.
    fn call(
        &mut self,
        node: usize,
        item: Option<usize>,
        work: impl FnOnce(&mut dyn Processor, &mut Out) -> Result<()>,
    ) -> Result<()> {
        let started = self.options.clock.as_ref().map(|clock| clock.now_ns());
        let running = &mut self.nodes[node];
        let out = &mut self.out;
        let done = caught(|| work(running.processor.as_mut(), out));
        if let (Some(clock), Some(started)) = (&self.options.clock, started) {
            let ns = clock.now_ns().saturating_sub(started);
            if item.is_some() { running.recorder.call(ns) } else { running.recorder.end(ns) }
        }
        let at = &self.graph.nodes[node];
        if let Err(error) = done {
            running.recorder.errors += 1;
            let mut error = error.at_node(&at.id);
            if let Some(item) = item {
                error = error.at_item(item);
            }
            if at.on_error == OnError::Fail {
                self.out.drain().for_each(drop);
                return Err(error);
            }
            tracing::debug!(%error, "packet skipped");
            running.recorder.dropped += 1;
        }
        let mut out = std::mem::take(&mut self.out);
        for (port, packet) in out.drain() {
            let recorder = &mut self.nodes[node].recorder;
            recorder.packets_out += 1;
            recorder.frames_out += packet.data.frames();
            self.route(node, port, packet);
        }
        self.out = out;
        Ok(())
    }

    fn route(&mut self, node: usize, port: PortId, packet: Packet) {
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
            self.queue.push_back((target, target_port, packet.clone()));
        }
        self.queue.push_back((last.0, last.1, packet));
    }
}

/// Calls into a node. Its panic is its error, and nobody else's.
fn caught(work: impl FnOnce() -> Result<()>) -> Result<()> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(Error::new(ErrorKind::Node, format!("the node panicked: {text}")).code_of("RM0401"))
    })
}
