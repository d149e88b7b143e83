//! Memory for large results.
#![allow(unsafe_code)]

/// From this size on, memory is asked for in large pages.
#[cfg(target_os = "linux")]
const LARGE_BYTES: usize = 2 << 20;

/// An empty vector with room for `count` samples. Large ones get large pages where the system has them: it fills every
/// page with zeros when it is first written to, and for a minute of audio that takes as long as resampling it.
pub(crate) fn with_room(count: usize) -> Vec<f32> {
    let mut memory: Vec<f32> = Vec::new();
    memory.reserve_exact(count);
    #[cfg(target_os = "linux")]
    if count * size_of::<f32>() >= LARGE_BYTES {
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
    // SAFETY: the range is inside of memory that is ours alone, and begins on a page. The advice changes how the system
    // backs it and nothing that can be seen in it; a system that refuses it leaves everything as it was.
    unsafe { libc::madvise(whole.as_mut_ptr().cast(), bytes, libc::MADV_HUGEPAGE) };
}
