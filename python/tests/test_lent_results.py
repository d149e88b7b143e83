"""Results that a node of a worker writes where the host reads them: `rm.empty`."""

from __future__ import annotations

import os
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import remotemedia as rm

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="worker processes are for Linux")

FRAME = np.random.default_rng(8).integers(0, 200, (120, 400, 3), np.uint8)
"""Longer than what is copied anyway."""


def session_of(how: str, **execution: Any) -> rm.Session:
    node = rm.nodes.Python(class_="lent_nodes:Adds", params={"how": how})
    execution = {"placement": "process", "stop_timeout_ms": 1000, **execution}
    return rm.Pipeline([node.with_execution(**execution)], allow_python=True).session()


def sent(session: rm.Session) -> int:
    """How many results were sent without a copy."""
    return int(session.feed("sent")[0].data)


def shared_bytes() -> int:
    """How much memory the channels of this process have."""
    files = Path("/dev/shm").glob(f"rm_{os.getpid():x}_*/**/*")
    return sum(file.stat().st_blocks * 512 for file in files)


@pytest.mark.parametrize("how", ["array", "flat", "swapped", "generator", "keeps_input"])
def test_an_array_is_sent_without_a_copy(how):
    with session_of(how) as session:
        for add in range(5):
            out = session.feed(FRAME + np.uint8(add))[-1].data
            assert np.array_equal(np.reshape(out, FRAME.shape), FRAME + np.uint8(add + 1))
        assert sent(session) == (0 if how == "generator" else 5)


@pytest.mark.parametrize("channels", [1, 2])
def test_audio_is_sent_without_a_copy(channels):
    x = np.random.default_rng(1).standard_normal((30_000, channels)).astype(np.float32)
    with session_of("audio") as session:
        for _ in range(3):
            out = session.feed(rm.Audio(x if channels > 1 else x[:, 0], 48_000))
            assert np.array_equal(out[0].data.samples.reshape(x.shape), x + 1)
        assert out[0].pts == Fraction(60_000, 48_000)
        assert sent(session) == 3


def test_a_picture_is_sent_without_a_copy():
    with session_of("video") as session:
        frame = session.feed(rm.VideoFrame(FRAME, "rgb24"))[0].data
        assert isinstance(frame, rm.VideoFrame) and (frame.width, frame.height) == (400, 120)
        assert np.array_equal(frame.data, FRAME + 1)
        assert sent(session) == 1


@pytest.mark.parametrize("how", ["reused", "kept_all", "kept_view", "part", "generator_keeps"])
def test_memory_that_the_node_goes_on_looking_at_is_copied(how):
    """What was sent never changes afterwards, and a node that keeps all it gets runs out of nothing."""
    got = []
    with session_of(how, max_in_flight=2) as session:
        for add in range(20):
            got.append(session.feed(FRAME + np.uint8(add))[-1].data)
        count = sent(session)
    for add, out in enumerate(got):
        expected = FRAME + np.uint8(add + 1)
        assert np.array_equal(out, expected[:60] if how == "part" else expected), add
    assert count == 0


def test_coroutines_give_the_same():
    with session_of("coroutine") as session:
        for add in range(5):
            assert np.array_equal(session.feed(FRAME + np.uint8(add))[0].data, FRAME + np.uint8(add + 1))


def test_frames_under_way_have_memory_of_their_own():
    node = rm.nodes.Python(class_="lent_nodes:Adds", params={"how": "array"})
    pipe = rm.Pipeline([node.with_execution(placement="process", max_in_flight=8)], allow_python=True)
    frames = [FRAME + np.uint8(add) for add in range(40)]
    for out, frame in zip(pipe.run(*frames), frames, strict=True):
        assert np.array_equal(out, frame + 1)


def test_memory_comes_back_whatever_becomes_of_it():
    with session_of("dropped") as session:
        session.feed(FRAME)
        before = shared_bytes()
        for _ in range(200):
            assert session.feed(FRAME) == []
        for _ in range(50):
            with pytest.raises(rm.NodeError, match="on purpose"):
                session.feed("raise")
            session.reset()
        assert shared_bytes() <= before + 8 * FRAME.nbytes
        assert sent(session) == 0


def test_lengths_that_change_are_all_right():
    with session_of("array") as session:
        for rows in (50, 5000, 60, 3, 0, 5000):
            frame = np.full((rows, 400, 3), 7, np.uint8)
            assert np.array_equal(session.feed(frame)[0].data, frame + 1)


def test_more_than_a_frame_may_have_is_refused_where_it_is_asked_for():
    with (
        session_of("too_long", max_frame_bytes=1 << 20) as session,
        pytest.raises(rm.NodeError, match="2097152 bytes, expected at most 1048576"),
    ):
        session.feed("now")


def test_a_killed_worker_takes_what_it_was_lent_with_it():
    with session_of("dies", restart="on_failure", restart_delay_ms=1) as session:
        with pytest.raises(rm.WorkerCrashedError):
            session.feed(FRAME)
        # The gap, then the result.
        assert session.feed("sent")[-1].data == 0


def test_what_flush_gives_is_sent_without_a_copy():
    with session_of("flushes") as session:
        session.feed(FRAME)
        assert np.array_equal(session.flush()[0].data, FRAME + 1)
        assert sent(session) == 2


def test_whole_numbers_of_numpy_are_lengths():
    assert rm.empty((np.int32(3), np.int64(4)), "u1").shape == (3, 4)
    assert rm.empty(np.int64(5), "f4").shape == (5,)
    with session_of("wraps", max_frame_bytes=1 << 24) as session, pytest.raises(rm.NodeError, match="4296015872 bytes"):
        session.feed("now")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_a_forked_child_gets_ordinary_arrays():
    with session_of("forks") as session:
        assert [session.feed("now")[0].data for _ in range(30)] == [0] * 30


def test_elsewhere_it_is_an_ordinary_array():
    out = rm.empty((100, 400, 3), "u1")
    assert out.flags.owndata and out.shape == (100, 400, 3) and out.dtype == np.uint8
    assert rm.empty(5, np.float32).shape == (5,)
    assert rm.empty((0, 7), ">f8").shape == (0, 7)
    with pytest.raises(rm.InputTypeError, match="object"):
        rm.empty(3, object)
    with pytest.raises(ValueError, match="negative"):
        rm.empty(-1, "f4")
    node = rm.nodes.Python(class_="lent_nodes:Adds", params={"how": "array"})
    assert np.array_equal(rm.Pipeline([node], allow_python=True).run(FRAME), FRAME + 1)
