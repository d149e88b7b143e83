//! Results of a one-shot run: audio is joined, and cut again at the borders of the input items.

use crate::data::{
    ArrayBytes, AudioBuffer, AudioFormat, ByteOrder, DType, NdArray, Packet, RuntimeData, make_room, with_room,
    write_samples,
};
use crate::error::Result;
use crate::graph::ResultPort;

/// One result.
#[derive(Debug, Clone)]
pub struct ResultItem {
    /// The input item it belongs to.
    pub item: usize,
    /// What came out.
    pub data: RuntimeData,
}

/// Everything that came out of one port.
#[derive(Debug, Clone)]
pub struct PortResult {
    /// The port.
    pub port: ResultPort,
    /// What came out, in order.
    pub items: Vec<ResultItem>,
}

/// What an input item was, as far as results depend on it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ItemShape {
    /// Audio frames; 0 when it is not audio.
    pub(super) frames: u64,
    /// Whether it is audio or an array that can be.
    pub(super) audio: bool,
    /// For a bare array: its element type and byte order, and whether it has one axis.
    pub(super) array: Option<(DType, ByteOrder, bool)>,
}

/// Gathers the packets of one result port.
#[derive(Debug)]
pub(super) struct Collector {
    port: ResultPort,
    audio: Vec<f32>,
    format: Option<AudioFormat>,
    /// Frames by input item, for output that does not follow the input's frames.
    by_item: Vec<(usize, u64)>,
    others: Vec<ResultItem>,
    /// How much data they hold.
    other_bytes: usize,
}

impl Collector {
    pub(super) fn new(port: ResultPort) -> Self {
        Self { port, audio: Vec::new(), format: None, by_item: Vec::new(), others: Vec::new(), other_bytes: 0 }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.audio.as_slice()) + self.other_bytes
    }

    /// Adds a packet. `expected` is how many frames are likely to come in all, to size the memory once.
    ///
    /// # Errors
    /// When there is no memory for them.
    pub(super) fn add(&mut self, packet: Packet, expected: impl FnOnce(AudioFormat) -> usize) -> Result<()> {
        let item = packet.item as usize;
        let RuntimeData::Audio(audio) = packet.data else {
            self.keep(item, packet.data);
            return Ok(());
        };
        if self.port.pieces {
            self.keep(item, audio.into());
            return Ok(());
        }
        let format = audio.format();
        let channels = usize::from(format.channels());
        if self.format.is_none() {
            self.format = Some(format);
            self.audio = with_room(expected(format).saturating_mul(channels))?;
        }
        // A packet that was dropped on the way leaves silence of its length, not a jump in time.
        let at = usize::try_from(packet.pts.to_frames(format.sample_rate_hz())).unwrap_or(0) * channels;
        self.fill(at)?;
        make_room(&mut self.audio, audio.samples().len())?;
        self.audio.extend_from_slice(audio.samples());
        self.by_item.push((item, audio.frames() as u64));
        Ok(())
    }

    fn keep(&mut self, item: usize, data: RuntimeData) {
        self.other_bytes += data.bytes();
        self.others.push(ResultItem { item, data });
    }

    /// Silence up to a sample.
    fn fill(&mut self, at: usize) -> Result<()> {
        let more = at.saturating_sub(self.audio.len());
        if more > 0 {
            make_room(&mut self.audio, more)?;
            self.audio.resize(at, 0.0);
        }
        Ok(())
    }

    /// Cuts the audio at the borders of the input items and turns it back into what the items were.
    ///
    /// `expected` is how many frames there must be, when packets may have been dropped at the end.
    pub(super) fn finish(
        mut self,
        shapes: &[ItemShape],
        rate_in: Option<u32>,
        expected: impl FnOnce(AudioFormat) -> usize,
        clipped: &mut u64,
    ) -> Result<PortResult> {
        let Some(format) = self.format else { return Ok(PortResult { port: self.port, items: self.others }) };
        let least = expected(format) * usize::from(format.channels());
        self.fill(least)?;
        let total = (self.audio.len() / usize::from(format.channels())) as u64;
        let ends = match rate_in {
            Some(rate_in) if shapes.iter().any(|shape| shape.audio) => {
                borders(shapes, rate_in, format.sample_rate_hz(), total)
            }
            _ => by_packets(&self.by_item, shapes.len()),
        };
        let mut items = std::mem::take(&mut self.others);
        let whole = AudioBuffer::new(std::mem::take(&mut self.audio), format)?;
        let mut start = 0;
        for (item, (shape, end)) in shapes.iter().zip(ends).enumerate() {
            let made = end > start || shape.audio;
            let end = end.max(start);
            if made {
                let part =
                    if start == 0 && end == total { whole.clone() } else { whole.slice(start as usize..end as usize) };
                items.push(ResultItem { item, data: mirror(part, shape, clipped)? });
            }
            start = end;
        }
        drop(whole);
        items.sort_by_key(|item| item.item);
        Ok(PortResult { port: self.port, items })
    }
}

/// Item `i` ends at frame `ceil(n_i * out / in)`, `n_i` being the frames up to its end; the last one takes the rest.
fn borders(shapes: &[ItemShape], rate_in: u32, rate_out: u32, total: u64) -> Vec<u64> {
    let mut frames = 0_u128;
    let last = shapes.iter().rposition(|shape| shape.audio);
    let ends = shapes.iter().enumerate().map(|(index, shape)| {
        frames += u128::from(shape.frames);
        if Some(index) == last {
            return total;
        }
        let end = (frames * u128::from(rate_out)).div_ceil(u128::from(rate_in));
        u64::try_from(end).unwrap_or(u64::MAX).min(total)
    });
    ends.collect()
}

fn by_packets(by_item: &[(usize, u64)], items: usize) -> Vec<u64> {
    let mut counts = vec![0; items.max(1)];
    for (item, frames) in by_item {
        if let Some(count) = counts.get_mut(*item) {
            *count += frames;
        }
    }
    let mut sum = 0;
    counts
        .into_iter()
        .map(|count| {
            sum += count;
            sum
        })
        .collect()
}

/// Audio that came in as a bare array goes out as one, of the same element type and byte order.
fn mirror(audio: AudioBuffer, shape: &ItemShape, clipped: &mut u64) -> Result<RuntimeData> {
    let Some((dtype, order, one_axis)) = shape.array else { return Ok(audio.into()) };
    let (frames, channels) = (audio.frames(), usize::from(audio.channels()));
    if dtype == DType::F32 && order == ByteOrder::Native {
        // The same memory: the boundary hands it over as float32.
        return Ok(RuntimeData::Audio(audio));
    }
    let mut bytes = Vec::new();
    *clipped += write_samples(audio.samples(), dtype, order, &mut bytes)?;
    let axes = if channels == 1 && one_axis { vec![frames] } else { vec![frames, channels] };
    Ok(RuntimeData::Numpy(NdArray {
        bytes: ArrayBytes::Owned(std::sync::Arc::new(bytes)),
        dtype,
        order,
        shape: axes,
        audio: None,
    }))
}
