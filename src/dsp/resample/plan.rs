//! What all streams of one conversion share: sizes, filter, transforms.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, TryLockError};

use rustfft::Fft;
use rustfft::num_complex::Complex;

use super::super::fft;
use super::filter::LowPass;
use super::ratio::Ratio;
use super::working::Working;

/// Most frames of a block at the higher rate where latency does not matter.
const BATCH_FRAMES: usize = 6_144;
/// The longest block, in frames at the higher rate: beyond it the filter is not worth a transform.
const MAX_BLOCK_FRAMES: usize = 1 << 16;
/// Plans kept.
const KEPT: usize = 64;

/// How long the filter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Length {
    /// As long as it takes to stop everything from half the lower rate on.
    Full,
    /// The least delay: it stops a little later.
    Short,
}

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) ratio: Ratio,
    pub(super) mono: bool,
    /// Input frames that a live stream waits for; `None` where latency does not matter.
    pub(super) frame: Option<usize>,
    pub(super) length: Length,
}

/// Sizes in frames. A block of `size_in` becomes one of `size_out`; the part free of wrap-around is kept.
pub(super) struct Plan<T: Working> {
    pub(super) size_in: usize,
    pub(super) size_out: usize,
    /// New input of a block, and the output that it gives.
    pub(super) hop_in: usize,
    pub(super) hop_out: usize,
    /// Half the filter: what the output lies behind.
    pub(super) delay: usize,
    /// One channel goes through the transforms as two blocks that follow each other, the first as the real part and the
    /// second as the imaginary one. Two channels go through as one block in the same way. The filter's response is
    /// real and even, so that the two parts never mix.
    pub(super) pair: bool,
    /// The filter in the frequency domain up to half the smaller size, then its negative frequencies, in the order they
    /// lie. Every value twice: for the real part and for the imaginary one.
    pub(super) response: Vec<T>,
    /// Of the short filter: what follows from half the smaller size on.
    pub(super) beyond: Vec<T>,
    pub(super) forward: Arc<dyn Fft<T>>,
    pub(super) inverse: Arc<dyn Fft<T>>,
    pub(super) scratch: usize,
}

/// Frames of a block, in units of the ratio.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    units: usize,
    hop: usize,
}

/// What a transform of this size costs beside others, `None` for a prime factor over 7. Fitted to rustfft 6.4 with AVX2
/// in f32: a frame costs more in large blocks, with factors of 5 and 7, and in sizes that eight lanes do not divide.
fn cost(size: usize) -> Option<f64> {
    let (mut left, mut factors) = (size, [0.0_f64; 4]);
    for (factor, count) in [2, 3, 5, 7].into_iter().zip(&mut factors) {
        while left.is_multiple_of(factor) {
            left /= factor;
            *count += 1.0;
        }
    }
    let [twos, threes, fives, sevens] = factors;
    let uneven = (0.9 - 0.3 * twos).max(0.0);
    let whole = size as f64;
    let each = 0.11 * whole.log2() - 0.24 + uneven + 0.023 * threes + 0.136 * fives + 0.142 * sevens;
    (left == 1 && size > 1).then_some(whole * each.max(0.3))
}

impl<T: Working> Plan<T> {
    /// The plan of a conversion, `None` where it has none.
    pub(super) fn of(key: Key) -> Option<Arc<Self>> {
        let Some(mut plans) = try_for_a_while(T::plans()) else { return Self::build(key).map(Arc::new) };
        if let Some(plan) = plans.get(&key) {
            return Some(plan.clone());
        }
        let plan = Arc::new(Self::build(key)?);
        if plans.len() >= KEPT {
            plans.retain(|_, plan| Arc::strong_count(plan) > 1);
        }
        if plans.len() < KEPT {
            plans.insert(key, plan.clone());
        }
        Some(plan)
    }

    fn build(key: Key) -> Option<Self> {
        let Ratio { up, down } = key.ratio;
        let high = key.ratio.high();
        let edge = key.ratio.low() as f64 / high as f64 / 2.0;
        // Where the rates are close, the short one stops at half the higher one: there is nothing beyond.
        let filter = LowPass::of_conversion(key.length, edge, 0.5, T::ATTENUATION_DB);
        let delay = (filter.half.floor() as usize * up).div_ceil(high);
        let guard = (2 * delay).div_ceil(up);
        let hop = key.frame.map(|frame| (frame / down).max(1));
        // A pair of blocks where the two make up the frame; a unit that is long is not doubled.
        let pair = key.mono && hop.is_none_or(|hop| hop.is_multiple_of(2));
        let sizes = match hop {
            Some(hop) => live(key.ratio, guard, if pair { hop / 2 } else { hop })?,
            None => batch(key.ratio, guard)?,
        };
        let (size_in, size_out) = (sizes.units * down, sizes.units * up);
        let (forward, inverse) = (fft::forward(size_in), fft::inverse::<T>(size_out));
        let scratch = forward.get_outofplace_scratch_len().max(inverse.get_outofplace_scratch_len());
        let (response, beyond) = response(&filter, sizes.units * high, size_in, size_out);
        let beyond = if key.length == Length::Short { beyond } else { Vec::new() };
        Some(Self {
            size_in,
            size_out,
            hop_in: sizes.hop * down,
            hop_out: sizes.hop * up,
            delay,
            pair,
            response,
            beyond,
            forward,
            inverse,
            scratch,
        })
    }

    /// Input frames of a block that the block before has had already.
    pub(super) fn lead(&self) -> usize {
        self.size_in - self.hop_in
    }

    /// Blocks that are done at a time.
    pub(super) fn blocks(&self) -> usize {
        1 + usize::from(self.pair)
    }
}

/// Blocks for a live stream: of all sizes from the least one to twice that, the one whose transforms cost least.
fn live(ratio: Ratio, guard: usize, hop: usize) -> Option<Sizes> {
    let least = hop + guard;
    let units = cheapest(least..2 * least, |units| transforms(ratio, units))?;
    (units * ratio.high() <= MAX_BLOCK_FRAMES).then_some(Sizes { units, hop })
}

/// Blocks where latency does not matter: those that cost least for a frame.
fn batch(ratio: Ratio, guard: usize) -> Option<Sizes> {
    let most = (BATCH_FRAMES / ratio.high()).max(2 * guard + 4);
    let units = cheapest(guard + 1..most, |units| Some(transforms(ratio, units)? / (units - guard) as f64))?;
    (units * ratio.high() <= MAX_BLOCK_FRAMES).then_some(Sizes { units, hop: units - guard })
}

/// What a block's transforms cost. The spectrum ends at half the smaller size, which has to be whole.
fn transforms(ratio: Ratio, units: usize) -> Option<f64> {
    let even = (units * ratio.low()).is_multiple_of(2);
    even.then_some(cost(units * ratio.down)? + cost(units * ratio.up)?)
}

fn cheapest(range: std::ops::Range<usize>, cost: impl Fn(usize) -> Option<f64>) -> Option<usize> {
    let (units, _) = range.filter_map(|units| Some((units, cost(units)?))).min_by(|(_, a), (_, b)| a.total_cmp(b))?;
    Some(units)
}

/// The filter's response, computed in f64 over a transform of `size` frames at the higher rate: as in [`Plan`].
fn response<T: Working>(filter: &LowPass, size: usize, size_in: usize, size_out: usize) -> (Vec<T>, Vec<T>) {
    let half = filter.half.floor() as i64;
    let mut taps: Vec<Complex<f64>> = vec![Complex::default(); size];
    let mut sum = 0.0;
    for time in -half..=half {
        let value = filter.at(time as f64);
        sum += value;
        if let Ok(index) = usize::try_from(time.rem_euclid(size as i64)) {
            taps[index].re += value;
        }
    }
    fft::forward(size).process(&mut taps);
    let half = size_in.min(size_out) / 2;
    let value = |bin: usize| T::from_double(taps[bin].re / sum / size_in as f64);
    let positive = (0..half).map(value);
    let negative = (1..half).rev().map(value);
    let response = positive.chain(negative).flat_map(|value| [value, value]).collect();
    // Beyond half the transform lie its negative frequencies.
    (response, (half..(2 * half).min(size / 2)).map(value).collect())
}

/// Plans by what they are for.
pub(super) type Plans<T> = LazyLock<Mutex<HashMap<Key, Arc<Plan<T>>>>>;

/// Never waits for ever: a forked child may find the lock taken by a thread that it does not have.
fn try_for_a_while<T>(lock: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    for _ in 0..1_000 {
        match lock.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(guard)) => return Some(guard.into_inner()),
            Err(TryLockError::WouldBlock) => std::hint::spin_loop(),
        }
    }
    None
}
