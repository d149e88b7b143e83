//! What Python objects own of ours, by number. The object is made first, with a number that was never used, then what it
//! owns is put here: so there is no moment at which something is owned by nobody.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::raw::{Memory, release};
use super::wire::Buffers;
use crate::engine::Job;
use crate::error::{Error, ErrorKind, Result};
use crate::fork::PerProcess;

/// A run under way, and the buffers that its results name.
#[derive(Clone)]
pub(super) struct Run {
    pub(super) job: Job,
    pub(super) buffers: Arc<Mutex<Buffers>>,
}

enum Owned {
    Run(Run),
    /// What an answer names.
    Buffers(Buffers),
    #[allow(dead_code)] // Held only to be freed.
    Memory(Memory),
}

static OWNED: PerProcess<Mutex<HashMap<u64, Owned>>> = PerProcess::new();

fn all() -> MutexGuard<'static, HashMap<u64, Owned>> {
    OWNED.get().lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives a run to the owner of a number.
pub(super) fn put_run(number: u64, job: Job) {
    all().insert(number, Owned::Run(Run { job, buffers: Arc::default() }));
}

/// Gives memory to the owner of a number. Says where it is.
pub(super) fn put_memory(number: u64, memory: Memory) -> u64 {
    let address = memory.address();
    all().insert(number, Owned::Memory(memory));
    address
}

/// Gives the buffers that an answer names to the owner of a number.
pub(super) fn put_buffers(number: u64, buffers: Buffers) {
    all().insert(number, Owned::Buffers(buffers));
}

/// Takes a buffer of an answer out.
///
/// # Errors
/// `Internal` when there is none.
pub(super) fn take_buffer(number: u64, index: i32) -> Result<Memory> {
    match all().get_mut(&number) {
        Some(Owned::Buffers(buffers)) => super::wire::take_out(buffers, index),
        _ => Err(Error::new(ErrorKind::Internal, format!("there is no answer {number}"))),
    }
}

/// The run of a number.
///
/// # Errors
/// `Internal` when there is none.
pub(super) fn run(number: u64) -> Result<Run> {
    match all().get(&number) {
        Some(Owned::Run(run)) => Ok(run.clone()),
        _ => Err(Error::new(ErrorKind::Internal, format!("there is no run {number}"))),
    }
}

/// How many numbers own something now.
#[uniffi::export]
pub fn raw_owned() -> u64 {
    all().len() as u64
}

/// Frees what the owner of a number had. Says whether there was something.
pub(super) fn end(number: u64) -> bool {
    // Freed when the lock is open again.
    let owned = all().remove(&number);
    owned.is_some()
}

/// The same for a run. One that never began has taken no memory: what was lent for it is given back here.
pub(super) fn end_run(number: u64) {
    if !end(number) {
        release(number);
    }
}
