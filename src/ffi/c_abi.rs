//! Plain calls of the Python package whose answer is one bytes object: see [`interpreter`](super::interpreter).
#![allow(unsafe_code)]

use super::feed::Time;
use super::group::RawGroup;
use super::interpreter::{Object, answer, guarded};
use super::live::LiveStream;
use super::owned;
use super::pipeline::Pipeline;
use super::session::Session;

/// The object behind a handle.
///
/// # Safety
/// `handle` is what `raw_handle` gave, and the object is alive as long as the result is used.
unsafe fn object<'a, T>(handle: u64) -> crate::error::Result<&'a T> {
    let object = std::ptr::with_exposed_provenance::<T>(usize::try_from(handle).unwrap_or(0));
    // SAFETY: the caller's promise. Nothing borrows these objects mutably: all that changes in them is behind locks.
    unsafe { object.as_ref() }
        .ok_or_else(|| crate::error::Error::new(crate::error::ErrorKind::Internal, "the handle is 0"))
}

/// The records of a call.
///
/// # Safety
/// There are `len` bytes at `batch`, unless it is null, and nobody writes to them as long as the result is used.
unsafe fn records<'a>(batch: *const u8, len: u64) -> &'a [u8] {
    let len = usize::try_from(len).unwrap_or(0);
    // SAFETY: the caller's promise; null is refused.
    if batch.is_null() || len > isize::MAX as usize { &[] } else { unsafe { std::slice::from_raw_parts(batch, len) } }
}

/// Runs a batch on this thread if it is short; a single byte 9 if it is not, and nothing was done. `options`: 1 lenient,
/// 2 metrics.
///
/// # Safety
/// `pipeline` is a handle; `batch` and what its records name are there until this returns. ctypes calls this, with the
/// interpreter's lock held.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remotemedia_run(pipeline: u64, batch: *const u8, len: u64, options: u64) -> Object {
    // SAFETY: the caller's promise.
    let (pipeline, records) = unsafe { (object::<Pipeline>(pipeline), records(batch, len)) };
    answer(|| pipeline?.try_run(records, options))
}

/// Starts a batch on a compute thread, as the run of `owner`. 0: started; -1: it failed.
///
/// # Safety
/// As for [`remotemedia_run`], without the lock; what the records name is there until the run's number is released.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remotemedia_run_start(
    pipeline: u64,
    batch: *const u8,
    len: u64,
    options: u64,
    timeout_ms: u64,
    owner: u64,
) -> i64 {
    // SAFETY: the caller's promise.
    let (pipeline, records) = unsafe { (object::<Pipeline>(pipeline), records(batch, len)) };
    guarded(|| pipeline?.start_run(records, options, timeout_ms, owner)).map_or(-1, |()| 0)
}

/// The results of the run of `owner`, once.
///
/// # Safety
/// ctypes calls this, with the interpreter's lock held.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remotemedia_run_take(owner: u64) -> Object {
    answer(|| super::batch::take(&owned::run(owner)?))
}

/// Takes one item and gives what comes out. `to`: the position among the sources, or -1 for all; `den` of 0: it follows
/// the item before.
///
/// # Safety
/// As for [`remotemedia_run`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remotemedia_session_feed(
    session: u64,
    batch: *const u8,
    len: u64,
    to: i64,
    ticks: i64,
    den: i64,
) -> Object {
    // SAFETY: the caller's promise.
    let (session, records) = unsafe { (object::<Session>(session), records(batch, len)) };
    answer(|| session?.feed_records(records, to, Time { ticks, den }))
}

/// Ends the stream. `dtype`, `one_axis`: of the bare arrays that went in; -1 for none.
///
/// # Safety
/// As for [`remotemedia_run`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remotemedia_session_flush(session: u64, dtype: i64, one_axis: i64) -> Object {
    // SAFETY: the caller's promise.
    let session = unsafe { object::<Session>(session) };
    answer(|| session?.flush_records(dtype, one_axis != 0))
}

/// Results that are ready, at most `most`. `dtype`, `one_axis` as for a flush; `owner` owns the buffers of long ones.
///
/// # Safety
/// As for [`remotemedia_run`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remotemedia_live_take(live: u64, most: u64, dtype: i64, one_axis: i64, owner: u64) -> Object {
    // SAFETY: the caller's promise.
    let live = unsafe { object::<LiveStream>(live) };
    answer(|| live?.take_records(usize::try_from(most).unwrap_or(1), dtype, one_axis != 0, owner))
}

/// The same for the results of many sessions.
///
/// # Safety
/// As for [`remotemedia_run`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remotemedia_group_take(group: u64, most: u64, dtype: i64, one_axis: i64) -> Object {
    // SAFETY: the caller's promise.
    let group = unsafe { object::<RawGroup>(group) };
    answer(|| group?.take_records(usize::try_from(most).unwrap_or(0), dtype, one_axis != 0))
}
