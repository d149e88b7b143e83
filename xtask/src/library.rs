//! Building the shared library. One build serves the generated code, `.venv`, the wheel, the jar and the Swift package;
//! phones have one of their own.
//!
//! - `cargo rustc --crate-type cdylib`, because a plain build of a `cdylib` plus `lib` package gets no link-time
//!   optimisation.
//! - The build output stays unstripped: UniFFI reads its metadata from the symbols. Copies are stripped.
//! - Paths of this machine are mapped to fixed names, so that two folders give the same bytes.

use crate::{check, files, paths, python, run};
use anyhow::{Context, Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use std::process::Command;

/// The library as the generated Python module looks for it.
pub fn file_name() -> String {
    format!("{}remotemedia{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
}

const BUILD: &[&str] = &["rustc", "--quiet", "--lib", "--crate-type", "cdylib", "--locked"];

/// Which library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// Everything, for speed.
    Full,
    /// For phones: small, without files, video, the command line and what is Python's alone.
    Phone,
}

impl Flavour {
    fn arguments(self) -> Vec<&'static str> {
        match self {
            Self::Full => vec!["--release"],
            Self::Phone => [&["--profile", "phone"], check::PHONE].concat(),
        }
    }

    /// Where cargo puts it, below the folder of the target.
    fn folder(self) -> &'static str {
        match self {
            Self::Full => "release",
            Self::Phone => "phone",
        }
    }
}

/// Builds the library for this machine and returns the unstripped file.
pub fn build(flavour: Flavour) -> Result<Utf8PathBuf> {
    let mut cargo = run::cargo();
    cargo.current_dir(paths::root()?).args(BUILD).args(flavour.arguments());
    run::must(cargo.env("CARGO_ENCODED_RUSTFLAGS", flags()?))?;
    found(paths::target()?.join(flavour.folder()).join(file_name()))
}

/// Builds the library against an old glibc, such as 2.17.
pub fn build_for_glibc(version: &str) -> Result<Utf8PathBuf> {
    let host = run::host()?;
    if !host.ends_with("-linux-gnu") {
        bail!("--glibc works on Linux only; this machine is {host}");
    }
    build_with_zig(Flavour::Full, &host, version)
}

/// Builds the library for a Linux of another processor, or of an old glibc, with zig as the linker.
pub fn build_with_zig(flavour: Flavour, triple: &str, glibc: &str) -> Result<Utf8PathBuf> {
    let tools = python::tools("zig", &["ziglang==0.17.1", "cargo-zigbuild==0.24.1"])?;
    let cache = paths::target()?.join("xtask/zig-cache");
    let bin = tools.parent().context("a Python without a folder")?.to_owned();
    let mut zig = run::command(bin.join("cargo-zigbuild"), &paths::root()?);
    zig.args(BUILD).args(flavour.arguments()).args(["--target", &format!("{triple}.{glibc}")]);
    zig.env("PATH", format!("{bin}:{}", std::env::var("PATH").unwrap_or_default()));
    for name in ["ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR", "XDG_CACHE_HOME"] {
        zig.env(name, &cache);
    }
    for name in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH"] {
        zig.env_remove(name);
    }
    run::must(zig.env("CARGO_ENCODED_RUSTFLAGS", flags()?))?;
    found(paths::target()?.join(triple).join(flavour.folder()).join(file_name()))
}

fn found(path: Utf8PathBuf) -> Result<Utf8PathBuf> {
    if !path.exists() {
        bail!("cargo built no {path}");
    }
    Ok(path)
}

/// The user's own flags, and a fixed name for every folder of this machine that could end up in the library.
fn flags() -> Result<String> {
    let mut flags: Vec<String> = match std::env::var("RUSTFLAGS") {
        Ok(own) => own.split_whitespace().map(str::to_owned).collect(),
        Err(_) => Vec::new(),
    };
    for (from, to) in folders()? {
        flags.push(format!("--remap-path-prefix={from}={to}"));
    }
    Ok(flags.join("\u{1f}"))
}

/// Folders of this machine, the more general first: of several that match, rustc takes the last.
pub fn folders() -> Result<Vec<(Utf8PathBuf, &'static str)>> {
    let mut folders = vec![(paths::root()?, "/remotemedia"), (paths::target()?, "/remotemedia/target")];
    if let Ok(sysroot) = run::sysroot() {
        folders.push((sysroot, "/rust"));
    }
    let home = match std::env::var("CARGO_HOME") {
        Ok(home) => Utf8PathBuf::from(home),
        Err(_) => {
            Utf8PathBuf::from(std::env::var("HOME").context("neither CARGO_HOME nor HOME is set")?).join(".cargo")
        }
    };
    folders.push((home.clone(), "/cargo"));
    // One folder per registry, its name says which: all of them become one.
    if let Ok(entries) = home.join("registry/src").read_dir_utf8() {
        let mut registries: Vec<_> = entries.flatten().map(|entry| entry.into_path()).collect();
        registries.sort();
        folders.extend(registries.into_iter().map(|folder| (folder, "/cargo/registry")));
    }
    Ok(folders)
}

/// Writes the library's bytes as an executable file.
pub fn place(library: &[u8], to: &Utf8Path) -> Result<()> {
    files::write(to, library)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// The library without the symbols and sections that only tools read.
pub fn stripped(library: &Utf8Path) -> Result<Vec<u8>> {
    let folder = paths::target()?.join("xtask");
    std::fs::create_dir_all(&folder)?;
    let copy = folder.join(format!("stripped-{}.so", std::process::id()));
    // Ours first: it comes with the pinned toolchain, so every machine gets the same bytes.
    let mut tool = match objcopy() {
        Some(tool) => tool,
        None => Command::new("strip"),
    };
    let by_strip = tool.get_program() == "strip";
    tool.arg("--strip-unneeded").arg(library);
    run::quietly(if by_strip { tool.arg("-o").arg(&copy) } else { tool.arg(&copy) })?;
    let bytes = files::read(&copy)?;
    std::fs::remove_file(&copy)?;
    Ok(bytes)
}

/// The objcopy inside the Rust toolchain, if it runs.
fn objcopy() -> Option<Command> {
    let sysroot = run::sysroot().ok()?;
    let program = sysroot.join("lib/rustlib").join(run::host().ok()?).join("bin/rust-objcopy");
    let make = || {
        let mut tool = Command::new(&program);
        tool.env("LD_LIBRARY_PATH", sysroot.join("lib"));
        tool
    };
    run::probe(make().arg("--version"))?;
    Some(make())
}
