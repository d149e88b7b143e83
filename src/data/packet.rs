//! One piece of a stream on its way from node to node.

use std::sync::Arc;

use serde_json::Value;

use super::{AudioBuffer, AudioFormat, Format, Kind, NdArray, Pts, VideoFrame};

/// A message between nodes that is not media.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// What follows does not continue what came before: nodes forget what they hold of the old stream.
    Discontinuity,
    /// Nothing is heard from the packet's time up to this one: what follows begins there or later. It comes from a node
    /// that leaves audio out, for whoever waits for it.
    Gap {
        /// When the next audio can begin at the earliest.
        until: Pts,
        /// The format of the audio that is left out.
        format: AudioFormat,
    },
}

/// Everything that can flow through a pipeline. Cloning shares the memory.
#[derive(Debug, Clone)]
pub enum RuntimeData {
    /// Audio.
    Audio(AudioBuffer),
    /// One video frame.
    Video(VideoFrame),
    /// An array as the caller passed it, or made by a node.
    Numpy(NdArray),
    /// Text.
    Text(Arc<str>),
    /// Any JSON value.
    Json(Arc<Value>),
    /// Bytes.
    Binary(Arc<Vec<u8>>),
    /// A message between nodes.
    Control(Control),
}

impl RuntimeData {
    /// The kind of data.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Audio(_) => Kind::Audio,
            Self::Video(_) => Kind::Video,
            Self::Numpy(_) => Kind::Array,
            Self::Text(_) => Kind::Text,
            Self::Json(_) => Kind::Json,
            Self::Binary(_) => Kind::Binary,
            Self::Control(_) => Kind::Control,
        }
    }

    /// The format, wholly known. `Unknown` for control messages.
    pub fn format(&self) -> Format {
        match self {
            Self::Audio(audio) => audio.format().into(),
            Self::Video(frame) => frame.format().into(),
            Self::Numpy(NdArray { audio: Some(format), .. }) => (*format).into(),
            Self::Numpy(array) => Format::Array { dtype: Some(array.dtype), shape: Some(array.shape.clone()) },
            Self::Text(_) => Format::Text,
            Self::Json(_) => Format::Json,
            Self::Binary(_) => Format::Binary,
            Self::Control(_) => Format::Unknown,
        }
    }

    /// Bytes of media held (0 for JSON and control messages).
    pub fn bytes(&self) -> usize {
        match self {
            Self::Audio(audio) => size_of_val(audio.samples()),
            Self::Video(frame) => frame.bytes().len(),
            Self::Numpy(array) => array.bytes.len(),
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
            Self::Json(_) | Self::Control(_) => 0,
        }
    }

    /// Audio frames, or 1 for anything else.
    pub fn frames(&self) -> u64 {
        match self {
            Self::Audio(audio) => audio.frames() as u64,
            _ => 1,
        }
    }

    /// Text.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// A JSON value.
    pub fn json(value: Value) -> Self {
        Self::Json(Arc::new(value))
    }
}

impl From<AudioBuffer> for RuntimeData {
    fn from(audio: AudioBuffer) -> Self {
        Self::Audio(audio)
    }
}

impl From<VideoFrame> for RuntimeData {
    fn from(frame: VideoFrame) -> Self {
        Self::Video(frame)
    }
}

/// Data with its place in the stream.
#[derive(Debug, Clone)]
pub struct Packet {
    /// What flows.
    pub data: RuntimeData,
    /// When its first frame is, in media time.
    pub pts: Pts,
    /// The input item it stems from, counted from 0.
    pub item: u32,
    /// Rises with every interrupt; an older generation is stale.
    pub generation: u32,
    /// When the stream begins that it belongs to, for nodes that count from there. The engine sets it.
    pub start: Pts,
}

impl Packet {
    /// The first packet of a stream's first item.
    pub fn new(data: impl Into<RuntimeData>, pts: Pts) -> Self {
        Self { data: data.into(), pts, item: 0, generation: 0, start: Pts::ZERO }
    }

    /// Other data at another time, of the same item and generation.
    pub fn with(&self, data: impl Into<RuntimeData>, pts: Pts) -> Self {
        Self { data: data.into(), pts, item: self.item, generation: self.generation, start: self.start }
    }

    /// Whether it says that nothing comes, which is for nodes alone.
    pub(crate) fn is_gap(&self) -> bool {
        matches!(self.data, RuntimeData::Control(Control::Gap { .. }))
    }

    /// Moves it in time.
    pub(crate) fn shift(&mut self, moved: impl Fn(Pts) -> Pts) {
        self.pts = moved(self.pts);
        if let RuntimeData::Control(Control::Gap { until, .. }) = &mut self.data {
            *until = moved(*until);
        }
    }

    /// The same of another item and generation.
    #[must_use]
    pub fn tagged(mut self, item: u32, generation: u32) -> Self {
        (self.item, self.generation) = (item, generation);
        self
    }
}
