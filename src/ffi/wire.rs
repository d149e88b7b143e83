//! The one form in which the items of a run and its results cross to Python: records of 32 bytes with what belongs to
//! each behind it. All numbers are little-endian. `python/remotemedia/_wire.py` is the other side.
//!
//! A batch begins with the memory that its records may name: count u32, nothing u32, the number of the run that it is
//! lent for u64 (0: for the call alone), then address u64 and byte length u64 of each. A record names memory by its
//! position there: no address stands anywhere else.
//!
//! Input record: kind u8, flags u8, dtype i16, length of the extra u32, then u64: the position of the memory, or how many
//! bytes of text or JSON follow the extra. The extra is the shape of an array (u64 an axis); frames u64, rate u32, channels
//! u32 of audio; width u32, height u32 and the pixel format's name of a video frame.
//!
//! Output record: kind u8, flags u8, dtype i16, port u32, item u32, length of the extra u32, place u64, byte length
//! u64. The extra follows, then the bytes, unless `place` is the number of a buffer, or the position of memory that came
//! through untouched.

use std::sync::Arc;

use super::raw::{Lease, Memory, PinnedMemory};
use super::{dtype, item, video};
use crate::data::{ArrayBytes, AudioBuffer, AudioFormat, ByteOrder, DType, NdArray, RuntimeData, write_samples};
use crate::engine::{RunResults, SessionOutput};
use crate::error::{Error, ErrorKind, Result};

const RECORD_IN: usize = 16;
#[cfg(test)]
const RECORD: usize = 32;
/// From so many bytes on it is asked before whether there is memory for a text.
const LARGE_TEXT: usize = 16 << 20;
/// A result of a session from so many bytes on has a buffer of its own.
const LONG: usize = 64 << 10;

const TEXT: u8 = 0;
const JSON: u8 = 1;
const BINARY: u8 = 2;
const ARRAY: u8 = 3;
const AUDIO: u8 = 4;
const VIDEO: u8 = 5;
/// A result that came through untouched: `place` is the token of its memory.
const SAME: u8 = 6;
/// A result without a value, such as a control message.
const NOTHING: u8 = 7;
/// Warnings and figures of the run, as JSON.
const META: u8 = 8;
/// All of an answer: the run was not started.
pub(super) const LATER: u8 = 9;

/// On an array that is audio: it has one axis.
const ONE_AXIS: u8 = 2;
/// On a result: its bytes follow the record.
const INLINE: u8 = 4;

/// The items of one run.
pub(super) struct Batch {
    pub(super) items: Vec<RuntimeData>,
    /// How much data the items hold.
    pub(super) byte_len: usize,
    call: Vec<Arc<PinnedMemory>>,
}

impl Batch {
    /// Ends every loan that was for the call alone: whoever still reads such memory fails instead of reading it.
    pub(super) fn end_call(&self) {
        for memory in &self.call {
            memory.revoke();
        }
    }
}

/// Reads on in bytes of the other side; every length is checked.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count).ok_or_else(|| {
            Error::new(ErrorKind::InputValue, format!("the batch ends {} bytes early", count - self.0.len()))
        })?;
        self.0 = rest;
        Ok(bytes)
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut number = [0; N];
        number.copy_from_slice(self.bytes(N)?);
        Ok(number)
    }

    fn u32(&mut self) -> Result<u32> {
        self.number().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64> {
        self.number().map(u64::from_le_bytes)
    }
}

/// Reads a batch.
///
/// # Errors
/// `InputValue` or `Format` for a record that makes no sense, with the number of the item. What was lent is released then.
pub(super) fn batch(bytes: &[u8]) -> Result<Batch> {
    let mut reader = Reader(bytes);
    let count = reader.u32()? as usize;
    reader.u32()?;
    let run = reader.u64()?;
    // First of all, so that it is released whatever else is wrong.
    let lease = (run != 0).then(|| Arc::new(Lease(run)));
    let mut memory = Vec::new();
    for token in 0..count {
        let (address, byte_len) = (reader.u64()?, reader.u64()?);
        memory.push(Arc::new(PinnedMemory::new(address, byte_len, token as u64, lease.clone())?));
    }
    let mut batch = Batch { items: Vec::new(), byte_len: 0, call: Vec::new() };
    if lease.is_none() {
        batch.call.clone_from(&memory);
    }
    while !reader.0.is_empty() {
        let index = batch.items.len();
        let item = read(&mut reader, &memory, &mut batch.byte_len).map_err(|error| error.at_item(index))?;
        batch.items.push(item);
    }
    Ok(batch)
}

fn read(reader: &mut Reader<'_>, memory: &[Arc<PinnedMemory>], byte_len: &mut usize) -> Result<RuntimeData> {
    let mut head = Reader(reader.bytes(RECORD_IN)?);
    let [kind, flags] = head.number()?;
    let dtype = head.number().map(i16::from_le_bytes)?;
    let extra_len = head.u32()?;
    let place = usize::try_from(head.u64()?).unwrap_or(usize::MAX);
    let mut extra = Reader(reader.bytes(extra_len as usize)?);
    if matches!(kind, TEXT | JSON) {
        let bytes = reader.bytes(place)?;
        *byte_len = byte_len.saturating_add(place);
        let text = std::str::from_utf8(bytes)
            .map_err(|error| Error::new(ErrorKind::InputValue, format!("the text is not UTF-8: {error}")))?;
        if kind == JSON {
            return item::json(text);
        }
        if text.len() > LARGE_TEXT {
            // The copy that is made next cannot say that there is no memory for it; this can.
            drop(crate::data::room_for::<u8>(text.len())?);
        }
        return Ok(RuntimeData::text(text));
    }
    let memory = memory.get(place).ok_or_else(|| {
        Error::new(ErrorKind::InputValue, format!("the item names memory {place}, expected one of {}", memory.len()))
    })?;
    *byte_len = byte_len.saturating_add(crate::data::ForeignMemory::len(&**memory));
    let memory = memory.clone();
    Ok(match kind {
        BINARY => RuntimeData::Binary(Arc::new(copied(&memory)?)),
        ARRAY => {
            let mut shape = Vec::with_capacity(extra.0.len() / 8);
            while !extra.0.is_empty() {
                shape.push(axis(extra.u64()?)?);
            }
            RuntimeData::Numpy(array(memory, dtype, shape, None)?)
        }
        AUDIO => {
            let (frames, rate, channels) = (axis(extra.u64()?)?, extra.u32()?, extra.u32()?);
            let format = AudioFormat::new(rate, u16::try_from(channels).unwrap_or(u16::MAX))?;
            let shape = if flags & ONE_AXIS != 0 && channels == 1 {
                vec![frames]
            } else {
                vec![frames, usize::from(format.channels())]
            };
            RuntimeData::Numpy(array(memory, dtype, shape, Some(format))?)
        }
        VIDEO => {
            let (width, height) = (extra.u32()?, extra.u32()?);
            let name = String::from_utf8_lossy(extra.0);
            let side = |side: u32| i32::try_from(side).unwrap_or(i32::MAX);
            let format = video::format(side(width), side(height), &name)?;
            RuntimeData::Video(crate::data::VideoFrame::new(copied(&memory)?, format)?)
        }
        other => return Err(Error::new(ErrorKind::InputValue, format!("the kind of the item is {other}"))),
    })
}

fn axis(frames: u64) -> Result<usize> {
    usize::try_from(frames).map_err(|_| Error::new(ErrorKind::InputValue, format!("an axis has {frames} elements")))
}

fn copied(memory: &PinnedMemory) -> Result<Vec<u8>> {
    use crate::data::ForeignMemory as _;
    let mut bytes = crate::data::with_room(memory.len())?;
    bytes.resize(memory.len(), 0);
    memory.read(0, &mut bytes);
    Ok(bytes)
}

fn array(memory: Arc<PinnedMemory>, dtype: i16, shape: Vec<usize>, audio: Option<AudioFormat>) -> Result<NdArray> {
    use crate::data::ForeignMemory as _;
    let (dtype, order) = dtype::from_number(dtype)?;
    let elements = shape.iter().try_fold(1_usize, |product, axis| product.checked_mul(*axis));
    if elements.and_then(|elements| elements.checked_mul(dtype.size())) != Some(memory.len()) {
        let found = memory.len();
        return Err(Error::new(ErrorKind::InputValue, format!("{found} bytes are not {shape:?} {dtype}")));
    }
    Ok(NdArray { bytes: ArrayBytes::Foreign(memory), dtype, order, shape, audio })
}

/// Buffers handed over with results, each to be taken once.
pub(super) type Buffers = Vec<Option<Memory>>;

/// What belongs to a record on its way out.
enum Payload {
    /// Bytes that always stand behind the record.
    Text(String),
    Samples(Vec<f32>),
    Bytes(Vec<u8>),
    /// Memory of the other side, by its token.
    Token(u64),
}

/// Writes records. Without `buffers` all bytes stand behind their records.
struct Writer {
    bytes: Vec<u8>,
    buffers: Option<Buffers>,
    /// Shorter ones are written into the answer all the same.
    least: usize,
}

/// The results with all their bytes, for a short run: the other side copies.
pub(super) fn inline(results: RunResults, meta: Option<String>) -> Result<Vec<u8>> {
    Ok(write(results, meta, None)?.bytes)
}

/// The results, and the buffers that they name.
pub(super) fn with_buffers(results: RunResults, meta: Option<String>) -> Result<(Vec<u8>, Buffers)> {
    let writer = write(results, meta, Some(Vec::new()))?;
    Ok((writer.bytes, writer.buffers.unwrap_or_default()))
}

/// A bare array: its element type, its byte order, and whether it has one axis.
pub(super) type Bare = (DType, ByteOrder, bool);

/// The results of a session: 24 bytes before each record say when it is (ticks i64, num u32, den u32), its generation
/// u32, and how many were dropped before it u32. Audio of a stream of bare arrays goes back as such. Long results are
/// buffers: copying them into the answer would take longer than all else.
pub(super) fn outputs_with_buffers(outputs: Vec<SessionOutput>, bare: Option<Bare>) -> Result<(Vec<u8>, Buffers)> {
    let mut writer = Writer { bytes: Vec::new(), buffers: Some(Vec::new()), least: LONG };
    outputs.into_iter().try_for_each(|output| writer.output(output, None, bare))?;
    Ok((writer.bytes, writer.buffers.unwrap_or_default()))
}

/// Like [`outputs_with_buffers`], with all bytes in the answer, and the number of the stream, u32, at the end of each head.
pub(super) fn group_outputs(outputs: Vec<(usize, SessionOutput)>, bare: Option<Bare>) -> Result<Vec<u8>> {
    let mut writer = Writer { bytes: Vec::new(), buffers: None, least: 0 };
    outputs.into_iter().try_for_each(|(stream, output)| writer.output(output, Some(stream as u32), bare))?;
    Ok(writer.bytes)
}

fn as_array(audio: &AudioBuffer, dtype: DType, order: ByteOrder, one_axis: bool) -> Result<NdArray> {
    let mut bytes = Vec::new();
    write_samples(audio.samples(), dtype, order, &mut bytes)?;
    let (frames, channels) = (audio.frames(), usize::from(audio.channels()));
    let shape = if channels == 1 && one_axis { vec![frames] } else { vec![frames, channels] };
    Ok(NdArray { bytes: ArrayBytes::Owned(Arc::new(bytes)), dtype, order, shape, audio: None })
}

fn write(results: RunResults, meta: Option<String>, buffers: Option<Buffers>) -> Result<Writer> {
    let mut writer = Writer { bytes: Vec::with_capacity(128), buffers, least: 0 };
    for (port, found) in results.ports.into_iter().enumerate() {
        for result in found.items {
            let bare = results.one_axis.get(result.item).copied().flatten();
            writer.value(port as u32, result.item as u32, result.data, bare)?;
        }
    }
    if let Some(meta) = meta {
        writer.record(META, 0, 0, 0, &[], Payload::Text(meta))?;
    }
    Ok(writer)
}

impl Writer {
    /// A result of a session, with its head.
    fn output(&mut self, output: SessionOutput, stream: Option<u32>, bare: Option<Bare>) -> Result<()> {
        let SessionOutput { result, packet, dropped } = output;
        self.bytes.extend_from_slice(&packet.pts.ticks.to_le_bytes());
        for number in [packet.pts.num, packet.pts.den, packet.generation, dropped].into_iter().chain(stream) {
            self.bytes.extend_from_slice(&number.to_le_bytes());
        }
        let data = match (packet.data, bare) {
            (RuntimeData::Audio(audio), Some((dtype, order, one_axis)))
                if dtype != DType::F32 || order == ByteOrder::Swapped =>
            {
                RuntimeData::Numpy(as_array(&audio, dtype, order, one_axis)?)
            }
            (data, _) => data,
        };
        self.value(result as u32, packet.item, data, bare.map(|(_, _, one_axis)| one_axis))
    }

    /// `bare`: the item was a bare array, of one axis or not; its audio goes back as one.
    fn value(&mut self, port: u32, item: u32, data: RuntimeData, bare: Option<bool>) -> Result<()> {
        let float = DType::F32.number(ByteOrder::Native).into();
        match data {
            RuntimeData::Text(text) => self.record(TEXT, 0, port, item, &[], Payload::Text(text.to_string())),
            RuntimeData::Json(value) => self.record(JSON, 0, port, item, &[], Payload::Text(value.to_string())),
            RuntimeData::Binary(bytes) => self.record(BINARY, 0, port, item, &[], Payload::Bytes(own(bytes)?)),
            RuntimeData::Audio(audio) => {
                let (rate, channels, frames) = (audio.sample_rate_hz(), audio.channels(), audio.frames());
                let samples = Payload::Samples(audio.into_samples().into_vec()?);
                match bare {
                    Some(true) if channels == 1 => self.record(ARRAY, float, port, item, &axes(&[frames]), samples),
                    Some(_) => self.record(ARRAY, float, port, item, &axes(&[frames, usize::from(channels)]), samples),
                    None => {
                        let mut extra = axes(&[frames]);
                        extra.extend_from_slice(&rate.to_le_bytes());
                        extra.extend_from_slice(&u32::from(channels).to_le_bytes());
                        self.record(AUDIO, float, port, item, &extra, samples)
                    }
                }
            }
            RuntimeData::Video(frame) => {
                let format = frame.format();
                let mut extra = [format.width.to_le_bytes(), format.height.to_le_bytes()].concat();
                extra.extend_from_slice(format.pixel_format.name().as_bytes());
                self.record(VIDEO, 0, port, item, &extra, Payload::Bytes(frame.into_bytes()?))
            }
            RuntimeData::Numpy(array) => match array.bytes {
                ArrayBytes::Foreign(memory) => self.record(SAME, 0, port, item, &[], Payload::Token(memory.token())),
                ArrayBytes::Owned(bytes) => {
                    let bytes = Payload::Bytes(own(bytes)?);
                    self.record(ARRAY, array.dtype.number(array.order).into(), port, item, &axes(&array.shape), bytes)
                }
            },
            RuntimeData::Control(_) => self.record(NOTHING, 0, port, item, &[], Payload::Token(0)),
        }
    }

    fn record(&mut self, kind: u8, dtype: i16, port: u32, item: u32, extra: &[u8], payload: Payload) -> Result<()> {
        let (byte_len, token) = match &payload {
            Payload::Text(text) => (text.len(), 0),
            Payload::Samples(samples) => (size_of_val(samples.as_slice()), 0),
            Payload::Bytes(bytes) => (bytes.len(), 0),
            Payload::Token(token) => (0, *token),
        };
        let mut place = token;
        let behind = match (payload, &mut self.buffers) {
            (Payload::Token(_), _) => None,
            (Payload::Samples(samples), Some(buffers)) if byte_len >= self.least => {
                place = keep(buffers, Memory::Samples(samples));
                None
            }
            (Payload::Bytes(bytes), Some(buffers)) if byte_len >= self.least => {
                place = keep(buffers, Memory::Bytes(bytes));
                None
            }
            (inline, _) => Some(inline),
        };
        let flags = if behind.is_some() { INLINE } else { 0 };
        crate::data::make_room(&mut self.bytes, 32 + extra.len() + if behind.is_some() { byte_len } else { 0 })?;
        self.bytes.extend_from_slice(&[kind, flags]);
        self.bytes.extend_from_slice(&dtype.to_le_bytes());
        for number in [port, item, extra.len() as u32] {
            self.bytes.extend_from_slice(&number.to_le_bytes());
        }
        self.bytes.extend_from_slice(&place.to_le_bytes());
        self.bytes.extend_from_slice(&(byte_len as u64).to_le_bytes());
        self.bytes.extend_from_slice(extra);
        match behind {
            Some(Payload::Text(text)) => self.bytes.extend_from_slice(text.as_bytes()),
            Some(Payload::Bytes(bytes)) => self.bytes.extend_from_slice(&bytes),
            Some(Payload::Samples(samples)) => self.bytes.extend_from_slice(bytemuck::cast_slice(&samples)),
            Some(Payload::Token(_)) | None => {}
        }
        Ok(())
    }
}

fn keep(buffers: &mut Buffers, buffer: Memory) -> u64 {
    buffers.push(Some(buffer));
    buffers.len() as u64 - 1
}

/// Bytes of our own: copied when others look at them.
fn own(bytes: Arc<Vec<u8>>) -> Result<Vec<u8>> {
    Arc::try_unwrap(bytes).or_else(|shared| crate::data::copy_of(&shared))
}

/// Takes a buffer out: each once.
pub(super) fn take_out(buffers: &mut Buffers, index: i32) -> Result<Memory> {
    let buffer = usize::try_from(index).ok().and_then(|at| buffers.get_mut(at)).and_then(Option::take);
    buffer.ok_or_else(|| Error::new(ErrorKind::Internal, format!("the answer has no buffer {index}")))
}

fn axes(shape: &[usize]) -> Vec<u8> {
    shape.iter().flat_map(|axis| (*axis as u64).to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::engine::RunOptions;
    use crate::runtime::Pipeline;

    /// A batch of arrays of float32 in our own memory, lent for a run.
    fn arrays(arrays: &[&[f32]], run: u64) -> Vec<u8> {
        let mut batch = (arrays.len() as u32).to_le_bytes().to_vec();
        batch.extend([0; 4]);
        batch.extend(run.to_le_bytes());
        for samples in arrays {
            batch.extend((samples.as_ptr().expose_provenance() as u64).to_le_bytes());
            batch.extend((size_of_val(*samples) as u64).to_le_bytes());
        }
        for (place, samples) in arrays.iter().enumerate() {
            batch.extend([ARRAY, 0]);
            batch.extend(i16::from(DType::F32.number(ByteOrder::Native)).to_le_bytes());
            batch.extend(8_u32.to_le_bytes());
            batch.extend((place as u64).to_le_bytes());
            batch.extend((samples.len() as u64).to_le_bytes());
        }
        batch
    }

    fn run(manifest: &str, records: &[u8]) -> Vec<u8> {
        let batch = batch(records).unwrap();
        let results = Pipeline::new(manifest).unwrap().run(batch.items.clone(), &RunOptions::default()).unwrap();
        batch.end_call();
        inline(results, None).unwrap()
    }

    const GAIN: &str = r#"{"version": "v1", "input": {"type": "audio", "sample_rate_hz": 8000},
        "nodes": [{"id": "a", "node_type": "Gain", "params": {"gain_db": 0}}]}"#;

    #[test]
    fn an_array_is_read_in_place_and_its_samples_come_back() {
        let samples: Vec<f32> = (0..200_000).map(|n| n as f32 / 1000.0).collect();
        let answer = run(GAIN, &arrays(&[&samples], 0));
        assert_eq!((answer[0], answer[1]), (ARRAY, INLINE));
        let found: Vec<f32> =
            answer[RECORD + 8..].as_chunks::<4>().0.iter().map(|sample| f32::from_ne_bytes(*sample)).collect();
        assert_eq!(found, samples);
        // What no node touches comes back as the position of its memory.
        let pass = r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough"}]}"#;
        let answer = run(pass, &arrays(&[&samples, &samples[..7]], 0));
        assert_eq!((answer[0], answer.len(), answer[16]), (SAME, 2 * RECORD, 0));
        assert_eq!((answer[RECORD], answer[RECORD + 16]), (SAME, 1));
    }

    #[test]
    fn memory_of_a_call_is_refused_after_it() {
        let samples = vec![1.0_f32; 16];
        let batch = batch(&arrays(&[&samples], 0)).unwrap();
        let RuntimeData::Numpy(array) = &batch.items[0] else { panic!("no array") };
        let ArrayBytes::Foreign(memory) = array.bytes.clone() else { panic!("not foreign") };
        let mut bytes = [0; 4];
        memory.read(60, &mut bytes);
        assert_eq!(f32::from_ne_bytes(bytes), 1.0);
        assert!(catch_unwind(AssertUnwindSafe(|| memory.read(61, &mut [0; 4]))).is_err(), "beyond the end");
        batch.end_call();
        drop(samples);
        assert!(catch_unwind(AssertUnwindSafe(|| memory.read(0, &mut [0; 4]))).is_err(), "after the call");
    }

    #[test]
    fn a_record_can_name_only_memory_of_its_batch() {
        let samples = vec![0.0_f32; 4];
        let mut records = arrays(&[&samples], 0);
        for place in [1_u64, 7, u64::MAX, samples.as_ptr().expose_provenance() as u64] {
            records[40..48].copy_from_slice(&place.to_le_bytes());
            let error = batch(&records).err().expect("refused");
            assert!(error.to_string().contains("names memory") && error.item_index() == Some(0), "{error}");
        }
    }

    #[test]
    fn what_was_lent_is_released_also_when_the_batch_is_wrong() {
        let _alone = crate::ffi::raw::released_by_one_test();
        let samples = vec![0.0_f32; 4];
        let good = arrays(&[&samples, &samples], 5_000_001);
        drop(batch(&good).unwrap());
        let mut unknown = arrays(&[&samples], 5_000_002);
        unknown[32] = 200; // No kind of record.
        let mut null = arrays(&[&samples], 5_000_003);
        null[16..24].fill(0);
        let mut short = arrays(&[&samples], 5_000_004);
        short.truncate(20);
        for wrong in [&unknown, &null, &short] {
            assert!(batch(wrong).is_err());
        }
        let found = crate::ffi::raw::all_released();
        assert!((5_000_001..=5_000_004).all(|run| found.iter().filter(|one| **one == run).count() == 1), "{found:?}");
    }
}
