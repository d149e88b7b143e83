//! The library for phones: how large it is, and that it exports what the packages of Kotlin and Swift call.

use crate::library::{self, Flavour};
use crate::{bindings, check, paths, run};
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;

/// What a phone downloads, at most.
const MOST_BYTES: usize = 2_600_000;
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

/// Kotlin and Swift that are generated from the full library call the one for phones in the same way: one package serves
/// both. Helpers for types that only Python's functions use may differ.
pub fn same_bindings() -> Result<()> {
    let full = bindings::make(&library::build(Flavour::Full)?)?;
    let phone = bindings::make(&library::build(Flavour::Phone)?)?;
    for (one, other) in [(&full.kotlin, &phone.kotlin), (&full.swift, &phone.swift)] {
        for (path, text) in one {
            let theirs = other.get(path).with_context(|| format!("the library for phones gives no {path}"))?;
            if let Some(line) = other_call(text, theirs) {
                bail!("{path}: the library for phones has nothing like `{}`", line.trim());
            }
        }
    }
    Ok(())
}

/// A line that declares, calls or checks a function of the library, and is not in the other text.
fn other_call<'a>(text: &'a str, theirs: &str) -> Option<&'a str> {
    let known: BTreeSet<&str> = theirs.lines().collect();
    text.lines().find(|line| line.contains("_remotemedia_") && !known.contains(line))
}

/// Adds a target to the toolchain, where rustup is.
fn target(triple: &str) -> Result<()> {
    match run::sysroot()?.join("lib/rustlib").join(triple).exists() {
        true => Ok(()),
        false => run::quietly(run::command("rustup", &paths::root()?).args(["target", "add", triple])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_the_other_library_has_not_is_found() {
        let (full, phone) = ("a\n uniffi_remotemedia_b(1)\nc", "c\n uniffi_remotemedia_b(1)");
        assert_eq!(other_call(full, phone), None);
        assert_eq!(other_call(full, "uniffi_remotemedia_b(2)"), Some(" uniffi_remotemedia_b(1)"));
    }
}
