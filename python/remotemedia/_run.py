"""One run of a pipeline: where it computes, and how a thread or an event loop waits for it."""

from __future__ import annotations

import asyncio
import math
import threading
from time import perf_counter
from typing import TYPE_CHECKING, Any

from remotemedia._inputs import SMALL_BYTES, Inputs, is_slow
from remotemedia._lib import NativeError, reraise
from remotemedia._results import to_python
from remotemedia.errors import InputTypeError, InputValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remotemedia._lib import NativePipeline

__all__ = ["run", "run_async"]

_INLINE_NS = 500_000
"""The most work, by the nodes' own estimate, that runs on the caller's thread."""
_YIELD_S = 0.001
"""How long calls may follow one another before the event loop gets a turn."""
_WAIT_MS = 50
"""How long a blocking wait stays in native code before Python looks for signals."""


class _Turn(threading.local):
    """When this thread's event loop last got control, as far as we know."""

    at: float = 0.0


_turn = _Turn()


def run(
    pipeline: NativePipeline, items: Sequence[object], *, lenient: bool, metrics: bool, timeout: float | None
) -> Any:
    """Run on the caller's thread when short, else wait for a compute thread; Ctrl-C stops it."""
    timeout_ms = _milliseconds(timeout)
    inputs = Inputs(items)
    try:
        if timeout_ms == 0 and _short(pipeline, inputs):
            return to_python(pipeline.raw_run(inputs.batch, lenient, metrics), inputs, metrics)
        job = pipeline.raw_start(inputs.batch, lenient, metrics, timeout_ms)
        try:
            while not job.wait(_WAIT_MS):
                pass
        except BaseException:
            job.stop()
            raise
        return to_python(job.take(), inputs, metrics)
    except NativeError as error:
        reraise(error)


async def run_async(
    pipeline: NativePipeline, items: Sequence[object], *, lenient: bool, metrics: bool, timeout: float | None
) -> Any:
    """Run inline when short, with a turn for the loop once a millisecond; else await a compute thread."""
    timeout_ms = _milliseconds(timeout)
    slow = is_slow(items)
    inputs = await asyncio.to_thread(Inputs, items) if slow else Inputs(items)
    try:
        if timeout_ms == 0 and not slow and _short(pipeline, inputs):
            await _give_turn()
            return to_python(pipeline.raw_run(inputs.batch, lenient, metrics), inputs, metrics)
        job = pipeline.raw_start(inputs.batch, lenient, metrics, timeout_ms)
        try:
            await job.finished()
        except BaseException:
            job.stop()
            raise
        _turn.at = perf_counter()
        raw = job.take()
        if slow and inputs.dicts:
            return await asyncio.to_thread(to_python, raw, inputs, metrics)
        return to_python(raw, inputs, metrics)
    except NativeError as error:
        reraise(error)


def _short(pipeline: NativePipeline, inputs: Inputs) -> bool:
    return inputs.byte_len <= SMALL_BYTES and pipeline.raw_cost_ns(inputs.batch) <= _INLINE_NS


async def _give_turn() -> None:
    """Let other tasks run if none could for a millisecond: thousands of short awaits starve a loop otherwise."""
    if perf_counter() - _turn.at > _YIELD_S:
        await asyncio.sleep(0)
        _turn.at = perf_counter()


def _milliseconds(timeout: float | None) -> int:
    if timeout is None:
        return 0
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise InputTypeError(f"timeout is {timeout!r}, expected seconds as a number")
    if not 0 < timeout <= 1e9:
        raise InputValueError(f"timeout is {timeout}, expected more than 0 seconds and at most 1e9")
    return math.ceil(timeout * 1000)
