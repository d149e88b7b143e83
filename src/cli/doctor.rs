//! `doctor`: whether the library works on this machine.

use std::time::Duration;

use serde_json::json;

use super::say;
use crate::VERSION;
use crate::data::{AudioBuffer, AudioFormat, RuntimeData};
use crate::engine::RunOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::Source;
use crate::media::{self, AudioReader};
use crate::runtime::{self, Pipeline, Runtime};
use crate::words::counted;

/// How to report.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// Remove what dead processes have left in shared memory.
    #[arg(long)]
    clean: bool,
    /// A further line, as STATE:NAME:TEXT. The Python package adds its own.
    #[arg(long, hide = true)]
    also: Vec<String>,
}

/// Less shared memory than this is little: a picture of 1080p and its result, a few times.
const ENOUGH_MEMORY: u64 = 64 << 20;
/// More files than a worker opens here.
const ENOUGH_FILES: u64 = 32;

struct Finding {
    /// `ok`, `warning`, `problem`.
    state: String,
    name: String,
    text: String,
}

fn finding(state: &str, name: &str, text: impl Into<String>) -> Finding {
    Finding { state: state.to_owned(), name: name.to_owned(), text: text.into() }
}

/// Runs a test: what it says when it passes, or the error.
fn test(name: &str, test: impl FnOnce() -> Result<String>) -> Finding {
    match test() {
        Ok(text) => finding("ok", name, text),
        Err(error) => finding("problem", name, error.to_string()),
    }
}

pub(super) fn run(options: &Options) -> i32 {
    let mut findings = vec![
        finding("ok", "library", format!("remotemedia {VERSION}, {} {}", std::env::consts::OS, std::env::consts::ARCH)),
        cores(),
        log(),
    ];
    findings.extend(options.also.iter().filter_map(|line| {
        let mut parts = line.splitn(3, ':');
        Some(finding(parts.next()?, parts.next()?, parts.next()?))
    }));
    findings.push(test("compute threads", threads));
    findings.push(test("resampling", resampling));
    findings.push(test("speech detection", speech));
    findings.push(test("audio files", files));
    findings.extend(shared_memory(options.clean));
    findings.extend(workers());
    let sick = findings.iter().any(|one| one.state == "problem");
    let text = if options.json {
        let all: Vec<_> =
            findings.iter().map(|one| json!({"state": one.state, "name": one.name, "text": one.text})).collect();
        format!("{:#}", json!({"ok": !sick, "findings": all}))
    } else {
        findings
            .iter()
            .map(|one| format!("{:<8} {:<18} {}", one.state, one.name, one.text))
            .collect::<Vec<_>>()
            .join("\n")
    };
    say(&text, i32::from(sick))
}

/// What dead processes have left. Nothing to say where there are no workers.
fn shared_memory(clean: bool) -> Option<Finding> {
    Some(left_behind(&runtime::leftovers(clean)?, clean))
}

/// In words: the hosts, now dead, of runs that have left something, and whether it is gone.
fn left_behind(hosts: &[u32], removed: bool) -> Finding {
    if hosts.is_empty() {
        return finding("ok", "shared memory", "nothing is left of dead processes");
    }
    let pids = hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let whose = format!("{} whose host is dead (process id {pids})", counted(hosts.len(), "run"));
    match removed {
        true => finding("ok", "shared memory", format!("removed the files of {whose}")),
        false => finding("warning", "shared memory", format!("files of {whose} are left; doctor --clean removes them")),
    }
}

/// What workers need, and whether one works. Nothing to say where there are none.
fn workers() -> Vec<Finding> {
    let Some(machine) = runtime::for_workers() else { return Vec::new() };
    let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    let mut findings = vec![match machine.shared_memory {
        (folder, Some((free, all))) => {
            let text = format!("{} of {} are free in {folder}", megabytes(free), megabytes(all));
            let little = free < ENOUGH_MEMORY;
            let fix = if little { ": long frames may not fit; docker run --shm-size=1g gives more" } else { "" };
            finding(if little { "warning" } else { "ok" }, "memory of workers", text + fix)
        }
        (folder, None) => finding("problem", "memory of workers", format!("there is no {folder}: workers need it")),
    }];
    if let Some((open, most)) = machine.files {
        let few = most.saturating_sub(open) < ENOUGH_FILES;
        let fix = if few { ": too few for workers (ulimit -n)" } else { "" };
        let text = format!("{open} open, at most {most}{fix}");
        findings.push(finding(if few { "warning" } else { "ok" }, "open files", text));
    }
    let folder = std::env::temp_dir();
    findings.push(if folder.is_dir() {
        finding("ok", "temporary folder", folder.display().to_string())
    } else {
        finding("warning", "temporary folder", format!("{} is none; workers do not need it", folder.display()))
    });
    findings.push(if machine.interpreter {
        test("worker process", worker)
    } else {
        finding("ok", "worker process", "not tried: this program has no Python (python -m remotemedia doctor has)")
    });
    findings
}

/// A short frame and a long one through a node in a worker.
fn worker() -> Result<String> {
    let node = json!({
        "id": "it", "node_type": "Python", "params": {"class": "remotemedia.worker._check:Echo"},
        "execution": {"placement": "process", "startup_timeout_ms": 30_000, "frame_timeout_ms": 10_000},
    });
    let manifest = json!({"version": "v1", "nodes": [node]}).to_string();
    let pipeline = Pipeline::compile_with(&manifest, Source::Value, &Runtime::shared().registry(), true)?;
    let audio = tone()?;
    for data in [RuntimeData::text("hello"), audio.clone().into()] {
        let results = pipeline.run(vec![data.clone()], &RunOptions::default())?;
        let came = results.ports[0].items.first().map(|item| &item.data);
        let is_right = match (came, &data) {
            (Some(RuntimeData::Text(came)), RuntimeData::Text(given)) => came == given,
            (Some(RuntimeData::Audio(came)), RuntimeData::Audio(given)) => came.samples() == given.samples(),
            _ => false,
        };
        if !is_right {
            return Err(wrong(format!("a frame through a worker came back as {came:?}")));
        }
    }
    Ok("one was started, and gave back what it got".to_owned())
}

fn cores() -> Finding {
    match std::thread::available_parallelism().map(usize::from) {
        Ok(1) => finding("warning", "cores", "1: runs in asyncio share it with the event loop"),
        Ok(cores) => finding("ok", "cores", format!("{cores} may be used")),
        Err(error) => finding("warning", "cores", format!("not known ({error}); one is used")),
    }
}

fn log() -> Finding {
    match super::log_filter() {
        Ok(Some(filter)) => finding("ok", "RUST_LOG", filter),
        Ok(None) => finding("ok", "RUST_LOG", "not set: info"),
        Err(fault) => finding("warning", "RUST_LOG", fault),
    }
}

fn wrong(text: String) -> Error {
    Error::new(ErrorKind::Internal, text)
}

/// A second of a tone of 1 kHz at -6.02 dBFS peak.
fn tone() -> Result<AudioBuffer> {
    let tone = |frame: u32| 0.5 * (f64::from(frame) * 1000.0 * std::f64::consts::TAU / 48_000.0).sin();
    let samples: Vec<f32> = (0..48_000).map(|frame| tone(frame) as f32).collect();
    AudioBuffer::new(samples, AudioFormat::new(48_000, 1)?)
}

fn one_node(node_type: &str, params: serde_json::Value) -> Result<Pipeline> {
    Pipeline::new(
        &json!({"version": "v1", "nodes": [{"id": "it", "node_type": node_type, "params": params}]}).to_string(),
    )
}

fn threads() -> Result<String> {
    let pipeline = one_node("PassThrough", json!({}))?;
    let job = pipeline.start(&Runtime::shared(), vec![RuntimeData::text("hello")], RunOptions::default(), 0)?;
    if !job.wait(Duration::from_secs(10)) {
        return Err(wrong("no thread took the work within 10 s".to_owned()));
    }
    match job.take()?.ports.first().and_then(|port| port.items.first()).map(|item| &item.data) {
        Some(RuntimeData::Text(text)) if &**text == "hello" => Ok("a run on one gave its result".to_owned()),
        other => Err(wrong(format!("a run on one gave {other:?}"))),
    }
}

fn resampling() -> Result<String> {
    let pipeline = one_node("AudioResample", json!({"target_rate": 16_000}))?;
    let results = pipeline.run(vec![tone()?.into()], &RunOptions::default())?;
    let Some(RuntimeData::Audio(audio)) = results.ports[0].items.first().map(|item| &item.data) else {
        return Err(wrong("no audio came out".to_owned()));
    };
    let middle = &audio.samples()[audio.frames().min(1000)..audio.frames().saturating_sub(1000)];
    let power = middle.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / middle.len().max(1) as f64;
    let rms_db = 10.0 * power.log10();
    // A sine of amplitude 0.5 has -9.03 dBFS.
    if audio.frames() != 16_000 || (rms_db + 9.0309).abs() > 0.01 {
        return Err(wrong(format!("a tone came out with {} frames at {rms_db:.3} dBFS", audio.frames())));
    }
    Ok(format!("48 to 16 kHz: 16000 frames, {rms_db:.2} dBFS, as it must be"))
}

fn speech() -> Result<String> {
    let pipeline = one_node("SpeechVAD", json!({}))?;
    let silence = AudioBuffer::new(vec![0.0; 16_000], AudioFormat::new(16_000, 1)?)?;
    let results = pipeline.run(vec![silence.into()], &RunOptions::default())?;
    let events: usize = results.ports.iter().filter(|port| port.port.stream).map(|port| port.items.len()).sum();
    if events > 0 {
        return Err(wrong(format!("{events} events in silence")));
    }
    Ok("no speech in silence".to_owned())
}

fn files() -> Result<String> {
    let audio = tone()?;
    let bytes = media::wav_bytes(&audio, None)?;
    let read = AudioReader::from_bytes(bytes, "a WAV file in memory")?.read(usize::MAX)?;
    let Some(read) = read.filter(|read| read.frames() == audio.frames()) else {
        return Err(wrong("a WAV file in memory lost frames".to_owned()));
    };
    let worst = read.samples().iter().zip(audio.samples()).map(|(a, b)| (a - b).abs()).fold(0.0_f32, f32::max);
    if worst > 1.0 / 32_768.0 {
        return Err(wrong(format!("a WAV file in memory differs by {worst}")));
    }
    Ok("WAV written and read".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dead_processes_have_left_is_said_of_one_and_of_several() {
        let said = |hosts: &[u32], removed| left_behind(hosts, removed).text;
        assert_eq!(said(&[], false), "nothing is left of dead processes");
        assert_eq!(
            said(&[7], false),
            "files of 1 run whose host is dead (process id 7) are left; doctor --clean removes them"
        );
        assert_eq!(said(&[7, 9], true), "removed the files of 2 runs whose host is dead (process id 7, 9)");
    }
}
