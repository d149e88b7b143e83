//! How a packet comes to a node: as it is, in slices, as audio made from an array, or around it. Gaps are filled here.

use super::stream::{Stream, Warning, WarningKind};
use super::{adapt, slice_frames};
use crate::data::{AudioFormat, Kind, NdArray, Packet, Pts, RuntimeData, read_samples};
use crate::error::{Error, ErrorKind, Result};
use crate::node::PortId;

impl Stream {
    /// Gives a packet to a node: as it is, as audio in slices, or around it.
    pub(super) fn deliver_one(&mut self, node: usize, port: PortId, packet: Packet) -> Result<()> {
        let at = &self.graph.nodes[node];
        let kinds = at.kind.info().inputs[port.index()].kinds;
        let whole = at.takes_pieces[port.index()];
        let kind = packet.data.kind();
        match &packet.data {
            RuntimeData::Audio(audio)
                if !whole && kinds.contains(kind) && audio.frames() > self.slice_frames(node, port, audio.format()) =>
            {
                let most = self.slice_frames(node, port, audio.format());
                let audio = audio.clone();
                let rate = audio.sample_rate_hz();
                let mut start = 0;
                while start < audio.frames() {
                    let end = (start + most).min(audio.frames());
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
        let most = self.slice_frames(node, port, format);
        let mut start = 0;
        loop {
            let count = (frames - start).min(most);
            let mut audio = self.out.audio(format, count)?;
            read_samples(array, start * channels, audio.samples_mut()?).map_err(|error| error.at_node(&at.id))?;
            let rate = format.sample_rate_hz();
            let so_far = self.nodes[node].adapted.get_or_insert((format, 0));
            // Audio that was declared as such knows its place; a bare array follows the one before it.
            let at = if array.audio.is_some() { packet.pts.to_frames(rate) + start as i64 } else { so_far.1 };
            so_far.1 = at + count as i64;
            let pts = Pts::frames(at, rate);
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
        let as_it_comes = self.graph.nodes[node].kind.info().inputs[port.index()].as_it_comes;
        if let RuntimeData::Audio(audio) = &packet.data
            && !as_it_comes
        {
            let format = audio.format();
            let at = packet.pts.to_frames(format.sample_rate_hz());
            let frames = audio.frames() as i64;
            let next = self.nodes[node].next.get(port.index()).copied().unwrap_or(at);
            let mut from = next;
            while from < at {
                let count = usize::try_from(at - from).unwrap_or(0).min(self.slice_frames(node, port, format));
                let mut silence = self.out.audio(format, count)?;
                silence.samples_mut()?.fill(0.0);
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
}
