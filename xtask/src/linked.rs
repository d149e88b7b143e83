//! Which packages are linked into the library, from `cargo metadata` and Cargo.lock.

use crate::{files, paths, run};
use anyhow::{Context, Result};
use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A package that becomes part of the library.
pub struct Linked {
    pub name: String,
    pub version: String,
    /// An SPDX expression.
    pub licence: String,
    pub description: String,
    /// Whether it is a package of this workspace.
    pub is_ours: bool,
    /// Where its sources are on this machine.
    pub folder: Utf8PathBuf,
    /// SHA-256 of what the registry serves.
    pub sha256: Option<String>,
    /// The linked packages it uses, as `name version`.
    pub uses: BTreeSet<String>,
}

impl Linked {
    /// `name version`.
    pub fn title(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

/// What `cargo metadata` says of the workspace on Linux.
pub fn metadata() -> Result<Value> {
    let mut cargo = run::cargo();
    cargo.current_dir(paths::root()?).args(["metadata", "--format-version", "1", "--locked"]);
    Ok(serde_json::from_str(&run::output(cargo.args(["--filter-platform", "x86_64-unknown-linux-gnu"]))?)?)
}

/// The packages linked into the library with default features on Linux, the library's own first, then by name.
pub fn load() -> Result<Vec<Linked>> {
    let metadata = metadata()?;
    let checksums = checksums()?;
    let packages: BTreeMap<&str, &Value> =
        list(&metadata["packages"]).filter_map(|one| Some((one["id"].as_str()?, one))).collect();
    let nodes: BTreeMap<&str, &Value> =
        list(&metadata["resolve"]["nodes"]).filter_map(|one| Some((one["id"].as_str()?, one))).collect();
    let root = metadata["resolve"]["root"].as_str().context("cargo metadata names no root package")?;
    let mut seen = BTreeMap::new();
    let mut open = vec![root];
    while let Some(id) = open.pop() {
        if seen.contains_key(id) || is_macro(packages[id]) {
            continue; // Macros run in the compiler: they and what they use are not linked.
        }
        let linked = |one: &&Value| list(&one["dep_kinds"]).any(|kind| kind["kind"].is_null());
        let uses: Vec<&str> = list(&nodes[id]["deps"])
            .filter(linked)
            .filter_map(|one| one["pkg"].as_str())
            .filter(|id| !is_macro(packages[*id]))
            .collect();
        open.extend(&uses);
        seen.insert(id, uses);
    }
    let title = |id: &str| format!("{} {}", word(packages[id], "name"), word(packages[id], "version"));
    let mut found: Vec<Linked> = Vec::new();
    for (id, uses) in &seen {
        let one = packages[*id];
        let manifest = Utf8Path::new(word(one, "manifest_path"));
        found.push(Linked {
            name: word(one, "name").to_owned(),
            version: word(one, "version").to_owned(),
            licence: word(one, "license").replace('/', " OR "),
            description: word(one, "description").split_whitespace().collect::<Vec<_>>().join(" "),
            is_ours: one["source"].is_null(),
            folder: manifest.parent().context("a manifest without a folder")?.to_owned(),
            sha256: checksums.get(&title(id)).cloned(),
            uses: uses.iter().map(|id| title(id)).collect(),
        });
    }
    let own = title(root);
    found.sort_by_key(|one| (one.title() != own, one.title()));
    Ok(found)
}

fn is_macro(package: &Value) -> bool {
    list(&package["targets"]).any(|one| list(&one["kind"]).any(|kind| kind == "proc-macro"))
}

fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The elements of a list; none of something else.
pub fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// SHA-256 by `name version`, from Cargo.lock.
fn checksums() -> Result<BTreeMap<String, String>> {
    let lock: toml::Table = files::text(&paths::root()?.join("Cargo.lock"))?.parse().context("Cargo.lock")?;
    let packages = lock.get("package").and_then(toml::Value::as_array).context("Cargo.lock lists no package")?;
    let text = |one: &toml::Value, key: &str| one.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    let entry = |one| Some((format!("{} {}", text(one, "name")?, text(one, "version")?), text(one, "checksum")?));
    Ok(packages.iter().filter_map(entry).collect())
}
