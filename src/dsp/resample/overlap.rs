//! Fixed ratios by overlap-save: a block of input is transformed, low-passed, cut or extended to the output's size and
//! transformed back; only the part free of wrap-around is kept. There is no rate in between.
//!
//! Blocks lie on a grid that begins with the stream, so that the output does not depend on how the input was cut.

use std::sync::Arc;

use rustfft::num_complex::Complex;

use super::plan::{Key, Plan, Transforms};
use super::working::{Work, Working, usable};
use crate::dsp::simd::{self, Kernel, Simd};

/// The stream's part: what it has heard and not used up.
pub(super) struct Overlap<T: Working> {
    plan: Arc<Plan<T>>,
    channels: usize,
    /// The input of the next block, as far as it is there, interleaved. It begins with silence.
    history: Vec<f32>,
}

impl<T: Working> Overlap<T> {
    /// `None` where the ratio has no plan.
    pub(super) fn new(mut key: Key, channels: usize) -> Option<Self> {
        key.mono = channels == 1;
        let plan = Plan::of(key)?;
        let mut history = Vec::with_capacity((plan.size_in + 2 * plan.hop_in) * channels);
        history.resize((plan.size_in - plan.hop_in) * channels, 0.0);
        Some(Self { plan, channels, history })
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
        let waiting = self.history.len() / self.channels + self.plan.hop_in - self.plan.size_in;
        (waiting + frames) / step * self.plan.hop_out * self.plan.blocks()
    }

    pub(super) fn push(&mut self, input: &[f32], out: &mut [f32], skip: &mut usize) -> usize {
        let Self { plan, channels, history } = self;
        let channels = *channels;
        let step = plan.hop_in * plan.blocks() * channels;
        let need = (plan.size_in - plan.hop_in) * channels + step;
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
        self.history.resize((self.plan.size_in - self.plan.hop_in) * self.channels, 0.0);
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
        work.scratch.resize(plan.scratch.max(work.scratch.len()), Complex::default());
        let first = plan.size_out - plan.hop_out - plan.delay;
        // What the block gives, without what is skipped at the start and what there is no room for at the end.
        let mut kept = |room: usize| {
            let skipped = (*skip).min(plan.hop_out);
            *skip -= skipped;
            let frames = (plan.hop_out - skipped).min(room);
            first + skipped..first + skipped + frames
        };
        match &plan.transforms {
            Transforms::Real { forward, inverse } => {
                work.real.resize((plan.size_in.max(plan.size_out)).max(work.real.len()), T::default());
                let bins = plan.size_in / 2 + 1;
                let spectrum = grown(&mut work.first, bins);
                let real = &mut work.real[..plan.size_in];
                for (target, sample) in real.iter_mut().zip(block) {
                    *target = T::from_single(usable(*sample));
                }
                // The sizes are the plan's: neither transform can refuse them.
                let _ = forward.process_with_scratch(real, spectrum, &mut work.scratch[..forward.get_scratch_len()]);
                let result = grown(&mut work.second, plan.size_out / 2 + 1);
                let half = plan.response.len() / 2;
                multiply(&spectrum[..half], &plan.response, &mut result[..half]);
                result[half..].fill(Complex::default());
                result[0].im = T::default();
                let real = &mut work.real[..plan.size_out];
                let _ = inverse.process_with_scratch(result, real, &mut work.scratch[..inverse.get_scratch_len()]);
                let kept = kept(out.len());
                for (target, sample) in out.iter_mut().zip(&real[kept.clone()]) {
                    *target = sample.to_single();
                }
                kept.len()
            }
            Transforms::Complex { forward, inverse, pair } => {
                let mut through = |load: &mut dyn FnMut(&mut [Complex<T>]), store: &mut dyn FnMut(&[Complex<T>])| {
                    let spectrum = grown(&mut work.first, plan.size_in);
                    load(spectrum);
                    forward.process_with_scratch(spectrum, &mut work.scratch);
                    let result = grown(&mut work.second, plan.size_out);
                    let half = (plan.response.len() / 2).div_ceil(2);
                    let (positive, negative) = plan.response.split_at(2 * half);
                    multiply(&spectrum[..half], positive, &mut result[..half]);
                    let upper = plan.size_out - (half - 1);
                    result[half..upper].fill(Complex::default());
                    multiply(&spectrum[plan.size_in - (half - 1)..], negative, &mut result[upper..]);
                    inverse.process_with_scratch(result, &mut work.scratch);
                    store(result);
                };
                if *pair {
                    let later = &block[plan.hop_in..];
                    let mut written = 0;
                    through(
                        &mut |target| {
                            for ((target, re), im) in target.iter_mut().zip(block).zip(later) {
                                *target = Complex::new(T::from_single(usable(*re)), T::from_single(usable(*im)));
                            }
                        },
                        &mut |made| {
                            let re = kept(out.len());
                            for (target, value) in out.iter_mut().zip(&made[re.clone()]) {
                                *target = value.re.to_single();
                            }
                            let rest = &mut out[re.len()..];
                            let im = kept(rest.len());
                            for (target, value) in rest.iter_mut().zip(&made[im.clone()]) {
                                *target = value.im.to_single();
                            }
                            written = re.len() + im.len();
                        },
                    );
                    return written;
                }
                let kept = kept(out.len() / channels);
                if channels == 2 {
                    through(
                        &mut |target| {
                            for (target, frame) in target.iter_mut().zip(block.as_chunks::<2>().0) {
                                let [re, im] = frame.map(|sample| T::from_single(usable(sample)));
                                *target = Complex::new(re, im);
                            }
                        },
                        &mut |made| {
                            for (target, value) in out.as_chunks_mut::<2>().0.iter_mut().zip(&made[kept.clone()]) {
                                *target = [value.re.to_single(), value.im.to_single()];
                            }
                        },
                    );
                    return kept.len();
                }
                for channel in (0..channels).step_by(2) {
                    let two = channel + 1 < channels;
                    through(
                        &mut |target| {
                            for (target, frame) in target.iter_mut().zip(block.chunks_exact(channels)) {
                                let im = if two { usable(frame[channel + 1]) } else { 0.0 };
                                *target = Complex::new(T::from_single(usable(frame[channel])), T::from_single(im));
                            }
                        },
                        &mut |made| {
                            for (target, value) in out.chunks_exact_mut(channels).zip(&made[kept.clone()]) {
                                target[channel] = value.re.to_single();
                                if two {
                                    target[channel + 1] = value.im.to_single();
                                }
                            }
                        },
                    );
                }
                kept.len()
            }
        }
    }
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
