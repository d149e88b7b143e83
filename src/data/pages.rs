//! Memory for large results.
#![allow(unsafe_code)]

use std::sync::Mutex;

/// From this size on, memory is asked for in large pages, and kept.
const LARGE_BYTES: usize = 1 << 20;

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

/// An empty vector with room for `count` values. Large ones get large pages where the system has them, and all of them
/// at once: page by page, when each is first written to, that takes as long as resampling what comes in.
pub(crate) fn with_room<T: Kept>(count: usize) -> Vec<T> {
    let large = count >= LARGE_BYTES / size_of::<T>();
    if large && let Some(memory) = spare(count) {
        return memory;
    }
    let mut memory: Vec<T> = Vec::new();
    memory.reserve_exact(count);
    #[cfg(target_os = "linux")]
    if large {
        large_pages(&mut memory);
    }
    memory
}

/// A copy of bytes, in memory like that of [`with_room`].
pub(crate) fn copy_of(bytes: &[u8]) -> Vec<u8> {
    let mut copy = with_room(bytes.len());
    copy.extend_from_slice(bytes);
    copy
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
