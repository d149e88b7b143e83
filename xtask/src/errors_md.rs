//! `docs/errors.md`: every code, as the program `remotemedia explain --json` knows it.

use crate::{paths, run};
use anyhow::{Context, Result};
use serde_json::Value;
use std::fmt::Write;

/// Asks the program of this workspace, and returns the text of the page.
pub fn render() -> Result<String> {
    let mut cargo = run::cargo();
    cargo.current_dir(paths::root()?).args(["run", "--quiet", "--bin", "remotemedia", "--", "explain", "--json"]);
    let codes: Value = serde_json::from_str(&run::output(&mut cargo)?)?;
    page(codes.as_array().context("`remotemedia explain --json` printed no list")?)
}

fn page(codes: &[Value]) -> Result<String> {
    let mut text = String::from(
        "# Errors\n\nEvery code of an error. Written by `cargo xtask generate` from `src/codes.rs`; `remotemedia explain CODE` says the\n\
         same. Codes and kinds are stable, wording is not. In Python the kind `Format` is the class `FormatError`, and so\n\
         on; `error.code` holds the code, `error.problems` all problems of a manifest with their places.\n\n\
         | code | kind | title |\n| --- | --- | --- |\n",
    );
    let word = |entry: &Value, key: &str| -> Result<String> {
        let word = entry.get(key).and_then(Value::as_str);
        word.map(str::to_owned).with_context(|| format!("a code without `{key}`: {entry}"))
    };
    for entry in codes {
        let (code, kind, title) = (word(entry, "code")?, word(entry, "kind")?, word(entry, "title")?);
        let _ = writeln!(text, "| [{code}](#{}) | {kind} | {title} |", code.to_lowercase());
    }
    for entry in codes {
        let _ =
            write!(text, "\n## {}\n\n**{}.** {}\n", word(entry, "code")?, word(entry, "title")?, word(entry, "text")?);
        if let Some(example) = entry.get("manifest").and_then(Value::as_str) {
            let _ = write!(text, "\n```json\n{example}\n```\n");
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_becomes_a_row_and_a_section() {
        let codes = serde_json::json!([
            {"code": "RM0107", "kind": "Manifest", "title": "No nodes", "text": "One at least.", "manifest": "{}"}
        ]);
        let page = page(codes.as_array().unwrap()).unwrap();
        assert!(page.contains("| [RM0107](#rm0107) | Manifest | No nodes |"));
        assert!(page.ends_with("\n## RM0107\n\n**No nodes.** One at least.\n\n```json\n{}\n```\n"));
    }
}
