//! What a stream is: the unit of negotiation between nodes.

use std::fmt;

use super::{DType, PixelFormat};
use crate::error::{Error, ErrorKind, Result};

/// The most channels an audio stream may have.
const MAX_CHANNELS: u16 = 64;
/// The highest sample rate, in Hz.
const MAX_SAMPLE_RATE_HZ: u32 = 1_536_000;

/// Rate and channels of an audio stream, both known and in range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AudioFormat {
    sample_rate_hz: u32,
    channels: u16,
}

impl AudioFormat {
    /// A format of 1 to 1,536,000 Hz and 1 to 64 channels.
    ///
    /// # Errors
    /// `InputValue` outside of these ranges.
    pub fn new(sample_rate_hz: u32, channels: u16) -> Result<Self> {
        if sample_rate_hz == 0 || sample_rate_hz > MAX_SAMPLE_RATE_HZ {
            return Err(Error::new(
                ErrorKind::InputValue,
                format!("sample_rate_hz is {sample_rate_hz}, expected 1 to {MAX_SAMPLE_RATE_HZ}"),
            ));
        }
        if channels == 0 || channels > MAX_CHANNELS {
            return Err(Error::new(
                ErrorKind::InputValue,
                format!("channels is {channels}, expected 1 to {MAX_CHANNELS}"),
            )
            .hint("audio is (frames, channels); pass x.T if the channels come first"));
        }
        Ok(Self { sample_rate_hz, channels })
    }

    /// Sample rate in Hz.
    pub const fn sample_rate_hz(self) -> u32 {
        self.sample_rate_hz
    }

    /// Number of channels.
    pub const fn channels(self) -> u16 {
        self.channels
    }

    /// The same rate with other channels.
    pub fn with_channels(self, channels: u16) -> Result<Self> {
        Self::new(self.sample_rate_hz, channels)
    }
}

impl fmt::Display for AudioFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz, {} channel{}", self.sample_rate_hz, self.channels, if self.channels == 1 { "" } else { "s" })
    }
}

/// Size and pixel layout of a video stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VideoFormat {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Layout of the pixels.
    pub pixel_format: PixelFormat,
}

/// The kinds of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// [`AudioBuffer`](super::AudioBuffer).
    Audio = 0,
    /// [`VideoFrame`](super::VideoFrame).
    Video = 1,
    /// [`NdArray`](super::NdArray).
    Array = 2,
    /// Text.
    Text = 3,
    /// Any JSON value.
    Json = 4,
    /// Bytes.
    Binary = 5,
    /// [`Control`](super::Control).
    Control = 6,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 7] =
        [Self::Audio, Self::Video, Self::Array, Self::Text, Self::Json, Self::Binary, Self::Control];

    /// The kind's name in manifests and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Array => "array",
            Self::Text => "text",
            Self::Json => "json",
            Self::Binary => "binary",
            Self::Control => "control",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of kinds: what a port takes or gives.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kinds(u8);

impl Kinds {
    /// Every kind.
    pub const ANY: Self = Self(0x7f);

    /// The set of one kind.
    pub const fn only(kind: Kind) -> Self {
        Self(1 << kind as u8)
    }

    /// This set and one kind more.
    pub const fn and(self, kind: Kind) -> Self {
        Self(self.0 | 1 << kind as u8)
    }

    /// Whether the kind is in the set.
    pub const fn contains(self, kind: Kind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    /// Whether the sets share a kind.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The kinds in the set, in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }
}

impl From<Kind> for Kinds {
    fn from(kind: Kind) -> Self {
        Self::only(kind)
    }
}

impl fmt::Debug for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ANY {
            return f.write_str("any kind");
        }
        for (index, kind) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" or ")?;
            }
            f.write_str(kind.name())?;
        }
        Ok(())
    }
}

/// What is known of a stream. A field that is `None` is not known yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Format {
    /// Nothing is known, not even the kind.
    #[default]
    Unknown,
    /// Audio.
    Audio {
        /// Sample rate in Hz.
        sample_rate_hz: Option<u32>,
        /// Number of channels.
        channels: Option<u16>,
    },
    /// Video.
    Video {
        /// Width in pixels.
        width: Option<u32>,
        /// Height in pixels.
        height: Option<u32>,
        /// Layout of the pixels.
        pixel_format: Option<PixelFormat>,
    },
    /// Arrays.
    Array {
        /// Element type.
        dtype: Option<DType>,
        /// Shape.
        shape: Option<Vec<usize>>,
    },
    /// Text.
    Text,
    /// JSON values.
    Json,
    /// Bytes.
    Binary,
}

impl Format {
    /// Audio of which nothing more is known.
    pub const AUDIO: Self = Self::Audio { sample_rate_hz: None, channels: None };
    /// Video of which nothing more is known.
    pub const VIDEO: Self = Self::Video { width: None, height: None, pixel_format: None };

    /// The kind, if known.
    pub fn kind(&self) -> Option<Kind> {
        Some(match self {
            Self::Unknown => return None,
            Self::Audio { .. } => Kind::Audio,
            Self::Video { .. } => Kind::Video,
            Self::Array { .. } => Kind::Array,
            Self::Text => Kind::Text,
            Self::Json => Kind::Json,
            Self::Binary => Kind::Binary,
        })
    }

    /// The audio format, when it is audio and wholly known.
    ///
    /// # Errors
    /// `Format` when it is not audio or a field is missing or out of range.
    pub fn audio(&self) -> Result<AudioFormat> {
        match *self {
            Self::Audio { sample_rate_hz: Some(rate), channels: Some(channels) } => {
                AudioFormat::new(rate, channels).map_err(|error| Error::new(ErrorKind::Format, error.message()))
            }
            _ => Err(Error::new(ErrorKind::Format, format!("the stream is {self}, expected audio of known format"))),
        }
    }

    /// The sample rate in Hz, when it is audio of known rate.
    pub fn sample_rate_hz(&self) -> Option<u32> {
        match self {
            Self::Audio { sample_rate_hz, .. } => *sample_rate_hz,
            _ => None,
        }
    }

    /// The channels, when it is audio of known channels.
    pub fn channels(&self) -> Option<u16> {
        match self {
            Self::Audio { channels, .. } => *channels,
            _ => None,
        }
    }
}

impl From<AudioFormat> for Format {
    fn from(format: AudioFormat) -> Self {
        Self::Audio { sample_rate_hz: Some(format.sample_rate_hz), channels: Some(format.channels) }
    }
}

impl From<VideoFormat> for Format {
    fn from(format: VideoFormat) -> Self {
        Self::Video { width: Some(format.width), height: Some(format.height), pixel_format: Some(format.pixel_format) }
    }
}

fn known<T: fmt::Display>(value: Option<T>) -> String {
    value.map_or_else(|| "?".to_owned(), |value| value.to_string())
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::Audio { sample_rate_hz, channels } => {
                write!(f, "audio {} Hz, {} ch", known(*sample_rate_hz), known(*channels))
            }
            Self::Video { width, height, pixel_format } => {
                write!(f, "video {}x{} {}", known(*width), known(*height), known(*pixel_format))
            }
            Self::Array { dtype, shape } => {
                write!(f, "array {} {}", known(*dtype), known(shape.as_ref().map(|shape| format!("{shape:?}"))))
            }
            Self::Text => f.write_str("text"),
            Self::Json => f.write_str("json"),
            Self::Binary => f.write_str("binary"),
        }
    }
}
