//! Video frames.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::{VideoFormat, copy_of, keep_room};
use crate::error::{Error, ErrorKind, Result};

/// The longest side of a frame, in pixels.
const MAX_SIDE: u32 = 32_768;

/// How the pixels of a frame lie in memory. All samples have 8 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// One plane of luma.
    Gray8,
    /// Red, green, blue, interleaved.
    Rgb24,
    /// Red, green, blue, alpha, interleaved.
    Rgba,
    /// A plane of luma, then one of U and V interleaved at half width and height.
    Nv12,
    /// A plane of luma, then U, then V, each at half width and height.
    I420,
}

impl PixelFormat {
    /// All pixel formats.
    pub const ALL: [Self; 5] = [Self::Gray8, Self::Rgb24, Self::Rgba, Self::Nv12, Self::I420];

    /// The name in manifests, Python, Kotlin and Swift.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gray8 => "gray8",
            Self::Rgb24 => "rgb24",
            Self::Rgba => "rgba",
            Self::Nv12 => "nv12",
            Self::I420 => "i420",
        }
    }

    /// Bytes per pixel of the first plane and row of each plane: `(bytes wide, rows high)` for a frame's size.
    fn planes(self, width: usize, height: usize) -> Vec<(usize, usize)> {
        let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
        match self {
            Self::Gray8 => vec![(width, height)],
            Self::Rgb24 => vec![(width * 3, height)],
            Self::Rgba => vec![(width * 4, height)],
            Self::Nv12 => vec![(width, height), (half_width * 2, half_height)],
            Self::I420 => vec![(width, height), (half_width, half_height), (half_width, half_height)],
        }
    }
}

impl fmt::Display for PixelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for PixelFormat {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| {
            Error::new(
                ErrorKind::InputValue,
                format!("pixel_format is `{name}`, expected gray8, rgb24, rgba, nv12 or i420"),
            )
        })
    }
}

/// One plane of a frame: `rows` rows of `row_bytes` bytes, each `stride` bytes after the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plane {
    /// Where the plane starts in the frame's bytes.
    pub offset: usize,
    /// Bytes from one row to the next.
    pub stride: usize,
    /// Bytes of a row that hold pixels.
    pub row_bytes: usize,
    /// Number of rows.
    pub rows: usize,
}

/// One picture. Planes lie one after another, rows without padding, in shared memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoFrame {
    bytes: Arc<Planes>,
    format: VideoFormat,
}

/// Memory of a frame, which the next one gets.
#[derive(Debug, PartialEq, Eq)]
struct Planes(Vec<u8>);

impl Drop for Planes {
    fn drop(&mut self) {
        keep_room(std::mem::take(&mut self.0));
    }
}

impl VideoFrame {
    /// How many bytes a packed frame has.
    ///
    /// # Errors
    /// `InputValue` for a side of 0 or above 32,768 pixels.
    pub fn packed_len(format: VideoFormat) -> Result<usize> {
        for (name, side) in [("width", format.width), ("height", format.height)] {
            if side == 0 || side > MAX_SIDE {
                return Err(Error::new(ErrorKind::InputValue, format!("{name} is {side}, expected 1 to {MAX_SIDE}")));
            }
        }
        let planes = format.pixel_format.planes(format.width as usize, format.height as usize);
        Ok(planes.iter().map(|(row, rows)| row * rows).sum())
    }

    /// A frame from its packed planes.
    ///
    /// # Errors
    /// `InputValue` when the number of bytes is not what the format needs.
    pub fn new(bytes: Vec<u8>, format: VideoFormat) -> Result<Self> {
        let expected = Self::packed_len(format)?;
        if bytes.len() != expected {
            return Err(Error::new(
                ErrorKind::InputValue,
                format!(
                    "a {}x{} {} frame has {} bytes, expected {expected}",
                    format.width,
                    format.height,
                    format.pixel_format,
                    bytes.len()
                ),
            ));
        }
        Ok(Self { bytes: Arc::new(Planes(bytes)), format })
    }

    /// Size and pixel layout.
    pub fn format(&self) -> VideoFormat {
        self.format
    }

    /// All planes, one after another.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes.0
    }

    /// All planes, moved out when no other frame shares them.
    ///
    /// # Errors
    /// When there is no memory for a copy.
    pub fn into_bytes(self) -> Result<Vec<u8>> {
        Arc::try_unwrap(self.bytes).map_or_else(|shared| copy_of(&shared.0), |mut own| Ok(std::mem::take(&mut own.0)))
    }

    /// Where each plane lies.
    pub fn planes(&self) -> Vec<Plane> {
        let mut offset = 0;
        let planes = self.format.pixel_format.planes(self.format.width as usize, self.format.height as usize);
        planes
            .into_iter()
            .map(|(row_bytes, rows)| {
                let plane = Plane { offset, stride: row_bytes, row_bytes, rows };
                offset += row_bytes * rows;
                plane
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(width: u32, height: u32, pixel_format: PixelFormat) -> VideoFormat {
        VideoFormat { width, height, pixel_format }
    }

    #[test]
    fn odd_sizes_round_the_chroma_planes_up() {
        assert_eq!(VideoFrame::packed_len(format(5, 3, PixelFormat::I420)).unwrap(), 15 + 6 + 6);
        assert_eq!(VideoFrame::packed_len(format(5, 3, PixelFormat::Nv12)).unwrap(), 15 + 12);
        let frame = VideoFrame::new(vec![0; 27], format(5, 3, PixelFormat::I420)).unwrap();
        assert_eq!(frame.planes().iter().map(|plane| plane.offset).collect::<Vec<_>>(), [0, 15, 21]);
    }

    #[test]
    fn a_wrong_length_names_both_numbers() {
        let error = VideoFrame::new(vec![0; 11], format(2, 2, PixelFormat::Rgb24)).unwrap_err();
        assert_eq!(error.to_string(), "a 2x2 rgb24 frame has 11 bytes, expected 12");
    }
}
