//! Arrays as numpy knows them: any element type, byte order and shape, passed through bit by bit.

use std::fmt;
use std::sync::Arc;

use super::AudioFormat;

/// Element type of an [`NdArray`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // The names are numpy's own and say all.
pub enum DType {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    F32,
    F64,
    C64,
    C128,
}

/// Added to the number of a byte-swapped type.
const SWAPPED: u8 = 100;

impl DType {
    /// All element types. The position in this list is the type's number at the language boundary.
    pub const ALL: [Self; 14] = [
        Self::Bool,
        Self::I8,
        Self::I16,
        Self::I32,
        Self::I64,
        Self::U8,
        Self::U16,
        Self::U32,
        Self::U64,
        Self::F16,
        Self::F32,
        Self::F64,
        Self::C64,
        Self::C128,
    ];

    /// The number of an element type in a byte order: the position in [`ALL`](Self::ALL), plus 100 when byte-swapped.
    pub fn number(self, order: ByteOrder) -> u8 {
        let position = Self::ALL.iter().position(|dtype| *dtype == self).unwrap_or(0);
        position as u8 + if order == ByteOrder::Swapped { SWAPPED } else { 0 }
    }

    /// The element type and byte order of a number.
    pub fn from_number(number: u8) -> Option<(Self, ByteOrder)> {
        let (position, order) =
            if number >= SWAPPED { (number - SWAPPED, ByteOrder::Swapped) } else { (number, ByteOrder::Native) };
        Some((*Self::ALL.get(usize::from(position))?, order))
    }

    /// Bytes of one element.
    pub const fn size(self) -> usize {
        match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 | Self::F16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 | Self::C64 => 8,
            Self::C128 => 16,
        }
    }

    /// numpy's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::I8 => "int8",
            Self::I16 => "int16",
            Self::I32 => "int32",
            Self::I64 => "int64",
            Self::U8 => "uint8",
            Self::U16 => "uint16",
            Self::U32 => "uint32",
            Self::U64 => "uint64",
            Self::F16 => "float16",
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::C64 => "complex64",
            Self::C128 => "complex128",
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether an array's bytes are in this machine's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// This machine's order.
    Native,
    /// The other one.
    Swapped,
}

/// Memory that belongs to somebody else (a numpy array) and is only ever read.
///
/// The other side must keep the memory alive until the value is dropped, and should not write to it before.
/// It is read by copying, never borrowed, because the other side may write to it all the same.
pub trait ForeignMemory: Send + Sync + fmt::Debug {
    /// Length in bytes.
    fn len(&self) -> usize;

    /// Whether there is nothing to read.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies bytes from `offset` on into `target`. Panics when they reach beyond the end.
    fn read(&self, offset: usize, target: &mut [u8]);

    /// The owner's number for this memory, to recognise it when it comes out untouched.
    fn token(&self) -> u64;
}

/// The bytes of an array.
#[derive(Debug, Clone)]
pub enum ArrayBytes {
    /// Ours.
    Owned(Arc<Vec<u8>>),
    /// Somebody else's, read by copying.
    Foreign(Arc<dyn ForeignMemory>),
}

impl ArrayBytes {
    /// Length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Owned(bytes) => bytes.len(),
            Self::Foreign(memory) => memory.len(),
        }
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies bytes from `offset` on into `target`. Panics when they reach beyond the end.
    pub fn read(&self, offset: usize, target: &mut [u8]) {
        match self {
            Self::Owned(bytes) => target.copy_from_slice(&bytes[offset..offset + target.len()]),
            Self::Foreign(memory) => memory.read(offset, target),
        }
    }
}

/// A C-contiguous array.
#[derive(Debug, Clone)]
pub struct NdArray {
    /// The elements, in C order.
    pub bytes: ArrayBytes,
    /// Element type.
    pub dtype: DType,
    /// Byte order of the elements.
    pub order: ByteOrder,
    /// Length of each axis; empty for a scalar array.
    pub shape: Vec<usize>,
    /// Rate and channels, when the array is declared to be audio.
    pub audio: Option<AudioFormat>,
}

impl NdArray {
    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.bytes.len() / self.dtype.size()
    }

    /// Frames and channels, taken as audio: `(n,)` is mono, `(n, c)` has `c` channels. Other shapes have none.
    pub fn frames_and_channels(&self) -> Option<(usize, usize)> {
        match *self.shape.as_slice() {
            [frames] => Some((frames, 1)),
            [frames, channels] => Some((frames, channels)),
            _ => None,
        }
    }
}
