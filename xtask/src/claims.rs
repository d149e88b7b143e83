//! Claims held: `docs/claims.md` names, for each figure and promise of the README and of SECURITY.md, the test or the
//! benchmark row that shows it. This checks that what they say is still said, that what shows it is still there, and
//! that nothing of what must be shown is without a row.

use crate::{files, paths};
use anyhow::{Result, bail};
use std::collections::BTreeMap;

/// Sections of which every row, item and paragraph has a claim.
const WHOLE: &[(&str, &str)] = &[
    ("README.md", "Platforms"),
    ("README.md", "Where it stands"),
    ("SECURITY.md", "Who is trusted with what"),
    ("SECURITY.md", "What you can rely on"),
    ("SECURITY.md", "What you must do yourself"),
];

/// A row: the file that says it, the words, and what shows them.
#[derive(Debug, PartialEq)]
struct Claim {
    file: String,
    words: String,
    shown_by: Vec<String>,
}

/// Checks every row of the tables, and that all that must have one has a row.
pub fn check() -> Result<()> {
    let root = paths::root()?;
    let claims = claims(&files::text(&root.join("docs/claims.md"))?);
    if claims.is_empty() {
        bail!("docs/claims.md has no table");
    }
    let benchmarks = files::text(&root.join("docs/benchmarks.md"))?;
    let mut texts = BTreeMap::new();
    for file in claims.iter().map(|claim| claim.file.as_str()).chain(WHOLE.iter().map(|(file, _)| *file)) {
        texts.insert(file, files::text(&root.join(file))?);
    }
    let mut wrong = unsaid(&claims, &texts);
    wrong.extend(unclaimed(&claims, &texts));
    for claim in &claims {
        for witness in &claim.shown_by {
            if let Err(error) = exists(witness, &benchmarks) {
                wrong.push(format!("\"{}\": {error}", claim.words));
            }
        }
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => bail!("docs/claims.md:\n  {}", wrong.join("\n  ")),
    }
}

/// Claims that their file does not make any more, and those that nothing shows.
fn unsaid(claims: &[Claim], texts: &BTreeMap<&str, String>) -> Vec<String> {
    let mut wrong = Vec::new();
    for Claim { file, words, shown_by } in claims {
        if !texts.get(file.as_str()).is_some_and(|text| plain(text).contains(&plain(words))) {
            wrong.push(format!("{file} does not say \"{words}\" any more"));
        }
        if shown_by.is_empty() {
            wrong.push(format!("\"{words}\": nothing shows it"));
        }
    }
    wrong
}

/// What is said and must be shown, and has no claim.
fn unclaimed(claims: &[Claim], texts: &BTreeMap<&str, String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let of = |file: &'static str| {
        claims.iter().filter(move |claim| claim.file == file).map(move |claim| plain(&claim.words))
    };
    for figure in figures(texts.get("README.md").map_or("", String::as_str)) {
        if !of("README.md").any(|words| words == plain(&figure)) {
            wrong.push(format!("no row shows the README's figure \"{figure}\""));
        }
    }
    for (file, title) in WHOLE {
        let said = statements(section(texts.get(file).map_or("", String::as_str), title));
        if said.is_empty() {
            wrong.push(format!("{file} has no section \"{title}\""));
        }
        for statement in said {
            if !of(file).any(|words| statement.contains(&words)) {
                wrong.push(format!("no row shows what {file} says: \"{statement}\""));
            }
        }
    }
    wrong
}

/// The rows of the tables: the quoted words, and the names in backquotes that show them. The head of a table names the
/// file: `| README.md says | shown by |`.
fn claims(text: &str) -> Vec<Claim> {
    let mut file = String::new();
    let mut claims = Vec::new();
    let cells = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    for (words, shown_by) in cells {
        match words.strip_suffix(" says").filter(|_| shown_by == "shown by") {
            Some(name) => file = name.to_owned(),
            None if words.starts_with("---") => {}
            None => claims.push(Claim {
                file: file.clone(),
                words: words.to_owned(),
                shown_by: shown_by.split('`').skip(1).step_by(2).map(str::to_owned).collect(),
            }),
        }
    }
    claims
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

/// What stands under a heading of the second level.
fn section<'a>(text: &'a str, title: &str) -> &'a str {
    let section = text.split(&format!("\n## {title}\n")).nth(1).unwrap_or_default();
    section.split("\n## ").next().unwrap_or_default()
}

/// The first cell of each row of the README's table of figures.
fn figures(readme: &str) -> Vec<String> {
    let rows = section(readme, "Figures").lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    rows.filter(|cell| !cell.starts_with("---") && *cell != "what").map(str::to_owned).collect()
}

/// The rows of tables without their heads, the items of lists, and the paragraphs, each on one line.
fn statements(section: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in section.lines() {
        if line.starts_with("| ---") {
            found.pop(); // What stands above is the head.
        } else if goes_on && !line.is_empty() && !line.starts_with(['|', '-']) {
            if let Some(last) = found.last_mut() {
                last.push(' ');
                last.push_str(line);
            }
        } else if !line.is_empty() {
            found.push(line.to_owned());
        }
        goes_on = !line.is_empty() && !line.starts_with('|');
    }
    found.iter().map(|statement| plain(statement)).collect()
}

/// Text without line breaks and Markdown's marks, so that a sentence is found however it is wrapped.
fn plain(text: &str) -> String {
    let unmarked: String = text.chars().filter(|c| !matches!(c, '`' | '*')).collect();
    unmarked.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(file: &str, words: &str, shown_by: &[&str]) -> Claim {
        let shown_by = shown_by.iter().map(ToString::to_string).collect();
        Claim { file: file.to_owned(), words: words.to_owned(), shown_by }
    }

    #[test]
    fn ours_hold() {
        check().unwrap();
    }

    #[test]
    fn tables_are_read() {
        let text = "| README.md says | shown by |\n| --- | --- |\n| a `b` | `x.rs::y` and `bench: z` |\n\n\
                    | SECURITY.md says | shown by |\n| --- | --- |\n| c | `x.py::d` |\n";
        let read = [claim("README.md", "a `b`", &["x.rs::y", "bench: z"]), claim("SECURITY.md", "c", &["x.py::d"])];
        assert_eq!(claims(text), read);
        assert_eq!(
            figures("x\n## Figures\n\n| what | figure |\n| --- | --- |\n| a | 1 |\n\n## More\n| b | 2 |"),
            ["a"]
        );
        assert_eq!(plain("a  `b`\n c"), "a b c");
    }

    #[test]
    fn witnesses_are_looked_for() {
        assert!(exists("bench: z", "| z of it | 1 |").is_ok());
        assert!(exists("bench: y", "| z of it | 1 |").is_err());
        assert!(exists("xtask/src/claims.rs::tables_are_read", "").is_ok());
        assert!(exists("xtask/src/claims.rs::not_there", "").is_err());
        assert!(exists("cargo xtask check", "").is_ok() && exists("cargo xtask nothing", "").is_err());
    }

    #[test]
    fn rows_items_and_paragraphs_are_statements() {
        let text = "\nOne\nparagraph.\n\n| who | may |\n| --- | --- |\n| a | `b` |\n| c | d |\n\n- **e** f\n  g\n- h\n";
        assert_eq!(statements(text), ["One paragraph.", "| a | b |", "| c | d |", "- e f g", "- h"]);
    }

    #[test]
    fn a_sentence_that_is_gone_and_a_statement_without_a_claim_are_found() {
        let readme = "\n## Platforms\n\n- It runs.\n\n## Where it stands\n\nThere.\n\n## Figures\n\n\
                      | what | figure |\n| --- | --- |\n| time | 1 |\n";
        let security = "\n## Who is trusted with what\n\nYou.\n\n## What you can rely on\n\n- This.\n- That.\n\n\
                        ## What you must do yourself\n\n- More.\n";
        let texts = BTreeMap::from([("README.md", readme.to_owned()), ("SECURITY.md", security.to_owned())]);
        let of = |file: &str, words: &str| claim(file, words, &["x.rs::y"]);
        let mut claims = vec![of("README.md", "It runs"), of("README.md", "There"), of("README.md", "time")];
        claims.extend(["You", "This", "That", "More"].map(|words| of("SECURITY.md", words)));
        let none: [&str; 0] = [];
        assert_eq!(unsaid(&claims, &texts), none);
        assert_eq!(unclaimed(&claims, &texts), none);
        claims[5] = of("SECURITY.md", "Those");
        assert_eq!(unsaid(&claims, &texts), ["SECURITY.md does not say \"Those\" any more"]);
        assert_eq!(unclaimed(&claims, &texts), ["no row shows what SECURITY.md says: \"- That.\""]);
        claims[2] = claim("README.md", "There", &[]);
        assert_eq!(unsaid(&claims, &texts)[0], "\"There\": nothing shows it");
        assert_eq!(unclaimed(&claims, &texts)[0], "no row shows the README's figure \"time\"");
        claims.remove(0);
        assert_eq!(unclaimed(&claims, &texts)[1], "no row shows what README.md says: \"- It runs.\"");
        let nothing = BTreeMap::from([("README.md", String::new()), ("SECURITY.md", String::new())]);
        assert!(unclaimed(&[], &nothing).iter().any(|one| one == "README.md has no section \"Platforms\""));
    }
}
