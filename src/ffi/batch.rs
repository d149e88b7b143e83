//! One run in as few calls as possible, for Python: a batch in, one JSON header and buffers out.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::error::{RemoteMediaError, out_of_range};
use super::pipeline::Pipeline;
use super::raw::{PinnedMemory, RawBuffer};
use super::{audio, item, video};
use crate::data::{ArrayBytes, AudioFormat, ByteOrder, DType, ForeignMemory, NdArray, RuntimeData};
use crate::engine::{RunMetrics, RunOptions, RunResults, WarningKind};
use crate::error::{Error, ErrorKind, Result};
use crate::node::MonotonicClock;
use crate::runtime::Runtime;

type Answer<T> = std::result::Result<T, RemoteMediaError>;

/// The number of a byte-swapped element type is this much higher.
const SWAPPED: i32 = 100;

/// An array from its parts; `dtype` is a position in [`DType::ALL`], plus 100 when byte-swapped.
pub(super) fn array(bytes: ArrayBytes, dtype: i32, shape: Vec<usize>) -> Result<NdArray> {
    let (number, order) =
        if dtype >= SWAPPED { (dtype - SWAPPED, ByteOrder::Swapped) } else { (dtype, ByteOrder::Native) };
    let known = usize::try_from(number).ok().and_then(|number| DType::ALL.get(number));
    let dtype = *known.ok_or_else(|| out_of_range("dtype", dtype.into(), "a known number"))?;
    Ok(NdArray { bytes, dtype, order, shape, audio: None })
}

fn number(dtype: DType, order: ByteOrder) -> i32 {
    let position = DType::ALL.iter().position(|known| *known == dtype).unwrap_or(0);
    position as i32 + if order == ByteOrder::Swapped { SWAPPED } else { 0 }
}

/// The items of one run, in order.
#[derive(Debug, Default, uniffi::Object)]
pub struct RawBatch {
    items: Mutex<Vec<RuntimeData>>,
}

impl RawBatch {
    fn push(&self, data: RuntimeData) {
        self.items.lock().unwrap_or_else(PoisonError::into_inner).push(data);
    }

    fn take(&self) -> Vec<RuntimeData> {
        std::mem::take(&mut *self.items.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn pinned(address: u64, byte_len: u64, dtype: i32, shape: Vec<usize>, token: u64) -> Result<NdArray> {
    let memory = PinnedMemory::new(address, byte_len, token)?;
    let array = array(ArrayBytes::Foreign(Arc::new(memory)), dtype, shape)?;
    let elements = array.shape.iter().try_fold(1_usize, |product, axis| product.checked_mul(*axis));
    let expected = elements.and_then(|elements| elements.checked_mul(array.dtype.size()));
    if expected.and_then(|expected| u64::try_from(expected).ok()) != Some(byte_len) {
        return Err(Error::new(
            ErrorKind::InputValue,
            format!("{byte_len} bytes are not {:?} {}", array.shape, array.dtype),
        ));
    }
    Ok(array)
}

#[uniffi::export]
impl RawBatch {
    /// An empty batch.
    #[uniffi::constructor]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Adds text.
    pub fn push_text(&self, value: &str) {
        self.push(RuntimeData::text(value));
    }

    /// Adds a JSON value, given as text.
    pub fn push_json(&self, value: &str) -> Answer<()> {
        self.push(item::json(value)?);
        Ok(())
    }

    /// Adds bytes.
    pub fn push_binary(&self, value: &[u8]) {
        self.push(RuntimeData::Binary(Arc::new(value.to_vec())));
    }

    /// Adds an array. Its memory is only read, until its token is released.
    pub fn raw_push_array(&self, address: u64, byte_len: u64, dtype: i32, shape: Vec<i64>, token: u64) -> Answer<()> {
        let axes = shape.iter().map(|axis| usize::try_from(*axis)).collect::<std::result::Result<Vec<_>, _>>();
        let axes = axes.map_err(|_| Error::new(ErrorKind::InputValue, format!("the shape {shape:?} is negative")))?;
        self.push(RuntimeData::Numpy(pinned(address, byte_len, dtype, axes, token)?));
        Ok(())
    }

    /// Adds audio: an array of interleaved samples of known rate.
    #[allow(clippy::too_many_arguments)] // One call instead of a record, which would cost more than the run.
    pub fn raw_push_audio(
        &self,
        address: u64,
        byte_len: u64,
        dtype: i32,
        frames: i64,
        channels: i32,
        sample_rate_hz: i32,
        one_dimensional: bool,
        token: u64,
    ) -> Answer<()> {
        let format: AudioFormat = audio::format(sample_rate_hz, channels)?;
        let frames = usize::try_from(frames).map_err(|_| out_of_range("frames", frames, "0 or more"))?;
        let shape =
            if one_dimensional && channels == 1 { vec![frames] } else { vec![frames, usize::from(format.channels())] };
        let array = pinned(address, byte_len, dtype, shape, token)?;
        self.push(RuntimeData::Numpy(NdArray { audio: Some(format), ..array }));
        Ok(())
    }

    /// Adds a video frame of packed planes. Its memory is copied at once.
    pub fn raw_push_video(
        &self,
        address: u64,
        byte_len: u64,
        width: i32,
        height: i32,
        pixel_format: &str,
        token: u64,
    ) -> Answer<()> {
        let format = video::format(width, height, pixel_format)?;
        let memory = PinnedMemory::new(address, byte_len, token)?;
        let mut bytes = vec![0; memory.len()];
        memory.read(0, &mut bytes);
        self.push(RuntimeData::Video(crate::data::VideoFrame::new(bytes, format)?));
        Ok(())
    }
}

fn options(lenient: bool, metrics: bool) -> RunOptions {
    RunOptions { lenient, clock: metrics.then(|| Arc::new(MonotonicClock::default()) as _), ..RunOptions::default() }
}

#[uniffi::export]
impl Pipeline {
    /// Runs a batch on the caller's thread. The batch is empty afterwards.
    pub fn raw_run(&self, batch: Arc<RawBatch>, lenient: bool, metrics: bool) -> Answer<Arc<RawResults>> {
        let results = self.inner.run(batch.take(), &options(lenient, metrics))?;
        Ok(Arc::new(RawResults::new(results)))
    }

    /// Starts a batch on a compute thread. `timeout_ms` of 0 sets no limit.
    pub fn raw_start(
        &self,
        batch: Arc<RawBatch>,
        lenient: bool,
        metrics: bool,
        timeout_ms: i64,
    ) -> Answer<Arc<RawJob>> {
        let timeout_ms = u64::try_from(timeout_ms).unwrap_or(0);
        let inner = self.inner.start(&Runtime::shared(), batch.take(), options(lenient, metrics), timeout_ms)?;
        Ok(Arc::new(RawJob { inner }))
    }

    /// Estimated CPU time for a batch, in nanoseconds.
    pub fn raw_cost_ns(&self, batch: Arc<RawBatch>) -> i64 {
        let items = batch.items.lock().unwrap_or_else(PoisonError::into_inner);
        let frames = items.iter().map(|item| match item {
            RuntimeData::Numpy(array) => array.frames_and_channels().map_or(1, |(frames, _)| frames as u64),
            other => other.frames(),
        });
        self.inner.cost_ns(frames.sum()) as i64
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
        Ok(Arc::new(RawResults::new(self.inner.take()?)))
    }
}

/// What a run gave: a header, and the buffers that it names.
#[derive(Debug, uniffi::Object)]
pub struct RawResults {
    header: String,
    buffers: Mutex<Vec<Option<Arc<RawBuffer>>>>,
}

#[uniffi::export]
impl RawResults {
    /// Everything but the buffers, as JSON.
    pub fn header(&self) -> String {
        self.header.clone()
    }

    /// Takes a buffer out: each once.
    pub fn raw_buffer(&self, index: i32) -> Answer<Arc<RawBuffer>> {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        let buffer = usize::try_from(index).ok().and_then(|index| buffers.get_mut(index)).and_then(Option::take);
        Ok(buffer.ok_or_else(|| out_of_range("buffer", index.into(), "the number of a buffer not taken before"))?)
    }
}

impl RawResults {
    fn new(results: RunResults) -> Self {
        let mut buffers = Vec::new();
        let outputs: Vec<Value> = results
            .ports
            .into_iter()
            .map(|port| {
                let items: Vec<Value> = port
                    .items
                    .into_iter()
                    .map(|result| {
                        let bare = results.one_axis.get(result.item).copied().flatten();
                        json!([result.item, value(result.data, bare, &mut buffers)])
                    })
                    .collect();
                json!({
                    "name": port.port.name(),
                    "node": port.port.node_id,
                    "port": port.port.port_name,
                    "stream": port.port.stream,
                    "items": items,
                })
            })
            .collect();
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
        let header = json!({
            "outputs": outputs,
            "inputs": results.inputs,
            "warnings": warnings,
            "metrics": results.metrics.as_ref().map(metrics),
        });
        Self { header: header.to_string(), buffers: Mutex::new(buffers) }
    }
}

fn keep(buffer: RawBuffer, buffers: &mut Vec<Option<Arc<RawBuffer>>>) -> usize {
    buffers.push(Some(Arc::new(buffer)));
    buffers.len() - 1
}

/// A result in the header. `bare`: the item was a bare array, of one axis or not; its audio goes back as one.
fn value(data: RuntimeData, bare: Option<bool>, buffers: &mut Vec<Option<Arc<RawBuffer>>>) -> Value {
    match data {
        RuntimeData::Text(text) => json!({"text": &*text}),
        RuntimeData::Json(value) => json!({"json": &*value}),
        RuntimeData::Binary(bytes) => {
            json!({"binary": {"buffer": keep(RawBuffer::from_bytes(Arc::unwrap_or_clone(bytes)), buffers)}})
        }
        RuntimeData::Audio(audio) => {
            let (rate, channels, frames) = (audio.sample_rate_hz(), audio.channels(), audio.frames());
            let buffer = keep(RawBuffer::from_samples(audio.into_samples().into_vec()), buffers);
            match bare {
                Some(one_axis) => {
                    let shape = if one_axis && channels == 1 { json!([frames]) } else { json!([frames, channels]) };
                    json!({"array": {"buffer": buffer, "dtype": number(DType::F32, ByteOrder::Native), "shape": shape}})
                }
                None => {
                    json!({"audio": {"buffer": buffer, "sample_rate_hz": rate, "channels": channels, "frames": frames}})
                }
            }
        }
        RuntimeData::Video(frame) => {
            let format = frame.format();
            let buffer = keep(RawBuffer::from_bytes(frame.into_bytes()), buffers);
            json!({"video": {
                "buffer": buffer,
                "width": format.width,
                "height": format.height,
                "pixel_format": format.pixel_format.name(),
            }})
        }
        RuntimeData::Numpy(array) => match array.bytes {
            ArrayBytes::Foreign(memory) => json!({"same": memory.token()}),
            ArrayBytes::Owned(bytes) => {
                let buffer = keep(RawBuffer::from_bytes(Arc::unwrap_or_clone(bytes)), buffers);
                json!({"array": {"buffer": buffer, "dtype": number(array.dtype, array.order), "shape": array.shape}})
            }
        },
        RuntimeData::Control(_) => Value::Null,
    }
}

/// The figures in the form that was published.
fn metrics(run: &RunMetrics) -> Value {
    let us = |ns: u64| ns as f64 / 1000.0;
    let nodes: Vec<Value> = run
        .nodes
        .iter()
        .map(|node| {
            let succeeded = node.calls.saturating_sub(node.errors);
            let calls = node.calls.max(1) as f64;
            json!({
                "node_id": node.node_id,
                "execution_count": node.calls,
                "success_count": succeeded,
                "error_count": node.errors,
                "success_rate": if node.calls == 0 { 1.0 } else { succeeded as f64 / calls },
                "total_duration_us": us(node.total_ns),
                "avg_duration_us": us(node.mean_ns),
                "min_duration_us": us(node.min_ns),
                "max_duration_us": us(node.max_ns),
                "p99_duration_us": us(node.p99_ns),
                "frames_in": node.frames_in,
                "frames_out": node.frames_out,
                "dropped": node.dropped,
            })
        })
        .collect();
    json!({
        "pipeline_id": run.pipeline,
        "total_executions": 1,
        "total_duration_us": us(run.total_ns),
        "total_duration_ms": us(run.total_ns) / 1000.0,
        "peak_memory_bytes": run.peak_bytes,
        "clipped_samples": run.clipped,
        "node_metrics": nodes,
        "metrics_overhead_us": us(run.overhead_ns),
    })
}
