//! The problems of one manifest, as they are found.

use super::{Problem, Severity};

/// The most of each severity that are kept, one for each node that a manifest may have: nobody reads further.
pub(super) const MOST: usize = 10_000;
/// The most text that they have together, in bytes: a path may be as long as the manifest. The first error is kept
/// however long it is.
const MOST_BYTES: usize = 16 << 20;

/// The problems of one manifest, as many as anybody reads.
#[derive(Debug, Default)]
pub struct Problems {
    found: Vec<Problem>,
    errors: usize,
    bytes: usize,
}

impl Problems {
    /// Keeps a problem, unless there are enough.
    pub fn push(&mut self, problem: Problem) {
        if self.is_full(problem.severity) {
            return;
        }
        self.errors += usize::from(problem.severity == Severity::Error);
        let texts = [&problem.found, &problem.expected, &problem.nearest, &problem.fix, &problem.node];
        self.bytes += problem.path.len() + problem.message.len();
        self.bytes += texts.into_iter().flatten().map(String::len).sum::<usize>();
        self.found.push(problem);
    }

    /// Whether no more problems of a severity are kept: then they need not be put into words either.
    pub fn is_full(&self, severity: Severity) -> bool {
        let (count, least) = match severity {
            Severity::Error => (self.errors, 1),
            Severity::Warning => (self.found.len() - self.errors, 0),
        };
        count >= MOST || self.bytes >= MOST_BYTES && count >= least
    }

    /// Whether an error is among them.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// All that were kept, in the order in which they were found.
    pub fn into_vec(self) -> Vec<Problem> {
        self.found
    }
}

impl Extend<Problem> for Problems {
    fn extend<T: IntoIterator<Item = Problem>>(&mut self, problems: T) {
        for problem in problems {
            self.push(problem);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_never_hide_the_first_error() {
        let mut problems = Problems::default();
        problems.extend((0..2 * MOST).map(|_| Problem::warning("RM0130", "/x".repeat(MOST_BYTES / 1000), "w")));
        assert!(problems.is_full(Severity::Warning) && !problems.has_errors());
        problems.push(Problem::error("RM0105", "", "e"));
        problems.push(Problem::error("RM0105", "", "e"));
        let kept = problems.into_vec();
        assert_eq!(kept.iter().filter(|problem| problem.severity == Severity::Error).count(), 1);
        let bytes: usize = kept.iter().map(|problem| problem.path.len()).sum();
        assert!(kept.len() < 2 * MOST && bytes < 2 * MOST_BYTES, "{} with {bytes} bytes", kept.len());
    }

    #[test]
    fn so_many_of_each_are_kept() {
        let mut problems = Problems::default();
        for _ in 0..3 * MOST {
            problems.push(Problem::error("RM0105", "", "e"));
            problems.push(Problem::warning("RM0130", "", "w"));
        }
        assert_eq!(problems.into_vec().len(), 2 * MOST);
    }
}
