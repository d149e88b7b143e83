//! `generate`: the library, the bindings of each language, and the committed files that follow from the code.

use crate::bindings::{self, Generated};
use crate::catalogue::NodeType;
use crate::{catalogue, errors_md, files, library, nodes_md, nodes_py, paths};
use anyhow::Result;
use camino::Utf8PathBuf;
use std::collections::BTreeMap;

pub fn run(arguments: &[String]) -> Result<()> {
    files::only(arguments, &[], &[])?;
    let (_, generated) = bindings()?;
    for (path, text) in committed(&generated, &catalogue::load()?)? {
        if files::write(&path, text.as_bytes())? {
            println!("rewrote {}", path.strip_prefix(paths::root()?).unwrap_or(&path));
        }
    }
    Ok(())
}

/// Builds the library and puts it and the generated sources where each language needs them.
/// Returns the unstripped library and what was generated from it.
pub fn bindings() -> Result<(Utf8PathBuf, Generated)> {
    let built = library::build()?;
    let generated = bindings::make(&built)?;
    let stripped = library::stripped(&built)?;
    install_python(&generated, &stripped)?;
    install_kotlin(&generated, &stripped)?;
    install_swift(&generated, &stripped)?;
    Ok((built, generated))
}

/// The files that are in git and follow from the code: their paths and what they should hold.
pub fn committed(generated: &Generated, nodes: &[NodeType]) -> Result<BTreeMap<Utf8PathBuf, String>> {
    Ok(BTreeMap::from([
        (paths::api_txt()?, generated.api.clone()),
        (paths::nodes_py()?, nodes_py::render(nodes)?),
        (paths::nodes_md()?, nodes_md::render(nodes)?),
        (paths::root()?.join("docs/errors.md"), errors_md::render()?),
    ]))
}

/// The `__init__.py` of the private package.
pub const NATIVE_INIT: &str = "\"\"\"Generated from the Rust core. Private: use `remotemedia`.\"\"\"\n";

fn install_python(generated: &Generated, library: &[u8]) -> Result<()> {
    let native = paths::native()?;
    files::write(&native.join("__init__.py"), NATIVE_INIT.as_bytes())?;
    // The module and the library belong together: UniFFI does not notice when they differ.
    library::place(library, &native.join(library::file_name()))?;
    files::write(&native.join("remotemedia.py"), generated.python.as_bytes())?;
    Ok(())
}

fn install_kotlin(generated: &Generated, library: &[u8]) -> Result<()> {
    let folder = paths::kotlin()?.join("generated");
    for (path, text) in &generated.kotlin {
        files::write(&folder.join("kotlin").join(path), text.as_bytes())?;
    }
    // JNA's names of the platforms.
    let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH.replace("x86_64", "x86-64"));
    library::place(library, &folder.join("resources").join(platform).join(library::file_name()))
}

fn install_swift(generated: &Generated, library: &[u8]) -> Result<()> {
    let folder = paths::root()?.join("bindings/swift/generated");
    for (path, text) in &generated.swift {
        files::write(&folder.join(path), text.as_bytes())?;
    }
    library::place(library, &folder.join("lib").join(library::file_name()))
}
