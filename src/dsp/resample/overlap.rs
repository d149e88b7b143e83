//! Fixed ratios by overlap-save: a block of input is transformed, low-passed, cut or extended to the output's size and
//! transformed back; only the part free of wrap-around is kept. There is no rate in between.
//!
//! Blocks lie on a grid that begins with the stream, so that the output does not depend on how the input was cut.

use std::sync::Arc;

use rustfft::num_complex::Complex;

use super::super::simd::{self, Kernel, Simd};
use super::plan::{Key, Plan};
use super::working::{Work, Working, usable};

/// The stream's part: what it has heard and not used up.
pub(super) struct Overlap<T: Working> {
    plan: Arc<Plan<T>>,
    channels: usize,
    /// The input of the next block, as far as it is there, interleaved. It begins with silence.
    history: Vec<f32>,
}

impl<T: Working> Overlap<T> {
    /// `None` where the ratio has no plan.
    pub(super) fn new(key: Key, channels: usize) -> Option<Self> {
        let plan = Plan::of(key)?;
        let history = Vec::with_capacity((plan.size_in + 2 * plan.hop_in) * channels);
        let mut stream = Self { plan, channels, history };
        stream.reset();
        Some(stream)
    }

    pub(super) fn delay_frames(&self) -> usize {
        self.plan.delay
    }

    /// Input frames that are waited for.
    pub(super) fn block_frames(&self) -> usize {
        self.plan.hop_in * self.plan.blocks()
    }

    pub(super) fn push_bound(&self, frames: usize) -> usize {
        let step = self.block_frames();
        let waiting = self.history.len() / self.channels - self.plan.lead();
        (waiting + frames) / step * self.plan.hop_out * self.plan.blocks()
    }

    pub(super) fn push(&mut self, input: &[f32], out: &mut [f32], skip: &mut usize) -> usize {
        let Self { plan, channels, history } = self;
        let channels = *channels;
        let step = plan.hop_in * plan.blocks() * channels;
        let need = plan.lead() * channels + step;
        let mut written = 0;
        let mut run = |block: &[f32]| {
            let room = &mut out[written * channels..];
            written += T::with_work(|work| simd::run(Block { plan, channels, work, block, out: room, skip }));
        };
        let kept = history.len();
        let (mut at, mut taken) = (0, 0);
        // The blocks that begin in what was kept: with as much of the new input as they need.
        while at < kept {
            let missing = (at + need).saturating_sub(history.len());
            if missing > input.len() - taken {
                history.extend_from_slice(&input[taken..]);
                history.drain(..at);
                return written;
            }
            history.extend_from_slice(&input[taken..taken + missing]);
            taken += missing;
            run(&history[at..at + need]);
            at += step;
        }
        // The rest is read where it lies.
        let mut at = at - kept;
        while at + need <= input.len() {
            run(&input[at..at + need]);
            at += step;
        }
        history.clear();
        history.extend_from_slice(&input[at..]);
        written
    }

    pub(super) fn reset(&mut self) {
        self.history.clear();
        self.history.resize(self.plan.lead() * self.channels, 0.0);
    }
}

/// One step: every channel of a block, or two blocks of one channel. Gives the frames written.
struct Block<'a, T: Working> {
    plan: &'a Plan<T>,
    channels: usize,
    work: &'a mut Work<T>,
    /// Interleaved.
    block: &'a [f32],
    out: &'a mut [f32],
    skip: &'a mut usize,
}

impl<T: Working> Kernel for Block<'_, T> {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> usize {
        let Self { plan, channels, work, block, out, skip } = self;
        let Work { first, second, scratch } = work;
        let size = plan.size_in.max(plan.size_out);
        let (signal, result, scratch) = (grown(first, size), grown(second, size), grown(scratch, plan.scratch));
        let begin = plan.size_out - plan.hop_out - plan.delay;
        // What the block gives, without what is skipped at the start and what there is no room for at the end.
        let mut kept = |room: usize| {
            let skipped = (*skip).min(plan.hop_out);
            *skip -= skipped;
            let frames = (plan.hop_out - skipped).min(room);
            begin + skipped..begin + skipped + frames
        };
        if plan.pair {
            for ((target, re), im) in signal[..plan.size_in].iter_mut().zip(block).zip(&block[plan.hop_in..]) {
                *target = Complex::new(T::from_single(usable(*re)), T::from_single(usable(*im)));
            }
            transform(plan, signal, result, scratch);
            let earlier = kept(out.len());
            let (out, rest) = out.split_at_mut(earlier.len());
            for (target, value) in out.iter_mut().zip(&result[earlier]) {
                *target = value.re.to_single();
            }
            let later = kept(rest.len());
            for (target, value) in rest.iter_mut().zip(&result[later.clone()]) {
                *target = value.im.to_single();
            }
            return out.len() + later.len();
        }
        let kept = kept(out.len() / channels);
        if channels == 2 {
            for (target, [re, im]) in signal.iter_mut().zip(block.as_chunks::<2>().0) {
                *target = Complex::new(T::from_single(usable(*re)), T::from_single(usable(*im)));
            }
            transform(plan, signal, result, scratch);
            for (target, value) in out.as_chunks_mut::<2>().0.iter_mut().zip(&result[kept.clone()]) {
                *target = [value.re.to_single(), value.im.to_single()];
            }
            return kept.len();
        }
        // Two channels at a time. The last one of an odd number goes alone.
        for channel in (0..channels).step_by(2) {
            let two = channel + 1 < channels;
            for (target, frame) in signal.iter_mut().zip(block.chunks_exact(channels)) {
                let im = if two { usable(frame[channel + 1]) } else { 0.0 };
                *target = Complex::new(T::from_single(usable(frame[channel])), T::from_single(im));
            }
            transform(plan, signal, result, scratch);
            for (target, value) in out.chunks_exact_mut(channels).zip(&result[kept.clone()]) {
                target[channel] = value.re.to_single();
                if two {
                    target[channel + 1] = value.im.to_single();
                }
            }
        }
        kept.len()
    }
}

/// The signal in `near`, which is used up, low-passed and at the other rate in `far`.
#[inline(always)]
fn transform<T: Working>(plan: &Plan<T>, near: &mut [Complex<T>], far: &mut [Complex<T>], scratch: &mut [Complex<T>]) {
    let (size_in, size_out) = (plan.size_in, plan.size_out);
    // From one memory to the other and back: in place a transform copies.
    let spectrum = &mut far[..size_in];
    plan.forward.process_outofplace_with_scratch(&mut near[..size_in], spectrum, scratch);
    let half = size_in.min(size_out) / 2;
    let (positive, negative) = plan.response.split_at(2 * half);
    let product = &mut near[..size_out];
    multiply(&spectrum[..half], positive, &mut product[..half]);
    let upper = size_out - (half - 1);
    product[half..upper].fill(Complex::default());
    multiply(&spectrum[size_in - (half - 1)..], negative, &mut product[upper..]);
    // What the filter lets through beyond half the lower rate folds over: as little as it stops that far.
    for (bin, factor) in (half..).zip(&plan.beyond) {
        product[bin] += spectrum[bin].scale(*factor);
        product[size_out - bin] += spectrum[size_in - bin].scale(*factor);
    }
    plan.inverse.process_outofplace_with_scratch(product, &mut far[..size_out], scratch);
}

/// The first `size` elements, which are there afterwards.
#[inline(always)]
fn grown<T: Working>(memory: &mut Vec<Complex<T>>, size: usize) -> &mut [Complex<T>] {
    if memory.len() < size {
        memory.resize(size, Complex::default());
    }
    &mut memory[..size]
}

/// `response` has every factor twice.
#[inline(always)]
fn multiply<T: Working>(spectrum: &[Complex<T>], response: &[T], result: &mut [Complex<T>]) {
    for ((target, value), factor) in result.iter_mut().zip(spectrum).zip(response.as_chunks::<2>().0) {
        *target = Complex::new(value.re * factor[0], value.im * factor[1]);
    }
}
