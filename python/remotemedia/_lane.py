"""The fast lane of a session: one plain C call a frame, over memory that both sides see.

UniFFI's calls cost more than the work on a short frame. ``src/ffi/lane.rs`` and ``src/ffi/raw.rs`` are the other side.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

from remotemedia._native.remotemedia import _UniffiLib  # pyright: ignore[reportUnknownVariableType]

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BUSY", "LONGER", "process_holding_gil", "process_without_gil", "unpack"]

_API_TEXT = b"remotemedia_lane_process(u64 lane, i64 frames) -> i64 frames | channels << 40, or -1, -2, -3"
"""What the C call is. Change it with the call, here and in ``src/ffi/lane.rs``."""

LONGER, BUSY = -2, -3
"""What a call gives when the result does not fit, and when another thread is in. -1: there is an error to raise."""

_path: str = _UniffiLib._name


def _fnv1a(text: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in text:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def _call(library: ctypes.CDLL) -> Callable[[int, int], int]:
    call: Any = library.remotemedia_lane_process
    call.argtypes = [ctypes.c_uint64, ctypes.c_int64]
    call.restype = ctypes.c_int64
    return call  # type: ignore[no-any-return]


def _checked() -> ctypes.CDLL:
    library = ctypes.CDLL(_path)
    try:
        api: Any = library.remotemedia_lane_api
    except AttributeError:
        api = None
    if api is not None:
        api.restype = ctypes.c_uint64
    if api is None or api() != _fnv1a(_API_TEXT):
        raise ImportError(
            f"{_path} is of another build than the Python files beside it; "
            "run: pip install --force-reinstall remotemedia"
        )
    return library


process_without_gil = _call(_checked())
"""For frames whose work takes longer than a switch of threads: others may run meanwhile."""
process_holding_gil = _call(ctypes.PyDLL(_path))
"""For short work: giving the GIL away costs more than a busy thread beside would gain."""


def unpack(code: int) -> tuple[int, int]:
    """Return the frames and channels in what a call gave."""
    return code & (1 << 40) - 1, code >> 40
