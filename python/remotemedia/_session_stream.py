"""A session over an iterable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Iterable
from typing import TYPE_CHECKING, cast

from remotemedia._beside import beside
from remotemedia._turn import let_others_run
from remotemedia.errors import InputTypeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from remotemedia._output import Output
    from remotemedia._session import Session

__all__ = ["SessionStream"]


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
                outputs = await self._beside(session.feed, item)
            for out in outputs:
                yield out
            await let_others_run()
        for out in await self._beside(session._rest):
            yield out

    async def _beside(self, call: Callable[..., list[Output]], *arguments: object) -> list[Output]:
        """Work on a thread of its own. Who leaves meanwhile does not wait for a node that is at work."""
        try:
            return await beside(call, *arguments)
        except asyncio.CancelledError:
            self._session._give_up()
            raise


async def _items(source: Iterable[object] | AsyncIterable[object]) -> AsyncIterator[object]:
    if isinstance(source, AsyncIterable):
        async for item in source:
            yield item
    else:
        for item in source:
            yield item
