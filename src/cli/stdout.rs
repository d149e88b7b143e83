//! Standard output, with its failures.

use std::fs::File;
use std::io::{Error, ErrorKind, Result, Write as _};

/// Writes to standard output. A reader that has gone, such as `head`, is no failure.
///
/// # Errors
/// Whatever else the system says: that the disk is full, that it is closed.
pub(super) fn write(bytes: &[u8]) -> Result<()> {
    // `std::io::stdout` would take everything for a closed one, and say that all is well.
    match open().and_then(|mut out| out.write_all(bytes)) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

/// What failed, with the name that people know it by.
pub(super) fn failed(error: &Error) -> String {
    format!("standard output cannot be written: {error}")
}

#[cfg(unix)]
fn open() -> Result<File> {
    use std::os::fd::AsFd as _;
    Ok(File::from(std::io::stdout().as_fd().try_clone_to_owned()?))
}

#[cfg(windows)]
fn open() -> Result<File> {
    use std::os::windows::io::AsHandle as _;
    Ok(File::from(std::io::stdout().as_handle().try_clone_to_owned()?))
}
