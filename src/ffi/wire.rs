//! The one form in which the items of a run and its results cross to Python: records of 32 bytes with what belongs to
//! each behind it. All numbers are little-endian. `python/remotemedia/_wire.py` is the other side.
//!
//! Input record: kind u8, flags u8, dtype i16, length of the extra u32, address u64, byte length u64, token u64.
//! The extra follows: the shape of an array (u64 an axis); frames u64, rate u32, channels u32 of audio; width u32,
//! height u32 and the pixel format's name of a video frame. Then the bytes of text and JSON.
//!
//! Output record: kind u8, flags u8, dtype i16, port u32, item u32, length of the extra u32, place u64, byte length
//! u64. The extra follows, then the bytes, unless `place` is the number of a buffer or a token.

use std::sync::Arc;

use super::raw::{PinnedMemory, RawBuffer, release};
use super::{dtype, item, video};
use crate::data::{ArrayBytes, AudioBuffer, AudioFormat, ByteOrder, DType, NdArray, RuntimeData, write_samples};
use crate::engine::{RunResults, SessionOutput};
use crate::error::{Error, ErrorKind, Result};

const RECORD: usize = 32;
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

/// On an item: the memory is lent until its token is released, not just for the call.
const LENT: u8 = 1;
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

    /// Audio frames, and one for each item of another kind.
    pub(super) fn frames(&self) -> u64 {
        let frames = self.items.iter().map(|item| match item {
            RuntimeData::Numpy(array) => array.frames_and_channels().map_or(1, |(frames, _)| frames as u64),
            other => other.frames(),
        });
        frames.sum()
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
/// `InputValue` or `Format` for a record that makes no sense, with the number of the item. Every token of the batch is
/// released then.
pub(super) fn batch(bytes: &[u8]) -> Result<Batch> {
    let mut reader = Reader(bytes);
    let mut batch = Batch { items: Vec::new(), byte_len: 0, call: Vec::new() };
    let mut failed = None;
    let mut index = 0;
    while !reader.0.is_empty() {
        // After an error the rest is still read, so that its tokens come back.
        if let Err(error) = read(&mut reader, &mut batch) {
            failed.get_or_insert(error.at_item(index));
        }
        index += 1;
    }
    failed.map_or(Ok(batch), Err)
}

fn read(reader: &mut Reader<'_>, batch: &mut Batch) -> Result<()> {
    let mut head = match reader.bytes(RECORD) {
        Ok(head) => Reader(head),
        Err(error) => {
            reader.0 = &[];
            return Err(error);
        }
    };
    let [kind, flags] = head.number()?;
    let dtype = head.number().map(i16::from_le_bytes)?;
    let extra_len = head.u32()?;
    let (address, byte_len, token) = (head.u64()?, head.u64()?, head.u64()?);
    let lent = flags & LENT != 0;
    let behind = usize::try_from(byte_len).unwrap_or(usize::MAX);
    let memory = || -> Result<Arc<PinnedMemory>> {
        PinnedMemory::new(address, byte_len, token, lent).map(Arc::new).inspect_err(|_| {
            if lent {
                release(token);
            }
        })
    };
    // First of all the memory, so that its token is released whatever else is wrong.
    let memory = matches!(kind, BINARY | ARRAY | AUDIO | VIDEO).then(memory);
    let mut extra = Reader(reader.bytes(extra_len as usize).inspect_err(|_| reader.0 = &[])?);
    batch.byte_len = batch.byte_len.saturating_add(behind);
    let data = match (kind, memory.transpose()?) {
        (TEXT | JSON, _) => {
            let bytes = reader.bytes(behind).inspect_err(|_| reader.0 = &[])?;
            let text = std::str::from_utf8(bytes)
                .map_err(|error| Error::new(ErrorKind::InputValue, format!("the text is not UTF-8: {error}")))?;
            if kind == TEXT { RuntimeData::text(text) } else { item::json(text)? }
        }
        (BINARY, Some(memory)) => RuntimeData::Binary(Arc::new(copied(&memory))),
        (ARRAY, Some(memory)) => {
            let mut shape = Vec::with_capacity(extra.0.len() / 8);
            while !extra.0.is_empty() {
                shape.push(axis(extra.u64()?)?);
            }
            RuntimeData::Numpy(array(memory, dtype, shape, None, batch)?)
        }
        (AUDIO, Some(memory)) => {
            let (frames, rate, channels) = (axis(extra.u64()?)?, extra.u32()?, extra.u32()?);
            let format = AudioFormat::new(rate, u16::try_from(channels).unwrap_or(u16::MAX))?;
            let shape = if flags & ONE_AXIS != 0 && channels == 1 {
                vec![frames]
            } else {
                vec![frames, usize::from(format.channels())]
            };
            RuntimeData::Numpy(array(memory, dtype, shape, Some(format), batch)?)
        }
        (VIDEO, Some(memory)) => {
            let (width, height) = (extra.u32()?, extra.u32()?);
            let name = String::from_utf8_lossy(extra.0);
            let side = |side: u32| i32::try_from(side).unwrap_or(i32::MAX);
            let format = video::format(side(width), side(height), &name)?;
            RuntimeData::Video(crate::data::VideoFrame::new(copied(&memory), format)?)
        }
        (other, _) => return Err(Error::new(ErrorKind::InputValue, format!("the kind of the item is {other}"))),
    };
    batch.items.push(data);
    Ok(())
}

fn axis(frames: u64) -> Result<usize> {
    usize::try_from(frames).map_err(|_| Error::new(ErrorKind::InputValue, format!("an axis has {frames} elements")))
}

fn copied(memory: &PinnedMemory) -> Vec<u8> {
    use crate::data::ForeignMemory as _;
    let mut bytes = crate::data::with_room(memory.len());
    bytes.resize(memory.len(), 0);
    memory.read(0, &mut bytes);
    bytes
}

fn array(
    memory: Arc<PinnedMemory>,
    dtype: i16,
    shape: Vec<usize>,
    audio: Option<AudioFormat>,
    batch: &mut Batch,
) -> Result<NdArray> {
    use crate::data::ForeignMemory as _;
    let (dtype, order) = dtype::from_number(dtype)?;
    let elements = shape.iter().try_fold(1_usize, |product, axis| product.checked_mul(*axis));
    if elements.and_then(|elements| elements.checked_mul(dtype.size())) != Some(memory.len()) {
        let found = memory.len();
        return Err(Error::new(ErrorKind::InputValue, format!("{found} bytes are not {shape:?} {dtype}")));
    }
    if !memory.is_lent() {
        batch.call.push(memory.clone());
    }
    Ok(NdArray { bytes: ArrayBytes::Foreign(memory), dtype, order, shape, audio })
}

/// Buffers handed over with results, each to be taken once.
pub(super) type Buffers = Vec<Option<Arc<RawBuffer>>>;

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
pub(super) fn inline(results: RunResults, meta: Option<String>) -> Vec<u8> {
    write(results, meta, None).bytes
}

/// The results, and the buffers that they name.
pub(super) fn with_buffers(results: RunResults, meta: Option<String>) -> (Vec<u8>, Buffers) {
    let writer = write(results, meta, Some(Vec::new()));
    (writer.bytes, writer.buffers.unwrap_or_default())
}

/// A bare array: its element type, its byte order, and whether it has one axis.
pub(super) type Bare = (DType, ByteOrder, bool);

/// The results of a session: 24 bytes before each record say when it is (ticks i64, num u32, den u32), its generation
/// u32, and how many were dropped before it u32. Audio of a stream of bare arrays goes back as such.
pub(super) fn outputs(outputs: Vec<SessionOutput>, bare: Option<Bare>) -> Result<Vec<u8>> {
    let mut writer = Writer { bytes: Vec::new(), buffers: None, least: 0 };
    outputs.into_iter().try_for_each(|output| writer.output(output, None, bare))?;
    Ok(writer.bytes)
}

/// The same with the buffers of long results: copying them into the answer would take longer than all else.
pub(super) fn outputs_with_buffers(outputs: Vec<SessionOutput>, bare: Option<Bare>) -> Result<(Vec<u8>, Buffers)> {
    let mut writer = Writer { bytes: Vec::new(), buffers: Some(Vec::new()), least: LONG };
    outputs.into_iter().try_for_each(|output| writer.output(output, None, bare))?;
    Ok((writer.bytes, writer.buffers.unwrap_or_default()))
}

/// Like [`outputs`], with the number of the stream, u32, at the end of each head.
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

fn write(results: RunResults, meta: Option<String>, buffers: Option<Buffers>) -> Writer {
    let mut writer = Writer { bytes: Vec::with_capacity(128), buffers, least: 0 };
    for (port, found) in results.ports.into_iter().enumerate() {
        for result in found.items {
            let bare = results.one_axis.get(result.item).copied().flatten();
            writer.value(port as u32, result.item as u32, result.data, bare);
        }
    }
    if let Some(meta) = meta {
        writer.record(META, 0, 0, 0, &[], Payload::Text(meta));
    }
    writer
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
        self.value(result as u32, packet.item, data, bare.map(|(_, _, one_axis)| one_axis));
        Ok(())
    }

    /// `bare`: the item was a bare array, of one axis or not; its audio goes back as one.
    fn value(&mut self, port: u32, item: u32, data: RuntimeData, bare: Option<bool>) {
        let float = DType::F32.number(ByteOrder::Native).into();
        match data {
            RuntimeData::Text(text) => self.record(TEXT, 0, port, item, &[], Payload::Text(text.to_string())),
            RuntimeData::Json(value) => self.record(JSON, 0, port, item, &[], Payload::Text(value.to_string())),
            RuntimeData::Binary(bytes) => {
                self.record(BINARY, 0, port, item, &[], Payload::Bytes(Arc::unwrap_or_clone(bytes)));
            }
            RuntimeData::Audio(audio) => {
                let (rate, channels, frames) = (audio.sample_rate_hz(), audio.channels(), audio.frames());
                let samples = Payload::Samples(audio.into_samples().into_vec());
                match bare {
                    Some(true) if channels == 1 => self.record(ARRAY, float, port, item, &axes(&[frames]), samples),
                    Some(_) => {
                        self.record(ARRAY, float, port, item, &axes(&[frames, usize::from(channels)]), samples);
                    }
                    None => {
                        let mut extra = axes(&[frames]);
                        extra.extend_from_slice(&rate.to_le_bytes());
                        extra.extend_from_slice(&u32::from(channels).to_le_bytes());
                        self.record(AUDIO, float, port, item, &extra, samples);
                    }
                }
            }
            RuntimeData::Video(frame) => {
                let format = frame.format();
                let mut extra = [format.width.to_le_bytes(), format.height.to_le_bytes()].concat();
                extra.extend_from_slice(format.pixel_format.name().as_bytes());
                self.record(VIDEO, 0, port, item, &extra, Payload::Bytes(frame.into_bytes()));
            }
            RuntimeData::Numpy(array) => match array.bytes {
                ArrayBytes::Foreign(memory) => {
                    self.record(SAME, 0, port, item, &[], Payload::Token(memory.token()));
                }
                ArrayBytes::Owned(bytes) => {
                    let bytes = Payload::Bytes(Arc::unwrap_or_clone(bytes));
                    self.record(ARRAY, array.dtype.number(array.order).into(), port, item, &axes(&array.shape), bytes);
                }
            },
            RuntimeData::Control(_) => self.record(NOTHING, 0, port, item, &[], Payload::Token(0)),
        }
    }

    fn record(&mut self, kind: u8, dtype: i16, port: u32, item: u32, extra: &[u8], payload: Payload) {
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
                place = keep(buffers, RawBuffer::from_samples(samples));
                None
            }
            (Payload::Bytes(bytes), Some(buffers)) if byte_len >= self.least => {
                place = keep(buffers, RawBuffer::from_bytes(bytes));
                None
            }
            (inline, _) => Some(inline),
        };
        let flags = if behind.is_some() { INLINE } else { 0 };
        self.bytes.reserve(RECORD + extra.len() + if behind.is_some() { byte_len } else { 0 });
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
    }
}

fn keep(buffers: &mut Buffers, buffer: RawBuffer) -> u64 {
    buffers.push(Some(Arc::new(buffer)));
    buffers.len() as u64 - 1
}

fn axes(shape: &[usize]) -> Vec<u8> {
    shape.iter().flat_map(|axis| (*axis as u64).to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::engine::RunOptions;
    use crate::ffi::raw_next_released;
    use crate::runtime::Pipeline;

    /// The record of an array of float32 in our own memory.
    fn record(samples: &[f32], flags: u8, token: u64) -> Vec<u8> {
        let mut record = vec![ARRAY, flags];
        record.extend_from_slice(&i16::from(DType::F32.number(ByteOrder::Native)).to_le_bytes());
        record.extend_from_slice(&8_u32.to_le_bytes());
        let address = samples.as_ptr().expose_provenance() as u64;
        for number in [address, size_of_val(samples) as u64, token, samples.len() as u64] {
            record.extend_from_slice(&number.to_le_bytes());
        }
        record
    }

    fn run(manifest: &str, records: &[u8]) -> Vec<u8> {
        let batch = batch(records).unwrap();
        let results = Pipeline::new(manifest).unwrap().run(batch.items.clone(), &RunOptions::default()).unwrap();
        batch.end_call();
        inline(results, None)
    }

    const GAIN: &str = r#"{"version": "v1", "input": {"type": "audio", "sample_rate_hz": 8000},
        "nodes": [{"id": "a", "node_type": "Gain", "params": {"gain_db": 0}}]}"#;

    #[test]
    fn an_array_is_read_in_place_and_its_samples_come_back() {
        let samples: Vec<f32> = (0..200_000).map(|n| n as f32 / 1000.0).collect();
        let answer = run(GAIN, &record(&samples, 0, 0));
        assert_eq!((answer[0], answer[1]), (ARRAY, INLINE));
        let found: Vec<f32> =
            answer[RECORD + 8..].as_chunks::<4>().0.iter().map(|sample| f32::from_ne_bytes(*sample)).collect();
        assert_eq!(found, samples);
        // What no node touches comes back as its token.
        let pass = r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough"}]}"#;
        let answer = run(pass, &record(&samples, 0, 77));
        assert_eq!((answer[0], answer.len(), answer[16]), (SAME, RECORD, 77));
    }

    #[test]
    fn memory_of_a_call_is_refused_after_it() {
        let samples = vec![1.0_f32; 16];
        let batch = batch(&record(&samples, 0, 0)).unwrap();
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
    fn lent_memory_gives_its_token_back_also_when_the_batch_is_wrong() {
        let _alone = crate::ffi::raw::released_by_one_test();
        let samples = vec![0.0_f32; 4];
        let tokens = |count| std::iter::from_fn(raw_next_released_or_none).take(count).collect::<Vec<_>>();
        fn raw_next_released_or_none() -> Option<u64> {
            Some(raw_next_released()).filter(|token| *token != 0)
        }
        let mut records = record(&samples, LENT, 1_000_001);
        records.extend(record(&samples, LENT, 1_000_002));
        records[0] = 200; // No kind of record: the memory of an array is not looked for.
        let mut wrong = record(&samples, LENT, 1_000_003);
        wrong[8..16].fill(0); // A null address.
        records.extend(wrong);
        assert_eq!(batch(&records).err().and_then(|error| error.item_index()), Some(0));
        let released = tokens(10_000);
        assert!(released.contains(&1_000_002) && released.contains(&1_000_003), "{released:?}");
    }
}
