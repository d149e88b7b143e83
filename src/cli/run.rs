//! `run`: a manifest over files.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use super::inputs::{Raw, read};
use super::outputs::{Target, summary};
use super::{complain, fail, say, validate};
use crate::data::{Format, Kind, RuntimeData};
use crate::engine::{RunMetrics, RunOptions, RunResults};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Graph, ResultPort};
use crate::manifest::Source;
use crate::media::Subtype;
use crate::node::MonotonicClock;
use crate::runtime::{Pipeline, Runtime};
use crate::words::counted;

pub(super) const EXAMPLES: &str = "\
Examples:
  remotemedia run talk.json -i in.wav -o out.wav
  remotemedia run talk.json -i in.flac -o vad.events=speech.jsonl -o level.events=-
  cat in.raw | remotemedia run talk.json -i - --raw s16le,48000,1 -o - > out.raw";

/// How to run.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The manifest's file.
    manifest: PathBuf,
    /// A .wav or .flac file, .txt or .json; `-` is standard input (WAV, FLAC, or --raw). May be repeated.
    #[arg(short, long = "input", value_name = "FILE")]
    input: Vec<String>,
    /// Where a result goes: [NODE[.PORT]=]FILE. Audio to .wav or .flac, events and text as lines; `-` is standard
    /// output. May be repeated.
    #[arg(short, long = "output", value_name = "FILE")]
    output: Vec<String>,
    /// Samples without a header, in, and out where the file is not named .wav or .flac: s16le or f32le, the rate in
    /// Hz, the channels.
    #[arg(long, value_name = "ENCODING,RATE,CHANNELS")]
    raw: Option<String>,
    /// How audio files store samples: PCM_16, PCM_24, PCM_32, FLOAT.
    #[arg(long)]
    subtype: Option<String>,
    /// Replace files that are there already.
    #[arg(long)]
    force: bool,
    /// Print what each node took.
    #[arg(long)]
    metrics: bool,
    /// Print results, metrics and errors as JSON.
    #[arg(long)]
    json: bool,
    /// Give up after so many seconds.
    #[arg(long, value_name = "SECONDS")]
    timeout_s: Option<f64>,
    /// Draw no progress bar. It is drawn on a terminal only.
    #[arg(long)]
    no_progress: bool,
    /// Run code that the manifest names: classes of Python, interpreters of workers.
    #[arg(long)]
    allow_python: bool,
}

pub(super) fn run(options: &Options) -> i32 {
    let name = options.manifest.display().to_string();
    let text = match validate::read(&options.manifest) {
        Ok(text) => text,
        Err(error) => return complain(&format!("{name}: {error}")),
    };
    match work(options, &text, &name) {
        Ok(report) if report.is_empty() => 0,
        Ok(report) => say(&report, 0),
        Err(error) => fail(&error, options.json),
    }
}

fn work(options: &Options, text: &str, name: &str) -> Result<String> {
    let runtime = Runtime::shared();
    let pipeline = Pipeline::compile_with(text, Source::File(name), &runtime.registry(), options.allow_python)?;
    let raw: Option<Raw> = options.raw.as_deref().map(str::parse).transpose()?;
    let subtype: Option<Subtype> = options.subtype.as_deref().map(str::parse).transpose()?;
    let targets: Vec<Target> = options.output.iter().map(|text| Target::new(text)).collect();
    for target in &targets {
        target.check(&options.input, options.force)?;
    }
    Target::check_all(&targets)?;
    let refuse = |text: &str| Err(Error::new(ErrorKind::InputValue, text));
    if options.input.iter().filter(|input| *input == "-").count() > 1 {
        return refuse("standard input is named twice");
    }
    if options.json && targets.iter().any(Target::is_standard_output) {
        return refuse("--json and a result both go to standard output");
    }
    timeout_ms(options)?;
    // What is wrong with the outputs is said before the work, as far as it can be known.
    let graph = pipeline.graph();
    let ports = targets.iter().map(|target| target.result(&graph.results)).collect::<Result<Vec<&ResultPort>>>()?;
    let check = |input: &Format| -> Result<()> {
        let formats = graph.formats(input, false).unwrap_or_default();
        targets.iter().zip(&ports).try_for_each(|(target, port)| {
            let kind = kind(graph, port, &formats);
            target.check_kind(&port.name(), kind, raw.is_some(), subtype)
        })
    };
    check(&Format::Unknown)?;
    targets.iter().try_for_each(Target::prepare)?;
    let items = read(&options.input, raw)?;
    check(&items.first().map_or(Format::Unknown, RuntimeData::format))?;
    let results = compute(options, &runtime, &pipeline, items)?;
    for (target, port) in targets.iter().zip(&ports) {
        let items = results.ports.iter().find(|result| result.port == **port).map_or(&[][..], |result| &result.items);
        target.write(items, subtype, raw)?;
    }
    // Standard output belongs to the result that goes there.
    if targets.iter().any(Target::is_standard_output) {
        return Ok(String::new());
    }
    report(options, &results)
}

/// What a result is, if that is known: from its format, or because its port gives nothing else.
fn kind(graph: &Graph, port: &ResultPort, formats: &[Vec<Format>]) -> Option<Kind> {
    let format = formats.get(port.node).and_then(|outputs| outputs.get(port.port.index()));
    format.and_then(Format::kind).or_else(|| {
        let mut kinds = graph.nodes[port.node].kind.info().outputs[port.port.index()].kinds.iter();
        kinds.next().filter(|_| kinds.next().is_none())
    })
}

fn timeout_ms(options: &Options) -> Result<u64> {
    match options.timeout_s {
        None => Ok(0),
        Some(seconds) if seconds > 0.0 && seconds <= 1e9 => Ok((seconds * 1000.0).ceil() as u64),
        Some(seconds) => {
            let text = format!("--timeout-s is {seconds}, expected more than 0 and at most 1e9");
            Err(Error::new(ErrorKind::InputValue, text))
        }
    }
}

fn compute(
    options: &Options,
    runtime: &Arc<Runtime>,
    pipeline: &Pipeline,
    items: Vec<RuntimeData>,
) -> Result<RunResults> {
    let total: u64 = items.iter().map(RuntimeData::frames).sum();
    let rate = items.iter().find_map(|item| match item {
        RuntimeData::Audio(audio) => Some(audio.sample_rate_hz()),
        _ => None,
    });
    let done = Arc::new(AtomicU64::new(0));
    let run = RunOptions {
        clock: options.metrics.then(|| Arc::new(MonotonicClock::default()) as _),
        progress: Some(done.clone()),
        ..RunOptions::default()
    };
    let job = pipeline.start(runtime, items, run, timeout_ms(options)?)?;
    let bar =
        rate.filter(|_| !options.no_progress && std::io::stderr().is_terminal()).map(|rate| (bar(total, rate), rate));
    while !job.wait(Duration::from_millis(50)) {
        if let Some((bar, rate)) = &bar {
            let frames = done.load(Ordering::Relaxed);
            bar.set_position(frames / u64::from(*rate));
            let speed = frames as f64 / f64::from(*rate) / bar.elapsed().as_secs_f64().max(1e-3);
            bar.set_message(format!("{speed:.0}x real time"));
        }
    }
    if let Some((bar, _)) = bar {
        bar.finish_and_clear();
    }
    job.take()
}

fn bar(frames: u64, rate: u32) -> ProgressBar {
    let bar = ProgressBar::new(frames.div_ceil(u64::from(rate)));
    if let Ok(style) = ProgressStyle::with_template("[{bar:30}] {pos} of {len} s of audio, {msg}") {
        bar.set_style(style.progress_chars("#>."));
    }
    bar
}

fn report(options: &Options, results: &RunResults) -> Result<String> {
    let mut by_name = Map::new();
    for port in &results.ports {
        by_name.insert(port.port.name(), summary(port)?);
    }
    if options.json {
        let metrics = results.metrics.as_ref().map(metrics);
        return Ok(format!("{:#}", json!({"results": by_name, "metrics": metrics})));
    }
    let mut lines: Vec<String> = Vec::new();
    for (name, value) in &by_name {
        lines.push(match value {
            Value::Array(items) => format!("{name}: {}", count(items)),
            audio => {
                let seconds = audio["frames"].as_f64().unwrap_or(0.0) / audio["sample_rate_hz"].as_f64().unwrap_or(1.0);
                let channels = audio["channels"].as_u64().map_or(0, |channels| channels as usize);
                format!(
                    "{name}: {seconds:.3} s of audio, {} Hz, {}",
                    audio["sample_rate_hz"],
                    counted(channels, "channel")
                )
            }
        });
    }
    for node in results.metrics.iter().flat_map(|metrics| &metrics.nodes) {
        let calls = counted(usize::try_from(node.calls).unwrap_or(usize::MAX), "call");
        lines.push(format!("{:<20} {:>10.3} ms, {calls}", node.node_id, node.total_ns as f64 / 1e6));
    }
    Ok(lines.join("\n"))
}

fn count(items: &[Value]) -> String {
    match items {
        [] => "nothing".to_owned(),
        [one] if one.to_string().len() <= 100 => one.to_string(),
        many => format!("{} items; --json or -o shows them", many.len()),
    }
}

fn metrics(run: &RunMetrics) -> Value {
    let nodes: Vec<Value> = run
        .nodes
        .iter()
        .map(|node| json!({"node": node.node_id, "calls": node.calls, "total_ms": node.total_ns as f64 / 1e6}))
        .collect();
    json!({"total_ms": run.total_ns as f64 / 1e6, "peak_memory_bytes": run.peak_bytes, "nodes": nodes})
}
