"""One thread at a time, whatever exceptions come between any two steps.

A signal's handler may raise between the taking of a lock and the ``try`` that gives it back, and the lock is taken for
ever. So who finds it taken looks whether anybody is there.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from types import CodeType, FrameType

__all__ = ["is_inside", "wait_for_turn"]

_LOOK_S = 0.05
"""How long to wait before another look."""


def is_inside(owner: object, codes: Collection[CodeType]) -> bool:
    """Whether a thread is in one of these methods of ``owner``; the call that this is called from does not count."""
    own = sys._getframe(1)
    while own is not None and own.f_code not in codes:
        own = own.f_back  # type: ignore[assignment]
    for frame in list(sys._current_frames().values()):
        at: FrameType | None = frame
        while at is not None:
            if at is not own and at.f_code in codes and at.f_locals.get("self") is owner:
                return True
            at = at.f_back
    return False


def wait_for_turn(lock: threading.Lock, owner: object, codes: Collection[CodeType]) -> None:
    """Take a lock as soon as it is free, or when nobody is there who could give it back."""
    while not lock.acquire(timeout=_LOOK_S):
        if not is_inside(owner, codes):
            return
