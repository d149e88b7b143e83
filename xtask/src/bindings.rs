//! The generated code of all three languages, made from the unstripped library and patched, as texts in memory.

use crate::{api, files, patches, paths};
use anyhow::{Context, Result};
use askama::Template;
use camino::{Utf8Path, Utf8PathBuf};
use std::collections::BTreeMap;
use uniffi_bindgen::bindings::{GenerateOptions, TargetLanguage, generate};
use uniffi_bindgen::{BindgenLoader, BindgenPaths, ComponentInterface, GlobalConfig};

/// Everything generated. Equal for two runs over one library.
#[derive(PartialEq)]
pub struct Generated {
    /// The module `remotemedia._native.remotemedia`.
    pub python: String,
    /// Files below `bindings/kotlin/generated/kotlin`.
    pub kotlin: BTreeMap<Utf8PathBuf, String>,
    /// Files below `bindings/swift/generated`.
    pub swift: BTreeMap<Utf8PathBuf, String>,
    /// `bindings/api.txt`.
    pub api: String,
}

/// Generates from the unstripped library.
pub fn make(library: &Utf8Path) -> Result<Generated> {
    // UniFFI calls `cargo metadata` in the current folder.
    std::env::set_current_dir(paths::root()?)?;
    let interface = interface(library)?;
    let work = paths::target()?.join(format!("xtask/generated-{}", std::process::id()));
    files::fresh_folder(&work)?;
    let config = work.join("uniffi.toml");
    files::write(&config, exclusions(&interface).as_bytes())?;
    let tree = |language, name| -> Result<BTreeMap<Utf8PathBuf, String>> {
        let folder = work.join(name);
        generate(GenerateOptions {
            languages: vec![language],
            source: library.to_owned(),
            out_dir: folder.clone(),
            config_override: Some(config.clone()),
            format: false,
            crate_filter: None,
            metadata_no_deps: true,
        })
        .with_context(|| format!("UniFFI could not generate {name}"))?;
        let found = files::walk(&folder, &|_| false)?;
        found.into_iter().map(|path| Ok((path.clone(), files::text(&folder.join(&path))?))).collect()
    };
    let python = python(library)?;
    let kotlin = tree(TargetLanguage::Kotlin, "Kotlin")?;
    let kotlin: Result<_> = kotlin.into_iter().map(|(path, text)| Ok((path, patches::kotlin(text)?))).collect();
    let swift =
        tree(TargetLanguage::Swift, "Swift")?.into_iter().map(|(path, text)| (swift_place(&path), text)).collect();
    std::fs::remove_dir_all(&work)?;
    Ok(Generated {
        python: patches::python(python, interface.object_definitions().len())?,
        kotlin: kotlin?,
        swift,
        api: api::render(&interface),
    })
}

/// The Python module. `generate` would do the same, but it also prints the paths of its files.
fn python(library: &Utf8Path) -> Result<String> {
    let mut paths = BindgenPaths::default();
    paths.add_cargo_metadata_layer(true)?;
    let loader = BindgenLoader::new(paths, GlobalConfig::default());
    let root = loader.load_pipeline_initial_root(library, loader.load_metadata(library)?)?;
    let root = uniffi_bindgen::bindings::python::pipeline().execute(root)?;
    let module = root.modules.values().find(|module| module.crate_name == "remotemedia");
    Ok(module.context("UniFFI made no Python module")?.render()?)
}

/// The C header and its map are one module, the Swift source another.
fn swift_place(path: &Utf8Path) -> Utf8PathBuf {
    match path.extension() {
        Some("swift") => Utf8Path::new("RemoteMediaNative").join(path),
        Some("modulemap") => "CRemoteMedia/module.modulemap".into(),
        _ => Utf8Path::new("CRemoteMedia").join(path),
    }
}

/// The exports, as UniFFI reads them from the library.
pub fn interface(library: &Utf8Path) -> Result<ComponentInterface> {
    let loader = BindgenLoader::new(BindgenPaths::default(), GlobalConfig::default());
    let metadata = loader.load_metadata(library)?;
    let found = loader.load_cis(metadata)?.into_iter().find(|one| one.crate_name() == "remotemedia");
    found.with_context(|| format!("{library} exports nothing: does the crate `remotemedia` have its UniFFI exports?"))
}

/// What is for Python, and Kotlin has it too: the staging memory of a session, `internal` there.
const KOTLIN_TOO: &[&str] = &["RawLane", "RawLane.raw_", "Session.raw_lane"];
/// Named for Python's command and not `raw_`: no command line for the others.
const PYTHON_ONLY: &[&str] = &["cli_main"];

/// The settings that follow from the exports: Kotlin and Swift do not get what is for Python, but Kotlin gets the lane.
fn exclusions(interface: &ComponentInterface) -> String {
    let raw = api::raw_names(interface);
    let all = |but: &dyn Fn(&str) -> bool| -> String {
        let names = raw.iter().map(String::as_str).filter(|name| !but(name)).chain(PYTHON_ONLY.iter().copied());
        names.map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
    };
    let kotlin = all(&|name| {
        KOTLIN_TOO.iter().any(|known| name == *known || known.ends_with("raw_") && name.starts_with(known))
    });
    let swift = all(&|name| PYTHON_ONLY.contains(&name));
    [("kotlin", kotlin), ("swift", swift)]
        .map(|(language, list)| format!("[crates.remotemedia.bindings.{language}]\nexclude = [{list}]\n"))
        .concat()
}
