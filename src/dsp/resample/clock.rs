//! Where the next frame of output lies among the frames of input.

/// A step that was moved is kept in this part of a frame: a stream of a year is 2e-4 frames off at its end.
const FINE: u64 = 1 << 52;
/// Resolution of a moved ratio: a millionth of a part in a million.
const FACTOR: f64 = (1_u64 << 40) as f64;

/// A position in frames of the input, `whole + part / unit`. Nothing is rounded while the ratio is fixed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    pub(super) whole: u64,
    part: u64,
    unit: u64,
    /// From one frame of output to the next: whole frames, and parts.
    step: (u64, u64),
    up: u64,
    down: u64,
}

impl Clock {
    /// `up` frames come out for `down` frames in.
    pub(super) fn new(up: u64, down: u64) -> Self {
        Self { whole: 0, part: 0, unit: up, step: (down / up, down % up), up, down }
    }

    /// The part of a frame beyond `whole`: less than 1, but for rounding.
    #[inline(always)]
    pub(super) fn fraction(&self) -> f64 {
        // Both are below 2^63, and signed numbers are converted faster.
        self.part.cast_signed() as f64 / self.unit.cast_signed() as f64
    }

    /// The same as a number of `up`-ths, of a ratio that was not moved.
    #[inline(always)]
    pub(super) fn part(&self) -> usize {
        self.part as usize
    }

    /// To the next frame of output.
    #[inline(always)]
    pub(super) fn advance(&mut self) {
        self.whole += self.step.0;
        self.part += self.step.1;
        if self.part >= self.unit {
            self.part -= self.unit;
            self.whole += 1;
        }
    }

    /// Frames of output from here on that lie before the end of so many frames, each frame of the clock being `each`
    /// of them.
    pub(super) fn count_before(&self, frames: u64, each: u64) -> u64 {
        let unit = u128::from(self.unit);
        let here = u128::from(self.whole) * unit + u128::from(self.part);
        let step = u128::from(self.step.0) * unit + u128::from(self.step.1);
        let left = (u128::from(frames) * unit).saturating_sub(here * u128::from(each));
        u64::try_from(left.div_ceil(step * u128::from(each))).unwrap_or(u64::MAX)
    }

    /// From here on, `factor` times as many frames come out as the ratio says.
    pub(super) fn set_factor(&mut self, factor: f64) {
        self.part = (u128::from(self.part) * u128::from(FINE) / u128::from(self.unit)) as u64;
        self.unit = FINE;
        // Rounded to the longer step: where a frame would lie at the very end of the input, it stays beyond it.
        let one = u128::from(self.down) * u128::from(FINE) * (FACTOR as u128);
        let step = one.div_ceil(u128::from(self.up) * ((factor * FACTOR) as u128));
        self.step = ((step >> 52) as u64, (step as u64) & (FINE - 1));
    }

    /// To the start of the stream. A ratio that was moved stays where it is.
    pub(super) fn reset(&mut self) {
        (self.whole, self.part) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_exact() {
        let mut clock = Clock::new(48_000, 44_101);
        for _ in 0..48_000_000 {
            clock.advance();
        }
        assert_eq!((clock.whole, clock.part), (44_101_000, 0));
        assert_eq!(clock.count_before(44_101_000, 1), 0);
        assert_eq!(clock.count_before(44_101_001, 1), 2);
    }

    #[test]
    fn a_factor_of_one_changes_no_count() {
        for (up, down) in [(160, 147), (48_000, 44_101), (1, 3), (3, 1), (44_101, 48_000)] {
            let fixed = Clock::new(up, down);
            let mut moved = fixed;
            moved.set_factor(1.0);
            for frames in [1, 2, down - 1, down, down + 1, 1_000 * down, 1_000_000 * down] {
                assert_eq!(moved.count_before(frames, 1), fixed.count_before(frames, 1), "{up}/{down}, {frames}");
            }
        }
    }
}
