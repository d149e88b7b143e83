//! One run in as few calls as possible, for Python: records in, records out (see [`wire`](super::wire)).

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::error::{RemoteMediaError, out_of_range};
use super::owned;
use super::pipeline::Pipeline;
use super::raw::handle;
use super::wire::{self, Batch};
use crate::data::{AudioBuffer, RuntimeData, read_samples};
use crate::engine::{NodeMetrics, RunMetrics, RunOptions, RunResults, VerifyOptions, WarningKind};
use crate::error::{Error, ErrorKind, Result};
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

/// Options as they cross: 1 lenient, 2 metrics.
fn options(options: u64) -> RunOptions {
    let (lenient, metrics) = (options & 1 != 0, options & 2 != 0);
    RunOptions { lenient, clock: metrics.then(|| Arc::new(MonotonicClock::default()) as _), ..RunOptions::default() }
}

impl Pipeline {
    /// Runs a batch on this thread if it is short. A single byte: it would take longer, and has not run.
    pub(super) fn try_run(&self, records: &[u8], options: u64) -> Result<Vec<u8>> {
        let mut batch = EndCall(wire::batch(records)?);
        if self.inner.graph().waits() || self.inner.cost_ns(&batch.0.items) > SHORT_NS {
            return Ok(vec![wire::LATER]);
        }
        let items = std::mem::take(&mut batch.0.items);
        let results = self.inner.run(items, &self::options(options))?;
        let meta = meta(&results);
        wire::inline(results, meta)
    }

    /// Starts a batch on a compute thread, as the run of an owner. `timeout_ms` of 0 sets no limit.
    pub(super) fn start_run(&self, records: &[u8], options: u64, timeout_ms: u64, owner: u64) -> Result<()> {
        let batch = wire::batch(records)?;
        let job = self.inner.start(&Runtime::shared(), batch.items, self::options(options), timeout_ms)?;
        owned::put_run(owner, job);
        Ok(())
    }
}

/// The results of a run, once.
pub(super) fn take(run: &owned::Run) -> Result<Vec<u8>> {
    let results = run.job.take()?;
    let meta = meta(&results);
    let (records, buffers) = wire::with_buffers(results, meta)?;
    *run.buffers.lock().unwrap_or_else(PoisonError::into_inner) = buffers;
    Ok(records)
}

/// Blocks until a run has ended, at most `timeout_ms`. Says whether it has.
#[uniffi::export]
pub fn raw_run_wait(run: u64, timeout_ms: i64) -> Answer<bool> {
    Ok(owned::run(run)?.job.wait(Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0))))
}

/// Waits for the end of a run. Dropping the wait does not stop it.
#[uniffi::export]
pub async fn raw_run_finished(run: u64) -> Answer<()> {
    let job = owned::run(run)?.job;
    job.finished().await;
    Ok(())
}

/// Stops a run. Whoever waits gets an error of kind `Closed`.
#[uniffi::export]
pub fn raw_run_stop(run: u64) -> Answer<()> {
    owned::run(run)?.job.stop();
    Ok(())
}

/// Gives a buffer that the results name, each once, to the owner of a number: its address.
#[uniffi::export]
pub fn raw_run_buffer(run: u64, index: i32, owner: u64) -> Answer<u64> {
    let run = owned::run(run)?;
    let mut buffers = run.buffers.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(owned::put_memory(owner, wire::take_out(&mut buffers, index)?))
}

#[uniffi::export]
impl Pipeline {
    /// What the plain calls take. Keep this object while they may be made.
    pub fn raw_handle(&self) -> u64 {
        handle(self)
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
                let mut samples = crate::data::zeros(array.elements())?;
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
