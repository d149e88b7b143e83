//! How a packet comes to a node: as it is, in slices, as audio made from an array, or around it. Gaps are filled here.
//!
//! A packet that takes several steps goes back to the front of the queue after each, behind what the step has set moving.
//! So what a slice becomes is done before the next slice, and nothing overtakes on any edge.

use super::stream::{Stream, Waiting, Warning, WarningKind};
use super::{adapt, slice_frames};
use crate::data::{AudioBuffer, AudioFormat, Control, Kind, NdArray, Packet, Pts, RuntimeData, read_samples};
use crate::error::{Error, ErrorKind, Result};
use crate::node::PortId;

impl Stream {
    /// Gives a packet to a node, or the next step of it.
    pub(super) fn step(&mut self, waiting: Waiting) -> Result<()> {
        let Waiting { node, port, .. } = waiting;
        let at = &self.graph.nodes[node];
        let kinds = at.kind.info().inputs[port.index()].kinds;
        let kind = waiting.packet.data.kind();
        match &waiting.packet.data {
            RuntimeData::Audio(audio) if kinds.contains(kind) => {
                let audio = audio.clone();
                self.step_audio(waiting, &audio)
            }
            &RuntimeData::Control(Control::Gap { until, format }) => self.step_gap(waiting, until, format),
            _ if kinds.contains(kind) || kind == Kind::Control => self.process(node, port, waiting.packet),
            RuntimeData::Numpy(array) if kinds.contains(Kind::Audio) => {
                let array = array.clone();
                self.step_array(waiting, &array)
            }
            _ => self.go_around(node, waiting.packet),
        }
    }

    /// How many frames a node gets at a time, so that what it makes of them is bounded too.
    fn slice_frames(&mut self, node: usize, port: PortId, format: AudioFormat) -> usize {
        let growth = match self.nodes[node].growth {
            Some((of, growth)) if of == format => growth,
            _ => {
                let growth = self.graph.nodes[node].growth(port, format);
                self.nodes[node].growth = Some((format, growth));
                growth
            }
        };
        slice_frames(format, growth)
    }

    /// The next slice of audio, or of the silence before it.
    fn step_audio(&mut self, waiting: Waiting, audio: &AudioBuffer) -> Result<()> {
        let Waiting { node, port, done, .. } = waiting;
        let format = audio.format();
        let rate = format.sample_rate_hz();
        let whole = self.graph.nodes[node].takes_pieces[port.index()];
        let start = waiting.packet.pts.to_frames(rate);
        if done == 0 && self.fill(&waiting, format, start)? {
            return Ok(());
        }
        let most = self.slice_frames(node, port, format);
        let left = audio.frames() - done;
        let count = if whole { left } else { left.min(most) };
        let at = start + done as i64;
        if let Some(next) = self.nodes[node].next.get_mut(port.index()) {
            *next = at + count as i64;
        }
        if count == audio.frames() {
            return self.process(node, port, waiting.packet);
        }
        let slice = waiting.packet.with(audio.slice(done..done + count), Pts::frames(at, rate));
        if count < left {
            self.again(Waiting { done: done + count, ..waiting })?;
        }
        self.process(node, port, slice)
    }

    /// Nothing comes for a while. Whoever waits for audio is told by silence; for all others that is made when audio
    /// follows.
    fn step_gap(&mut self, waiting: Waiting, until: Pts, format: AudioFormat) -> Result<()> {
        let Waiting { node, port, .. } = waiting;
        let at = &self.graph.nodes[node];
        let input = &at.kind.info().inputs[port.index()];
        if input.takes_gaps {
            return self.process(node, port, waiting.packet);
        }
        if !at.is_waited_for || !input.kinds.contains(Kind::Audio) {
            return Ok(());
        }
        if at.waits() {
            // It is called for what there is. What comes out of it may be of another format, as was seen.
            let Some(format) = self.nodes[node].made else { return Ok(()) };
            let gap = waiting.packet.with(RuntimeData::Control(Control::Gap { until, format }), waiting.packet.pts);
            return self.process(node, port, gap);
        }
        if !input.as_it_comes {
            self.fill(&waiting, format, until.to_frames(format.sample_rate_hz()))?;
        }
        Ok(())
    }

    /// Audio that a node before has left out is silence of its length here, so that time goes on: no node has to know of
    /// gaps. Gives a slice of it; `false` when none is missing.
    fn fill(&mut self, waiting: &Waiting, format: AudioFormat, until: i64) -> Result<bool> {
        let Waiting { node, port, .. } = *waiting;
        let input = &self.graph.nodes[node].kind.info().inputs[port.index()];
        if input.as_it_comes || input.takes_gaps {
            return Ok(false);
        }
        let Some(&from) = self.nodes[node].next.get(port.index()) else { return Ok(false) };
        if from >= until {
            return Ok(false);
        }
        let missing = usize::try_from(until - from).unwrap_or(usize::MAX);
        let count = missing.min(self.slice_frames(node, port, format));
        let mut silence = self.out.audio(format, count)?;
        silence.samples_mut()?.fill(0.0);
        let silence = waiting.packet.with(silence, Pts::frames(from, format.sample_rate_hz()));
        self.nodes[node].next[port.index()] = from + count as i64;
        self.again(waiting.clone())?;
        self.process(node, port, silence)?;
        Ok(true)
    }

    /// Puts a packet back, for its next step.
    fn again(&mut self, waiting: Waiting) -> Result<()> {
        self.options.stop.check()?;
        self.queue.push_front(waiting);
        Ok(())
    }

    /// The next slice of an array that becomes audio here.
    fn step_array(&mut self, waiting: Waiting, array: &NdArray) -> Result<()> {
        let Waiting { node, port, done, .. } = waiting;
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
        let (channels, rate) = (usize::from(format.channels()), format.sample_rate_hz());
        let left = array.elements() / channels - done;
        // Audio that was declared as such knows its place; a bare array follows the one before it.
        let so_far = self.nodes[node].adapted.get_or_insert((format, 0)).1;
        let start = if array.audio.is_some() { waiting.packet.pts.to_frames(rate) + done as i64 } else { so_far };
        if done == 0 && self.fill(&waiting, format, start)? {
            return Ok(());
        }
        let count = left.min(self.slice_frames(node, port, format));
        let mut audio = self.out.audio(format, count)?;
        read_samples(array, done * channels, audio.samples_mut()?).map_err(|error| error.at_node(&at.id))?;
        self.nodes[node].adapted = Some((format, start + count as i64));
        if let Some(next) = self.nodes[node].next.get_mut(port.index()) {
            *next = start + count as i64;
        }
        let slice = waiting.packet.with(audio, Pts::frames(start, rate));
        if count < left {
            self.again(Waiting { done: done + count, ..waiting })?;
        }
        self.process(node, port, slice)
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
        self.routed(|stream| stream.route(node, PortId::FIRST, packet));
        Ok(())
    }
}
