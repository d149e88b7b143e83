//! `bench`: ours and the peers in one run, on the wheel; tables to docs/benchmarks.md, everything to target/bench.

use crate::{files, paths, python, run, test, wheel};
use anyhow::Result;

pub fn run(arguments: &[String]) -> Result<()> {
    files::only(arguments, &["--only"], &["--quick", "--seed-claims", "--no-peers"])?;
    let has = |name: &str| arguments.iter().any(|one| one == name);
    let wheel = wheel::build(&paths::target()?.join("wheels"), None)?;
    let folder = paths::target()?.join(if has("--no-peers") { "bench/alone" } else { "bench/env" });
    let program = python::venv(&python::default()?, &folder)?;
    if has("--no-peers") {
        python::pip_install(&program, &["numpy>=1.26"])?;
    } else {
        python::requirements(&program, &[paths::python()?.join("bench-requirements.txt")])?;
        python::pip_install(&program, &["--no-deps", "silero-vad"])?;
    }
    python::pip_install(&program, &["--no-deps", "--force-reinstall", wheel.path.as_str()])?;
    let out = paths::target()?.join("bench");
    let mut bench = test::isolated(&program, &out)?;
    bench.args(["-m", "remotemedia", "bench", "--json", out.join("bench.json").as_str()]);
    // A part of the rows must not replace the page with all of them.
    if !has("--quick") && !has("--only") && !has("--no-peers") {
        bench.args(["--markdown", paths::root()?.join("docs/benchmarks.md").as_str(), "--seed-claims"]);
    }
    bench.args(arguments.iter().filter(|one| *one != "--no-peers"));
    run::must(&mut bench)
}
