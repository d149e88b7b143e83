"""After `interrupt` has returned, nothing of before comes: from no call, whatever thread has interrupted it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from fractions import Fraction
from types import FrameType
from typing import Any

import numpy as np
import pytest
from schedules import Others, chooser, has_begun
from support import manifest, node

import remotemedia as rm

SIZE = 4
"""Frames of a chunk: what does not fill one is held back, so that what is left of before is seen in the next one."""
PIPE = rm.Pipeline([rm.nodes.Chunk(frames=SIZE)])
DIRECT, LIVE = 60_000, 40_000
"""How many schedules are tried: 100,000 on one Python, a twentieth of them on every other."""


@pytest.fixture(params=[pytest.param(1.0, marks=pytest.mark.thorough), 0.05], ids=["all", "some"])
def share(request: pytest.FixtureRequest) -> float:
    return float(request.param)


def values(outputs: Any) -> list[float]:
    """The samples of an array, or of a list of results."""
    if isinstance(outputs, np.ndarray):
        return [float(sample) for sample in outputs]
    return [float(sample) for out in outputs for sample in out.data]


class Chunker:
    """What the pipeline does, in Python."""

    def __init__(self) -> None:
        self.held: list[float] = []

    def feed(self, item: list[float]) -> list[float]:
        whole = self.held + item
        cut = len(whole) - len(whole) % SIZE
        self.held = whole[cut:]
        return whole[:cut]

    def flush(self) -> list[float]:
        rest, self.held = self.held, []
        return rest


class Direct:
    """A session used with `process`, `feed` and `flush`, beside what it must do."""

    def __init__(self) -> None:
        self.session = PIPE.session(48000, 1)
        self.model = Chunker()
        self.next = 1.0

    def item(self, frames: int) -> np.ndarray[Any, np.dtype[np.float32]]:
        made = np.arange(self.next, self.next + frames, dtype=np.float32)
        self.next += frames
        return made

    def round(self, seed: int) -> int:
        """One call, and what others do meanwhile. How often they had their turn."""
        choose = chooser(seed)
        call = choose.choice(("process", "process", "feed", "feed", "flush"))
        more = choose.choice(("", "", "feed", "flush", "interrupt"))
        item = self.item(choose.randrange(6))
        was_interrupted = False

        def interrupt(frame: FrameType) -> bool:
            nonlocal was_interrupted
            was_interrupted = has_begun(frame)
            self.session.interrupt()
            self.model.flush()
            if more == "interrupt":
                self.session.interrupt()
            elif more:
                other = self.item(choose.randrange(1, 4))
                try:
                    got = values(self.session.feed(other) if more == "feed" else self.session.flush())
                except rm.BusyError:
                    pass
                else:
                    assert got == (self.model.feed(values(other)) if more == "feed" else self.model.flush())
            return True

        others = Others(choose.randrange(80), interrupt)
        arguments = () if call == "flush" else (item,)
        got = values(others.during(getattr(self.session, call), *arguments))
        if was_interrupted:
            assert got == [], (seed, call)
        else:
            expected = self.model.flush() if call == "flush" else self.model.feed(values(item))
            assert got == expected, (seed, call, more)
        return others.is_done


def test_calls_of_a_session_in_any_interleaving(share: float) -> None:
    direct = Direct()
    interrupted = sum(direct.round(seed) for seed in range(round(DIRECT * share)))
    assert interrupted > DIRECT * share / 5
    direct.session.reset()
    direct.session.close()


class Actor:
    """A coroutine that is stepped by hand."""

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.coroutine = coroutine
        self.waits: asyncio.Future[Any] | None = None

    def can_go_on(self) -> bool:
        return self.waits is None or self.waits.done()

    def step(self) -> bool:
        """Go on until it waits. Whether there is more to come."""
        try:
            self.waits = self.coroutine.send(None)
        except StopIteration:
            return False
        if self.waits is not None:
            self.waits._asyncio_future_blocking = False
        return True


class Pushed:
    """A session used with `push`, `next` and `next_batch` by several tasks, interrupted from other threads."""

    def __init__(self, session: rm.Session) -> None:
        self.session = session
        self.epoch = 0
        self.born: dict[float, int] = {}
        self.taken: list[float] = []
        self.next = 1.0
        # The item whose push has just been called.
        self.starting: float | None = None
        self.is_ended = False
        self.interrupts = 0

    def begin(self) -> tuple[float, np.ndarray[Any, np.dtype[np.float32]]]:
        """An item, and the number by which it is known. Its call begins now."""
        number = self.next
        self.next += 3
        self.starting = number
        self.born[number] = self.epoch
        return number, np.arange(number, number + 3, dtype=np.float32)

    async def push(self, items: int) -> None:
        for _ in range(items):
            _, item = self.begin()
            await self.session.push(item)

    async def take(self, most: int) -> None:
        while True:
            outs = [await self.session.next()] if most == 1 else await self.session.next_batch(most)
            if outs in ([], [None]):
                return
            got = values(outs)
            assert {self.of(sample) for sample in got} == {self.epoch}, (got, self.epoch)
            self.taken += got

    def of(self, sample: float) -> int:
        """When the push of a sample began: how many interrupts there had been."""
        return self.born[sample - (sample - 1) % 3]

    def interrupt(self, frame: FrameType) -> bool:
        if self.session._passage.locked():
            return False  # Another thread would wait here.
        if self.starting is not None and not has_begun(frame):
            self.born[self.starting] = self.epoch + 1
        self.session.interrupt()
        self.epoch += 1
        self.interrupts += 1
        self.taken = []
        if self.is_ended:
            self.session.end()
        return True

    async def round(self, seed: int) -> None:
        choose = chooser(seed)
        pushers = {Actor(self.push(choose.randrange(1, 4))) for _ in range(choose.choice((1, 2)))}
        actors = [*pushers, Actor(self.take(choose.choice((1, 1, 2, 64))))]
        self.is_ended = False
        first = self.next
        left = choose.randrange(4)
        while actors:
            ready = [actor for actor in actors if actor.can_go_on()]
            if not ready:
                await asyncio.sleep(0)
                continue
            actor = choose.choice(ready)
            self.starting = None
            if left and choose.random() < 0.5:
                left -= 1
                goes_on = Others(choose.randrange(60), self.interrupt).during(actor.step)
            else:
                goes_on = actor.step()
            if not goes_on:
                actors.remove(actor)
                pushers.discard(actor)
                if not pushers and not self.is_ended:
                    self.is_ended = True
                    self.session.end()
        # Whatever was pushed since the last interrupt has come: an interrupt makes nobody deaf.
        present = [number for number, epoch in self.born.items() if number >= first and epoch == self.epoch]
        assert sorted(self.taken) == [number + k for number in sorted(present) for k in range(3)], seed
        self.session.reset()
        self.epoch += 1
        self.born.clear()
        self.taken = []


@pytest.mark.parametrize("queue", [1, 64])
def test_tasks_of_a_live_session_in_any_interleaving(queue: int, share: float) -> None:
    async def main() -> None:
        async with PIPE.session(48000, 1, queue=queue) as session:
            pushed = Pushed(session)
            for seed in range(round(LIVE * share / 2)):
                await pushed.round(seed)
            assert pushed.interrupts > LIVE * share / 4

    asyncio.run(main())


class Interrupts:
    """An array that takes its time: the session is interrupted while it is converted."""

    def __init__(self, session: rm.Session) -> None:
        self.session, self.samples = session, np.ones(6, np.float32)

    @property
    def __array_interface__(self) -> dict[str, Any]:
        thread = threading.Thread(target=self.session.interrupt)
        thread.start()
        thread.join()
        return self.samples.__array_interface__


@pytest.mark.parametrize("how", ["process", "feed"])
def test_an_item_that_is_still_converted_is_of_before(how: str) -> None:
    with PIPE.session(48000, 1) as session:
        call = getattr(session, how)
        assert values(call(Interrupts(session))) == []
        assert session.generation > 0
        assert values(call(np.zeros(4, np.float32))) == [0, 0, 0, 0]
        assert values(session.flush()) == []


def test_an_item_that_is_pushed_is_of_the_time_of_the_call() -> None:
    async def main() -> None:
        async with PIPE.session(48000, 1) as session:
            await session.push(np.zeros(4, np.float32))
            await session.push(Interrupts(session))
            await session.push(np.full(4, 2, np.float32))
            session.end()
            outs = [out async for out in session]
            assert values(outs) == [2, 2, 2, 2]
            assert [(out.pts, out.generation) for out in outs] == [(0, session.generation)]

    asyncio.run(main())


def test_the_rest_of_a_batch_is_not_yielded_after_an_interrupt() -> None:
    both = [{"from": "in", "to": "a"}, {"from": "in", "to": "b"}]
    pipe = rm.Pipeline(manifest(node("in"), node("a"), node("b"), connections=both))
    items = [np.full(4, number, np.float32) for number in range(3)]

    def heard(out: rm.Output, session: rm.Session) -> tuple[str, float]:
        if out.node == "a" and out.data[0] == 1:
            session.interrupt()
        return out.node, float(out.data[0])

    expected = [("a", 0), ("b", 0), ("a", 1), ("a", 2), ("b", 2)]
    with pipe.session(48000, 1) as session:
        assert [heard(out, session) for out in session.stream(items)] == expected

    async def main() -> None:
        async with pipe.session(48000, 1) as session:
            assert [heard(out, session) async for out in session.stream(items)] == expected

    asyncio.run(main())


def test_a_handler_of_a_signal_may_interrupt_the_push_that_it_comes_into() -> None:
    """It is on the thread that has the lock: it does not wait for itself, and the item does not stay."""

    async def main() -> None:
        async with PIPE.session(48000, 1) as session:
            await session.push(np.zeros(4, np.float32))
            inside = 0

            def interrupt(_frame: FrameType) -> bool:
                nonlocal inside
                if not session._passage.locked():
                    return False
                inside += 1
                session.interrupt()
                return True

            for place in range(12):
                push = Actor(session.push(np.full(4, 1, np.float32)))
                while Others(place, interrupt).during(push.step):
                    pass
            assert inside > 3
            await session.push(np.full(4, 2, np.float32))
            session.end()
            assert set(values([out async for out in session])) <= {1, 2}

    asyncio.run(main())


@pytest.mark.parametrize("rows", [True, False])
def test_a_group_takes_nothing_into_a_stream_after_its_interrupt(rows: bool) -> None:
    """Wherever the interrupt comes: the other streams get theirs, and what comes next is whole."""
    for place in range(40):
        with PIPE.session_group(3, sample_rate=48000) as group:
            frames = np.full((3, 6), 1, np.float32)

            def interrupt(frame: FrameType, group: rm.SessionGroup = group) -> bool:
                group.interrupt(1)
                return True

            others = Others(place, interrupt)
            others.during(group.push_many, frames if rows else dict(enumerate(frames)))
            group.push_many({1: np.full(8, 2, np.float32)})
            outs = group.next_many()
            found = [values([out for out in outs if out.stream == stream]) for stream in range(3)]
            assert found[0] == found[2] == [1, 1, 1, 1]
            # Before its first step the push is of after the interrupt.
            expected = [2] * 8 if others.is_done and place > 0 else [1] * 6 + [2] * 6
            assert found[1] == expected, place
            group.reset()


def test_results_of_a_group_that_are_taken_are_of_the_present() -> None:
    for place in range(40):
        with PIPE.session_group(2, sample_rate=48000) as group:
            group.push_many(np.full((2, 8), 1, np.float32))
            others = Others(place, lambda frame, group=group: [group.interrupt(0)] == [None])  # type: ignore[misc]
            found = {out.stream for out in others.during(group.next_many)}
            assert found == ({1} if others.is_done else {0, 1}), place


def test_a_push_of_a_group_that_waits_for_its_thread_is_of_before() -> None:
    async def main() -> None:
        with PIPE.session_group(2, sample_rate=48000) as group:
            push = asyncio.ensure_future(group.push_many_async(np.full((2, 6), 1, np.float32)))
            await asyncio.sleep(0)
            group.interrupt()
            await push
            assert group.next_many() == []
            group.push_many(np.full((2, 4), 2, np.float32))
            assert {value for out in group.next_many() for value in values([out])} == {2}

    asyncio.run(main())


def test_numbers_of_any_kind_are_the_same_time() -> None:
    numbers = [3, 3.0, Fraction(3), Fraction(np.int32(6), np.int32(2))]
    numbers += [kind(3) for kind in (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64)]
    numbers += [kind(3) for kind in (np.float16, np.float32, np.float64, np.longdouble)]
    for number in numbers:
        with PIPE.session(48000, 1) as session:
            assert session.feed(np.zeros(4, np.float32), pts=number)[0].pts == 3, repr(number)  # type: ignore[arg-type]
    for number in (np.float16(1.5), np.float32(1.5), Fraction(3, 2), Fraction(np.int16(3), np.int16(2))):
        with PIPE.session(48000, 1) as session:
            assert session.feed(np.zeros(4, np.float32), pts=number)[0].pts == Fraction(3, 2)  # type: ignore[arg-type]
    with PIPE.session(48000, 1) as session:
        for wrong in (True, np.True_, "3", np.zeros(1), 3j, [3]):
            with pytest.raises(rm.InputTypeError, match="pts"):
                session.feed(np.zeros(4, np.float32), pts=wrong)  # type: ignore[arg-type]
        for far in (np.float32("nan"), np.float64("inf"), 2**70, Fraction(2**70)):
            with pytest.raises(rm.InputValueError, match="pts"):
                session.feed(np.zeros(4, np.float32), pts=far)  # type: ignore[arg-type]
