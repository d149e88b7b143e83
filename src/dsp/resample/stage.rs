//! One filter over a stream: each frame of output is a sum over the frames of input around its own time.

use super::super::simd::{Kernel, Simd};
use super::clock::Clock;
use super::table::{Row, Table};
use super::working::Working;

/// Coefficients that are added up in the working precision. Longer sums are put together in f64.
const PART: usize = 512;

/// The filter, and the stream's part: what it has heard and not used up.
pub(super) struct Stage<T> {
    table: Table<T>,
    pub(super) clock: Clock,
    /// A channel after the other, from frame `dropped` of the stream on, which begins with silence before frame 0.
    history: Vec<Vec<T>>,
    dropped: u64,
    /// A sum for each channel.
    sums: Vec<f64>,
}

impl<T: Working> Stage<T> {
    pub(super) fn new(table: Table<T>, clock: Clock, channels: usize) -> Self {
        let mut stage =
            Self { table, clock, history: vec![Vec::new(); channels], dropped: 0, sums: vec![0.0; channels] };
        stage.reset();
        stage
    }

    /// Frames of input that a frame of output waits for, beyond the one at its time.
    pub(super) fn after(&self) -> u64 {
        self.table.after as u64
    }

    /// Frames of input that one of output depends on.
    pub(super) fn width(&self) -> usize {
        self.table.width
    }

    #[cfg(test)]
    pub(super) fn coefficients(&self) -> usize {
        self.table.coefficients()
    }

    /// Frames of output that are ready after so many frames of the stream.
    pub(super) fn ready(&self, frames: u64) -> u64 {
        self.clock.count_before(frames.saturating_sub(self.after()), 1)
    }

    /// Takes interleaved samples.
    pub(super) fn feed(&mut self, input: impl Iterator<Item = T> + Clone) {
        let channels = self.history.len();
        for (channel, history) in self.history.iter_mut().enumerate() {
            history.extend(input.clone().skip(channel).step_by(channels));
        }
    }

    /// Takes frames of silence.
    pub(super) fn feed_silence(&mut self, frames: usize) {
        for history in &mut self.history {
            history.resize(history.len() + frames, T::zero());
        }
    }

    /// What to [`run`](super::super::simd::run): gives the frames that are ready, but at most so many, to `give`, a
    /// channel after the other.
    pub(super) fn ready_frames<F: FnMut(T)>(&mut self, most: usize, give: F) -> Frames<'_, T, F> {
        Frames { stage: self, most, give }
    }

    /// Lets go of what is used up, when that is as much as what is still needed.
    fn drop_used(&mut self) {
        let used = (self.clock.whole - self.dropped).min(self.history[0].len() as u64) as usize;
        if used > self.history[0].len() / 2 {
            for history in &mut self.history {
                history.drain(..used);
            }
            self.dropped += used as u64;
        }
    }

    pub(super) fn reset(&mut self) {
        for history in &mut self.history {
            history.clear();
            history.resize(self.table.width - 1 - self.table.after, T::zero());
        }
        self.dropped = 0;
        self.clock.reset();
    }
}

pub(super) struct Frames<'a, T, F> {
    stage: &'a mut Stage<T>,
    most: usize,
    give: F,
}

impl<T: Working, F: FnMut(T)> Kernel for Frames<'_, T, F> {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> usize {
        let Self { stage, most, mut give } = self;
        let Stage { table, clock, history, dropped, sums } = stage;
        let mut between = [T::zero(); PART];
        let mut made = 0;
        while made < most {
            let window = (clock.whole - *dropped) as usize..(clock.whole - *dropped) as usize + table.width;
            if window.end > history[0].len() {
                break;
            }
            let row = table.at(clock);
            sums.fill(0.0);
            for start in (0..table.width).step_by(PART) {
                let part = start..(start + PART).min(table.width);
                let coefficients = match &row {
                    Row::Exact(row) => &row[part.clone()],
                    Row::Between(rows, weights) => {
                        let into = &mut between[..part.len()];
                        T::mix(simd, rows.map(|row| &row[part.clone()]), *weights, into);
                        &*into
                    }
                };
                for (sum, channel) in sums.iter_mut().zip(&*history) {
                    *sum += T::product(simd, coefficients, &channel[window.clone()][part.clone()]).to_double();
                }
            }
            for sum in &*sums {
                give(T::from_double(*sum));
            }
            clock.advance();
            made += 1;
        }
        stage.drop_used();
        made
    }
}
