"""Many clips through one pipeline."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import remotemedia as rm
from remotemedia import _map, _pins


def clips(count: int, frames: int = 4800) -> list[rm.Audio]:
    random = np.random.default_rng(2)
    return [rm.Audio(random.standard_normal(frames + 17 * n).astype(np.float32), 48_000) for n in range(count)]


PIPE = rm.Pipeline([rm.nodes.AudioResample(target_rate=16_000), rm.nodes.Gain(gain_db=-3.0)])


@pytest.mark.parametrize("threads", [None, 1, 3, 64])
def test_each_clip_gives_what_run_gives_in_order(threads: int | None) -> None:
    given = clips(37)
    expected = [PIPE.run(clip) for clip in given]
    assert PIPE.map(given, threads) == expected
    assert PIPE.map(iter(given), threads) == expected
    assert asyncio.run(PIPE.map_async(given, threads)) == expected


def test_nothing_and_other_kinds() -> None:
    assert PIPE.map([]) == []
    upper = rm.Pipeline([rm.nodes.TextCase(mode="upper")])
    assert upper.map(["a", "b"]) == ["A", "B"]
    arrays = rm.Pipeline([rm.nodes.PassThrough()]).map([np.arange(3), np.arange(4)])
    assert [one.tolist() for one in arrays] == [[0, 1, 2], [0, 1, 2, 3]]


def test_a_generator_is_read_as_far_as_needed() -> None:
    taken = 0
    done_at: list[int] = []

    def endless() -> Iterator[rm.Audio]:
        nonlocal taken
        for clip in clips(200, 960):
            taken += 1
            yield clip

    def progress(done: int, total: int | None) -> None:
        assert total is None
        done_at.append(taken - done)

    assert len(PIPE.map(endless(), 2, progress=progress)) == 200
    assert max(done_at) <= 4, "no more than two for each thread are under way"


def test_the_clip_that_fails_is_named_and_the_rest_stopped() -> None:
    given: list[Any] = [*clips(5), "text", *clips(50, 480_000)]
    with pytest.raises(rm.InputTypeError, match=r"^clip 5: .*text") as caught:
        PIPE.map(given)
    assert caught.value.item_index == 5
    assert caught.value.__suppress_context__
    with pytest.raises(rm.InputTypeError, match=r"^clip 5: .*text"):
        asyncio.run(PIPE.map_async(given))
    assert PIPE.run(clips(1)[0]).sample_rate == 16_000
    with pytest.raises(rm.FormatError, match="clip 1"):
        PIPE.map([clips(1)[0], np.zeros(5, np.float32)])


def test_cancelling_stops_everything() -> None:
    async def main() -> None:
        task = asyncio.create_task(PIPE.map_async(clips(12, 1_000_000)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    deadline = 600
    while _pins.held() > 1 and deadline:
        PIPE.run(clips(1, 480_000)[0])
        deadline -= 1
    assert _pins.held() <= 1


def test_progress_is_told_of_every_clip() -> None:
    seen: list[tuple[int, int | None]] = []
    PIPE.map(clips(3), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_a_bar_is_drawn_on_a_terminal_only() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, drawn in ((Terminal(), True), (io.StringIO(), False)):
        bar = _map._Bar(stream)
        for done in range(3):
            bar(done, 2)
        assert (stream.getvalue() != "") == drawn
        if drawn:
            assert stream.getvalue().endswith(f"[{'#' * 30}] 2 of 2 clips\n")


def test_wrong_arguments() -> None:
    for wrong in (0, -1, 1025):
        with pytest.raises(rm.InputValueError, match="threads"):
            PIPE.map([], wrong)
    for other in (True, 1.5, "2"):
        with pytest.raises(rm.InputTypeError, match="threads"):
            PIPE.map([], other)  # type: ignore[arg-type]
    for no_clips in (3, "text", b"x", {"a": 1}):
        with pytest.raises(rm.InputTypeError, match="clips"):
            PIPE.map(no_clips)  # type: ignore[arg-type]
    with pytest.raises(rm.InputTypeError, match="progress"):
        PIPE.map([], progress=3)  # type: ignore[arg-type]
    with pytest.raises(rm.TimeoutError, match="clip 0"):
        PIPE.map([rm.Audio(np.zeros(48_000_000, np.float32), 48_000)], timeout=0.001)
