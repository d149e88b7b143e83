//! `latency`: how much later results come, and where media is copied.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::{fail, say, validate};
use crate::data::Format;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{CopyPlace, PathLatency};
use crate::manifest::Source;
use crate::runtime::{Pipeline, Runtime};

/// What is said of the input on the command line.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The manifest's file; `-` reads standard input.
    manifest: std::path::PathBuf,
    /// Sample rate of the input in Hz, when the manifest does not declare it.
    #[arg(long, value_name = "HZ")]
    sample_rate: Option<u32>,
    /// Channels of the input, when the manifest does not declare them.
    #[arg(long)]
    channels: Option<u16>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> i32 {
    let pipeline = match compiled(&options.manifest) {
        Ok(pipeline) => pipeline,
        Err(error) => return fail(&error, options.json),
    };
    let input = match (options.sample_rate, options.channels) {
        (None, None) => Format::Unknown,
        (sample_rate_hz, channels) => Format::Audio { sample_rate_hz, channels: channels.or(Some(1)) },
    };
    let graph = pipeline.graph();
    let (paths, copies) = match graph.latency(&input).and_then(|paths| Ok((paths, graph.copies(&input)?))) {
        Ok(found) => found,
        Err(error) => return fail(&error, options.json),
    };
    if options.json {
        let (paths, copies): (Value, Value) =
            (paths.iter().map(PathLatency::to_json).collect(), copies.iter().map(CopyPlace::to_json).collect());
        let value = json!({"latency": paths, "copies": copies});
        return say(&format!("{value:#}"), 0);
    }
    let mut text = String::new();
    for path in &paths {
        if path.of_content {
            let _ = writeln!(text, "{} -> {}: depends on what is in the stream", path.source, path.result);
            continue;
        }
        let ms = |seconds: f64| seconds * 1e3;
        let (least, most) = (ms(path.min_s), ms(path.max_s));
        let _ = writeln!(text, "{} -> {}: held back {least:.2} to {most:.2} ms", path.source, path.result);
        for node in &path.nodes {
            let _ = writeln!(
                text,
                "    {}: looks {:.2} ms ahead, in blocks of {:.2} ms",
                node.node,
                ms(node.delay_s),
                ms(node.block_s)
            );
        }
    }
    text.push_str("(what is pushed at a time comes on top)\n\nmedia is copied or converted at:\n");
    for copy in &copies {
        let _ = writeln!(text, "    {}: {}", copy.place, copy.reason);
    }
    say(text.trim_end(), 0)
}

/// The pipeline of a manifest's file.
pub(super) fn compiled(path: &Path) -> Result<Pipeline> {
    let name = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    let text =
        validate::read(path).map_err(|error| Error::new(ErrorKind::Io, format!("{name}: {error}")).caused_by(error))?;
    Pipeline::compile(&text, Source::File(&name), &Runtime::shared().registry())
}
