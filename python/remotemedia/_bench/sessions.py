"""What live streams cost: a frame through a session, asyncio over it, many streams at a time."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter_ns, process_time_ns
from typing import Any

import numpy as np

import remotemedia as rm
from remotemedia._bench import peers
from remotemedia._bench.measure import Contender, Figure, Row, compare, percentile, pinned, summarise

__all__ = ["rows"]

_FRAME = np.random.default_rng(1).standard_normal(960).astype(np.float32) * 0.1
_FORMAT = rm.AudioFormat(48_000, 1)


def rows(effort: float) -> Iterator[tuple[str, Callable[[], Row]]]:
    """Yield the id of each row and what measures it; ``effort`` of 1 is a full run."""

    def n(full: int, least: int = 50) -> int:
        return max(least, int(full * effort))

    yield "session: process of 960 float32 through PassThrough", lambda: _process(n(20_000))
    yield "session: ten more PassThrough", lambda: _more(rm.nodes.PassThrough(), "PassThrough", n(20_000))
    yield "session: ten more Gain", lambda: _more(rm.nodes.Gain(gain_db=0.1), "Gain", n(20_000))
    yield "session: process beside a busy Python thread", lambda: _busy(n(2000))
    yield "session: 48 -> 16 kHz in frames of 960", lambda: _resample(n(20_000))
    yield "session: asyncio, a frame", lambda: _asyncio(n(5000))
    yield "session: interrupt with 100 frames queued", lambda: _interrupt(n(200, 5))
    yield "session: 1,000 streams of 48 -> 16 kHz and SpeechVAD, a frame of 20 ms", lambda: _group(n(100, 5))


def _session(*nodes: rm.nodes.Node) -> rm.Session:
    return rm.Pipeline(list(nodes), input=_FORMAT).session()


def _soxr() -> Any:
    try:
        import soxr  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        return None
    return soxr.ResampleStream(48_000, 16_000, 1)


def _gstreamer() -> Callable[[], object] | None:
    """Return a round trip of a frame through GStreamer's identity, where its Python bindings are there."""
    gst = peers.gstreamer()
    if gst is None:
        return None
    caps = "audio/x-raw,format=F32LE,rate=48000,channels=1,layout=interleaved"
    pipe = gst.parse_launch(f"appsrc name=source format=time caps={caps} ! identity ! appsink name=sink sync=false")
    source, sink = pipe.get_by_name("source"), pipe.get_by_name("sink")
    pipe.set_state(gst.State.PLAYING)
    frame = _FRAME.tobytes()

    def round_trip() -> object:
        source.emit("push-buffer", gst.Buffer.new_wrapped(frame))
        buffer = sink.emit("pull-sample").get_buffer()
        _, memory = buffer.map(gst.MapFlags.READ)
        y = np.frombuffer(memory.data, np.float32).copy()
        buffer.unmap(memory)
        return y

    return round_trip


def _process(rounds: int) -> Row:
    session = _session(rm.nodes.PassThrough())
    contenders = [Contender("Session.process", lambda: session.process(_FRAME))]
    peer = _soxr()
    if peer is not None:
        contenders.append(Contender("soxr ResampleStream, 48 -> 16 kHz", lambda: peer.resample_chunk(_FRAME)))
    identity = _gstreamer()
    if identity is not None:
        contenders.append(Contender("GStreamer appsrc, identity, appsink", identity))
    with pinned() as alone:
        figures = compare(contenders, rounds)
    row = Row("session: process of 960 float32 through PassThrough", "us", figures)
    row.goal = "p50 at most 4 us and 0.5 of soxr's call; p99 within twice p50"
    row.note = "pinned to one core" if alone else "not pinned"
    if peer is not None:
        row.ratio = figures[0].median / figures[1].median
    return row


def _more(node: rm.nodes.Node, name: str, rounds: int) -> Row:
    one, eleven = _session(node), _session(*[node] * 11)
    with pinned():
        figures = compare(
            [
                Contender(f"eleven {name}", lambda: eleven.process(_FRAME)),
                Contender(f"one {name}", lambda: one.process(_FRAME)),
            ],
            rounds,
        )
    each = (figures[0].median - figures[1].median) / 10_000
    goal = "at most 0.1 us each" if name == "PassThrough" else "at most 0.5 us each"
    return Row(f"session: ten more {name}", "us", figures, goal=goal, note=f"{each:.3f} us each")


def _busy(rounds: int) -> Row:
    session = _session(rm.nodes.PassThrough())
    stop = False

    def spin() -> None:
        while not stop:
            pass

    figures: list[Figure] = []
    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    try:
        for place, where in ((contextlib.nullcontext, "not pinned"), (pinned, "pinned to one core")):
            with place():
                times: list[int] = []
                for _ in range(rounds):
                    start = perf_counter_ns()
                    session.process(_FRAME)
                    times.append(perf_counter_ns() - start)
            figures.append(summarise(f"beside a busy thread, {where}", times, []))
    finally:
        stop = True
        thread.join()
    note = "the 99th percentile is a turn of the other thread: Python changes threads every 5 ms"
    return Row("session: process beside a busy Python thread", "us", figures, goal="p50 under 20 us", note=note)


def _resample(rounds: int) -> Row:
    ours = rm.ResampleStream(48_000, 16_000, 1)
    contenders = [Contender("rm.ResampleStream", lambda: ours.resample_chunk(_FRAME))]
    peer = _soxr()
    if peer is not None:
        contenders.append(Contender("soxr ResampleStream HQ", lambda: peer.resample_chunk(_FRAME)))
    with pinned():
        figures = compare(contenders, rounds)
    row = Row("session: 48 -> 16 kHz in frames of 960", "us", figures)
    if peer is not None:
        row.ratio = figures[0].median / figures[1].median
    return row


def _asyncio(count: int) -> Row:
    pipe = rm.Pipeline([rm.nodes.PassThrough()], input=_FORMAT)

    async def streamed() -> int:
        async with pipe.session() as session:
            return sum([1 async for _ in session.stream(_FRAME for _ in range(count))])

    async def pushed(batch: int) -> int:
        async with pipe.session() as session:

            async def push() -> None:
                for _ in range(count):
                    await session.push(_FRAME)
                session.end()

            pusher = asyncio.create_task(push())
            got = 0
            if batch == 1:
                got = sum([1 async for _ in session])
            else:
                while outs := await session.next_batch(batch):
                    got += len(outs)
            await pusher
            return got

    async def batched() -> float:
        # Only the taking: what is there is taken in batches.
        async with pipe.session(queue=64) as session:
            spent = 0
            for _ in range(max(1, count // 64)):
                for _ in range(64):
                    await session.push(_FRAME)
                start = perf_counter_ns()
                outs = await session.next_batch(64)
                spent += perf_counter_ns() - start
                assert len(outs) == 64
            return spent / (64 * max(1, count // 64))

    figures: list[Figure] = []
    with pinned():
        for name, work in (
            ("async for over stream(source)", streamed),
            ("push and async for", lambda: pushed(1)),
            ("push and next_batch(64)", lambda: pushed(64)),
        ):
            times: list[float] = []
            for _ in range(5):
                start = perf_counter_ns()
                assert asyncio.run(work()) == count
                times.append((perf_counter_ns() - start) / count)
            figures.append(Figure(name, percentile(sorted(times), 0.5), max(times), None, len(times)))
        taken = sorted(asyncio.run(batched()) for _ in range(5))
        figures.append(Figure("next_batch(64) alone", percentile(taken, 0.5), taken[-1], None, len(taken)))
    note = "time of a whole run divided by its frames, of 960 float32 through PassThrough"
    goal = "async for at most 40 us a frame, at most 5 us in batches"
    return Row("session: asyncio, a frame", "us", figures, goal=goal, note=note)


def _interrupt(rounds: int) -> Row:
    pipe = rm.Pipeline([rm.nodes.AudioResample(target_rate=16_000)], input=_FORMAT)

    async def measure() -> list[int]:
        times: list[int] = []
        async with pipe.session(queue=200) as session:
            for _ in range(rounds):
                for _ in range(100):
                    await session.push(_FRAME)
                start = perf_counter_ns()
                session.interrupt()
                times.append(perf_counter_ns() - start)
        return times

    figures = [summarise("Session.interrupt", asyncio.run(measure()), [])]
    return Row("session: interrupt with 100 frames queued", "us", figures, goal="under 1 ms")


_MEMORY = """
import numpy as np
from remotemedia._bench.sessions import speech_pipeline, resident_bytes
pipe = speech_pipeline()
frames = np.random.default_rng(1).standard_normal((1000, 960)).astype(np.float32) * 0.1
with pipe.session_group(1) as one:
    one.push_many(frames[:1])
before = resident_bytes()
with pipe.session_group(1000) as group:
    for _ in range(3):
        group.push_many(frames)
    print((resident_bytes() - before) // 1000)
"""
"""Bytes a session, in a process that has done nothing else: freed memory elsewhere would hide them."""


def resident_bytes() -> int:
    """Return the resident memory of this process; 0 where the system does not say."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * 4096 if statm.exists() else 0


def speech_pipeline() -> rm.Pipeline:
    """Return the pipeline of the many streams: resampled, and where each one speaks."""
    manifest = rm.Pipeline([rm.nodes.AudioResample(target_rate=16_000), rm.nodes.SpeechVAD()]).manifest
    manifest["outputs"] = ["speech_vad.events"]
    return rm.Pipeline(manifest, input=_FORMAT)


def _group(rounds: int) -> Row:
    pipe = speech_pipeline()
    frames = np.tile(_FRAME, (1000, 1))
    child = subprocess.run([sys.executable, "-c", _MEMORY], check=True, capture_output=True, text=True)
    each_kb = int(child.stdout) / 1024
    with pinned(), pipe.session_group(1000) as group:
        for _ in range(3):
            group.push_many(frames)
        group.next_many()
        times: list[float] = []
        cpu: list[float] = []
        for _ in range(rounds):
            start, cpu_start = perf_counter_ns(), process_time_ns()
            group.push_many(frames)
            group.next_many()
            times.append((perf_counter_ns() - start) / 1000)
            cpu.append((process_time_ns() - cpu_start) / 1000)
    middle = percentile(sorted(times), 0.5)
    figure = Figure(
        "a frame of one stream", middle, percentile(sorted(times), 0.99), percentile(sorted(cpu), 0.5), rounds
    )
    note = f"{20_000 / (middle / 1000):,.0f} streams a core; {each_kb:.0f} KB a session"
    id = "session: 1,000 streams of 48 -> 16 kHz and SpeechVAD, a frame of 20 ms"
    return Row(id, "us", [figure], goal="at most 16 us of CPU a frame; at most 32 KB a session", note=note)
