//! Shared f32 samples: cheap to clone and to cut, written in place when nobody else looks.

use std::ops::Deref;
use std::sync::Arc;

use super::copy_of;
use super::pool::{Block, give_back};
use crate::error::Result;

/// A run of f32 samples inside a shared block.
#[derive(Debug)]
pub struct Samples {
    // `None` only while a value is being dropped or taken apart.
    block: Option<Arc<Block>>,
    start: usize,
    len: usize,
}

impl Samples {
    /// The first `len` samples of a block.
    pub(super) fn first(block: Arc<Block>, len: usize) -> Self {
        let len = len.min(block.values.len());
        Self { block: Some(block), start: 0, len }
    }

    /// The samples, for writing. Copies them first when they are shared.
    ///
    /// # Errors
    /// When there is no memory for the copy.
    pub fn make_mut(&mut self) -> Result<&mut [f32]> {
        let (start, len) = (self.start, self.len);
        let unique = self.block.as_mut().is_some_and(|block| Arc::get_mut(block).is_some());
        if !unique {
            let copy = self.block.as_ref().map(|block| block.another(len)).transpose()?;
            let mut copy = copy.unwrap_or_else(|| Self::from(Vec::new()));
            copy.make_mut_unique(0, len).copy_from_slice(self);
            *self = copy;
            return Ok(self.make_mut_unique(0, len));
        }
        Ok(self.make_mut_unique(start, len))
    }

    fn make_mut_unique(&mut self, start: usize, len: usize) -> &mut [f32] {
        match self.block.as_mut().and_then(Arc::get_mut) {
            Some(block) => &mut block.values[start..start + len],
            None => &mut [],
        }
    }

    /// Whether writing would not have to copy.
    pub fn is_unique(&mut self) -> bool {
        self.block.as_mut().is_some_and(|block| Arc::get_mut(block).is_some())
    }

    /// A part of the same memory. Panics when the range is outside of it.
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} is outside of {} samples", self.len);
        Self { block: self.block.clone(), start: self.start + range.start, len: range.len() }
    }

    /// Keeps the first `len` samples.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// The samples as a vector: moved out when unshared and whole, copied otherwise.
    ///
    /// # Errors
    /// When there is no memory for the copy.
    pub fn into_vec(mut self) -> Result<Vec<f32>> {
        if self.start == 0 {
            let len = self.len;
            if let Some(block) = self.block.as_mut().and_then(Arc::get_mut) {
                let mut values = std::mem::take(&mut block.values);
                values.truncate(len);
                return Ok(values);
            }
        }
        copy_of(&self)
    }
}

impl From<Vec<f32>> for Samples {
    fn from(values: Vec<f32>) -> Self {
        let len = values.len();
        Self::first(Arc::new(Block::owned(values)), len)
    }
}

impl Clone for Samples {
    fn clone(&self) -> Self {
        Self { block: self.block.clone(), start: self.start, len: self.len }
    }
}

impl Deref for Samples {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &self.block {
            Some(block) => &block.values[self.start..self.start + self.len],
            None => &[],
        }
    }
}

impl Drop for Samples {
    fn drop(&mut self) {
        if let Some(block) = self.block.take() {
            give_back(block);
        }
    }
}

impl PartialEq for Samples {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_to_a_shared_block_leaves_the_other_alone() {
        let mut left = Samples::from(vec![1.0, 2.0, 3.0]);
        let right = left.slice(1..3);
        left.make_mut().unwrap()[1] = 9.0;
        assert_eq!(&*left, &[1.0, 9.0, 3.0]);
        assert_eq!(&*right, &[2.0, 3.0]);
    }

    #[test]
    fn an_unshared_block_is_written_and_taken_in_place() {
        let mut samples = Samples::from(vec![1.0; 8]);
        let address = samples.as_ptr();
        samples.make_mut().unwrap()[0] = 2.0;
        assert_eq!(samples.as_ptr(), address);
        let vector = samples.into_vec().unwrap();
        assert_eq!(vector.as_ptr(), address);
    }
}
