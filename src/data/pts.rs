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

    fn cross(self, other: Self) -> (i128, i128) {
        // 64 + 32 + 32 bits: a sign bit fits too, because ticks is signed and the factors are not.
        let left = i128::from(self.ticks) * i128::from(self.num);
        let right = i128::from(other.ticks) * i128::from(other.num);
        (left.saturating_mul(i128::from(other.den)), right.saturating_mul(i128::from(self.den)))
    }
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
    fn frames_round_down_also_below_zero() {
        assert_eq!(Pts::frames(5, 3).to_frames(1), 1);
        assert_eq!(Pts::frames(-5, 3).to_frames(1), -2);
    }
}
