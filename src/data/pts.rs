//! Exact media time.

use std::cmp::Ordering;
use std::fmt;

/// A point in media time: `ticks * num / den` seconds from the stream's origin, exact, possibly negative.
///
/// Audio counts in frames: `num` is 1 and `den` is the sample rate in Hz.
///
/// # Examples
/// ```
/// use remotemedia::Pts;
/// assert_eq!(Pts::frames(320, 16_000), Pts::frames(960, 48_000));
/// assert_eq!(Pts::frames(-8_000, 16_000).seconds(), -0.5);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Pts {
    /// How many ticks of the time base.
    pub ticks: i64,
    /// Numerator of one tick in seconds, never 0.
    pub num: u32,
    /// Denominator of one tick in seconds, never 0.
    pub den: u32,
}

/// A length of media time, in the same form as [`Pts`].
pub type Duration = Pts;

impl Pts {
    /// The origin of a stream without a time base of its own.
    pub const ZERO: Self = Self { ticks: 0, num: 1, den: 1 };

    /// The time of audio frame `frames` at a sample rate in Hz. A rate of 0 is taken as 1.
    pub const fn frames(frames: i64, sample_rate_hz: u32) -> Self {
        Self { ticks: frames, num: 1, den: if sample_rate_hz == 0 { 1 } else { sample_rate_hz } }
    }

    /// The time in seconds, rounded to the nearest `f64`.
    pub fn seconds(self) -> f64 {
        self.ticks as f64 * f64::from(self.num) / f64::from(self.den)
    }

    /// The time in audio frames at a rate, rounded towards minus infinity.
    pub fn to_frames(self, sample_rate_hz: u32) -> i64 {
        if self.num == 1 && self.den == sample_rate_hz {
            return self.ticks;
        }
        let frames = i128::from(self.ticks) * i128::from(self.num) * i128::from(sample_rate_hz);
        i64::try_from(frames.div_euclid(i128::from(self.den))).unwrap_or(i64::MAX)
    }

    /// The audio frame nearest to the time, at a rate: halves go up.
    pub fn nearest_frame(self, sample_rate_hz: u32) -> i64 {
        if self.num == 1 && self.den == sample_rate_hz {
            return self.ticks;
        }
        let frames = 2 * i128::from(self.ticks) * i128::from(self.num) * i128::from(sample_rate_hz);
        let den = i128::from(self.den);
        i64::try_from((frames + den).div_euclid(2 * den)).unwrap_or(i64::MAX)
    }

    /// The sum of two times, exact; in ticks of the nearest nanosecond when the common time base is finer than 2^-32.
    pub fn plus(self, other: Self) -> Self {
        self.joined(other, 1)
    }

    /// The time from `other` to this one, exact as [`plus`](Self::plus).
    pub fn minus(self, other: Self) -> Self {
        self.joined(other, -1)
    }

    fn joined(self, other: Self, sign: i128) -> Self {
        if other.ticks == 0 {
            return self;
        }
        // den = lcm(dens), num = 1: every num is in the ticks.
        let (left, right) = (i128::from(self.den), i128::from(other.den));
        let common = left / gcd(left, right) * right;
        let ticks = i128::from(self.ticks) * i128::from(self.num) * (common / left)
            + sign * i128::from(other.ticks) * i128::from(other.num) * (common / right);
        let shared = if common > i128::from(u32::MAX) { gcd(ticks.abs().max(1), common) } else { 1 };
        let (ticks, common) = (ticks / shared, common / shared);
        match (i64::try_from(ticks), u32::try_from(common)) {
            (Ok(ticks), Ok(den)) => Self { ticks, num: 1, den },
            _ => {
                let nanos = (2 * 1_000_000_000 * ticks + common).div_euclid(2 * common);
                Self { ticks: i64::try_from(nanos).unwrap_or(i64::MAX), num: 1, den: 1_000_000_000 }
            }
        }
    }

    fn cross(self, other: Self) -> (i128, i128) {
        // 64 + 32 + 32 bits: a sign bit fits too, because ticks is signed and the factors are not.
        let left = i128::from(self.ticks) * i128::from(self.num);
        let right = i128::from(other.ticks) * i128::from(other.num);
        (left.saturating_mul(i128::from(other.den)), right.saturating_mul(i128::from(self.den)))
    }
}

/// The greatest common divisor of two whole numbers.
pub(crate) fn gcd(left: i128, right: i128) -> i128 {
    if right == 0 { left } else { gcd(right, left % right) }
}

impl PartialEq for Pts {
    fn eq(&self, other: &Self) -> bool {
        let (left, right) = self.cross(*other);
        left == right
    }
}

impl Eq for Pts {}

impl PartialOrd for Pts {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Pts {
    fn cmp(&self, other: &Self) -> Ordering {
        let (left, right) = self.cross(*other);
        left.cmp(&right)
    }
}

impl fmt::Display for Pts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6} s", self.seconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_bases_compare_exactly() {
        assert!(Pts::frames(1, 44_100) > Pts::frames(1, 48_000));
        assert_eq!(Pts::frames(441, 44_100), Pts { ticks: 10, num: 1, den: 1000 });
        assert!(Pts::frames(i64::MAX, 1) > Pts::frames(i64::MIN, 1));
    }

    #[test]
    fn sums_and_differences_are_exact() {
        let (left, right) = (Pts::frames(1, 44_100), Pts::frames(1, 48_000));
        assert_eq!(left.plus(right).minus(right), left);
        assert_eq!(left.minus(left), Pts::ZERO);
        assert_eq!(Pts::frames(7, 48_000).plus(Pts::frames(160, 16_000)), Pts::frames(487, 48_000));
        // Three time bases without a common factor: nanoseconds.
        let far = Pts { ticks: 1, num: 1, den: 4_294_967_291 }.plus(Pts { ticks: 1, num: 1, den: 4_294_967_279 });
        assert_eq!((far.den, far.ticks), (1_000_000_000, 0));
    }

    #[test]
    fn the_nearest_frame_is_that_of_a_rounded_time() {
        for frame in [-7, 0, 1, 959, 44_099, 123_456_789] {
            let nanos = (f64::from(frame) / 44_100.0 * 1e9).round() as i64;
            assert_eq!(Pts { ticks: nanos, num: 1, den: 1_000_000_000 }.nearest_frame(44_100), i64::from(frame));
        }
    }

    #[test]
    fn frames_round_down_also_below_zero() {
        assert_eq!(Pts::frames(5, 3).to_frames(1), 1);
        assert_eq!(Pts::frames(-5, 3).to_frames(1), -2);
    }
}
