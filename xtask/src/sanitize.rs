//! `sanitize`: the unsafe code of the boundary under Miri where it is installed, else under AddressSanitizer.

use crate::{files, paths, run};
use anyhow::Result;
use std::process::Command;

/// The tests that reach the unsafe code of the boundary.
const TESTS: &str = "ffi::";
/// Those of shared memory, which Miri does not know.
const SHARED_MEMORY: &str = "ipc::";

pub fn run(arguments: &[String]) -> Result<()> {
    files::only(arguments, &[], &[])?;
    match missing()? {
        Some(reason) => {
            println!("left out: {reason}");
            Ok(())
        }
        None => sanitize(),
    }
}

/// Why neither of the two can run here, if so.
pub fn missing() -> Result<Option<String>> {
    if miri() {
        return Ok(None);
    }
    let folder = format!("{}/lib/rustlib/{}/lib", run::sysroot()?, run::host()?);
    let runtime = std::fs::read_dir(&folder).ok().is_some_and(|mut entries| {
        entries.any(|entry| entry.is_ok_and(|entry| entry.file_name().to_string_lossy().contains("rt.asan")))
    });
    Ok((!runtime).then(|| "neither Miri nor the runtime of AddressSanitizer is installed".to_owned()))
}

fn miri() -> bool {
    run::probe(Command::new("cargo").args(["+nightly", "miri", "--version"])).is_some()
}

/// Runs the tests of the boundary. Folders of their own, as every package is built anew.
pub fn sanitize() -> Result<()> {
    let target = paths::target()?.join("sanitize");
    if miri() {
        println!("by Miri");
        let mut cargo = Command::new("cargo");
        cargo
            .current_dir(paths::root()?)
            .env("CARGO_TARGET_DIR", &target)
            .env("MIRIFLAGS", "-Zmiri-permissive-provenance");
        return run::must(cargo.args(["+nightly", "miri", "test", "--quiet", "--lib", TESTS]));
    }
    println!("by AddressSanitizer; Miri is not installed");
    let mut cargo = run::cargo();
    cargo.current_dir(paths::root()?).env("CARGO_TARGET_DIR", &target);
    // The pinned compiler has the sanitizers; that it may use them must be said.
    cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-Zsanitizer=address").env("ASAN_OPTIONS", "detect_leaks=0");
    let triple = run::host()?;
    run::must(cargo.args(["test", "--quiet", "--lib", "--locked", "--target", &triple, "--", TESTS, SHARED_MEMORY]))
}
