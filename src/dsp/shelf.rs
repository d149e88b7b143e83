//! FFT resamplers that streams share. Their plans, filters and work memory are large; what one stream leaves behind in
//! them is small: it follows from the stream's last block alone.
//!
//! A block goes through whichever resampler is free. If that one has another stream's state, it is reset and given the
//! stream's last block again, whose output is thrown away: then its state is the right one, bit by bit. A stream on its
//! own finds its own state every time and pays nothing for that.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler, Sample, WindowFunction};

/// Resamplers kept for one conversion: no more threads work at a time.
const KEPT: usize = 16;
/// Conversions kept that no stream uses.
const KEPT_CONVERSIONS: usize = 32;

/// A conversion: rates, channels, block.
pub(crate) type Conversion = (u32, u32, usize, usize);

/// Shelves by conversion.
pub(crate) type Shelves<T> = Mutex<HashMap<Conversion, Arc<Shelf<T>>>>;

/// Where a stream stands: its number, and how many blocks it has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    stream: u64,
    blocks: u64,
}

impl Place {
    /// The start of another stream.
    pub(super) fn new() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self { stream: LAST.fetch_add(1, Ordering::Relaxed), blocks: 0 }
    }

    fn next(self) -> Self {
        Self { blocks: self.blocks + 1, ..self }
    }
}

struct Engine<T: Sample> {
    inner: Box<dyn Resampler<T>>,
    /// Whose state it has.
    at: Option<Place>,
    scratch: Vec<T>,
}

/// The resamplers of one conversion.
pub(crate) struct Shelf<T: Sample> {
    conversion: Conversion,
    engines: Mutex<Vec<Engine<T>>>,
    /// Most frames of a block of output, and the delay in frames of the output.
    pub(super) block_out: usize,
    pub(super) delay: usize,
}

/// Never waits for ever: a forked child may find the lock taken by a thread that it does not have.
fn try_for_a_while<T>(lock: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    for _ in 0..1_000 {
        match lock.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(guard)) => return Some(guard.into_inner()),
            Err(TryLockError::WouldBlock) => std::hint::spin_loop(),
        }
    }
    None
}

impl<T: Sample> Shelf<T> {
    /// The shelf of a conversion; a new one if there is none.
    pub(super) fn of(shelves: &Shelves<T>, conversion: Conversion) -> Result<Arc<Self>, String> {
        let Some(mut shelves) = try_for_a_while(shelves) else { return Self::build(conversion).map(Arc::new) };
        if let Some(shelf) = shelves.get(&conversion) {
            return Ok(shelf.clone());
        }
        if shelves.len() >= KEPT_CONVERSIONS {
            shelves.retain(|_, shelf| Arc::strong_count(shelf) > 1);
        }
        let shelf = Arc::new(Self::build(conversion)?);
        shelves.insert(conversion, shelf.clone());
        Ok(shelf)
    }

    fn build(conversion: Conversion) -> Result<Self, String> {
        let engine = Self::engine(conversion)?;
        let (block_out, delay) = (engine.inner.output_frames_max(), engine.inner.output_delay());
        Ok(Self { conversion, engines: Mutex::new(vec![engine]), block_out, delay })
    }

    fn engine((from_hz, to_hz, channels, block_in): Conversion) -> Result<Engine<T>, String> {
        let window = WindowFunction::BlackmanHarris2;
        let (from, to) = (from_hz as usize, to_hz as usize);
        let inner = Fft::<T>::new_custom(from, to, block_in, 1, channels, window, FixedSync::Input);
        let inner = Box::new(inner.map_err(|error| error.to_string())?);
        let scratch = vec![T::zero(); inner.output_frames_max() * channels];
        Ok(Engine { inner, at: None, scratch })
    }

    /// A free resampler: that of the stream if there is one.
    fn take(&self, place: Place) -> Result<Engine<T>, String> {
        let free = try_for_a_while(&self.engines).and_then(|mut engines| {
            let own = engines.iter().position(|engine| engine.at == Some(place));
            own.or(engines.len().checked_sub(1)).map(|index| engines.swap_remove(index))
        });
        free.map_or_else(|| Self::engine(self.conversion), Ok)
    }

    /// Resamples a block of a stream whose last one was `previous` (empty: this is the first). `out` has room for
    /// [`block_out`](Self::block_out) frames, or is left out: then `rest` gets what it would have got. Gives the number
    /// of frames.
    pub(super) fn run(
        &self,
        place: &mut Place,
        previous: &[T],
        block: &[T],
        out: Option<&mut [T]>,
        rest: impl FnOnce(&[T]),
    ) -> Result<usize, String> {
        let mut engine = self.take(*place)?;
        if engine.at != Some(*place) {
            engine.inner.reset();
            if !previous.is_empty() {
                self.block(&mut engine, previous, None)?;
            }
        }
        let direct = out.is_some();
        let frames = self.block(&mut engine, block, out)?;
        if !direct {
            rest(&engine.scratch[..frames * self.conversion.2]);
        }
        *place = place.next();
        engine.at = Some(*place);
        if let Some(mut engines) = try_for_a_while(&self.engines)
            && engines.len() < KEPT
        {
            engines.push(engine);
        }
        Ok(frames)
    }

    fn block(&self, engine: &mut Engine<T>, block: &[T], out: Option<&mut [T]>) -> Result<usize, String> {
        let (_, _, channels, block_in) = self.conversion;
        let input = InterleavedSlice::new(block, channels, block_in).map_err(|error| error.to_string())?;
        let target = out.unwrap_or(&mut engine.scratch);
        let mut output = InterleavedSlice::new_mut(target, channels, self.block_out).map_err(|e| e.to_string())?;
        let done = engine.inner.process_into_buffer(&input, &mut output, None);
        done.map(|(_, frames)| frames).map_err(|error| error.to_string())
    }
}
