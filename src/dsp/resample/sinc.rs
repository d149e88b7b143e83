//! All other ratios, and ratios that move: a windowed sinc at the exact time of each frame.
//!
//! Far down it takes two steps. The first keeps one frame of so many, with a short filter that stops no more than what
//! would fold back into the band that is left; the second has the edges.

use super::super::simd;
use super::clock::Clock;
use super::filter::{LowPass, SHORT_STOP};
use super::plan::Length;
use super::ratio::Ratio;
use super::stage::Stage;
use super::table::Table;
use super::working::{Working, usable};

/// What is left for the second step, at least.
const LEFT: usize = 8;
/// The most that the first one takes: beyond it, its filter becomes longer than the second one's.
const MOST_STEP: usize = 1 << 13;
/// How far the ratio may be moved from the nominal one: the filter's edges stay where they are.
const MOST_PPM: f64 = 100_000.0;
/// Frames that are taken at a time, which stay in the cache.
const PIECE: usize = 1 << 10;

/// The stream.
pub(super) struct Sinc<T> {
    channels: usize,
    first: Option<Stage<T>>,
    /// Frames of input for each frame of the last stage.
    step: usize,
    last: Stage<T>,
    /// From the first stage to the last, interleaved.
    between: Vec<T>,
    ratio: Ratio,
    frames_in: u64,
    /// Of silence, at the end.
    silent: usize,
}

impl<T: Working> Sinc<T> {
    pub(super) fn new(ratio: Ratio, channels: usize, length: Length, moves: bool) -> Self {
        let Ratio { up, down } = ratio;
        let far = down / up;
        let step = if far < 2 * LEFT { 1 } else { (far / LEFT).min(MOST_STEP) };
        let first = (step > 1).then(|| {
            let band = SHORT_STOP / 2.0 * up as f64 / down as f64;
            let filter = LowPass::of_edges(band, 1.0 / step as f64 - band, T::ATTENUATION_DB);
            Stage::new(Table::new(&filter, Some(1), 1.0), Clock::new(1, step as u64), channels)
        });
        let left = Ratio::of(up * step, down);
        let scale = left.down as f64 / left.up as f64;
        let filter = LowPass::of_conversion(length, 0.5 / scale.max(1.0), f64::INFINITY, T::ATTENUATION_DB);
        let table = Table::new(&filter, (!moves).then_some(left.up), scale.max(1.0));
        let last = Stage::new(table, Clock::new(left.up as u64, left.down as u64), channels);
        Self { channels, first, step, last, between: Vec::new(), ratio, frames_in: 0, silent: 0 }
    }

    /// Output frames that the input stands for, less those that the filters still wait for: rounded up.
    pub(super) fn delay_frames(&self) -> usize {
        let first = self.first.as_ref().map_or(0, Stage::after);
        self.ratio.length(first + self.last.after() * self.step as u64) as usize
    }

    pub(super) fn push_bound(&self, frames: usize) -> usize {
        let frames = self.frames_in + frames as u64;
        let frames = match &self.first {
            // Those that it has given and those that it will give.
            Some(first) => (first.clock.whole / self.step as u64) + first.ready(frames),
            None => frames,
        };
        usize::try_from(self.last.ready(frames)).unwrap_or(usize::MAX)
    }

    /// Frames of output that the input so far still stands for.
    pub(super) fn held_frames(&self) -> u64 {
        self.last.clock.count_before(self.frames_in, self.step as u64)
    }

    /// Moves the ratio by so many parts in a million from the nominal one, from the next frame of output on.
    pub(super) fn set_ratio_ppm(&mut self, ppm: f64) -> Result<(), String> {
        if !ppm.is_finite() || ppm.abs() > MOST_PPM {
            return Err(format!("the ratio is moved by {ppm} ppm, expected at most {MOST_PPM}"));
        }
        self.last.clock.set_factor(1.0 + ppm * 1e-6);
        Ok(())
    }

    /// The number of frames written.
    pub(super) fn push(&mut self, input: &[f32], out: &mut [f32]) -> usize {
        let mut written = 0;
        for piece in input.chunks(PIECE * self.channels) {
            self.frames_in += (piece.len() / self.channels) as u64;
            let piece = piece.iter().map(|sample| T::from_single(usable(*sample)));
            match &mut self.first {
                Some(first) => first.feed(piece),
                None => self.last.feed(piece),
            }
            written += self.run(&mut out[written * self.channels..]);
        }
        written
    }

    /// Takes a piece of silence beyond the end of the stream: the number of frames written, as many as there is room
    /// for.
    pub(super) fn push_silence(&mut self, out: &mut [f32]) -> usize {
        match &mut self.first {
            Some(first) if self.silent < first.width() => first.feed_silence(PIECE),
            // A stage that hears silence alone gives nothing else.
            _ => self.last.feed_silence(PIECE),
        }
        self.silent += PIECE;
        self.run(out)
    }

    fn run(&mut self, out: &mut [f32]) -> usize {
        let Self { channels, first, last, between, .. } = self;
        if let Some(first) = first {
            simd::run(first.ready_frames(usize::MAX, |value| between.push(value)));
            last.feed(between.iter().copied());
            between.clear();
        }
        let most = out.len() / *channels;
        let mut out = out.iter_mut();
        simd::run(last.ready_frames(most, |value| {
            if let Some(target) = out.next() {
                *target = value.to_single();
            }
        }))
    }

    #[cfg(test)]
    pub(super) fn coefficients(&self) -> usize {
        self.first.as_ref().map_or(0, Stage::coefficients) + self.last.coefficients()
    }

    /// Forgets the stream. A ratio that was moved stays where it is: the clocks of the next stream are the same ones.
    pub(super) fn reset(&mut self) {
        if let Some(first) = &mut self.first {
            first.reset();
        }
        self.last.reset();
        (self.frames_in, self.silent) = (0, 0);
    }
}
