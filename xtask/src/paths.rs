//! Where things are. Every path of the project that xtask uses is named here.

use anyhow::{Context, Result};
use camino::Utf8PathBuf;

/// The workspace root: what `cargo run` says, else the nearest folder upwards that has a Cargo.toml and an xtask.
pub fn root() -> Result<Utf8PathBuf> {
    if let Ok(manifest) = std::env::var("CARGO_MANIFEST_DIR") {
        let path = Utf8PathBuf::from(manifest);
        if path.ends_with("xtask") {
            return Ok(path.parent().context("xtask has no parent folder")?.to_owned());
        }
    }
    let here = Utf8PathBuf::try_from(std::env::current_dir()?)?;
    let found = here.ancestors().find(|folder| folder.join("Cargo.toml").exists() && folder.join("xtask").is_dir());
    found.map(|folder| folder.to_owned()).context("run this inside the remotemedia workspace")
}

/// Where cargo puts its output; xtask's own files go below it too.
pub fn target() -> Result<Utf8PathBuf> {
    match std::env::var("CARGO_TARGET_DIR") {
        Ok(folder) => Ok(Utf8PathBuf::try_from(std::env::current_dir()?)?.join(folder)),
        Err(_) => Ok(root()?.join("target")),
    }
}

pub fn python() -> Result<Utf8PathBuf> {
    Ok(root()?.join("python"))
}

/// The private Python package with the generated module and the library. Not in git.
pub fn native() -> Result<Utf8PathBuf> {
    Ok(python()?.join("remotemedia/_native"))
}

pub fn nodes_py() -> Result<Utf8PathBuf> {
    Ok(python()?.join("remotemedia/nodes.py"))
}

pub fn nodes_md() -> Result<Utf8PathBuf> {
    Ok(root()?.join("docs/nodes.md"))
}

pub fn api_txt() -> Result<Utf8PathBuf> {
    Ok(root()?.join("bindings/api.txt"))
}

pub fn kotlin() -> Result<Utf8PathBuf> {
    Ok(root()?.join("bindings/kotlin"))
}

pub fn swift() -> Result<Utf8PathBuf> {
    Ok(root()?.join("bindings/swift"))
}

/// The development environment that `cargo xtask dev` makes.
pub fn venv() -> Result<Utf8PathBuf> {
    Ok(root()?.join(".venv"))
}
