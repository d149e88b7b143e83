"""The event loop's turn: calls that never wait would starve it."""

from __future__ import annotations

import asyncio
import threading
from time import perf_counter

__all__ = ["had_turn", "let_others_run"]

_YIELD_S = 0.001
"""How long calls may follow one another before the event loop gets a turn."""


class _Turn(threading.local):
    """When this thread's event loop last got control, as far as we know."""

    at: float = 0.0


_turn = _Turn()


def had_turn() -> None:
    """Note that the event loop of this thread has just had control."""
    _turn.at = perf_counter()


async def let_others_run() -> None:
    """Give the event loop its turn once a millisecond."""
    if perf_counter() - _turn.at > _YIELD_S:
        await asyncio.sleep(0)
        had_turn()
