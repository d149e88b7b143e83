//! Two sample rates as a reduced ratio.

/// `up` frames come out for `down` frames in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Ratio {
    pub(super) up: usize,
    pub(super) down: usize,
}

impl Ratio {
    pub(super) fn new(from_hz: u32, to_hz: u32) -> Self {
        Self::of(to_hz as usize, from_hz as usize)
    }

    pub(super) fn of(up: usize, down: usize) -> Self {
        let common = gcd(down, up).max(1);
        Self { up: up / common, down: down / common }
    }

    /// Frames of a unit at the higher rate.
    pub(super) fn high(self) -> usize {
        self.up.max(self.down)
    }

    /// Frames of a unit at the lower rate.
    pub(super) fn low(self) -> usize {
        self.up.min(self.down)
    }

    /// The frames of the output that belong to so many of the input: those whose time lies inside.
    pub(super) fn length(self, frames: u64) -> u64 {
        let length = (u128::from(frames) * self.up as u128).div_ceil(self.down as u128);
        u64::try_from(length).unwrap_or(u64::MAX)
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
