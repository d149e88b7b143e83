//! Many sessions behind one object, for the Python package.

use std::sync::Arc;

use super::batch::EndCall;
use super::error::{RemoteMediaError, out_of_range};
use super::feed::bare;
use super::pipeline::Pipeline;
use super::raw::handle;
use super::session::{SessionConfig, options};
use super::wire;
use crate::data::RuntimeData;
use crate::error::{Error, ErrorKind, Result};

type Answer<T> = std::result::Result<T, RemoteMediaError>;

/// Many sessions over one pipeline.
#[derive(Debug, uniffi::Object)]
pub struct RawGroup {
    inner: crate::engine::Group,
    sample_rate_hz: Option<u32>,
}

#[uniffi::export]
impl Pipeline {
    /// Opens many sessions.
    pub fn raw_group(&self, config: SessionConfig, streams: i32) -> Answer<Arc<RawGroup>> {
        let streams = usize::try_from(streams).ok().filter(|streams| (1..=1_000_000).contains(streams));
        let streams = streams.ok_or_else(|| out_of_range("streams", 0, "1 to 1000000"))?;
        let inner = self.inner.group(&options(&config)?, streams)?;
        let sample_rate_hz = inner.session(0).ok().and_then(crate::engine::Session::sample_rate_hz);
        Ok(Arc::new(RawGroup { inner, sample_rate_hz }))
    }
}

#[uniffi::export]
impl RawGroup {
    /// Feeds a batch: one array with a row for each stream, or items whose streams `streams` names (u32 little-endian).
    /// Memory is only read until this returns. Other Python threads run meanwhile.
    pub fn raw_push(&self, batch: &[u8], streams: &[u8]) -> Answer<()> {
        let mut batch = EndCall(wire::batch(batch)?);
        let items = std::mem::take(&mut batch.0.items);
        if streams.is_empty()
            && let [RuntimeData::Numpy(array)] = &items[..]
        {
            let rate = self.sample_rate_hz.ok_or_else(|| {
                Error::new(ErrorKind::Format, "the sample rate of a bare array is not known")
                    .code_of("RM0202")
                    .hint("open the group with sample_rate=...")
            })?;
            return Ok(self.inner.feed_rows(array, rate)?);
        }
        let numbers = streams.as_chunks::<4>().0.iter().map(|number| u32::from_le_bytes(*number) as usize);
        let mut failed = None;
        for (stream, item) in numbers.zip(items) {
            if let Err(error) = self.inner.feed(stream, item) {
                failed.get_or_insert(error);
            }
        }
        Ok(failed.map_or(Ok(()), Err)?)
    }

    /// What the plain calls take. Keep this object while they may be made.
    pub fn raw_handle(&self) -> u64 {
        handle(self)
    }

    /// Ends one stream, or all of them (-1).
    pub fn flush(&self, stream: i32) -> Answer<()> {
        let streams = self.streams(stream)?;
        Ok(streams.into_iter().try_for_each(|stream| self.inner.flush(stream))?)
    }

    /// Forgets one stream, or all of them (-1).
    pub fn reset(&self, stream: i32) -> Answer<()> {
        for stream in self.streams(stream)? {
            self.inner.session(stream)?.reset()?;
        }
        Ok(())
    }

    /// Throws away what one stream, or all of them (-1), holds.
    pub fn interrupt(&self, stream: i32) -> Answer<()> {
        for stream in self.streams(stream)? {
            self.inner.interrupt(stream)?;
        }
        Ok(())
    }

    /// Ends every session.
    pub fn shutdown(&self) {
        self.inner.shutdown();
    }
}

impl RawGroup {
    /// Results, at most `most`: before each record what a session's records have, and the number of the stream, u32.
    pub(super) fn take_records(&self, most: usize, dtype: i64, one_axis: bool) -> Result<Vec<u8>> {
        let bare = bare(dtype, one_axis)?;
        wire::group_outputs(self.inner.take(most), bare)
    }

    fn streams(&self, stream: i32) -> Result<Vec<usize>> {
        if stream == -1 {
            return Ok((0..self.inner.len()).collect());
        }
        let stream = usize::try_from(stream).unwrap_or(usize::MAX);
        self.inner.session(stream)?;
        Ok(vec![stream])
    }
}
