"""Event loops: several of them, many calls at once, and none starved."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from support import PASS, RESAMPLE, manifest, node

import remotemedia as rm
from remotemedia.runtime import execute_pipeline_with_input

BIG = rm.Audio(np.sin(np.arange(480_000) / 30).astype(np.float32), 48000)
"""Too big to run inline."""


def test_asyncio_run_twice_and_again() -> None:
    pipe = rm.Pipeline(RESAMPLE)
    for _ in range(3):
        assert asyncio.run(pipe.run_async(BIG)).frames == 160_000
        assert asyncio.run(execute_pipeline_with_input(PASS, [1, 2])) == [1, 2]


def test_loops_in_threads_at_the_same_time() -> None:
    pipe = rm.Pipeline(RESAMPLE)
    barrier = threading.Barrier(3)

    async def main(seed: int) -> list[int]:
        barrier.wait(30)
        runs = [pipe.run_async(BIG[: 100_000 + seed]) for _ in range(5)]
        return [one.frames for one in await asyncio.gather(*runs)]

    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda seed: asyncio.run(main(seed)), range(3)))
    assert results == [[-(-(100_000 + seed) // 3)] * 5 for seed in range(3)]


def test_five_hundred_calls_on_one_loop() -> None:
    pipe = rm.Pipeline(RESAMPLE)

    async def main() -> list[Any]:
        small = [execute_pipeline_with_input(PASS, [index]) for index in range(250)]
        large = [pipe.run_async(BIG[: 30_000 + index]) for index in range(250)]
        return await asyncio.gather(*small, *large)

    results = asyncio.run(main())
    assert results[:250] == list(range(250))
    assert [one.frames for one in results[250:]] == [-(-(30_000 + index) // 3) for index in range(250)]


def test_the_loop_turns_while_long_work_runs() -> None:
    """Turns are counted, not timed: a call that held the loop would allow none."""
    nodes = [node(f"n{rate}", "AudioResample", target_rate=rate) for rate in (44100, 48000)]
    pipe = rm.Pipeline(manifest(*nodes))

    async def main() -> int:
        turns = 0
        task = asyncio.ensure_future(pipe.run_async(rm.Audio(np.zeros(48000 * 30, np.float32), 48000)))
        while not task.done():
            turns += 1
            await asyncio.sleep(0)
        await task
        return turns

    assert asyncio.run(main()) > 5


@pytest.mark.parametrize("item", ["text", np.zeros(960, np.float32)], ids=["text", "array"])
def test_short_calls_in_a_row_give_others_their_turn(item: Any) -> None:
    async def main() -> bool:
        async def forever() -> None:
            while True:
                await execute_pipeline_with_input(PASS, [item])

        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(forever(), 0.05)
        return True

    assert asyncio.run(main())


def test_the_ticker_ticks_during_short_calls() -> None:
    async def main() -> int:
        ticks = 0

        async def ticker() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0)
                ticks += 1

        task = asyncio.ensure_future(ticker())
        for _ in range(2000):
            await execute_pipeline_with_input(PASS, ["x"])
        task.cancel()
        return ticks

    # 2,000 calls take tens of milliseconds, and every millisecond the loop gets a turn.
    assert asyncio.run(main()) > 10


def test_slow_conversions_leave_the_loop() -> None:
    wide = np.zeros((480_000, 2), np.float32)
    many = [0.25] * 50_000
    audio = {"type": "audio", "samples": many, "sample_rate": 16000, "channels": 1}

    async def main() -> None:
        strided = await execute_pipeline_with_input(PASS, [wide[:, 0]])
        assert np.shares_memory(strided, wide)
        assert await execute_pipeline_with_input(PASS, [many]) == many
        assert await execute_pipeline_with_input(PASS, [audio]) == audio
        with pytest.raises(rm.InputValueError, match="/49999"):
            await execute_pipeline_with_input(PASS, [[*many[:-1], float("nan")]])

    asyncio.run(main())


def test_errors_come_through_and_the_next_call_works() -> None:
    pipe = rm.Pipeline(RESAMPLE)

    async def main() -> None:
        with pytest.raises(rm.FormatError) as caught:
            await pipe.run_async(np.zeros(480_000, np.float32))
        assert caught.value.__suppress_context__
        assert (await pipe.run_async(BIG)).frames == 160_000

    asyncio.run(main())


def test_blocking_runs_inside_a_loop_work() -> None:
    async def main() -> int:
        return int(rm.Pipeline(RESAMPLE).run(BIG).frames)

    assert asyncio.run(main()) == 160_000


def test_without_a_loop_a_coroutine_only_waits_to_be_run() -> None:
    coroutine = execute_pipeline_with_input(PASS, ["x"])
    assert asyncio.run(coroutine) == "x"
