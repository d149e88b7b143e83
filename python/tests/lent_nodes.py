"""Nodes that write their results into arrays of `rm.empty`."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import numpy as np

import remotemedia as rm
from remotemedia import _python_node


class Adds:
    """Adds one; `how` says what becomes of the array."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.kept: list[Any] = []
        self.out: Any = None

    def process(self, data: Any) -> Any:
        if isinstance(data, str) and data == "sent":
            # Nothing that a user could ask for: only the time it takes tells.
            return 0 if _python_node.lender is None else _python_node.lender.sent
        return getattr(self, self.how)(data)

    def sum(self, data: Any) -> Any:
        out = rm.empty(data.shape, data.dtype)
        np.add(data, data.dtype.type(1), out=out)
        return out

    def array(self, data: Any) -> Any:
        return self.sum(data)

    def flushes(self, data: Any) -> Any:
        self.last = data.copy()
        return self.sum(data)

    def flat(self, data: Any) -> Any:
        return self.sum(data).reshape(-1)

    def swapped(self, data: Any) -> Any:
        return self.sum(data).view(np.int8).view(np.uint8)

    def audio(self, audio: rm.Audio) -> rm.Audio:
        return rm.Audio(self.sum(audio.samples), audio.sample_rate)

    def video(self, frame: rm.VideoFrame) -> rm.VideoFrame:
        return rm.VideoFrame(self.sum(frame.data), "rgb24")

    def keeps_input(self, data: Any) -> Any:
        self.kept = [data.copy()]
        return self.sum(self.kept[0])

    def generator(self, data: Any) -> Iterator[Any]:
        for _ in range(3):
            yield self.sum(data)

    def generator_keeps(self, data: Any) -> Iterator[Any]:
        out = self.sum(data)
        yield out
        yield out

    async def _later(self, data: Any) -> Any:
        return self.sum(data)

    def coroutine(self, data: Any) -> Any:
        return self._later(data)

    def reused(self, data: Any) -> Any:
        if self.out is None:
            self.out = rm.empty(data.shape, data.dtype)
        np.add(data, np.uint8(1), out=self.out)
        return self.out

    def kept_all(self, data: Any) -> Any:
        self.kept.append(self.sum(data))
        return self.kept[-1]

    def kept_view(self, data: Any) -> Any:
        out = self.sum(data)
        self.kept.append(out[0, 0])
        return out

    def part(self, data: Any) -> Any:
        return self.sum(data)[:60]

    def dropped(self, data: Any) -> Any:
        out = rm.empty((120, 400, 3), np.uint8)
        if isinstance(data, str):
            raise ValueError("on purpose")
        out[...] = data

    def wraps(self, data: Any) -> Any:
        return rm.empty((np.int32(65_536), np.int32(65_552)), np.uint8)

    def forks(self, data: Any) -> Any:
        child = os.fork()
        if child == 0:
            out = rm.empty(1 << 20, np.uint8)
            os._exit(0 if out.flags.owndata else 1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def flush(self) -> Any:
        return self.flushes(self.last) if self.how == "flushes" else None

    def too_long(self, data: Any) -> Any:
        return rm.empty(2 << 20, np.uint8)

    def dies(self, data: Any) -> Any:
        self.out = self.sum(data)
        os.kill(os.getpid(), signal.SIGKILL)
