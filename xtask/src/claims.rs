//! Claims held: `docs/claims.md` names, for each figure and promise of the README, the test or the benchmark row that
//! shows it. This checks that what the README says is still said, and that what shows it is still there.

use crate::{files, paths};
use anyhow::{Result, bail};

/// Checks every row of the table, and that every figure of the README has one.
pub fn check() -> Result<()> {
    let root = paths::root()?;
    let readme = plain(&files::text(&root.join("README.md"))?);
    let rows = rows(&files::text(&root.join("docs/claims.md"))?);
    if rows.is_empty() {
        bail!("docs/claims.md has no table");
    }
    let benchmarks = files::text(&root.join("docs/benchmarks.md"))?;
    let mut wrong = Vec::new();
    for (claim, shown_by) in &rows {
        if !readme.contains(&plain(claim)) {
            wrong.push(format!("the README does not say \"{claim}\" any more"));
        }
        for witness in shown_by {
            if let Err(error) = exists(witness, &benchmarks) {
                wrong.push(format!("\"{claim}\": {error}"));
            }
        }
        if shown_by.is_empty() {
            wrong.push(format!("\"{claim}\": nothing shows it"));
        }
    }
    for figure in figures(&files::text(&root.join("README.md"))?) {
        if !rows.iter().any(|(claim, _)| plain(claim) == plain(&figure)) {
            wrong.push(format!("no row shows the README's figure \"{figure}\""));
        }
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => bail!("docs/claims.md:\n  {}", wrong.join("\n  ")),
    }
}

/// The rows of the table: the quoted words, and the names in backquotes that show them.
fn rows(text: &str) -> Vec<(String, Vec<String>)> {
    let cells = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    let rows = cells.filter(|(claim, _)| !claim.starts_with("---") && *claim != "the README says");
    rows.map(|(claim, shown_by)| {
        let names = shown_by.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        (claim.to_owned(), names)
    })
    .collect()
}

/// Whether a witness is there: `path::test`, `cargo xtask COMMAND`, or `bench: ROW`.
fn exists(witness: &str, benchmarks: &str) -> Result<()> {
    if let Some(row) = witness.strip_prefix("bench: ") {
        let found = benchmarks.lines().any(|line| line.strip_prefix("| ").is_some_and(|line| line.starts_with(row)));
        return if found { Ok(()) } else { bail!("docs/benchmarks.md has no row `{row}`") };
    }
    if let Some(command) = witness.strip_prefix("cargo xtask ") {
        let name = command.split(' ').next().unwrap_or_default();
        let main = files::text(&paths::root()?.join("xtask/src/main.rs"))?;
        return if main.contains(&format!("\"{name}\" =>")) { Ok(()) } else { bail!("there is no `{witness}`") };
    }
    let Some((path, test)) = witness.split_once("::") else { bail!("`{witness}` names no test") };
    let text = files::text(&paths::root()?.join(path))?;
    let written = match path.rsplit('.').next() {
        Some("py") => format!("def {test}("),
        Some("kt") => format!("fun `{test}`("),
        Some("swift") => format!("func {test}("),
        _ => format!("fn {test}("),
    };
    if text.contains(&written) { Ok(()) } else { bail!("{path} has no test `{test}`") }
}

/// The first cell of each row of the README's table of figures.
fn figures(readme: &str) -> Vec<String> {
    let section = readme.split("\n## Figures\n").nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    rows.filter(|cell| !cell.starts_with("---") && *cell != "what").map(str::to_owned).collect()
}

/// Text without line breaks and Markdown's marks, so that a sentence is found however it is wrapped.
fn plain(text: &str) -> String {
    let unmarked: String = text.chars().filter(|c| !matches!(c, '`' | '*')).collect();
    unmarked.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read() {
        let text = "| the README says | shown by |\n| --- | --- |\n| a `b` | `x.rs::y` and `bench: z` |\n";
        assert_eq!(rows(text), [("a `b`".to_owned(), vec!["x.rs::y".to_owned(), "bench: z".to_owned()])]);
        assert_eq!(
            figures("x\n## Figures\n\n| what | figure |\n| --- | --- |\n| a | 1 |\n\n## More\n| b | 2 |"),
            ["a"]
        );
        assert_eq!(plain("a  `b`\n c"), "a b c");
        assert!(exists("bench: z", "| z of it | 1 |").is_ok());
        assert!(exists("bench: y", "| z of it | 1 |").is_err());
        assert!(exists("xtask/src/claims.rs::tables_are_read", "").is_ok());
        assert!(exists("xtask/src/claims.rs::not_there", "").is_err());
        assert!(exists("cargo xtask check", "").is_ok() && exists("cargo xtask nothing", "").is_err());
    }
}
