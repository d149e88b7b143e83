//! One run in as few calls as possible, for Python: records in, records out (see [`wire`](super::wire)).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::audio::blob;
use super::error::{RemoteMediaError, out_of_range};
use super::pipeline::Pipeline;
use super::raw::{Blob, RawBuffer};
use super::wire::{self, Batch, Buffers};
use crate::data::{AudioBuffer, RuntimeData, read_samples};
use crate::engine::{NodeMetrics, RunMetrics, RunOptions, RunResults, VerifyOptions, WarningKind};
use crate::error::{Error, ErrorKind};
use crate::node::MonotonicClock;
use crate::runtime::Runtime;

type Answer<T> = std::result::Result<T, RemoteMediaError>;

/// The most work, by the nodes' own estimate, that runs on the caller's thread, which may be an event loop's.
const SHORT_NS: f64 = 500_000.0;

/// Ends the loans of a call, however the call ends.
pub(super) struct EndCall(pub(super) Batch);

impl Drop for EndCall {
    fn drop(&mut self) {
        self.0.end_call();
    }
}

fn options(lenient: bool, metrics: bool) -> RunOptions {
    RunOptions { lenient, clock: metrics.then(|| Arc::new(MonotonicClock::default()) as _), ..RunOptions::default() }
}

#[uniffi::export]
impl Pipeline {
    /// Runs a batch on the caller's thread if it is short. Memory is only read until this returns. A single byte: it
    /// would take longer, and has not run. `options`: 1 lenient, 2 metrics (one number, as each argument costs).
    pub fn raw_try_run(&self, batch: &[u8], options: i32) -> Answer<Blob> {
        let mut batch = EndCall(wire::batch(batch)?);
        if self.inner.cost_ns(batch.0.frames()) > SHORT_NS || self.inner.graph().waits() {
            return Ok(Blob(vec![wire::LATER]));
        }
        let items = std::mem::take(&mut batch.0.items);
        let results = self.inner.run(items, &self::options(options & 1 != 0, options & 2 != 0))?;
        let meta = meta(&results);
        Ok(blob(wire::inline(results, meta))?)
    }

    /// Starts a batch on a compute thread. `timeout_ms` of 0 sets no limit.
    pub fn raw_start(&self, batch: &[u8], lenient: bool, metrics: bool, timeout_ms: i64) -> Answer<Arc<RawJob>> {
        let timeout_ms = u64::try_from(timeout_ms).unwrap_or(0);
        let batch = wire::batch(batch)?;
        let inner = self.inner.start(&Runtime::shared(), batch.items, options(lenient, metrics), timeout_ms)?;
        Ok(Arc::new(RawJob { inner }))
    }

    /// The result ports, in the order in which records count them, as JSON.
    pub fn raw_ports(&self) -> String {
        let ports = self.inner.graph().results.iter().map(
            |port| json!({"name": port.name(), "node": port.node_id, "port": port.port_name, "stream": port.stream}),
        );
        Value::Array(ports.collect()).to_string()
    }

    /// Feeds the pipeline in many ways and compares: the report, as JSON. `batch` holds one item of audio, or nothing
    /// for signals of our own.
    pub fn raw_verify(&self, batch: &[u8], rounds: i32, seed: i64, tolerance: f32) -> Answer<String> {
        let mut batch = EndCall(wire::batch(batch)?);
        let audio = match batch.0.items.pop() {
            Some(RuntimeData::Numpy(array)) => {
                let format = array.audio.ok_or_else(|| Error::new(ErrorKind::InputType, "the input is not audio"))?;
                let mut samples = vec![0.0; array.elements()];
                read_samples(&array, 0, &mut samples)?;
                Some(AudioBuffer::new(samples, format)?)
            }
            _ => None,
        };
        let options = VerifyOptions {
            audio,
            rounds: u32::try_from(rounds).map_err(|_| out_of_range("rounds", rounds.into(), "1 or more"))?,
            seed: seed.unsigned_abs(),
            tolerance,
        };
        Ok(self.inner.verify(&options)?.to_json().to_string())
    }
}

/// A batch under way.
#[derive(Debug, uniffi::Object)]
pub struct RawJob {
    inner: crate::engine::Job,
}

#[uniffi::export]
impl RawJob {
    /// Blocks until the end, at most `timeout_ms`. Says whether it has ended.
    pub fn wait(&self, timeout_ms: i64) -> bool {
        self.inner.wait(Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0)))
    }

    /// Waits for the end. Dropping the wait does not stop the run.
    pub async fn finished(&self) {
        self.inner.finished().await;
    }

    /// Stops the run. Whoever waits gets an error of kind `Closed`.
    pub fn stop(&self) {
        self.inner.stop();
    }

    /// The results, once.
    pub fn take(&self) -> Answer<Arc<RawResults>> {
        let results = self.inner.take()?;
        let meta = meta(&results);
        let (records, buffers) = wire::with_buffers(results, meta);
        Ok(Arc::new(RawResults { records: Mutex::new(records), buffers: Mutex::new(buffers) }))
    }
}

/// What a run gave: records, and the buffers that they name.
#[derive(Debug, uniffi::Object)]
pub struct RawResults {
    records: Mutex<Vec<u8>>,
    buffers: Mutex<Buffers>,
}

#[uniffi::export]
impl RawResults {
    /// The records, once.
    pub fn records(&self) -> Answer<Blob> {
        let records = std::mem::take(&mut *self.records.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(blob(records)?)
    }

    /// Takes a buffer out: each once.
    pub fn raw_buffer(&self, index: i32) -> Answer<Arc<RawBuffer>> {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        let buffer = usize::try_from(index).ok().and_then(|index| buffers.get_mut(index)).and_then(Option::take);
        Ok(buffer.ok_or_else(|| out_of_range("buffer", index.into(), "the number of a buffer not taken before"))?)
    }
}

/// Warnings and figures as JSON, when there are any.
fn meta(results: &RunResults) -> Option<String> {
    if results.warnings.is_empty() && results.metrics.is_none() {
        return None;
    }
    let warnings: Vec<Value> = results
        .warnings
        .iter()
        .map(|warning| {
            let code = match warning.kind {
                WarningKind::AssumedFormat => "AssumedFormat",
                WarningKind::UnhandledKind => "UnhandledKind",
            };
            json!({"code": code, "node": warning.node, "text": warning.text})
        })
        .collect();
    Some(json!({"warnings": warnings, "metrics": results.metrics.as_ref().map(metrics)}).to_string())
}

/// The figures in the form that was published.
fn metrics(run: &RunMetrics) -> Value {
    json!({
        "pipeline_id": run.pipeline,
        "total_executions": 1,
        "total_duration_us": us(run.total_ns),
        "total_duration_ms": us(run.total_ns) / 1000.0,
        "peak_memory_bytes": run.peak_bytes,
        "clipped_samples": run.clipped,
        "node_metrics": figures(&run.nodes),
        "metrics_overhead_us": us(run.overhead_ns),
    })
}

fn us(ns: u64) -> f64 {
    ns as f64 / 1000.0
}

/// The figures of nodes in the form that was published.
pub(super) fn figures(nodes: &[NodeMetrics]) -> Value {
    nodes
        .iter()
        .map(|node| {
            let succeeded = node.calls.saturating_sub(node.errors);
            let calls = node.calls.max(1) as f64;
            let mut figures = json!({
                "node_id": node.node_id,
                "execution_count": node.calls,
                "success_count": succeeded,
                "error_count": node.errors,
                "success_rate": if node.calls == 0 { 1.0 } else { succeeded as f64 / calls },
                "total_duration_us": us(node.total_ns),
                "avg_duration_us": us(node.mean_ns),
                "min_duration_us": us(node.min_ns),
                "max_duration_us": us(node.max_ns),
                "p50_duration_us": us(node.p50_ns),
                "p99_duration_us": us(node.p99_ns),
                "frames_in": node.frames_in,
                "frames_out": node.frames_out,
                "dropped": node.dropped,
            });
            if let Some(worker) = &node.worker {
                figures["worker"] = worker.clone();
            }
            figures
        })
        .collect()
}
