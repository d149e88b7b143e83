"""A session over an iterable, and how its awaits share the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterable, Iterable
from time import perf_counter
from typing import TYPE_CHECKING, cast

from remotemedia.errors import InputTypeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from remotemedia._output import Output
    from remotemedia._session import Session

__all__ = ["SessionStream", "let_others_run"]

_YIELD_S = 0.001
"""How long an event loop may go without its turn."""


class SessionStream:
    """The outputs of `Session.stream`, for ``for`` and ``async for``."""

    __slots__ = ("_session", "_source")

    def __init__(self, session: Session, source: Iterable[object] | AsyncIterable[object]) -> None:
        if not isinstance(cast("object", source), (Iterable, AsyncIterable)):
            raise InputTypeError(f"the source is of type {type(source).__name__}, expected an iterable of frames")
        self._session = session
        self._source = source

    def __iter__(self) -> Iterator[Output]:
        source = self._source
        if not isinstance(source, Iterable):
            raise InputTypeError("the source is an asynchronous iterable: use `async for`")
        session = self._session
        for item in source:
            yield from session._feed_quickly(item)
        yield from session._rest()

    async def __aiter__(self) -> AsyncIterator[Output]:
        session = self._session
        async for item in _items(self._source):
            if session._is_short(item):
                outputs = session._feed_quickly(item)
            else:
                outputs = await asyncio.to_thread(session.feed, item)
            for out in outputs:
                yield out
            await let_others_run()
        for out in session._rest():
            yield out


class _Turn(threading.local):
    """When this thread's event loop last got control, as far as we know."""

    at: float = 0.0


_turn = _Turn()


async def let_others_run() -> None:
    """Give the event loop its turn once a millisecond: calls that never wait would starve it."""
    if perf_counter() - _turn.at > _YIELD_S:
        await asyncio.sleep(0)
        _turn.at = perf_counter()


async def _items(source: Iterable[object] | AsyncIterable[object]) -> AsyncIterator[object]:
    if isinstance(source, AsyncIterable):
        async for item in source:
            yield item
    else:
        for item in source:
            yield item
