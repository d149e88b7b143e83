//! `sanitize`: the unsafe code of the boundary under Miri where it is installed, else under AddressSanitizer; and the
//! library under Python, with an exception at each moment, under valgrind.

use crate::{files, paths, python, run, test, wheel};
use anyhow::Result;
use camino::Utf8Path;
use std::process::Command;

/// The tests that reach the unsafe code of the boundary.
const TESTS: &str = "ffi::";
/// Those of shared memory, which Miri does not know.
const SHARED_MEMORY: &str = "ipc::";

pub fn run(arguments: &[String]) -> Result<()> {
    files::only(arguments, &[], &[])?;
    match missing()? {
        Some(reason) => println!("left out: {reason}"),
        None => sanitize()?,
    }
    match valgrind_missing() {
        Some(reason) => println!("left out: {reason}"),
        None => under_python(&wheel::build(&paths::target()?.join("wheels"), None)?.path)?,
    }
    Ok(())
}

/// The tests of Python that interrupt the boundary, that lie to it, and that end objects in odd orders.
const OF_PYTHON: [&str; 3] = ["tests/test_interrupts.py", "tests/test_hostile.py", "tests/test_memory.py"];
/// valgrind does not flush denormal numbers to zero; of the tests of memory, those of time and size are not meant.
const WHICH: &str = "not numbers_below_any_sound and (not test_memory or garbage)";
/// One position of so many: valgrind takes fifty times as long.
const EVERY: &str = "20";

/// Why valgrind cannot run here, if so.
pub fn valgrind_missing() -> Option<String> {
    let found = run::probe(Command::new("valgrind").arg("--version")).is_some();
    (!found).then(|| "valgrind is not installed (apt-get install valgrind)".to_owned())
}

/// Runs tests of the installed wheel under valgrind: a read or a write of memory that is nobody's, or somebody else's,
/// fails them, also in numpy.
pub fn under_python(wheel: &Utf8Path) -> Result<()> {
    let (program, folder) = test::prepared(&python::default()?, wheel, "valgrind")?;
    let mut tests = test::isolated("valgrind".into(), &folder)?;
    tests.args(["--quiet", "--error-exitcode=99", "--undef-value-errors=no", "--leak-check=no"]);
    tests.arg(format!("--suppressions={}", paths::root()?.join("xtask/src/valgrind.supp")));
    tests.args([program.as_str(), "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]).args(OF_PYTHON);
    tests.args(["-k", WHICH]);
    // Memory of small objects comes from malloc, too, so that valgrind knows it.
    run::must(tests.env("PYTHONMALLOC", "malloc").env("REMOTEMEDIA_EVERY", EVERY))
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
