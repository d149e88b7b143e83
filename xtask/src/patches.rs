//! Corrections of UniFFI 0.32.2's generated code, by exact text. Each has an expected count: a template that changed
//! stops the build instead of shipping the fault again. Tests in each language check the behaviour behind them.

use crate::visibility;
use anyhow::{Result, bail};

/// One replacement and how often its text must occur.
struct Patch {
    name: &'static str,
    find: &'static str,
    replace: &'static str,
    count: usize,
}

fn apply(mut text: String, patches: &[Patch]) -> Result<String> {
    for patch in patches {
        let found = text.matches(patch.find).count();
        if found != patch.count {
            bail!(
                "the patch `{}` found its text {found} times, expected {}: UniFFI's templates changed, look at xtask/src/patches.rs",
                patch.name,
                patch.count
            );
        }
        text = text.replace(patch.find, patch.replace);
    }
    Ok(text)
}

const LOOP_FIND: &str = "    if _UNIFFI_GLOBAL_EVENT_LOOP is not None:
        return _UNIFFI_GLOBAL_EVENT_LOOP
    else:
        return asyncio.get_running_loop()
";
const LOOP_REPLACE: &str = "    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        if _UNIFFI_GLOBAL_EVENT_LOOP is None:
            raise
        return _UNIFFI_GLOBAL_EVENT_LOOP
";
const WAKE_FIND: &str = "@_UNIFFI_RUST_FUTURE_CONTINUATION_CALLBACK
def _uniffi_continuation_callback(future_ptr, poll_code):
    (eventloop, future) = _UniffiContinuationHandleMap.remove(future_ptr)
    eventloop.call_soon_threadsafe(_uniffi_set_future_result, future, poll_code)

def _uniffi_set_future_result(future, poll_code):
    if not future.cancelled():
";
const WAKE_REPLACE: &str =
    "_uniffi_wake = _UNIFFI_RUST_FUTURE_CONTINUATION_CALLBACK((\"remotemedia_wake\", _UniffiLib))

# What raises an exception that has come while a future was asked; the package sets it.
_uniffi_raise_pending = lambda: None

def _uniffi_continuation_callback(future_ptr, poll_code):
    # An exception may come between any two steps: it is called again then, and does again what was done.
    try:
        (eventloop, future) = _UniffiContinuationHandleMap.get(future_ptr)
    except InternalError:
        return
    try:
        eventloop.call_soon_threadsafe(_uniffi_set_future_result, future, poll_code)
    except RuntimeError:
        # Nobody waits in a loop that is closed.
        if not eventloop.is_closed():
            raise
    _UniffiContinuationHandleMap.remove(future_ptr)

def _uniffi_set_future_result(future, poll_code):
    if not future.done():
";
const INT_FIND: &str = "        except Exception:
            raise TypeError(\"'{}' object cannot be interpreted as an integer\"";
const INT_REPLACE: &str = "        except (AttributeError, TypeError):
            raise TypeError(\"'{}' object cannot be interpreted as an integer\"";
const FLOAT_FIND: &str = "        except Exception:
            raise TypeError(\"must be real number, not {}\"";
const FLOAT_REPLACE: &str = "        except (AttributeError, TypeError):
            raise TypeError(\"must be real number, not {}\"";
const POLL_FIND: &str = "                _uniffi_continuation_callback,
                _UniffiContinuationHandleMap.insert((eventloop, future)),
            )
";
const POLL_REPLACE: &str = "                _uniffi_wake,
                _UniffiContinuationHandleMap.insert((eventloop, future)),
            )
            _uniffi_raise_pending()
";
const MAP_FIND: &str = "        self._lock = threading.Lock()
        self._counter = _UNIFFI_HANDLEMAP_INITIAL
";
const MAP_REPLACE: &str = "        self._lock = contextlib.nullcontext()
        self._counter = itertools.count(_UNIFFI_HANDLEMAP_INITIAL, _UNIFFI_HANDLEMAP_DELTA)
";
const NEXT_FIND: &str = "        handle = self._counter
        self._counter += _UNIFFI_HANDLEMAP_DELTA
";
const NEXT_REPLACE: &str = "        handle = next(self._counter)
";
const OWN_FIND: &str = "# Public interface members begin here.\n";
const OWN_REPLACE: &str = "_uniffi_own = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_uint64, ctypes.c_void_p)(
    (\"remotemedia_own\", ctypes.PyDLL(_UniffiLib._name))
)

def _uniffi_owner(free, handle):
    return _uniffi_own(handle, ctypes.cast(free, ctypes.c_void_p))

# Public interface members begin here.
";
const END_FIND: &str = "    def __del__(self):
        # In case of partial initialization of instances.
        handle = getattr(self, \"_handle\", None)
        if handle is not None:
            _uniffi_rust_call(_UniffiLib.";
const END_REPLACE: &str = "    @staticmethod
    def _uniffi_owner(handle):
        return _uniffi_owner(_UniffiLib.";
const MADE_FIND: &str = "        inst._handle = handle\n";
const MADE_REPLACE: &str = "        inst._owner = cls._uniffi_owner(handle)
        inst._handle = handle
";
const INIT_FIND: &str = "        self._handle = _uniffi_ffi_result\n";
const INIT_REPLACE: &str = "        self._owner = self._uniffi_owner(_uniffi_ffi_result)
        self._handle = _uniffi_ffi_result
";
const HANDLE_FIND: &str = "    def _uniffi_clone_handle(self):\n";
const HANDLE_REPLACE: &str = "    def __reduce_ex__(self, protocol):
        raise TypeError(f\"cannot copy or pickle {type(self).__name__!r}: it owns a native handle\")

    def _uniffi_clone_handle(self):\n";

/// The generated Python module; `objects` is the number of exported object types.
///
/// 1. The dropped-future callback runs on a Rust thread, where `call_soon` does not wake a sleeping loop (2 s late).
///    The text is there only when an async callback is exported, so the count follows the callback's own definition.
/// 2. A stale global loop breaks the next `asyncio.run`: the running loop comes first.
/// 3. Copy and pickle would share a raw handle, a double free: they raise TypeError.
/// 4. A future that ends when the interpreter does calls back into it, a crash: the library's own function stands between,
///    which no longer calls then.
/// 5. What a signal's handler raises while a number is looked at would become a TypeError about that number.
/// 6. An exception between the last line under a lock and the lock's release leaves it taken, and every later wait of the
///    process hangs. The interpreter's own lock is enough: one step for the number, one for the map.
/// 7. In a cycle of garbage, `__del__` freed a handle that the end of a coroutine then used. A capsule owns it: Python frees
///    that when nobody can reach the object any more, by C code that no signal interrupts.
pub fn python(text: String, objects: usize) -> Result<String> {
    let made = text.matches(INIT_FIND).count();
    let callbacks = text.matches("def _uniffi_future_dropped_callback(").count();
    let has_async = text.matches("def _uniffi_get_event_loop(").count();
    let floats = text.matches("must be real number, not {}").count();
    apply(
        text,
        &[
            Patch {
                name: "1: wake the loop",
                find: "eventloop.call_soon(_uniffi_cancel_task, task)",
                replace: "eventloop.call_soon_threadsafe(_uniffi_cancel_task, task)",
                count: callbacks,
            },
            Patch { name: "2: running loop first", find: LOOP_FIND, replace: LOOP_REPLACE, count: has_async },
            Patch { name: "3: no copy of handles", find: HANDLE_FIND, replace: HANDLE_REPLACE, count: objects },
            Patch { name: "5: no swallowed exception", find: INT_FIND, replace: INT_REPLACE, count: 1 },
            Patch { name: "5: no swallowed exception", find: FLOAT_FIND, replace: FLOAT_REPLACE, count: floats },
            Patch {
                name: "4: a gate before the interpreter",
                find: WAKE_FIND,
                replace: WAKE_REPLACE,
                count: has_async,
            },
            Patch { name: "6: no lock that stays taken", find: MAP_FIND, replace: MAP_REPLACE, count: 1 },
            Patch { name: "6: a number in one step", find: NEXT_FIND, replace: NEXT_REPLACE, count: 1 },
            Patch { name: "7: a capsule that owns", find: OWN_FIND, replace: OWN_REPLACE, count: 1 },
            Patch { name: "7: no end of an object in use", find: END_FIND, replace: END_REPLACE, count: objects },
            Patch { name: "7: owned when made", find: MADE_FIND, replace: MADE_REPLACE, count: objects },
            Patch { name: "7: owned when made", find: INIT_FIND, replace: INIT_REPLACE, count: made },
            Patch { name: "4: wake through the gate", find: POLL_FIND, replace: POLL_REPLACE, count: has_async },
        ],
    )
}

/// The generated Kotlin file, for the hand-written layer alone (see `visibility`).
///
/// 4. A direct buffer given as `&[u8]` must live through the call: the collector may free it under Rust, a crash.
/// 5. Its position counts: it was ignored in silence.
/// 6. An object that was closed and is then given as an argument was used after it was freed: it is asked first.
pub fn kotlin(text: String) -> Result<String> {
    let objects = text.matches("fun <R> callWithHandle(block:").count();
    let text = apply(
        text,
        &[
            Patch { name: "4: keep the buffer alive", find: BYTES_FIND, replace: BYTES_REPLACE, count: 1 },
            Patch {
                name: "5: position counts",
                find: "com.sun.jna.Native.getDirectBufferPointer(value)\n",
                replace: "com.sun.jna.Native.getDirectBufferPointer(value).share(value.position().toLong())\n        fb.keep(value)\n",
                count: 1,
            },
            Patch {
                name: "6: no closed object as an argument",
                find: "        return value.uniffiCloneHandle()\n",
                replace: "        return value.callWithHandle { it }\n",
                count: objects,
            },
        ],
    )?;
    visibility::internal(&text)
}

const BYTES_FIND: &str = "    @JvmField var data: Pointer? = null

    class ByValue : ForeignBytes(), Structure.ByValue
";
const BYTES_REPLACE: &str = "    @JvmField var data: Pointer? = null
    private var owner: java.nio.ByteBuffer? = null
    fun keep(value: java.nio.ByteBuffer) { owner = value }

    class ByValue : ForeignBytes(), Structure.ByValue
";

#[cfg(test)]
mod tests {
    use super::*;

    fn module(objects: usize) -> String {
        let mut text = format!("{INT_FIND}\n{FLOAT_FIND}\n{MAP_FIND}\n{NEXT_FIND}\n");
        text.push_str(&format!("def _uniffi_get_event_loop():\n{LOOP_FIND}\n{WAKE_FIND}"));
        text.push_str("            ffi_poll(\n                rust_future,\n");
        text.push_str(POLL_FIND);
        text.push_str(OWN_FIND);
        for _ in 0..objects {
            text.push_str("class A:\n    def _uniffi_clone_handle(self):\n        pass\n");
            text.push_str(&format!("{END_FIND}free_a, handle)\n    def make():\n{MADE_FIND}"));
        }
        text
    }

    #[test]
    fn each_object_gets_its_guard() {
        let patched = python(module(3), 3).unwrap();
        assert_eq!(patched.matches("__reduce_ex__").count(), 3);
        assert!(patched.contains("    except RuntimeError:\n") && !patched.contains("except Exception:"));
        assert!(!patched.contains("threading.Lock()") && patched.contains("handle = next(self._counter)"));
        assert!(!patched.contains("__del__"));
        assert_eq!(patched.matches("inst._owner = cls._uniffi_owner(handle)").count(), 3);
        assert!(patched.contains("            _uniffi_raise_pending()\n") && !patched.contains("@_UNIFFI_RUST_FUTURE"));
    }

    #[test]
    fn a_wrong_count_stops() {
        let error = python(module(2), 3).unwrap_err().to_string();
        assert!(error.contains("3: no copy of handles") && error.contains("2 times, expected 3"), "{error}");
        let stale = module(1).replace("_UNIFFI_GLOBAL_EVENT_LOOP is not None", "changed");
        assert!(python(stale, 1).is_err());
        assert!(kotlin(String::new()).is_err());
    }

    #[test]
    fn an_async_callback_needs_the_first_patch() {
        let tail = "def _uniffi_future_dropped_callback(handle):\n    eventloop.call_soon(_uniffi_cancel_task, task)\n";
        let patched = python(module(1) + tail, 1).unwrap();
        assert!(patched.contains("call_soon_threadsafe(_uniffi_cancel_task"));
        assert!(python(module(1) + "def _uniffi_future_dropped_callback(handle):\n", 1).is_err());
    }

    /// What the patches of Kotlin look for, with so many objects and so many places where one is an argument.
    fn kotlin_file(objects: usize, arguments: usize) -> String {
        let pointer = "        com.sun.jna.Native.getDirectBufferPointer(value)\n";
        let objects = "    fun <R> callWithHandle(block: (handle: Long) -> R): R {\n    }\n".repeat(objects);
        let arguments = "        return value.uniffiCloneHandle()\n".repeat(arguments);
        format!("package org.remotemedia.internal\n{BYTES_FIND}{pointer}{objects}{arguments}")
    }

    #[test]
    fn direct_buffers_and_arguments_of_kotlin_are_corrected() {
        let patched = kotlin(kotlin_file(2, 2)).unwrap();
        assert!(
            patched.contains("share(value.position().toLong())") && patched.contains("fb.keep(value)"),
            "{patched}"
        );
        assert_eq!(patched.matches("return value.callWithHandle { it }").count(), 2);
        let error = kotlin(kotlin_file(2, 1)).unwrap_err().to_string();
        assert!(
            error.contains("6: no closed object as an argument") && error.contains("1 times, expected 2"),
            "{error}"
        );
    }
}
