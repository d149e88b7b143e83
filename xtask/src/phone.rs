//! The library for phones: how large it is, and that it exports what the packages of Kotlin and Swift call.

use crate::library::{self, Flavour};
use crate::{bindings, check, paths, run};
use anyhow::{Result, bail};

/// What a phone downloads, at most.
const MOST_BYTES: usize = 2_500_000;
/// The processor of phones, with the C library of Linux: no NDK is to be had here.
const ARM: &str = "aarch64-unknown-linux-gnu";
const ANDROID: &str = "aarch64-linux-android";

/// Type-checks for Android, which needs no NDK.
pub fn checks_for_android() -> Result<()> {
    target(ANDROID)?;
    let mut cargo = run::cargo();
    cargo.current_dir(paths::root()?).args(["check", "--quiet", "--locked", "--lib", "--target", ANDROID]);
    run::must(cargo.args(check::PHONE))
}

/// Builds it for the processor of phones and measures it.
pub fn size() -> Result<()> {
    target(ARM)?;
    let built = library::build_with_zig(Flavour::Phone, ARM, "2.17")?;
    let bytes = library::stripped(&built)?.len();
    println!("{ARM}, features ffi and audio, stripped: {bytes} bytes");
    match bytes <= MOST_BYTES {
        true => Ok(()),
        false => bail!("the library for phones has {bytes} bytes, expected at most {MOST_BYTES}"),
    }
}

/// What is generated from the phone library is what is generated from the full one: one package serves both.
pub fn same_bindings() -> Result<()> {
    let full = bindings::make(&library::build(Flavour::Full)?)?;
    let phone = bindings::make(&library::build(Flavour::Phone)?)?;
    if full.kotlin != phone.kotlin || full.swift != phone.swift {
        bail!("Kotlin or Swift differ between the library for phones and the full one: an export depends on a feature");
    }
    Ok(())
}

/// Adds a target to the toolchain, where rustup is.
fn target(triple: &str) -> Result<()> {
    let installed = run::output(run::command("rustc", &paths::root()?).args(["--print", "sysroot"]))?;
    let there = camino::Utf8Path::new(installed.trim()).join("lib/rustlib").join(triple);
    match there.exists() {
        true => Ok(()),
        false => run::quietly(run::command("rustup", &paths::root()?).args(["target", "add", triple])),
    }
}
