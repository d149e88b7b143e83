//! `validate`: what is wrong with a manifest.

use std::path::Path;

use serde_json::{Value, json};

use crate::error::{Problem, Severity};
use crate::runtime::Pipeline;

pub(super) fn run(path: &Path, as_json: bool) -> i32 {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("error: {}: {error}", path.display());
            return 1;
        }
    };
    let (fine, problems) = Pipeline::validate(&text);
    if as_json {
        println!("{:#}", json!({"valid": fine, "problems": problems.iter().map(entry).collect::<Vec<_>>()}));
    } else {
        for problem in &problems {
            let place = problem.line.zip(problem.column).map(|(line, column)| format!(":{line}:{column}"));
            println!("{}{}: {}: {problem}", path.display(), place.unwrap_or_default(), severity(problem));
        }
        if fine {
            println!("{}: valid", path.display());
        }
    }
    i32::from(!fine)
}

fn severity(problem: &Problem) -> &'static str {
    match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn entry(problem: &Problem) -> Value {
    json!({
        "code": problem.code,
        "severity": severity(problem),
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
        "found": problem.found,
        "expected": problem.expected,
        "nearest": problem.nearest,
        "fix": problem.fix,
        "node": problem.node,
    })
}
