//! Sample-rate conversion of a stream, time-aligned and of exact length.
//!
//! Ratios whose FFT sizes have only the factors 2, 3, 5 and 7 go through rubato's FFT resampler, all others through
//! its windowed-sinc interpolation. Both use a BlackmanHarris2 window over at least 320 frames at the lower rate,
//! which puts -0.1 dB at 0.93 of the lower Nyquist frequency and images and aliases below -130 dB.

use std::sync::{Arc, LazyLock};

use audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Async, FixedAsync, Resampler as _, Sample, SincInterpolationParameters, SincInterpolationType, WindowFunction,
    calculate_cutoff,
};

use super::shelf::{Place, Shelf, Shelves};

/// Filter length at the lower rate, in frames.
const HIGH_FRAMES: usize = 320;
/// The same for f64 processing: a narrower transition.
const VERY_HIGH_FRAMES: usize = 512;
/// The longest FFT block, in frames at the higher rate: beyond it the sinc is used.
const MAX_BLOCK_FRAMES: usize = 1 << 15;

/// How good, and what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quality {
    /// Computed in f32: noise and images below -130 dB.
    High,
    /// Computed in f64: below -150 dB.
    VeryHigh,
}

/// A stream from one rate to another.
pub(crate) enum Resampler {
    Single(Core<f32>),
    Double(Core<f64>),
}

impl Resampler {
    /// Rates of 1 Hz and more, 1 channel and more. The reason, if rubato refuses them.
    pub(crate) fn new(from_hz: u32, to_hz: u32, channels: usize, quality: Quality, trim: bool) -> Result<Self, String> {
        Ok(match quality {
            Quality::High => Self::Single(Core::new(from_hz, to_hz, channels, HIGH_FRAMES, trim)?),
            Quality::VeryHigh => Self::Double(Core::new(from_hz, to_hz, channels, VERY_HIGH_FRAMES, trim)?),
        })
    }

    /// The group delay in frames of the output.
    pub(crate) fn delay_frames(&self) -> usize {
        match self {
            Self::Single(core) => core.delay,
            Self::Double(core) => core.delay,
        }
    }

    /// Input frames that are collected before any output.
    pub(crate) fn block_frames(&self) -> usize {
        match self {
            Self::Single(core) => core.block_in,
            Self::Double(core) => core.block_in,
        }
    }

    /// The most frames that pushing `frames` can give.
    pub(crate) fn push_bound(&self, frames: usize) -> usize {
        match self {
            Self::Single(core) => core.push_bound(frames),
            Self::Double(core) => core.push_bound(frames),
        }
    }

    /// Takes interleaved samples, gives interleaved samples: the number of frames written. `out` must have room for
    /// [`push_bound`](Self::push_bound).
    pub(crate) fn push(&mut self, input: &[f32], out: &mut [f32]) -> Result<usize, String> {
        match self {
            Self::Single(core) => core.push(input, out),
            Self::Double(core) => core.push(input, out),
        }
    }

    /// How many frames [`flush`](Self::flush) gives.
    pub(crate) fn held_frames(&self) -> usize {
        match self {
            Self::Single(core) => core.held_frames(),
            Self::Double(core) => core.held_frames(),
        }
    }

    /// Gives everything held: `out` must have room for [`held_frames`](Self::held_frames). Reset before pushing again.
    pub(crate) fn flush(&mut self, out: &mut [f32]) -> Result<(), String> {
        match self {
            Self::Single(core) => core.flush(out),
            Self::Double(core) => core.flush(out),
        }
    }

    /// Forgets the stream.
    pub(crate) fn reset(&mut self) {
        match self {
            Self::Single(core) => core.reset(),
            Self::Double(core) => core.reset(),
        }
    }
}

/// f32 or f64 as the working precision.
pub(crate) trait Working: Sample {
    fn from_single(value: f32) -> Self;
    fn to_single(self) -> f32;
    /// The same memory, when it has this type already.
    fn view(_: &[f32]) -> Option<&[Self]> {
        None
    }
    /// The same memory for writing, when it has this type already.
    fn view_mut(_: &mut [f32]) -> Option<&mut [Self]> {
        None
    }
    /// The resamplers of this precision that streams share.
    fn shelves() -> &'static Shelves<Self>;
}

impl Working for f32 {
    fn from_single(value: f32) -> Self {
        value
    }
    fn to_single(self) -> f32 {
        self
    }
    fn view(samples: &[f32]) -> Option<&[Self]> {
        Some(samples)
    }
    fn view_mut(samples: &mut [f32]) -> Option<&mut [Self]> {
        Some(samples)
    }
    fn shelves() -> &'static Shelves<Self> {
        static SHELVES: LazyLock<Shelves<f32>> = LazyLock::new(Shelves::default);
        &SHELVES
    }
}

impl Working for f64 {
    fn from_single(value: f32) -> Self {
        value.into()
    }
    fn to_single(self) -> f32 {
        self as f32
    }
    fn shelves() -> &'static Shelves<Self> {
        static SHELVES: LazyLock<Shelves<f64>> = LazyLock::new(Shelves::default);
        &SHELVES
    }
}

/// What does the work.
enum Inner<T: Working> {
    /// A resampler that streams share, where this one stands, and its last block.
    Shared(Arc<Shelf<T>>, Place, Vec<T>),
    /// One of its own.
    Own(Box<dyn rubato::Resampler<T>>),
}

/// The stream in one precision.
pub(crate) struct Core<T: Working> {
    inner: Inner<T>,
    channels: usize,
    /// Reduced ratio: `up` frames out for `down` frames in.
    up: u64,
    down: u64,
    block_in: usize,
    block_out_max: usize,
    delay: usize,
    /// Frames that wait for a whole block, interleaved.
    waiting: Vec<T>,
    /// One block of output, interleaved, of a resampler of its own.
    block_out: Vec<T>,
    skip: usize,
    frames_in: u64,
    frames_out: u64,
    trim: bool,
}

fn smooth(mut n: usize) -> bool {
    for factor in [2, 3, 5, 7] {
        while n.is_multiple_of(factor) {
            n /= factor;
        }
    }
    n == 1
}

/// 2^100: no sum over a block reaches infinity from here.
const LIMIT_BITS: u32 = (127 + 100) << 23;

/// The sample, or 0 when it is not finite or absurdly large: one such value would spoil its whole block.
fn usable(sample: f32) -> f32 {
    if sample.to_bits() & 0x7fff_ffff < LIMIT_BITS { sample } else { 0.0 }
}

/// Whether every sample is usable as it is. Integer comparison, so that it is done eight samples at a time.
fn sound(samples: &[f32]) -> bool {
    samples.iter().fold(0, |largest, sample| (sample.to_bits() & 0x7fff_ffff).max(largest)) < LIMIT_BITS
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl<T: Working> Core<T> {
    fn new(from_hz: u32, to_hz: u32, channels: usize, filter_frames: usize, trim: bool) -> Result<Self, String> {
        let common = gcd(from_hz.into(), to_hz.into()).max(1);
        let (up, down) = (u64::from(to_hz) / common, u64::from(from_hz) / common);
        let (unit_in, unit_out) =
            (usize::try_from(down).unwrap_or(usize::MAX), usize::try_from(up).unwrap_or(usize::MAX));
        let block = smooth(unit_in).then_some(()).filter(|()| smooth(unit_out)).and_then(|()| {
            let least = filter_frames.div_ceil(unit_in.min(unit_out));
            let units = (least..least * 2 + 1).find(|units| {
                // Half an output block is the delay: it must be whole, or the output lies between two frames.
                smooth(*units) && (units * unit_in).is_multiple_of(2) && (units * unit_out).is_multiple_of(2)
            })?;
            (units * unit_in.max(unit_out) <= MAX_BLOCK_FRAMES).then_some(units * unit_in)
        });
        let (inner, block_in, block_out_max, delay) = match block {
            Some(block_in) => {
                let shelf = Shelf::of(T::shelves(), (from_hz, to_hz, channels, block_in))?;
                let (block_out, delay) = (shelf.block_out, shelf.delay);
                (Inner::Shared(shelf, Place::new(), Vec::new()), block_in, block_out, delay)
            }
            None => {
                let own = sinc::<T>(from_hz, to_hz, channels, filter_frames)?;
                let (block_in, block_out) = (own.input_frames_max(), own.output_frames_max());
                (Inner::Own(Box::new(own)), block_in, block_out, sinc_delay(from_hz, to_hz, filter_frames))
            }
        };
        let own_out = if matches!(inner, Inner::Own(_)) { block_out_max * channels } else { 0 };
        Ok(Self {
            inner,
            channels,
            up,
            down,
            block_in,
            block_out_max,
            delay,
            waiting: Vec::new(),
            block_out: vec![T::zero(); own_out],
            skip: if trim { delay } else { 0 },
            frames_in: 0,
            frames_out: 0,
            trim,
        })
    }

    fn push_bound(&self, frames: usize) -> usize {
        ((self.waiting.len() / self.channels + frames) / self.block_in) * self.block_out_max
    }

    fn push(&mut self, mut input: &[f32], out: &mut [f32]) -> Result<usize, String> {
        self.frames_in += (input.len() / self.channels) as u64;
        let block = self.block_in * self.channels;
        let mut written = 0;
        // The block before, where it lies in the input.
        let mut before = None;
        while self.waiting.len() + input.len() >= block {
            let (now, rest) = input.split_at(block - self.waiting.len());
            let target = &mut out[written * self.channels..];
            // A whole block in the right precision is read where it lies.
            written += match T::view(now).filter(|_| self.waiting.is_empty() && sound(now)) {
                Some(now) => {
                    let frames = self.run_on(now, before, rest.len() < block, target)?;
                    before = Some(now);
                    frames
                }
                None => {
                    self.waiting.extend(now.iter().map(|&value| T::from_single(usable(value))));
                    let frames = self.run_waiting(before, target)?;
                    before = None;
                    frames
                }
            };
            input = rest;
        }
        self.waiting.extend(input.iter().map(|&value| T::from_single(usable(value))));
        self.frames_out += written as u64;
        Ok(written)
    }

    /// Runs the block that waits. Says how many frames it wrote.
    fn run_waiting(&mut self, before: Option<&[T]>, out: &mut [f32]) -> Result<usize, String> {
        let waiting = std::mem::take(&mut self.waiting);
        let done = self.run_on(&waiting, before, true, out);
        self.waiting = waiting;
        self.waiting.clear();
        done
    }

    /// Runs a block. `before` is the one before it, unless that was kept; `keep`: this one is to be kept.
    fn run_on(&mut self, block: &[T], before: Option<&[T]>, keep: bool, out: &mut [f32]) -> Result<usize, String> {
        let channels = self.channels;
        let whole = self.block_out_max * channels;
        let can = self.skip == 0 && out.len() >= whole && T::view_mut(&mut out[..whole]).is_some();
        let mut written = 0;
        let skip = &mut self.skip;
        // What does not go straight to where it is wanted: without the delay, and no more than there is room for.
        let mut hand_over = |made: &[T], out: &mut [f32]| {
            let skipped = (*skip).min(made.len() / channels);
            *skip -= skipped;
            let kept = &made[skipped * channels..];
            // The end of a stream asks for less than a whole block.
            let room = kept.len().min(out.len());
            for (target, value) in out.iter_mut().zip(&kept[..room]) {
                *target = value.to_single();
            }
            written = room / channels;
        };
        match &mut self.inner {
            Inner::Shared(shelf, place, previous) => {
                let last = before.unwrap_or(previous);
                let direct = if can { T::view_mut(&mut out[..whole]) } else { None };
                let frames = match direct {
                    Some(direct) => shelf.run(place, last, block, Some(direct), |_| {})?,
                    None => {
                        shelf.run(place, last, block, None, |made| hand_over(made, out))?;
                        written
                    }
                };
                if keep {
                    previous.clear();
                    previous.extend_from_slice(block);
                }
                return Ok(frames);
            }
            Inner::Own(own) => {
                let error = |error: &dyn std::fmt::Display| error.to_string();
                let input = InterleavedSlice::new(block, channels, self.block_in).map_err(|e| error(&e))?;
                let mut output = InterleavedSlice::new_mut(&mut self.block_out, channels, self.block_out_max)
                    .map_err(|e| error(&e))?;
                let (_, frames) = own.process_into_buffer(&input, &mut output, None).map_err(|e| error(&e))?;
                hand_over(&self.block_out[..frames * channels], out);
            }
        }
        Ok(written)
    }

    fn held_frames(&self) -> usize {
        let length = (u128::from(self.frames_in) * u128::from(self.up)).div_ceil(u128::from(self.down));
        let length = u64::try_from(length).unwrap_or(u64::MAX) + if self.trim { 0 } else { self.delay as u64 };
        usize::try_from(length.saturating_sub(self.frames_out)).unwrap_or(usize::MAX)
    }

    fn flush(&mut self, out: &mut [f32]) -> Result<(), String> {
        let out = &mut out[..self.held_frames() * self.channels];
        let mut written = 0;
        while written * self.channels < out.len() {
            self.waiting.resize(self.block_in * self.channels, T::zero());
            written += self.run_waiting(None, &mut out[written * self.channels..])?;
        }
        self.frames_out += written as u64;
        Ok(())
    }

    fn reset(&mut self) {
        match &mut self.inner {
            Inner::Shared(_, place, previous) => {
                *place = Place::new();
                previous.clear();
            }
            Inner::Own(own) => own.reset(),
        }
        self.waiting.clear();
        self.skip = if self.trim { self.delay } else { 0 };
        (self.frames_in, self.frames_out) = (0, 0);
    }
}

/// rubato scales the cutoff with the ratio but not the length of the filter: both are set here.
fn sinc<T: Working>(from_hz: u32, to_hz: u32, channels: usize, filter_frames: usize) -> Result<Async<T>, String> {
    let ratio = f64::from(to_hz) / f64::from(from_hz);
    let length = sinc_length(ratio, filter_frames);
    let parameters = SincInterpolationParameters::new(length, WindowFunction::BlackmanHarris2)
        .interpolation(SincInterpolationType::Cubic)
        .oversampling_factor(128)
        .f_cutoff(calculate_cutoff(filter_frames, WindowFunction::BlackmanHarris2));
    let block = (from_hz as usize / 50).max(1);
    Async::new_sinc(ratio, 1.1, &parameters, block, channels, FixedAsync::Input).map_err(|error| error.to_string())
}

/// Taps of the sinc, a multiple of 8.
fn sinc_length(ratio: f64, filter_frames: usize) -> usize {
    ((filter_frames as f64 * (1.0 / ratio).max(1.0)) / 8.0).ceil() as usize * 8
}

/// The sinc's delay to the nearest frame of the output. rubato states half the filter, rounded down; tones come out
/// one frame before that (`tests/audio_reference.rs`).
fn sinc_delay(from_hz: u32, to_hz: u32, filter_frames: usize) -> usize {
    let ratio = f64::from(to_hz) / f64::from(from_hz);
    let half = sinc_length(ratio, filter_frames) as f64 * ratio / 2.0;
    (half.round() as usize).saturating_sub(1)
}
