//! Audio: interleaved f32 samples with their rate and channels.

use super::{AudioFormat, Samples};
use crate::error::{Error, ErrorKind, Result};

/// Interleaved f32 audio. Full scale is -1 to 1; values beyond it are kept until a conversion to integers.
///
/// A *frame* is one sample of every channel; frame `f` of channel `c` is at `samples[f * channels + c]`.
#[derive(Debug, Clone, PartialEq)]
pub struct AudioBuffer {
    samples: Samples,
    format: AudioFormat,
}

impl AudioBuffer {
    /// Audio from interleaved samples.
    ///
    /// # Errors
    /// `InputValue` when the number of samples is not a multiple of the channels.
    pub fn new(samples: impl Into<Samples>, format: AudioFormat) -> Result<Self> {
        let samples = samples.into();
        if !samples.len().is_multiple_of(usize::from(format.channels())) {
            return Err(Error::new(
                ErrorKind::InputValue,
                format!("the number of samples is {}, expected a multiple of {}", samples.len(), format.channels()),
            )
            .hint("pass interleaved samples, channels times frames of them"));
        }
        Ok(Self { samples, format })
    }

    /// Rate and channels.
    pub fn format(&self) -> AudioFormat {
        self.format
    }

    /// Sample rate in Hz.
    pub fn sample_rate_hz(&self) -> u32 {
        self.format.sample_rate_hz()
    }

    /// Number of channels, 1 to 64.
    pub fn channels(&self) -> u16 {
        self.format.channels()
    }

    /// Number of frames.
    pub fn frames(&self) -> usize {
        self.samples.len() / usize::from(self.format.channels())
    }

    /// The interleaved samples.
    pub fn samples(&self) -> &[f32] {
        &self.samples
    }

    /// The interleaved samples for writing; copied first when another buffer shares them.
    ///
    /// # Errors
    /// When there is no memory for the copy.
    pub fn samples_mut(&mut self) -> Result<&mut [f32]> {
        self.samples.make_mut()
    }

    /// The interleaved samples, without the format.
    pub fn into_samples(self) -> Samples {
        self.samples
    }

    /// Frames `range` of the same memory. Panics when the range is outside of it.
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        let channels = usize::from(self.channels());
        Self { samples: self.samples.slice(range.start * channels..range.end * channels), format: self.format }
    }
}
