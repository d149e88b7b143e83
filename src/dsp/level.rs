//! Levels of a run of samples.

/// What is written for silence, in dBFS: below the quietest f32 a recording can hold.
pub const SILENCE_DB: f64 = -200.0;

/// Sums that are kept side by side, so that the compiler can add several samples at a time.
const LANES: usize = 8;

/// Sum of squares and peak, gathered over any number of calls.
///
/// Sample `n` always adds to lane `n % LANES`: the result is the same, bit by bit, however the samples were cut.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Meter {
    sums: [f64; LANES],
    peaks: [f32; LANES],
    samples: u64,
}

impl Meter {
    /// Adds samples. Ones that are not finite count as silence.
    pub fn add(&mut self, samples: &[f32]) {
        let lane = (self.samples % LANES as u64) as usize;
        let (head, rest) = samples.split_at(samples.len().min((LANES - lane) % LANES));
        for (lane, sample) in (lane..).zip(head) {
            self.add_one(lane, *sample);
        }
        let (whole, tail) = rest.as_chunks::<LANES>();
        for chunk in whole {
            for (lane, sample) in chunk.iter().enumerate() {
                self.add_one(lane, *sample);
            }
        }
        for (lane, sample) in tail.iter().enumerate() {
            self.add_one(lane, *sample);
        }
        self.samples += samples.len() as u64;
    }

    #[inline(always)]
    fn add_one(&mut self, lane: usize, sample: f32) {
        let sample = if sample.is_finite() { sample } else { 0.0 };
        self.sums[lane] += f64::from(sample) * f64::from(sample);
        self.peaks[lane] = self.peaks[lane].max(sample.abs());
    }

    /// Root mean square in dBFS: a full-scale sine is -3.01.
    pub fn rms_db(&self) -> f64 {
        if self.samples == 0 {
            return SILENCE_DB;
        }
        decibels((self.sums.iter().sum::<f64>() / self.samples as f64).sqrt())
    }

    /// The largest sample in dBFS.
    pub fn peak_db(&self) -> f64 {
        decibels(f64::from(self.peaks.iter().copied().fold(0.0, f32::max)))
    }
}

/// An amplitude in dB, not below [`SILENCE_DB`].
pub fn decibels(amplitude: f64) -> f64 {
    if amplitude <= 0.0 { SILENCE_DB } else { (20.0 * amplitude.log10()).max(SILENCE_DB) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_has_the_level_of_theory() {
        let sine: Vec<f32> =
            (0..48_000).map(|n| (n as f32 * std::f32::consts::TAU * 1000.0 / 48_000.0).sin()).collect();
        let mut meter = Meter::default();
        meter.add(&sine);
        assert!((meter.rms_db() + 3.0103).abs() < 1e-3, "{}", meter.rms_db());
        assert!(meter.peak_db().abs() < 1e-3);
        assert_eq!(Meter::default().rms_db(), SILENCE_DB);
    }

    #[test]
    fn any_cut_gives_the_same_bits() {
        let samples: Vec<f32> = (0..1000).map(|n| ((n * 7919) % 1013) as f32 / 1013.0 - 0.5).collect();
        let mut whole = Meter::default();
        whole.add(&samples);
        for size in [1, 3, 7, 8, 9, 100] {
            let mut cut = Meter::default();
            samples.chunks(size).for_each(|chunk| cut.add(chunk));
            assert_eq!(cut, whole, "{size}");
        }
    }
}
