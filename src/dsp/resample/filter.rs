//! Low-pass filters: a sinc under a Kaiser window.

use std::f64::consts::PI;

use super::plan::Length;

/// Edges of the filter as parts of the lower Nyquist frequency: soxr's own.
const PASS: f64 = 0.913;
const STOP: f64 = 1.0;
/// Of the short filter: half its length in frames of the lower rate, its stop edge, and how far down that is in dB.
/// Beside GStreamer's (-92 dB at 1.125, -2.3 dB at 0.9 with 32 frames) it has a better window.
const SHORT_HALF_FRAMES: f64 = 20.0;
pub(super) const SHORT_STOP: f64 = 1.12;
const SHORT_DB: f64 = 97.0;

/// A low-pass filter, as a function of time.
///
/// The cutoff lies between the edges `pass` and `stop`; the window's parameter and the length are Kaiser's for the
/// attenuation wanted (J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window function", 1974).
#[derive(Debug, Clone, Copy)]
pub(super) struct LowPass {
    /// Cutoff in cycles a sample.
    cutoff: f64,
    /// Half the length in samples.
    pub(super) half: f64,
    beta: f64,
}

impl LowPass {
    /// The filter of a conversion: half the lower rate in cycles a sample, where the short one has to stop at the
    /// latest, and the attenuation of the full one in dB.
    pub(super) fn of_conversion(length: Length, edge: f64, latest: f64, attenuation: f64) -> Self {
        match length {
            Length::Full => Self::of_edges(PASS * edge, STOP * edge, attenuation),
            Length::Short => {
                Self::of_length((SHORT_STOP * edge).min(latest), SHORT_HALF_FRAMES / (2.0 * edge), SHORT_DB)
            }
        }
    }

    /// Edges in cycles a sample (0.5 is the Nyquist frequency), attenuation in dB: the length follows.
    pub(super) fn of_edges(pass: f64, stop: f64, attenuation: f64) -> Self {
        let width = 2.0 * PI * (stop - pass);
        let mut taps = ((attenuation - 7.95) / (2.285 * width)).ceil() + 1.0;
        if taps % 2.0 == 0.0 {
            taps += 1.0;
        }
        Self { cutoff: (pass + stop) / 2.0, half: (taps - 1.0) / 2.0, beta: beta(attenuation) }
    }

    /// Stop edge in cycles a sample, half the length in samples, attenuation in dB: the pass edge follows.
    pub(super) fn of_length(stop: f64, half: f64, attenuation: f64) -> Self {
        let width = (attenuation - 7.95) / (2.285 * 2.0 * half) / (2.0 * PI);
        Self { cutoff: stop - width / 2.0, half, beta: beta(attenuation) }
    }

    /// The filter at a time in samples, 0 in the middle. Not scaled.
    pub(super) fn at(&self, time: f64) -> f64 {
        let inside = 1.0 - (time / self.half).powi(2);
        if inside < 0.0 {
            return 0.0;
        }
        let angle = PI * 2.0 * self.cutoff * time;
        let sinc = if angle == 0.0 { 1.0 } else { angle.sin() / angle };
        sinc * bessel(self.beta * inside.sqrt()) / bessel(self.beta)
    }
}

fn beta(attenuation: f64) -> f64 {
    0.1102 * (attenuation - 8.7)
}

/// The modified Bessel function I0, by its power series.
fn bessel(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut sum, mut term, mut n) = (1.0, 1.0, 1.0);
    while term > sum * 1e-18 {
        term *= quarter / (n * n);
        sum += term;
        n += 1.0;
    }
    sum
}

/// A [`LowPass`] that is wanted at many times: its window as a power series whose terms are known.
pub(super) struct Series {
    filter: LowPass,
    /// Of I0 in `1 - (time / half)^2`, all of them positive: the highest power comes first.
    terms: Vec<f64>,
}

/// Values that are computed side by side.
const SIDE: usize = 16;

impl Series {
    pub(super) fn of(filter: &LowPass) -> Self {
        let quarter = filter.beta * filter.beta / 4.0;
        let scale = 1.0 / bessel(filter.beta);
        let mut terms = vec![scale];
        let (mut term, mut n) = (scale, 1.0);
        // The series adds up to 1 where it is largest.
        while term > 1e-18 {
            term *= quarter / (n * n);
            terms.push(term);
            n += 1.0;
        }
        terms.reverse();
        Self { filter: *filter, terms }
    }

    /// The filter at `first`, one sample later, and so on.
    pub(super) fn fill(&self, first: f64, row: &mut [f64]) {
        let LowPass { cutoff, half, .. } = self.filter;
        for (index, part) in row.chunks_mut(SIDE).enumerate() {
            let time = |at: usize| first + (index * SIDE + at) as f64;
            let inside: [f64; SIDE] = std::array::from_fn(|at| 1.0 - (time(at) / half).powi(2));
            let mut window = [0.0; SIDE];
            for term in &self.terms {
                for (sum, inside) in window.iter_mut().zip(&inside) {
                    *sum = *sum * inside + term;
                }
            }
            for (at, value) in part.iter_mut().enumerate() {
                let angle = PI * 2.0 * cutoff * time(at);
                let sinc = if angle == 0.0 { 1.0 } else { angle.sin() / angle };
                *value = if inside[at] < 0.0 { 0.0 } else { sinc * window[at] };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_is_the_filter() {
        for attenuation in [97.0, 140.0, 175.0] {
            let filter = LowPass::of_edges(0.11, 0.125, attenuation);
            let mut row = vec![0.0; 2 * filter.half as usize + 41];
            let first = -filter.half - 20.3;
            Series::of(&filter).fill(first, &mut row);
            for (at, value) in row.iter().enumerate() {
                let expected = filter.at(first + at as f64);
                assert!((value - expected).abs() < 1e-14, "{attenuation} dB, {at}: {value}, not {expected}");
            }
        }
    }
}
