"""One thread at a time, whatever exceptions come between any two steps.

A signal's handler may raise between the taking of a lock and the ``try`` that gives it back, and the lock is taken for
ever. So who finds it taken looks whether anybody is there.
"""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from types import CodeType, FrameType

__all__ = ["is_beneath", "is_inside", "wait_for_turn"]

_LOOK_S = 0.05
"""How long to wait before another look."""


def is_inside(owner: object, codes: Collection[CodeType]) -> bool:
    """Whether a thread is in one of these methods of ``owner``.

    The call that this is called from does not count, and neither does one that waits for its turn.
    """
    own = sys._getframe(1)
    while own is not None and own.f_code not in codes:
        own = own.f_back  # type: ignore[assignment]
    for frame in list(sys._current_frames().values()):
        at: FrameType | None = frame
        before: FrameType | None = None
        while at is not None:
            waits = before is not None and before.f_code is _WAITING
            if at is not own and not waits and at.f_code in codes and at.f_locals.get("self") is owner:
                return True
            before, at = at, at.f_back
    return False


def is_beneath(owner: object, codes: Collection[CodeType]) -> bool:
    """Whether this thread is in one of these methods of ``owner``, beneath the call that this is called from."""
    at = sys._getframe(2)
    while at is not None and not (at.f_code in codes and at.f_locals.get("self") is owner):
        at = at.f_back  # type: ignore[assignment]
    return at is not None


def wait_for_turn(lock: threading.Lock, owner: object, codes: Collection[CodeType]) -> None:
    """Take a lock as soon as it is free. It is made free when nobody is there who could give it back."""
    missing = 0
    while not lock.acquire(timeout=_LOOK_S):
        # Twice in a row: who has just taken it may still be here.
        missing = 0 if is_inside(owner, codes) else missing + 1
        if missing == 2:
            missing = 0
            with suppress(RuntimeError):  # It is free by now.
                lock.release()


_WAITING = wait_for_turn.__code__
