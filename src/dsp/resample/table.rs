//! The filter at the phases that frames of output fall on.

use super::clock::Clock;
use super::filter::{LowPass, Series};
use super::sums::STEP;
use super::working::Working;

/// Rows of coefficients. Frame `whole + fraction` of the input is the sum of a row's coefficients with the frames up to
/// `whole + after`.
pub(super) struct Table<T> {
    rows: Vec<T>,
    pub(super) width: usize,
    pub(super) after: usize,
    /// Phases of a frame between which is interpolated; `None` where each phase has its row.
    phases: Option<usize>,
}

const SIXTH: f64 = 1.0 / 6.0;

/// What gives the coefficients of one frame.
pub(super) enum Row<'a, T> {
    Exact(&'a [T]),
    /// A sum of four rows.
    Between([&'a [T]; 4], [T; 4]),
}

impl<T: Working> Table<T> {
    /// The table for `up` phases, or for any phase.
    ///
    /// A row between is interpolated by the cubic through its four neighbours. The filter ends at half the lower rate,
    /// so that [`Working::PHASES`] rows for each frame of the lower rate keep the error below the stop band.
    pub(super) fn new(filter: &LowPass, up: Option<usize>, scale: f64) -> Self {
        let phases = (T::PHASES as f64 / scale).ceil() as usize;
        // Not more rows than interpolation takes, three of which lie outside of the frame.
        let exact = up.filter(|up| *up <= phases + 3);
        let after = filter.half.ceil() as usize + usize::from(exact.is_none());
        let width = (2 * after).next_multiple_of(STEP);
        let (first, rows, each) = match exact {
            Some(up) => (0.0, up, 1.0 / up as f64),
            None => (-1.0, phases + 3, 1.0 / phases as f64),
        };
        let series = Series::of(filter);
        let mut values = vec![0.0; rows * width];
        for (index, row) in values.chunks_exact_mut(width).enumerate() {
            series.fill(after as f64 + 1.0 - width as f64 - (index as f64 + first) * each, row);
        }
        let inside = if exact.is_some() { &values[..] } else { &values[width..(phases + 1) * width] };
        let gain = (inside.len() / width) as f64 / inside.iter().sum::<f64>();
        let rows = values.iter().map(|value| T::from_double(value * gain)).collect();
        Self { rows, width, after, phases: exact.is_none().then_some(phases) }
    }

    #[cfg(test)]
    pub(super) fn coefficients(&self) -> usize {
        self.rows.len()
    }

    #[inline(always)]
    fn row(&self, index: usize) -> &[T] {
        &self.rows[index * self.width..][..self.width]
    }

    #[inline(always)]
    pub(super) fn at(&self, clock: &Clock) -> Row<'_, T> {
        let Some(phases) = self.phases else { return Row::Exact(self.row(clock.part())) };
        let place = clock.fraction() * phases as f64;
        let index = (place as usize).min(phases - 1);
        let x = place - index as f64;
        // Lagrange's polynomials for neighbours at -1, 0, 1 and 2.
        let (before, behind, beyond) = (x + 1.0, x - 1.0, x - 2.0);
        let weights = [
            x * behind * beyond * -SIXTH,
            before * behind * beyond * 0.5,
            before * x * beyond * -0.5,
            before * x * behind * SIXTH,
        ];
        Row::Between(std::array::from_fn(|row| self.row(index + row)), weights.map(T::from_double))
    }
}
