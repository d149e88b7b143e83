"""Many streams in one group."""

from __future__ import annotations

import asyncio
import copy

import numpy as np
import pytest
from support import same_signal

import remotemedia as rm

RESAMPLE = [rm.nodes.AudioResample(target_rate=16000)]


@pytest.mark.parametrize("dtype", ["float32", "int16"])
@pytest.mark.parametrize("channels", [1, 2])
def test_each_stream_gets_what_it_would_get_alone(dtype, channels):
    rng = np.random.default_rng(3)
    shape = (7, 9600, channels) if channels > 1 else (7, 9600)
    x = (rng.standard_normal(shape) * 3000).astype(dtype)
    if dtype == "float32":
        x /= 32768
    pipe = rm.Pipeline(RESAMPLE, input=rm.AudioFormat(48000, channels))
    with pipe.session_group(7) as group:
        for at in range(0, 9600, 960):
            group.push_many(x[:, at : at + 960])
        group.flush()
        outs = group.next_many()
    for stream in range(7):
        got = np.concatenate([out.data for out in outs if out.stream == stream])
        assert same_signal(got, pipe.run(x[stream]))
        assert got.dtype == np.dtype(dtype)


def test_some_streams_at_a_time_and_one_that_fails():
    pipe = rm.Pipeline(RESAMPLE)
    with pipe.session_group(3, sample_rate=48000) as group:
        good = np.ones(960, np.float32)
        bad = np.full(960, np.nan, np.float32)
        with pytest.raises(rm.InputValueError, match=r"stream 1: .*NaN"):
            group.push_many({0: good, 1: bad, 2: good})
        group.push_many(np.ones((3, 960), np.float32))
        group.flush()
        counts = np.bincount([out.stream for out in group.next_many() for _ in range(len(out.data))])
        assert counts.tolist() == [640, 320, 640]
        group.push_many(np.ones((3, 960), np.float32))
        group.interrupt(1)
        group.flush()
        assert {out.stream for out in group.next_many()} == {0, 2}
        assert group.next_many() == []


def test_wrong_frames_are_refused():
    with rm.Pipeline(RESAMPLE).session_group(4, sample_rate=48000) as group:
        with pytest.raises(rm.FormatError, match=r"\(3, 960\), expected \(4, frames\)"):
            group.push_many(np.zeros((3, 960), np.float32))
        with pytest.raises(rm.InputValueError, match="stream is 4"):
            group.push_many({4: np.zeros(960, np.float32)})
        with pytest.raises(rm.InputValueError, match="stream is 9"):
            group.flush(9)
        with pytest.raises(rm.InputValueError, match="most"):
            group.next_many(0)
    with pytest.raises(rm.ClosedError):
        group.push_many(np.zeros((4, 960), np.float32))
    with pytest.raises(rm.FormatError, match="sample rate"):
        rm.Pipeline(RESAMPLE).session_group(2).push_many(np.zeros((2, 960), np.float32))
    with pytest.raises(rm.InputValueError, match="streams"):
        rm.Pipeline(RESAMPLE).session_group(0)
    with pytest.raises(TypeError):
        copy.copy(rm.Pipeline(RESAMPLE).session_group(1))


def test_results_that_nobody_takes_are_bounded():
    with rm.Pipeline([rm.nodes.PassThrough()]).session_group(2, sample_rate=48000) as group:
        with pytest.raises(rm.FullError, match="next_many"):
            for _ in range(1000):
                group.push_many(np.zeros((2, 10), np.float32))
        assert len(group.next_many(5)) == 5
        assert len(group.next_many()) == 123


def test_the_event_loop_goes_on_meanwhile():
    async def main():
        with rm.Pipeline([*RESAMPLE, rm.nodes.SpeechVAD()]).session_group(500, sample_rate=48000) as group:
            ticks = 0

            async def tick():
                nonlocal ticks
                while True:
                    ticks += 1
                    await asyncio.sleep(0)

            ticker = asyncio.create_task(tick())
            await group.push_many_async(np.zeros((500, 9600), np.float32))
            ticker.cancel()
            return ticks

    assert asyncio.run(main()) > 10
