//! When a worker that has ended is started again.

use crate::node::{Execution, Restart};

/// Counts the restarts of one worker. Times are milliseconds of any clock that only goes forward.
#[derive(Debug, Default)]
pub struct Restarts {
    window_start_ms: u64,
    count: u32,
}

impl Restarts {
    /// How long to wait before the next start; `None`: there is none. `failed` says whether the worker ended by a signal
    /// or with another exit code than 0.
    pub fn next(&mut self, execution: &Execution, failed: bool, now_ms: u64) -> Option<u64> {
        let wanted = match execution.restart {
            Restart::Never => false,
            Restart::OnFailure => failed,
            Restart::Always => true,
        };
        if !wanted {
            return None;
        }
        if self.count == 0 || now_ms.saturating_sub(self.window_start_ms) >= execution.restart_window_ms {
            (self.window_start_ms, self.count) = (now_ms, 0);
        }
        if execution.max_restarts > 0 && self.count >= execution.max_restarts {
            return None;
        }
        let doubled = execution.restart_delay_ms.saturating_mul(1_u64.checked_shl(self.count).unwrap_or(u64::MAX));
        self.count += 1;
        Some(doubled.min(execution.max_restart_delay_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_and_restarts_are_counted_in_a_window() {
        let execution = Execution {
            restart: Restart::OnFailure,
            max_restarts: 4,
            restart_delay_ms: 100,
            max_restart_delay_ms: 350,
            restart_window_ms: 10_000,
            ..Execution::default()
        };
        let mut restarts = Restarts::default();
        assert_eq!(restarts.next(&execution, false, 0), None);
        let delays = [0, 1_000, 2_000, 3_000, 4_000].map(|now_ms| restarts.next(&execution, true, now_ms));
        assert_eq!(delays, [Some(100), Some(200), Some(350), Some(350), None]);
        // The window began with the first restart.
        assert_eq!(restarts.next(&execution, true, 9_999), None);
        assert_eq!(restarts.next(&execution, true, 10_000), Some(100));
    }

    #[test]
    fn without_a_limit_it_goes_on_for_ever() {
        let execution = Execution { restart: Restart::Always, ..Execution::default() };
        let mut restarts = Restarts::default();
        assert!((0..100).all(|now_ms| restarts.next(&execution, false, now_ms).is_some()));
        assert_eq!(restarts.next(&Execution::default(), true, 0), None);
    }
}
