//! Frames through a session whose one result is audio: bytes in, bytes out. Swift calls this; Python and Kotlin have the
//! [`lane`](super::lane).

use super::audio::{blob, decoded, format};
use super::error::RemoteMediaError;
use super::raw::Blob;
use super::session::Session;
use crate::data::{AudioBuffer, AudioFormat, ByteOrder, DType, Kind, Packet, RuntimeData, write_samples};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Graph, ResultPort};

type Answer<T> = std::result::Result<T, RemoteMediaError>;

/// The one result of a graph.
pub(super) fn one_result(graph: &Graph) -> Result<&ResultPort> {
    match graph.results.as_slice() {
        [port] => Ok(port),
        ports => {
            let names: Vec<String> = ports.iter().map(|port| format!("`{}`", port.name())).collect();
            let text = format!("the pipeline has {} results ({}), expected one", names.len(), names.join(", "));
            Err(Error::new(ErrorKind::Unsupported, text)
                .hint("use feed(), or name the one result in the manifest's `outputs`"))
        }
    }
}

/// The result is something else.
pub(super) fn not_audio(kind: Kind) -> Error {
    Error::new(ErrorKind::Unsupported, format!("the pipeline gives {kind}, expected audio alone"))
        .hint("use feed(), which gives every result with its node and port")
}

/// The format of samples that say nothing of themselves.
pub(super) fn bare_format(session: &crate::engine::Session, channels: u16) -> Result<AudioFormat> {
    let rate = session.sample_rate_hz().ok_or_else(|| {
        Error::new(ErrorKind::Format, "the sample rate of bare samples is not known")
            .code_of("RM0202")
            .hint("open the session with a sample rate, or declare `input` in the manifest")
    })?;
    AudioFormat::new(rate, channels)
}

impl Session {
    fn process(&self, data: &[u8], dtype: DType, channels: i32) -> Answer<Blob> {
        one_result(self.inner.graph())?;
        let channels = format(1, channels)?.channels();
        let audio = AudioBuffer::new(decoded(data, dtype)?, bare_format(&self.inner, channels)?)?;
        bytes(dtype, |sink| self.inner.feed_with(audio.into(), None, None, sink))
    }

    fn rest(&self, dtype: DType) -> Answer<Blob> {
        one_result(self.inner.graph())?;
        bytes(dtype, |sink| self.inner.flush_with(sink))
    }
}

/// Everything that comes out, as samples in a row.
fn bytes(dtype: DType, work: impl FnOnce(&mut dyn FnMut(usize, Packet)) -> Result<()>) -> Answer<Blob> {
    let little = if cfg!(target_endian = "little") { ByteOrder::Native } else { ByteOrder::Swapped };
    let (mut bytes, mut failed) = (Vec::new(), None);
    work(&mut |_, packet| match &packet.data {
        RuntimeData::Audio(audio) => {
            if let Err(error) = write_samples(audio.samples(), dtype, little, &mut bytes) {
                failed = Some(error);
            }
        }
        RuntimeData::Control(_) => {}
        data => failed = Some(not_audio(data.kind())),
    })?;
    failed.map_or(Ok(()), Err)?;
    Ok(blob(bytes)?)
}

#[uniffi::export]
impl Session {
    /// Takes a frame of 32-bit little-endian floats, interleaved, at the session's rate. Gives what comes out in the
    /// same form. For pipelines whose one result is audio.
    pub fn process_float32(&self, data: &[u8], channels: i32) -> Answer<Blob> {
        self.process(data, DType::F32, channels)
    }

    /// The same with 16-bit little-endian integers; full scale is 32768. What comes out is rounded and clipped.
    pub fn process_pcm16(&self, data: &[u8], channels: i32) -> Answer<Blob> {
        self.process(data, DType::I16, channels)
    }

    /// Ends the stream and gives the rest as 32-bit little-endian floats, interleaved.
    pub fn flush_float32(&self) -> Answer<Blob> {
        self.rest(DType::F32)
    }

    /// Ends the stream and gives the rest as 16-bit little-endian integers, interleaved.
    pub fn flush_pcm16(&self) -> Answer<Blob> {
        self.rest(DType::I16)
    }
}

#[cfg(test)]
mod tests {
    use crate::ffi::{Pipeline, RemoteMediaError, SessionConfig};

    #[test]
    fn a_frame_of_bytes_comes_back_as_bytes() {
        let gain = r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough"}]}"#;
        let config = SessionConfig { sample_rate_hz: 8_000, channels: 2, constant_frames: false, metrics: false };
        let session = Pipeline::new(gain.to_owned()).unwrap().session(config.clone()).unwrap();
        let frame: Vec<u8> = [0.5_f32, -0.25, 1.5, 0.0].iter().flat_map(|sample| sample.to_le_bytes()).collect();
        assert_eq!(session.process_float32(&frame, 2).unwrap().0, frame);
        let frame: Vec<u8> = [1_i16, -2, 32_767, -32_768].iter().flat_map(|sample| sample.to_le_bytes()).collect();
        assert_eq!(session.process_pcm16(&frame, 2).unwrap().0, frame);
        assert!(session.flush_pcm16().unwrap().0.is_empty() && session.flush_float32().unwrap().0.is_empty());
        let wrong = session.process_pcm16(&frame[..3], 2).unwrap_err();
        assert!(matches!(wrong, RemoteMediaError::InputValue { .. }), "{wrong}");
        assert!(matches!(session.process_pcm16(&frame, 0).unwrap_err(), RemoteMediaError::InputValue { .. }));
        let two = r#"{"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough"},
            {"id": "b", "node_type": "PassThrough"}, {"id": "c", "node_type": "PassThrough"}],
            "connections": [{"from": "a", "to": "b"}, {"from": "a", "to": "c"}]}"#;
        let session = Pipeline::new(two.to_owned()).unwrap().session(config).unwrap();
        assert!(matches!(session.process_pcm16(&frame, 2).unwrap_err(), RemoteMediaError::Unsupported { .. }));
    }
}
