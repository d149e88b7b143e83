"""Python nodes in live streams: several frames under way, nothing lost, no event loop held up."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import live_nodes  # noqa: F401 -- registers the classes that have a name
import numpy as np
import pytest

import remotemedia as rm

LIMIT = 30.0
IN_WORKER: dict[str, Any] = {"placement": "process", "stop_timeout_ms": 1000}

linux = pytest.mark.skipif(sys.platform != "linux", reason="worker processes are for Linux")
places = pytest.mark.parametrize("execution", [{}, pytest.param(IN_WORKER, marks=linux)], ids=["here", "worker"])


def pipe_of(name: str, execution: dict[str, Any], **params: Any) -> rm.Pipeline:
    node = rm.nodes.Python(class_=f"live_nodes:{name}", params=params)
    return rm.Pipeline([node.with_execution(**execution) if execution else node], allow_python=True)


def named(name: str, execution: dict[str, Any], **params: Any) -> rm.Pipeline:
    return rm.Pipeline([{"id": "n", "node_type": name, "params": params, "execution": execution}])


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, LIMIT))


async def there(path: Path) -> None:
    while not path.exists():
        await asyncio.sleep(0.002)


@places
def test_a_push_does_not_wait_for_the_node(tmp_path, execution):
    async def main() -> None:
        async with pipe_of("Gated", execution, folder=str(tmp_path)).session() as session:
            for name in "abc":
                await session.push(name)
            await there(tmp_path / "a.begun")
            # The loop is free: it is this thread that lets the node go on.
            for name in "abc":
                (tmp_path / name).touch()
            session.end()
            assert [out.data[0] async for out in session] == ["a", "b", "c"]

    run(main())


@linux
def test_frames_of_a_node_without_state_are_spread_and_come_back_in_order(tmp_path):
    execution = {**IN_WORKER, "workers": 2}

    async def main() -> None:
        async with named("LnStateless", execution, folder=str(tmp_path)).session() as session:
            for name in "abcd":
                await session.push(name)
            # The second one begins while the first has not ended: in another process.
            await there(tmp_path / "a.begun")
            await there(tmp_path / "b.begun")
            for name in "dcba":
                (tmp_path / name).touch()
            session.end()
            outputs = [out.data async for out in session]
            assert [name for name, _ in outputs] == ["a", "b", "c", "d"]
            assert len({pid for _, pid in outputs}) == 2

    run(main())


@places
def test_as_many_frames_are_under_way_as_the_node_says(tmp_path, execution):
    async def main() -> None:
        pipe = pipe_of("Gated", {**execution, "max_in_flight": 8}, folder=str(tmp_path))
        names = [str(n) for n in range(10)]
        async with pipe.session(queue=1) as session:
            # One in the queue of the session, two before the node, seven more at the node.
            for name in names:
                await asyncio.wait_for(session.push(name), LIMIT / 2)
            await there(tmp_path / "0.begun")
            assert not (tmp_path / "1.begun").exists(), "an instance works on one at a time"
            for name in names:
                (tmp_path / name).touch()
            session.end()
            assert [out.data[0] async for out in session] == names

    run(main())


@places
def test_a_parameter_changes_between_the_frames_that_it_came_between(tmp_path, execution):
    async def main() -> None:
        pipe = named("LnSettings", execution, log=str(tmp_path / "log"))
        async with pipe.session() as session:
            session.set_param("n", "factor", 2)  # Before the first push.
            for factor in (2, 3, 4):
                await session.push("x")
                session.set_param("n", "factor", factor + 1)
                assert (await session.next()).data == "x" * factor  # type: ignore[union-attr]

    run(main())


@places
def test_a_model_is_loaded_once_and_before_the_first_frame(tmp_path, execution):
    log = tmp_path / "log"
    pipe = named("LnSettings", execution, log=str(log))

    async def pushed() -> None:
        async with pipe.session() as session:
            assert log.read_text() == "setup\n"
            await session.push("x")
            assert (await session.next()).data == "x"  # type: ignore[union-attr]
        assert log.read_text() == "setup\n"

    run(pushed())
    with pipe.session() as session:
        before = log.read_text()
        assert session.feed("x")[0].data == "x"
        assert log.read_text() == before, "loaded when the session opened"


@places
def test_a_session_that_is_not_awaited_loads_with_its_first_push(tmp_path, execution):
    log = tmp_path / "log"
    pipe = named("LnSettings", execution, log=str(log))

    async def main() -> None:
        with pipe.session() as session:
            assert not log.exists(), "the loop would wait for it"
            await asyncio.gather(*(session.push("x") for _ in range(3)))
            session.end()
            assert [out.data async for out in session] == ["x"] * 3
        assert log.read_text() == "setup\n"

    run(main())


@linux
def test_a_setup_that_fails_is_told_where_the_session_is_awaited(tmp_path):
    async def main() -> None:
        pipe = named("LnSettings", IN_WORKER, log=str(tmp_path / "no folder" / "log"))
        with pytest.raises(rm.WorkerStartError, match="no folder"):
            async with pipe.session():
                pass

    run(main())


@linux
@pytest.mark.parametrize("on_crash", ["fail", "skip"])
def test_a_stream_goes_on_after_its_worker_was_started_again(on_crash):
    execution = {**IN_WORKER, "restart": "always", "on_crash": on_crash, "max_in_flight": 1}

    async def main() -> None:
        async with pipe_of("Fails", execution).session() as session:
            for text in ("a", "die", "b"):
                await session.push(text)
            session.end()
            assert (await session.next()).data == "a"  # type: ignore[union-attr]
            assert (await session.next()).data is None, "the gap"  # type: ignore[union-attr]
            if on_crash == "fail":
                with pytest.raises(rm.WorkerCrashedError, match="7"):
                    await session.next()
            assert [out.data async for out in session] == ["b"]

    run(main())


@places
def test_frames_behind_one_that_fails_are_not_lost(execution):
    pipe = pipe_of("Fails", {**execution, "on_error": "skip"})
    texts = [text for n in range(10) for text in (str(n), "bad")]
    assert [out for out in pipe.run(*texts) if out is not None] == [str(n) for n in range(10)]

    async def main() -> None:
        async with pipe.session() as session:
            for text in texts:
                await session.push(text)
            session.end()
            assert [out.data async for out in session] == [str(n) for n in range(10)]

    run(main())


@places
def test_results_before_a_failure_are_given_first(execution):
    async def main() -> None:
        async with pipe_of("Fails", execution).session() as session:
            for text in ("a", "b", "bad"):
                await session.push(text)
            assert [(await session.next()).data for _ in "ab"] == ["a", "b"]  # type: ignore[union-attr]
            with pytest.raises(rm.NodeError, match="bad"):
                await session.next()
            session.reset()
            await session.push("c")
            assert (await session.next()).data == "c"  # type: ignore[union-attr]

    run(main())


class Told(logging.Handler):
    """Says when a record with certain words has come."""

    def __init__(self, words: str) -> None:
        super().__init__(logging.DEBUG)
        self.words, self.came = words, threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if self.words in record.getMessage():
            self.came.set()


@places
def test_frames_that_an_interrupt_has_made_useless_are_not_begun(tmp_path, execution):
    """Whoever speaks next does not wait for what was still to be said before."""
    told = Told("not wanted any more")
    logger = logging.getLogger("remotemedia")
    level = logger.level
    logger.addHandler(told)
    logger.setLevel(logging.DEBUG)
    rm.log_to_python("debug")

    async def main() -> None:
        async with pipe_of("Gated", execution, folder=str(tmp_path)).session(metrics=True) as session:
            for name in "abc":
                await session.push(name)
            await there(tmp_path / "a.begun")
            # All three are at the node.
            while session.metrics()["node_metrics"][0]["frames_in"] < 3:
                await asyncio.sleep(0.002)
            session.interrupt()
            await asyncio.to_thread(told.came.wait, LIMIT)
            await session.push("d")
            for name in "ad":
                (tmp_path / name).touch()
            assert (await session.next()).data[0] == "d"  # type: ignore[union-attr]
        assert not (tmp_path / "b.begun").exists() and not (tmp_path / "c.begun").exists()

    try:
        run(main())
    finally:
        logger.removeHandler(told)
        logger.setLevel(level)
        rm.log_to_python("info")


@places
def test_nothing_of_before_comes_after_an_interrupt(tmp_path, execution):
    async def main() -> None:
        async with pipe_of("Gated", execution, folder=str(tmp_path)).session() as session:
            for name in "abc":
                await session.push(name)
            await there(tmp_path / "a.begun")
            session.interrupt()
            for name in "abcd":
                (tmp_path / name).touch()
            await session.push("d")
            session.end()
            assert [(out.data[0], out.generation) async for out in session] == [("d", 1)]

    run(main())


@places
def test_what_a_generator_yields_comes_as_it_is_yielded(tmp_path, execution):
    async def main() -> None:
        async with pipe_of("Steps", execution, folder=str(tmp_path)).session() as session:
            await session.push("a")
            for step in range(3):
                assert (await session.next()).data == ["a", step]  # type: ignore[union-attr]
                (tmp_path / f"a{step}").touch()

    run(main())


def test_a_node_is_closed_when_it_has_done_its_work_and_not_by_the_loop(tmp_path):
    async def main() -> None:
        pipe = pipe_of("Closes", {"max_in_flight": 2}, folder=str(tmp_path))
        session = pipe.session(queue=1, metrics=True)
        for name in "ab":
            await session.push(name)
        while session.metrics()["node_metrics"][0]["frames_in"] < 2:
            await asyncio.sleep(0.002)
        # The result of the first one fills the queue, so nobody waits for the second one's.
        (tmp_path / "a").touch()
        await there(tmp_path / "b.begun")
        session.close()
        (tmp_path / "b").touch()
        await there(tmp_path / "closed")
        assert (tmp_path / "closed").read_text() == "False False"

    run(main())


@linux
@pytest.mark.parametrize("on_crash", ["fail", "skip"])
def test_a_changed_parameter_outlives_its_worker(on_crash):
    execution = {**IN_WORKER, "restart": "always", "restart_delay_ms": 1, "on_crash": on_crash}
    with named("LnFactor", execution).session() as session:
        assert session.feed(2)[0].data == 2
        session.set_param("n", "factor", 5)
        assert session.feed(2)[0].data == 10
        try:
            assert [out.data for out in session.feed("die")] == [None]
        except rm.WorkerCrashedError:
            assert on_crash == "fail"
        assert session.feed(2)[-1].data == 10


@linux
def test_frames_behind_lost_ones_keep_their_times(tmp_path):
    """Every second frame was in the worker that has ended."""
    execution = {
        **IN_WORKER,
        "workers": 2,
        "restart": "always",
        "restart_delay_ms": 1,
        "on_crash": "skip",
        "max_in_flight": 4,
    }

    async def main() -> None:
        pipe = named("LnOnce", execution, once=str(tmp_path / "once"))
        found = []
        async with pipe.session(sample_rate=8000) as session:
            for n in range(8):
                await session.push(rm.Audio(np.full(800, n, np.float32), 8000))
            session.end()
            async for out in session:
                if out.data is not None:
                    found.append((int(out.data.samples[0]), out.pts))
        assert len(found) >= 4 and found[0][0] > 0
        assert [(n, pts) for n, pts in found if pts * 10 != n] == []

    run(main())


@places
@pytest.mark.parametrize("name", ["Endless", "EndlessLater"])
@pytest.mark.parametrize("how", ["interrupt", "close"])
def test_a_generator_that_nobody_listens_to_any_more_ends(tmp_path, execution, name, how):
    """Barge-in: what comes next does not wait for the rest of what was being said."""

    async def main() -> None:
        pipe = pipe_of(name, execution, folder=str(tmp_path))
        async with pipe.session(queue=2) as session:
            await session.push("a")
            assert (await session.next()).data == ["a", 0]  # type: ignore[union-attr]
            if how == "interrupt":
                session.interrupt()
                await session.push("b")
                assert (await session.next()).data == ["b", 0]  # type: ignore[union-attr]
                (tmp_path / "a.ended").unlink()
        await there(tmp_path / ("b.ended" if how == "interrupt" else "a.ended"))

    run(main())


@places
@pytest.mark.parametrize("name", ["Endless", "EndlessLater"])
def test_a_generator_waits_for_who_takes_its_results(tmp_path, execution, name):
    """However fast it is: what it has yielded does not pile up."""

    async def main() -> None:
        async with pipe_of(name, execution, folder=str(tmp_path)).session(queue=2) as session:
            await session.push("a")
            for step in range(300):
                assert (await session.next()).data == ["a", step]  # type: ignore[union-attr]
                # Two in the queue, some in the channel or the inbox, some between.
                assert int((tmp_path / "count").read_text()) <= step + 40

    run(main())


# --- short frames in this process: their memory is used again, unless the node keeps it ------------------------------


def frames_of(count: int, frames: int = 480, channels: int = 1) -> list[np.ndarray[Any, Any]]:
    random = np.random.default_rng(5)
    shape = (frames,) if channels == 1 else (frames, channels)
    return [random.standard_normal(shape).astype(np.float32) for _ in range(count)]


@pytest.mark.parametrize("channels", [1, 2])
def test_a_node_may_keep_what_it_gets(channels):
    with pipe_of("Keeps", {}).session(48000, channels) as session:
        total = np.zeros_like(frames_of(1, channels=channels)[0])
        for n, frame in enumerate(frames_of(20, channels=channels)):
            total = total + frame
            np.testing.assert_allclose(session.process(frame), total, rtol=0, atol=1e-4, err_msg=f"frame {n}")


def node_of(process: Any) -> rm.Pipeline:
    @rm.node(name="LnHere")
    class Here:
        def process(self, data: Any) -> Any:
            return process(data)

    return rm.Pipeline([{"node_type": "LnHere"}])


@pytest.mark.parametrize(
    "process",
    [
        lambda audio: audio,
        lambda audio: rm.Audio(audio.samples, audio.sample_rate),
        lambda audio: rm.Audio(audio.samples[::-1], audio.sample_rate),
        lambda audio: rm.Audio(audio.samples.astype(np.float64), audio.sample_rate),
        lambda audio: rm.Audio(audio.samples[: audio.frames // 2], audio.sample_rate),
        lambda audio: (rm.Audio(part, audio.sample_rate) for part in np.split(audio.samples, 4)),
    ],
    ids=["same", "view", "reversed", "float64", "shorter", "generator"],
)
def test_every_frame_is_what_the_function_makes_of_it(process):
    expected = []
    for frame in frames_of(12):
        made = process(rm.Audio(frame, 48000))
        parts = [made] if isinstance(made, rm.Audio) else list(made)
        expected.append(np.concatenate([part.samples for part in parts]).astype(np.float32))
    with node_of(process).session(48000) as session:
        for frame, right in zip(frames_of(12), expected, strict=True):
            given = np.concatenate([out.data for out in session.feed(frame)])
            np.testing.assert_array_equal(given, right)


def test_frames_of_changing_length_and_nothing_for_some():
    def process(audio: rm.Audio) -> rm.Audio | None:
        return None if audio.samples[0] > 1 else audio

    with node_of(process).session(48000) as session:
        for n, frames in enumerate([480, 480, 480, 960, 960, 480, 1, 1, 1, 20_000, 20_000, 20_000, 480, 480] * 3):
            frame = np.full(frames, 2 if n % 5 == 4 else n / 100, np.float32)
            outputs = session.feed(frame)
            assert len(outputs) == (0 if n % 5 == 4 else 1)
            assert all(np.array_equal(out.data, frame) for out in outputs)


def test_the_input_cannot_be_written_to():
    def process(audio: rm.Audio) -> rm.Audio:
        with pytest.raises(ValueError, match="read-only"):
            audio.samples[0] = 1
        return audio

    with node_of(process).session(48000) as session:
        for frame in frames_of(5):
            np.testing.assert_array_equal(session.process(frame), frame)


def test_a_failure_names_the_frame_and_the_next_stream_is_whole():
    count = 0

    def process(audio: rm.Audio) -> rm.Audio:
        nonlocal count
        count += 1
        if count == 7:
            raise ValueError("the seventh")
        return audio

    with node_of(process).session(48000) as session:
        for n, frame in enumerate(frames_of(12)):
            if n == 6:
                with pytest.raises(rm.NodeError, match="the seventh") as failed:
                    session.process(frame)
                assert "ValueError" in str(failed.value)
                session.reset()
            else:
                np.testing.assert_array_equal(session.process(frame), frame)


def test_two_sessions_in_turns_and_a_child_process():
    pipe = node_of(lambda audio: rm.Audio(audio.samples * 2, audio.sample_rate))
    with pipe.session(48000) as one, pipe.session(48000) as other:
        for frame in frames_of(10):
            np.testing.assert_array_equal(one.process(frame), frame * 2)
            np.testing.assert_array_equal(other.process(-frame), frame * -2)
        if not hasattr(os, "fork"):
            return
        child = os.fork()
        if child == 0:
            try:
                with pipe.session(48000) as own:
                    right = all(np.array_equal(own.process(frame), frame * 2) for frame in frames_of(10))
                os._exit(0 if right else 3)
            finally:
                os._exit(4)
        end = time.monotonic() + LIMIT
        while (ended := os.waitpid(child, os.WNOHANG))[0] == 0:
            assert time.monotonic() < end, "the child hangs"
            time.sleep(0.01)
        assert os.waitstatus_to_exitcode(ended[1]) == 0
        np.testing.assert_array_equal(one.process(frames_of(1)[0]), frames_of(1)[0] * 2)


# --- pieces ---------------------------------------------------------------------------------------------------------


def test_a_segment_comes_whole_however_long_it_is():
    lengths: list[int] = []

    @rm.node(name="LnLengths", input="audio")
    class Lengths:
        def process(self, data: rm.Audio) -> None:
            lengths.append(data.frames)

    manifest = {
        "version": "v1",
        "nodes": [
            {"id": "vad", "node_type": "EnergyVAD"},
            {"id": "cut", "node_type": "Segmenter"},
            {"id": "lengths", "node_type": "LnLengths"},
        ],
        "connections": [
            {"from": "vad", "to": "cut", "to_port": "in"},
            {"from": "vad", "from_port": "probability", "to": "cut", "to_port": "vad"},
            {"from": "cut", "from_port": "segments", "to": "lengths"},
        ],
    }
    rate = 16000
    tone = 0.3 * np.sin(np.arange(rate * 20) * 0.3).astype(np.float32)
    quiet = np.zeros(rate * 3, np.float32)
    rm.Pipeline(manifest).run(rm.Audio(np.concatenate([quiet, tone, quiet]), rate))
    assert len(lengths) == 1
    assert lengths[0] >= len(tone) > 65_536
