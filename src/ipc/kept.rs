//! Descriptors that are still ours. A host may close all that it has, as programs do that go into the background, and get the
//! same numbers for files of its own: those are neither read nor closed by us.

use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd as _, IntoRawFd};

use super::os;

/// Something with a descriptor, and which file that was of.
#[derive(Debug)]
pub struct Kept<T: AsFd + IntoRawFd> {
    thing: Option<T>,
    file: Option<(u64, u64)>,
}

impl<T: AsFd + IntoRawFd> Kept<T> {
    /// It is ours now.
    pub fn new(thing: T) -> Self {
        let file = os::file_of(thing.as_fd().as_raw_fd());
        Self { thing: Some(thing), file }
    }

    fn is_ours(&self) -> bool {
        let now = self.thing.as_ref().and_then(|thing| os::file_of(thing.as_fd().as_raw_fd()));
        now.is_some() && now == self.file
    }
}

impl<T: AsFd + IntoRawFd + Read> Read for Kept<T> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        if !self.is_ours() {
            return Ok(0);
        }
        self.thing.as_mut().map_or(Ok(0), |thing| thing.read(target))
    }
}

impl<T: AsFd + IntoRawFd> Drop for Kept<T> {
    fn drop(&mut self) {
        if !self.is_ours()
            && let Some(thing) = self.thing.take()
        {
            // Closing it is for whoever has it now.
            let _ = thing.into_raw_fd();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn another_file_than_it_was_is_neither_read_nor_closed() {
        let mut kept = Kept::new(File::open("/dev/zero").unwrap());
        assert_eq!(kept.read(&mut [0; 2]).unwrap(), 2);
        // As when the host has closed it, and got the number for a file of its own.
        kept.file = os::file_of(File::open("/dev/null").unwrap().as_raw_fd());
        assert_eq!(kept.read(&mut [0; 2]).unwrap(), 0);
        let number = kept.thing.as_ref().unwrap().as_raw_fd();
        drop(kept);
        assert!(os::file_of(number).is_some(), "it is open still");
    }
}
