"""Calls of a session from an event loop that must not be held up."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from remotemedia._beside import beside
from remotemedia._run import NATIVELY

if TYPE_CHECKING:
    from collections.abc import Callable

    from remotemedia._pipeline import Pipeline

__all__ = ["Work"]

_LONG_S = 0.001
"""A call that took longer than this is made in a thread from then on."""


class Work:
    """Makes calls one after the other: short ones at once, long ones on a thread beside the event loop.

    Whoever waits for a call may be cancelled; the call goes on for nobody, and the next one waits for its end.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        # Nobody knows how long a node in Python takes, and the thread of an event loop must not wait for a process.
        self._is_long = pipeline._compiled.runs != NATIVELY
        self._turn = asyncio.Lock()
        self._under_way: asyncio.Task[Any] | None = None

    async def call(self, call: Callable[..., Any], *arguments: Any, may_be_long: bool = False) -> Any:
        """Return what a call returns. After one of ``may_be_long`` the next ones are none the longer."""
        async with self._turn:
            if self._under_way is not None:
                await asyncio.wait((self._under_way,))
                self._under_way = None
            if not self._is_long:
                started = time.perf_counter()
                made = call(*arguments)
                # The first call opens the nodes, which takes longer than any other.
                self._is_long = time.perf_counter() - started > (20 * _LONG_S if may_be_long else _LONG_S)
                return made
            self._under_way = asyncio.create_task(beside(call, *arguments))
            self._under_way.add_done_callback(_look_at_error)
            return await asyncio.shield(self._under_way)


def _look_at_error(task: asyncio.Task[Any]) -> None:
    """Take note of an error that nobody waits for."""
    if not task.cancelled():
        task.exception()
