//! Where a processor puts what it makes.

use crate::data::{AudioBuffer, AudioFormat, Packet, Pool, Samples};
use crate::error::{Error, Result};

use super::PortId;

/// Packets on their way out of one call, and the memory to make them from.
#[derive(Debug)]
pub struct Out {
    packets: Vec<(PortId, Packet)>,
    pool: Pool,
    /// A bit for each port that somebody listens to.
    wanted: u64,
    /// Packets that gave nothing because they were lost.
    skipped: u64,
    failed: Vec<Error>,
}

impl Default for Out {
    fn default() -> Self {
        Self::new(Pool::default())
    }
}

impl Out {
    /// An empty one over a session's pool.
    pub fn new(pool: Pool) -> Self {
        Self { packets: Vec::new(), pool, wanted: u64::MAX, skipped: 0, failed: Vec::new() }
    }

    /// Whether anybody listens to a port. What a port would give need not be made when nobody does.
    pub fn wants(&self, port: PortId) -> bool {
        self.wanted >> u32::from(port.0).min(63) & 1 == 1
    }

    /// Says which ports are listened to: a bit each.
    pub(crate) fn listen(&mut self, wanted: u64) {
        self.wanted = wanted;
    }

    /// Puts a packet out on a port.
    pub fn emit(&mut self, port: PortId, packet: Packet) {
        self.packets.push((port, packet));
    }

    /// Says that so many packets were lost: they are counted.
    pub fn skipped(&mut self, packets: u64) {
        self.skipped += packets;
    }

    /// Says that an earlier packet has failed: what this call is about goes on. The error names its item.
    pub fn fail(&mut self, error: Error) {
        self.failed.push(error);
    }

    /// Takes the failures of earlier packets.
    pub fn take_failed(&mut self) -> Vec<Error> {
        std::mem::take(&mut self.failed)
    }

    /// Takes how many were lost.
    pub(crate) fn take_skipped(&mut self) -> u64 {
        std::mem::take(&mut self.skipped)
    }

    /// Memory for `len` samples. Write all of them: they hold whatever was there before.
    ///
    /// # Errors
    /// When there is no memory for them.
    pub fn samples(&self, len: usize) -> Result<Samples> {
        self.pool.samples(len)
    }

    /// Audio of `frames` frames whose samples are still to be written.
    ///
    /// # Errors
    /// When there is no memory for them.
    pub fn audio(&self, format: AudioFormat, frames: usize) -> Result<AudioBuffer> {
        AudioBuffer::new(self.pool.samples(frames.saturating_mul(format.channels().into()))?, format)
    }

    /// Takes the list of what was put out. Give it back empty with [`refill`](Self::refill), so that it is used again.
    pub(crate) fn take(&mut self) -> Vec<(PortId, Packet)> {
        std::mem::take(&mut self.packets)
    }

    /// Takes an empty list for what will be put out.
    pub(crate) fn refill(&mut self, packets: Vec<(PortId, Packet)>) {
        self.packets = packets;
    }

    /// Takes what was put out, in order.
    pub fn drain(&mut self) -> impl Iterator<Item = (PortId, Packet)> + '_ {
        self.packets.drain(..)
    }
}
