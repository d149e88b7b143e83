//! Video frames as objects of other languages.

use std::sync::Arc;

use super::audio::blob;
use super::error::{RemoteMediaError, out_of_range};
use super::raw::Blob;
use crate::data::VideoFormat;
use crate::error::Result;

/// One picture: packed planes of 8-bit samples, rows without padding. Immutable.
#[derive(Debug, uniffi::Object)]
pub struct VideoFrame {
    pub(super) inner: crate::data::VideoFrame,
}

/// Size and layout from the boundary's types.
pub(super) fn format(width: i32, height: i32, pixel_format: &str) -> Result<VideoFormat> {
    let side =
        |name: &str, value: i32| u32::try_from(value).map_err(|_| out_of_range(name, value.into(), "1 to 32768"));
    Ok(VideoFormat {
        width: side("width", width)?,
        height: side("height", height)?,
        pixel_format: pixel_format.parse()?,
    })
}

#[uniffi::export]
impl VideoFrame {
    /// A frame from packed planes. `pixel_format` is one of gray8, rgb24, rgba, nv12, i420.
    #[uniffi::constructor]
    pub fn from_planes(
        data: &[u8],
        width: i32,
        height: i32,
        pixel_format: String,
    ) -> std::result::Result<Arc<Self>, RemoteMediaError> {
        let format = format(width, height, &pixel_format)?;
        Ok(Arc::new(Self { inner: crate::data::VideoFrame::new(data.to_vec(), format)? }))
    }

    /// Width in pixels.
    pub fn width(&self) -> i32 {
        i32::try_from(self.inner.format().width).unwrap_or(i32::MAX)
    }

    /// Height in pixels.
    pub fn height(&self) -> i32 {
        i32::try_from(self.inner.format().height).unwrap_or(i32::MAX)
    }

    /// Layout of the pixels.
    pub fn pixel_format(&self) -> String {
        self.inner.format().pixel_format.name().to_owned()
    }

    /// The packed planes.
    pub fn planes(&self) -> std::result::Result<Blob, RemoteMediaError> {
        Ok(blob(self.inner.bytes().to_vec())?)
    }
}
