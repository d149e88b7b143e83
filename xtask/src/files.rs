//! Reading trees, and writing files so that nobody ever sees half of one.

use anyhow::{Context, Result};
use camino::{Utf8Path, Utf8PathBuf};
use std::fs;

/// Writes through a temporary file and a rename. A library that a running Python has mapped is replaced, never
/// written over. Nothing happens when the content is the same already.
pub fn write(path: &Utf8Path, content: &[u8]) -> Result<bool> {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(false);
    }
    let folder = path.parent().context("a file without a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {folder}"))?;
    let temporary = folder.join(format!(".{}.{}", path.file_name().unwrap_or("new"), std::process::id()));
    fs::write(&temporary, content).with_context(|| format!("cannot write {temporary}"))?;
    fs::rename(&temporary, path).with_context(|| format!("cannot write {path}"))?;
    Ok(true)
}

pub fn read(path: &Utf8Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {path}"))
}

pub fn text(path: &Utf8Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}

/// An empty folder at `path`, whatever was there before.
pub fn fresh_folder(path: &Utf8Path) -> Result<()> {
    if path.exists() {
        fs::remove_dir_all(path).with_context(|| format!("cannot empty {path}"))?;
    }
    fs::create_dir_all(path).with_context(|| format!("cannot make {path}"))
}

/// Every file below `folder`, as sorted paths relative to it. Folders and files for which `skip` holds are left out.
pub fn walk(folder: &Utf8Path, skip: &dyn Fn(&Utf8Path) -> bool) -> Result<Vec<Utf8PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![Utf8PathBuf::new()];
    while let Some(relative) = open.pop() {
        let here = folder.join(&relative);
        for entry in here.read_dir_utf8().with_context(|| format!("cannot read {here}"))? {
            let entry = entry?;
            let path = relative.join(entry.file_name());
            if skip(&path) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                open.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// What running and testing leave behind: never shipped.
pub fn is_litter(path: &Utf8Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name == "__pycache__"
        || name.ends_with(".pyc")
        || name.ends_with(".egg-info")
        || matches!(name, ".mypy_cache" | ".ruff_cache" | ".pytest_cache" | ".hypothesis" | ".DS_Store")
}

/// Copies the tree below `from` to `to`.
pub fn copy_tree(from: &Utf8Path, to: &Utf8Path) -> Result<()> {
    for path in walk(from, &is_litter)? {
        write(&to.join(&path), &read(&from.join(&path))?)?;
    }
    Ok(())
}

/// The value after `name` in the arguments.
pub fn option<'a>(arguments: &'a [String], name: &str) -> Result<Option<&'a str>> {
    match arguments.iter().position(|argument| argument == name) {
        None => Ok(None),
        Some(place) => {
            let value = arguments.get(place + 1).with_context(|| format!("{name} needs a value"))?;
            Ok(Some(value))
        }
    }
}

/// Fails on an argument that the command does not know. `valued` ones take a value, `flags` do not.
pub fn only(arguments: &[String], valued: &[&str], flags: &[&str]) -> Result<()> {
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if valued.contains(&argument.as_str()) {
            rest.next().with_context(|| format!("{argument} needs a value"))?;
        } else if !flags.contains(&argument.as_str()) {
            anyhow::bail!("`{argument}` is not an option of this command");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_checked() {
        let given = ["--out".to_owned(), "here".to_owned(), "--quick".to_owned()];
        assert_eq!(option(&given, "--out").unwrap(), Some("here"));
        assert!(only(&given, &["--out"], &["--quick"]).is_ok());
        assert!(only(&given, &["--out"], &[]).is_err());
        assert!(option(&given[..1], "--out").is_err());
    }
}
