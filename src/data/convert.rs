//! Between the element types of arrays and the f32 samples that nodes work on.
//!
//! Integers are scaled by their full scale (i16 / 2^15, i32 / 2^31, u8 offset by 128); the way back rounds to
//! nearest, ties to even, clips, and turns NaN into 0. Floats stay as they are; f64 is rounded to f32.

use half::f16;

use super::{ByteOrder, DType, NdArray, denormals, make_room};
use crate::error::{Error, ErrorKind, Result};

/// How many samples did not fit the integer range and were clipped.
pub type ClipCount = u64;

/// Bytes copied from foreign memory at a time: inside the first-level cache.
const PIECE_BYTES: usize = 16 << 10;

fn read_piece<const N: usize>(bytes: &[u8], target: &mut [f32], convert: impl Fn([u8; N]) -> f32) {
    for (element, value) in bytes.as_chunks::<N>().0.iter().zip(target) {
        *value = convert(*element);
    }
}

/// An element with its bytes in this machine's order.
fn native<const N: usize>(order: ByteOrder, mut bytes: [u8; N]) -> [u8; N] {
    if order == ByteOrder::Swapped {
        bytes.reverse();
    }
    bytes
}

/// Reads elements `first..first + target.len()` of an array as samples.
///
/// # Errors
/// `Format` for an element type that is not audio (f16, f32, f64, i16, i32 and u8 are).
/// Panics when the range is outside of the array.
pub fn read_samples(array: &NdArray, first: usize, target: &mut [f32]) -> Result<()> {
    let size = array.dtype.size();
    let order = array.order;
    if array.dtype == DType::F32 && order == ByteOrder::Native {
        // Nothing to convert: one copy, straight to where the samples are wanted.
        array.bytes.read(first * size, bytemuck::cast_slice_mut(target));
        return Ok(());
    }
    let _denormals = denormals::flushed();
    let mut piece = [0_u8; PIECE_BYTES];
    for (index, part) in target.chunks_mut(PIECE_BYTES / size).enumerate() {
        let bytes = &mut piece[..part.len() * size];
        array.bytes.read((first + index * (PIECE_BYTES / size)) * size, bytes);
        match array.dtype {
            DType::F32 => read_piece(bytes, part, |b| f32::from_ne_bytes(native(order, b))),
            DType::F64 => read_piece(bytes, part, |b| f64::from_ne_bytes(native(order, b)) as f32),
            DType::F16 => read_piece(bytes, part, |b| f16::from_ne_bytes(native(order, b)).to_f32()),
            DType::I16 => read_piece(bytes, part, |b| f32::from(i16::from_ne_bytes(native(order, b))) / 32_768.0),
            DType::I32 => {
                read_piece(bytes, part, |b| (f64::from(i32::from_ne_bytes(native(order, b))) / 2_147_483_648.0) as f32)
            }
            DType::U8 => read_piece(bytes, part, |[b]: [u8; 1]| (f32::from(b) - 128.0) / 128.0),
            other => return Err(not_audio(other)),
        }
    }
    Ok(())
}

fn not_audio(dtype: DType) -> Error {
    Error::new(
        ErrorKind::Format,
        format!("an array of {dtype} is not audio, expected float16, float32, float64, int16, int32 or uint8"),
    )
    .code_of("RM0204")
    .hint("convert it first, for example x.astype(\"float32\")")
}

fn write_with<const N: usize>(
    samples: &[f32],
    order: ByteOrder,
    target: &mut Vec<u8>,
    mut convert: impl FnMut(f32) -> [u8; N],
) -> Result<()> {
    make_room(target, samples.len() * N)?;
    for &sample in samples {
        target.extend_from_slice(&native(order, convert(sample)));
    }
    Ok(())
}

/// Scales to an integer range, rounds to nearest (ties to even), clips and counts; NaN is 0.
fn quantise(sample: f32, scale: f64, clipped: &mut ClipCount) -> f64 {
    let value = (f64::from(sample) * scale).round_ties_even();
    if value.is_nan() {
        return 0.0;
    }
    // Full scale itself is one step beyond the largest integer: not counted, it is how 1.0 is written.
    if value > scale || value < -scale {
        *clipped += 1;
    }
    value.clamp(-scale, scale - 1.0)
}

/// Appends samples as elements of a type and byte order. Says how many were clipped.
///
/// # Errors
/// `Format` for an element type that is not audio.
pub fn write_samples(samples: &[f32], dtype: DType, order: ByteOrder, target: &mut Vec<u8>) -> Result<ClipCount> {
    let mut clipped = 0;
    let _denormals = (dtype != DType::F32).then(denormals::flushed);
    match dtype {
        DType::F32 => write_with(samples, order, target, f32::to_ne_bytes)?,
        DType::F64 => write_with(samples, order, target, |s| f64::from(s).to_ne_bytes())?,
        DType::F16 => write_with(samples, order, target, |s| f16::from_f32(s).to_ne_bytes())?,
        DType::I16 => {
            write_with(samples, order, target, |s| (quantise(s, 32_768.0, &mut clipped) as i16).to_ne_bytes())?;
        }
        DType::I32 => {
            write_with(samples, order, target, |s| (quantise(s, 2_147_483_648.0, &mut clipped) as i32).to_ne_bytes())?;
        }
        DType::U8 => {
            write_with(samples, order, target, |s| [(quantise(s, 128.0, &mut clipped) + 128.0) as u8])?;
        }
        other => return Err(not_audio(other)),
    }
    Ok(clipped)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::data::ArrayBytes;

    fn array(bytes: Vec<u8>, dtype: DType, order: ByteOrder) -> NdArray {
        let shape = vec![bytes.len() / dtype.size()];
        NdArray { bytes: ArrayBytes::Owned(Arc::new(bytes)), dtype, order, shape, audio: None }
    }

    #[test]
    fn every_i16_survives_the_round_trip_in_both_byte_orders() {
        for order in [ByteOrder::Native, ByteOrder::Swapped] {
            let bytes: Vec<u8> = (i16::MIN..=i16::MAX).flat_map(|v| native(order, v.to_ne_bytes())).collect();
            let mut samples = vec![0.0; 65_536];
            read_samples(&array(bytes.clone(), DType::I16, order), 0, &mut samples).unwrap();
            assert_eq!(samples[0], -1.0);
            let mut back = Vec::new();
            assert_eq!(write_samples(&samples, DType::I16, order, &mut back).unwrap(), 0);
            assert_eq!(back, bytes);
        }
    }

    #[test]
    fn every_u8_survives_the_round_trip() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut samples = vec![0.0; 256];
        read_samples(&array(bytes.clone(), DType::U8, ByteOrder::Native), 0, &mut samples).unwrap();
        let mut back = Vec::new();
        write_samples(&samples, DType::U8, ByteOrder::Native, &mut back).unwrap();
        assert_eq!(back, bytes);
    }

    #[test]
    fn clipping_is_counted_and_nan_is_silence() {
        let mut bytes = Vec::new();
        let clipped =
            write_samples(&[2.0, -2.0, 1.0, f32::NAN, f32::INFINITY], DType::I16, ByteOrder::Native, &mut bytes)
                .unwrap();
        let values: Vec<i16> = bytes.as_chunks::<2>().0.iter().map(|b| i16::from_ne_bytes(*b)).collect();
        assert_eq!(values, [32_767, -32_768, 32_767, 0, 32_767]);
        assert_eq!(clipped, 3);
    }

    #[test]
    fn a_part_longer_than_one_piece_is_read_whole() {
        let values: Vec<f64> = (0..10_000).map(f64::from).collect();
        let bytes = values.iter().flat_map(|v| v.to_ne_bytes()).collect();
        let mut samples = vec![0.0; 9_000];
        read_samples(&array(bytes, DType::F64, ByteOrder::Native), 500, &mut samples).unwrap();
        assert_eq!(samples[0], 500.0);
        assert_eq!(samples[8_999], 9_499.0);
    }

    #[test]
    fn integers_wider_than_audio_are_refused() {
        let error = read_samples(&array(vec![0; 8], DType::I64, ByteOrder::Native), 0, &mut [0.0]).unwrap_err();
        assert!(error.to_string().contains("int64"), "{error}");
    }
}
