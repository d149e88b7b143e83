//! Audio as an object of other languages.

use std::sync::Arc;

use super::error::{RemoteMediaError, out_of_range};
use super::raw::{Blob, MAX_BLOB_BYTES};
use crate::data::{AudioFormat, ByteOrder, DType, write_samples};
use crate::error::{Error, ErrorKind, Result};

/// Audio: interleaved samples with their rate and channels. Immutable.
#[derive(Debug, uniffi::Object)]
pub struct AudioBuffer {
    pub(super) inner: crate::data::AudioBuffer,
}

/// Rate and channels from the boundary's integers.
pub(super) fn format(sample_rate_hz: i32, channels: i32) -> Result<AudioFormat> {
    let rate = u32::try_from(sample_rate_hz)
        .map_err(|_| out_of_range("sample_rate_hz", sample_rate_hz.into(), "1 to 1536000"))?;
    let channels = u16::try_from(channels).map_err(|_| out_of_range("channels", channels.into(), "1 to 64"))?;
    AudioFormat::new(rate, channels)
}

fn whole<const N: usize>(data: &[u8]) -> Result<&[[u8; N]]> {
    let (elements, rest) = data.as_chunks::<N>();
    if rest.is_empty() {
        return Ok(elements);
    }
    Err(Error::new(ErrorKind::InputValue, format!("the number of bytes is {}, expected a multiple of {N}", data.len())))
}

/// Samples from little-endian bytes: 16-bit integers (full scale 32768), else 32-bit floats.
pub(super) fn decoded(data: &[u8], dtype: DType) -> Result<Vec<f32>> {
    Ok(match dtype {
        DType::I16 => whole::<2>(data)?.iter().map(|bytes| f32::from(i16::from_le_bytes(*bytes)) / 32_768.0).collect(),
        _ => whole::<4>(data)?.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
    })
}

pub(super) fn blob(bytes: Vec<u8>) -> Result<Blob> {
    if bytes.len() > MAX_BLOB_BYTES {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("{} bytes are too many to hand over at once", bytes.len()),
        )
        .hint("hand over at most 2 GiB"));
    }
    Ok(Blob(bytes))
}

#[uniffi::export]
impl AudioBuffer {
    /// Audio from 16-bit little-endian samples, interleaved. Full scale is 32768.
    #[uniffi::constructor]
    pub fn from_pcm16(
        data: &[u8],
        sample_rate_hz: i32,
        channels: i32,
    ) -> std::result::Result<Arc<Self>, RemoteMediaError> {
        let inner = crate::data::AudioBuffer::new(decoded(data, DType::I16)?, format(sample_rate_hz, channels)?)?;
        Ok(Arc::new(Self { inner }))
    }

    /// Audio from 32-bit little-endian floats, interleaved. Full scale is -1 to 1.
    #[uniffi::constructor]
    pub fn from_float32(
        data: &[u8],
        sample_rate_hz: i32,
        channels: i32,
    ) -> std::result::Result<Arc<Self>, RemoteMediaError> {
        let inner = crate::data::AudioBuffer::new(decoded(data, DType::F32)?, format(sample_rate_hz, channels)?)?;
        Ok(Arc::new(Self { inner }))
    }

    /// Number of frames: samples of one channel.
    pub fn frames(&self) -> i64 {
        i64::try_from(self.inner.frames()).unwrap_or(i64::MAX)
    }

    /// Sample rate in Hz.
    pub fn sample_rate_hz(&self) -> i32 {
        i32::try_from(self.inner.sample_rate_hz()).unwrap_or(i32::MAX)
    }

    /// Number of channels.
    pub fn channels(&self) -> i32 {
        self.inner.channels().into()
    }

    /// 16-bit little-endian samples, interleaved, rounded to nearest and clipped.
    pub fn to_pcm16(&self) -> std::result::Result<Blob, RemoteMediaError> {
        self.to_bytes(DType::I16)
    }

    /// 32-bit little-endian floats, interleaved.
    pub fn to_float32(&self) -> std::result::Result<Blob, RemoteMediaError> {
        self.to_bytes(DType::F32)
    }
}

impl AudioBuffer {
    fn to_bytes(&self, dtype: DType) -> std::result::Result<Blob, RemoteMediaError> {
        let little = if cfg!(target_endian = "little") { ByteOrder::Native } else { ByteOrder::Swapped };
        let mut bytes = Vec::new();
        write_samples(self.inner.samples(), dtype, little, &mut bytes)?;
        Ok(blob(bytes)?)
    }
}

#[cfg(feature = "python")]
#[uniffi::export]
impl AudioBuffer {
    /// Audio copied from an array: element type by number, C-contiguous `(frames, channels)`.
    #[uniffi::constructor]
    pub fn raw_copy_from(
        address: u64,
        byte_len: u64,
        dtype: i32,
        channels: i32,
        sample_rate_hz: i32,
    ) -> std::result::Result<Arc<Self>, RemoteMediaError> {
        let format = format(sample_rate_hz, channels)?;
        let (dtype, order) = super::dtype::from_number(i16::try_from(dtype).unwrap_or(-1))?;
        let bytes = crate::data::ArrayBytes::Owned(Arc::new(super::raw::copy_in(address, byte_len)?));
        let array = crate::data::NdArray { bytes, dtype, order, shape: Vec::new(), audio: None };
        let mut samples = crate::data::zeros(array.elements())?;
        crate::data::read_samples(&array, 0, &mut samples)?;
        Ok(Arc::new(Self { inner: crate::data::AudioBuffer::new(samples, format)? }))
    }

    /// The samples as memory for numpy, which the owner of a number frees: float32, interleaved, a copy. Its address.
    pub fn raw_export(&self, owner: u64) -> std::result::Result<u64, RemoteMediaError> {
        let mut samples = crate::data::with_room(self.inner.samples().len())?;
        samples.extend_from_slice(self.inner.samples());
        Ok(super::owned::put_memory(owner, super::raw::Memory::Samples(samples)))
    }
}
