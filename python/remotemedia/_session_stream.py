"""A session over an iterable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Iterable
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, cast

from remotemedia._beside import beside
from remotemedia._turn import let_others_run
from remotemedia.errors import BusyError, InputTypeError, RemoteMediaError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator

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
            yield from _present(session, session._feed_quickly(item))
        yield from _present(session, session._rest())

    async def __aiter__(self) -> AsyncIterator[Output]:
        session = self._session
        await _leave_earlier(session)
        items = _items(self._source)
        async for item in items:
            if session._live is not None or not session._is_short(item):
                break
            for out in _present(session, session._feed_quickly(item)):
                yield out
            await let_others_run()
        else:
            for out in _present(session, await _beside(session, session._rest)):
                yield out
            return
        reader = (_Live if session._streams_live() else _Ahead)(session, items, item)
        async with aclosing(reader.outputs()) as outputs:
            async for out in outputs:
                yield out


class _Reader:
    """Reads a source in a task of its own, so that it is read while nodes are at work."""

    def __init__(self, session: Session, items: AsyncIterator[object], first: object) -> None:
        self.session = session
        self.items = items
        # What has made it necessary, and the generation in which it was read.
        self.first = [(first, session._generation)]
        self.error: BaseException | None = None
        self.is_left = self.is_waiting = False
        session._streaming = self
        self.task = asyncio.create_task(self._read())

    async def outputs(self) -> AsyncGenerator[Output, None]:
        """Yield what comes out; at the end raise what the source has raised."""
        is_done = False
        try:
            while not is_done:
                if self.is_left:
                    raise BusyError("another stream() of this session has begun")
                self.is_waiting = True
                found = await self.take()
                self.is_waiting = False
                for out in _present(self.session, found or []):
                    yield out
                is_done = found is None
        finally:
            self.is_waiting = False
            await self.leave(is_done)
        if self.error is not None:
            raise self.error
        for out in _present(self.session, await self.rest()):
            yield out

    async def leave(self, is_done: bool = False) -> None:
        """Read no more, and give up what is under way. When this returns, the task has ended."""
        if self.is_left:
            return
        self.is_left = True
        self.session._streaming = None
        self.task.cancel()
        await asyncio.wait((self.task,))
        if not is_done:
            self.give_up()

    async def _read(self) -> None:
        try:
            await self.put(*self.first.pop())
            async for item in self.items:
                await self.put(item, self.session._generation)
                # Neither a source nor a queue that never waits keeps others from their turn.
                await let_others_run()
        except (Exception, asyncio.CancelledError) as error:
            if self.is_left:
                raise
            # It is raised after the results of before.
            self.error = error
        self.end()

    async def put(self, item: object, was: int) -> None:
        """Hand on an item of a generation; wait for room."""
        raise NotImplementedError

    def end(self) -> None:
        """Say that there are no more."""
        raise NotImplementedError

    async def take(self) -> list[Output] | None:
        """Wait for what comes out. None: everything did."""
        raise NotImplementedError

    async def rest(self) -> list[Output]:
        """Return what nodes hold back at the end."""
        return []

    def give_up(self) -> None:
        """Drop what is under way: nobody waits for it any more."""


class _Live(_Reader):
    """Over `push` and `next`: the nodes work at the same time, also those in other processes."""

    async def put(self, item: object, was: int) -> None:
        await self.session._push(item, None, None, was)

    def end(self) -> None:
        self.session._at_end = True
        with suppress(RemoteMediaError):  # Whoever takes the results is told.
            self.session.end()

    async def take(self) -> list[Output] | None:
        return await self.session.next_batch(1) or None

    def give_up(self) -> None:
        self.session._at_end = False
        self.session._give_up()


class _Ahead(_Reader):
    """Over `feed`, on a thread beside the event loop."""

    def __init__(self, session: Session, items: AsyncIterator[object], first: object) -> None:
        self.room = asyncio.Semaphore(session._queue)
        self.queue: asyncio.Queue[tuple[object, int] | None] = asyncio.Queue()
        super().__init__(session, items, first)

    async def put(self, item: object, was: int) -> None:
        await self.room.acquire()
        self.queue.put_nowait((item, was))

    def end(self) -> None:
        self.queue.put_nowait(None)

    async def take(self) -> list[Output] | None:
        one = await self.queue.get()
        if one is None:
            return None
        self.room.release()
        item, was = one
        session = self.session
        if was != session._generation:
            return []
        return await _beside(session, session._feed, item, None, None, was)

    async def rest(self) -> list[Output]:
        return await _beside(self.session, self.session._rest)


async def _leave_earlier(session: Session) -> None:
    """End what an earlier stream has left: who breaks out of a loop does not wait for its end."""
    earlier = session._streaming
    if isinstance(earlier, _Reader):
        if earlier.is_waiting:
            raise BusyError("another stream() of this session waits for results")
        await earlier.leave()
    if session._at_end:
        session.reset()


def _present(session: Session, outputs: list[Output]) -> Iterator[Output]:
    """Yield outputs as long as they are of the present: the stream may be interrupted between two of them."""
    for out in outputs:
        if out.generation >= session._generation:
            yield out


async def _beside(session: Session, call: Callable[..., list[Output]], *arguments: object) -> list[Output]:
    """Work on a thread of its own. Who leaves meanwhile does not wait for a node that is at work."""
    try:
        return await beside(call, *arguments)
    except asyncio.CancelledError:
        session._give_up()
        raise


async def _items(source: Iterable[object] | AsyncIterable[object]) -> AsyncIterator[object]:
    if isinstance(source, AsyncIterable):
        async for item in source:
            yield item
    else:
        for item in source:
            yield item
