//! `demo`: from nothing to a report over real recordings.

use crate::dev::{self, Contents};
use crate::{files, paths, python, run};
use anyhow::{Result, bail};
use std::time::Instant;

pub fn run(arguments: &[String]) -> Result<()> {
    files::only(arguments, &[], &["--asr"])?;
    if arguments.iter().any(|one| one == "--asr") {
        return speech_recognition();
    }
    let started = Instant::now();
    let before = since_process_start();
    let root = paths::root()?;
    let data = root.join("examples/data");
    if !data.is_dir() {
        bail!("the recordings are missing: {data} is not there");
    }
    let python = dev::environment(Contents::Package)?;
    let ready = started.elapsed();
    let report = paths::target()?.join("demo/report.html");
    std::fs::create_dir_all(paths::target()?.join("demo"))?;
    let mut demo = run::command(&python, &root);
    run::must(demo.args(["-m", "remotemedia", "demo", "--data", data.as_str(), "--report", report.as_str()]))?;
    let all = started.elapsed();
    println!(
        "\nlibrary and environment {:.1} s, demo {:.1} s, together {:.1} s{}",
        ready.as_secs_f64(),
        (all - ready).as_secs_f64(),
        all.as_secs_f64(),
        before.map(|seconds| format!("; with building xtask {:.1} s", seconds + all.as_secs_f64())).unwrap_or_default()
    );
    Ok(())
}

/// The recogniser of examples/asr.py in a worker process, over the recording that the package has.
fn speech_recognition() -> Result<()> {
    let root = paths::root()?;
    let python = dev::environment(Contents::Package)?;
    python::requirements(&python, &[paths::python()?.join("asr-requirements.txt")])?;
    run::must(run::command(&python, &root).arg("examples/asr.py"))
}

/// Seconds since `cargo xtask` was typed: cargo becomes this process, so its start is ours. None where /proc is not.
fn since_process_start() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    // The second field is the name in brackets; the 22nd is the start in ticks, of which Linux has 100 a second.
    let ticks: f64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    let now: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    Some((now - ticks / 100.0).max(0.0))
}
