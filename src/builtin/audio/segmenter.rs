//! `Segmenter`: audio cut into stretches of speech.

use std::collections::VecDeque;

use super::segments::{self, Heard};
use super::speech_params::SpeechParams as Params;
use crate::dsp::segment::{Mark, Segmenter as Machine};
use crate::node::prelude::*;

const VAD: PortId = PortId(1);
const SEGMENTS: PortId = PortId(2);

#[derive(Debug)]
pub(super) struct Segmenter;

impl TypedNode for Segmenter {
    type Params = Params;

    fn info(&self) -> NodeInfo {
        NodeInfo {
            name: "Segmenter",
            aliases: &["SegmenterNode", "SpeechSegmenter"],
            category: "audio",
            description: "Cuts audio into stretches of speech. `vad` is connected to the output `probability` of a VAD. `segments` gives each stretch as one piece of audio, whole, at its exact time; `events` says where they start and end; `out` is the audio, untouched.",
            inputs: vec![PortInfo::input(Kind::Audio), PortInfo::named("vad", Kind::Json)],
            outputs: vec![
                PortInfo::out(Kind::Audio),
                PortInfo::events(),
                PortInfo::named("segments", Kind::Audio).pieces(),
            ],
            params: serde_json::Value::Null,
            cost_ns_per_frame: 1.0,
            memory: Memory::Copies,
        }
    }

    fn negotiate(&self, _: &Params, inputs: &[Format]) -> Result<Vec<Format>> {
        let audio = inputs.first().filter(|format| **format != Format::Unknown).cloned().unwrap_or(Format::AUDIO);
        Ok(vec![audio.clone(), Format::Json, audio])
    }

    fn build(&self, params: Params) -> Result<Box<dyn Processor>> {
        params.check()?;
        Ok(Box::new(Cutter {
            params,
            machine: None,
            early: Vec::new(),
            kept: VecDeque::new(),
            end: 0,
            marks: Vec::new(),
            wanted: VecDeque::new(),
        }))
    }
}

struct Cutter {
    params: Params,
    /// The state machine and the rate it counts in, from the first audio on.
    machine: Option<(Machine, u32)>,
    /// What the VAD said before the first audio came.
    early: Vec<Packet>,
    /// Audio that may still belong to a segment, with its first frame.
    kept: VecDeque<(i64, Packet)>,
    /// The frame after the last one that came.
    end: i64,
    marks: Vec<Mark>,
    /// Segments that are known, in order, and wait for their audio.
    wanted: VecDeque<(i64, i64)>,
}

impl Cutter {
    fn hear(&mut self, packet: &Packet, out: &mut Out) -> Result<()> {
        let Some((machine, rate)) = &mut self.machine else {
            self.early.push(packet.clone());
            return Ok(());
        };
        let heard = Heard::read(packet, *rate)?;
        let (from, to) = (u64::try_from(heard.from).unwrap_or(0), u64::try_from(heard.to).unwrap_or(0));
        let marks = &mut self.marks;
        machine.hop(from, to, heard.probability, |mark| marks.push(mark));
        self.report(packet.item, out);
        Ok(())
    }

    /// Puts the events of new marks out, and notes the segments.
    fn report(&mut self, item: u32, out: &mut Out) {
        let Some((_, rate)) = self.machine else { return };
        for mark in std::mem::take(&mut self.marks) {
            segments::emit(mark, rate, item, out);
            if let Mark::End { start, end, .. } = mark {
                let frame = |sample: u64| i64::try_from(sample).unwrap_or(i64::MAX);
                self.wanted.push_back((frame(start), frame(end)));
            }
        }
    }

    /// Puts out the segments whose audio is there, and lets go of what no segment can need.
    fn cut(&mut self, out: &mut Out) -> Result<()> {
        while let Some(&(start, end)) = self.wanted.front().filter(|(_, end)| *end <= self.end) {
            self.wanted.pop_front();
            if out.wants(SEGMENTS) && end > start {
                self.put(start, end, out)?;
            }
            self.forget(end);
        }
        if self.wanted.is_empty()
            && let Some((machine, _)) = &self.machine
        {
            let earliest = machine.earliest_start();
            self.forget(i64::try_from(earliest).unwrap_or(i64::MAX));
        }
        Ok(())
    }

    fn put(&self, start: i64, end: i64, out: &mut Out) -> Result<()> {
        let Some((_, first)) = self.kept.front() else { return Ok(()) };
        let RuntimeData::Audio(audio) = &first.data else { return Ok(()) };
        let format = audio.format();
        let channels = usize::from(format.channels());
        let mut segment = out.audio(format, usize::try_from(end - start).unwrap_or(0))?;
        let target = segment.samples_mut()?;
        target.fill(0.0);
        let mut tag = first;
        for (at, packet) in &self.kept {
            let RuntimeData::Audio(audio) = &packet.data else { continue };
            let (from, to) = ((*at).max(start), (at + audio.frames() as i64).min(end));
            if from < to {
                let part = &audio.samples()[(from - at) as usize * channels..(to - at) as usize * channels];
                target[(from - start) as usize * channels..][..part.len()].copy_from_slice(part);
                tag = packet;
            }
        }
        out.emit(SEGMENTS, tag.with(segment, Pts::frames(start, format.sample_rate_hz())));
        Ok(())
    }

    fn forget(&mut self, before: i64) {
        while self.kept.front().is_some_and(|(at, packet)| at + packet.data.frames() as i64 <= before) {
            self.kept.pop_front();
        }
    }
}

impl Processor for Cutter {
    fn open(&mut self, inputs: &[Format], _: Opening) -> Result<Opened> {
        let audio = inputs.first().filter(|format| **format != Format::Unknown).cloned().unwrap_or(Format::AUDIO);
        Ok(Opened::new(vec![audio.clone(), Format::Json, audio], Latency::ZERO).with_latency(SEGMENTS, None))
    }

    fn process(&mut self, port: PortId, packet: Packet, out: &mut Out) -> Result<()> {
        if port == VAD {
            self.hear(&packet, out)?;
        } else if let RuntimeData::Audio(audio) = &packet.data {
            let rate = audio.sample_rate_hz();
            let at = packet.pts.to_frames(rate);
            self.end = at + audio.frames() as i64;
            self.kept.push_back((at, packet.clone()));
            out.emit(PortId::FIRST, packet);
            if self.machine.is_none() {
                self.machine = Some((Machine::new(self.params.settings(rate)), rate));
                for early in std::mem::take(&mut self.early) {
                    self.hear(&early, out)?;
                }
            }
        }
        self.cut(out)
    }

    fn end(&mut self, port: PortId, out: &mut Out) -> Result<()> {
        // Ports end in order, the VAD's after the audio.
        if port != VAD {
            return Ok(());
        }
        let end = u64::try_from(self.end).unwrap_or(0);
        let marks = &mut self.marks;
        if let Some((machine, _)) = &mut self.machine {
            machine.flush(end, |mark| marks.push(mark));
        }
        self.report(self.kept.back().map_or(0, |(_, packet)| packet.item), out);
        self.cut(out)
    }

    fn reset(&mut self) {
        (self.machine, self.end) = (None, 0);
        self.early.clear();
        self.kept.clear();
        self.marks.clear();
        self.wanted.clear();
    }
}
