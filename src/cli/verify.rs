//! `verify`: does a stream cut in any way give what the whole gives?

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use super::latency::compiled;
use super::{complain, fail, say};
use crate::engine::{VerifyOptions, VerifyReport};
use crate::error::Result;
use crate::runtime::{Pipeline, Runtime};

/// What is verified, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The name of a node, or the manifest's file.
    subject: String,
    /// Parameters of the node, as JSON.
    #[arg(long, default_value = "{}")]
    params: String,
    /// Audio to use instead of signals of our own.
    #[cfg(feature = "files")]
    #[arg(short, long)]
    input: Option<camino::Utf8PathBuf>,
    /// Random chunkings of each signal.
    #[arg(long, default_value_t = 12)]
    rounds: u32,
    /// The same seed, the same chunkings.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The most that a sample may differ.
    #[arg(long, default_value_t = 0.0)]
    tolerance: f32,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> i32 {
    let params: Value = match serde_json::from_str(&options.params) {
        Ok(params) => params,
        Err(error) => return complain(&format!("--params is not JSON: {error}")),
    };
    match certificate(options, &params) {
        Ok(report) if options.json => say(&format!("{:#}", report.to_json()), i32::from(!report.passed())),
        Ok(report) => say(&words(&options.subject, &report), i32::from(!report.passed())),
        Err(error) => fail(&error, options.json),
    }
}

fn certificate(options: &Options, params: &Value) -> Result<VerifyReport> {
    let runtime = Runtime::shared();
    let subject = Path::new(&options.subject);
    let is_node = runtime.registry().find(&options.subject).is_some() || !(subject.exists() || options.subject == "-");
    let pipeline =
        if is_node { Pipeline::of_node(&options.subject, params, &runtime.registry())? } else { compiled(subject)? };
    pipeline.verify(&VerifyOptions {
        audio: audio(options)?,
        rounds: options.rounds,
        seed: options.seed,
        tolerance: options.tolerance,
    })
}

#[cfg(feature = "files")]
fn audio(options: &Options) -> Result<Option<crate::data::AudioBuffer>> {
    options.input.as_ref().map(|path| crate::media::read(path, 0, None)).transpose()
}

#[cfg(not(feature = "files"))]
fn audio(_: &Options) -> Result<Option<crate::data::AudioBuffer>> {
    Ok(None)
}

fn words(subject: &str, report: &VerifyReport) -> String {
    let mut text = String::new();
    let failures = report.cases.iter().filter_map(|case| Some((case, case.failure.as_ref()?)));
    for (case, failure) in failures.clone().take(10) {
        let _ = writeln!(text, "{}: {failure}", case.what);
    }
    for skipped in &report.skipped {
        let _ = writeln!(text, "not tried: {skipped}");
    }
    let (cases, failed) = (report.cases.len(), failures.count());
    let outcome = if report.passed() { "passed" } else { "failed" };
    let largest = match report.largest_difference() {
        0.0 => "0".to_owned(),
        difference => format!("{difference:e}"),
    };
    let _ = write!(
        text,
        "{subject}: {outcome}; {} of {cases} ways of feeding give the same, largest difference of a sample {largest}",
        cases - failed,
    );
    text
}
