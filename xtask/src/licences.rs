//! `licences`: THIRD-PARTY-LICENSES, the texts of every package that is linked into the library.

use crate::{files, paths, run};
use anyhow::{Context, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Words that must not stand in a licence of what we ship, unless another choice is offered.
const REFUSED: &[&str] = &["GPL", "SSPL", "BUSL", "CC-BY-NC", "CC-BY-SA"];

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

struct Package {
    title: String,
    licence: String,
    folder: Utf8PathBuf,
}

/// The text of the file: equal licence texts once, each with the packages it belongs to.
pub fn render() -> Result<String> {
    let mut by_text: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut list = String::new();
    for package in linked()? {
        let allowed = package.licence.split(" OR ").any(|choice| !REFUSED.iter().any(|word| choice.contains(word)));
        if package.licence.is_empty() || !allowed {
            bail!("{} has the licence `{}`, which cannot be in the wheel", package.title, package.licence);
        }
        let _ = writeln!(list, "- {}: {}", package.title, package.licence);
        for text in texts(&package.folder)? {
            by_text.entry(text).or_default().push(package.title.clone());
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

/// The packages linked into the library with default features on Linux, sorted by name.
fn linked() -> Result<Vec<Package>> {
    let mut cargo = run::cargo();
    cargo.current_dir(paths::root()?).args(["metadata", "--format-version", "1", "--locked"]);
    let text = run::output(cargo.args(["--filter-platform", "x86_64-unknown-linux-gnu"]))?;
    let metadata: Value = serde_json::from_str(&text)?;
    let packages: BTreeMap<&str, &Value> =
        list(&metadata["packages"]).filter_map(|one| Some((one["id"].as_str()?, one))).collect();
    let nodes: BTreeMap<&str, &Value> =
        list(&metadata["resolve"]["nodes"]).filter_map(|one| Some((one["id"].as_str()?, one))).collect();
    let root = metadata["resolve"]["root"].as_str().context("cargo metadata names no root package")?;
    let mut seen = BTreeSet::new();
    let mut open = vec![root];
    while let Some(id) = open.pop() {
        let is_macro = list(&packages[id]["targets"]).any(|one| list(&one["kind"]).any(|kind| kind == "proc-macro"));
        if is_macro || !seen.insert(id) {
            continue; // macros run in the compiler: they and what they use are not linked
        }
        for dependency in list(&nodes[id]["deps"]) {
            let is_linked = list(&dependency["dep_kinds"]).any(|one| one["kind"].is_null());
            if let (true, Some(next)) = (is_linked, dependency["pkg"].as_str()) {
                open.push(next);
            }
        }
    }
    seen.remove(root);
    let mut found: Vec<Package> = Vec::new();
    for id in seen {
        let one = packages[id];
        let word = |key: &str| one[key].as_str().unwrap_or_default();
        let manifest = Utf8Path::new(word("manifest_path"));
        found.push(Package {
            title: format!("{} {}", word("name"), word("version")),
            licence: word("license").replace('/', " OR "),
            folder: manifest.parent().context("a manifest without a folder")?.to_owned(),
        });
    }
    found.sort_by(|a, b| a.title.cmp(&b.title));
    Ok(found)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
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
