//! Compiled pipelines and runs under way.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::error::{Problem, RemoteMediaError};
use super::item::{Item, Output, outputs};
use crate::data::Format;
use crate::engine::RunOptions;
use crate::error::Result;
use crate::graph::{CopyPlace, PathLatency};
use crate::manifest::Source;
use crate::runtime::{self, Runtime};

/// A manifest, compiled once. Share it, and run it as often as you like.
#[derive(Debug, uniffi::Object)]
pub struct Pipeline {
    pub(super) inner: runtime::Pipeline,
}

/// The format of one output, as far as it is known before a run.
#[derive(Debug, Clone, uniffi::Record)]
pub struct PortFormat {
    /// `node.port`.
    pub name: String,
    /// `audio`, `video`, `array`, `text`, `json`, `binary`; absent when not known.
    pub kind: Option<String>,
    /// Sample rate in Hz, of audio.
    pub sample_rate_hz: Option<i32>,
    /// Channels, of audio.
    pub channels: Option<i32>,
    /// The format in words.
    pub text: String,
}

#[uniffi::export]
impl Pipeline {
    /// Compiles a manifest from JSON text.
    #[uniffi::constructor]
    pub fn new(manifest_json: String) -> std::result::Result<Arc<Self>, RemoteMediaError> {
        Self::compile(&manifest_json, Source::Text)
    }

    /// Compiles the JSON text of a file. Problems name the file.
    #[uniffi::constructor]
    pub fn from_file_text(
        manifest_json: String,
        file_name: String,
    ) -> std::result::Result<Arc<Self>, RemoteMediaError> {
        Self::compile(&manifest_json, Source::File(&file_name))
    }

    /// A pipeline of one node, with what it needs before it. The parameters are JSON text.
    #[uniffi::constructor]
    pub fn of_node(node_type: String, params_json: String) -> std::result::Result<Arc<Self>, RemoteMediaError> {
        let params = super::session::parsed("params", &params_json)?;
        let inner = runtime::Pipeline::of_node(&node_type, &params, &Runtime::shared().registry())?;
        Ok(Arc::new(Self { inner }))
    }

    /// Compiles a manifest that a program has put together, as JSON text. Problems have no line.
    #[uniffi::constructor]
    pub fn from_value(manifest_json: String) -> std::result::Result<Arc<Self>, RemoteMediaError> {
        Self::compile(&manifest_json, Source::Value)
    }

    /// Runs items as one stream and waits. Cancelling the wait stops the run.
    pub async fn run(&self, input: Vec<Item>) -> std::result::Result<Vec<Output>, RemoteMediaError> {
        let items = input.into_iter().map(Item::try_into).collect::<Result<Vec<_>>>()?;
        let results = super::task::run(&self.inner, items, RunOptions::default()).await?;
        Ok(outputs(results)?)
    }

    /// Starts a run on a thread of ours. `timeout_ms` of 0 sets no limit.
    pub fn start(&self, input: Vec<Item>, timeout_ms: i64) -> std::result::Result<Arc<PipelineRun>, RemoteMediaError> {
        let items = input.into_iter().map(Item::try_into).collect::<Result<Vec<_>>>()?;
        let timeout_ms = u64::try_from(timeout_ms).unwrap_or(0);
        let inner = self.inner.start(&Runtime::shared(), items, RunOptions::default(), timeout_ms)?;
        Ok(Arc::new(PipelineRun { inner }))
    }

    /// The manifest it was compiled from.
    pub fn manifest_json(&self) -> String {
        self.inner.manifest().to_owned()
    }

    /// The pipeline on one screen.
    pub fn summary(&self) -> String {
        self.inner.summary()
    }

    /// The formats of every output, as far as the declared input tells.
    pub fn formats(&self) -> Vec<PortFormat> {
        let formats = self.inner.formats().into_iter().map(|(name, format)| PortFormat {
            name,
            kind: format.kind().map(|kind| kind.name().to_owned()),
            sample_rate_hz: format.sample_rate_hz().and_then(|rate| i32::try_from(rate).ok()),
            channels: format.channels().map(i32::from),
            text: format.to_string(),
        });
        formats.collect()
    }

    /// The formats of every output by `node.port`, as JSON.
    pub fn formats_json(&self) -> String {
        let formats = self.formats().into_iter().map(|format| {
            let known = format.kind.map_or(Value::Null, |kind| {
                json!({"kind": kind, "sample_rate_hz": format.sample_rate_hz, "channels": format.channels, "text": format.text})
            });
            (format.name, known)
        });
        Value::Object(formats.collect()).to_string()
    }

    /// The latency of every path, as JSON; null when the declared formats do not tell.
    pub fn latency_json(&self) -> String {
        let paths = self.inner.graph().latency(&Format::Unknown);
        paths.map_or(Value::Null, |paths| paths.iter().map(PathLatency::to_json).collect()).to_string()
    }

    /// Every place where media is copied or converted, as JSON.
    pub fn copies_json(&self) -> String {
        let copies = self.inner.graph().copies(&Format::Unknown).unwrap_or_default();
        copies.iter().map(CopyPlace::to_json).collect::<Value>().to_string()
    }

    /// What the manifest says to no effect.
    pub fn warnings(&self) -> Vec<Problem> {
        self.inner.warnings().iter().map(Problem::from).collect()
    }
}

impl Pipeline {
    fn compile(text: &str, source: Source<'_>) -> std::result::Result<Arc<Self>, RemoteMediaError> {
        #[cfg(feature = "python")]
        super::logging::start();
        Self::compile_with(text, source, false)
    }

    fn compile_with(
        text: &str,
        source: Source<'_>,
        allow_python: bool,
    ) -> std::result::Result<Arc<Self>, RemoteMediaError> {
        let inner = runtime::Pipeline::compile_with(text, source, &Runtime::shared().registry(), allow_python)?;
        Ok(Arc::new(Self { inner }))
    }
}

#[cfg(feature = "python")]
#[uniffi::export]
impl Pipeline {
    /// Compiles a manifest that may name code of its own, if `allow_python`. `written`: its problems have lines, in the
    /// file if it has a name.
    #[uniffi::constructor]
    pub fn raw_compile(
        manifest_json: String,
        written: bool,
        file_name: String,
        allow_python: bool,
    ) -> std::result::Result<Arc<Self>, RemoteMediaError> {
        super::logging::start();
        let source = match (written, file_name.as_str()) {
            (false, _) => Source::Value,
            (true, "") => Source::Text,
            (true, name) => Source::File(name),
        };
        Self::compile_with(&manifest_json, source, allow_python)
    }

    /// What runs its nodes: 0 this library, 1 a Python interpreter in this process, 2 another process, which is waited
    /// for.
    pub fn raw_runs(&self) -> i32 {
        self.inner.graph().runs() as i32
    }
}

/// A run under way. (`Job` is a class of Kotlin's coroutines, `wait` a method of Java's objects.)
#[derive(Debug, uniffi::Object)]
pub struct PipelineRun {
    inner: crate::engine::Job,
}

#[uniffi::export]
impl PipelineRun {
    /// Waits for the end. The results come out once.
    pub async fn outputs(&self) -> std::result::Result<Vec<Output>, RemoteMediaError> {
        self.inner.finished().await;
        Ok(outputs(self.inner.take()?)?)
    }

    /// The results of a run that has ended, once.
    pub fn take(&self) -> std::result::Result<Vec<Output>, RemoteMediaError> {
        Ok(outputs(self.inner.take()?)?)
    }

    /// Blocks until the end, at most `timeout_ms`. Says whether it has ended.
    pub fn wait_for(&self, timeout_ms: i64) -> bool {
        self.inner.wait(Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0)))
    }

    /// Stops the run. Whoever waits gets an error of kind `Closed`.
    pub fn stop(&self) {
        self.inner.stop();
    }
}
