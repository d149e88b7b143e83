//! The interpreter that has loaded the library: a few functions of its C API, and the gate that closes before it ends. No
//! thread of ours may be in the interpreter, or call into it, once it is going away.
#![allow(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::error::RemoteMediaError;
use super::owned;
use crate::error::{Error, ErrorKind, Result};

/// An object of Python's.
pub(super) type Object = *mut c_void;

/// Functions of Python's C API. Those that may end the thread, or run code of Python's that does, are `C-unwind`.
struct Api {
    bytes: unsafe extern "C" fn(*const c_char, isize) -> Object,
    capsule: unsafe extern "C" fn(*mut c_void, *const c_char, *mut c_void) -> Object,
    capsule_pointer: unsafe extern "C" fn(Object, *const c_char) -> *mut c_void,
    capsule_context: unsafe extern "C" fn(Object) -> *mut c_void,
    set_capsule_context: unsafe extern "C" fn(Object, *mut c_void) -> c_int,
    save: unsafe extern "C" fn() -> *mut c_void,
    restore: unsafe extern "C-unwind" fn(*mut c_void),
    ensure: unsafe extern "C-unwind" fn() -> c_int,
    release: unsafe extern "C" fn(c_int),
    call: unsafe extern "C-unwind" fn(Object, *const c_char, ...) -> Object,
    number: unsafe extern "C" fn(Object) -> i64,
    check_signals: unsafe extern "C-unwind" fn() -> c_int,
    fetch: unsafe extern "C" fn(*mut Object, *mut Object, *mut Object),
    give_back: unsafe extern "C" fn(Object, Object, Object),
    normalise: unsafe extern "C" fn(*mut Object, *mut Object, *mut Object),
    set_traceback: unsafe extern "C" fn(Object, Object) -> c_int,
    unraisable: unsafe extern "C-unwind" fn(Object),
    forget: unsafe extern "C" fn(Object),
    share: unsafe extern "C" fn(Object),
}

static API: OnceLock<Api> = OnceLock::new();

/// Objects of Python's that live as long as the process.
struct Function(Object);

// SAFETY: Python has given it away for ever, and it is used only with the interpreter's lock held.
unsafe impl Send for Function {}
// SAFETY: as above.
unsafe impl Sync for Function {}

/// What wakes a coroutine; `None` of Python's; the bytes that stand for a failure.
static OBJECTS: OnceLock<[Function; 3]> = OnceLock::new();
static NODES: OnceLock<(Function, Function)> = OnceLock::new();

/// Says where the functions of the C API are, in the order of `python/remotemedia/_interpreter.py`, which function wakes a
/// coroutine, and which objects are `None` and the answer of a call that has failed. -1: there are too few.
///
/// # Safety
/// There are `count` addresses at `addresses`, of these functions; the objects are never freed.
#[unsafe(no_mangle)]
#[allow(clippy::missing_transmute_annotations)] // The types are those of the fields.
pub unsafe extern "C" fn remotemedia_python(
    addresses: *const usize,
    count: u64,
    wake: Object,
    none: Object,
    failed: Object,
) -> i64 {
    /// The function at an address.
    macro_rules! function {
        ($address:expr) => {
            // SAFETY: the caller's promise.
            unsafe { std::mem::transmute::<*const (), _>(std::ptr::with_exposed_provenance::<()>($address)) }
        };
    }
    // SAFETY: the caller's promise.
    let given = unsafe { std::slice::from_raw_parts(addresses, usize::try_from(count).unwrap_or(0)) };
    let &[
        bytes,
        capsule,
        capsule_pointer,
        capsule_context,
        set_capsule_context,
        save,
        restore,
        ensure,
        release,
        call,
        number,
        check_signals,
        fetch,
        give_back,
        normalise,
        set_traceback,
        unraisable,
        forget,
        share,
    ] = given
    else {
        return -1;
    };
    if given.contains(&0) {
        return -1;
    }
    let _ = API.set(Api {
        bytes: function!(bytes),
        capsule: function!(capsule),
        capsule_pointer: function!(capsule_pointer),
        capsule_context: function!(capsule_context),
        set_capsule_context: function!(set_capsule_context),
        save: function!(save),
        restore: function!(restore),
        ensure: function!(ensure),
        release: function!(release),
        call: function!(call),
        number: function!(number),
        check_signals: function!(check_signals),
        fetch: function!(fetch),
        give_back: function!(give_back),
        normalise: function!(normalise),
        set_traceback: function!(set_traceback),
        unraisable: function!(unraisable),
        forget: function!(forget),
        share: function!(share),
    });
    let _ = OBJECTS.set([Function(wake), Function(none), Function(failed)]);
    0
}

/// Says which functions work on a request of a Python node of this process, and on a frame in memory of Python's.
///
/// # Safety
/// Both are objects that are never freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remotemedia_python_nodes(run: Object, frame: Object) {
    let _ = NODES.set((Function(run), Function(frame)));
}

/// Set once nothing may go in any more; below it, how many threads are in.
const CLOSED: usize = 1 << (usize::BITS - 1);
static GATE: AtomicUsize = AtomicUsize::new(0);

/// While a call may end this thread. An interpreter that goes away ends threads that come back to it by unwinding their
/// stack (Python to 3.13), which no frame of ours may take part in: the thread stays here for ever instead, as Python
/// itself does it from 3.14 on.
struct Inside {
    counted: bool,
    returned: bool,
}

impl Drop for Inside {
    fn drop(&mut self) {
        if !self.returned && !std::thread::panicking() {
            loop {
                std::thread::park();
            }
        }
        if self.counted {
            GATE.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// Calls into the interpreter with its lock held. `None` when it is going away: nothing was called then.
fn enter<T>(call: impl FnOnce(&Api) -> T) -> Option<T> {
    let api = API.get()?;
    if GATE.fetch_add(1, Ordering::AcqRel) & CLOSED != 0 {
        GATE.fetch_sub(1, Ordering::AcqRel);
        return None;
    }
    let mut inside = Inside { counted: true, returned: false };
    // SAFETY: there is an interpreter; what was ensured is released below, on this thread.
    let state = unsafe { (api.ensure)() };
    let answer = call(api);
    // SAFETY: as above.
    unsafe { (api.release)(state) };
    inside.returned = true;
    Some(answer)
}

/// Lets nobody in any more, and waits until all are out, at most `limit`. Who is in a node that does not return stays.
pub(super) fn close(limit: Duration) {
    GATE.fetch_or(CLOSED, Ordering::AcqRel);
    let until = Instant::now() + limit;
    while GATE.load(Ordering::Acquire) != CLOSED && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
}

thread_local! {
    /// What went wrong last in a plain call of this thread.
    static FAILURE: RefCell<Option<Error>> = const { RefCell::new(None) };
    /// The exception of Python's that has ended a call into the interpreter, until Python takes it.
    static RAISED: Cell<Object> = const { Cell::new(null_mut()) };
}

/// What became of a call into the interpreter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Called {
    Answered(i64),
    /// It has raised, such as at Ctrl-C. The exception waits for Python on this thread.
    Raised,
    /// The interpreter is going away; nothing was called.
    Ended,
}

/// Keeps the exception that Python has set.
fn keep_raised(api: &Api) {
    let (mut kind, mut value, mut trace) = (null_mut(), null_mut(), null_mut());
    // SAFETY: the lock is held. The references become ours; one replaces the one kept before.
    unsafe {
        (api.fetch)(&mut kind, &mut value, &mut trace);
        (api.normalise)(&mut kind, &mut value, &mut trace);
        if !trace.is_null() && !value.is_null() {
            (api.set_traceback)(value, trace);
        }
        for object in [kind, trace, RAISED.replace(value)] {
            (api.forget)(object);
        }
    }
}

/// Calls a function of Python's with three whole numbers, or one.
fn call(function: &Function, arguments: (u64, Option<(u64, u64)>)) -> Called {
    let called = enter(|api| {
        let (one, three): (&CStr, &CStr) = (c"(K)", c"(KKK)");
        // SAFETY: the lock is held, the function is alive, and the format says what follows.
        let answer = unsafe {
            match arguments {
                (first, None) => (api.call)(function.0, one.as_ptr(), first),
                (first, Some((second, third))) => (api.call)(function.0, three.as_ptr(), first, second, third),
            }
        };
        if answer.is_null() {
            keep_raised(api);
            return Called::Raised;
        }
        // SAFETY: a new reference, ours; the functions give whole numbers.
        let number = unsafe { (api.number)(answer) };
        // SAFETY: as above.
        unsafe { (api.forget)(answer) };
        Called::Answered(number)
    });
    called.unwrap_or(Called::Ended)
}

/// Lets a node of this process work on a request.
pub(super) fn run_node(head: u64, head_len: u64, payload: u64) -> Called {
    NODES.get().map_or(Called::Ended, |(run, _)| call(run, (head, Some((head_len, payload)))))
}

/// Lets a node of this process work on a frame that lies in memory of Python's.
pub(super) fn run_node_frame(stream: u64) -> Called {
    NODES.get().map_or(Called::Ended, |(_, frame)| call(frame, (stream, None)))
}

/// Runs the handlers of signals that have come. Says whether one has raised something, which waits for Python then.
pub(super) fn is_interrupted() -> bool {
    let raised = enter(|api| {
        // SAFETY: the lock is held.
        let raised = unsafe { (api.check_signals)() } != 0;
        if raised {
            keep_raised(api);
        }
        raised
    });
    raised.unwrap_or(true)
}

/// The exception that has ended the last call of this thread into the interpreter, once; `None` without one. ctypes calls
/// this with the interpreter's lock held, and takes the reference over.
#[unsafe(no_mangle)]
pub extern "C" fn remotemedia_take_raised() -> Object {
    match RAISED.replace(null_mut()) {
        raised if raised.is_null() => shared(1),
        raised => raised,
    }
}

/// A new reference to an object that Python has given away. ctypes must never get null for one.
fn shared(which: usize) -> Object {
    let (Some(api), Some(objects)) = (API.get(), OBJECTS.get()) else { return null_mut() };
    // SAFETY: whoever asks has the interpreter's lock, and the object is alive.
    unsafe { (api.share)(objects[which].0) };
    objects[which].0
}

/// Keeps an error for [`raw_failure`], on this thread.
pub(super) fn keep_failure(error: Error) {
    FAILURE.with_borrow_mut(|failure| *failure = Some(error));
}

/// Gives the error of the last plain call of this thread that failed.
#[uniffi::export]
pub fn raw_failure() -> std::result::Result<(), RemoteMediaError> {
    let error = FAILURE.with_borrow_mut(Option::take);
    Err(error.unwrap_or_else(|| Error::new(ErrorKind::Internal, "the native call has panicked")).into())
}

/// Works, and keeps the failure if there is one; a panic is one.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Option<T> {
    let panicked = |_| Err(Error::new(ErrorKind::Internal, "the native call has panicked"));
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(panicked).inspect_err(|error| keep_failure(error.clone())).ok()
}

/// Works while other threads of Python's run. The work must not unwind.
///
/// # Safety
/// This thread has the interpreter's lock.
unsafe fn unlocked<T>(api: &Api, work: impl FnOnce() -> T) -> T {
    // SAFETY: the caller's promise.
    let state = unsafe { (api.save)() };
    let done = work();
    let mut inside = Inside { counted: false, returned: false };
    // SAFETY: `state` is what was saved by this thread.
    unsafe { (api.restore)(state) };
    inside.returned = true;
    done
}

/// Works while other threads of Python's run, and gives a bytes object: in one call, so that no exception can come
/// between the work and the object that owns its result. After a failure, which [`raw_failure`] gives, the bytes that stand
/// for one.
pub(super) fn answer(work: impl FnOnce() -> Result<Vec<u8>>) -> Object {
    let Some(api) = API.get() else { return null_mut() };
    // SAFETY: the caller is Python, through ctypes, with the interpreter's lock held.
    let bytes = unsafe { unlocked(api, || guarded(work)) };
    let Some(bytes) = bytes else { return shared(2) };
    // SAFETY: the lock is held again; so many bytes are there, and they are copied.
    let object = unsafe { (api.bytes)(bytes.as_ptr().cast(), isize::try_from(bytes.len()).unwrap_or(0)) };
    if object.is_null() {
        keep_raised(api);
        keep_failure(crate::data::no_memory(bytes.len()));
        return shared(2);
    }
    object
}

/// Frees what a capsule stands for, when Python frees the capsule: C code calls C code, so that no exception can come
/// between.
///
/// # Safety
/// `capsule` is a capsule without a name, whose pointer is a number that was never used before. Python calls this.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remotemedia_owner_end(capsule: Object) {
    // SAFETY: the caller's promise.
    if let Some(number) = unsafe { number(capsule) } {
        let _ = catch_unwind(|| owned::end(number));
    }
}

/// The same for the capsule of a run: memory that was lent for it, and not taken, is given back too.
///
/// # Safety
/// As for [`remotemedia_owner_end`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remotemedia_run_end(capsule: Object) {
    // SAFETY: the caller's promise.
    if let Some(number) = unsafe { number(capsule) } {
        let _ = catch_unwind(|| owned::end_run(number));
    }
}

/// What frees an object of UniFFI's.
type Free = unsafe extern "C" fn(u64, &mut uniffi::RustCallStatus);

/// Makes the capsule that owns an object of UniFFI's. It is freed with the capsule: when nobody can reach it any more, also
/// in a cycle of garbage, where coroutines that end may use it to the last. ctypes calls this with the interpreter's lock.
///
/// # Safety
/// `handle` is an object of UniFFI's, and `free` its function, a [`Free`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remotemedia_own(handle: u64, free: *mut c_void) -> Object {
    let Some(api) = API.get() else { return null_mut() };
    let pointer = std::ptr::with_exposed_provenance_mut(usize::try_from(handle).unwrap_or(0));
    let end: unsafe extern "C" fn(Object) = remotemedia_object_end;
    // SAFETY: the lock is held; the function stays, and takes a capsule.
    let capsule = unsafe { (api.capsule)(pointer, std::ptr::null(), end as *mut c_void) };
    if !capsule.is_null() {
        // SAFETY: it is a capsule.
        unsafe { (api.set_capsule_context)(capsule, free) };
    }
    capsule
}

/// Frees the object that a capsule owns. Other threads of Python's run meanwhile: one of them may be what it waits for.
///
/// # Safety
/// `capsule` was made by [`remotemedia_own`]. Python calls this.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remotemedia_object_end(capsule: Object) {
    let Some(api) = API.get() else { return };
    // SAFETY: the caller's promise.
    let (pointer, free) = unsafe { ((api.capsule_pointer)(capsule, std::ptr::null()), (api.capsule_context)(capsule)) };
    if pointer.is_null() || free.is_null() {
        return;
    }
    // SAFETY: as `remotemedia_own` was promised.
    let free = unsafe { std::mem::transmute::<*mut c_void, Free>(free) };
    let handle = pointer.expose_provenance() as u64;
    // SAFETY: the capsule was its only owner.
    let end = || unsafe { free(handle, &mut uniffi::RustCallStatus::default()) };
    // An exception may be on its way, which is why the object ends; and a node in Python may be told of the end.
    let (mut kind, mut value, mut trace) = (null_mut(), null_mut(), null_mut());
    // SAFETY: Python calls this with the interpreter's lock held; the exception goes back to where it was.
    unsafe {
        (api.fetch)(&mut kind, &mut value, &mut trace);
        unlocked(api, end);
        (api.give_back)(kind, value, trace);
    }
}

/// # Safety
/// As for [`remotemedia_owner_end`].
unsafe fn number(capsule: Object) -> Option<u64> {
    let api = API.get()?;
    // SAFETY: the caller's promise.
    let pointer = unsafe { (api.capsule_pointer)(capsule, std::ptr::null()) };
    (!pointer.is_null()).then(|| pointer.addr() as u64)
}

/// Wakes a coroutine of Python's that waits for a future of ours, from whatever thread, as long as there is an
/// interpreter. UniFFI calls this.
#[unsafe(no_mangle)]
pub extern "C" fn remotemedia_wake(data: u64, code: i8) {
    let Some([wake, ..]) = OBJECTS.get() else { return };
    enter(|api| {
        for attempt in 0..WAKES {
            // SAFETY: the lock is held, the function is alive, and the format says what follows.
            let answer = unsafe { (api.call)(wake.0, c"(Ki)".as_ptr(), data, c_int::from(code)) };
            if !answer.is_null() {
                // SAFETY: a new reference, ours.
                unsafe { (api.forget)(answer) };
                break;
            }
            if attempt + 1 < WAKES {
                // A signal, on the thread that has asked the future: it gets the exception, and the coroutine its turn.
                keep_raised(api);
            } else {
                // SAFETY: an exception is set, and one is kept of before. Nobody waits for them: the loop has ended.
                unsafe {
                    (api.unraisable)(wake.0);
                    (api.forget)(RAISED.replace(null_mut()));
                }
            }
        }
    });
}

/// How often a coroutine is woken until it works: an exception may come in between.
const WAKES: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_belongs_to_its_thread() {
        let text = |answer: std::result::Result<(), RemoteMediaError>| answer.unwrap_err().to_string();
        assert!(guarded(|| Err::<(), _>(Error::new(ErrorKind::Closed, "here"))).is_none());
        std::thread::spawn(move || {
            assert!(guarded(|| -> Result<()> { panic!("there") }).is_none());
            assert!(text(raw_failure()).contains("panicked"));
        })
        .join()
        .unwrap();
        assert!(text(raw_failure()).contains("here"));
        assert!(text(raw_failure()).contains("panicked"), "taken once");
    }
}
