//! `fuzz`: random manifests, steered by coverage, on the stable compiler.

use crate::{files, paths, run};
use anyhow::{Context, Result};

/// What cargo-fuzz passes, without the parts that only the nightly compiler knows.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";

pub fn run(arguments: &[String]) -> Result<()> {
    files::only(arguments, &["--seconds"], &[])?;
    let seconds = files::option(arguments, "--seconds")?.unwrap_or("60");
    fuzz(seconds.parse().with_context(|| format!("--seconds is `{seconds}`, expected a number"))?)
}

/// Why it cannot run here, if it cannot: libFuzzer's own code is C++.
pub fn missing() -> Option<String> {
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    run::probe(std::process::Command::new(&compiler).arg("--version"))
        .is_none()
        .then(|| format!("there is no C++ compiler (`{compiler}`)"))
}

/// Runs the target over the seeds, what earlier runs found, and what it makes of them.
pub fn fuzz(seconds: u32) -> Result<()> {
    let folder = paths::root()?.join("fuzz");
    let target = paths::target()?.join("fuzz");
    let triple = run::host()?;
    // The versions of everything that we lock; cargo adds libFuzzer's.
    std::fs::copy(paths::root()?.join("Cargo.lock"), folder.join("Cargo.lock"))?;
    let mut cargo = run::cargo();
    // A target triple keeps the flags away from build scripts and macros.
    cargo.current_dir(&folder).env("CARGO_TARGET_DIR", &target).env("RUSTFLAGS", FLAGS);
    run::must(cargo.args(["build", "--quiet", "--release", "--bin", "manifest", "--target", &triple]))?;
    let (corpus, artifacts) = (target.join("corpus"), target.join("artifacts/"));
    std::fs::create_dir_all(&corpus)?;
    std::fs::create_dir_all(&artifacts)?;
    for (number, text) in known_mistakes()?.iter().enumerate() {
        files::write(&corpus.join(format!("mistake-{number}")), text.as_bytes())?;
    }
    let mut program = std::process::Command::new(target.join(&triple).join("release/manifest"));
    program.current_dir(&folder).arg(&corpus).arg("seeds");
    program.arg(format!("-max_total_time={seconds}")).arg(format!("-artifact_prefix={artifacts}"));
    program.args(["-dict=manifest.dict", "-max_len=8192", "-timeout=10", "-rss_limit_mb=2048", "-verbosity=0"]);
    program.args(["-print_final_stats=1"]);
    run::must(&mut program).with_context(|| format!("the text that did it is in {artifacts}"))
}

/// The bad manifests that every language is tested with: good places to start from.
fn known_mistakes() -> Result<Vec<String>> {
    let text = files::text(&paths::root()?.join("tests/conformance/manifest_errors.json"))?;
    let file: serde_json::Value = serde_json::from_str(&text)?;
    let cases = file["cases"].as_array().context("the file of bad manifests has no cases")?;
    Ok(cases.iter().filter_map(|case| case["manifest"].as_str().map(str::to_owned)).collect())
}
