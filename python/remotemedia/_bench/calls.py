"""What a call costs: short runs, asyncio, errors, compiling, importing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from time import perf_counter, perf_counter_ns
from typing import Any

import numpy as np

import remotemedia as rm
from remotemedia._bench.measure import Contender, Figure, Row, compare, percentile, pinned, summarise
from remotemedia.runtime import execute_pipeline_with_input

__all__ = ["rows"]

_FRAME = np.zeros(960, np.float32)


def _passes(count: int) -> rm.Pipeline:
    return rm.Pipeline([rm.nodes.PassThrough() for _ in range(count)])


def rows(effort: float) -> Iterator[tuple[str, Callable[[], Row]]]:
    """Yield the id of each row and what measures it; ``effort`` of 1 is a full run."""

    def n(full: int, least: int = 20) -> int:
        return max(least, int(full * effort))

    yield "call: Pipeline.run of 960 float32", lambda: _run_960(n(3000))
    yield "call: Pipeline.run beside a busy Python thread", lambda: _busy(n(200))
    yield "call: five PassThrough and one", lambda: _five(n(3000))
    yield "call: PassThrough of 60 s and of 1 s", lambda: _no_copy(n(300))
    yield "call: an error with its excerpt", lambda: _error(n(500))
    yield "asyncio: execute_pipeline_with_input of 960 float32", lambda: _async(n(3000))
    yield "asyncio: lag of a 1 ms ticker while 60 s are resampled", lambda: _ticker_long(n(20, 3))
    yield "asyncio: lag of a 5 ms ticker beside 20,000 short awaits", lambda: _ticker_short(n(20_000, 500))
    yield "manifest: 10,000 nodes compiled", lambda: _compile(n(7, 1))
    yield "import: remotemedia, more than numpy and asyncio", lambda: _import(n(15, 3))


def _run_960(rounds: int) -> Row:
    pipe = _passes(1)
    with pinned() as alone:
        figures = compare(
            [Contender("Pipeline.run", lambda: pipe.run(_FRAME)), Contender("numpy: x.copy()", _FRAME.copy)], rounds
        )
    note = "pinned to one core" if alone else "not pinned"
    return Row("call: Pipeline.run of 960 float32", "us", figures, None, goal="p50 at most 20 us", note=note)


@contextlib.contextmanager
def _busy_thread() -> Iterator[None]:
    stop = False

    def spin() -> None:
        count = 0
        while not stop:
            count += 1

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop = True
        thread.join()


def _busy(rounds: int) -> Row:
    pipe = _passes(1)
    times: dict[str, list[int]] = {}
    blocks = min(10, rounds)

    def block(name: str) -> None:
        for _ in range(-(-rounds // blocks)):
            start = perf_counter_ns()
            pipe.run(_FRAME)
            times.setdefault(name, []).append(perf_counter_ns() - start)

    # In turns, block by block: a thread that comes and goes with each call would be measured with it.
    for _ in range(blocks):
        for place in (contextlib.nullcontext, pinned):
            where = "pinned to one core" if place is pinned else "not pinned"
            with place():
                block(f"alone, {where}")
                with _busy_thread():
                    block(f"beside a busy thread, {where}")
    names = sorted(times, key=lambda name: (not name.startswith("beside"), name))
    figures = [summarise(name, times[name], []) for name in names]
    note = "each native call gives the GIL away and waits for it; Session.process keeps it"
    return Row("call: Pipeline.run beside a busy Python thread", "us", figures, note=note)


def _five(rounds: int) -> Row:
    one, five = _passes(1), _passes(5)
    with pinned():
        figures = compare(
            [Contender("five", lambda: five.run(_FRAME)), Contender("one", lambda: one.run(_FRAME))], rounds
        )
    more = (figures[0].median - figures[1].median) / 1000
    return Row("call: five PassThrough and one", "us", figures, note=f"{more:.2f} us more")


def _no_copy(rounds: int) -> Row:
    pipe = _passes(1)
    long, short = np.ones(60 * 48_000, np.float32), np.ones(48_000, np.float32)
    shared = np.shares_memory(pipe.run(long), long) and np.shares_memory(pipe.run(short), short)
    with pinned():
        figures = compare(
            [Contender("60 s", lambda: pipe.run(long)), Contender("1 s", lambda: pipe.run(short))], rounds
        )
    row = Row("call: PassThrough of 60 s and of 1 s", "us", figures, figures[0].median / figures[1].median)
    row.goal, row.note = "1: no copy", "the result shares the caller's memory" if shared else "COPIED"
    row.comparable = shared
    return row


def _error(rounds: int) -> Row:
    text = json.dumps({"version": "v1", "nodes": [{"id": "a", "node_type": "AudioResampel"}]}, indent=1)

    def fail() -> None:
        try:
            rm.Pipeline(text)
        except rm.ManifestError:
            return
        raise AssertionError("this manifest must fail")

    return Row("call: an error with its excerpt", "us", compare([Contender("ManifestError", fail)], rounds))


def _async(rounds: int) -> Row:
    nodes = [{"id": "same", "node_type": "PassThrough"}]
    manifest = json.dumps({"version": "v1", "metadata": {"name": "a"}, "nodes": nodes, "connections": []})

    def noop() -> None:
        pass

    async def measure() -> list[Figure]:
        loop = asyncio.get_running_loop()
        calls: list[tuple[str, Callable[[], Awaitable[Any]]]] = [
            ("execute_pipeline_with_input", lambda: execute_pipeline_with_input(manifest, [_FRAME])),
            ("loop.run_in_executor(None, noop)", lambda: loop.run_in_executor(None, noop)),
            ("asyncio.sleep(0)", lambda: asyncio.sleep(0)),
        ]
        times: list[list[int]] = [[] for _ in calls]
        for number in range(rounds + 50):
            for index, (_, call) in enumerate(calls):
                start = perf_counter_ns()
                await call()
                if number >= 50:
                    times[index].append(perf_counter_ns() - start)
        return [summarise(name, times[index], []) for index, (name, _) in enumerate(calls)]

    figures = asyncio.run(measure())
    row = Row("asyncio: execute_pipeline_with_input of 960 float32", "us", figures)
    row.ratio, row.goal = figures[0].median / figures[1].median, "at most 1, wanted 0.5"
    return row


async def _lags(work: Awaitable[object], period_s: float) -> list[float]:
    """Return by how much a ticker woke too late while the work was awaited, in nanoseconds."""
    lags: list[float] = []
    done = asyncio.Event()

    async def tick() -> None:
        while not done.is_set():
            start = perf_counter()
            await asyncio.sleep(period_s)
            lags.append(max(0.0, perf_counter() - start - period_s) * 1e9)

    ticker = asyncio.create_task(tick())
    await work
    done.set()
    await ticker
    return sorted(lags)


def _ticker_row(id: str, lags: list[float], goal: str) -> Row:
    figure = Figure("lag", percentile(lags, 0.5), percentile(lags, 0.99), None, len(lags))
    return Row(id, "us", [figure], goal=goal, note=f"largest {lags[-1] / 1e6:.2f} ms")


def _ticker_long(rounds: int) -> Row:
    pipe = rm.Pipeline([rm.nodes.AudioResample(target_rate=16_000)])
    audio = rm.Audio(np.random.default_rng(1).standard_normal(60 * 48_000).astype(np.float32), 48_000)

    async def work() -> None:
        for _ in range(rounds):
            await pipe.run_async(audio)

    lags = asyncio.run(_lags(work(), 0.001))
    return _ticker_row("asyncio: lag of a 1 ms ticker while 60 s are resampled", lags, "p99 at most 2 ms")


def _ticker_short(count: int) -> Row:
    pipe = _passes(1)

    async def work() -> None:
        for _ in range(count):
            await pipe.run_async(_FRAME)

    lags = asyncio.run(_lags(work(), 0.005))
    return _ticker_row("asyncio: lag of a 5 ms ticker beside 20,000 short awaits", lags, "p99 at most 5 ms")


def _compile(rounds: int) -> Row:
    nodes = [{"id": f"n{number}", "node_type": "PassThrough"} for number in range(10_000)]
    connections = [{"from": f"n{number}", "to": f"n{number + 1}"} for number in range(9_999)]
    text = json.dumps({"version": "v1", "nodes": nodes, "connections": connections})
    figures = compare([Contender("rm.Pipeline(text)", lambda: rm.Pipeline(text))], rounds)
    return Row("manifest: 10,000 nodes compiled", "ms", figures, goal="under 1 s")


def _import(rounds: int) -> Row:
    def start(code: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, "-c", code], check=True)

    figures = compare(
        [
            Contender("import remotemedia", start("import numpy, asyncio, remotemedia")),
            Contender("import numpy, asyncio", start("import numpy, asyncio")),
        ],
        rounds,
    )
    # The child's time is not in this process's CPU time.
    figures = [Figure(one.name, one.median, one.p99, None, one.calls) for one in figures]
    more = (figures[0].median - figures[1].median) / 1e6
    return Row("import: remotemedia, more than numpy and asyncio", "ms", figures, note=f"{more:.0f} ms more")
