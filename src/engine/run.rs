//! A one-shot run: every input item in order, then the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::collect::{Collector, ItemShape, PortResult};
use super::entrance::check_room;
use super::idle::Idle;
use super::metrics::RunMetrics;
use super::stop::StopFlag;
use super::stream::{Stream, StreamOptions, Warning};
use crate::data::{AudioFormat, Packet, Pts, RuntimeData};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::node::{Clock, Opening};

/// How a run behaves.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Assume and let pass what the published calls assume and let pass, with warnings. Off: errors.
    pub lenient: bool,
    /// Collect figures.
    pub clock: Option<Arc<dyn Clock>>,
    /// The flag that stops the run.
    pub stop: StopFlag,
    /// Counts the audio frames of the items that have gone in, for whoever wants to show progress.
    pub progress: Option<Arc<AtomicU64>>,
}

/// What a run gives back.
#[derive(Debug, Clone, Default)]
pub struct RunResults {
    /// Result by result, in the order of the manifest.
    pub ports: Vec<PortResult>,
    /// How many items went in.
    pub inputs: usize,
    /// Whether an item was a bare array of one axis, item by item: its results have one axis too while mono.
    pub one_axis: Vec<Option<bool>>,
    /// What was assumed or let pass.
    pub warnings: Vec<Warning>,
    /// The figures, when a clock was given.
    pub metrics: Option<RunMetrics>,
}

/// Runs a graph over items, on a stream that waits in `idle`, or a new one.
///
/// # Errors
/// The first failure. It names the item, counted from 0.
pub fn run(graph: &Arc<Graph>, idle: &Idle, items: Vec<RuntimeData>, options: &RunOptions) -> Result<RunResults> {
    let started = options.clock.as_ref().map(|clock| clock.now_ns());
    if let Some(first) = items.first() {
        graph.formats(&first.format(), options.lenient).map_err(|error| error.at_item(0))?;
    }
    let mut stream = idle.take(
        graph,
        StreamOptions {
            lenient: options.lenient,
            opening: Opening::BATCH,
            clock: options.clock.clone(),
            stop: options.stop.clone(),
        },
    )?;
    let _waiting = options.stop.ends_waits(graph);
    stream.prepare()?;
    let shapes: Vec<ItemShape> = items.iter().map(shape).collect();
    let input_bytes: usize = items.iter().map(RuntimeData::bytes).sum();
    let total_frames: u64 = shapes.iter().map(|shape| shape.frames).sum();
    let rate_in = items.iter().find_map(|item| rate(item, graph));
    let (first, frames) = (items.iter().find_map(|item| known(item, graph).0), total_frames);
    if let Some(format) = first {
        check_room(graph, format, frames)?;
    }
    let mut collectors: Vec<Collector> = graph.results.iter().cloned().map(Collector::new).collect();
    let mut peak_bytes = input_bytes;
    let mut collect = |stream: &mut Stream| {
        for (result, packet) in stream.take_results().filter(|(_, packet)| !packet.is_gap()) {
            let at = &graph.results[result].node_id;
            let added = collectors[result].add(packet, |format| expected(format, rate_in, total_frames));
            added.map_err(|error| error.at_node(at))?;
        }
        peak_bytes = peak_bytes.max(input_bytes + collectors.iter().map(Collector::bytes).sum::<usize>());
        Ok(())
    };
    let mut frames = 0;
    for (index, data) in items.into_iter().enumerate() {
        options.stop.check()?;
        let pts = rate_in.map_or(Pts::ZERO, |rate| Pts::frames(frames, rate));
        frames += i64::try_from(shapes[index].frames).unwrap_or(i64::MAX);
        let packet = Packet::new(data, pts).tagged(u32::try_from(index).unwrap_or(u32::MAX), 0);
        stream.push(packet).map_err(|error| error.at_item(index))?;
        collect(&mut stream).map_err(|error: Error| error.at_item(index))?;
        if let Some(progress) = &options.progress {
            progress.fetch_add(shapes[index].frames, Ordering::Relaxed);
        }
    }
    stream.end()?;
    collect(&mut stream)?;
    let dropped = stream.has_dropped();
    let mut clipped = 0;
    let mut ports = Vec::with_capacity(collectors.len());
    for collector in collectors {
        let least = |format| if dropped { expected(format, rate_in, total_frames) } else { 0 };
        ports.push(collector.finish(&shapes, rate_in, least, &mut clipped)?);
    }
    let metrics = options.clock.as_ref().zip(started).map(|(clock, started)| {
        let nodes = stream.metrics();
        // Two readings of the clock a call, timed here on the same clock.
        let probe = clock.now_ns();
        for _ in 0..64 {
            clock.now_ns();
        }
        let reading = clock.now_ns().saturating_sub(probe) / 64;
        RunMetrics {
            pipeline: graph.name.clone(),
            total_ns: clock.now_ns().saturating_sub(started),
            overhead_ns: nodes.iter().map(|node| node.calls * 2 * reading).sum(),
            peak_bytes: peak_bytes as u64,
            clipped,
            nodes,
        }
    });
    let warnings = stream.take_warnings();
    idle.put(stream);
    Ok(RunResults {
        ports,
        inputs: shapes.len(),
        one_axis: shapes.iter().map(|shape| shape.array.map(|(_, _, one_axis)| one_axis)).collect(),
        warnings,
        metrics,
    })
}

/// Estimated CPU time of a run over these items, in nanoseconds.
pub fn cost_ns(graph: &Graph, items: &[RuntimeData]) -> f64 {
    let cost = items.iter().map(|item| {
        let (format, frames) = known(item, graph);
        graph.cost_ns(format, frames)
    });
    cost.sum()
}

/// The format of an item, as far as it is known, and its frames.
fn known(item: &RuntimeData, graph: &Graph) -> (Option<AudioFormat>, u64) {
    match item {
        RuntimeData::Audio(audio) => (Some(audio.format()), audio.frames() as u64),
        RuntimeData::Numpy(array) => {
            let (frames, channels) = array.frames_and_channels().unwrap_or((1, 1));
            let channels = array.audio.map_or(u16::try_from(channels).unwrap_or(1), AudioFormat::channels);
            let format = rate(item, graph).and_then(|rate| AudioFormat::new(rate, channels).ok());
            (format, frames as u64)
        }
        other => (None, other.frames()),
    }
}

fn shape(item: &RuntimeData) -> ItemShape {
    match item {
        RuntimeData::Audio(audio) => ItemShape { frames: audio.frames() as u64, audio: true, array: None },
        RuntimeData::Numpy(array) => {
            let frames = array.frames_and_channels().map_or(0, |(frames, _)| frames as u64);
            let bare = array.audio.is_none().then_some((array.dtype, array.order, array.shape.len() == 1));
            ItemShape { frames, audio: array.shape.len() == 1 || array.shape.len() == 2, array: bare }
        }
        _ => ItemShape::default(),
    }
}

/// The rate that an item's frames count in: its own, the declared one, or the one that is assumed.
fn rate(item: &RuntimeData, graph: &Graph) -> Option<u32> {
    match item {
        RuntimeData::Audio(audio) => Some(audio.sample_rate_hz()),
        RuntimeData::Numpy(array) => array.audio.map(AudioFormat::sample_rate_hz).or_else(|| {
            let declared = graph.sources.iter().find_map(|&source| graph.nodes[source].declared.sample_rate_hz());
            Some(declared.unwrap_or(48_000))
        }),
        _ => None,
    }
}

fn expected(format: AudioFormat, rate_in: Option<u32>, frames: u64) -> usize {
    let Some(rate_in) = rate_in else { return 0 };
    let frames = (u128::from(frames) * u128::from(format.sample_rate_hz())).div_ceil(u128::from(rate_in));
    usize::try_from(frames).unwrap_or(usize::MAX)
}
