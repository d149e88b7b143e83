"""Who owns what is native: an object that is made before it, so that no exception can leave it without an owner.

The object is a capsule over a number. Native code keeps what belongs to the number until Python frees the capsule, by C
code that no signal interrupts.
"""

from __future__ import annotations

import ctypes
import itertools
from typing import Any, NamedTuple

from remotemedia._interpreter import PATH

__all__ = ["Owner", "own", "own_run"]

_library = ctypes.PyDLL(PATH)
_new: Any = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(
    ("PyCapsule_New", ctypes.pythonapi)
)
_END = ctypes.cast(_library.remotemedia_owner_end, ctypes.c_void_p).value
_END_RUN = ctypes.cast(_library.remotemedia_run_end, ctypes.c_void_p).value
_next_number = itertools.count(1).__next__


class Owner(NamedTuple):
    """The number that native code is told, and the capsule that is kept as long as what it owns."""

    number: int
    capsule: object


def own() -> Owner:
    """Return an owner of memory that is to come."""
    number = _next_number()
    return Owner(number, _new(number, None, _END))


def own_run() -> Owner:
    """Return an owner of a run that is to come, and of what is lent for it."""
    number = _next_number()
    return Owner(number, _new(number, None, _END_RUN))
