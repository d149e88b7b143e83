"""Plain calls of the native library: one C call each, whose answer is a bytes object that nobody else has to free.

``src/ffi/c_abi.rs`` is the other side. UniFFI's calls take longer, and an exception between their steps leaves what
they have brought without an owner.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, NoReturn

from remotemedia._interpreter import FAILED, PATH
from remotemedia._lib import NativeError, native, reraise

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "LATER",
    "feed",
    "flush",
    "group_take",
    "live_take",
    "run",
    "run_start",
    "run_take",
]

LATER = b"\x09"
"""All of an answer: the run would take longer, and was not begun."""

_with_lock, _without_lock = ctypes.PyDLL(PATH), ctypes.CDLL(PATH)
_U64, _I64, _BYTES = ctypes.c_uint64, ctypes.c_int64, ctypes.c_char_p


def _raise_failure() -> NoReturn:
    """Raise the failure of the last of these calls on this thread."""
    try:
        native.raw_failure()
    except NativeError as error:
        reraise(error)
    raise AssertionError("the call has not failed")


def _checked(answer: bytes, _call: object, _arguments: object) -> bytes:
    if answer == FAILED:
        _raise_failure()
    return answer


def _started(code: int, _call: object, _arguments: object) -> int:
    if code != 0:
        _raise_failure()
    return code


def _answers(name: str, *arguments: Any) -> Callable[..., bytes]:
    """Return a call that answers with bytes, or raises; it gives the interpreter's lock away while it works."""
    call: Any = getattr(_with_lock, name)
    call.argtypes = arguments
    call.restype = ctypes.py_object
    call.errcheck = _checked
    return call  # type: ignore[no-any-return]


run = _answers("remotemedia_run", _U64, _BYTES, _U64, _U64)
"""Handle of a pipeline, batch and its length, options (1 lenient, 2 metrics)."""
run_take = _answers("remotemedia_run_take", _U64)
"""Number of a run."""
feed = _answers("remotemedia_session_feed", _U64, _BYTES, _U64, _I64, _I64, _I64)
"""Handle of a session, batch and its length, position of the source or -1, ticks and denominator of the time."""
flush = _answers("remotemedia_session_flush", _U64, _I64, _I64)
"""Handle of a session, dtype and whether there is one axis of the bare arrays that went in."""
live_take = _answers("remotemedia_live_take", _U64, _U64, _I64, _I64, _U64)
"""Handle of a live stream, how many, dtype and whether there is one axis, number of the owner of its buffers."""
group_take = _answers("remotemedia_group_take", _U64, _U64, _I64, _I64)
"""Handle of a group, how many, dtype and whether there is one axis."""

run_start: Any = _without_lock.remotemedia_run_start
"""Handle of a pipeline, batch and its length, options, timeout in ms (0: none), number of the run."""
run_start.argtypes = [_U64, _BYTES, _U64, _U64, _U64, _U64]
run_start.restype = _I64
run_start.errcheck = _started
