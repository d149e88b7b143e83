//! `validate`: what is wrong with a manifest.

use std::io::Read as _;
use std::path::Path;

use serde_json::{Value, json};

use super::{complain, say};
use crate::error::{Problem, Severity};
use crate::manifest::{MAX_BYTES, Source};
use crate::runtime::Pipeline;
use crate::words::counted;

pub(super) fn run(path: &Path, as_json: bool, allow_python: bool) -> i32 {
    let name = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    let text = match read(path) {
        Ok(text) => text,
        Err(error) => return complain(&format!("{name}: {error}")),
    };
    let (fine, problems) = Pipeline::validate_with(&text, Source::File(&name), allow_python);
    if as_json {
        let problems: Vec<Value> = problems.iter().map(entry).collect();
        return say(&format!("{:#}", json!({"file": name, "valid": fine, "problems": problems})), i32::from(!fine));
    }
    let mut report = String::new();
    for problem in &problems {
        report.push_str(&format!("{}: {}\n\n", severity(problem), problem.report("  ")));
    }
    let count = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    report.push_str(&match (fine, warnings) {
        (true, 0) => format!("{name}: valid"),
        (true, _) => format!("{name}: valid, with {}", counted(warnings, "warning")),
        (false, _) => format!(
            "{name}: {}, {}; `remotemedia explain CODE` says more",
            counted(errors, "error"),
            counted(warnings, "warning")
        ),
    });
    say(&report, i32::from(!fine))
}

/// The text of a file, or of standard input: no more of it than a manifest may have.
pub(super) fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let limit = MAX_BYTES as u64 + 1;
    if path == Path::new("-") {
        std::io::stdin().take(limit).read_to_string(&mut text)?;
    } else {
        std::fs::File::open(path)?.take(limit).read_to_string(&mut text)?;
    }
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

fn severity(problem: &Problem) -> &'static str {
    match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

pub(super) fn entry(problem: &Problem) -> Value {
    json!({
        "code": problem.code,
        "severity": severity(problem),
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
        "end_column": problem.end_column,
        "excerpt": problem.excerpt,
        "message": problem.message,
        "found": problem.found,
        "expected": problem.expected,
        "nearest": problem.nearest,
        "fix": problem.fix,
        "node": problem.node,
    })
}
