//! Where long frames lie: a file for each that may be under way, made longer when a longer frame comes.
//!
//! iceoryx2 carries short frames, and of a long one where it lies. Whose a slot is follows from that: it is the sender's
//! again when the message is.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::memory::{self, Mapping};
use crate::error::{Error, ErrorKind, Result};

/// What is sent of a long frame: its slot, and its length.
pub const PLACE: usize = 16;

/// Slots grow by eighths of a power of two, and by at least so much.
const LEAST_STEP: usize = 64 << 10;

/// The slots of one direction.
#[derive(Debug)]
pub struct Slots {
    /// What the files are called, before their number.
    base: String,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The slot of each message that was sent with one, by its address: when a message has come back, so has the slot.
    taken: HashMap<usize, u64>,
    /// Free ones; the last one was used last.
    free: Vec<u64>,
    count: u64,
    mapped: HashMap<u64, Arc<Mapping>>,
}

impl Slots {
    /// None are made before one is needed.
    pub fn new(folder: &str, name: &str) -> Self {
        Self { base: format!("{folder}/frames-{name}-"), inner: Mutex::default() }
    }

    fn path(&self, slot: u64) -> PathBuf {
        PathBuf::from(format!("{}{slot}", self.base))
    }

    /// A slot for a frame, for a message at an address, which was the receiver's until now.
    ///
    /// # Errors
    /// `Io` when there is not so much shared memory.
    pub fn take(&self, message: usize, len: usize) -> Result<(u64, Arc<Mapping>)> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.give_back(message);
        let slot = inner.free.pop().unwrap_or_else(|| {
            inner.count += 1;
            inner.count - 1
        });
        match self.mapped(&mut inner, slot, len) {
            Ok(mapping) => {
                inner.taken.insert(message, slot);
                Ok((slot, mapping))
            }
            Err(error) => {
                inner.free.push(slot);
                Err(error)
            }
        }
    }

    /// A message at an address is used without a slot.
    pub fn give_back(&self, message: usize) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).give_back(message);
    }

    fn mapped(&self, inner: &mut Inner, slot: u64, len: usize) -> Result<Arc<Mapping>> {
        if let Some(mapping) = inner.mapped.get(&slot).filter(|mapping| mapping.len() >= len) {
            return Ok(mapping.clone());
        }
        let path = self.path(slot);
        let grow = |len| {
            let file = match OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOFOLLOW).open(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => memory::create(&path),
                file => file,
            }?;
            memory::reserve(&file, len)?;
            Mapping::of(&file, len, true)
        };
        let step = (len.next_power_of_two() / 8).max(LEAST_STEP);
        // If there is not so much for the next one, then as much as is needed.
        let mapping = grow(len.next_multiple_of(step)).or_else(|_| grow(len.next_multiple_of(4_096)));
        let mapping = Arc::new(mapping.map_err(|error| memory::refused(&path, len, &error))?);
        inner.mapped.insert(slot, mapping.clone());
        Ok(mapping)
    }

    /// Where a frame lies that the other side has put into a slot.
    ///
    /// # Errors
    /// `Internal` when it is not as long as the other side says; `Io`.
    pub fn find(&self, slot: u64, len: usize) -> Result<Arc<Mapping>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mapping) = inner.mapped.get(&slot).filter(|mapping| mapping.len() >= len) {
            return Ok(mapping.clone());
        }
        let path = self.path(slot);
        let mapping = Mapping::open(&path, false).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::InvalidInput => malformed(slot, len),
            _ => memory::refused(&path, len, &error),
        })?;
        if mapping.len() < len {
            return Err(malformed(slot, len));
        }
        let mapping = Arc::new(mapping);
        inner.mapped.insert(slot, mapping.clone());
        Ok(mapping)
    }
}

impl Inner {
    fn give_back(&mut self, message: usize) {
        if let Some(slot) = self.taken.remove(&message) {
            self.free.push(slot);
        }
    }
}

fn malformed(slot: u64, len: usize) -> Error {
    let text = format!("a malformed frame: it says that {len} bytes are in slot {slot}, and they are not");
    Error::new(ErrorKind::Internal, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_used_again_when_its_message_is_and_grows_with_its_frames() {
        let folder = format!("{}/rm_test_{}_slots", memory::FOLDER, std::process::id());
        std::fs::create_dir(&folder).unwrap();
        let (ours, theirs) = (Slots::new(&folder, "in"), Slots::new(&folder, "in"));
        let (a, mapping) = ours.take(100, 10_000).unwrap();
        assert_eq!(mapping.len(), LEAST_STEP);
        let (b, _) = ours.take(200, 10_000).unwrap();
        assert_ne!(a, b);
        // The message at 100 has come back: so has its slot. A longer frame makes it longer.
        let (again, longer) = ours.take(100, 5_000_000).unwrap();
        assert_eq!((again, longer.len()), (a, 5 << 20));
        assert_eq!(theirs.find(a, 5_000_000).unwrap().len(), 5 << 20);
        // A message without one gives it back, too.
        ours.give_back(200);
        assert_eq!(ours.take(300, 1).unwrap().0, b);
        // What the other side says is not believed.
        for (slot, len) in [(a, (5 << 20) + 1), (2, 1), (u64::MAX, 1)] {
            assert_eq!(theirs.find(slot, len).unwrap_err().kind(), ErrorKind::Internal);
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
