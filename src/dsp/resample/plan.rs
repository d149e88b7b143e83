//! What all streams of one conversion share: sizes, filter, transforms.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, TryLockError};

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

use super::filter::LowPass;
use super::ratio::Ratio;
use super::working::Working;

/// Edges of the filter as parts of the lower Nyquist frequency: soxr's own.
const PASS: f64 = 0.913;
const STOP: f64 = 1.0;
/// Input frames of a block where latency does not matter.
const BATCH_FRAMES: usize = 4_096;
/// The longest block, in frames at the higher rate: beyond it the filter is not worth a transform.
const MAX_BLOCK_FRAMES: usize = 1 << 16;
/// Plans kept.
const KEPT: usize = 64;

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) ratio: Ratio,
    pub(super) mono: bool,
    /// Input frames that a live stream waits for; `None` where latency does not matter.
    pub(super) frame: Option<usize>,
}

/// How channels go through the transforms.
pub(super) enum Transforms<T: Working> {
    /// Two real signals as one complex one: two channels, or with `pair` two blocks of one channel that follow each
    /// other. The filter's response is real and even, so that the two never mix.
    Complex { forward: Arc<dyn Fft<T>>, inverse: Arc<dyn Fft<T>>, pair: bool },
    /// One channel on its own.
    Real { forward: Arc<dyn RealToComplex<T>>, inverse: Arc<dyn ComplexToReal<T>> },
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
    /// The filter in the frequency domain up to half the smaller size, every value twice: once for the real part and
    /// once for the imaginary part. For complex transforms the negative frequencies follow, in the order they lie.
    pub(super) response: Vec<T>,
    pub(super) transforms: Transforms<T>,
    pub(super) scratch: usize,
}

/// Frames of a block, in units of the ratio.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    units: usize,
    hop: usize,
}

/// What a transform of this size costs beside others, by its prime factors; `None` for a factor over 7.
fn cost(mut size: usize) -> Option<f64> {
    let mut weight = 0.0;
    let whole = size as f64;
    for (factor, each) in [(2, 1.0), (3, 1.75), (5, 2.8), (7, 4.0)] {
        while size.is_multiple_of(factor) {
            size /= factor;
            weight += each;
        }
    }
    (size == 1).then_some(whole * weight)
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
        let filter = LowPass::of_edges(PASS * edge, STOP * edge, T::ATTENUATION_DB);
        let delay = (filter.half as usize * up).div_ceil(high);
        let guard = (2 * delay).div_ceil(up);
        let (sizes, real, pair) = match key.frame {
            None => (batch(key.ratio, guard)?, false, key.mono),
            Some(frame) if key.mono => mono(key.ratio, guard, frame)?,
            Some(frame) => (live(key.ratio, guard, (frame / down).max(1))?.0, false, false),
        };
        let (size_in, size_out) = (sizes.units * down, sizes.units * up);
        if sizes.units * high > MAX_BLOCK_FRAMES {
            return None;
        }
        let (transforms, scratch) = if real {
            let mut planner = RealFftPlanner::<T>::new();
            let (forward, inverse) = (planner.plan_fft_forward(size_in), planner.plan_fft_inverse(size_out));
            let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
            (Transforms::Real { forward, inverse }, scratch)
        } else {
            let mut planner = FftPlanner::<T>::new();
            let (forward, inverse) = (planner.plan_fft_forward(size_in), planner.plan_fft_inverse(size_out));
            let scratch = forward.get_inplace_scratch_len().max(inverse.get_inplace_scratch_len());
            (Transforms::Complex { forward, inverse, pair }, scratch)
        };
        Some(Self {
            size_in,
            size_out,
            hop_in: sizes.hop * down,
            hop_out: sizes.hop * up,
            delay,
            response: response(&filter, sizes.units * high, size_in, size_out, !real),
            transforms,
            scratch,
        })
    }

    /// Blocks that are done at a time.
    pub(super) fn blocks(&self) -> usize {
        match self.transforms {
            Transforms::Complex { pair: true, .. } => 2,
            _ => 1,
        }
    }
}

/// Blocks for a live stream: of all sizes from the least one to twice that, the one whose transforms cost least.
fn live(ratio: Ratio, guard: usize, hop: usize) -> Option<(Sizes, f64)> {
    let least = hop + guard;
    cheapest(least..2 * least, |units| {
        // The spectrum ends at half the smaller size.
        let even = (units * ratio.low()).is_multiple_of(2);
        even.then_some(cost(units * ratio.down)? + cost(units * ratio.up)?)
    })
    .map(|(units, cost)| (Sizes { units, hop }, cost))
}

/// One channel, live: the frame as one block through real transforms, or as two halves of it in one complex signal.
/// A real transform does half the work of a complex one, and 1.2 times that to sort its result.
fn mono(ratio: Ratio, guard: usize, frame: usize) -> Option<(Sizes, bool, bool)> {
    let hop = (frame / ratio.down).max(1);
    let halves = hop.is_multiple_of(2).then(|| live(ratio, guard, hop / 2)).flatten();
    let even = |(sizes, _): &(Sizes, f64)| (sizes.units * ratio.down).is_multiple_of(2) && (sizes.units * ratio.up).is_multiple_of(2);
    let real = live(ratio, guard, hop);
    match (halves, real) {
        (Some((halves, packed)), Some((whole, real_cost))) => {
            let factor = if even(&(whole, real_cost)) { 0.6 } else { 1.0 };
            if packed <= real_cost * factor { Some((halves, false, true)) } else { Some((whole, true, false)) }
        }
        (None, Some((whole, _))) => Some((whole, true, false)),
        (Some((halves, _)), None) => Some((halves, false, true)),
        (None, None) => None,
    }
}

/// Blocks where latency does not matter: those that cost least for a frame.
fn batch(ratio: Ratio, guard: usize) -> Option<Sizes> {
    let least = (BATCH_FRAMES / ratio.down).max(guard + 2);
    let (units, _) = cheapest(least..2 * least, |units| {
        let even = (units * ratio.down).is_multiple_of(2) && (units * ratio.up).is_multiple_of(2);
        even.then_some((cost(units * ratio.down)? + cost(units * ratio.up)?) / (units - guard) as f64)
    })?;
    Some(Sizes { units, hop: units - guard })
}

fn cheapest(range: std::ops::Range<usize>, cost: impl Fn(usize) -> Option<f64>) -> Option<(usize, f64)> {
    range.filter_map(|units| Some((units, cost(units)?))).min_by(|(_, a), (_, b)| a.total_cmp(b))
}

/// The filter's response, computed in f64 over a transform of `size` frames at the higher rate.
fn response<T: Working>(filter: &LowPass, size: usize, size_in: usize, size_out: usize, both_sides: bool) -> Vec<T> {
    let half = filter.half as i64;
    let mut taps: Vec<Complex<f64>> = vec![Complex::default(); size];
    let mut sum = 0.0;
    for time in -half..=half {
        let value = filter.at(time as f64);
        sum += value;
        if let Ok(index) = usize::try_from(time.rem_euclid(size as i64)) {
            taps[index].re += value;
        }
    }
    FftPlanner::new().plan_fft_forward(size).process(&mut taps);
    let half = size_in.min(size_out) / 2;
    let value = |bin: usize| T::from_double(taps[bin].re / sum / size_in as f64);
    let positive = (0..half).map(value);
    let negative = (1..half).rev().map(value).take(if both_sides { half } else { 0 });
    positive.chain(negative).flat_map(|value| [value, value]).collect()
}

/// Plans by what they are for.
pub(super) type Plans<T> = LazyLock<Mutex<HashMap<Key, Arc<Plan<T>>>>>;

/// Never waits for ever: a forked child may find the lock taken by a thread that it does not have.
pub(super) fn try_for_a_while<T>(lock: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    for _ in 0..1_000 {
        match lock.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(guard)) => return Some(guard.into_inner()),
            Err(TryLockError::WouldBlock) => std::hint::spin_loop(),
        }
    }
    None
}
