//! All other ratios, and ratios that move: rubato's windowed sinc.

use audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Adjustable as _, Async, FixedAsync, Resampler as _, SincInterpolationParameters, SincInterpolationType,
    WindowFunction, calculate_cutoff,
};

use super::working::{Working, usable};

/// How far the ratio may be moved from where it started, as a factor.
const MOST_DRIFT: f64 = 1.1;

/// The stream.
pub(super) struct Sinc<T: Working> {
    inner: Async<T>,
    channels: usize,
    block: usize,
    delay: usize,
    /// Frames that wait for a whole block, interleaved.
    waiting: Vec<T>,
    /// One block of output, interleaved.
    made: Vec<T>,
    ratio: f64,
    /// Output frames that the blocks so far stand for, once the ratio was moved.
    moved: Option<f64>,
    blocks: u64,
}

/// A filter of so many frames at the lower rate, in blocks of so many frames of input.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) frames: usize,
    pub(super) block: usize,
    /// Whether it may stop as late as the short filter of fixed ratios does, at 1.12 of half the lower rate.
    pub(super) late: bool,
}

impl Shape {
    /// The window, and the cutoff as a part of half the lower rate.
    fn window(self) -> (WindowFunction, f32) {
        if self.late {
            // Its stop band begins 8 bins of the filter's length away.
            return (WindowFunction::BlackmanHarris, 0.985);
        }
        (WindowFunction::BlackmanHarris2, calculate_cutoff(self.frames, WindowFunction::BlackmanHarris2))
    }
}

/// The longest filter, which has 128 phases: at 512 times the lower rate.
const MOST_FRAMES: usize = 1 << 17;

impl<T: Working> Sinc<T> {
    /// The reason, if rubato refuses.
    pub(super) fn new(from_hz: u32, to_hz: u32, channels: usize, shape: Shape) -> Result<Self, String> {
        let ratio = f64::from(to_hz) / f64::from(from_hz);
        // rubato scales the cutoff with the ratio but not the length of the filter: both are set here.
        let length = ((shape.frames as f64 * (1.0 / ratio).max(1.0)) / 8.0).ceil() as usize * 8;
        if length > MOST_FRAMES {
            return Err(format!(
                "from {from_hz} to {to_hz} Hz takes a filter of {length} frames, expected at most {MOST_FRAMES}; \
                 go by a rate in between"
            ));
        }
        let (window, cutoff) = shape.window();
        let parameters = SincInterpolationParameters::new(length, window)
            .interpolation(SincInterpolationType::Cubic)
            .oversampling_factor(128)
            .f_cutoff(cutoff);
        let inner = Async::new_sinc(ratio, MOST_DRIFT, &parameters, shape.block, channels, FixedAsync::Input)
            .map_err(|error| error.to_string())?;
        // The delay to the nearest frame of the output. rubato states half the filter, rounded down; tones come out
        // one frame before that (`tests/audio_reference.rs`).
        let delay = ((length as f64 * ratio / 2.0).round() as usize).saturating_sub(1);
        let made = vec![T::default(); inner.output_frames_max() * channels];
        Ok(Self {
            inner,
            channels,
            block: shape.block,
            delay,
            waiting: Vec::with_capacity(shape.block * channels),
            made,
            ratio,
            moved: None,
            blocks: 0,
        })
    }

    pub(super) fn delay_frames(&self) -> usize {
        self.delay
    }

    pub(super) fn block_frames(&self) -> usize {
        self.block
    }

    pub(super) fn push_bound(&self, frames: usize) -> usize {
        (self.waiting.len() / self.channels + frames) / self.block * self.inner.output_frames_max()
    }

    /// Moves the ratio by so many parts in a million from where it started, from the next block on.
    pub(super) fn set_ratio_ppm(&mut self, ppm: f64) -> Result<(), String> {
        let so_far = self.moved.unwrap_or(self.blocks as f64 * self.block as f64 * self.ratio);
        let factor = 1.0 + ppm * 1e-6;
        self.inner.set_resample_ratio_relative(factor, false).map_err(|error| error.to_string())?;
        self.moved = Some(so_far);
        self.ratio = self.inner.resample_ratio();
        Ok(())
    }

    /// Frames of output that the input so far stands for, if that is no longer the ratio it started with.
    pub(super) fn moved_length(&self) -> Option<u64> {
        let waiting = (self.waiting.len() / self.channels) as f64 * self.ratio;
        self.moved.map(|so_far| (so_far + waiting - 1e-6).ceil() as u64)
    }

    pub(super) fn push(&mut self, mut input: &[f32], out: &mut [f32], skip: &mut usize) -> Result<usize, String> {
        let block = self.block * self.channels;
        let mut written = 0;
        while self.waiting.len() + input.len() >= block {
            let (now, rest) = input.split_at(block - self.waiting.len());
            self.waiting.extend(now.iter().map(|sample| T::from_single(usable(*sample))));
            written += self.run(&mut out[written * self.channels..], skip)?;
            input = rest;
        }
        self.waiting.extend(input.iter().map(|sample| T::from_single(usable(*sample))));
        Ok(written)
    }

    fn run(&mut self, out: &mut [f32], skip: &mut usize) -> Result<usize, String> {
        let error = |error: &dyn std::fmt::Display| error.to_string();
        let input = InterleavedSlice::new(&self.waiting, self.channels, self.block).map_err(|e| error(&e))?;
        let room = self.made.len() / self.channels;
        let mut output = InterleavedSlice::new_mut(&mut self.made, self.channels, room).map_err(|e| error(&e))?;
        let (_, frames) = self.inner.process_into_buffer(&input, &mut output, None).map_err(|e| error(&e))?;
        self.waiting.clear();
        self.blocks += 1;
        if let Some(moved) = &mut self.moved {
            *moved += self.block as f64 * self.ratio;
        }
        let skipped = (*skip).min(frames);
        *skip -= skipped;
        let kept = &self.made[skipped * self.channels..frames * self.channels];
        // The end of a stream asks for less than a whole block.
        let kept = &kept[..kept.len().min(out.len())];
        for (target, value) in out.iter_mut().zip(kept) {
            *target = value.to_single();
        }
        Ok(kept.len() / self.channels)
    }

    pub(super) fn reset(&mut self) {
        // A ratio that was moved stays where it is: the clocks of the next stream are the same ones.
        let ratio = self.ratio;
        self.inner.reset();
        if self.moved.is_some() {
            let _ = self.inner.set_resample_ratio(ratio, false);
            self.moved = Some(0.0);
        }
        self.waiting.clear();
        self.blocks = 0;
    }
}
