//! The one error type, with stable kinds.

use crate::error::{Error, ErrorKind, Severity};

/// One thing that is wrong with a manifest.
#[derive(Debug, Clone, uniffi::Record)]
pub struct Problem {
    /// Stable code, for example `RM0103`.
    pub code: String,
    /// `error` or `warning`.
    pub severity: String,
    /// JSON pointer of the place.
    pub path: String,
    /// What is wrong, in one line.
    pub reason: String,
    /// The value that was found.
    pub found: Option<String>,
    /// What was expected in its place.
    pub expected: Option<String>,
    /// The known name nearest to the one found.
    pub nearest: Option<String>,
    /// What to do about it.
    pub fix: Option<String>,
    /// The id of the node concerned.
    pub node: Option<String>,
    /// Line in the manifest's text, from 1.
    pub line: Option<i32>,
    /// Column in characters, from 1.
    pub column: Option<i32>,
    /// The column behind what is meant, on the same line.
    pub end_column: Option<i32>,
    /// The line with a mark under the place: a few lines of text.
    pub excerpt: Option<String>,
}

impl From<&crate::error::Problem> for Problem {
    fn from(problem: &crate::error::Problem) -> Self {
        let place = |place: Option<u32>| place.and_then(|place| i32::try_from(place).ok());
        let severity = match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        Self {
            code: problem.code.to_owned(),
            severity: severity.to_owned(),
            path: problem.path.clone(),
            reason: problem.to_string(),
            found: problem.found.clone(),
            expected: problem.expected.clone(),
            nearest: problem.nearest.clone(),
            fix: problem.fix.clone(),
            node: problem.node.clone(),
            line: place(problem.line),
            column: place(problem.column),
            end_column: place(problem.end_column),
            excerpt: problem.excerpt.clone(),
        }
    }
}

/// What is known of an error, whatever its kind.
#[derive(Debug, Clone, uniffi::Record)]
pub struct ErrorInfo {
    /// Stable code, for example `RM0202`.
    pub code: String,
    /// One clear line that names node and value and ends with what to do.
    pub reason: String,
    /// The id of the node concerned.
    pub node: Option<String>,
    /// JSON pointer into the manifest, or the file concerned.
    pub path: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// The input item concerned, counted from 0.
    pub item_index: Option<i64>,
    /// Every problem of the manifest.
    pub problems: Vec<Problem>,
    /// Of a failure of the system, such as a file that is not there: its number there (`errno`).
    #[uniffi(default = None)]
    pub os_error: Option<i32>,
}

/// Any failure, one case a kind.
#[derive(Debug, Clone, thiserror::Error, uniffi::Error)]
#[allow(missing_docs)] // The kinds are described once, at `ErrorKind`; the field is the same in each.
pub enum RemoteMediaError {
    /// The manifest cannot be read or says something impossible.
    #[error("{}", info.reason)]
    Manifest { info: ErrorInfo },
    /// A stream's format is not what a node takes, or it is not known.
    #[error("{}", info.reason)]
    Format { info: ErrorInfo },
    /// An input item is of a kind that cannot be used here.
    #[error("{}", info.reason)]
    InputType { info: ErrorInfo },
    /// An input item is of the right kind with a wrong value.
    #[error("{}", info.reason)]
    InputValue { info: ErrorInfo },
    /// A node failed or panicked while it processed.
    #[error("{}", info.reason)]
    Node { info: ErrorInfo },
    /// A worker process did not start.
    #[error("{}", info.reason)]
    WorkerStart { info: ErrorInfo },
    /// A worker process died.
    #[error("{}", info.reason)]
    WorkerCrashed { info: ErrorInfo },
    /// The time allowed has passed.
    #[error("{}", info.reason)]
    Timeout { info: ErrorInfo },
    /// The object was shut down or cancelled.
    #[error("{}", info.reason)]
    Closed { info: ErrorInfo },
    /// The object is in use by another thread.
    #[error("{}", info.reason)]
    Busy { info: ErrorInfo },
    /// A bounded queue is full.
    #[error("{}", info.reason)]
    Full { info: ErrorInfo },
    /// Reading or writing a file failed.
    #[error("{}", info.reason)]
    Io { info: ErrorInfo },
    /// The operation is not supported by this object, build or platform.
    #[error("{}", info.reason)]
    Unsupported { info: ErrorInfo },
    /// A fault of RemoteMedia itself.
    #[error("{}", info.reason)]
    Internal { info: ErrorInfo },
}

impl From<Error> for RemoteMediaError {
    fn from(error: Error) -> Self {
        let text = |text: Option<&str>| text.map(str::to_owned);
        let info = ErrorInfo {
            code: error.code().to_owned(),
            reason: error.to_string(),
            node: text(error.node()),
            path: text(error.path()),
            hint: text(error.fix().or_else(|| error.problems().iter().find_map(|problem| problem.fix.as_deref()))),
            item_index: error.item_index().and_then(|index| i64::try_from(index).ok()),
            problems: error.problems().iter().map(Problem::from).collect(),
            os_error: error.os_error(),
        };
        match error.kind() {
            ErrorKind::Manifest => Self::Manifest { info },
            ErrorKind::Format => Self::Format { info },
            ErrorKind::InputType => Self::InputType { info },
            ErrorKind::InputValue => Self::InputValue { info },
            ErrorKind::Node => Self::Node { info },
            ErrorKind::WorkerStart => Self::WorkerStart { info },
            ErrorKind::WorkerCrashed => Self::WorkerCrashed { info },
            ErrorKind::Timeout => Self::Timeout { info },
            ErrorKind::Closed => Self::Closed { info },
            ErrorKind::Busy => Self::Busy { info },
            ErrorKind::Full => Self::Full { info },
            ErrorKind::Io => Self::Io { info },
            ErrorKind::Unsupported => Self::Unsupported { info },
            ErrorKind::Internal => Self::Internal { info },
        }
    }
}

/// A value that does not fit the boundary's integers.
pub(super) fn out_of_range(name: &str, value: i64, expected: &str) -> Error {
    Error::new(ErrorKind::InputValue, format!("{name} is {value}, expected {expected}"))
}
