//! Element types as numbers, for calls that pass memory.

use crate::data::{ByteOrder, DType};
use crate::error::{Error, ErrorKind, Result};

/// Added to the number of a byte-swapped type.
const SWAPPED: i16 = 100;

/// The element type and byte order of a number: a position in [`DType::ALL`], plus 100 when byte-swapped.
pub(super) fn from_number(number: i16) -> Result<(DType, ByteOrder)> {
    let (position, order) =
        if number >= SWAPPED { (number - SWAPPED, ByteOrder::Swapped) } else { (number, ByteOrder::Native) };
    let known = usize::try_from(position).ok().and_then(|position| DType::ALL.get(position));
    let unknown = || Error::new(ErrorKind::InputValue, format!("dtype is {number}, expected a known number"));
    Ok((*known.ok_or_else(unknown)?, order))
}

/// The number of an element type.
#[cfg(feature = "python")]
pub(super) fn number(dtype: DType, order: ByteOrder) -> i16 {
    let position = DType::ALL.iter().position(|known| *known == dtype).unwrap_or(0);
    position as i16 + if order == ByteOrder::Swapped { SWAPPED } else { 0 }
}
