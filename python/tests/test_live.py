"""Sessions used with push and next, on an event loop."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import numpy as np
import pytest
from support import same_signal

import remotemedia as rm

RESAMPLE = [rm.nodes.AudioResample(target_rate=16000)]


def noise(frames: int) -> np.ndarray:
    return np.random.default_rng(5).standard_normal(frames).astype(np.float32) * 0.1


@pytest.mark.parametrize("queue", [1, 3, 64])
@pytest.mark.parametrize("batch", [1, 8])
def test_a_pusher_and_a_taker_at_the_same_time(queue, batch):
    x = noise(48_000)
    pipe = rm.Pipeline([*RESAMPLE, rm.nodes.EnergyVAD()])
    whole = rm.Pipeline(RESAMPLE, input=rm.AudioFormat(48000, 1)).run(x)

    async def main():
        async with pipe.session(48000, 1, queue=queue) as session:

            async def push():
                for at in range(0, len(x), 960):
                    await session.push(x[at : at + 960])
                session.end()

            pusher = asyncio.create_task(push())
            outs = []
            if batch == 1:
                outs = [out async for out in session]
            else:
                while got := await session.next_batch(batch):
                    assert len(got) <= batch
                    outs += got
            await pusher
            assert await session.next() is None
            return outs

    outs = asyncio.run(main())
    audio = [out for out in outs if out.port == "out"]
    assert same_signal(np.concatenate([out.data for out in audio]), whole)
    starts = np.cumsum([0] + [len(out.data) for out in audio[:-1]])
    assert [out.pts for out in audio] == [Fraction(int(at), 16000) for at in starts]


def test_push_waits_for_room_and_loses_nothing():
    async def main():
        async with rm.Pipeline([rm.nodes.PassThrough()]).session(48000, 1, queue=2) as session:
            pushed = 0

            async def push():
                nonlocal pushed
                for index in range(100):
                    await session.push(np.full(10, index, np.float32))
                    pushed += 1
                session.end()

            task = asyncio.create_task(push())
            for _ in range(50):
                await asyncio.sleep(0)
            assert pushed < 10
            values = [out.data[0] async for out in session]
            await task
            assert values == list(range(100))
            assert session.dropped == (0, 0)

    asyncio.run(main())


@pytest.mark.parametrize("when_full", ["drop_oldest", "drop_newest", "latest"])
def test_drops_are_counted_and_seen_on_the_next_output(when_full):
    async def main():
        async with rm.Pipeline([rm.nodes.Gain(gain_db=0)]).session(48000, 1, queue=4, when_full=when_full) as session:
            for index in range(100):
                await session.push(np.full(10, index, np.float32))
            session.end()
            outs = [out async for out in session]
            assert len(outs) <= 4
            assert sum(session.dropped) == 100 - len(outs)
            figures = session.metrics()
            assert (figures["dropped_items"], figures["dropped_outputs"]) == session.dropped
            if when_full == "drop_newest":
                assert [out.data[0] for out in outs] == [0, 1, 2, 3]
            else:
                assert outs[-1].data[0] == 99
                assert outs[0].dropped == 100 - len(outs)
            for out in outs:
                assert out.pts == Fraction(10 * int(out.data[0]), 48000)

    asyncio.run(main())


def test_interrupt_empties_everything_at_once():
    async def main():
        async with rm.Pipeline(RESAMPLE).session(48000, 1, queue=200) as session:
            for _ in range(100):
                await session.push(np.ones(960, np.float32))
            assert session.interrupt() == 1
            await session.push(np.full(960, -1, np.float32))
            session.end()
            outs = [out async for out in session]
            assert {out.generation for out in outs} == {1}
            assert outs[0].pts == 0
            got = np.concatenate([out.data for out in outs])
            assert len(got) == 320
            assert got.max() < 0.2

    asyncio.run(main())


def test_a_waiting_taker_is_woken_by_close_and_by_cancel():
    async def main():
        session = rm.Pipeline(RESAMPLE).session(48000, 1)
        waiting = asyncio.create_task(session.next())
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        waiting = asyncio.create_task(session.next())
        await asyncio.sleep(0.01)
        session.close()
        with pytest.raises(rm.ClosedError):
            await asyncio.wait_for(waiting, 10)

    asyncio.run(main())


def test_one_session_is_used_in_one_way():
    async def main():
        with rm.Pipeline(RESAMPLE).session(48000, 1) as session:
            await session.push(noise(960))
            for call in (session.process, session.feed):
                with pytest.raises(rm.UnsupportedError, match="push"):
                    call(noise(960))
            with pytest.raises(rm.UnsupportedError, match="flush"):
                session.flush()
        with rm.Pipeline(RESAMPLE).session(48000, 1) as session:
            session.process(noise(960))
            with pytest.raises(rm.UnsupportedError, match="process"):
                await session.push(noise(960))
            with pytest.raises(rm.UnsupportedError, match="process"):
                await session.next()
            session.reset()

    asyncio.run(main())


def test_wrong_items_and_settings_are_refused_and_the_stream_goes_on():
    async def main():
        async with rm.Pipeline(RESAMPLE).session(48000, 1) as session:
            await session.push(noise(960))
            with pytest.raises(rm.FormatError):
                await session.push(rm.Audio(noise(960), 44100))
            with pytest.raises(rm.InputTypeError):
                await session.push("text")
            session.end()
            assert sum([len(out.data) async for out in session]) == 320
            with pytest.raises(rm.ClosedError, match="reset"):
                await session.push(noise(960))
            session.reset()
            await session.push(noise(960))
        with pytest.raises(rm.InputValueError, match=r"when_full.*drop_oldest"):
            rm.Pipeline(RESAMPLE).session(when_full="drop")  # type: ignore[arg-type]
        with pytest.raises(rm.InputValueError, match="queue"):
            rm.Pipeline(RESAMPLE).session(queue=0)

    asyncio.run(main())


def test_set_param_reaches_a_live_stream():
    async def main():
        async with rm.Pipeline([rm.nodes.Gain(gain_db=0)]).session(48000, 1) as session:
            await session.push(np.ones(10, np.float32))
            session.set_param("gain", "gain_db", -20)
            await session.push(np.ones(10, np.float32))
            session.end()
            outs = [out async for out in session]
            assert [round(float(out.data[-1]), 3) for out in outs] == [1.0, 0.1]

    asyncio.run(main())
