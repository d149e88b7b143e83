"""Timing: contenders take turns, so that a machine that gets slower does so for all of them."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from time import perf_counter_ns, process_time_ns
from typing import Any

__all__ = ["Contender", "Figure", "Row", "compare", "cpu_ratio", "percentile", "pinned", "summarise"]


@dataclass(frozen=True)
class Contender:
    """Something to time: a name and a call."""

    name: str
    call: Callable[[], object]


@dataclass(frozen=True)
class Figure:
    """What one contender took, in nanoseconds a call; bytes where the unit of the row is MB."""

    name: str
    median: float
    p99: float
    cpu_median: float | None = None
    """CPU time of the whole process a call; None when it was not taken."""
    calls: int = 0


@dataclass
class Row:
    """One comparison."""

    id: str
    """Stable: the README's claims name it."""
    unit: str
    figures: list[Figure] = field(default_factory=list)
    ratio: float | None = None
    """The first figure divided by the second, on what `compares` says."""
    compares: str = "wall"
    goal: str = ""
    note: str = ""
    comparable: bool = True
    """False when a peer's result was not equivalent, or a peer is missing: then there is no ratio."""

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as a dict that `json.dumps` takes."""
        return asdict(self)


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` (0 to 1) of the sorted values lie, the nearest rank."""
    if not sorted_values:
        raise ValueError("no values")
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]


def summarise(name: str, wall: list[int], cpu: list[float]) -> Figure:
    """Return the figure of a contender from its calls' times and its rounds' CPU times a call."""
    ordered = sorted(wall)
    cpu_median = percentile(sorted(cpu), 0.5) if cpu else None
    return Figure(name, percentile(ordered, 0.5), percentile(ordered, 0.99), cpu_median, len(ordered))


def compare(
    contenders: Sequence[Contender],
    rounds: int,
    calls: int = 1,
    clock: Callable[[], int] = perf_counter_ns,
    cpu_clock: Callable[[], int] = process_time_ns,
) -> list[Figure]:
    """Time each contender ``calls`` times in each of ``rounds`` rounds, in turns, after one round to warm up."""
    wall: list[list[int]] = [[] for _ in contenders]
    cpu: list[list[float]] = [[] for _ in contenders]
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds + 1):
            for index, contender in enumerate(contenders):
                call = contender.call
                times: list[int] = []
                cpu_start = cpu_clock()
                for _ in range(calls):
                    start = clock()
                    call()
                    times.append(clock() - start)
                spent = (cpu_clock() - cpu_start) / calls
                if number > 0:
                    wall[index].extend(times)
                    cpu[index].append(spent)
    finally:
        if was_enabled:
            gc.enable()
    return [summarise(one.name, wall[index], cpu[index]) for index, one in enumerate(contenders)]


def _threads() -> list[int]:
    """Return the ids of all threads of the process, those of the library among them."""
    try:
        return [int(name) for name in os.listdir("/proc/self/task")]
    except OSError:
        return [0]


def _keep(thread: int, cores: set[int]) -> None:
    # A thread may have ended since it was listed.
    with contextlib.suppress(OSError):
        os.sched_setaffinity(thread, cores)


def cpu_ratio(row: Row) -> float:
    """Return the CPU time of a row's first figure divided by that of the second."""
    ours, theirs = (one.cpu_median or one.median for one in row.figures[:2])
    return ours / theirs


@contextlib.contextmanager
def pinned() -> Iterator[bool]:
    """Keep the process on one core while this lasts, where the system allows it; says whether it does.

    All threads are kept there, not the caller's alone, and all are let go: a thread starts on the cores of the thread
    that starts it, so a compute thread that a pinned row starts would stay on one core in every row behind it.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield False
        return
    before = os.sched_getaffinity(0)
    others: dict[int, set[int]] = {}
    for thread in _threads():
        with contextlib.suppress(OSError):
            others[thread] = os.sched_getaffinity(thread)
    try:
        os.sched_setaffinity(0, {max(before)})
    except OSError:
        yield False
        return
    for thread in others:
        _keep(thread, {max(before)})
    try:
        yield True
    finally:
        os.sched_setaffinity(0, before)
        for thread in _threads():
            _keep(thread, others.get(thread, before))
