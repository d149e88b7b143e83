//! `licences`: THIRD-PARTY-LICENSES, the texts of every package that is linked into the library.

use crate::{files, linked, paths};
use anyhow::{Context, Result};
use camino::{Utf8Path, Utf8PathBuf};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

pub fn run(arguments: &[String]) -> Result<()> {
    files::only(arguments, &[], &[])?;
    let path = file()?;
    let changed = files::write(&path, render()?.as_bytes())?;
    println!("{path} {}", if changed { "rewritten" } else { "is up to date" });
    Ok(())
}

pub fn file() -> Result<Utf8PathBuf> {
    Ok(paths::root()?.join("THIRD-PARTY-LICENSES"))
}

/// The text of the file: equal licence texts once, each with the packages it belongs to.
pub fn render() -> Result<String> {
    let mut by_text: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut list = String::new();
    // Which licences may be in it, `deny.toml` says.
    for package in linked::load()?.iter().filter(|package| !package.is_ours) {
        let _ = writeln!(list, "- {}: {}", package.title(), package.licence);
        let mut own = texts(&package.folder)?;
        if own.is_empty() {
            own.insert(
                standard(&package.licence).with_context(|| format!("{} ships no licence text", package.title()))?,
            );
        }
        for text in own {
            by_text.entry(text).or_default().push(package.title());
        }
    }
    // The weights of a network are in the library too.
    let weights = "silero-vad 6.2.3 (weights)".to_owned();
    let _ = writeln!(list, "- {weights}: MIT");
    by_text
        .entry(trimmed(&files::text(&paths::root()?.join("src/dsp/silero/LICENSE-silero-vad"))?))
        .or_default()
        .push(weights);
    let mut text = format!(
        "The library of remotemedia contains the Rust packages below, and Rust's standard library (MIT OR Apache-2.0).\n\
         Written by `cargo xtask licences` from Cargo.lock. Sources of each: the Rust package registry, by name and version;\n\
         none of them was changed. The weights are from the Python package of that name. Packages under MPL-2.0 stay under it; their source is available there.\n\n{list}"
    );
    let mut sections: Vec<(String, String)> =
        by_text.into_iter().map(|(text, names)| (names.join(", "), text)).collect();
    sections.sort();
    for (names, licence) in sections {
        let _ = write!(text, "\n{}\n{names}\n\n{licence}\n", "=".repeat(100));
    }
    Ok(text)
}

/// The text of a licence for a package that ships none: of the choices it offers, one whose text is at hand.
fn standard(expression: &str) -> Result<String> {
    let root = paths::root()?;
    for choice in expression.split(" OR ") {
        let path = match choice.trim_matches(['(', ')', ' ']) {
            "Apache-2.0" => root.join("LICENSE-APACHE"),
            "MPL-2.0" => root.join("licences/MPL-2.0.txt"),
            _ => continue,
        };
        return Ok(trimmed(&files::text(&path)?));
    }
    anyhow::bail!("there is no standard text here for `{expression}`")
}

/// The licence files of a package, also those of a folder `LICENSES`. Of several choices all are kept.
fn texts(folder: &Utf8Path) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for entry in folder.read_dir_utf8().with_context(|| format!("cannot read {folder}"))? {
        let entry = entry?;
        let name = entry.file_name().to_uppercase();
        if entry.file_type()?.is_dir() {
            if name == "LICENSES" {
                for inner in entry.path().read_dir_utf8()? {
                    found.insert(trimmed(&String::from_utf8_lossy(&files::read(inner?.path())?)));
                }
            }
            continue;
        }
        let is_licence = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT", "UNLICENSE"]
            .iter()
            .any(|word| name.starts_with(word));
        if is_licence {
            found.insert(trimmed(&String::from_utf8_lossy(&files::read(entry.path())?)));
        }
    }
    Ok(found)
}

fn trimmed(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_matches('\n').to_owned()
}
