"""Seeded schedules: what other threads do comes in the middle of a call, at each place where they may have their turn.

The interpreter changes threads when a Python function begins and when a call into C returns: `sys.setprofile` tells of
both. What the other thread does is done there, on this thread, so that a seed always gives the same order.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import remotemedia as rm

_OURS = os.path.dirname(rm.__file__)
_PLACES = frozenset(("call", "c_call", "c_return", "c_exception"))


class Others:
    """What other threads do while a call is under way.

    Parameters
    ----------
    place : int
        How many places pass before it is done.
    act : callable
        Does it. It gets the frame, and says whether it could be done there.
    """

    def __init__(self, place: int, act: Callable[[FrameType], bool]) -> None:
        self.left, self.act = place, act
        self.is_done = False

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        if event not in _PLACES or not frame.f_code.co_filename.startswith(_OURS):
            return
        self.left -= 1
        if self.left < 0 and not self.is_done:
            sys.setprofile(None)
            self.is_done = self.act(frame)
            if not self.is_done:
                sys.setprofile(self)

    def during(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Make the call."""
        sys.setprofile(self)
        try:
            return call(*arguments)
        finally:
            sys.setprofile(None)


def has_begun(frame: FrameType | None) -> bool:
    """Whether the call of the session that this frame belongs to has looked at the generation."""
    while frame is not None and frame.f_code.co_filename.startswith(_OURS):
        if "was" in frame.f_locals:
            return True
        frame = frame.f_back
    return False


def chooser(seed: int) -> random.Random:
    """A source of choices."""
    return random.Random(seed)
