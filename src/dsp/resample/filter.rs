//! Low-pass filters: a sinc under a Kaiser window.

use std::f64::consts::PI;

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
