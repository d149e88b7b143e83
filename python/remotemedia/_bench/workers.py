"""What nodes written in Python cost: in this process, and in a worker process beside multiprocessing's ways."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from multiprocessing import shared_memory
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np

import remotemedia as rm
from remotemedia._bench.measure import Contender, Figure, Row, compare, percentile, summarise

__all__ = ["Burn", "Identity", "Inverts", "InvertsInPlace", "Sleeper", "rows"]

_FRAME = np.random.default_rng(1).standard_normal(960).astype(np.float32) * 0.1
_PICTURE = np.random.default_rng(2).integers(0, 256, 1920 * 1080 * 3, np.uint8)


class Identity:
    """Gives back what it gets."""

    def process(self, data: Any) -> Any:
        return data


class Inverts:
    """Makes another picture."""

    def process(self, data: Any) -> Any:
        return np.invert(data)


class InvertsInPlace:
    """Makes another picture where the host sees it."""

    def process(self, data: Any) -> Any:
        return np.invert(data, out=rm.empty(data.shape, data.dtype))


class Sleeper:
    """Never answers within a benchmark."""

    def process(self, data: Any) -> Any:
        time.sleep(60)


class Burn:
    """Some milliseconds of Python."""

    def process(self, data: Any) -> Any:
        total = 0
        for number in range(60_000):
            total += number
        return data


def rows(effort: float) -> Iterator[tuple[str, Callable[[], Row]]]:
    """Yield the id of each row and what measures it; ``effort`` of 1 is a full run."""

    def n(full: int, least: int) -> int:
        return max(least, int(full * effort))

    yield "worker: round trip of 960 float32", lambda: _round_trips(_FRAME, n(10, 1), 300)
    yield "worker: round trip of 6 MB, an array", lambda: _round_trips(_PICTURE, n(6, 1), n(20, 2))
    yield "worker: 6 MB inverted, into rm.empty", lambda: _into_empty(n(6, 1), n(20, 2))
    yield "worker: idle CPU of host and worker", lambda: _idle(max(0.5, 60 * effort))
    yield "worker: start to first frame", lambda: _start(n(10, 2))
    yield "worker: two workers against one, work of Python alone", lambda: _two(n(200, 20))
    yield "worker: kill to the error of who waits", lambda: _kill(n(40, 3))
    yield "node: a function of Python in this process, 960 float32", lambda: _inline(n(20_000, 500))


def _pipe(name: str, **execution: object) -> rm.Pipeline:
    node = rm.nodes.Python(class_=f"{__name__}:{name}")
    return rm.Pipeline([node.with_execution(**execution) if execution else node], allow_python=True)


def _echo(kind: str, channel: Any, back: Any, shape: tuple[int, ...], dtype: str, block: str) -> None:
    """Give back what comes, in a child process."""
    if kind == "send":
        while True:
            channel.send(channel.recv())
    if kind == "bytes":
        array = np.empty(shape, dtype)
        while True:
            channel.recv_bytes_into(array)
            channel.send_bytes(array)
    if kind == "queue":
        while True:
            back.put(channel.get())
    memory = shared_memory.SharedMemory(name=block)
    view = np.ndarray(shape, dtype, memory.buf)
    while True:
        channel.recv_bytes()
        view[...] = view.copy()
        channel.send_bytes(b"x")


def _peer(kind: str, array: Any, stack: ExitStack) -> Callable[[], Any]:
    """Start a child, and return a round trip of the array through it."""
    context = multiprocessing.get_context("spawn")
    ours: Any
    theirs: Any
    back: Any = None
    block = ""
    view: Any = None
    if kind == "queue":
        ours = theirs = context.Queue()
        back = context.Queue()
    else:
        ours, theirs = context.Pipe()
    if kind == "memory":
        memory = shared_memory.SharedMemory(create=True, size=array.nbytes)
        stack.callback(memory.unlink)
        view = np.ndarray(array.shape, array.dtype, memory.buf)
        block = memory.name
    child = context.Process(target=_echo, args=(kind, theirs, back, array.shape, array.dtype.str, block), daemon=True)
    child.start()
    stack.callback(child.join, 5)
    stack.callback(child.kill)
    got = np.empty_like(array)

    def send() -> Any:
        ours.send(array)
        return ours.recv()

    def raw() -> Any:
        ours.send_bytes(array)
        ours.recv_bytes_into(got)
        return got

    def queue() -> Any:
        ours.put(array)
        return back.get()

    def shared() -> Any:
        view[...] = array
        ours.send_bytes(b"x")
        ours.recv_bytes()
        return view.copy()

    return {"send": send, "bytes": raw, "queue": queue, "memory": shared}[kind]


def _round_trips(array: Any, rounds: int, calls: int) -> Row:
    small = array.nbytes < 100_000
    with ExitStack() as stack:
        # Of a session without a rate, arrays are arrays and not audio.
        rate = 48_000 if small else None
        session = stack.enter_context(_pipe("Identity", placement="process").session(sample_rate=rate))
        if small:
            ours: Callable[[], Any] = lambda: session.process(array)  # noqa: E731
        else:
            picture = array.reshape(1080, 1920, 3)
            ours = partial(_fed, session, picture)
        names = {
            "bytes": "Pipe.send_bytes, recv_bytes_into",
            "send": "Pipe.send, recv of the array",
            "queue": "Queue",
            "memory": "shared_memory, woken by a pipe",
        }
        contenders = [Contender("a node in a worker", ours)]
        contenders += [Contender(name, _peer(kind, array, stack)) for kind, name in names.items()]
        for contender in contenders:
            if not np.array_equal(np.ravel(contender.call()), array):  # type: ignore[call-overload]
                raise AssertionError(f"{contender.name} does not give the array back")
        timed: rm.Session | None = None
        if small:
            # The same again, for the time of the node alone: without the way from Python to the engine and back.
            timed = stack.enter_context(_pipe("Identity", placement="process").session(sample_rate=rate, metrics=True))
            contenders.append(Contender("the same, in Rust", partial(timed.process, array)))
        else:
            frame = rm.VideoFrame(array.reshape(1080, 1920, 3), "rgb24")
            contenders.append(Contender("a node in a worker, a VideoFrame", partial(_fed, session, frame)))
        figures = compare(contenders, rounds, calls)
        if timed is not None:
            node = timed.metrics()["node_metrics"][0]
            times = (node["p50_duration_us"] * 1e3, node["p99_duration_us"] * 1e3)
            figures[-1] = Figure("the same, in Rust", *times, None, node["execution_count"])
    unit = "us" if small else "ms"
    name = "960 float32" if small else "6 MB, an array"
    row = Row(f"worker: round trip of {name}", unit, figures, figures[0].median / figures[1].median)
    send = figures[2].median / figures[0].median
    row.note = f"{send:.1f} times as fast as Pipe.send; p99 {figures[0].p99 / figures[1].p99:.2f} of raw bytes"
    row.goal = "at most 1.5 of raw bytes; 2 times Pipe.send" if small else "0.33 of raw bytes; 10 times Pipe.send"
    return row


def _fed(session: rm.Session, item: Any) -> Any:
    return session.feed(item)[0].data


def _into_empty(rounds: int, calls: int) -> Row:
    picture = _PICTURE.reshape(1080, 1920, 3)
    expected = np.invert(picture)
    with ExitStack() as stack:
        contenders: list[Contender] = []
        for name, text in (("InvertsInPlace", "out=rm.empty(...)"), ("Inverts", "a new array")):
            session = stack.enter_context(_pipe(name, placement="process").session())
            contenders.append(Contender(text, partial(_fed, session, picture)))
            if not np.array_equal(_fed(session, picture), expected):
                raise AssertionError(f"{name} does not invert")
        figures = compare(contenders, rounds, calls)
    return Row("worker: 6 MB inverted, into rm.empty", "ms", figures, figures[0].median / figures[1].median)


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def _worker_pid(session: rm.Session) -> int:
    """Return the one child of this process that is a worker."""
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            if b"remotemedia.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
    raise RuntimeError("no worker was found")


def _idle(seconds: float) -> Row:
    with _pipe("Identity", placement="process").session(sample_rate=48_000, channels=1) as session:
        session.process(_FRAME)
        pids = (os.getpid(), _worker_pid(session))
        before = [_cpu_ticks(pid) for pid in pids]
        threading.Event().wait(seconds)
        spent = [(_cpu_ticks(pid) - was) / os.sysconf("SC_CLK_TCK") for pid, was in zip(pids, before, strict=True)]
    figures = [
        Figure(name, share / seconds * 1e9, share / seconds * 1e9)
        for name, share in zip(("host", "worker"), spent, strict=True)
    ]
    note = ", ".join(f"{one.name} {one.median / 1e7:.2f} %" for one in figures)
    return Row("worker: idle CPU of host and worker", "ms", figures, goal="under 0.5 %", note=f"CPU a second; {note}")


def _start(runs: int) -> Row:
    times: list[int] = []
    for _ in range(runs):
        pipe = _pipe("Identity", placement="process")
        began = perf_counter_ns()
        with pipe.session(sample_rate=48_000, channels=1) as session:
            session.process(_FRAME)
            times.append(perf_counter_ns() - began)
    return Row("worker: start to first frame", "ms", [summarise("start", times, [])], goal="at most 500 ms")


def _two(frames: int) -> Row:
    figures: list[Figure] = []
    for workers in (2, 1):
        pipe = _pipe("Burn", placement="process", workers=workers)
        with pipe.session(sample_rate=48_000) as first, pipe.session(sample_rate=48_000) as second:

            def work(session: rm.Session) -> None:
                for _ in range(frames):
                    session.process(_FRAME)

            for session in (first, second):
                session.process(_FRAME)
            threads = [threading.Thread(target=work, args=(session,)) for session in (first, second)]
            began = perf_counter_ns()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            took = (perf_counter_ns() - began) / (2 * frames)
        figures.append(Figure(f"workers: {workers}", took, took, None, 2 * frames))
    row = Row(
        "worker: two workers against one, work of Python alone", "us", figures, figures[0].median / figures[1].median
    )
    row.note = f"{figures[1].median / figures[0].median:.2f} times as fast"
    row.goal = "1.7 times as fast on two cores"
    return row


def _kill(runs: int) -> Row:
    times: list[int] = []
    pipe = _pipe("Sleeper", placement="process")
    for _ in range(runs):
        with closing(pipe.session(sample_rate=48_000)) as session:
            seen: list[int] = []

            def wait(session: rm.Session = session, seen: list[int] = seen) -> None:
                try:
                    session.process(_FRAME)
                except rm.WorkerCrashedError:
                    seen.append(perf_counter_ns())

            thread = threading.Thread(target=wait)
            thread.start()
            threading.Event().wait(0.02)
            killed = perf_counter_ns()
            os.kill(_worker_pid(session), signal.SIGKILL)
            thread.join()
            times.append(seen[0] - killed)
    times.sort()
    figure = Figure("error", percentile(times, 0.5), percentile(times, 0.99), None, len(times))
    return Row("worker: kill to the error of who waits", "ms", [figure], goal="p99 under 1000 ms")


def _inline(rounds: int) -> Row:
    node, audio = Identity(), rm.Audio(_FRAME, 48_000)
    plain = rm.Pipeline([rm.nodes.PassThrough()]).session(sample_rate=48_000, channels=1)
    with _pipe("Identity").session(sample_rate=48_000, channels=1) as session, plain:
        figures = compare(
            [
                Contender("Session.process, a class of Python", lambda: session.process(_FRAME)),
                Contender("Session.process, PassThrough", lambda: plain.process(_FRAME)),
                Contender("the function alone", lambda: node.process(audio)),
            ],
            rounds,
        )
    row = Row("node: a function of Python in this process, 960 float32", "us", figures)
    row.note = f"{(figures[0].median - figures[2].median) / 1e3:.1f} us over the function"
    row.goal = "at most 5 us over the function"
    return row
