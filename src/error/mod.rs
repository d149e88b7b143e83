//! The one error type of the crate: a short closed list of kinds, plus the value that was wrong.
//!
//! Kinds and codes are stable. Wording is not.

mod problem;
mod problems;

use std::fmt;

use problem::MOST_SHOWN;
pub use problem::{Problem, Severity};
pub use problems::Problems;

use crate::words::printable;

/// Short for `std::result::Result<T, Error>`.
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of failure it was. The list is closed: a caller may match on all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The manifest cannot be read or says something impossible. See [`Error::problems`].
    Manifest,
    /// A stream's format is not what a node takes, or it is not known.
    Format,
    /// An input item is of a kind that cannot be used here.
    InputType,
    /// An input item is of the right kind with a wrong value (length, range, shape).
    InputValue,
    /// A node failed or panicked while it processed.
    Node,
    /// A worker process did not start.
    WorkerStart,
    /// A worker process died.
    WorkerCrashed,
    /// The time allowed has passed.
    Timeout,
    /// The object was shut down or cancelled.
    Closed,
    /// The object is in use by another thread.
    Busy,
    /// A bounded queue is full.
    Full,
    /// Reading or writing a file failed.
    Io,
    /// The operation is not supported by this object, build or platform.
    Unsupported,
    /// A fault of RemoteMedia itself. Please report it.
    Internal,
}

impl ErrorKind {
    /// The stable name of the kind, as it is spelt in Python, Kotlin and Swift.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Manifest => "Manifest",
            Self::Format => "Format",
            Self::InputType => "InputType",
            Self::InputValue => "InputValue",
            Self::Node => "Node",
            Self::WorkerStart => "WorkerStart",
            Self::WorkerCrashed => "WorkerCrashed",
            Self::Timeout => "Timeout",
            Self::Closed => "Closed",
            Self::Busy => "Busy",
            Self::Full => "Full",
            Self::Io => "Io",
            Self::Unsupported => "Unsupported",
            Self::Internal => "Internal",
        }
    }

    /// The code of an error of this kind that has no more exact one.
    const fn code(self) -> &'static str {
        match self {
            Self::Manifest => "RM0100",
            Self::Format => "RM0200",
            Self::InputType => "RM0300",
            Self::InputValue => "RM0310",
            Self::Node => "RM0400",
            Self::WorkerStart => "RM0500",
            Self::WorkerCrashed => "RM0510",
            Self::Timeout => "RM0600",
            Self::Closed => "RM0610",
            Self::Busy => "RM0620",
            Self::Full => "RM0630",
            Self::Io => "RM0700",
            Self::Unsupported => "RM0800",
            Self::Internal => "RM0900",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Any failure: what happened, where, and what to do about it.
///
/// # Examples
/// ```
/// use remotemedia::{Error, ErrorKind};
/// let error = Error::new(ErrorKind::Format, "sample_rate_hz is 44100, expected 16000")
///     .at_node("vad")
///     .hint("put an AudioResample before it");
/// assert_eq!(error.to_string(), "node `vad`: sample_rate_hz is 44100, expected 16000; put an AudioResample before it");
/// ```
#[derive(Debug, Clone)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    kind: ErrorKind,
    code: &'static str,
    message: String,
    node: Option<String>,
    path: Option<String>,
    hint: Option<String>,
    item_index: Option<usize>,
    problems: Vec<Problem>,
    goes_on: bool,
    source: Option<std::sync::Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of a kind, with one clear line that names the value and what was expected.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            code: kind.code(),
            message: message.into(),
            node: None,
            path: None,
            hint: None,
            item_index: None,
            problems: Vec::new(),
            goes_on: false,
            source: None,
        }))
    }

    /// All problems of a manifest in one error. `problems` must hold at least one of severity error.
    pub fn manifest(problems: Vec<Problem>) -> Self {
        let errors: Vec<&Problem> = problems.iter().filter(|p| p.severity == Severity::Error).collect();
        let mut message = match errors.as_slice() {
            [one] => one.report(""),
            many if many.len() >= problems::MOST => format!("the manifest has {} problems or more", many.len()),
            many => format!("the manifest has {} problems", many.len()),
        };
        if errors.len() > 1 {
            for problem in errors.iter().take(MOST_SHOWN) {
                message.push_str("\n  ");
                message.push_str(&problem.report("  "));
            }
            if let Some(more) = errors.len().checked_sub(MOST_SHOWN).filter(|more| *more > 0) {
                message.push_str(&format!("\n  and {more} more in `problems`"));
            }
        }
        let first = errors.first().copied().cloned();
        let mut error = Self::new(ErrorKind::Manifest, message);
        if let Some(first) = first {
            error.0.code = first.code;
            error.0.node = first.node;
            error.0.path = Some(first.path);
        }
        error.0.problems = problems;
        error
    }

    /// Adds the problems of the manifest that led to it.
    pub fn with_problems(mut self, problems: Vec<Problem>) -> Self {
        self.0.problems = problems;
        self
    }

    /// A more exact code than the kind's own.
    pub fn code_of(mut self, code: &'static str) -> Self {
        self.0.code = code;
        self
    }

    /// Names the node, unless one is named already (the innermost place wins).
    pub fn at_node(mut self, node: &str) -> Self {
        self.0.node.get_or_insert_with(|| node.to_owned());
        self
    }

    /// Names the place: a JSON pointer into the manifest, or a file.
    pub fn at_path(mut self, path: impl Into<String>) -> Self {
        let path = path.into();
        self.0.path.get_or_insert(path);
        self
    }

    /// Says what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Names the input item, counted from 0, unless one is named already.
    pub fn at_item(mut self, item_index: usize) -> Self {
        self.0.item_index.get_or_insert(item_index);
        self
    }

    /// The session goes on after it: only what it was working on is lost.
    #[must_use]
    pub fn session_goes_on(mut self) -> Self {
        self.0.goes_on = true;
        self
    }

    /// Whether the session goes on after it.
    pub fn does_session_go_on(&self) -> bool {
        self.0.goes_on
    }

    /// A failure of the system about a file, which `name` is.
    pub fn of_file(name: &str, error: std::io::Error) -> Self {
        Self::new(ErrorKind::Io, format!("{name}: {error}")).at_path(name).caused_by(error)
    }

    /// The number that the system has given the failure, where it was one of the system.
    pub fn os_error(&self) -> Option<i32> {
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            if let Some(error) = error.downcast_ref::<std::io::Error>() {
                const EISDIR: i32 = 21;
                let is_folder = error.kind() == std::io::ErrorKind::IsADirectory;
                return error.raw_os_error().or(is_folder.then_some(EISDIR));
            }
            source = error.source();
        }
        None
    }

    /// Keeps the error that caused this one.
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.0.source = Some(std::sync::Arc::new(source));
        self
    }

    /// The kind: stable.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The code: stable.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The code of a node that was left in the middle, because of what a signal's handler has raised.
    pub(crate) const INTERRUPTED: &'static str = "RM0404";

    /// Whether it is the end of the call, and not of one packet: it was closed, stopped or interrupted.
    pub(crate) fn ends_the_call(&self) -> bool {
        self.0.kind == ErrorKind::Closed || self.0.code == Self::INTERRUPTED
    }

    /// The message without node and hint.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The id of the node concerned.
    pub fn node(&self) -> Option<&str> {
        self.0.node.as_deref()
    }

    /// JSON pointer into the manifest, or the file concerned.
    pub fn path(&self) -> Option<&str> {
        self.0.path.as_deref()
    }

    /// What to do about it.
    pub fn fix(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The input item concerned, counted from 0.
    pub fn item_index(&self) -> Option<usize> {
        self.0.item_index
    }

    /// Every problem of the manifest (kind [`ErrorKind::Manifest`] and, where the graph found it, [`ErrorKind::Format`]).
    pub fn problems(&self) -> &[Problem] {
        &self.0.problems
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        if inner.problems.is_empty() {
            if let Some(index) = inner.item_index {
                write!(f, "item {index}: ")?;
            }
            if let Some(node) = &inner.node {
                write!(f, "node `{}`: ", printable(node))?;
            }
        }
        f.write_str(&printable(&inner.message))?;
        if let Some(hint) = &inner.hint {
            write!(f, "; {}", printable(hint))?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
