//! Memory for large results.
#![allow(unsafe_code)]

use std::sync::Mutex;

use crate::error::{Error, ErrorKind, Result};

/// From this size on, memory is asked for in large pages, and kept.
const LARGE_BYTES: usize = 1 << 20;

/// The most that is asked for all at once: the system does it in one go, and nothing can stop it meanwhile.
#[cfg(target_os = "linux")]
const POPULATED_BYTES: usize = 512 << 20;

/// Freed memory that is kept for the next large result, at most.
const KEPT_BYTES: usize = 64 << 20;
/// Pieces of it, at most.
const KEPT: usize = 2;

type Spare<T> = Mutex<Vec<Vec<T>>>;

/// What large results are made of: samples, and bytes of pictures and arrays.
pub(crate) trait Kept: Sized + 'static {
    /// Memory that waits to be used again.
    fn spare() -> &'static Spare<Self>;
}

impl Kept for f32 {
    fn spare() -> &'static Spare<Self> {
        static SPARE: Spare<f32> = Mutex::new(Vec::new());
        &SPARE
    }
}

impl Kept for u8 {
    fn spare() -> &'static Spare<Self> {
        static SPARE: Spare<u8> = Mutex::new(Vec::new());
        &SPARE
    }
}

/// Takes the memory of a result that nobody needs any more: the next one of about that size gets it, without the time
/// that the system takes for new pages.
pub(crate) fn keep_room<T: Kept>(memory: Vec<T>) {
    let bytes = |memory: &Vec<T>| memory.capacity() * size_of::<T>();
    if bytes(&memory) < LARGE_BYTES {
        return;
    }
    // Never waits: a forked child may find the lock taken for ever.
    let Ok(mut spare) = T::spare().try_lock() else { return };
    spare.push(memory);
    while spare.len() > KEPT || spare.iter().map(bytes).sum::<usize>() > KEPT_BYTES {
        drop(spare.remove(0));
    }
}

/// Kept memory for `count` values, no more than twice as large.
fn spare<T: Kept>(count: usize) -> Option<Vec<T>> {
    let mut spare = T::spare().try_lock().ok()?;
    let fits = |memory: &Vec<T>| (count..=2 * count).contains(&memory.capacity());
    let at = spare.iter().rposition(fits)?;
    let mut memory = spare.remove(at);
    memory.clear();
    Some(memory)
}

/// The error of memory that cannot be had.
pub(crate) fn no_memory(bytes: usize) -> Error {
    let size = if bytes >> 20 > 0 { format!("{} MiB", bytes >> 20) } else { format!("{bytes} bytes") };
    Error::new(ErrorKind::InputValue, format!("there is no memory for the {size} that are needed at once"))
        .code_of("RM0320")
        .hint("give it less at a time, such as frame by frame in a session")
}

/// Makes room for `more` values, as if by pushing them one by one.
///
/// # Errors
/// When there is no memory for them.
pub(crate) fn make_room<T>(memory: &mut Vec<T>, more: usize) -> Result<()> {
    memory.try_reserve(more).map_err(|_| no_memory(memory.len().saturating_add(more).saturating_mul(size_of::<T>())))
}

/// An empty vector with room for `count` values, as it comes.
///
/// # Errors
/// When there is no memory for them.
pub(crate) fn room_for<T>(count: usize) -> Result<Vec<T>> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(count).map_err(|_| no_memory(count.saturating_mul(size_of::<T>())))?;
    Ok(memory)
}

/// So many zeros.
///
/// # Errors
/// When there is no memory for them.
pub(crate) fn zeros<T: Clone + Default>(count: usize) -> Result<Vec<T>> {
    let mut memory: Vec<T> = room_for(count)?;
    memory.resize(count, T::default());
    Ok(memory)
}

/// An empty vector with room for `count` values. Large ones get large pages where the system has them, and all of them
/// at once, up to half a gigabyte: page by page, when each is first written to, that takes as long as resampling what comes in.
///
/// # Errors
/// When there is no memory for them.
pub(crate) fn with_room<T: Kept>(count: usize) -> Result<Vec<T>> {
    let large = count >= LARGE_BYTES / size_of::<T>();
    if large && let Some(memory) = spare(count) {
        return Ok(memory);
    }
    #[cfg_attr(not(target_os = "linux"), expect(unused_mut, reason = "only Linux is advised"))]
    let mut memory: Vec<T> = room_for(count)?;
    #[cfg(target_os = "linux")]
    if large && count <= POPULATED_BYTES / size_of::<T>() {
        large_pages(&mut memory);
    }
    Ok(memory)
}

/// A copy of values, in memory like that of [`with_room`].
///
/// # Errors
/// As [`with_room`].
pub(crate) fn copy_of<T: Kept + Copy>(values: &[T]) -> Result<Vec<T>> {
    let mut copy = with_room(values.len())?;
    copy.extend_from_slice(values);
    Ok(copy)
}

#[cfg(target_os = "linux")]
fn large_pages<T>(memory: &mut Vec<T>) {
    const PAGE: usize = 4 << 10;
    let room = memory.spare_capacity_mut();
    let skip = room.as_ptr().addr().wrapping_neg() % PAGE / size_of::<T>();
    let Some(whole) = room.get_mut(skip..) else { return };
    let bytes = size_of_val(whole) / PAGE * PAGE;
    for advice in [libc::MADV_HUGEPAGE, libc::MADV_POPULATE_WRITE] {
        // SAFETY: the range is inside of memory that is ours alone, and begins on a page. The advice changes how the
        // system backs it, and when, and nothing that can be seen in it; a system that refuses it leaves all as it was.
        unsafe { libc::madvise(whole.as_mut_ptr().cast(), bytes, advice) };
    }
}
