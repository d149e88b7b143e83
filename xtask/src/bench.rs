//! `bench`: ours and the peers in one run, on the wheel; tables to docs/benchmarks.md, everything to target/bench.

use crate::{files, kotlin, paths, python, run, test, wheel};
use anyhow::Result;
use camino::{Utf8Path, Utf8PathBuf};

pub fn run(arguments: &[String]) -> Result<()> {
    files::only(arguments, &["--only"], &["--quick", "--seed-claims", "--no-peers", "--kotlin"])?;
    let has = |name: &str| arguments.iter().any(|one| one == name);
    if has("--kotlin") {
        return kotlin::bench();
    }
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
    if !has("--quick") {
        bench.env("REMOTEMEDIA_RUST_LOOP", rust_loops(&out)?);
    }
    // A part of the rows must not replace the page with all of them.
    if !has("--quick") && !has("--only") && !has("--no-peers") {
        bench.args(["--markdown", paths::root()?.join("docs/benchmarks.md").as_str(), "--seed-claims"]);
    }
    bench.args(arguments.iter().filter(|one| *one != "--no-peers"));
    run::must(&mut bench)
}

/// What a frame costs in a loop in Rust: nanoseconds by name, for `python/remotemedia/_bench/frames.py`.
fn rust_loops(out: &Utf8Path) -> Result<Utf8PathBuf> {
    run::must(run::cargo().current_dir(paths::root()?).args([
        "build",
        "--release",
        "--quiet",
        "--example",
        "frame_loop",
    ]))?;
    let program = paths::target()?.join("release/examples/frame_loop");
    let mut figures = serde_json::Map::new();
    let mut time = |name: String, arguments: [&str; 4], frame_ms: &str| -> Result<()> {
        let mut command = std::process::Command::new(&program);
        let answer = run::output(command.args(arguments).args(["20", "7", frame_ms]))?;
        figures.insert(name, answer.trim().parse::<u64>()?.into());
        Ok(())
    };
    for quality in ["high", "low_latency"] {
        for (from, to) in [(48_000, 16_000), (44_100, 16_000), (44_100, 48_000), (16_000, 48_000), (8_000, 16_000)] {
            let params = format!("{{\"target_rate\": {to}, \"quality\": \"{quality}\"}}");
            for channels in ["1", "2"] {
                let name = format!("{quality}, {from} to {to}, {channels}");
                time(name, ["AudioResample", &params, &from.to_string(), channels], "20")?;
            }
        }
    }
    time("SpeechVAD, 32 ms".into(), ["SpeechVAD", "{}", "16000", "1"], "32")?;
    let path = out.join("rust-loop.json");
    files::write(&path, serde_json::to_string_pretty(&figures)?.as_bytes())?;
    Ok(path)
}
