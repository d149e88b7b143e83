//! What goes into a run and comes out of it, in Kotlin and Swift. Python has records (`wire.rs`).

use std::sync::Arc;

use super::audio::{AudioBuffer, blob};
use super::raw::Blob;
use super::video::VideoFrame;
use crate::data::{Kind, RuntimeData};
use crate::engine::RunResults;
use crate::error::{Error, ErrorKind, Result};

/// One piece of data.
#[derive(Debug, Clone, uniffi::Enum)]
#[allow(missing_docs)] // Each case holds what its name says.
pub enum Item {
    /// Audio.
    Audio { buffer: Arc<AudioBuffer> },
    /// A video frame.
    Video { frame: Arc<VideoFrame> },
    /// Text.
    Text { value: String },
    /// A JSON value, as text.
    Json { value: String },
    /// Bytes.
    Binary { value: Blob },
}

/// One result.
#[derive(Debug, Clone, uniffi::Record)]
pub struct Output {
    /// The id of the node it came from.
    pub node: String,
    /// The port it came from: `out`, `events`.
    pub port: String,
    /// The input item it belongs to, counted from 0.
    pub item_index: i64,
    /// What came out.
    pub item: Item,
}

/// The most text of a JSON item. Its values take up to sixteen times as much.
const MOST_JSON_BYTES: usize = 64 << 20;

pub(super) fn json(text: &str) -> Result<RuntimeData> {
    if text.len() > MOST_JSON_BYTES {
        let (found, most) = (text.len() >> 20, MOST_JSON_BYTES >> 20);
        let text = format!("a JSON item has {found} MiB of text, expected at most {most}");
        return Err(
            Error::new(ErrorKind::InputValue, text).hint("pass numbers as an array, and many values as many items")
        );
    }
    let value = serde_json::from_str(text)
        .map_err(|error| Error::new(ErrorKind::InputValue, format!("the item is not JSON: {error}")))?;
    Ok(RuntimeData::json(value))
}

impl TryFrom<Item> for RuntimeData {
    type Error = Error;

    fn try_from(item: Item) -> Result<Self> {
        Ok(match item {
            Item::Audio { buffer } => Self::Audio(buffer.inner.clone()),
            Item::Video { frame } => Self::Video(frame.inner.clone()),
            Item::Text { value } => Self::text(value),
            Item::Json { value } => json(&value)?,
            Item::Binary { value } => Self::Binary(Arc::new(value.0)),
        })
    }
}

impl TryFrom<RuntimeData> for Item {
    type Error = Error;

    fn try_from(data: RuntimeData) -> Result<Self> {
        Ok(match data {
            RuntimeData::Audio(inner) => Self::Audio { buffer: Arc::new(AudioBuffer { inner }) },
            RuntimeData::Video(inner) => Self::Video { frame: Arc::new(VideoFrame { inner }) },
            RuntimeData::Text(text) => Self::Text { value: text.to_string() },
            RuntimeData::Json(value) => Self::Json { value: value.to_string() },
            RuntimeData::Binary(bytes) => Self::Binary { value: blob(Arc::unwrap_or_clone(bytes))? },
            RuntimeData::Numpy(_) | RuntimeData::Control(_) => {
                let kind = data.kind();
                debug_assert!(kind == Kind::Array || kind == Kind::Control);
                return Err(Error::new(ErrorKind::Unsupported, format!("a result of kind {kind} has no form here")));
            }
        })
    }
}

/// All results, port by port.
pub(super) fn outputs(results: RunResults) -> Result<Vec<Output>> {
    let mut outputs = Vec::new();
    for port in results.ports {
        for result in port.items {
            outputs.push(Output {
                node: port.port.node_id.clone(),
                port: port.port.port_name.to_owned(),
                item_index: i64::try_from(result.item).unwrap_or(i64::MAX),
                item: result.data.try_into()?,
            });
        }
    }
    Ok(outputs)
}
