//! One thing that is wrong with a manifest.

use std::fmt;

use crate::words::printable;

/// How much a problem of a manifest matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The manifest cannot run.
    Error,
    /// The manifest runs; something in it has no effect.
    Warning,
}

/// One thing that is wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Stable code, for example `RM0103`.
    pub code: &'static str,
    /// Whether the manifest can run in spite of it.
    pub severity: Severity,
    /// JSON pointer (RFC 6901) of the place, for example `/nodes/0/node_type`. Empty: the whole document.
    pub path: String,
    /// What is wrong, in one line, without the fix.
    pub message: String,
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
    /// Line in the manifest's text, from 1; `None` when it was not given as text.
    pub line: Option<u32>,
    /// Column in characters, from 1.
    pub column: Option<u32>,
    /// The column behind what is meant, on the same line.
    pub end_column: Option<u32>,
    /// The line with a mark under the place, as a compiler shows it. A few lines of text.
    pub excerpt: Option<String>,
    /// Whether the place is the key and not its value.
    pub at_key: bool,
}

impl Problem {
    /// A problem that stops the manifest from running.
    pub fn error(code: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            path: path.into(),
            message: message.into(),
            found: None,
            expected: None,
            nearest: None,
            fix: None,
            node: None,
            line: None,
            column: None,
            end_column: None,
            excerpt: None,
            at_key: false,
        }
    }

    /// Something that has no effect and was probably meant otherwise.
    pub fn warning(code: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, path, message) }
    }

    /// Adds the value that was found.
    pub fn found(mut self, found: impl Into<String>) -> Self {
        self.found = Some(found.into());
        self
    }

    /// Adds what was expected.
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// Adds the nearest of the known names, if one is near, and the question that goes with it.
    pub fn nearest(mut self, nearest: Option<&str>) -> Self {
        if let Some(name) = nearest {
            self.nearest = Some(name.to_owned());
            self.fix.get_or_insert_with(|| format!("did you mean `{name}`?"));
        }
        self
    }

    /// The key is wrong, not its value.
    pub fn at_key(mut self) -> Self {
        self.at_key = true;
        self
    }

    /// Adds what to do about it.
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// Adds the node concerned.
    pub fn node(mut self, node: impl Into<String>) -> Self {
        self.node = Some(node.into());
        self
    }
}

/// The most problems of a manifest that its error's message spells out.
pub(super) const MOST_SHOWN: usize = 20;

impl Problem {
    /// The line and, where there is one, the excerpt, each line of it behind `indent`.
    pub fn report(&self, indent: &str) -> String {
        let mut text = self.to_string();
        for line in self.excerpt.iter().flat_map(|excerpt| excerpt.lines()) {
            text.push('\n');
            text.push_str(indent);
            text.push_str(line);
        }
        text
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names and values are the manifest's: a terminal must not obey them.
        write!(f, "{}: {}", self.code, printable(&self.message))?;
        if let Some(expected) = &self.expected {
            write!(f, ", expected {}", printable(expected))?;
        }
        let path = printable(&self.path);
        match (path.as_ref(), self.line) {
            ("", None) => {}
            ("", Some(line)) => write!(f, " (line {line})")?,
            (path, None) => write!(f, " (at {path})")?,
            (path, Some(line)) => write!(f, " (at {path}, line {line})")?,
        }
        if let Some(fix) = &self.fix {
            write!(f, "; {}", printable(fix))?;
        }
        Ok(())
    }
}
