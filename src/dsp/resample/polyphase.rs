//! The shortest hold-back: a short filter in the time domain, one set of factors for each place that an output frame
//! can have between two input frames. There are no blocks: what a frame of input makes possible comes out with it.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use super::filter::LowPass;
use super::plan::try_for_a_while;
use super::ratio::Ratio;
use super::working::usable;
use crate::dsp::simd::{self, Kernel, Simd};

/// Half the filter in frames of the lower rate: with that of one frame, 2 ms at 16 kHz.
const HALF_FRAMES: f64 = 31.0;
/// Stop edge as a part of the lower Nyquist frequency, and how far down what lies beyond is put, in dB.
const STOP: f64 = 1.11;
const ATTENUATION_DB: f64 = 108.0;
/// Most factors of a table: 1 MiB.
const MAX_FACTORS: usize = 1 << 18;
/// Factors are added up in this many sums at a time.
const LANES: usize = 8;
/// Tables kept.
const KEPT: usize = 32;

/// The factors of a ratio.
struct Table {
    ratio: Ratio,
    /// Input frames on each side of an output frame.
    half: usize,
    /// Factors of an output frame: a multiple of [`LANES`], with zeros at the start.
    taps: usize,
    /// The factors of each place, one after the other.
    factors: Vec<f32>,
}

impl Table {
    fn of(ratio: Ratio) -> Option<Arc<Self>> {
        static TABLES: LazyLock<Mutex<HashMap<Ratio, Arc<Table>>>> = LazyLock::new(Mutex::default);
        let Some(mut tables) = try_for_a_while(&TABLES) else { return Self::build(ratio).map(Arc::new) };
        if let Some(table) = tables.get(&ratio) {
            return Some(table.clone());
        }
        let table = Arc::new(Self::build(ratio)?);
        if tables.len() >= KEPT {
            tables.retain(|_, table| Arc::strong_count(table) > 1);
        }
        tables.insert(ratio, table.clone());
        Some(table)
    }

    fn build(ratio: Ratio) -> Option<Self> {
        // In frames of the input.
        let scale = (ratio.down as f64 / ratio.up as f64).max(1.0);
        let half = (HALF_FRAMES * scale).floor() as usize;
        let taps = (2 * half).next_multiple_of(LANES);
        if taps.checked_mul(ratio.up)? > MAX_FACTORS {
            return None;
        }
        let filter = LowPass::of_length(STOP / 2.0 / scale, HALF_FRAMES * scale, ATTENUATION_DB);
        let mut factors = Vec::with_capacity(taps * ratio.up);
        for phase in 0..ratio.up {
            let place = phase as f64 / ratio.up as f64;
            let at = |tap: usize| filter.at(place - (tap as f64 - (half as f64 - 1.0)));
            let sum: f64 = (0..2 * half).map(at).sum();
            // Zeros go before: no frame of input is waited for that counts for nothing.
            factors.extend(std::iter::repeat_n(0.0, taps - 2 * half));
            factors.extend((0..2 * half).map(|tap| (at(tap) / sum) as f32));
        }
        Some(Self { ratio, half, taps, factors })
    }
}

/// The stream's part.
pub(super) struct Polyphase {
    table: Arc<Table>,
    channels: usize,
    /// What was heard and is still needed, channel by channel, each with room for the longest piece.
    history: Vec<Vec<f32>>,
    /// Where the factors of the next output frame begin in the history, and its place between two frames.
    ahead: usize,
    phase: usize,
}

impl Polyphase {
    /// `None` where the table would be too large.
    pub(super) fn new(ratio: Ratio, channels: usize) -> Option<Self> {
        let table = Table::of(ratio)?;
        let mut stream = Self { table, channels, history: vec![Vec::new(); channels], ahead: 0, phase: 0 };
        stream.reset();
        Some(stream)
    }

    pub(super) fn delay_frames(&self) -> usize {
        (self.table.half * self.table.ratio.up).div_ceil(self.table.ratio.down)
    }

    /// Frame by frame.
    pub(super) fn block_frames(&self) -> usize {
        0
    }

    pub(super) fn push_bound(&self, frames: usize) -> usize {
        frames * self.table.ratio.up / self.table.ratio.down + 2
    }

    pub(super) fn push(&mut self, input: &[f32], out: &mut [f32]) -> usize {
        let mut written = 0;
        // In pieces, so that the history stays in the cache.
        for piece in input.chunks(4_096 * self.channels) {
            written += self.piece(piece, &mut out[written * self.channels..]);
        }
        written
    }

    fn piece(&mut self, input: &[f32], out: &mut [f32]) -> usize {
        let channels = self.channels;
        let (mut ahead, mut phase, mut written, mut used) = (self.ahead, self.phase, 0, 0);
        for (channel, history) in self.history.iter_mut().enumerate() {
            history.extend(input.iter().skip(channel).step_by(channels).map(|sample| usable(*sample)));
            (ahead, phase) = (self.ahead, self.phase);
            let filter = Filter { table: &self.table, history, ahead: &mut ahead, phase: &mut phase, out, channel, channels };
            written = simd::run(filter);
            used = ahead.min(history.len());
            history.drain(..used);
        }
        (self.ahead, self.phase) = (ahead - used, phase);
        written
    }

    pub(super) fn reset(&mut self) {
        // Silence before the stream, as long as the filter's first half.
        let before = self.table.taps - self.table.half - 1;
        for history in &mut self.history {
            history.clear();
            history.resize(before, 0.0);
        }
        (self.ahead, self.phase) = (0, 0);
    }
}

/// One channel as far as its history goes. Gives the frames written.
struct Filter<'a> {
    table: &'a Table,
    history: &'a [f32],
    ahead: &'a mut usize,
    phase: &'a mut usize,
    out: &'a mut [f32],
    channel: usize,
    channels: usize,
}

impl Kernel for Filter<'_> {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> usize {
        let Self { table, history, ahead, phase, out, channel, channels } = self;
        let Ratio { up, down } = table.ratio;
        let (step, rest) = (down / up, down % up);
        let mut written = 0;
        for target in out.iter_mut().skip(channel).step_by(channels) {
            let Some(heard) = history.get(*ahead..*ahead + table.taps) else { break };
            let factors = &table.factors[*phase * table.taps..][..table.taps];
            *target = dot(simd, heard, factors);
            written += 1;
            *ahead += step;
            *phase += rest;
            if *phase >= up {
                *phase -= up;
                *ahead += 1;
            }
        }
        written
    }
}

#[inline(always)]
fn dot<S: Simd>(simd: S, heard: &[f32], factors: &[f32]) -> f32 {
    let mut sums = [[0.0_f32; LANES]; 4];
    let (heard, factors) = (heard.as_chunks::<LANES>().0, factors.as_chunks::<LANES>().0);
    let (heard, last_heard) = heard.as_chunks::<4>();
    let (factors, last_factors) = factors.as_chunks::<4>();
    for (heard, factors) in heard.iter().zip(factors) {
        for ((sums, heard), factors) in sums.iter_mut().zip(heard).zip(factors) {
            for ((sum, heard), factor) in sums.iter_mut().zip(heard).zip(factors) {
                *sum = simd.mul_add(*heard, *factor, *sum);
            }
        }
    }
    for ((sums, heard), factors) in sums.iter_mut().zip(last_heard).zip(last_factors) {
        for ((sum, heard), factor) in sums.iter_mut().zip(heard).zip(factors) {
            *sum = simd.mul_add(*heard, *factor, *sum);
        }
    }
    let mut total = [0.0_f32; LANES];
    for (lane, total) in total.iter_mut().enumerate() {
        *total = (sums[0][lane] + sums[1][lane]) + (sums[2][lane] + sums[3][lane]);
    }
    let [a, b, c, d, e, f, g, h] = total;
    ((a + e) + (b + f)) + ((c + g) + (d + h))
}
