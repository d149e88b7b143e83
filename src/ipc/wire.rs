//! The form in which a packet crosses to a Python node and back: a head of 64 bytes, a variable part, the payload.
//!
//! All numbers are little-endian. `python/remotemedia/worker/_wire.py` is the other side: change both together, and
//! [`VERSION`].
//!
//! | at | type | what |
//! | --- | --- | --- |
//! | 0 | u16, u16 | magic, version |
//! | 4 | u8, u8, u8, u8 | [`Kind`] (`Control`: JSON, about the node and not to it), [`DType::number`], axes, flags |
//! | 8 | u64 | sequence number of the request |
//! | 16 | u32, u32 | generation, stream (an instance of the node) |
//! | 24 | i64, u32, u32 | pts: ticks, num, den |
//! | 40 | i64 | deadline on `CLOCK_MONOTONIC` in ns, 0: none; of a worker's reply, the core that it ran on, from 1 |
//! | 48 | u32, u32 | length of head and variable part, where the payload starts (a multiple of 64, at most [`MOST_HEAD`]) |
//! | 56 | u64 | length of the payload |
//!
//! The variable part: the shape (u64 an axis), four u32 that the kind gives a meaning, two i64 (when the worker has
//! taken the request, and when it has answered, on `CLOCK_MONOTONIC`). Then zeros up to the payload.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use crate::data::{
    ArrayBytes, AudioBuffer, AudioFormat, ByteOrder, DType, ForeignMemory, Kind, NdArray, PixelFormat, Pool, Pts,
    RuntimeData, VideoFormat, VideoFrame, copy_of,
};
use crate::error::{Error, ErrorKind, Result};

/// Rises with every change of the form.
pub const VERSION: u16 = 4;
const MAGIC: u16 = 0x4d52;
/// Length of the fixed part.
pub const HEAD: usize = 64;
const MOST_AXES: usize = 64;
const BEHIND_SHAPE: usize = 32;
/// Where a payload starts at the latest.
pub const MOST_HEAD: usize = (HEAD + MOST_AXES * 8 + BEHIND_SHAPE).next_multiple_of(HEAD);

/// The last reply to a request.
pub const LAST: u8 = 1;
/// A reply that is an error: JSON.
pub const ERROR: u8 = 2;

/// Where a worker's reply says which core it ran on.
pub const CORE: Range<usize> = 40..48;

/// Of a request: what was asked of its stream before, and was not begun, is not wanted any more.
pub const ABANDONS: u8 = 4;

/// Head and variable part of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// What it is.
    pub kind: Kind,
    /// Element type of the payload.
    pub dtype: DType,
    /// Byte order of the payload.
    pub order: ByteOrder,
    /// [`LAST`], [`ERROR`], [`ABANDONS`].
    pub flags: u8,
    /// The number of the request, which its replies carry as well.
    pub sequence: u64,
    /// Rises with every start of the worker.
    pub generation: u32,
    /// The instance of the node.
    pub stream: u32,
    /// Media time.
    pub pts: Pts,
    /// When the caller stops waiting, on `CLOCK_MONOTONIC` in ns; 0: never. Of a worker's reply, see [`CORE`].
    pub deadline_ns: i64,
    /// The shape of the payload.
    pub shape: Vec<u64>,
    /// Audio: rate, channels. Video: width, height, number of the pixel format.
    pub numbers: [u32; 4],
    /// When the request was taken, and when this reply was made.
    pub times_ns: [i64; 2],
    /// Length of the payload.
    pub payload_len: u64,
}

fn bad(text: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Internal, format!("a frame of a Python node is malformed: {text}"))
}

/// JSON of a payload. Copied before it is looked at: the other side could still write to it.
///
/// # Errors
/// `Internal` when it is none.
pub fn json(payload: &[u8]) -> Result<Value> {
    let text = String::from_utf8(payload.to_vec()).map_err(bad)?;
    serde_json::from_str(&text).map_err(bad)
}

impl Head {
    /// The head of bytes that are a message about the node.
    fn control(payload_len: usize) -> Self {
        Self {
            kind: Kind::Control,
            dtype: DType::U8,
            order: ByteOrder::Native,
            flags: 0,
            sequence: 0,
            generation: 0,
            stream: 0,
            pts: Pts::ZERO,
            deadline_ns: 0,
            shape: vec![payload_len as u64],
            numbers: [0; 4],
            times_ns: [0; 2],
            payload_len: payload_len as u64,
        }
    }

    /// The head of data whose payload has so many bytes.
    pub fn of(data: &RuntimeData, pts: Pts, payload_len: usize) -> Self {
        let mut head = Self { kind: data.kind(), pts, ..Self::control(payload_len) };
        match data {
            RuntimeData::Audio(audio) => {
                head.dtype = DType::F32;
                head.shape = vec![audio.frames() as u64, audio.channels().into()];
                head.numbers = [audio.sample_rate_hz(), audio.channels().into(), 0, 0];
            }
            RuntimeData::Video(frame) => {
                let VideoFormat { width, height, pixel_format } = frame.format();
                let pixels = PixelFormat::ALL.iter().position(|pixels| *pixels == pixel_format).unwrap_or(0);
                head.numbers = [width, height, pixels as u32, 0];
            }
            RuntimeData::Numpy(array) => {
                if let Some(format) = array.audio {
                    head.kind = Kind::Audio;
                    head.numbers = [format.sample_rate_hz(), format.channels().into(), 0, 0];
                }
                (head.dtype, head.order) = (array.dtype, array.order);
                head.shape = array.shape.iter().map(|axis| *axis as u64).collect();
            }
            RuntimeData::Binary(_) | RuntimeData::Text(_) | RuntimeData::Json(_) | RuntimeData::Control(_) => {}
        }
        head
    }

    /// Where the payload starts.
    pub fn payload_offset(&self) -> usize {
        (HEAD + self.shape.len() * 8 + BEHIND_SHAPE).next_multiple_of(HEAD)
    }

    /// Writes everything before the payload.
    ///
    /// # Errors
    /// `Unsupported` for an array of more than 64 axes.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        let axes = self.shape.len();
        if axes > MOST_AXES {
            return Err(Error::new(ErrorKind::Unsupported, format!("the array has {axes} axes, expected at most 64")));
        }
        let dtype = self.dtype.number(self.order);
        let behind = HEAD + axes * 8 + BEHIND_SHAPE;
        let offset = self.payload_offset();
        out.clear();
        out.extend(MAGIC.to_le_bytes());
        out.extend(VERSION.to_le_bytes());
        out.extend([self.kind as u8, dtype, axes as u8, self.flags]);
        out.extend(self.sequence.to_le_bytes());
        out.extend(self.generation.to_le_bytes());
        out.extend(self.stream.to_le_bytes());
        out.extend(self.pts.ticks.to_le_bytes());
        out.extend(self.pts.num.to_le_bytes());
        out.extend(self.pts.den.to_le_bytes());
        out.extend(self.deadline_ns.to_le_bytes());
        out.extend((behind as u32).to_le_bytes());
        out.extend((offset as u32).to_le_bytes());
        out.extend(self.payload_len.to_le_bytes());
        self.shape.iter().for_each(|axis| out.extend(axis.to_le_bytes()));
        self.numbers.iter().for_each(|number| out.extend(number.to_le_bytes()));
        self.times_ns.iter().for_each(|time| out.extend(time.to_le_bytes()));
        out.resize(offset, 0);
        Ok(())
    }

    /// Reads and checks a head. The payload, of which only the length is looked at, is at the range given.
    ///
    /// # Errors
    /// `Internal` for anything that makes no sense: no side trusts the other.
    pub fn read(bytes: &[u8], whole_len: usize) -> Result<(Self, Range<usize>)> {
        let mut reader = Reader(bytes);
        let (magic, version) = (u16::from_le_bytes(reader.number()?), u16::from_le_bytes(reader.number()?));
        if magic != MAGIC {
            return Err(bad(format_args!("its magic number is {magic:#x}, expected {MAGIC:#x}")));
        }
        if version != VERSION {
            return Err(bad(format_args!("it is of version {version}, expected {VERSION}")));
        }
        let [kind, dtype, axes, flags] = reader.number()?;
        let kind = *Kind::ALL.get(usize::from(kind)).ok_or_else(|| bad(format_args!("there is no kind {kind}")))?;
        let (dtype, order) = DType::from_number(dtype).ok_or_else(|| bad(format_args!("there is no dtype {dtype}")))?;
        let axes = usize::from(axes);
        if axes > MOST_AXES || flags & !(LAST | ERROR | ABANDONS) != 0 {
            return Err(bad(format_args!("it has {axes} axes and flags {flags:#b}")));
        }
        let sequence = reader.u64()?;
        let (generation, stream) = (reader.u32()?, reader.u32()?);
        let pts = Pts { ticks: reader.u64()? as i64, num: reader.u32()?, den: reader.u32()? };
        if pts.den == 0 {
            return Err(bad("the denominator of its time is 0"));
        }
        let deadline_ns = reader.u64()? as i64;
        let (behind, offset) = (reader.u32()? as usize, reader.u32()? as usize);
        let payload_len = reader.u64()?;
        let placed = offset.is_multiple_of(HEAD) && (behind..=MOST_HEAD).contains(&offset);
        if behind != HEAD + axes * 8 + BEHIND_SHAPE || !placed {
            return Err(bad(format_args!("its head has {behind} bytes and its payload starts at {offset}")));
        }
        let shape: Vec<u64> = (0..axes).map(|_| reader.u64()).collect::<Result<_>>()?;
        let mut numbers = [0; 4];
        for number in &mut numbers {
            *number = reader.u32()?;
        }
        let times_ns = [reader.u64()? as i64, reader.u64()? as i64];
        let fits = usize::try_from(payload_len).ok().and_then(|len| offset.checked_add(len));
        let Some(end) = fits.filter(|end| *end <= whole_len) else {
            return Err(bad(format_args!("its payload of {payload_len} bytes at {offset} is beyond {whole_len}")));
        };
        let elements = shape.iter().try_fold(1_u64, |product, axis| product.checked_mul(*axis));
        // An axis of 0 hides nothing: numpy takes no array whose other axes are beyond memory.
        let others = shape.iter().try_fold(dtype.size() as u64, |product, axis| product.checked_mul((*axis).max(1)));
        if others.is_none_or(|bytes| bytes > isize::MAX as u64) {
            return Err(bad(format_args!("shape {shape:?} of {dtype} is beyond any memory")));
        }
        if elements.and_then(|count| count.checked_mul(dtype.size() as u64)) != Some(payload_len) {
            return Err(bad(format_args!("shape {shape:?} of {dtype} is not {payload_len} bytes")));
        }
        let head = Self {
            kind,
            dtype,
            order,
            flags,
            sequence,
            generation,
            stream,
            pts,
            deadline_ns,
            shape,
            numbers,
            times_ns,
            payload_len,
        };
        Ok((head, offset..end))
    }

    /// The payload as data of a pipeline, copied.
    ///
    /// # Errors
    /// `Internal` for what is malformed; what the data itself says against its numbers.
    pub fn data(&self, payload: &[u8], pool: &Pool) -> Result<RuntimeData> {
        Ok(match self.kind {
            Kind::Audio => self.audio(payload, pool)?.into(),
            Kind::Video => {
                let [width, height, pixels, _] = self.numbers;
                let pixel_format = PixelFormat::ALL.get(pixels as usize).copied();
                let pixel_format = pixel_format.ok_or_else(|| bad("there is no such pixel format"))?;
                let format = VideoFormat { width, height, pixel_format };
                VideoFrame::new(copy_of(payload)?, format)?.into()
            }
            Kind::Array => {
                let shape = self.shape.iter().map(|axis| usize::try_from(*axis).map_err(bad)).collect::<Result<_>>()?;
                let bytes = ArrayBytes::Owned(Arc::new(copy_of(payload)?));
                RuntimeData::Numpy(NdArray { bytes, dtype: self.dtype, order: self.order, shape, audio: None })
            }
            Kind::Binary => RuntimeData::Binary(Arc::new(copy_of(payload)?)),
            // Copied before it is looked at: the other side could still write to it.
            Kind::Text => RuntimeData::text(String::from_utf8(copy_of(payload)?).map_err(bad)?),
            Kind::Json => RuntimeData::json(json(payload)?),
            Kind::Control => return Err(bad("a control message is no data")),
        })
    }

    fn audio(&self, payload: &[u8], pool: &Pool) -> Result<AudioBuffer> {
        let channels = u16::try_from(self.numbers[1]).map_err(bad)?;
        let format = AudioFormat::new(self.numbers[0], channels)?;
        let elements = payload.len() / self.dtype.size();
        let mut samples = pool.samples(elements)?;
        if self.dtype == DType::F32 && self.order == ByteOrder::Native {
            bytemuck::cast_slice_mut(samples.make_mut()?).copy_from_slice(payload);
        } else {
            let bytes = ArrayBytes::Owned(Arc::new(copy_of(payload)?));
            let shape = vec![elements];
            let array = NdArray { bytes, dtype: self.dtype, order: self.order, shape, audio: None };
            crate::data::read_samples(&array, 0, samples.make_mut()?)?;
        }
        AudioBuffer::new(samples, format)
    }
}

/// The bytes of a payload, wherever they lie.
#[derive(Debug)]
pub enum Payload<'a> {
    /// In memory of ours.
    Bytes(&'a [u8]),
    /// Made for the frame.
    Made(Vec<u8>),
    /// In an array of the caller.
    Foreign(&'a dyn ForeignMemory),
}

impl<'a> Payload<'a> {
    /// The payload of data.
    ///
    /// # Errors
    /// `Unsupported` for a control message.
    pub fn of(data: &'a RuntimeData) -> Result<Self> {
        Ok(match data {
            RuntimeData::Audio(audio) => Self::Bytes(bytemuck::cast_slice(audio.samples())),
            RuntimeData::Video(frame) => Self::Bytes(frame.bytes()),
            RuntimeData::Numpy(NdArray { bytes: ArrayBytes::Owned(bytes), .. }) => Self::Bytes(bytes),
            RuntimeData::Numpy(NdArray { bytes: ArrayBytes::Foreign(memory), .. }) => Self::Foreign(memory.as_ref()),
            RuntimeData::Binary(bytes) => Self::Bytes(bytes),
            RuntimeData::Text(text) => Self::Bytes(text.as_bytes()),
            RuntimeData::Json(value) => Self::Made(value.to_string().into_bytes()),
            RuntimeData::Control(_) => {
                return Err(Error::new(ErrorKind::Unsupported, "control messages do not go to Python nodes"));
            }
        })
    }

    /// A message about a node to one of its instances, with its head.
    pub fn control(stream: u32, message: &Value) -> (Head, Self) {
        let message = message.to_string().into_bytes();
        (Head { stream, ..Head::control(message.len()) }, Self::Made(message))
    }

    /// All of it in a row; copied only where it is not ours.
    ///
    /// # Errors
    /// When there is no memory for the copy.
    pub fn bytes(&self) -> Result<Cow<'_, [u8]>> {
        Ok(match self {
            Self::Bytes(bytes) => Cow::Borrowed(bytes),
            Self::Made(bytes) => Cow::Borrowed(bytes),
            Self::Foreign(memory) => {
                let mut copy = crate::data::zeros(memory.len())?;
                memory.read(0, &mut copy);
                Cow::Owned(copy)
            }
        })
    }

    /// Length in bytes.
    pub fn byte_len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Made(bytes) => bytes.len(),
            Self::Foreign(memory) => memory.len(),
        }
    }

    /// Copies all of it. `target` has its length.
    pub fn copy_to(&self, target: &mut [u8]) {
        match self {
            Self::Bytes(bytes) => target.copy_from_slice(bytes),
            Self::Made(bytes) => target.copy_from_slice(bytes),
            Self::Foreign(memory) => memory.read(0, target),
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (number, rest) = self.0.split_first_chunk().ok_or_else(|| bad("it ends early"))?;
        self.0 = rest;
        Ok(*number)
    }

    fn u32(&mut self) -> Result<u32> {
        self.number().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64> {
        self.number().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(data: &RuntimeData) -> (Vec<u8>, Vec<u8>) {
        let payload = Payload::of(data).unwrap();
        let mut bytes = vec![0; payload.byte_len()];
        payload.copy_to(&mut bytes);
        let mut head = Vec::new();
        Head::of(data, Pts { ticks: -7, num: 1, den: 48_000 }, bytes.len()).write(&mut head).unwrap();
        (head, bytes)
    }

    #[test]
    fn every_kind_comes_back_as_it_went() {
        let stereo = AudioBuffer::new(vec![0.5, -0.25, 1.0, 0.0], AudioFormat::new(48_000, 2).unwrap()).unwrap();
        let format = VideoFormat { width: 3, height: 2, pixel_format: PixelFormat::I420 };
        let frames = [
            stereo.into(),
            VideoFrame::new((0..10).collect(), format).unwrap().into(),
            RuntimeData::text("Grüße"),
            RuntimeData::json(serde_json::json!({"a": [1, null]})),
            RuntimeData::Binary(Arc::new(Vec::new())),
        ];
        for data in frames {
            let (head, payload) = frame(&data);
            let (read, range) = Head::read(&head, head.len() + payload.len()).unwrap();
            assert_eq!((range.start, range.len()), (head.len(), payload.len()));
            assert_eq!(read.pts, Pts { ticks: -7, num: 1, den: 48_000 });
            let back = read.data(&payload, &Pool::default()).unwrap();
            assert_eq!(format!("{back:?}"), format!("{data:?}"));
        }
    }

    #[test]
    fn every_dtype_order_and_rank_comes_back_as_it_went() {
        for (dtype, order) in DType::ALL.into_iter().flat_map(|d| [(d, ByteOrder::Native), (d, ByteOrder::Swapped)]) {
            for rank in 0..=8 {
                let bytes =
                    ArrayBytes::Owned(Arc::new((0..dtype.size() * 2_usize.pow(rank)).map(|b| b as u8).collect()));
                let array = NdArray { bytes, dtype, order, shape: vec![2; rank as usize], audio: None };
                let data = RuntimeData::Numpy(array);
                let (head, payload) = frame(&data);
                let back = Head::read(&head, head.len() + payload.len()).unwrap().0.data(&payload, &Pool::default());
                assert_eq!(format!("{:?}", back.unwrap()), format!("{data:?}"));
            }
        }
    }

    proptest! {
        /// Whatever the other side writes: an error or a head whose payload is inside, never a panic.
        #[test]
        fn a_malformed_head_is_an_error(noise in proptest::collection::vec(any::<u8>(), 0..200), at in 0_usize..128, byte: u8) {
            let _ = Head::read(&noise, noise.len());
            let (mut bytes, payload) = frame(&RuntimeData::text("some text"));
            bytes.extend(&payload);
            bytes[at] = byte;
            if let Ok((head, range)) = Head::read(&bytes, bytes.len()) {
                prop_assert!(range.end <= bytes.len());
                let _ = head.data(&bytes[range], &Pool::default());
            }
        }
    }
}
