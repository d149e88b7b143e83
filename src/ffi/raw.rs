//! The only `unsafe` of the boundary: owned bytes without a loop per byte, and addresses of numpy arrays.
#![allow(unsafe_code)]

use uniffi::deps::bytes::Buf;

/// Owned bytes that cross the boundary with one copy. The other side sees plain bytes.
///
/// UniFFI copies a `Vec<u8>` byte by byte; this copies it at once. The wire form is the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob(pub Vec<u8>);

/// A blob's length is an i32 on the wire.
pub(super) const MAX_BLOB_BYTES: usize = i32::MAX as usize;

// SAFETY: `Lower` and `Lift` below write and read the same form: a big-endian i32 length, then as many bytes. They
// touch memory only through `Vec` and `&mut &[u8]`.
unsafe impl<UT> uniffi::Lower<UT> for Blob {
    type FfiType = uniffi::RustBuffer;

    fn write(blob: Self, buffer: &mut Vec<u8>) {
        // Every export that returns a blob checks the length first.
        let len = i32::try_from(blob.0.len()).expect("a blob of more than 2 GiB is refused before it is lowered");
        buffer.reserve(4 + blob.0.len());
        buffer.extend_from_slice(&len.to_be_bytes());
        buffer.extend_from_slice(&blob.0);
    }

    fn lower(blob: Self) -> uniffi::RustBuffer {
        <Self as uniffi::Lower<UT>>::lower_into_rust_buffer(blob)
    }
}

// SAFETY: as above.
unsafe impl<UT> uniffi::Lift<UT> for Blob {
    type FfiType = uniffi::RustBuffer;

    fn try_read(buffer: &mut &[u8]) -> uniffi::Result<Self> {
        uniffi::check_remaining(buffer, 4)?;
        let len = usize::try_from(buffer.get_i32())?;
        uniffi::check_remaining(buffer, len)?;
        let (bytes, rest) = buffer.split_at(len);
        *buffer = rest;
        Ok(Self(bytes.to_vec()))
    }

    fn try_lift(buffer: uniffi::RustBuffer) -> uniffi::Result<Self> {
        <Self as uniffi::Lift<UT>>::try_lift_from_rust_buffer(buffer)
    }
}

impl<UT> uniffi::TypeId<UT> for Blob {
    const TYPE_ID_META: uniffi::MetadataBuffer = <Vec<u8> as uniffi::TypeId<UT>>::TYPE_ID_META;
}

uniffi::derive_ffi_traits!(impl<UT> LowerReturn<UT> for Blob);
uniffi::derive_ffi_traits!(impl<UT> LiftRef<UT> for Blob);
uniffi::derive_ffi_traits!(impl<UT> LowerError<UT> for Blob);

pub(super) use lane_call::handle;
pub use lane_call::{remotemedia_lane_api, remotemedia_lane_process};
#[cfg(feature = "python")]
pub use python::raw_next_released;
#[cfg(feature = "python")]
pub(super) use python::{Lease, Memory, PinnedMemory, copy_in, release};
#[cfg(all(test, feature = "python"))]
pub(super) use python::{all_released, released_by_one_test};
pub(super) use staging::Staging;

mod staging {
    use crate::data::ForeignMemory;
    use crate::error::Result;

    /// Memory of ours that the other side (numpy, a direct buffer of Java) writes and reads between two calls. Nothing else of ours holds a reference into it:
    /// it is copied from and to while the call that numpy's side waits for is under way.
    #[derive(Debug)]
    pub(in crate::ffi) struct Staging {
        address: usize,
        words: usize,
    }

    impl Staging {
        /// Zeroed memory of at least so many bytes, aligned for every element type.
        ///
        /// # Errors
        /// When there is no memory for it.
        pub(in crate::ffi) fn new(byte_len: usize) -> Result<Self> {
            let words = byte_len.div_ceil(8).max(1);
            let memory = Box::leak(crate::data::zeros::<u64>(words)?.into_boxed_slice());
            Ok(Self { address: memory.as_mut_ptr().expose_provenance(), words })
        }

        /// Where it starts.
        pub(in crate::ffi) fn address(&self) -> u64 {
            self.address as u64
        }

        /// Copies bytes in at an offset. Says whether they fit; nothing is copied if not.
        pub(in crate::ffi) fn write(&self, offset: usize, bytes: &[u8]) -> bool {
            let fits = offset.checked_add(bytes.len()).is_some_and(|end| end <= self.words * 8);
            if fits {
                let target = std::ptr::with_exposed_provenance_mut::<u8>(self.address + offset);
                // SAFETY: the memory is ours until `drop`, the bounds were checked, and no reference into it exists:
                // `bytes` is of another allocation. The lane's lock keeps other threads of ours out; the other side
                // looks at it only while it is in no call.
                unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len()) }
            }
            fits
        }
    }

    impl ForeignMemory for Staging {
        fn len(&self) -> usize {
            self.words * 8
        }

        fn read(&self, offset: usize, target: &mut [u8]) {
            let inside = offset.checked_add(target.len()).is_some_and(|end| end <= self.words * 8);
            assert!(inside, "read of {} bytes at {offset} of {}", target.len(), self.words * 8);
            let source = std::ptr::with_exposed_provenance::<u8>(self.address + offset);
            // SAFETY: as in `write`, with the roles changed.
            unsafe { std::ptr::copy_nonoverlapping(source, target.as_mut_ptr(), target.len()) }
        }

        fn token(&self) -> u64 {
            0
        }
    }

    impl Drop for Staging {
        fn drop(&mut self) {
            let memory = std::ptr::with_exposed_provenance_mut::<u64>(self.address);
            // SAFETY: `new` has leaked a boxed slice of this address and length, and only this frees it.
            drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(memory, self.words)) });
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn staging_memory_is_bounded() {
            let staging = Staging::new(20).unwrap();
            assert_eq!(staging.address() % 8, 0);
            assert!(staging.write(16, &[1, 2, 3, 4]));
            assert!(!staging.write(21, &[1, 2, 3, 4]) && !staging.write(usize::MAX, &[1]));
            let mut back = [0; 4];
            staging.read(16, &mut back);
            assert_eq!(back, [1, 2, 3, 4]);
        }
    }
}

/// The lane's one plain call.
mod lane_call {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use crate::ffi::lane::{FAILED, RawLane};

    /// Where an object lies, for the plain calls that take it.
    pub(in crate::ffi) fn handle<T>(object: &T) -> u64 {
        std::ptr::from_ref(object).expose_provenance() as u64
    }

    /// Works on the frames in a lane's input. One plain call, because UniFFI's costs more than the work.
    ///
    /// Gives what `RawLane::process` gives. `remotemedia_lane_api` says which form this has.
    ///
    /// # Safety
    /// `lane` is 0 or what `RawLane::raw_handle` gave, and that object is alive until this returns.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn remotemedia_lane_process(lane: u64, frames: i64) -> i64 {
        let lane = std::ptr::with_exposed_provenance::<RawLane>(usize::try_from(lane).unwrap_or(0));
        // SAFETY: the facade passes the handle of an object that it holds, or 0. Nothing borrows it mutably: all that
        // changes in it is behind its lock.
        let Some(lane) = (unsafe { lane.as_ref() }) else { return FAILED };
        catch_unwind(AssertUnwindSafe(|| lane.process(frames))).unwrap_or(FAILED)
    }

    /// A hash of the form of the call above. Python and Kotlin refuse a library with another one.
    #[unsafe(no_mangle)]
    pub extern "C" fn remotemedia_lane_api() -> u64 {
        crate::ffi::lane::API
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn no_lane_is_a_failure_and_not_a_crash() {
            // SAFETY: 0 is allowed.
            assert_eq!(unsafe { remotemedia_lane_process(0, 960) }, FAILED);
        }
    }
}

#[cfg(all(feature = "python", feature = "ipc"))]
pub(super) use node_call::Here;
#[cfg(all(feature = "python", feature = "ipc"))]
pub use node_call::{remotemedia_node_memory, remotemedia_node_next, remotemedia_node_reply};

/// Plain calls between Python nodes and the engine: UniFFI's cost more than a short node.
#[cfg(all(feature = "python", feature = "ipc"))]
mod node_call {
    use std::collections::HashMap;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use crate::ffi::interpreter::{Called, guarded, is_interrupted, run_node, run_node_frame};
    use crate::ffi::nodes::RawServing;
    use crate::fork::PerProcess;
    use crate::ipc::{self, LocalInterpreter, Payload};

    /// The interpreter that has loaded the library.
    #[derive(Debug)]
    pub(in crate::ffi) struct Here;

    /// Where frames of one form lie for a node of this process, by its stream. A stream has one thread at a time.
    static MEMORY: PerProcess<Mutex<HashMap<u32, Memory>>> = PerProcess::new();

    /// Memory of Python's for frames whose heads are alike.
    #[derive(Debug, Clone, Copy)]
    struct Memory {
        head: *mut u8,
        head_len: usize,
        input: *mut u8,
        output: *const u8,
        len: usize,
    }

    // SAFETY: addresses alone, which the facade keeps valid until it takes them back; no thread owns what is there.
    unsafe impl Send for Memory {}

    /// Of the bytes of a head, those that say what the payload is made of.
    fn form(head: &[u8]) -> Option<(&[u8], &[u8])> {
        head.get(4..8).zip(head.get(56..))
    }

    fn known() -> MutexGuard<'static, HashMap<u32, Memory>> {
        MEMORY.get().lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The memory for a frame with this head, if there is any.
    fn memory(stream: u32, head: &[u8], len: usize) -> Option<Memory> {
        let known = known();
        let memory = known.get(&stream).copied().filter(|memory| memory.len == len && memory.head_len == head.len())?;
        drop(known);
        // SAFETY: the facade keeps so many bytes there, and only this thread works on the stream.
        let before = unsafe { std::slice::from_raw_parts(memory.head, memory.head_len) };
        (form(before) == form(head)).then_some(memory)
    }

    fn what_became(called: Called) -> ipc::Called {
        match called {
            Called::Answered(_) => ipc::Called::Answered,
            Called::Raised => ipc::Called::Interrupted,
            Called::Ended => ipc::Called::Ended,
        }
    }

    impl LocalInterpreter for Here {
        fn run(&self, head: &[u8], payload: u64) -> ipc::Called {
            what_became(run_node(head.as_ptr().expose_provenance() as u64, head.len() as u64, payload))
        }

        fn run_frame(
            &self,
            stream: u32,
            head: &[u8],
            payload: &Payload<'_>,
            result: &mut dyn FnMut(&[u8]),
        ) -> Option<ipc::Called> {
            let memory = memory(stream, head, payload.byte_len())?;
            // SAFETY: the facade keeps this memory for the stream until it takes it back or puts other memory there, and
            // looks at it only in the call below and in what follows from it, on this thread.
            let (to_head, to_input) = unsafe {
                (
                    std::slice::from_raw_parts_mut(memory.head, memory.head_len),
                    std::slice::from_raw_parts_mut(memory.input, memory.len),
                )
            };
            to_head.copy_from_slice(head);
            payload.copy_to(to_input);
            let called = run_node_frame(stream.into());
            let from = match called {
                Called::Answered(OUTPUT) => memory.output,
                Called::Answered(INPUT) => memory.input.cast_const(),
                called => {
                    if !matches!(called, Called::Answered(_)) {
                        // It was left in the middle: whether the node has kept the input is not known.
                        known().remove(&stream);
                    }
                    return Some(what_became(called));
                }
            };
            // SAFETY: as above; with these answers the facade has put nothing else in its place.
            result(unsafe { std::slice::from_raw_parts(from, memory.len) });
            Some(ipc::Called::Answered)
        }

        fn is_interrupted(&self) -> bool {
            is_interrupted()
        }
    }

    /// What Python answers to a frame in its memory: the result is in the output, or is the input. Anything else: it was
    /// sent as replies.
    const OUTPUT: i64 = 1;
    const INPUT: i64 = 2;

    /// Says where frames of one form lie for a stream of this process, in place of what was said before; `len` 0 takes
    /// it back.
    ///
    /// # Safety
    /// There are `head_len` bytes at `head`, with a head of that form in them, and `len` bytes at `input` and at
    /// `output`, until it is taken back or other memory is put in its place, by the thread that works on the stream.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn remotemedia_node_memory(
        stream: u64,
        head: *mut u8,
        head_len: u64,
        input: *mut u8,
        output: *const u8,
        len: u64,
    ) {
        let stream = u32::try_from(stream).unwrap_or(0);
        let (Ok(head_len), Ok(len)) = (usize::try_from(head_len), usize::try_from(len)) else { return };
        let mut known = known();
        if len == 0 || head.is_null() || input.is_null() || output.is_null() {
            known.remove(&stream);
        } else {
            known.insert(stream, Memory { head, head_len, input, output, len });
        }
    }

    fn serving(handle: u64) -> Option<&'static RawServing> {
        let object = std::ptr::with_exposed_provenance::<RawServing>(usize::try_from(handle).unwrap_or(0));
        // SAFETY: the facade passes the handle of an object that it holds as long as the process lives, or 0. All that
        // changes in it is behind locks.
        unsafe { object.as_ref() }
    }

    /// Waits for a request. Writes address and length of its head, the address of its payload, and whether another
    /// thread is wanted, to the four words at `found`. 1: there is one; 0: the caller ends; -1: `raw_failure` says why.
    ///
    /// # Safety
    /// `handle` is what `RawServing::raw_handle` gave, of an object that is alive, or 0 for the nodes of this process;
    /// `found` has room for four words.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn remotemedia_node_next(handle: u64, found: *mut u64) -> i64 {
        let next = || match serving(handle) {
            Some(serving) => serving.next().map(Some),
            None => Ok(ipc::next_request()),
        };
        match guarded(next) {
            Some(Some(words)) => {
                // SAFETY: the caller's promise.
                unsafe { std::ptr::copy_nonoverlapping(words.as_ptr(), found, words.len()) };
                1
            }
            Some(None) => 0,
            None => -1,
        }
    }

    /// Sends a reply. 0: sent; -1: `raw_failure` gives the error, on the same thread.
    ///
    /// # Safety
    /// `handle` is as for `remotemedia_node_next`; there are `head_len` bytes at `head` and `payload_len` at `payload`,
    /// which nobody writes to meanwhile.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn remotemedia_node_reply(
        handle: u64,
        head: *const u8,
        head_len: u64,
        payload: u64,
        payload_len: u64,
    ) -> i64 {
        let bytes = |address: *const u8, len: u64| {
            let len = usize::try_from(len)
                .ok()
                .filter(|len| *len <= isize::MAX as usize && !(address.is_null() && *len > 0))?;
            // SAFETY: the caller's promise; null and overflow are refused.
            Some(if len == 0 { &[][..] } else { unsafe { std::slice::from_raw_parts(address, len) } })
        };
        let payload = std::ptr::with_exposed_provenance::<u8>(usize::try_from(payload).unwrap_or(0));
        let (Some(head), Some(payload)) = (bytes(head, head_len), bytes(payload, payload_len)) else { return -1 };
        let reply = || match serving(handle) {
            Some(serving) => serving.reply(head, payload),
            None => ipc::accept(head, payload),
        };
        guarded(reply).map_or(-1, |()| 0)
    }
}

#[cfg(feature = "python")]
mod python {
    use std::collections::VecDeque;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

    use crate::data::ForeignMemory;
    use crate::error::{Error, ErrorKind, Result};
    use crate::fork::PerProcess;

    /// Numbers of runs whose memory is no longer read, for the facade to let go.
    static RELEASED: PerProcess<Mutex<VecDeque<u64>>> = PerProcess::new();

    fn released() -> MutexGuard<'static, VecDeque<u64>> {
        RELEASED.get().lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a run whose memory Rust no longer reads, or 0 when there is none. It is given again until it is said
    /// to be `done`: whoever asks may be interrupted before the memory is let go.
    #[uniffi::export]
    pub fn raw_next_released(done: u64) -> u64 {
        let mut released = released();
        if released.front() == Some(&done) {
            released.pop_front();
        }
        released.front().copied().unwrap_or(0)
    }

    /// All numbers on the list, taken off.
    #[cfg(test)]
    pub(in crate::ffi) fn all_released() -> Vec<u64> {
        released().drain(..).collect()
    }

    /// Puts a number on the list.
    pub(in crate::ffi) fn release(run: u64) {
        released().push_back(run);
    }

    /// Memory that is lent for a run, all of it together: it is released when the last of it is no longer used.
    #[derive(Debug)]
    pub(in crate::ffi) struct Lease(pub(in crate::ffi) u64);

    impl Drop for Lease {
        fn drop(&mut self) {
            release(self.0);
        }
    }

    /// Memory of a numpy array that the facade keeps alive: until its lease is released when there is one, else until
    /// the call that it came with returns.
    #[derive(Debug)]
    pub(in crate::ffi) struct PinnedMemory {
        address: usize,
        len: usize,
        token: u64,
        /// Held only to be released.
        _lease: Option<Arc<Lease>>,
        revoked: AtomicBool,
    }

    /// Checks an address and a length, as both come from the other side.
    fn check(address: u64, byte_len: u64) -> Result<(usize, usize)> {
        let bad = |what: &str| Error::new(ErrorKind::InputValue, format!("the address of the array is wrong: {what}"));
        let (Ok(address), Ok(len)) = (usize::try_from(address), usize::try_from(byte_len)) else {
            return Err(bad("it does not fit this machine"));
        };
        if len > 0 && address == 0 {
            return Err(bad("it is null"));
        }
        if isize::try_from(len).is_err() || address.checked_add(len).is_none() {
            return Err(bad("its length overflows"));
        }
        Ok((address, len))
    }

    impl PinnedMemory {
        /// `token` says which memory of its batch it is.
        pub(in crate::ffi) fn new(address: u64, byte_len: u64, token: u64, lease: Option<Arc<Lease>>) -> Result<Self> {
            let (address, len) = check(address, byte_len)?;
            Ok(Self { address, len, token, _lease: lease, revoked: AtomicBool::new(false) })
        }

        /// The call is over: reading from now on panics, which the engine turns into an error of the node.
        pub(in crate::ffi) fn revoke(&self) {
            self.revoked.store(true, Ordering::Relaxed);
        }
    }

    /// The list of released tokens is one for the process: tests that empty it take turns.
    #[cfg(test)]
    pub(in crate::ffi) fn released_by_one_test() -> MutexGuard<'static, ()> {
        static TURN: Mutex<()> = Mutex::new(());
        TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Copies `target.len()` bytes from an address.
    fn copy(address: usize, target: &mut [u8]) {
        if target.is_empty() {
            return;
        }
        // SAFETY: the facade passes the address and length of a C-contiguous array that it keeps alive (until the
        // token is released, or until the call returns), `check` has refused null and overflow, and the caller has
        // checked the bounds. No reference into the memory is made. The target is ours, so they cannot overlap.
        unsafe { std::ptr::copy_nonoverlapping(address as *const u8, target.as_mut_ptr(), target.len()) }
    }

    /// The bytes at an address, copied.
    pub(in crate::ffi) fn copy_in(address: u64, byte_len: u64) -> Result<Vec<u8>> {
        let (address, len) = check(address, byte_len)?;
        let mut bytes = crate::data::zeros(len)?;
        copy(address, &mut bytes);
        Ok(bytes)
    }

    impl ForeignMemory for PinnedMemory {
        fn len(&self) -> usize {
            self.len
        }

        fn read(&self, offset: usize, target: &mut [u8]) {
            // Only the thread of the call could read such memory, so there is no race to lose.
            assert!(!self.revoked.load(Ordering::Relaxed), "read of memory after the call that lent it");
            let inside = offset.checked_add(target.len()).is_some_and(|end| end <= self.len);
            assert!(inside, "read of {} bytes at {offset} of {}", target.len(), self.len);
            copy(self.address + offset, target);
        }

        fn token(&self) -> u64 {
            self.token
        }
    }

    /// Memory handed over to numpy: nothing of ours reads or writes it any more; it is freed with its owner.
    #[derive(Debug)]
    pub(in crate::ffi) enum Memory {
        Samples(Vec<f32>),
        Bytes(Vec<u8>),
    }

    impl Memory {
        /// Where it starts. Aligned for its elements; writable by its owner alone.
        pub(in crate::ffi) fn address(&self) -> u64 {
            let address = match self {
                Self::Samples(samples) => samples.as_ptr().cast_mut().expose_provenance(),
                Self::Bytes(bytes) => bytes.as_ptr().cast_mut().expose_provenance(),
            };
            address as u64
        }
    }

    impl Drop for Memory {
        fn drop(&mut self) {
            match self {
                Self::Samples(samples) => crate::data::keep_room(std::mem::take(samples)),
                Self::Bytes(bytes) => crate::data::keep_room(std::mem::take(bytes)),
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn bad_addresses_are_refused() {
            for (address, len) in [(0, 1), (u64::MAX, 2), (16, u64::MAX), (16, i64::MAX as u64 + 1)] {
                assert!(PinnedMemory::new(address, len, 1, None).is_err(), "{address} {len}");
            }
            assert!(PinnedMemory::new(0, 0, 1, None).is_ok());
        }

        #[test]
        fn memory_is_read_by_copying_and_its_lease_ends_with_the_last_of_it() {
            let _alone = released_by_one_test();
            let array: Vec<u8> = (0..100).collect();
            let lease = Arc::new(Lease(4_000_007));
            let new = || PinnedMemory::new(array.as_ptr().expose_provenance() as u64, 100, 0, Some(lease.clone()));
            let (memory, other) = (new().unwrap(), new().unwrap());
            drop(lease);
            let mut part = [0; 3];
            memory.read(97, &mut part);
            assert_eq!(part, [97, 98, 99]);
            let is_released = || all_released().contains(&4_000_007);
            drop(memory);
            assert!(!is_released());
            drop(other);
            assert!(is_released());
        }
    }
}

/// A file that the other side has opened: ours from now on.
#[cfg(all(feature = "python", unix))]
pub(super) fn file_of(descriptor: i32) -> crate::error::Result<std::fs::File> {
    use std::os::fd::{FromRawFd as _, OwnedFd};
    if descriptor < 0 {
        let text = format!("the descriptor is {descriptor}, expected one that is open");
        return Err(crate::error::Error::new(crate::error::ErrorKind::InputValue, text));
    }
    // SAFETY: the facade has just opened it, hands it over with this call, and does not name it again.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }.into())
}

#[cfg(all(feature = "python", not(unix)))]
pub(super) fn file_of(_descriptor: i32) -> crate::error::Result<std::fs::File> {
    Err(crate::error::Error::new(crate::error::ErrorKind::Unsupported, "there are no descriptors here"))
}
