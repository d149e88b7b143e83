//! Levels of a run of samples.

/// What is written for silence, in dBFS: below the quietest f32 a recording can hold.
pub(crate) const SILENCE_DB: f64 = -200.0;

/// Sum of squares and peak, gathered over any number of calls.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Meter {
    sum: f64,
    peak: f32,
    samples: u64,
}

impl Meter {
    /// Adds samples. Ones that are not finite count as silence.
    pub(crate) fn add(&mut self, samples: &[f32]) {
        for &sample in samples {
            let sample = if sample.is_finite() { sample } else { 0.0 };
            self.sum += f64::from(sample) * f64::from(sample);
            self.peak = self.peak.max(sample.abs());
        }
        self.samples += samples.len() as u64;
    }

    /// Root mean square in dBFS: a full-scale sine is -3.01.
    pub(crate) fn rms_db(&self) -> f64 {
        if self.samples == 0 {
            return SILENCE_DB;
        }
        decibels((self.sum / self.samples as f64).sqrt())
    }

    /// The largest sample in dBFS.
    pub(crate) fn peak_db(&self) -> f64 {
        decibels(f64::from(self.peak))
    }
}

/// An amplitude in dB, not below [`SILENCE_DB`].
pub(crate) fn decibels(amplitude: f64) -> f64 {
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
}
