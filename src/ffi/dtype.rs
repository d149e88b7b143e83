//! Element types as numbers, for calls that pass memory.

use crate::data::{ByteOrder, DType};
use crate::error::{Error, ErrorKind, Result};

/// The element type and byte order of a number, as [`DType::number`] gives it.
pub(super) fn from_number(number: i16) -> Result<(DType, ByteOrder)> {
    let known = u8::try_from(number).ok().and_then(DType::from_number);
    known.ok_or_else(|| Error::new(ErrorKind::InputValue, format!("dtype is {number}, expected a known number")))
}
