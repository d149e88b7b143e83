//! `generate`: the library, the bindings of each language, and the committed files that follow from the code.

use crate::bindings::{self, Generated};
use crate::catalogue::NodeType;
use crate::library::Flavour;
use crate::{catalogue, errors_md, files, library, nodes_md, nodes_py, paths};
use anyhow::Result;
use camino::{Utf8Path, Utf8PathBuf};
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

/// Builds the library and puts the generated sources where each language needs them; Python's beside the library.
/// `kotlin` and `swift` place theirs. Returns the unstripped library and what was generated from it.
pub fn bindings() -> Result<(Utf8PathBuf, Generated)> {
    let built = library::build(Flavour::Full)?;
    let generated = bindings::make(&built)?;
    install_python(&generated, &library::stripped(&built)?)?;
    install(&generated.kotlin, &paths::kotlin()?.join("generated/kotlin"))?;
    install(&generated.swift, &paths::swift()?.join("generated"))?;
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

fn install(sources: &BTreeMap<Utf8PathBuf, String>, folder: &Utf8Path) -> Result<()> {
    for (path, text) in sources {
        files::write(&folder.join(path), text.as_bytes())?;
    }
    Ok(())
}
