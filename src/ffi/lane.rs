//! The fast lane of a session: the caller copies a frame into memory of ours, one call works on it, and the caller copies
//! the result out. No object crosses, nothing is parsed, nothing waits. Python (by one plain C call) and Kotlin use it.

use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use super::error::RemoteMediaError;
use super::raw::{Staging, handle};
use super::session::Session;
use super::{dtype, process};
use crate::data::{
    ArrayBytes, AudioBuffer, AudioFormat, ByteOrder, DType, Kind, NdArray, Packet, Pool, RuntimeData, make_room,
    read_samples, write_samples, zeros,
};
use crate::error::{Error, ErrorKind, Result};

type Answer<T> = std::result::Result<T, RemoteMediaError>;

/// The call failed: `fail` gives the error.
pub(super) const FAILED: i64 = -1;
/// The result is longer than the output: `grow` makes room and gives what the call would have given.
const LONGER: i64 = -2;
/// Another thread is in.
const BUSY: i64 = -3;

/// Channels stand above the frames in what a call gives.
const CHANNELS_AT: u32 = 40;

/// Before the samples of a result: its time (ticks i64, num u32, den u32), its generation u32, and 12 bytes of nothing.
const HEADER: usize = 32;

/// Frames to begin with: a longer frame makes the input grow.
const LEAST_FRAMES: usize = 256;

/// What the C call is, in words. Change it with the call, here, in `python/remotemedia/_lane.py` and in `Lane.kt`.
const API_TEXT: &str = "remotemedia_lane_process(u64 lane, i64 frames) -> i64 frames | channels << 40, or -1, -2, -3";

/// The hash of [`API_TEXT`].
pub(super) const API: u64 = fnv1a(API_TEXT.as_bytes());

/// Fowler, Noll, Vo: the 64-bit hash in its variant 1a.
const fn fnv1a(bytes: &[u8]) -> u64 {
    let (mut hash, mut at) = (0xcbf2_9ce4_8422_2325_u64, 0);
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

/// Staging memory of one session, for frames of one element type and channel count.
#[derive(uniffi::Object)]
pub struct RawLane {
    session: Arc<Session>,
    inner: Mutex<Inner>,
    error: Mutex<Option<Error>>,
}

#[allow(dead_code)] // Held only to be freed.
enum Outgrown {
    Input(Arc<Staging>),
    Output(Staging),
}

struct Inner {
    format: AudioFormat,
    /// Channels of a result without frames.
    channels_out: u16,
    /// The input as an array of any length.
    array: NdArray,
    input: Arc<Staging>,
    output: Staging,
    /// Memory that was outgrown. Whoever was told where it is may still look there: it stays as long as the lane. Each is
    /// at most half as large as the next one.
    outgrown: Vec<Outgrown>,
    pool: Pool,
    /// Bytes of the result in the output, and what did not fit behind them.
    written: usize,
    rest: Vec<u8>,
    /// What the last call gave, or gives once there is room: frames and channels.
    result: i64,
    /// Converted samples on their way to the output.
    scratch: Vec<u8>,
}

impl std::fmt::Debug for RawLane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawLane").field("session", &self.session).finish_non_exhaustive()
    }
}

impl RawLane {
    /// `channels_out` is what the result has.
    pub(super) fn new(
        session: Arc<Session>,
        dtype: DType,
        order: ByteOrder,
        format: AudioFormat,
        channels_out: u16,
    ) -> Result<Self> {
        let bytes = LEAST_FRAMES * usize::from(format.channels()) * dtype.size();
        let input = Arc::new(Staging::new(bytes)?);
        let array = NdArray { bytes: ArrayBytes::Foreign(input.clone()), dtype, order, shape: Vec::new(), audio: None };
        let inner = Inner {
            format,
            channels_out,
            array,
            input,
            output: Staging::new(HEADER + bytes)?,
            outgrown: Vec::new(),
            pool: Pool::default(),
            written: 0,
            rest: Vec::new(),
            result: FAILED,
            scratch: Vec::new(),
        };
        Ok(Self { session, inner: Mutex::new(inner), error: Mutex::new(None) })
    }

    /// Works on the first `frames` frames of the input. Frames and channels of the result, or a code below 0.
    pub(super) fn process(&self, frames: i64) -> i64 {
        self.answer(|inner| inner.process(&self.session.inner, frames))
    }

    /// Works unless another thread is in; keeps the error for `fail`.
    fn answer(&self, work: impl FnOnce(&mut Inner) -> Result<i64>) -> i64 {
        let mut inner = match self.inner.try_lock() {
            Ok(inner) => inner,
            Err(TryLockError::Poisoned(inner)) => inner.into_inner(),
            Err(TryLockError::WouldBlock) => return BUSY,
        };
        work(&mut inner).unwrap_or_else(|error| {
            let busy = error.kind() == ErrorKind::Busy;
            *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            if busy { BUSY } else { FAILED }
        })
    }
}

impl Inner {
    fn process(&mut self, session: &crate::engine::Session, frames: i64) -> Result<i64> {
        let channels = usize::from(self.format.channels());
        let frames = usize::try_from(frames).unwrap_or(usize::MAX);
        let fits =
            frames.checked_mul(channels * self.array.dtype.size()).is_some_and(|len| len <= self.array.bytes.len());
        if !fits {
            return Err(Error::new(ErrorKind::Internal, format!("{frames} frames are longer than the lane")));
        }
        let mut samples = self.pool.samples(frames * channels)?;
        read_samples(&self.array, 0, samples.make_mut()?)?;
        let audio = AudioBuffer::new(samples, self.format)?;
        self.collect(|sink| session.feed_with(audio.into(), None, None, sink))
    }

    fn collect(&mut self, work: impl FnOnce(&mut dyn FnMut(usize, Packet)) -> Result<()>) -> Result<i64> {
        self.written = HEADER;
        self.rest.clear();
        let (mut frames, mut channels, mut other) = (0, usize::from(self.channels_out), None);
        let Self { output, written, rest, scratch, array, .. } = self;
        let mut put = |output: &Staging, bytes: &[u8]| {
            if rest.is_empty() && output.write(*written, bytes) {
                *written += bytes.len();
                return Ok(());
            }
            make_room(rest, bytes.len())?;
            rest.extend_from_slice(bytes);
            Ok(())
        };
        let native = array.dtype == DType::F32 && array.order == ByteOrder::Native;
        let mut failed = None;
        work(&mut |_, packet| match &packet.data {
            RuntimeData::Audio(audio) => {
                if frames == 0 {
                    let (ticks, num, den) = (packet.pts.ticks, packet.pts.num, packet.pts.den);
                    head(output, ticks, num, den, packet.generation);
                }
                frames += audio.frames();
                channels = usize::from(audio.channels());
                let done = if native {
                    put(output, bytemuck::cast_slice(audio.samples()))
                } else {
                    scratch.clear();
                    let written = write_samples(audio.samples(), array.dtype, array.order, scratch);
                    written.and_then(|_| put(output, scratch))
                };
                failed = failed.take().or(done.err());
            }
            // A gap: the time of what comes next shows it.
            RuntimeData::Control(_) => {}
            data => other = Some(data.kind()),
        })?;
        if let Some(kind) = other {
            return Err(process::not_audio(kind));
        }
        failed.map_or(Ok(()), Err)?;
        self.result = frames as i64 | (channels as i64) << CHANNELS_AT;
        Ok(if self.rest.is_empty() { self.result } else { LONGER })
    }

    fn grow(&mut self) -> Result<i64> {
        let whole = self.written + self.rest.len();
        let output = Staging::new(whole.max(2 * crate::data::ForeignMemory::len(&self.output)))?;
        let mut written = zeros(self.written)?;
        crate::data::ForeignMemory::read(&self.output, 0, &mut written);
        output.write(0, &written);
        output.write(self.written, &self.rest);
        self.outgrown.push(Outgrown::Output(std::mem::replace(&mut self.output, output)));
        self.rest = Vec::new();
        self.written = whole;
        Ok(self.result)
    }
}

fn head(output: &Staging, ticks: i64, num: u32, den: u32, generation: u32) {
    let mut head = [0; HEADER - 12];
    head[..8].copy_from_slice(&ticks.to_ne_bytes());
    for (place, number) in head[8..].chunks_mut(4).zip([num, den, generation]) {
        place.copy_from_slice(&number.to_ne_bytes());
    }
    output.write(0, &head);
}

#[uniffi::export]
impl Session {
    /// A fast lane for frames of one element type and channel count.
    pub fn raw_lane(self: Arc<Self>, dtype: i32, channels: i32) -> Answer<Arc<RawLane>> {
        let graph = self.inner.graph();
        let port = process::one_result(graph)?;
        let (dtype, order) = dtype::from_number(i16::try_from(dtype).unwrap_or(-1))?;
        let format = process::bare_format(&self.inner, u16::try_from(channels).unwrap_or(u16::MAX))?;
        self.inner.check_input(format)?;
        let gives = graph.formats(&format.into(), false)?[port.node][port.port.index()].clone();
        if let Some(kind) = gives.kind().filter(|kind| *kind != Kind::Audio) {
            return Err(process::not_audio(kind).into());
        }
        let channels_out = gives.channels().unwrap_or(format.channels());
        Ok(Arc::new(RawLane::new(self, dtype, order, format, channels_out)?))
    }
}

#[uniffi::export]
impl RawLane {
    /// What `remotemedia_lane_process` takes. Keep this object while it may be called. The call gives the frames of the
    /// result, and its channels in the bits from 40 on; -1: it failed, and `fail` gives the error; -2: the result is
    /// longer than the output, see `raw_grow`; -3: another thread is in.
    pub fn raw_handle(&self) -> u64 {
        handle(self)
    }

    /// Where the input is; room for `frames` frames is made first. It may move; nobody reads at the place before then.
    pub fn raw_input(&self, frames: i64) -> Answer<u64> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let size = usize::from(inner.format.channels()) * inner.array.dtype.size();
        let bytes = usize::try_from(frames).ok().and_then(|frames| frames.checked_mul(size));
        let bytes = bytes.filter(|bytes| *bytes <= 1 << 30).ok_or_else(|| {
            Error::new(ErrorKind::InputValue, format!("a frame of {frames} frames is too long, expected at most 1 GiB"))
        })?;
        if bytes > inner.array.bytes.len() {
            let input = Arc::new(Staging::new(bytes.max(2 * inner.array.bytes.len()))?);
            inner.array.bytes = ArrayBytes::Foreign(input.clone());
            let before = std::mem::replace(&mut inner.input, input);
            inner.outgrown.push(Outgrown::Input(before));
        }
        Ok(inner.input.address())
    }

    /// Where the output is: 32 bytes (ticks i64, num u32, den u32, generation u32 of the first frame), then samples. A
    /// call that gives -2 moves it.
    pub fn raw_output(&self) -> u64 {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).output.address()
    }

    /// The length of the output in bytes.
    pub fn raw_output_len(&self) -> i64 {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        i64::try_from(crate::data::ForeignMemory::len(&inner.output)).unwrap_or(i64::MAX)
    }

    /// Makes room for a result that was longer than the output. Gives what the call would have given.
    pub fn raw_grow(&self) -> Answer<i64> {
        Ok(self.inner.lock().unwrap_or_else(PoisonError::into_inner).grow()?)
    }

    /// Ends the stream. Gives what the call of a frame gives.
    pub fn raw_flush(&self) -> i64 {
        self.answer(|inner| inner.collect(|sink| self.session.inner.flush_with(sink)))
    }

    /// Gives the error of the last call that failed.
    pub fn fail(&self) -> Answer<()> {
        let error = self.error.lock().unwrap_or_else(PoisonError::into_inner).take();
        Err(error.unwrap_or_else(|| Error::new(ErrorKind::Internal, "the native call has panicked")).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ForeignMemory as _;
    use crate::ffi::raw::remotemedia_lane_api;
    use crate::ffi::{Pipeline, SessionConfig};

    fn lane(nodes: &str) -> Arc<RawLane> {
        let manifest = format!(r#"{{"version": "v1", "nodes": [{nodes}]}}"#);
        let pipeline = Pipeline::new(manifest).unwrap();
        let config = SessionConfig { sample_rate_hz: 8_000, channels: 2, constant_frames: false, metrics: false };
        // Number 2 is int16.
        pipeline.session(config).unwrap().raw_lane(2, 2).unwrap()
    }

    fn bytes(samples: &[i16]) -> Vec<u8> {
        samples.iter().flat_map(|sample| sample.to_ne_bytes()).collect()
    }

    #[test]
    fn a_frame_goes_through_its_staging_memory() {
        let lane = lane(r#"{"id": "a", "node_type": "PassThrough"}"#);
        let frame = bytes(&[1, -2, 3, -32_768, 32_767, 0]);
        assert!(lane.inner.lock().unwrap().input.write(0, &frame));
        assert_eq!(lane.process(3), 3 | 2 << CHANNELS_AT);
        let mut back = vec![0; frame.len()];
        lane.inner.lock().unwrap().output.read(HEADER, &mut back);
        assert_eq!(back, frame);
        assert_eq!(lane.process(i64::MAX), FAILED);
        assert_eq!(lane.process(-1), FAILED);
        assert!(lane.fail().is_err());
        let held = lane.inner.lock().unwrap();
        assert_eq!(lane.process(3), BUSY);
        drop(held);
        assert_eq!(remotemedia_lane_api(), API);
    }

    #[test]
    fn what_is_longer_than_the_output_comes_after_it_has_grown() {
        let lane = lane(r#"{"id": "a", "node_type": "AudioResample", "params": {"target_rate": 192000}}"#);
        lane.raw_input(4_000).unwrap();
        assert!(lane.inner.lock().unwrap().input.write(0, &bytes(&[1_000; 8_000])));
        assert_eq!(lane.process(4_000), LONGER);
        let frames = lane.raw_grow().unwrap() & ((1 << CHANNELS_AT) - 1);
        let rest = lane.raw_flush();
        let rest = if rest == LONGER { lane.raw_grow().unwrap() } else { rest } & ((1 << CHANNELS_AT) - 1);
        assert_eq!(frames + rest, 4_000 * 24);
        assert!(lane.raw_input(i64::MAX).is_err());
    }
}
