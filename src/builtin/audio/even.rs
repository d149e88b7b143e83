//! One frame out per frame in: what a resampler holds back is made up for by silence at the start.

use std::collections::VecDeque;

use crate::dsp::resample::Resampler;

/// Takes what the resampler gives, as it gives it, and hands out what is due.
///
/// Where the first piece of input is a multiple of the resampler's block, the silence is as long as the filter's
/// delay, and all that follow should be such multiples too; otherwise it is a block longer, which is enough for
/// pieces of any length.
pub(super) struct Even {
    waiting: VecDeque<f32>,
    channels: usize,
    rates: (u32, u32),
    /// Frames of silence at the start, once the stream has begun.
    ahead: Option<usize>,
    frames_in: u64,
    frames_out: u64,
}

impl Even {
    /// Rates of the input and the output in Hz.
    pub(super) fn new(rates: (u32, u32), channels: usize) -> Self {
        Self { waiting: VecDeque::new(), channels, rates, ahead: None, frames_in: 0, frames_out: 0 }
    }

    /// Chooses the silence by the first piece of the stream. The resampler has not got it yet.
    pub(super) fn begin(&mut self, frames: usize, resampler: &Resampler) {
        if self.ahead.is_some() || frames == 0 {
            return;
        }
        let block = resampler.block_frames();
        let even = block == 0 || frames.is_multiple_of(block);
        let more = if even { 0 } else { resampler.push_bound(block) };
        let ahead = resampler.delay_frames() + more;
        self.waiting.extend(std::iter::repeat_n(0.0, ahead * self.channels));
        self.ahead = Some(ahead);
    }

    /// Frames before time 0.
    pub(super) fn ahead(&self) -> usize {
        self.ahead.unwrap_or(0)
    }

    pub(super) fn waiting_frames(&self) -> usize {
        self.waiting.len() / self.channels
    }

    /// Takes what the resampler gave for `frames` frames of input, and says how many are to go out now.
    pub(super) fn take(&mut self, made: &[f32], frames: usize) -> usize {
        self.waiting.extend(made);
        self.frames_in += frames as u64;
        let due = u128::from(self.frames_in) * u128::from(self.rates.1) / u128::from(self.rates.0);
        let due = usize::try_from(u64::try_from(due).unwrap_or(u64::MAX) - self.frames_out).unwrap_or(usize::MAX);
        // Fewer when a piece that is no multiple follows one that was.
        let now = due.min(self.waiting_frames());
        self.frames_out += now as u64;
        now
    }

    /// Fills `target` with what waits.
    pub(super) fn give(&mut self, target: &mut [f32]) {
        let (first, second) = self.waiting.as_slices();
        let split = first.len().min(target.len());
        let rest = target.len() - split;
        target[..split].copy_from_slice(&first[..split]);
        target[split..].copy_from_slice(&second[..rest]);
        self.waiting.drain(..target.len());
    }

    /// Forgets the stream.
    pub(super) fn reset(&mut self) {
        self.waiting.clear();
        (self.ahead, self.frames_in, self.frames_out) = (None, 0, 0);
    }
}
