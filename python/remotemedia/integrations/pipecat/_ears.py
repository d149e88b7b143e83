"""A session over what the user says."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from remotemedia.errors import RemoteMediaError
from remotemedia.integrations.pipecat._discard import discard

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from remotemedia._audio import Audio
    from remotemedia._output import Output
    from remotemedia._session import Session

__all__ = ["Ears"]


class _Heard(NamedTuple):
    audio: Audio
    format: tuple[int, int]


class Ears:
    """Feeds audio as it comes, in a task of its own: what it waits for holds up nobody, and nothing interrupts it.

    Parameters
    ----------
    open : callable
        Opens a session for a rate and a number of channels.
    push : callable
        Takes a result, and the seconds of audio before its stream began.
    fail : callable
        Takes an error. The stream begins anew after it; time goes on.
    """

    def __init__(
        self,
        open: Callable[[tuple[int, int]], Session],
        push: Callable[[Output, Fraction], Awaitable[None]],
        fail: Callable[[RemoteMediaError], Awaitable[None]],
    ) -> None:
        self._open, self._push, self._fail = open, push, fail
        self._queue: asyncio.Queue[_Heard | None] = asyncio.Queue()
        self._next: _Heard | None = None
        self._is_over = False
        self._before_s = Fraction(0)

    def take(self, audio: Audio) -> None:
        """Take audio."""
        self._queue.put_nowait(_Heard(audio, (audio.sample_rate, audio.channels)))

    def end(self) -> None:
        """Say that there is no more: `run` ends when all of it was worked on."""
        self._queue.put_nowait(None)

    async def run(self) -> None:
        """Work until `end`."""
        while (first := self._next or await self._queue.get()) is not None:
            self._next = None
            began = self._before_s
            session: Session | None = None
            try:
                session = self._open(first.format)
                async with aclosing(self._of_one_format(first)) as frames:
                    async for output in session.stream(frames):
                        await self._push(output, began)
            except RemoteMediaError as error:
                await self._fail(error)
            finally:
                discard(session)
            if self._is_over:
                return

    async def _of_one_format(self, first: _Heard) -> AsyncGenerator[Audio, None]:
        one: _Heard | None = first
        while one is not None:
            if one.format != first.format:
                self._next = one
                return
            self._before_s += Fraction(one.audio.frames, one.audio.sample_rate)
            yield one.audio
            one = await self._queue.get()
        self._is_over = True
