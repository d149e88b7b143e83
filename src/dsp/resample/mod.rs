//! Sample-rate conversion of a stream, time-aligned and of exact length.
//!
//! Two ways, behind one [`Resampler`]: [`overlap`] for ratios whose transforms have only the factors 2, 3, 5 and 7,
//! [`sinc`] for all other ratios and for those that move. The second waits for no block and throws nothing away: its
//! first frame is that of time 0.

mod clock;
mod filter;
mod overlap;
mod plan;
mod ratio;
mod sinc;
mod stage;
mod sums;
mod table;
mod working;

use overlap::Overlap;
use plan::{Key, Length};
use ratio::Ratio;
use sinc::Sinc;

/// How good, and what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quality {
    /// A short filter in short blocks, computed in f32: the least hold-back.
    LowLatency,
    /// Computed in f32: noise, images and aliases below -130 dB.
    High,
    /// Computed in f64: below -150 dB.
    VeryHigh,
}

/// What to convert, and how.
#[derive(Debug, Clone, Copy)]
pub struct Conversion {
    /// 1 Hz and more.
    pub from_hz: u32,
    /// 1 Hz and more.
    pub to_hz: u32,
    /// 1 and more.
    pub channels: usize,
    /// How close to the original it stays.
    pub quality: Quality,
    /// Whether somebody waits for the output: blocks of 20 ms then, and long ones otherwise.
    pub live: bool,
    /// A ratio that can be moved, in parts in a million.
    pub ratio_ppm: Option<f64>,
}

enum Engine {
    Single(Overlap<f32>),
    Double(Overlap<f64>),
    Sinc(Sinc<f32>),
    SincDouble(Sinc<f64>),
}

/// The same call for whichever engine it is.
macro_rules! engine {
    ($engine:expr, $name:ident => $call:expr) => {
        match $engine {
            Engine::Single($name) => $call,
            Engine::Double($name) => $call,
            Engine::Sinc($name) => $call,
            Engine::SincDouble($name) => $call,
        }
    };
}

/// A stream from one rate to another.
pub struct Resampler {
    engine: Engine,
    ratio: Ratio,
    channels: usize,
    /// Frames of [`overlap`]'s output that lie before the stream and are still to be thrown away.
    skip: usize,
    frames_in: u64,
    frames_out: u64,
}

/// Rates that are further apart would take filters of tens of millions of frames. No node takes such rates.
const MOST_RATIO: usize = 1 << 21;

/// A block of silence, to get out what is held.
static SILENCE: [f32; 1 << 12] = [0.0; 1 << 12];

impl Resampler {
    /// The reason, if the conversion cannot be done.
    pub fn new(conversion: Conversion) -> Result<Self, String> {
        let engine = Engine::of(conversion)?;
        let ratio = Ratio::new(conversion.from_hz, conversion.to_hz);
        let mut resampler = Self { engine, ratio, channels: conversion.channels, skip: 0, frames_in: 0, frames_out: 0 };
        resampler.skip = resampler.delay_frames();
        if let Some(ppm) = conversion.ratio_ppm {
            resampler.set_ratio_ppm(ppm)?;
        }
        Ok(resampler)
    }

    /// The group delay in frames of the output.
    pub fn delay_frames(&self) -> usize {
        engine!(&self.engine, engine => engine.delay_frames())
    }

    /// Input frames that are collected before any output: 0 where each frame gives what it can.
    pub fn block_frames(&self) -> usize {
        match &self.engine {
            Engine::Single(overlap) => overlap.block_frames(),
            Engine::Double(overlap) => overlap.block_frames(),
            Engine::Sinc(_) | Engine::SincDouble(_) => 0,
        }
    }

    /// The most frames that pushing `frames` can give.
    pub fn push_bound(&self, frames: usize) -> usize {
        engine!(&self.engine, engine => engine.push_bound(frames))
    }

    /// Takes interleaved samples, gives interleaved samples: the number of frames written. `out` must have room for
    /// [`push_bound`](Self::push_bound).
    pub fn push(&mut self, input: &[f32], out: &mut [f32]) -> usize {
        self.frames_in += (input.len() / self.channels) as u64;
        let written = match &mut self.engine {
            Engine::Single(overlap) => overlap.push(input, out, &mut self.skip),
            Engine::Double(overlap) => overlap.push(input, out, &mut self.skip),
            Engine::Sinc(sinc) => sinc.push(input, out),
            Engine::SincDouble(sinc) => sinc.push(input, out),
        };
        self.frames_out += written as u64;
        written
    }

    /// How many frames [`flush`](Self::flush) gives.
    pub fn held_frames(&self) -> usize {
        let held = match &self.engine {
            Engine::Sinc(sinc) => sinc.held_frames(),
            Engine::SincDouble(sinc) => sinc.held_frames(),
            _ => self.ratio.length(self.frames_in).saturating_sub(self.frames_out),
        };
        usize::try_from(held).unwrap_or(usize::MAX)
    }

    /// Gives everything held: `out` must have room for [`held_frames`](Self::held_frames). Reset before pushing again.
    pub fn flush(&mut self, out: &mut [f32]) {
        let mut out = &mut out[..self.held_frames() * self.channels];
        let silence = &SILENCE[..SILENCE.len() / self.channels * self.channels];
        while !out.is_empty() {
            let written = match &mut self.engine {
                Engine::Single(overlap) => overlap.push(silence, out, &mut self.skip),
                Engine::Double(overlap) => overlap.push(silence, out, &mut self.skip),
                Engine::Sinc(sinc) => sinc.push_silence(out),
                Engine::SincDouble(sinc) => sinc.push_silence(out),
            };
            self.frames_out += written as u64;
            out = &mut out[written * self.channels..];
        }
    }

    /// Forgets the stream.
    pub fn reset(&mut self) {
        engine!(&mut self.engine, engine => engine.reset());
        self.skip = self.delay_frames();
        (self.frames_in, self.frames_out) = (0, 0);
    }

    /// Moves the ratio by so many parts in a million from the nominal one: more than 0 gives more frames.
    pub fn set_ratio_ppm(&mut self, ppm: f64) -> Result<(), String> {
        match &mut self.engine {
            Engine::Sinc(sinc) => sinc.set_ratio_ppm(ppm),
            Engine::SincDouble(sinc) => sinc.set_ratio_ppm(ppm),
            _ => Err("the ratio is fixed".into()),
        }
    }
}

impl Engine {
    fn of(conversion: Conversion) -> Result<Self, String> {
        let Conversion { from_hz, to_hz, channels, quality, live, ratio_ppm } = conversion;
        let ratio = Ratio::new(from_hz, to_hz);
        if ratio.high() / ratio.low() > MOST_RATIO {
            let Ratio { up, down } = ratio;
            return Err(format!("the rates are as {down} to {up}, expected at most {MOST_RATIO} to 1"));
        }
        let mono = channels == 1;
        // 20 ms, the usual frame, or half of it where that is many units of the ratio.
        let half = quality == Quality::LowLatency && (from_hz as usize).is_multiple_of(200 * ratio.down);
        let frame = live.then_some(from_hz as usize / if half { 100 } else { 50 });
        let length = if quality == Quality::LowLatency { Length::Short } else { Length::Full };
        let key = Key { ratio, mono, frame, length };
        let fixed = match quality {
            _ if ratio_ppm.is_some() => None,
            Quality::LowLatency | Quality::High => Overlap::new(key, channels).map(Self::Single),
            Quality::VeryHigh => Overlap::new(key, channels).map(Self::Double),
        };
        if let Some(engine) = fixed {
            return Ok(engine);
        }
        let moves = ratio_ppm.is_some();
        Ok(match quality {
            Quality::LowLatency | Quality::High => Self::Sinc(Sinc::new(ratio, channels, length, moves)),
            Quality::VeryHigh => Self::SincDouble(Sinc::new(ratio, channels, length, moves)),
        })
    }
}

#[cfg(test)]
mod tests;
