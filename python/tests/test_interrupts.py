"""An exception at any moment, as Ctrl-C or the handler of another signal raises it.

It is raised at every call and every return of a function, Python's and C's, one position after the other. After each,
the object works as before, what others own is as it was, and nothing is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import remotemedia as rm
from remotemedia import _pins
from remotemedia._lib import native

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

EVERY = int(os.environ.get("REMOTEMEDIA_EVERY", "1"))
"""One position of so many: `cargo xtask sanitize` runs these tests under valgrind, fifty times as slowly."""
FRAMES = 320
TAKEN = 3000
"""A longer frame: the staging memory has to grow."""


class Stop(KeyboardInterrupt):
    """What the handler raises."""


def interrupted(work: Callable[[], object], position: int, only: str = "") -> bool:
    """Do some work and raise at one of its events, in files of some name. False: it has fewer."""
    left = position

    def hook(frame: FrameType, event: str, argument: object) -> None:
        nonlocal left
        if argument is sys.setprofile or only not in frame.f_code.co_filename or is_ended(frame):
            return
        left -= 1
        if left < 0:
            sys.setprofile(None)
            raise Stop

    gc.disable()  # Nor while coroutines of before are: that comes after.
    sys.setprofile(hook)
    try:
        work()
    except Stop:
        return True
    finally:
        sys.setprofile(None)
        gc.enable()
    return left < 0


def is_ended(frame: FrameType | None) -> bool:
    """Whether an object is being ended: Python reports an exception there, and goes on."""
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


def at_every_position(work: Callable[[], object], check: Callable[[], object], step: int = 1, only: str = "") -> int:
    """Interrupt some work at every position, and check after each. How many there were."""
    position = 0
    while interrupted(work, position, only):
        check()
        position += step * EVERY
    return position // step


def kept() -> tuple[int, int]:
    """How many runs have memory of ours, and how many native things are owned."""
    gc.collect()
    for _ in range(200):
        _pins.drain()
        if _pins.held() == 0:
            break
        rm.Pipeline([rm.nodes.PassThrough()]).run(np.zeros(100_000))
    return _pins.held(), native.raw_owned()


def quiet(action: Callable[[], object]) -> None:
    """Try something that fails where the stream was interrupted in the middle."""
    with contextlib.suppress(rm.RemoteMediaError):
        action()


@pytest.fixture
def others() -> Any:
    """Arrays of others, which nobody may write to."""
    victims = [np.full(256 * 2**power, 7.0, np.float32) for power in range(4) for _ in range(8)]
    yield victims
    assert all((victim == 7).all() for victim in victims)


def test_a_frame_through_a_session(others: list[np.ndarray[Any, Any]]) -> None:
    pipe = rm.Pipeline([rm.nodes.Gain(gain_db=0)])
    small, large = np.full(FRAMES, 0.5, np.float32), np.full(TAKEN, 0.25, np.float32)

    def check(session: rm.Session) -> None:
        blocks = [np.full(256, 7.0, np.float32) for _ in range(16)]
        for frame in (small, large, small[:7], small):
            np.testing.assert_array_equal(session.process(frame), frame)
        assert all((block == 7).all() for block in blocks)

    count = 0
    for position in range(0, 10_000, EVERY):
        with pipe.session(sample_rate=48000, channels=1) as session:
            session.process(small)
            if not interrupted(lambda session=session: session.process(large), position):  # type: ignore[misc]
                break
            check(session)
            count += EVERY
    with pipe.session(sample_rate=48000, channels=1) as session:
        for _ in range(20):
            session.process(small)
        count += at_every_position(lambda: session.process(small), lambda: check(session))
    assert count > 20


@pytest.mark.parametrize("nodes", [[rm.nodes.Gain(gain_db=0)], [rm.nodes.AudioResample(target_rate=8000)]])
def test_feed_and_flush(nodes: list[Any], others: list[np.ndarray[Any, Any]]) -> None:
    pipe = rm.Pipeline(nodes)
    with pipe.session(sample_rate=16000, channels=1) as session:
        whole = np.concatenate([session.process(np.full(TAKEN, 0.5, np.float32)), session.flush()])
    with pipe.session(sample_rate=16000, channels=1) as session:

        def work() -> None:
            session.feed(np.full(TAKEN, 0.5, np.float32))
            session.flush()

        def check() -> None:
            session.reset()
            parts = [out.data for out in session.feed(np.full(TAKEN, 0.5, np.float32)) + session.flush()]
            np.testing.assert_array_equal(np.concatenate(parts), whole)

        assert at_every_position(work, check) > 40


@pytest.mark.parametrize("frames", [1000, 400_000])
def test_a_run(frames: int, others: list[np.ndarray[Any, Any]]) -> None:
    pipe = rm.Pipeline([rm.nodes.Gain(gain_db=0)])
    expected = np.linspace(-1, 1, frames, dtype=np.float32)

    def work() -> None:
        pipe.run(rm.Audio(expected.copy(), 48000))

    def check() -> None:
        np.testing.assert_array_equal(pipe.run(rm.Audio(expected, 48000)).samples, expected)

    before = kept()
    count = at_every_position(work, check)
    assert count > 30
    assert kept() == before, "what an interrupted run has lent or got"


def test_runs_over_many_clips() -> None:
    pipe = rm.Pipeline([rm.nodes.AudioResample(target_rate=16000)])
    clips = [rm.Audio(np.zeros(frames, np.float32), 48000) for frames in (48000, 4800, 480)]

    def check() -> None:
        assert [clip.frames for clip in pipe.map(clips)] == [16000, 1600, 160]

    before = kept()
    assert at_every_position(lambda: pipe.map(clips, threads=2), check, step=3) > 30
    assert kept() == before


def test_pushing_and_taking(others: list[np.ndarray[Any, Any]]) -> None:
    pipe = rm.Pipeline([rm.nodes.AudioResample(target_rate=16000)])

    async def stream(session: rm.Session) -> int:
        # Begun first, so that it waits whatever the threads do.
        first = asyncio.ensure_future(session.next())
        await asyncio.sleep(0)
        for _ in range(3):
            await session.push(np.zeros(960, np.float32))
        session.end()
        out = await first
        return (0 if out is None else len(out.data)) + sum([len(out.data) async for out in session])

    async def whole() -> int:
        async with pipe.session(sample_rate=48000, channels=1) as session:
            return await stream(session)

    def work() -> None:
        # A loop for each. Its own steps are asyncio's, which an exception leaves without a wake: ours are interrupted.
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(whole())
        finally:
            loop.close()

    before = kept()
    # What is left in the middle is a cycle of garbage: coroutines end there, and use their session to the last.
    assert at_every_position(work, lambda: gc.collect(0), only="remotemedia") > 100
    assert asyncio.run(whole()) == 960
    assert kept() == before


def test_a_node_in_python(others: list[np.ndarray[Any, Any]]) -> None:
    @rm.node
    class Halves:
        """Half as loud."""

        def process(self, audio: rm.Audio) -> rm.Audio:
            return rm.Audio(audio.samples * np.float32(0.5), audio.sample_rate)

    pipe = rm.Pipeline([{"node_type": "Halves"}])
    frame = np.full(FRAMES, 0.5, np.float32)
    session = pipe.session(sample_rate=48000, channels=1)
    for _ in range(5):
        session.process(frame)

    def check() -> None:
        quiet(lambda: session.process(frame))
        session.reset()
        for _ in range(4):
            np.testing.assert_array_equal(session.process(frame), frame / 2)

    assert at_every_position(lambda: session.process(frame), check) > 20
    session.close()


def test_a_session_that_was_left_in_the_middle_is_not_busy() -> None:
    session = rm.Pipeline([rm.nodes.Gain(gain_db=0)]).session(sample_rate=48000, channels=1)
    session._enter(False)  # As after an exception between the lock and the `try`.
    np.testing.assert_array_equal(session.process(np.ones(10, np.float32)), np.ones(10, np.float32))
    session._opening.acquire()

    async def main() -> int:
        other = rm.Pipeline([rm.nodes.Gain(gain_db=0)]).session(sample_rate=48000, channels=1)
        other._opening.acquire()
        await other.push(np.ones(10, np.float32))
        other.end()
        return len([out async for out in other])

    assert asyncio.run(main()) == 1
