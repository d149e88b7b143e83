//! Blocks of samples that are used again instead of freed.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{Samples, keep_room, make_room, zeros};
use crate::error::Result;

/// How many free blocks a pool keeps. More than a fused stage holds at once; the rest is freed.
const FREE_BLOCKS: usize = 16;

/// A block longer than this (4 MiB) does not stay in the pool.
const KEPT_SAMPLES: usize = 1 << 20;

/// Memory of one session. Cloning it shares it.
///
/// A block comes back when the last [`Samples`] over it is dropped, on whatever thread.
#[derive(Debug, Clone, Default)]
pub struct Pool {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
pub(super) struct Shared {
    free: Mutex<Vec<Arc<Block>>>,
}

/// Samples with the way back to their pool.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) values: Vec<f32>,
    home: Weak<Shared>,
}

impl Block {
    pub(super) fn owned(values: Vec<f32>) -> Self {
        Self { values, home: Weak::new() }
    }

    /// Memory for `len` samples from the pool that this block is of, as long as there is one.
    ///
    /// # Errors
    /// When there is no memory for them.
    pub(super) fn another(&self, len: usize) -> Result<Samples> {
        match self.home.upgrade() {
            Some(shared) => Pool { shared }.samples(len),
            None => Ok(Samples::from(zeros(len)?)),
        }
    }
}

impl Pool {
    /// A block of `len` samples. Their values are not defined beyond being valid numbers: write all of them.
    ///
    /// # Errors
    /// When there is no memory for them.
    pub fn samples(&self, len: usize) -> Result<Samples> {
        let mut free = self.shared.free.lock().unwrap_or_else(PoisonError::into_inner);
        let fit = free.iter().rposition(|block| block.values.capacity() >= len).or(free.len().checked_sub(1));
        let block = fit.map(|index| free.swap_remove(index));
        drop(free);
        let mut block =
            block.unwrap_or_else(|| Arc::new(Block { values: Vec::new(), home: Arc::downgrade(&self.shared) }));
        match Arc::get_mut(&mut block) {
            // Never made shorter: what is cut off would be filled with zeros when it is wanted again.
            Some(unique) if unique.values.len() < len => {
                let more = len - unique.values.len();
                make_room(&mut unique.values, more)?;
                unique.values.resize(len, 0.0);
            }
            Some(_) => {}
            // Unreachable while blocks enter the pool only when unique; a fresh one is right in any case.
            None => block = Arc::new(Block { values: zeros(len)?, home: Arc::downgrade(&self.shared) }),
        }
        Ok(Samples::first(block, len))
    }
}

/// Gives a block back to its pool, if it was the last reference and the pool still lives.
pub(super) fn give_back(mut block: Arc<Block>) {
    let Some(unique) = Arc::get_mut(&mut block) else { return };
    let Some(home) = unique.home.upgrade().filter(|_| unique.values.capacity() <= KEPT_SAMPLES) else {
        keep_room(std::mem::take(&mut unique.values));
        return;
    };
    let mut free = home.free.lock().unwrap_or_else(PoisonError::into_inner);
    if free.len() < FREE_BLOCKS {
        free.push(block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_block_is_used_again() {
        let pool = Pool::default();
        let first = pool.samples(960).unwrap();
        let address = first.as_ptr();
        drop(first);
        let second = pool.samples(480).unwrap();
        assert_eq!(second.as_ptr(), address);
    }

    #[test]
    fn a_shared_block_stays_out_until_the_last_reference_goes() {
        let pool = Pool::default();
        let first = pool.samples(960).unwrap();
        let second = first.clone();
        let address = first.as_ptr();
        drop(first);
        let third = pool.samples(960).unwrap();
        assert_ne!(third.as_ptr(), address);
        drop(second);
    }

    #[test]
    fn blocks_outlive_their_pool() {
        let pool = Pool::default();
        let samples = pool.samples(4).unwrap();
        drop(pool);
        assert_eq!(samples.len(), 4);
    }
}
