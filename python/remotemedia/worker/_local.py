"""Python nodes of this process: on the caller's thread, or on threads of ours that wait in native code for work."""

from __future__ import annotations

import json
import os
import sys
import threading
from contextlib import suppress
from typing import Any, cast

from remotemedia import _pins
from remotemedia._interpreter import tell_nodes
from remotemedia._json import is_unicode
from remotemedia._lib import NativeError, native, reraise
from remotemedia.worker._flags import flags
from remotemedia.worker._instances import Instances, Requests, after_fork

__all__ = ["install", "name_interpreter"]

_MOST_THREADS = 66
"""More than the jobs of native code that may wait for one."""

_instances = Instances(0, None, None, False, 1)
_threads = 0
_lock = threading.Lock()


_installed = False


def _call(head: int, head_len: int, payload: int) -> int:
    """Work on a request: called by native code on a thread of Python's. What this raises, the caller gets."""
    _instances.answer(head, head_len, payload)
    return 0


def install() -> None:
    """Make Python nodes possible in this process; start a thread for those that no thread of Python's calls."""
    global _installed
    with _lock:
        if _installed:
            return
        tell_nodes(_call, _instances.answer_frame)
        native.raw_nodes_install()
        _installed = True
    _start()


def name_interpreter() -> None:
    """Say what workers are started with: they find modules where they are found here now."""
    if not isinstance(cast("object", sys.executable), str) or not sys.executable:
        return  # The start of a worker says that `execution.python` is needed.
    try:
        folder = os.getcwd()
    except OSError:  # It is gone.
        folder = ""
    # As Python itself does it, what is no text is passed over; so is what cannot be passed on.
    given = [path for path in cast("list[object]", sys.path) if isinstance(path, str) and (path or folder)]
    paths = [os.path.normpath(os.path.join(folder, path)) if folder else path for path in given]
    paths = [path for path in paths if is_unicode(path)]
    try:
        native.raw_interpreter(sys.executable, json.dumps(flags()), json.dumps(paths))
    except NativeError as error:
        reraise(error)
    _end_with_multiprocessing()


_has_finalizer = False


def _end_with_multiprocessing() -> None:
    """End workers when a process of multiprocessing ends: it calls nothing that `atexit` has."""
    global _has_finalizer
    process: Any = sys.modules.get("multiprocessing.process")
    if process is None or process.parent_process() is None or _has_finalizer:
        return
    from multiprocessing import util

    _has_finalizer = True
    util.Finalize(None, _pins.end, exitpriority=-100)


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
        with suppress(BaseException):  # It was answered with it.
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
