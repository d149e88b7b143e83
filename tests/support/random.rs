//! Random numbers that are the same on every machine and in every run.

/// A linear congruential generator (Knuth's MMIX constants): enough for test input, and eight lines long.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5555);
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 32 // The low bits of such a generator repeat soon.
    }

    /// A whole number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.next() as usize % limit
    }

    /// A number from -1 to 1.
    pub fn sample(&mut self) -> f32 {
        (self.next() as f64 / f64::from(1_u32 << 31) - 1.0) as f32
    }
}
