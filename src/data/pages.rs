//! Memory for large results.
#![allow(unsafe_code)]

use std::sync::Mutex;

/// From this size on, memory is asked for in large pages, and kept.
const LARGE_BYTES: usize = 1 << 20;

/// Freed memory that is kept for the next large result, at most.
const KEPT_BYTES: usize = 64 << 20;
/// Pieces of it, at most.
const KEPT: usize = 2;

static SPARE: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

/// Takes the memory of a result that nobody needs any more: the next one of about that size gets it, without the time
/// that the system takes for new pages.
pub(crate) fn keep_room(memory: Vec<f32>) {
    let bytes = |memory: &Vec<f32>| memory.capacity() * size_of::<f32>();
    if bytes(&memory) < LARGE_BYTES {
        return;
    }
    // Never waits: a forked child may find the lock taken for ever.
    let Ok(mut spare) = SPARE.try_lock() else { return };
    spare.push(memory);
    while spare.len() > KEPT || spare.iter().map(bytes).sum::<usize>() > KEPT_BYTES {
        drop(spare.remove(0));
    }
}

/// Kept memory for `count` samples, no more than twice as large.
fn spare(count: usize) -> Option<Vec<f32>> {
    let mut spare = SPARE.try_lock().ok()?;
    let fits = |memory: &Vec<f32>| (count..=2 * count).contains(&memory.capacity());
    let at = spare.iter().rposition(fits)?;
    let mut memory = spare.remove(at);
    memory.clear();
    Some(memory)
}

/// An empty vector with room for `count` samples. Large ones get large pages where the system has them, and all of them
/// at once: page by page, when each is first written to, that takes as long as resampling what comes in.
pub(crate) fn with_room(count: usize) -> Vec<f32> {
    let large = count >= LARGE_BYTES / size_of::<f32>();
    if large && let Some(memory) = spare(count) {
        return memory;
    }
    let mut memory: Vec<f32> = Vec::new();
    memory.reserve_exact(count);
    #[cfg(target_os = "linux")]
    if large {
        large_pages(&mut memory);
    }
    memory
}

#[cfg(target_os = "linux")]
fn large_pages(memory: &mut Vec<f32>) {
    const PAGE: usize = 4 << 10;
    let room = memory.spare_capacity_mut();
    let skip = room.as_ptr().addr().wrapping_neg() % PAGE / size_of::<f32>();
    let Some(whole) = room.get_mut(skip..) else { return };
    let bytes = size_of_val(whole) / PAGE * PAGE;
    for advice in [libc::MADV_HUGEPAGE, libc::MADV_POPULATE_WRITE] {
        // SAFETY: the range is inside of memory that is ours alone, and begins on a page. The advice changes how the
        // system backs it, and when, and nothing that can be seen in it; a system that refuses it leaves all as it was.
        unsafe { libc::madvise(whole.as_mut_ptr().cast(), bytes, advice) };
    }
}
