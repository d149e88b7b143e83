//! How much of a tone is in a signal, and how much else.

use std::f64::consts::TAU;

/// What a tone was found to be.
#[derive(Debug, Clone, Copy)]
pub struct Fit {
    pub amplitude: f64,
    /// Phase against a sine that starts with the samples, in radians.
    pub phase: f64,
    /// RMS of everything that is not the tone and not a constant.
    pub residual: f64,
}

impl Fit {
    /// Amplitude in dB against the amplitude put in.
    pub fn gain_db(self, amplitude: f64) -> f64 {
        20.0 * (self.amplitude / amplitude).log10()
    }

    /// How late the tone is against one that started at 0, `first` frames before these samples. From minus half a
    /// period to half a period.
    pub fn delay_frames(self, hz: f64, sample_rate_hz: u32, first: usize) -> f64 {
        let period = f64::from(sample_rate_hz) / hz;
        let periods = first as f64 / period - self.phase / TAU;
        (periods - periods.round()) * period
    }

    /// The rest in dB against the tone.
    pub fn residual_db(self) -> f64 {
        20.0 * (self.residual / (self.amplitude / 2.0_f64.sqrt())).log10()
    }
}

/// Least squares over `a cos + b sin + c`, in f64: solves the three normal equations by elimination.
pub fn tone(samples: &[f32], hz: f64, sample_rate_hz: u32) -> Fit {
    let step = TAU * hz / f64::from(sample_rate_hz);
    let basis = |n: usize| {
        let (sin, cos) = (step * n as f64).sin_cos();
        [cos, sin, 1.0]
    };
    // Three rows of the matrix, the right side as its fourth column.
    let mut rows = [[0.0_f64; 4]; 3];
    for (n, &sample) in samples.iter().enumerate() {
        let b = basis(n);
        for (row, factor) in rows.iter_mut().zip(b) {
            for (cell, other) in row.iter_mut().zip([b[0], b[1], b[2], f64::from(sample)]) {
                *cell += factor * other;
            }
        }
    }
    // Positive definite and near to diagonal: no pivoting is needed.
    for pivot in 0..3 {
        let pivot_row = rows[pivot];
        for (index, row) in rows.iter_mut().enumerate() {
            if index != pivot {
                let factor = row[pivot] / pivot_row[pivot];
                for (cell, above) in row.iter_mut().zip(pivot_row) {
                    *cell -= factor * above;
                }
            }
        }
    }
    let weights = [rows[0][3] / rows[0][0], rows[1][3] / rows[1][1], rows[2][3] / rows[2][2]];
    let squares: f64 = samples
        .iter()
        .enumerate()
        .map(|(n, &sample)| {
            let model: f64 = basis(n).iter().zip(weights).map(|(b, w)| b * w).sum();
            (f64::from(sample) - model).powi(2)
        })
        .sum();
    let [cos, sin, _] = weights;
    Fit { amplitude: cos.hypot(sin), phase: cos.atan2(sin), residual: (squares / samples.len() as f64).sqrt() }
}

/// Root mean square in dB of full scale.
pub fn rms_db(samples: &[f32]) -> f64 {
    let squares: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    10.0 * (squares / samples.len() as f64).log10()
}
