"""One run of a pipeline: where it computes, and how a thread or an event loop waits for it."""

from __future__ import annotations

import asyncio
import json
import math
from typing import TYPE_CHECKING, Any

from remotemedia._inputs import SMALL_BYTES, Inputs, is_slow
from remotemedia._lib import NativeError, reraise
from remotemedia._results import Port, to_python
from remotemedia._turn import had_turn, let_others_run
from remotemedia.errors import InputTypeError, InputValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remotemedia._lib import NativePipeline
    from remotemedia._results import Ports
    from remotemedia.errors import RemoteMediaError

__all__ = ["ELSEWHERE", "IN_PYTHON", "NATIVELY", "Compiled", "Unusable", "milliseconds", "run", "run_async"]

NATIVELY, IN_PYTHON, ELSEWHERE = range(3)
"""What runs the nodes of a pipeline: the library, Python in this process, another process that is waited for."""

_WAIT_MS = 50
"""How long a blocking wait stays in native code before Python looks for signals."""


class Compiled:
    """A native pipeline and its result ports."""

    __slots__ = ("native", "ports", "runs", "try_run")

    def __init__(self, native: NativePipeline, runs: int = NATIVELY) -> None:
        self.native = native
        self.runs = runs
        self.ports: Ports = [Port(**port) for port in json.loads(native.raw_ports())]
        self.try_run = native.raw_try_run


class Unusable:
    """In the place of a pipeline that cannot be used: whatever is asked of it raises an error."""

    __slots__ = ("_why",)

    def __init__(self, kind: type[RemoteMediaError], reason: str) -> None:
        self._why = kind, reason

    def __getattr__(self, name: str) -> Any:
        kind, reason = self._why
        raise kind(reason)


def run(pipeline: Compiled, items: Sequence[object], *, lenient: bool, metrics: bool, timeout: float | None) -> Any:
    """Run on the caller's thread when short, else wait for a compute thread; Ctrl-C stops it."""
    timeout_ms = milliseconds(timeout)
    inputs = Inputs(items)
    try:
        if timeout_ms == 0 and inputs.byte_len <= SMALL_BYTES:
            answer = pipeline.try_run(inputs.for_call(), lenient | metrics << 1)
            if len(answer) != 1:
                return to_python(answer, pipeline.ports, inputs, metrics)
        job = pipeline.native.raw_start(inputs.lend(), lenient, metrics, timeout_ms)
        try:
            while not job.wait(_WAIT_MS):
                pass
        except BaseException:
            job.stop()
            raise
        results = job.take()
        return to_python(results.records(), pipeline.ports, inputs, metrics, results)
    except NativeError as error:
        reraise(error)


async def run_async(
    pipeline: Compiled, items: Sequence[object], *, lenient: bool, metrics: bool, timeout: float | None
) -> Any:
    """Run inline when short, with a turn for the loop once a millisecond; else await a compute thread."""
    timeout_ms = milliseconds(timeout)
    slow = is_slow(items)
    inputs = await asyncio.to_thread(Inputs, items) if slow else Inputs(items)
    try:
        if timeout_ms == 0 and not slow and inputs.byte_len <= SMALL_BYTES:
            await let_others_run()
            answer = pipeline.try_run(inputs.for_call(), lenient | metrics << 1)
            if len(answer) != 1:
                return to_python(answer, pipeline.ports, inputs, metrics)
        job = pipeline.native.raw_start(inputs.lend(), lenient, metrics, timeout_ms)
        try:
            await job.finished()
        except BaseException:
            job.stop()
            raise
        had_turn()
        results = job.take()
        answer = results.records()
        if slow and inputs.dicts:
            return await asyncio.to_thread(to_python, answer, pipeline.ports, inputs, metrics, results)
        return to_python(answer, pipeline.ports, inputs, metrics, results)
    except NativeError as error:
        reraise(error)


def milliseconds(timeout: float | None) -> int:
    """Return a timeout in whole milliseconds, 0 for none, or raise the error that names it."""
    if timeout is None:
        return 0
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise InputTypeError(f"timeout is {timeout!r}, expected seconds as a number")
    if not 0 < timeout <= 1e9:
        raise InputValueError(f"timeout is {timeout}, expected more than 0 seconds and at most 1e9")
    return math.ceil(timeout * 1000)
