"""Python nodes of this process: on the caller's thread, or on threads of ours that wait in native code for work."""

from __future__ import annotations

import ctypes
import json
import os
import sys
import threading
from collections.abc import Generator

from remotemedia._lib import native
from remotemedia.worker._flags import flags
from remotemedia.worker._instances import Instances, Requests, after_fork

__all__ = ["install", "name_interpreter", "take_interrupt"]

_MOST_THREADS = 66
"""More than the jobs of native code that may wait for one."""

_instances = Instances(0, None, None, False, 1)
_state = threading.local()
_threads = 0
_lock = threading.Lock()


def _call(head: int, head_len: int, payload: int) -> int:
    """Work on a request: called by native code on a thread of Python's."""
    try:
        _instances.answer(head, head_len, payload)
        return 0
    except BaseException as error:
        # Only what is meant for the caller itself, such as Ctrl-C, comes here. It is raised when the call returns.
        _state.interrupt = error
        return 1


def _call_frame(stream: int) -> int:
    """Work on a frame in memory of ours: called by native code on a thread of Python's."""
    try:
        return _instances.answer_frame(stream)
    except BaseException as error:
        _state.interrupt = error
        return 0


def _look() -> Generator[int, int, None]:
    """Say whether a signal has raised something: called by native code on the main thread while it waits.

    A generator, because its ``try`` has begun already when it is resumed. A function would be left by the exception
    before its first line.
    """
    answer = 0
    while True:
        try:
            yield answer
            answer = 0
        except GeneratorExit:
            raise
        except BaseException as error:
            _state.interrupt = error
            answer = 1


_looks = _look()
next(_looks)
_callback = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64)(_call)
_frame_callback = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64)(_call_frame)
_looking = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(_looks.send)
_installed = False


def take_interrupt() -> BaseException | None:
    """Return what has interrupted the native call of this thread, once."""
    error: BaseException | None = getattr(_state, "interrupt", None)
    if error is not None:
        _state.interrupt = None
    return error


def install() -> None:
    """Make Python nodes possible in this process; start a thread for those that no thread of Python's calls."""
    global _installed
    with _lock:
        if _installed:
            return
        _installed = True
        calls = (_callback, _frame_callback, _looking)
        native.raw_nodes_install(*(ctypes.cast(call, ctypes.c_void_p).value or 0 for call in calls))
    _start()


def name_interpreter() -> None:
    """Say what workers are started with: they find modules where they are found here now."""
    paths = [os.path.abspath(path) for path in sys.path]
    native.raw_interpreter(sys.executable, json.dumps(flags()), json.dumps(paths))


def _start() -> None:
    global _threads
    with _lock:
        if _threads >= _MOST_THREADS:
            return
        _threads += 1
    # Daemon: the interpreter waits for others before it ends, and native code wakes these only then.
    threading.Thread(target=_serve, name="remotemedia-node", daemon=True).start()


def _serve() -> None:
    requests = Requests(0)
    found = requests.found
    while requests.next():
        if found[3]:
            _start()
        _call(found[0], found[1], found[2])


def _after_fork() -> None:
    """Start afresh in a child: the threads of its parent are not there."""
    global _threads, _lock
    _lock = threading.Lock()
    _threads = 0
    _instances.forget()
    after_fork()
    if _installed:
        _start()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
