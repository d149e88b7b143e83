//! Many sessions over one graph, driven by one caller: a frame for each, and everything that came out.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::idle::Idle;
use super::session::{Session, SessionOptions, SessionOutput};
use crate::data::{AudioBuffer, AudioFormat, NdArray, Pool, RuntimeData, read_samples};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Graph;

/// How many results may wait for each stream.
const WAITING: usize = 64;

/// Sessions by number. Plans of nodes are made once for each; threads, none.
#[derive(Debug)]
pub struct Group {
    sessions: Vec<Session>,
    pool: Pool,
    results: Mutex<VecDeque<(usize, SessionOutput)>>,
}

impl Group {
    /// Opens `streams` sessions.
    ///
    /// # Errors
    /// As a session.
    pub fn new(graph: &Arc<Graph>, idle: &Arc<Idle>, options: &SessionOptions, streams: usize) -> Result<Self> {
        let sessions = (0..streams).map(|_| Session::new(graph, idle, options.clone())).collect::<Result<_>>()?;
        Ok(Self { sessions, pool: Pool::default(), results: Mutex::default() })
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// The session of a stream.
    ///
    /// # Errors
    /// `InputValue` for a number that there is not.
    pub fn session(&self, stream: usize) -> Result<&Session> {
        self.sessions.get(stream).ok_or_else(|| {
            let last = self.sessions.len().saturating_sub(1);
            Error::new(ErrorKind::InputValue, format!("stream is {stream}, expected 0 to {last}"))
        })
    }

    /// Feeds an item to a stream; what comes of it waits for [`take`](Self::take).
    ///
    /// # Errors
    /// As [`Session::feed`], with the number of the stream; `Full` when too many results wait.
    pub fn feed(&self, stream: usize, item: RuntimeData) -> Result<()> {
        let session = self.session(stream)?;
        let mut results = self.waiting();
        if results.len() >= WAITING * self.sessions.len() {
            let text = format!("{} results wait, expected less than {WAITING} a stream", results.len());
            return Err(Error::new(ErrorKind::Full, text).hint("take them with next_many()"));
        }
        let sink = &mut |result, packet| results.push_back((stream, SessionOutput { result, packet, dropped: 0 }));
        session.feed_with(item, None, None, sink).map_err(|error| of_stream(error, stream))
    }

    /// Feeds row `i` of an array of shape `(streams, frames)` or `(streams, frames, channels)` to stream `i`. A stream
    /// that fails does not keep the others from theirs.
    ///
    /// # Errors
    /// `Format` for another shape; the first failure of a stream, after all were served.
    pub fn feed_rows(&self, array: &NdArray, sample_rate_hz: u32) -> Result<()> {
        let (frames, channels) = match array.shape[..] {
            [streams, frames] if streams == self.len() => (frames, 1),
            [streams, frames, channels] if streams == self.len() => (frames, channels),
            _ => {
                let shape = format!("{:?}", array.shape).replace('[', "(").replace(']', ")");
                let expected = format!("({0}, frames) or ({0}, frames, channels)", self.len());
                let text = format!("the frames have shape {shape}, expected {expected}");
                return Err(Error::new(ErrorKind::Format, text).code_of("RM0206"));
            }
        };
        let format = AudioFormat::new(sample_rate_hz, u16::try_from(channels).unwrap_or(u16::MAX))?;
        let mut failed = None;
        for stream in 0..self.len() {
            let mut samples = self.pool.samples(frames * channels)?;
            read_samples(array, stream * frames * channels, samples.make_mut()?)?;
            if let Err(error) = self.feed(stream, AudioBuffer::new(samples, format)?.into()) {
                failed.get_or_insert(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Ends a stream: what it held back waits for [`take`](Self::take).
    ///
    /// # Errors
    /// As [`Session::flush`].
    pub fn flush(&self, stream: usize) -> Result<()> {
        let session = self.session(stream)?;
        let mut results = self.waiting();
        let sink = &mut |result, packet| results.push_back((stream, SessionOutput { result, packet, dropped: 0 }));
        session.flush_with(sink).map_err(|error| of_stream(error, stream))
    }

    /// Throws away what a stream holds, and its results that wait.
    ///
    /// # Errors
    /// `InputValue` for a number that there is not.
    pub fn interrupt(&self, stream: usize) -> Result<u32> {
        let generation = self.session(stream)?.interrupt();
        self.waiting().retain(|(of, _)| *of != stream);
        Ok(generation)
    }

    /// Takes results, at most `most`, with the numbers of their streams.
    pub fn take(&self, most: usize) -> Vec<(usize, SessionOutput)> {
        let mut results = self.waiting();
        let count = most.min(results.len());
        results.drain(..count).collect()
    }

    /// Ends every session.
    pub fn shutdown(&self) {
        self.sessions.iter().for_each(Session::shutdown);
        self.waiting().clear();
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<(usize, SessionOutput)>> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of_stream(error: Error, stream: usize) -> Error {
    let mut named = Error::new(error.kind(), format!("stream {stream}: {}", error.message())).code_of(error.code());
    if let Some(node) = error.node() {
        named = named.at_node(node);
    }
    if let Some(fix) = error.fix() {
        named = named.hint(fix);
    }
    named
}
