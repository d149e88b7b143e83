//! Audio inputs of one node, joined by time: the shorter path waits for the longer one.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data::{AudioBuffer, Format, Pts};
use crate::error::{Error, ErrorKind, Result};
use crate::node::PortId;

/// What happens when an input does not keep up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// Its audio is waited for; when it is too far behind, that is an error.
    #[default]
    Wait,
    /// It is silence when it is too far behind; what comes of it later is left out.
    Silence,
}

/// One input.
#[derive(Debug, Default)]
struct Lane {
    connected: bool,
    seen: bool,
    ended: bool,
    channels: usize,
    parts: VecDeque<AudioBuffer>,
    /// The frame of the first sample that waits, and the one behind the last.
    start: i64,
    end: i64,
}

/// The inputs of a node that joins audio. All have one sample rate.
#[derive(Debug)]
pub struct Join {
    lanes: Vec<Lane>,
    missing: Missing,
    max_skew_ms: u32,
    sample_rate_hz: Option<u32>,
    /// The frame that comes out next.
    at: Option<i64>,
}

impl Join {
    /// For inputs that may lie `max_skew_ms` apart.
    pub fn new(missing: Missing, max_skew_ms: u32) -> Self {
        Self { lanes: Vec::new(), missing, max_skew_ms, sample_rate_hz: None, at: None }
    }

    /// Takes the formats of the inputs, `Unknown` for those that are not connected.
    pub fn open(&mut self, inputs: &[Format]) {
        let lanes = inputs.iter().map(|format| Lane { connected: *format != Format::Unknown, ..Lane::default() });
        self.lanes = lanes.collect();
    }

    /// Forgets the stream.
    pub fn reset(&mut self) {
        (self.sample_rate_hz, self.at) = (None, None);
        for lane in &mut self.lanes {
            *lane = Lane { connected: lane.connected, ..Lane::default() };
        }
    }

    /// The rate of all inputs, once audio has come.
    pub fn sample_rate_hz(&self) -> Option<u32> {
        self.sample_rate_hz
    }

    /// The channels of each connected input; `None` before all of them are known.
    pub fn channels(&self) -> Option<Vec<usize>> {
        let connected = self.lanes.iter().filter(|lane| lane.connected);
        connected.map(|lane| lane.seen.then_some(lane.channels)).collect()
    }

    /// Takes audio. Gives how many of its frames came too late and were left out.
    ///
    /// # Errors
    /// `Format` for another sample rate than that of the other inputs, or when an input is too far behind.
    pub fn push(&mut self, port: PortId, audio: AudioBuffer, pts: Pts) -> Result<u64> {
        let rate = audio.sample_rate_hz();
        let expected = *self.sample_rate_hz.get_or_insert(rate);
        if rate != expected {
            return Err(Error::new(
                ErrorKind::Format,
                format!("sample_rate_hz of `in_{}` is {rate}, expected {expected} as of the other inputs", port.0 + 1),
            )
            .code_of("RM0201")
            .hint("put an AudioResample before it"));
        }
        let from = pts.to_frames(rate);
        let frames = audio.frames() as i64;
        let late = self.at.map_or(0, |at| (at - from).clamp(0, frames));
        let Some(lane) = self.lanes.get_mut(port.index()) else { return Ok(0) };
        lane.connected = true;
        lane.channels = usize::from(audio.channels());
        if !lane.seen {
            (lane.seen, lane.start, lane.end) = (true, from + late, from + late);
        }
        if late > 0 {
            lane.start = lane.start.max(from + late);
        }
        if late < frames {
            let kept = if late == 0 { audio } else { audio.slice(late as usize..frames as usize) };
            if lane.parts.is_empty() {
                lane.start = from + late;
            }
            lane.parts.push_back(kept);
        }
        lane.end = lane.end.max(from + frames);
        self.check_skew(rate)?;
        Ok(late as u64)
    }

    /// An input has ended: it is silence from there on.
    pub fn end(&mut self, port: PortId) {
        if let Some(lane) = self.lanes.get_mut(port.index()) {
            lane.ended = true;
        }
    }

    /// Frames that wait for another input.
    pub fn held_frames(&self) -> u64 {
        let at = self.at.unwrap_or(i64::MAX);
        let held = self.lanes.iter().filter(|lane| lane.seen).map(|lane| lane.end - lane.start.min(at));
        held.max().unwrap_or(0).max(0) as u64
    }

    fn skew(&self, rate: u32) -> i64 {
        i64::from(self.max_skew_ms) * i64::from(rate) / 1000
    }

    fn last(&self) -> i64 {
        self.lanes.iter().filter(|lane| lane.seen).map(|lane| lane.end).max().unwrap_or(0)
    }

    fn check_skew(&self, rate: u32) -> Result<()> {
        let last = self.last();
        if self.missing == Missing::Silence {
            return Ok(());
        }
        let waits = |lane: &&Lane| lane.connected && !lane.ended;
        let behind =
            self.lanes.iter().enumerate().find(|(_, lane)| {
                waits(lane) && last - if lane.seen { lane.end } else { self.first() } > self.skew(rate)
            });
        let Some((index, lane)) = behind else { return Ok(()) };
        let is = last - if lane.seen { lane.end } else { self.first() };
        Err(Error::new(
            ErrorKind::Format,
            format!(
                "`in_{}` is {:.3} s behind, expected at most {} ms",
                index + 1,
                Pts::frames(is, rate).seconds(),
                self.max_skew_ms
            ),
        )
        .hint("feed every input, raise `max_skew_ms`, or set \"missing\": \"silence\""))
    }

    fn first(&self) -> i64 {
        self.lanes.iter().filter(|lane| lane.seen).map(|lane| lane.start).min().unwrap_or(0)
    }

    /// The frames that every input has something to say about: from where, and how many.
    pub fn ready(&mut self) -> Option<(i64, usize)> {
        let rate = self.sample_rate_hz?;
        let (first, last) = (self.first(), self.last());
        let at = self.at.unwrap_or(first);
        let mut until = last;
        for lane in self.lanes.iter().filter(|lane| lane.connected && !lane.ended) {
            match self.missing {
                Missing::Wait if !lane.seen => return None,
                Missing::Wait => until = until.min(lane.end),
                Missing::Silence => {
                    until = until.min(if lane.seen { lane.end } else { at }.max(last - self.skew(rate)));
                }
            }
        }
        let frames = usize::try_from(until - at).ok().filter(|frames| *frames > 0)?;
        self.at = Some(at);
        Some((at, frames))
    }

    /// Takes `frames` frames out: `put` gets the number of the input among the connected ones, the frame that its
    /// samples begin at, counted from the first one taken, and the samples. What it gets nothing of is silence.
    pub fn take(&mut self, frames: usize, mut put: impl FnMut(usize, usize, &AudioBuffer)) {
        let at = self.at.unwrap_or(0);
        let end = at + frames as i64;
        for (number, lane) in self.lanes.iter_mut().filter(|lane| lane.connected).enumerate() {
            while lane.start < end
                && let Some(part) = lane.parts.front_mut()
            {
                let take = (end - lane.start).min(part.frames() as i64) as usize;
                let offset = (lane.start - at) as usize;
                if take == part.frames() {
                    put(number, offset, part);
                    lane.parts.pop_front();
                } else {
                    put(number, offset, &part.slice(0..take));
                    *part = part.slice(take..part.frames());
                }
                lane.start += take as i64;
            }
        }
        self.at = Some(end);
    }
}
