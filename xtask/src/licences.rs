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
    // The first is the library's own. Which licences may be in it, `deny.toml` says.
    for package in linked::load()?.iter().skip(1) {
        let _ = writeln!(list, "- {}: {}", package.title(), package.licence);
        for text in texts(&package.folder)? {
            by_text.entry(text).or_default().push(package.title());
        }
    }
    let mut text = format!(
        "The library of remotemedia contains the Rust packages below, and Rust's standard library (MIT OR Apache-2.0).\n\
         Written by `cargo xtask licences` from Cargo.lock. Sources of each: the Rust package registry, by name and version;\n\
         none of them was changed. Packages under MPL-2.0 stay under it; their source is available there.\n\n{list}"
    );
    let mut sections: Vec<(String, String)> =
        by_text.into_iter().map(|(text, names)| (names.join(", "), text)).collect();
    sections.sort();
    for (names, licence) in sections {
        let _ = write!(text, "\n{}\n{names}\n\n{licence}\n", "=".repeat(100));
    }
    Ok(text)
}

/// The licence files of a package. Of several choices the shorter permissive ones are kept too: all of them.
fn texts(folder: &Utf8Path) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for entry in folder.read_dir_utf8().with_context(|| format!("cannot read {folder}"))? {
        let entry = entry?;
        let name = entry.file_name().to_uppercase();
        let is_licence = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT", "UNLICENSE"]
            .iter()
            .any(|word| name.starts_with(word));
        if is_licence && entry.file_type()?.is_file() {
            let text = String::from_utf8_lossy(&files::read(entry.path())?).replace("\r\n", "\n");
            let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
            found.insert(lines.join("\n").trim_matches('\n').to_owned());
        }
    }
    Ok(found)
}
