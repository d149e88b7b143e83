"""Who owns memory: views, writable results, borrowed arrays, and what cancelling leaves behind."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from collections.abc import Generator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from support import PASS, RESAMPLE, manifest, must, node, run_python

import remotemedia as rm
from remotemedia import _pins
from remotemedia.runtime import execute_pipeline_with_input

CHAIN = manifest(*(node(f"n{i}", "AudioResample", target_rate=rate) for i, rate in enumerate([48000, 44100] * 4)))
"""Work of a second or more for a long input."""


def released() -> int:
    """How many arrays are still lent, once Rust's releases are heard."""
    gc.collect()
    _pins.drain()
    return _pins.held()


def test_pass_through_returns_the_callers_own_memory() -> None:
    pipe = rm.Pipeline(PASS)
    x = np.arange(10, dtype=np.float32)
    y = pipe.run(x)
    assert y is not x
    assert np.shares_memory(x, y)
    y[0] = 7
    assert x[0] == 7
    frozen = x.copy()
    frozen.flags.writeable = False
    assert not pipe.run(frozen).flags.writeable
    wide = np.zeros((10, 4), np.float32)
    assert np.shares_memory(pipe.run(wide[:, ::2]), wide)
    audio = rm.Audio(x, 8000)
    assert np.shares_memory(pipe.run(audio).samples, x)
    loop = asyncio.run(execute_pipeline_with_input(PASS, [x]))
    assert np.shares_memory(loop, x)


def test_the_time_of_pass_through_does_not_grow_with_the_array() -> None:
    x = np.zeros(48000 * 600, np.float32)
    assert np.shares_memory(rm.Pipeline(PASS).run(x), x)
    assert np.shares_memory(asyncio.run(execute_pipeline_with_input(PASS, [x])), x)


def test_the_input_is_never_written() -> None:
    x = np.linspace(-1, 1, 4800, dtype=np.float32)
    before = x.copy()
    x.flags.writeable = False
    pipe = rm.Pipeline([rm.nodes.PassThrough(), rm.nodes.Gain(gain_db=6.0), rm.nodes.Gain(gain_db=6.0)])
    pipe.run(rm.Audio(x, 48000))
    np.testing.assert_array_equal(x, before)
    assert not x.flags.writeable


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_results_are_writable_and_outlive_everything(dtype: str) -> None:
    pipe = rm.Pipeline(RESAMPLE, input=rm.AudioFormat(48000, 1))
    x = (np.sin(np.arange(9600) / 30) * 1000).astype(dtype)
    y = pipe.run(x)
    expected = y.copy()
    part = y[100:200:3]
    assert y.flags.writeable
    assert y.flags.aligned
    del pipe, x, y
    gc.collect()
    others = [rm.resample(np.ones(9600, np.float32), 48000, 16000) for _ in range(20)]
    np.testing.assert_array_equal(part, expected[100:200:3])
    part[:] = 0
    assert all(other.any() for other in others)


def test_native_memory_is_freed_with_the_last_view() -> None:
    y = rm.resample(np.ones(480_000, np.float32), 48000, 16000)  # Short results are copied instead.
    part = y[10:20]
    owner = y
    while isinstance(owner, np.ndarray):
        owner = owner.base
    gone = weakref.ref(owner)
    del y, owner
    gc.collect()
    assert gone() is not None
    del part
    gc.collect()
    assert gone() is None


def test_a_result_is_wrapped_in_a_few_calls() -> None:
    """It once took a thousand of them on CPython 3.12: numpy asked the exporter for a buffer, which asked numpy."""
    pipe = rm.Pipeline(RESAMPLE)
    audio = rm.Audio(np.zeros(48_000, np.float32), 48_000)
    pipe.run(audio)
    calls: list[str] = []

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call":
            calls.append(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        pipe.run(audio)
    finally:
        sys.setprofile(None)
    assert len(calls) < 200, calls


def test_results_of_nothing() -> None:
    y = rm.Pipeline([rm.nodes.Gain(gain_db=1.0)]).run(rm.Audio(np.zeros(0, np.float32), 8000))
    assert y is None or y.frames == 0


def test_pins_are_released() -> None:
    start = released()
    pipe = rm.Pipeline(RESAMPLE)
    for _ in range(50):
        pipe.run(rm.Audio(np.zeros(960, np.float32), 48000))
        pipe.run(rm.Audio(np.zeros(96000, np.float32), 48000))
        rm.Pipeline(PASS).run(np.zeros(10), np.zeros((3, 3), np.int16), rm.VideoFrame(np.zeros((4, 4), np.uint8)))
        with pytest.raises(rm.RemoteMediaError):
            pipe.run(np.zeros(960, np.float32))
        with pytest.raises(rm.RemoteMediaError):
            pipe.run(np.zeros(960, np.float32), object())
    assert released() == start


def test_an_array_dies_with_its_last_use() -> None:
    pipe = rm.Pipeline(RESAMPLE)

    class Watched(np.ndarray[Any, Any]):
        pass

    memory = np.zeros(960, np.float32)
    gone = weakref.ref(memory)
    pipe.run(rm.Audio(memory, 48000))
    del memory
    assert released() == 0
    assert gone() is None


def test_cancelled_runs_keep_their_arrays_until_rust_has_let_go() -> None:
    """The array's last other reference dies at the cancel, while a compute thread may be reading it."""
    pipe = rm.Pipeline(CHAIN)

    async def one(delay: float) -> None:
        task = asyncio.create_task(pipe.run_async(rm.Audio(np.ones(44100 * 60, np.float32), 44100)))
        await asyncio.sleep(delay)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def many() -> None:
        for index in range(40):
            await one(index % 5 * 0.001)

    asyncio.run(many())
    # Runs that are stopping let go within a slice of work; the waiting here is bounded by their end, not by time.
    small = rm.Audio(np.zeros(44100, np.float32), 44100)
    for _ in range(200):
        pipe.run(small)
        if released() == 0:
            break
    assert released() == 0


def test_wait_for_acts_at_once_and_stops_the_work() -> None:
    pipe = rm.Pipeline(CHAIN)
    long = rm.Audio(np.zeros(44100 * 600, np.float32), 44100)

    async def main() -> float:
        loop = asyncio.get_running_loop()
        start = loop.time()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(pipe.run_async(long), 0.02)
        return loop.time() - start

    asyncio.run(main())
    # The pool is free again: a run that needs a thread ends.
    assert asyncio.run(pipe.run_async(rm.Audio(np.zeros(44100, np.float32), 44100))).frames > 0


def test_a_coroutine_that_is_thrown_away_stops_its_run() -> None:
    pipe = rm.Pipeline(CHAIN)

    async def main() -> None:
        coroutine = pipe.run_async(rm.Audio(np.zeros(44100 * 60, np.float32), 44100))
        task = asyncio.ensure_future(coroutine)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        never = pipe.run_async("x")
        never.close()

    asyncio.run(main())


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's memory from /proc")
def test_memory_is_flat_over_many_calls(tmp_path: Path) -> None:
    grown = must(
        run_python(
            f"""
            import asyncio, gc, numpy as np, remotemedia as rm
            from remotemedia.runtime import execute_pipeline_with_input as run

            def resident():
                gc.collect()
                return int(open("/proc/self/statm").read().split()[1]) * 4096

            pipe = rm.Pipeline({RESAMPLE!r})
            x = rm.Audio(np.zeros(4800, np.float32), 48000)
            big = rm.Audio(np.zeros(480000, np.float32), 48000)

            async def main(rounds):
                for _ in range(rounds):
                    await run({PASS!r}, [np.zeros(960, np.float32), "x", {{"a": [1, 2]}}])
                    pipe.run(x)
                for _ in range(rounds // 50):
                    await pipe.run_async(big)
                    task = asyncio.ensure_future(pipe.run_async(big))
                    await asyncio.sleep(0)
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)

            asyncio.run(main(1000))
            before = resident()
            asyncio.run(main(4000))
            print(resident() - before)
            """,
            cwd=tmp_path,
        )
    )
    # 8,000 calls of 4 to 19 KB of media: a leak of their data alone would be over 50 MB.
    assert int(grown) < 8_000_000


def test_who_writes_while_a_run_reads_gets_wrong_samples_and_nothing_worse() -> None:
    """Samples of before or of after: what is written meanwhile is read late or early, and nothing else is."""
    x = np.zeros(4_000_000, np.float32)
    pipe = rm.Pipeline([rm.nodes.Gain(gain_db=0.0), rm.nodes.Gain(gain_db=0.0)], input=rm.AudioFormat(48000, 1))

    async def main() -> Any:
        run = asyncio.ensure_future(pipe.run_async(x))
        value = 0.0
        while not run.done():
            value = 0.25 - value
            x[:] = value
            await asyncio.sleep(0)
        return await run

    out = asyncio.run(main())
    assert out.shape == x.shape
    assert np.isin(out, np.array([0.0, 0.25], np.float32)).all()


def test_what_ends_with_garbage_uses_its_session_to_the_last() -> None:
    seen: list[Any] = []

    def stream(session: rm.Session, own: list[Any]) -> Generator[None, None, None]:
        try:
            yield
        finally:
            seen.append((len(own), session.feed(rm.Audio(np.ones(160, np.float32), 16000)), session.flush()))
            session.close()

    def begin(session: rm.Session) -> None:
        own: list[Any] = []
        own.append(stream(session, own))  # Only the collector ends it, and what it alone holds.
        next(own[0])

    pipe = rm.Pipeline([rm.nodes.Gain(gain_db=0)])
    for _ in range(100):
        begin(pipe.session(sample_rate=16000, channels=1))
    gc.collect()
    assert len(seen) == 100
    for _, (out,), rest in seen:
        assert rest == []
        np.testing.assert_array_equal(out.data.samples, np.ones(160, np.float32))


def test_a_pipeline_that_ends_while_an_exception_is_on_its_way_leaves_it_alone() -> None:
    ended: list[int] = []

    @rm.node
    class Told:
        """Told of its end."""

        def process(self, audio: rm.Audio) -> rm.Audio:
            return audio

        def close(self) -> None:
            ended.append(len(ended))

    def used() -> Any:
        pipe = rm.Pipeline([{"node_type": "Told"}])
        pipe.run(rm.Audio(np.ones(160, np.float32), 16000))
        return pipe

    for _ in range(20):
        with pytest.raises(TypeError, match="not 'Pipeline'"):
            int(used())  # Nothing else has it: it ends while int() raises, and its node is told.
    assert ended == list(range(20))
