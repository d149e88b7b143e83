//! Sessions: one live stream through a pipeline.

use std::sync::Arc;

use serde_json::Value;

use super::audio;
use super::error::RemoteMediaError;
use super::item::Item;
use super::pipeline::Pipeline;
use crate::data::{Format, Pts};
use crate::engine::{SessionOptions, SessionOutput};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Graph;
use crate::node::MonotonicClock;

type Answer<T> = std::result::Result<T, RemoteMediaError>;

/// How a session behaves.
#[derive(Debug, Clone, uniffi::Record)]
pub struct SessionConfig {
    /// Sample rate of the input in Hz; 0 when the manifest declares it, or each item says it.
    #[uniffi(default = 0)]
    pub sample_rate_hz: i32,
    /// Channels of the input; 0 when the manifest declares them, or each item says them.
    #[uniffi(default = 0)]
    pub channels: i32,
    /// One frame out per frame in from the first on, instead of output that is aligned with the input.
    #[uniffi(default = false)]
    pub constant_frames: bool,
    /// Collect figures.
    #[uniffi(default = false)]
    pub metrics: bool,
}

/// One result of a session.
#[derive(Debug, Clone, uniffi::Record)]
pub struct StreamOutput {
    /// The id of the node it came from.
    pub node: String,
    /// The port it came from: `out`, `events`.
    pub port: String,
    /// What came out.
    pub item: Item,
    /// When its first frame is: `pts_ticks * pts_num / pts_den` seconds from the start of the stream.
    pub pts_ticks: i64,
    /// Numerator of a tick in seconds.
    pub pts_num: i64,
    /// Denominator of a tick in seconds.
    pub pts_den: i64,
    /// Rises with every interrupt.
    pub generation: i64,
    /// How many results a full queue has dropped before this one.
    pub dropped: i64,
}

/// One live stream through a pipeline. One thread at a time; another one gets an error of kind `Busy`.
#[derive(Debug, uniffi::Object)]
pub struct Session {
    pub(super) inner: Arc<crate::engine::Session>,
    /// What the last answer to Python names.
    #[cfg(feature = "python")]
    pub(super) buffers: std::sync::Mutex<super::wire::Buffers>,
}

pub(super) fn options(config: &SessionConfig) -> Result<SessionOptions> {
    let input = match (config.sample_rate_hz, config.channels) {
        (0, 0) => Format::Unknown,
        (rate, channels) => {
            // What is given is checked; the rest stays open.
            let known = audio::format(if rate == 0 { 48_000 } else { rate }, if channels == 0 { 1 } else { channels })?;
            Format::Audio {
                sample_rate_hz: (rate != 0).then(|| known.sample_rate_hz()),
                channels: (channels != 0).then(|| known.channels()),
            }
        }
    };
    let clock = config.metrics.then(|| Arc::new(MonotonicClock::default()) as _);
    Ok(SessionOptions { input, constant_frames: config.constant_frames, clock, later: false })
}

/// A time in seconds from ticks; `den` of 0 is none.
pub(super) fn pts(ticks: i64, den: i32) -> Result<Option<Pts>> {
    if den == 0 {
        return Ok(None);
    }
    let den = u32::try_from(den).map_err(|_| {
        Error::new(ErrorKind::InputValue, format!("the denominator of a time is {den}, expected 1 or more"))
    })?;
    Ok(Some(Pts { ticks, num: 1, den }))
}

#[uniffi::export]
impl Pipeline {
    /// Opens a session.
    pub fn session(&self, config: SessionConfig) -> Answer<Arc<Session>> {
        self.open_session(options(&config)?)
    }
}

impl Pipeline {
    pub(super) fn open_session(&self, options: SessionOptions) -> Answer<Arc<Session>> {
        Ok(Arc::new(Session {
            inner: Arc::new(self.inner.session(options)?),
            #[cfg(feature = "python")]
            buffers: std::sync::Mutex::default(),
        }))
    }
}

#[uniffi::export]
impl Session {
    /// Takes an item and gives what comes out. `to` names the node that takes it; without it every one that takes input.
    #[uniffi::method(default(to = None))]
    pub fn feed(&self, item: Item, to: Option<String>) -> Answer<Vec<StreamOutput>> {
        Ok(stream_outputs(self.inner.graph(), self.inner.feed(item.try_into()?, None, to.as_deref())?)?)
    }

    /// Like `feed`, for an item whose first frame is at `pts_ticks / pts_den` seconds.
    #[uniffi::method(default(to = None))]
    pub fn feed_at(&self, item: Item, pts_ticks: i64, pts_den: i32, to: Option<String>) -> Answer<Vec<StreamOutput>> {
        Ok(stream_outputs(
            self.inner.graph(),
            self.inner.feed(item.try_into()?, pts(pts_ticks, pts_den)?, to.as_deref())?,
        )?)
    }

    /// Ends the stream and gives everything that was held back. What is fed next begins another stream.
    pub fn flush(&self) -> Answer<Vec<StreamOutput>> {
        Ok(stream_outputs(self.inner.graph(), self.inner.flush()?)?)
    }

    /// Forgets the stream, with everything held. A session that has failed works again.
    pub fn reset(&self) -> Answer<()> {
        Ok(self.inner.reset()?)
    }

    /// Throws away what is held, at once: no output of before comes after this returns. Gives the new generation.
    pub fn interrupt(&self) -> i64 {
        self.inner.interrupt().into()
    }

    /// Changes a parameter of a node, from the next item on. The value is JSON text.
    pub fn set_param(&self, node: String, name: String, value_json: String) -> Answer<()> {
        let value = parsed(&name, &value_json)?;
        Ok(self.inner.set_param(&node, &name, &value)?)
    }

    /// The rate of the input in Hz, as far as it is declared or was seen.
    pub fn sample_rate_hz(&self) -> Option<i32> {
        self.inner.sample_rate_hz().and_then(|rate| i32::try_from(rate).ok())
    }

    /// The channels of the input, as far as they are declared or were seen.
    pub fn channels(&self) -> Option<i32> {
        self.inner.channels().map(i32::from)
    }

    /// The generation that outputs carry.
    pub fn generation(&self) -> i64 {
        self.inner.generation().into()
    }

    /// The most audio frames that a node holds back, at the rate of its output.
    pub fn held_frames(&self) -> i64 {
        i64::try_from(self.inner.held_frames()).unwrap_or(i64::MAX)
    }

    /// Ends the session. Every later call gives `Closed`.
    pub fn shutdown(&self) {
        self.inner.shutdown();
    }
}

/// The value of a parameter.
pub(super) fn parsed(name: &str, json: &str) -> Result<Value> {
    serde_json::from_str(json)
        .map_err(|error| Error::new(ErrorKind::InputValue, format!("the value of `{name}` is not JSON: {error}")))
}

pub(super) fn stream_outputs(graph: &Graph, outputs: Vec<SessionOutput>) -> Result<Vec<StreamOutput>> {
    let outputs = outputs.into_iter().map(|SessionOutput { result, packet, dropped }| {
        let port = &graph.results[result];
        Ok(StreamOutput {
            node: port.node_id.clone(),
            port: port.port_name.to_owned(),
            item: packet.data.try_into()?,
            pts_ticks: packet.pts.ticks,
            pts_num: packet.pts.num.into(),
            pts_den: packet.pts.den.into(),
            generation: packet.generation.into(),
            dropped: dropped.into(),
        })
    });
    outputs.collect()
}
