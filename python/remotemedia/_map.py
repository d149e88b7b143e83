"""Many clips through one pipeline on all cores, in order."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

from remotemedia._audio import whole_number
from remotemedia._inputs import Inputs
from remotemedia._json import quoted
from remotemedia._lib import NativeError, translate
from remotemedia._results import to_python
from remotemedia._run import Job
from remotemedia._words import counted
from remotemedia.errors import InputTypeError, RemoteMediaError

if TYPE_CHECKING:
    from typing import TextIO

    from remotemedia._run import Compiled

__all__ = ["Progress", "map_clips", "map_clips_async"]

Progress = bool | Callable[[int, "int | None"], object]
"""True draws a bar; a function is called with the number of clips done and of all clips, or None."""

_FAILURES: tuple[type[Exception], ...] = (RemoteMediaError, *NativeError)
_MOST_THREADS = 1024
_REDRAW_S = 0.1
"""The shortest time between two pictures of a bar."""
_NOTEBOOKS = ("ipykernel", "pyodide_kernel")
"""The packages whose output streams are a notebook's page: they are no terminals, and yet draw a line anew."""
_WAIT_MS = 50
"""How long a blocking wait stays in native code before Python looks for signals."""


class _Run:
    """Clips under way: as many as there are threads, and one more each, so that no thread waits for Python."""

    def __init__(self, pipeline: Compiled, clips: Iterable[object], threads: object, timeout_ms: int) -> None:
        if not isinstance(cast("object", clips), Iterable) or isinstance(clips, (str, bytes, dict)):
            raise InputTypeError(f"clips is of type {type(clips).__name__}, expected an iterable of items")
        try:
            self.total = len(cast("Any", clips)) if hasattr(clips, "__len__") else None
            self._clips = enumerate(clips)
        except TypeError:  # An array without axes.
            raise InputTypeError(f"clips is {quoted(clips)}, expected an iterable of items") from None
        self.results: list[Any] = []
        self._pipeline = pipeline
        self._most = 2 * _count(threads)
        self._timeout_ms = timeout_ms
        self._jobs: deque[tuple[Job, Inputs]] = deque()

    def fill(self) -> bool:
        """Start as many as fit. False when there is nothing left to wait for."""
        while len(self._jobs) < self._most:
            try:
                index, clip = next(self._clips)
            except StopIteration:
                break
            try:
                inputs = Inputs([clip])
                job = Job(self._pipeline, inputs, 0, self._timeout_ms)
            except _FAILURES as error:
                raise _of_clip(error, index) from None
            self._jobs.append((job, inputs))
        return bool(self._jobs)

    @property
    def first(self) -> Job:
        """The clip whose turn it is."""
        return self._jobs[0][0]

    def take(self) -> None:
        """Keep the result of the clip whose turn it was."""
        job, inputs = self._jobs.popleft()
        try:
            self.results.append(to_python(job.take(), self._pipeline.ports, inputs, False, job))
        except _FAILURES as error:
            raise _of_clip(error, len(self.results)) from None

    def stop(self) -> None:
        """Stop what is under way."""
        for job, _ in self._jobs:
            job.stop()


def map_clips(
    pipeline: Compiled, clips: Iterable[object], threads: object, progress: Progress | None, timeout_ms: int
) -> list[Any]:
    """Run each clip as a stream of its own; Ctrl-C stops all of them."""
    run = _Run(pipeline, clips, threads, timeout_ms)
    show = _progress(progress)
    try:
        show(0, run.total)
        while run.fill():
            while not run.first.wait(_WAIT_MS):
                pass
            run.take()
            show(len(run.results), run.total)
    except BaseException:
        run.stop()
        raise
    return run.results


async def map_clips_async(
    pipeline: Compiled, clips: Iterable[object], threads: object, progress: Progress | None, timeout_ms: int
) -> list[Any]:
    """Like `map_clips`, for asyncio: the loop gets a turn after every clip."""
    run = _Run(pipeline, clips, threads, timeout_ms)
    show = _progress(progress)
    try:
        show(0, run.total)
        while run.fill():
            await run.first.finished()
            await asyncio.sleep(0)
            run.take()
            show(len(run.results), run.total)
    except BaseException:
        run.stop()
        raise
    return run.results


def _of_clip(error: Exception, index: int) -> RemoteMediaError:
    """Return the error with the number of the clip: each is item 0 of its own stream."""
    known = error if isinstance(error, RemoteMediaError) else translate(error)
    return known._of_item(f"clip {index}: {str(known).removeprefix('item 0: ')}", index)


def _count(threads: object) -> int:
    if threads is None:
        affinity = getattr(os, "sched_getaffinity", None)
        return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    return whole_number("threads", threads, _MOST_THREADS)


def _progress(progress: Progress | None) -> Callable[[int, int | None], object]:
    if progress is None or progress is False:
        return lambda done, total: None
    if progress is True:
        return _Bar(sys.stderr)
    if not callable(progress):
        raise InputTypeError(f"progress is {progress!r}, expected True or a function of (done, total)")
    return progress


def _is_notebook(stream: object) -> bool:
    return type(stream).__module__.partition(".")[0] in _NOTEBOOKS


class _Bar:
    """A bar on a terminal or in a notebook; nothing where the output goes elsewhere."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream if stream is not None and (_is_notebook(stream) or stream.isatty()) else None
        self._next = 0.0

    def __call__(self, done: int, total: int | None) -> None:
        if self._stream is None:
            return
        # Every update is a message to a notebook's page.
        now = time.monotonic()
        if now < self._next and done != total:
            return
        self._next = now + _REDRAW_S
        if total is None:
            text = f"\r{counted(done, 'clip')}"
        else:
            filled = 30 * done // max(total, 1)
            text = f"\r[{'#' * filled}{'.' * (30 - filled)}] {done} of {counted(total, 'clip')}"
        end = "\n" if done == total else ""
        self._stream.write(text + end)
        self._stream.flush()
