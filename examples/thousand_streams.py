"""A thousand voices in one process: 48 kHz in frames of 20 ms, resampled to 16 kHz, and where each one speaks.

Usage: python thousand_streams.py [STREAMS] [SECONDS]

The frames come as fast as the clock says; the work runs beside the event loop, whose lag is measured meanwhile.
"""

import asyncio
import contextlib
import os
import sys
import time
from pathlib import Path

import numpy as np

import remotemedia as rm

streams = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 2.0
FRAME = 960

pipe = rm.Pipeline(
    {
        "version": "v1",
        "input": {"type": "audio", "sample_rate_hz": 48000, "channels": 1},
        "nodes": [
            {
                "id": "rate",
                "node_type": "AudioResample",
                "params": {"target_rate": 16000},
            },
            {"id": "vad", "node_type": "SpeechVAD"},
        ],
        "connections": [{"from": "rate", "to": "vad"}],
        "outputs": ["vad.events"],
    }
)


def voices() -> np.ndarray:
    """One recording, begun at another place for each stream: `(ticks, streams, frames)`."""
    clip = rm.read(
        Path(__file__).parent / "data" / "librivox_ss_a.flac",
        sample_rate=48000,
        mono=True,
    ).samples
    twice = np.concatenate([clip, clip])
    starts = [stream * 7919 % len(clip) for stream in range(streams)]
    rows = np.stack([twice[start : start + 50 * FRAME] for start in starts])
    return np.stack([rows[:, tick * FRAME : (tick + 1) * FRAME] for tick in range(50)])


async def main() -> None:
    x = voices()
    lags: list[float] = []
    works: list[float] = []
    events = 0

    async def ticker() -> None:
        while True:
            start = time.perf_counter()
            await asyncio.sleep(0.001)
            lags.append(time.perf_counter() - start - 0.001)

    async def work(group: rm.SessionGroup, frames: np.ndarray) -> int:
        await group.push_many_async(frames)
        return len(group.next_many())

    tick = asyncio.create_task(ticker())
    cores = max(1, (os.cpu_count() or 1) - 1)
    with contextlib.ExitStack() as stack:
        # A group for each core but one, which is left to the event loop: the work gives the GIL away.
        shares = [share for share in np.array_split(x, cores, axis=1) if share.shape[1]]
        groups = [stack.enter_context(pipe.session_group(share.shape[1])) for share in shares]
        begin = time.perf_counter()
        cpu = time.process_time()
        for number in range(int(seconds * 50)):
            start = time.perf_counter()
            frames = [work(group, share[number % 50]) for group, share in zip(groups, shares, strict=True)]
            events += sum(await asyncio.gather(*frames))
            works.append(time.perf_counter() - start)
            await asyncio.sleep(max(0.0, begin + (number + 1) * 0.02 - time.perf_counter()))
        cpu = time.process_time() - cpu
        took = time.perf_counter() - begin
    tick.cancel()
    p99 = [1000 * float(np.percentile(one, 99)) for one in (works, lags)]
    print(f"{streams} streams for {seconds:g} s of audio in {took:.2f} s, {events} events")
    print(f"{1e6 * cpu / (streams * len(works)):.1f} us of CPU a frame: {streams * seconds / cpu:.0f} streams a core")
    print(f"a frame of all streams: p99 {p99[0]:.1f} ms; lag of the event loop: p99 {p99[1]:.2f} ms")


asyncio.run(main())
