//! `build-sdist`: an archive from which a wheel can be built. Its bytes depend on the content alone.

use crate::{files, metadata, paths};
use anyhow::{Context, Result};
use camino::{Utf8Path, Utf8PathBuf};
use flate2::{Compression, GzBuilder};
use std::collections::BTreeMap;

/// What the archive holds, relative to the root. Recordings are left out: they are most of the repository.
const CONTENTS: &[&str] = &[
    ".cargo",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "SECURITY.md",
    "THIRD-PARTY-LICENSES",
    "benches",
    "bindings",
    "deny.toml",
    "docs",
    "examples",
    "python",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "src",
    "tests",
    "uniffi.toml",
    "xtask",
];

pub fn run(arguments: &[String]) -> Result<()> {
    files::only(arguments, &["--out"], &[])?;
    let out = match files::option(arguments, "--out")? {
        Some(folder) => Utf8PathBuf::try_from(std::env::current_dir()?)?.join(folder),
        None => paths::target()?.join("wheels"),
    };
    let path = build(&out)?;
    println!("{path}\n{} bytes", std::fs::metadata(&path)?.len());
    Ok(())
}

/// Builds the archive into `out`.
pub fn build(out: &Utf8Path) -> Result<Utf8PathBuf> {
    let package = metadata::load()?;
    let stem = package.stem();
    let mut contents = collect(&paths::root()?)?;
    contents.insert("PKG-INFO".to_owned(), package.metadata()?.into_bytes());
    contents.insert("pyproject.toml".to_owned(), PYPROJECT.as_bytes().to_vec());
    let zipped = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    let mut archive = tar::Builder::new(zipped);
    for (path, content) in &contents {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(if path == ".ci/run" { 0o755 } else { 0o644 });
        header.set_mtime(315_532_800); // 1980-01-01, as in the wheel
        archive.append_data(&mut header, format!("{stem}/{path}"), content.as_slice())?;
    }
    let path = out.join(format!("{stem}.tar.gz"));
    files::write(&path, &archive.into_inner()?.finish()?)?;
    Ok(path)
}

/// The archive's own build settings: the backend is the one of the repository, seen from the archive's root.
const PYPROJECT: &str = "\
[build-system]
requires = []
build-backend = \"remotemedia_build\"
backend-path = [\"python/build_backend\"]
";

fn collect(root: &Utf8Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for name in CONTENTS {
        let path = root.join(name);
        if path.is_file() {
            found.insert((*name).to_owned(), files::read(&path)?);
        } else if path.is_dir() {
            for inner in files::walk(&path, &|inner| left_out(&Utf8Path::new(name).join(inner)))? {
                found.insert(format!("{name}/{inner}"), files::read(&path.join(&inner))?);
            }
        }
    }
    found.get("Cargo.lock").context("there is no Cargo.lock: run `cargo build` first")?;
    Ok(found)
}

fn left_out(path: &Utf8Path) -> bool {
    let generated = path.starts_with("bindings") && matches!(path.file_name(), Some("generated" | "target" | ".build"));
    generated
        || files::is_litter(path)
        || matches!(path.as_str(), "examples/data" | "python/remotemedia/_native" | "python/build" | "xtask/target")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_left_out() {
        for path in ["examples/data", "python/remotemedia/_native", "bindings/kotlin/generated", "src/__pycache__"] {
            assert!(left_out(Utf8Path::new(path)), "{path}");
        }
        for path in ["examples/demo.py", "python/remotemedia/nodes.py", "bindings/api.txt", "src/lib.rs"] {
            assert!(!left_out(Utf8Path::new(path)), "{path}");
        }
    }
}
