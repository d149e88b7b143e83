"""One run of a pipeline: where it computes, and how a thread or an event loop waits for it."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from remotemedia import _calls
from remotemedia._beside import beside
from remotemedia._inputs import SMALL_BYTES, Inputs, is_slow
from remotemedia._lib import NativeError, native, reraise
from remotemedia._numbers import number_of
from remotemedia._owner import own_run
from remotemedia._results import Port, to_python
from remotemedia._turn import had_turn, let_others_run
from remotemedia.errors import InputTypeError, InputValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remotemedia._lib import NativePipeline
    from remotemedia._results import Ports
    from remotemedia.errors import RemoteMediaError

__all__ = ["ELSEWHERE", "IN_PYTHON", "NATIVELY", "Compiled", "Job", "Unusable", "milliseconds", "run", "run_async"]

NATIVELY, IN_PYTHON, ELSEWHERE = range(3)
"""What runs the nodes of a pipeline: the library, Python in this process, another process that is waited for."""

_COPIED_QUICKLY = 1024 * 1024
"""Input that native code copies (bytes, text, pictures), up to so many bytes, is copied on an event loop's thread."""
_WAIT_MS = 50
"""How long a blocking wait stays in native code before Python looks for signals."""


class Compiled:
    """A native pipeline and its result ports."""

    __slots__ = ("handle", "native", "ports", "runs")

    def __init__(self, native: NativePipeline, runs: int = NATIVELY) -> None:
        self.native = native
        self.runs = runs
        self.handle: int = native.raw_handle()
        self.ports: Ports = [Port(**port) for port in json.loads(native.raw_ports())]


class Job:
    """A run on a compute thread. It stops when this object goes, and lets go of all that was lent for it."""

    __slots__ = ("_owner", "number")

    def __init__(self, pipeline: Compiled, inputs: Inputs, options: int, timeout_ms: int) -> None:
        self._owner = own_run()
        self.number = self._owner.number
        batch = inputs.lend(self.number)
        _calls.run_start(pipeline.handle, batch, len(batch), options, timeout_ms, self.number)

    def wait(self, timeout_ms: int) -> bool:
        """Wait for the end in native code. Whether it has ended."""
        ended: bool = native.raw_run_wait(self.number, timeout_ms)
        return ended

    async def finished(self) -> None:
        """Wait for the end."""
        await native.raw_run_finished(self.number)

    def stop(self) -> None:
        """Stop it. Whoever waits is released."""
        native.raw_run_stop(self.number)

    def take(self) -> bytes:
        """Return the records, once."""
        return _calls.run_take(self.number)

    def raw_buffer(self, buffer: int, owner: int) -> int:
        """Give a buffer that the records name to the owner of a number; return its address."""
        address: int = native.raw_run_buffer(self.number, buffer, owner)
        return address


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
    options = lenient | metrics << 1
    try:
        if timeout_ms == 0 and inputs.byte_len <= SMALL_BYTES:
            answer = _try(pipeline, inputs, options)
            if answer is not None:
                return to_python(answer, pipeline.ports, inputs, metrics)
        job = Job(pipeline, inputs, options, timeout_ms)
        try:
            while not job.wait(_WAIT_MS):
                pass
        except BaseException:
            job.stop()
            raise
        return to_python(job.take(), pipeline.ports, inputs, metrics, job)
    except NativeError as error:
        reraise(error)


def _try(pipeline: Compiled, inputs: Inputs, options: int) -> bytes | None:
    """Run on this thread, if it is short. None: it is not."""
    batch = inputs.for_call()
    answer = _calls.run(pipeline.handle, batch, len(batch), options)
    return None if answer == _calls.LATER else answer


async def run_async(
    pipeline: Compiled, items: Sequence[object], *, lenient: bool, metrics: bool, timeout: float | None
) -> Any:
    """Run inline when short, with a turn for the loop once a millisecond; else await a compute thread.

    Long input and long results are converted on a thread beside the loop.
    """
    timeout_ms = milliseconds(timeout)
    options = lenient | metrics << 1
    slow = is_slow(items)
    inputs = await beside(Inputs, items) if slow else Inputs(items)
    try:
        if timeout_ms == 0 and not slow and inputs.byte_len <= SMALL_BYTES:
            await let_others_run()
            answer = _try(pipeline, inputs, options)
            if answer is not None:
                return to_python(answer, pipeline.ports, inputs, metrics)
        if inputs.copied_len > _COPIED_QUICKLY:
            job = await beside(Job, pipeline, inputs, options, timeout_ms)
        else:
            job = Job(pipeline, inputs, options, timeout_ms)
        try:
            await job.finished()
        except BaseException:
            job.stop()
            raise
        had_turn()
        # What was long to make may be long to read, however short it is: a hundred thousand events.
        return await beside(_taken, pipeline, inputs, metrics, job)
    except NativeError as error:
        reraise(error)


def _taken(pipeline: Compiled, inputs: Inputs, metrics: bool, job: Job) -> Any:
    return to_python(job.take(), pipeline.ports, inputs, metrics, job)


def milliseconds(timeout: float | None) -> int:
    """Return a timeout in whole milliseconds, 0 for none, or raise the error that names it."""
    if timeout is None:
        return 0
    seconds = number_of(timeout)
    if seconds is None:
        raise InputTypeError(f"timeout is {timeout!r}, expected seconds as a number")
    if not 0 < seconds <= 1e9:
        raise InputValueError(f"timeout is {timeout}, expected more than 0 seconds and at most 1e9")
    return math.ceil(seconds * 1000)
