//! Audio inputs of one node, joined by time: the shorter path waits for the longer one.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data::{AudioBuffer, AudioFormat, Format, Pts};
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

/// One input is never so far from the others, in seconds: the silence would be made sample by sample.
const MOST_GAP_S: i64 = 600;

impl Missing {
    /// How far inputs may lie apart where nothing else is said, in milliseconds: as long as paths of a graph may differ, or
    /// as long as a live mix can wait.
    pub fn max_skew_ms(self) -> u32 {
        match self {
            Self::Wait => 10_000,
            Self::Silence => 200,
        }
    }
}

/// One input.
#[derive(Debug, Default)]
struct Lane {
    connected: bool,
    /// Whether audio or a gap has come.
    begun: bool,
    ended: bool,
    /// The channels as far as they are declared.
    declared: Option<u16>,
    /// 0 before they are known.
    channels: usize,
    /// Audio that waits, in order, each with its first frame. What lies between is silence.
    parts: VecDeque<(i64, AudioBuffer)>,
    /// The frame that it begins with, and the one up to which all is known.
    start: i64,
    end: i64,
}

impl Lane {
    /// Takes note that all is known from one frame to another.
    fn knows(&mut self, from: i64, until: i64, channels: u16) {
        if !self.begun {
            (self.begun, self.start, self.end) = (true, from, from);
        }
        self.connected = true;
        self.channels = usize::from(channels);
        self.end = self.end.max(until);
    }
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
    /// For inputs that may lie `max_skew_ms` apart, or as far as [`Missing::max_skew_ms`] says.
    pub fn new(missing: Missing, max_skew_ms: Option<u32>) -> Self {
        let max_skew_ms = max_skew_ms.unwrap_or(missing.max_skew_ms());
        Self { lanes: Vec::new(), missing, max_skew_ms, sample_rate_hz: None, at: None }
    }

    /// Takes the formats of the inputs, `Unknown` for those that are not connected.
    pub fn open(&mut self, inputs: &[Format]) {
        let lane = |format: &Format| Lane {
            connected: *format != Format::Unknown,
            channels: format.channels().map_or(0, usize::from),
            declared: format.channels(),
            ..Lane::default()
        };
        self.lanes = inputs.iter().map(lane).collect();
    }

    /// Forgets the stream.
    pub fn reset(&mut self) {
        (self.sample_rate_hz, self.at) = (None, None);
        for lane in &mut self.lanes {
            let (connected, declared) = (lane.connected, lane.declared);
            *lane = Lane { connected, declared, channels: declared.map_or(0, usize::from), ..Lane::default() };
        }
    }

    /// The rate of all inputs, once audio has come.
    pub fn sample_rate_hz(&self) -> Option<u32> {
        self.sample_rate_hz
    }

    /// The channels of each connected input; `None` before all of them are known.
    pub fn channels(&self) -> Option<Vec<usize>> {
        let connected = self.lanes.iter().filter(|lane| lane.connected);
        connected.map(|lane| (lane.channels > 0).then_some(lane.channels)).collect()
    }

    /// Takes audio. Gives how many of its frames came too late and were left out.
    ///
    /// # Errors
    /// `Format` for another sample rate than that of the other inputs.
    pub fn push(&mut self, port: PortId, audio: AudioBuffer, pts: Pts) -> Result<u64> {
        let format = audio.format();
        self.check_rate(port, format)?;
        let from = pts.nearest_frame(format.sample_rate_hz());
        let frames = audio.frames() as i64;
        let Some(lane) = self.lanes.get_mut(port.index()) else { return Ok(0) };
        let known = if lane.begun { lane.end } else { i64::MIN };
        let first = self.at.unwrap_or(i64::MIN).max(known).max(from);
        lane.knows(first, from + frames, format.channels());
        let late = (first - from).min(frames);
        if late < frames {
            lane.parts.push_back((first, audio.slice(late as usize..frames as usize)));
        }
        Ok(late as u64)
    }

    /// Takes note that nothing comes from one time to another.
    ///
    /// # Errors
    /// `Format` for another sample rate than that of the other inputs.
    pub fn gap(&mut self, port: PortId, format: AudioFormat, from: Pts, until: Pts) -> Result<()> {
        self.check_rate(port, format)?;
        let rate = format.sample_rate_hz();
        if let Some(lane) = self.lanes.get_mut(port.index()) {
            lane.knows(from.nearest_frame(rate), until.nearest_frame(rate), format.channels());
        }
        Ok(())
    }

    fn check_rate(&mut self, port: PortId, format: AudioFormat) -> Result<()> {
        let rate = format.sample_rate_hz();
        let expected = *self.sample_rate_hz.get_or_insert(rate);
        if rate == expected {
            return Ok(());
        }
        let text =
            format!("sample_rate_hz of `in_{}` is {rate}, expected {expected} as of the other inputs", port.0 + 1);
        Err(Error::new(ErrorKind::Format, text).code_of("RM0201").hint("put an AudioResample before it"))
    }

    /// An input has ended: it is silence from there on.
    pub fn end(&mut self, port: PortId) {
        if let Some(lane) = self.lanes.get_mut(port.index()) {
            lane.ended = true;
        }
    }

    /// Frames that wait for another input.
    pub fn held_frames(&self) -> u64 {
        let begun = self.lanes.iter().filter(|lane| lane.begun);
        let held = begun.map(|lane| lane.end - self.at.unwrap_or(lane.start));
        held.max().unwrap_or(0).max(0) as u64
    }

    fn last(&self) -> i64 {
        self.lanes.iter().filter(|lane| lane.begun).map(|lane| lane.end).max().unwrap_or(0)
    }

    fn first(&self) -> i64 {
        self.lanes.iter().filter(|lane| lane.begun).map(|lane| lane.start).min().unwrap_or(0)
    }

    /// Up to where a lane is known, as far as anybody can tell.
    fn known(&self, lane: &Lane) -> i64 {
        if lane.begun { lane.end } else { self.at.unwrap_or_else(|| self.first()) }
    }

    /// The frames that every input has something to say about: from where, and how many. `quiet`: whatever was on its way
    /// has come, so that an input that is too far behind is not waited for any longer.
    ///
    /// # Errors
    /// `Format` when one is, and it is to be waited for.
    pub fn ready(&mut self, quiet: bool) -> Result<Option<(i64, usize)>> {
        let Some(rate) = self.sample_rate_hz else { return Ok(None) };
        let last = self.last();
        let oldest = last - i64::from(self.max_skew_ms) * i64::from(rate) / 1000;
        let mut until = last;
        for (index, lane) in self.lanes.iter().enumerate().filter(|(_, lane)| lane.connected && !lane.ended) {
            let known = self.known(lane);
            match self.missing {
                Missing::Wait if quiet && known < oldest => return Err(self.behind(index, last - known, rate)),
                Missing::Silence if quiet && last - known > MOST_GAP_S * i64::from(rate) => {
                    return Err(self.behind(index, last - known, rate));
                }
                Missing::Silence if quiet => until = until.min(known.max(oldest)),
                _ if !lane.begun => return Ok(None),
                _ => until = until.min(known),
            }
        }
        let at = self.at.unwrap_or_else(|| self.first());
        let Some(frames) = usize::try_from(until - at).ok().filter(|frames| *frames > 0) else { return Ok(None) };
        self.at = Some(at);
        Ok(Some((at, frames)))
    }

    fn behind(&self, index: usize, frames: i64, rate: u32) -> Error {
        let seconds = Pts::frames(frames, rate).seconds();
        let text = format!("`in_{}` is {seconds:.3} s behind, expected at most {} ms", index + 1, self.max_skew_ms);
        Error::new(ErrorKind::Format, text)
            .hint("feed every input, raise `max_skew_ms`, or set \"missing\": \"silence\"")
    }

    /// Takes `frames` frames out: `put` gets the number of the input among the connected ones, the frame that its
    /// samples begin at, counted from the first one taken, and the samples. What it gets nothing of is silence.
    pub fn take(&mut self, frames: usize, mut put: impl FnMut(usize, usize, &AudioBuffer)) {
        let at = self.at.unwrap_or(0);
        let end = at + frames as i64;
        for (number, lane) in self.lanes.iter_mut().filter(|lane| lane.connected).enumerate() {
            while let Some((start, part)) = lane.parts.front_mut()
                && *start < end
            {
                let take = (end - *start).min(part.frames() as i64) as usize;
                let offset = (*start - at) as usize;
                if take == part.frames() {
                    put(number, offset, part);
                    lane.parts.pop_front();
                } else {
                    put(number, offset, &part.slice(0..take));
                    *part = part.slice(take..part.frames());
                    *start += take as i64;
                }
            }
        }
        self.at = Some(end);
    }
}
