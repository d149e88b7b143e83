//! Where items enter a session or a live stream: what they must be, and when they are.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::adapt;
use crate::data::{AudioFormat, Format, Kind, Packet, Pts, RuntimeData, denormals, read_samples, room_for};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Graph;
use crate::node::Out;

/// A jump in time of more than this is an error: the silence for it would be made sample by sample.
const MOST_GAP_S: i64 = 600;
/// An item that becomes as much as this is asked memory for before it is worked on.
const PROBED_BYTES: f64 = (64 << 20) as f64;
/// The most that the silence of a jump may take, where it takes most.
const MOST_GAP_BYTES: f64 = (512 << 20) as f64;

/// All nodes of a graph that take input.
pub(super) struct Entrance {
    sources: Vec<Source>,
    /// The time of the first packet: nodes count from there.
    origin: Option<Pts>,
    items: u32,
    out: Out,
}

impl Entrance {
    /// `input` is what the session says of it, beside what the manifest says.
    ///
    /// # Errors
    /// `Format` when the graph cannot take it.
    pub(super) fn new(graph: &Graph, input: &Format) -> Result<Self> {
        graph.formats(input, false)?;
        let sources = graph.takers().map(|node| Source::new(graph, node, input)).collect();
        Ok(Self { sources, origin: None, items: 0, out: Out::default() })
    }

    /// Checks whether audio of a format can go in.
    pub(super) fn check(&self, graph: &Graph, format: AudioFormat) -> Result<()> {
        graph.formats(&format.into(), false)?;
        self.sources.iter().try_for_each(|source| source.check(format))
    }

    /// The rate at which frames of the first source count, as far as it is known.
    pub(super) fn sample_rate_hz(&self) -> Option<u32> {
        self.sources.first().and_then(Source::sample_rate_hz)
    }

    /// The channels of the first source, as far as they are known.
    pub(super) fn channels(&self) -> Option<u16> {
        self.sources.first().and_then(Source::channels)
    }

    /// The node of an id, if it takes input.
    pub(super) fn find(&self, graph: &Graph, id: &str) -> Result<usize> {
        let ids = self.sources.iter().map(|source| graph.nodes[source.node].id.as_str());
        let found = self.sources.iter().find(|source| graph.nodes[source.node].id == id);
        found.map(|source| source.node).ok_or_else(|| unknown("node that takes input", id, &ids.collect::<Vec<_>>()))
    }

    /// Makes a packet of an item, with its time. `to` is the node that takes it; without it every source does. Nothing
    /// is changed if it is refused.
    pub(super) fn admit(
        &mut self,
        graph: &Graph,
        mut data: RuntimeData,
        pts: Option<Pts>,
        to: Option<usize>,
        generation: u32,
    ) -> Result<Packet> {
        let _denormals = denormals::flushed();
        let origin = self.origin.or(pts).unwrap_or(Pts::ZERO);
        let shifted = pts.map(|pts| pts.minus(origin));
        // All are asked first: an item is taken by every source, or by none.
        let (mut at, mut start) = (Pts::ZERO, Pts::ZERO);
        for source in self.sources.iter().filter(|source| to.is_none_or(|node| node == source.node)) {
            at = source.place(graph, &self.out, &mut data, shifted, origin)?;
            // One that is not the first to begin may begin before it, or long after.
            start = source.start.unwrap_or(at);
        }
        let mut packet = Packet::new(data, at).tagged(self.items, generation);
        packet.start = start;
        (self.origin, self.items) = (Some(origin), self.items.wrapping_add(1));
        for source in self.sources.iter_mut().filter(|source| to.is_none_or(|node| node == source.node)) {
            source.take(&packet);
        }
        Ok(packet)
    }

    /// Puts a result in the time that the caller counts in, with what it says of time itself.
    pub(super) fn outside(&self, graph: &Graph, result: usize, packet: &mut Packet) {
        let origin = self.origin.unwrap_or(Pts::ZERO);
        let begins = packet.start.plus(origin);
        if begins.ticks == 0 && origin.ticks == 0 {
            return;
        }
        let (rate, node) = (packet.pts.den, &graph.nodes[graph.results[result].node]);
        packet.pts = packet.pts.plus(origin);
        if let RuntimeData::Json(value) = &mut packet.data
            && !node.waits()
            && node.kind.info().category == "audio"
            && let Some(event) = Arc::make_mut(value).as_object_mut()
        {
            shift_event(event, begins, rate);
        }
    }

    /// What comes next begins a stream.
    pub(super) fn reset(&mut self) {
        (self.origin, self.items) = (None, 0);
        self.sources.iter_mut().for_each(Source::reset);
    }
}

/// The position of a node by its id.
pub(super) fn position(graph: &Graph, id: &str) -> Result<usize> {
    let ids = || graph.nodes.iter().map(|node| node.id.as_str());
    ids().position(|known| known == id).ok_or_else(|| unknown("node", id, &ids().collect::<Vec<_>>()))
}

/// The error about a name that there is not.
fn unknown(what: &str, found: &str, names: &[&str]) -> Error {
    let listed = names.iter().take(8).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let error = Error::new(ErrorKind::InputValue, format!("there is no {what} `{found}`, expected one of {listed}"));
    match crate::words::nearest(found, names.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error,
    }
}

/// A node that takes input, and where its stream stands.
struct Source {
    /// Its position in the graph.
    node: usize,
    declared: Format,
    /// The format of the stream, from its first audio on.
    format: Option<AudioFormat>,
    /// The frame that comes next.
    next: i64,
    /// When its first audio was.
    start: Option<Pts>,
}

/// What events of our nodes say of time, in samples and in seconds.
const SAMPLES: [&str; 3] = ["sample", "start_sample", "end_sample"];
const SECONDS: [&str; 3] = ["time_s", "start_s", "end_s"];

/// Moves what an event says of time, which counts from the beginning of its stream.
fn shift_event(event: &mut Map<String, Value>, begins: Pts, rate: u32) {
    for (name, value) in event {
        if SAMPLES.contains(&name.as_str())
            && let Some(sample) = value.as_i64()
        {
            *value = sample.saturating_add(begins.nearest_frame(rate)).into();
        } else if SECONDS.contains(&name.as_str())
            && let Some(seconds) = value.as_f64()
        {
            *value = (seconds + begins.seconds()).into();
        }
    }
}

impl Source {
    /// `input` is what the session says of it, beside what the manifest says.
    fn new(graph: &Graph, node: usize, input: &Format) -> Self {
        let declared = if *input == Format::Unknown { graph.nodes[node].declared.clone() } else { input.clone() };
        Self { node, declared, format: None, next: 0, start: None }
    }

    fn reset(&mut self) {
        (self.format, self.next, self.start) = (None, 0, None);
    }

    /// The rate at which its frames count, as far as it is known.
    fn sample_rate_hz(&self) -> Option<u32> {
        self.format.map(AudioFormat::sample_rate_hz).or(self.declared.sample_rate_hz())
    }

    fn channels(&self) -> Option<u16> {
        self.format.map(AudioFormat::channels).or(self.declared.channels())
    }

    /// Makes audio of an array, checks it, and says when it is. Nothing is changed if it is refused.
    /// `pts` counts from `origin`.
    fn place(&self, graph: &Graph, out: &Out, data: &mut RuntimeData, pts: Option<Pts>, origin: Pts) -> Result<Pts> {
        let at_node = &graph.nodes[self.node];
        let kinds = at_node.kind.info().inputs[0].kinds;
        let named = |error: Error| error.at_node(&at_node.id);
        if let RuntimeData::Numpy(array) = data
            && (matches!(self.declared, Format::Audio { .. }) || array.audio.is_some() || !kinds.contains(Kind::Array))
            && kinds.contains(Kind::Audio)
        {
            let format = adapt::audio_format(array, &self.declared, false, &mut |_| {}, &at_node.id).map_err(named)?;
            let mut audio = out.audio(format, array.elements() / usize::from(format.channels()))?;
            read_samples(array, 0, audio.samples_mut()?).map_err(named)?;
            *data = audio.into();
        }
        let kind = data.kind();
        if !kinds.contains(kind) {
            let text = format!("an item of kind {kind} comes in, expected {kinds}");
            return Err(named(Error::new(ErrorKind::InputType, text).code_of("RM0301")));
        }
        let RuntimeData::Audio(audio) = data else { return Ok(pts.unwrap_or(Pts::ZERO)) };
        self.check(audio.format()).and_then(|()| finite(audio.samples(), audio.channels())).map_err(named)?;
        let rate = audio.sample_rate_hz();
        let at = pts.map_or(self.next, |pts| pts.nearest_frame(rate));
        check_room(graph, audio.format(), audio.frames() as u64).map_err(named)?;
        if self.start.is_none() {
            return Ok(Pts::frames(at, rate));
        }
        if at < self.next && !at_node.kind.info().inputs[0].as_it_comes {
            let text = format!(
                "its time is {}, expected at least {}: the stream goes back",
                Pts::frames(at, rate).plus(origin),
                Pts::frames(self.next, rate).plus(origin)
            );
            return Err(named(
                Error::new(ErrorKind::InputValue, text).hint("put a JitterBuffer first, or leave pts out"),
            ));
        }
        if at - self.next > MOST_GAP_S * i64::from(rate) {
            let text = format!(
                "{:.0} s of the stream are missing, expected at most {MOST_GAP_S}",
                Pts::frames(at - self.next, rate).seconds()
            );
            return Err(named(Error::new(ErrorKind::InputValue, text).hint("flush() or reset() first")));
        }
        let bytes = (at - self.next).max(0) as f64 * graph.samples_per_frame(audio.format()) * 4.0;
        if bytes > MOST_GAP_BYTES {
            let text = format!(
                "the silence for {:.0} s of the stream that are missing takes {:.0} MiB, expected at most {:.0}",
                Pts::frames(at - self.next, rate).seconds(),
                bytes / f64::from(1 << 20),
                MOST_GAP_BYTES / f64::from(1 << 20),
            );
            return Err(named(Error::new(ErrorKind::InputValue, text).hint("flush() or reset() first")));
        }
        Ok(Pts::frames(at, rate))
    }

    /// Checks a format against what is declared, and what came before.
    fn check(&self, is: AudioFormat) -> Result<()> {
        let fits = |name: &str, is: u32, expected: Option<u32>| match expected {
            Some(expected) if expected != is => {
                Err(Error::new(ErrorKind::Format, format!("{name} is {is}, expected {expected} as declared"))
                    .code_of("RM0201"))
            }
            _ => Ok(()),
        };
        fits("sample_rate_hz", is.sample_rate_hz(), self.declared.sample_rate_hz())?;
        fits("channels", is.channels().into(), self.declared.channels().map(u32::from))?;
        if let Some(was) = self.format.filter(|was| *was != is) {
            return Err(Error::new(ErrorKind::Format, format!("the stream changes to {is}, expected {was} as before"))
                .code_of("RM0203")
                .hint("one session is one stream: flush() first, or open a session for the other format"));
        }
        Ok(())
    }

    /// Counts what was taken.
    fn take(&mut self, packet: &Packet) {
        if let RuntimeData::Audio(audio) = &packet.data {
            let end = packet.pts.to_frames(audio.sample_rate_hz()) + audio.frames() as i64;
            self.format = Some(audio.format());
            self.next = if self.start.is_some() { self.next.max(end) } else { end };
            self.start.get_or_insert(packet.pts);
        }
    }
}

/// Asks for the memory of what frames become, where that is much, and more than they are: what comes out is held until the call ends, and that
/// there is no memory for it is better told before the work.
pub(super) fn check_room(graph: &Graph, format: AudioFormat, frames: u64) -> Result<()> {
    let per_frame = graph.samples_per_frame(format);
    let samples = frames as f64 * per_frame;
    if per_frame > f64::from(format.channels()) && samples * 4.0 > PROBED_BYTES {
        drop(room_for::<f32>(samples as usize)?);
    }
    Ok(())
}

/// Refuses what is no sample. One would be heard, or silence a model, long after it.
fn finite(samples: &[f32], channels: u16) -> Result<()> {
    // NaN and infinity times 0 are NaN, all else is 0: a sum without branches. Lanes of eight let it be vectorised.
    let (lanes, rest) = samples.as_chunks::<8>();
    let mut sums = [0.0_f32; 8];
    for lane in lanes {
        for (sum, sample) in sums.iter_mut().zip(lane) {
            *sum += sample * 0.0;
        }
    }
    let sum = sums.iter().sum::<f32>() + rest.iter().map(|sample| sample * 0.0).sum::<f32>();
    if sum == 0.0 {
        return Ok(());
    }
    let Some(first) = samples.iter().position(|sample| !sample.is_finite()) else { return Ok(()) };
    let (frame, channel) = (first / usize::from(channels), first % usize::from(channels));
    Err(Error::new(
        ErrorKind::InputValue,
        format!("the sample of frame {frame}, channel {channel} is {}, expected a finite number", samples[first]),
    )
    .hint("np.nan_to_num(x) makes silence of it"))
}
