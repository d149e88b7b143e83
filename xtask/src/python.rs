//! Pythons on this machine, and environments made from them below `target`.

use crate::{files, paths, run};
use anyhow::{Context, Result, bail};
use base64::Engine;
use camino::{Utf8Path, Utf8PathBuf};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The CPython minor versions that one wheel serves.
pub const MINORS: std::ops::RangeInclusive<u32> = 10..=14;

/// A CPython 3 interpreter.
#[derive(Debug, Clone)]
pub struct Python {
    pub program: Utf8PathBuf,
    pub minor: u32,
}

/// The Python that environments are made from: `python3`, else the newest found.
pub fn default() -> Result<Python> {
    let supported = |python: &Python| MINORS.contains(&python.minor);
    if let Some(python) = ask("python3").filter(supported) {
        return Ok(python);
    }
    match all().into_values().next_back() {
        Some(python) => Ok(python),
        None => bail!("no CPython 3.10 to 3.14 was found: install one, with its venv module"),
    }
}

/// One interpreter for each supported minor version found: in PATH, and among the versions of pyenv.
pub fn all() -> BTreeMap<u32, Python> {
    let mut candidates: Vec<String> = vec!["python3".to_owned()];
    candidates.extend(MINORS.map(|minor| format!("python3.{minor}")));
    let pyenv = std::env::var("PYENV_ROOT").or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.pyenv")));
    if let Ok(entries) = Utf8PathBuf::from(pyenv.unwrap_or_default()).join("versions").read_dir_utf8() {
        let mut versions: Vec<_> = entries.flatten().map(|entry| entry.into_path().join("bin/python")).collect();
        versions.sort();
        candidates.extend(versions.into_iter().map(|path| path.into_string()));
    }
    let mut found = BTreeMap::new();
    for python in candidates.iter().filter_map(|candidate| ask(candidate)) {
        if MINORS.contains(&python.minor) {
            found.entry(python.minor).or_insert(python);
        }
    }
    found
}

/// Starts the candidate to learn what it is: a shim of pyenv may be in PATH and yet not run.
fn ask(candidate: &str) -> Option<Python> {
    let question =
        "import sys, venv; print(sys.implementation.name, sys.version_info[0], sys.version_info[1], sys.executable)";
    let answer = run::probe(std::process::Command::new(candidate).args(["-c", question]))?;
    let mut words = answer.splitn(4, ' ');
    let (name, major, minor) = (words.next()?, words.next()?, words.next()?.parse().ok()?);
    (name == "cpython" && major == "3").then_some(Python { program: words.next()?.into(), minor })
}

/// Makes the environment if it is not there, and returns its Python.
pub fn venv(python: &Python, folder: &Utf8Path) -> Result<Utf8PathBuf> {
    let program = folder.join("bin/python");
    if run::probe(std::process::Command::new(&program).args(["-m", "pip", "--version"])).is_none() {
        files::fresh_folder(folder)?;
        let made = run::quietly(std::process::Command::new(&python.program).args(["-m", "venv", folder.as_str()]));
        made.context("Python's venv module did not work (on Debian: the package python3-venv)")?;
    }
    Ok(program)
}

/// `pip install` with the arguments given.
pub fn pip_install(python: &Utf8Path, arguments: &[&str]) -> Result<()> {
    let mut pip = run::command(python, &paths::root()?);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]).args(arguments);
    run::quietly(&mut pip)
}

/// Installs requirement files unless the environment has exactly their content already.
pub fn requirements(python: &Utf8Path, requirement_files: &[Utf8PathBuf]) -> Result<()> {
    let folder = python.parent().and_then(Utf8Path::parent).context("a Python without an environment")?;
    if has_requirements(folder, requirement_files) {
        return Ok(());
    }
    let arguments: Vec<&str> = requirement_files.iter().flat_map(|file| ["-r", file.as_str()]).collect();
    pip_install(python, &arguments)?;
    files::write(&folder.join(STAMP), &content(requirement_files)?)?;
    Ok(())
}

/// Whether the environment was completed with exactly these requirements.
pub fn has_requirements(folder: &Utf8Path, requirement_files: &[Utf8PathBuf]) -> bool {
    let wanted = content(requirement_files).ok();
    wanted.is_some() && std::fs::read(folder.join(STAMP)).ok() == wanted
}

const STAMP: &str = "requirements.installed";

/// The text of requirement files, with those that they include.
fn content(requirement_files: &[Utf8PathBuf]) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    for file in requirement_files {
        let text = files::text(file)?;
        for line in text.lines() {
            if let (Some(other), Some(folder)) = (line.strip_prefix("-r "), file.parent()) {
                all.extend(content(&[folder.join(other.trim())])?);
            }
        }
        all.extend(text.into_bytes());
    }
    Ok(all)
}

/// An environment below `target/tools` with these packages; made on demand, kept until the list changes.
pub fn tools(name: &str, packages: &[&str]) -> Result<Utf8PathBuf> {
    let python = default()?;
    let list = packages.join("\n");
    let folder = paths::target()?.join(format!("tools/{name}-3.{}-{}", python.minor, short_hash(list.as_bytes())));
    let ready = folder.join("ready");
    let program = venv(&python, &folder)?;
    if !ready.exists() {
        pip_install(&program, packages)?;
        files::write(&ready, b"")?;
    }
    Ok(program)
}

/// Eight characters that stand for the content.
pub fn short_hash(content: &[u8]) -> String {
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(Sha256::digest(content));
    text.chars().filter(char::is_ascii_alphanumeric).take(8).collect()
}
