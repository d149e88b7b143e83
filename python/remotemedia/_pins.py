"""Memory lent to Rust, by the number of the run that it is lent for.

Rust reads arrays in place. The table, and not a coroutine's local, keeps them alive: a cancelled coroutine
drops its locals while a compute thread may still be reading. Rust puts the number on its released queue when
the last use has ended, or when the owner of the run has gone before it began; the table is drained at each call and
at shutdown.
"""

from __future__ import annotations

import atexit
import ctypes
import os

from remotemedia import _log
from remotemedia._lib import native

__all__ = ["drain", "end", "held", "pin"]

_pins: dict[int, object] = {}
_next_released = native.raw_next_released


def pin(run: int, memory: object) -> None:
    """Keep ``memory`` alive until Rust releases the run."""
    _pins[run] = memory


def held() -> int:
    """Return for how many runs memory is held."""
    return len(_pins)


def drain() -> None:
    """Let go of everything that Rust has released."""
    run = 0
    while _pins:
        # The one before is taken off the list now that it was let go.
        run = _next_released(run)
        if run == 0:
            return
        _pins.pop(run, None)


def end() -> None:
    """Stop native work, then let go: compute threads have joined when `raw_shutdown` returns."""
    native.raw_shutdown()
    # Workers have said their last words.
    _log.stop()
    drain()
    # A node that never returns may still read the rest: it must not be freed under it.
    for memory in _pins.values():
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(memory))


# In a forked child the old runtime is forgotten, together with what it had borrowed.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=native.raw_after_fork)
atexit.register(end)
