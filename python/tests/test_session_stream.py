"""`Session.stream`: the source is read on while a node takes its time, and nothing stays behind."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import manifest, node

import remotemedia as rm

LIMIT = 30


class Gate:
    """Lets a node go on, and knows that it is at work."""

    def __init__(self) -> None:
        self.begun, self.open = threading.Event(), threading.Event()


gates: dict[str, Gate] = {}


@rm.node(name="SsWaits")
class Waits:
    """Answers when its gate is open."""

    def __init__(self, gate: str) -> None:
        self.gate = gates[gate]

    def process(self, data: Any) -> Any:
        if data == "bad":
            raise ValueError("bad")
        self.gate.begun.set()
        assert self.gate.open.wait(LIMIT)
        return data


@pytest.fixture
def gate(request: pytest.FixtureRequest) -> Gate:
    gates[request.node.name] = Gate()
    return gates[request.node.name]


def here(request: pytest.FixtureRequest, **more: Any) -> rm.Pipeline:
    """A pipeline with that node, in this process."""
    return rm.Pipeline(manifest(node("n", "SsWaits", gate=request.node.name)), **more)


def elsewhere(folder: Path) -> rm.Pipeline:
    """The same in a worker process: a file of the item's name opens it."""
    one = node("n", "Python", **{"class": "live_nodes:Gated", "params": {"folder": str(folder)}})
    return rm.Pipeline(manifest({**one, "execution": {"placement": "process"}}), allow_python=True)


def others() -> list[str]:
    """What tasks of ours there are."""
    names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    return [name for name in names if name.endswith("._read")]


def test_the_source_is_read_while_a_node_of_this_process_works(gate: Gate, request: pytest.FixtureRequest) -> None:
    async def microphone() -> AsyncIterator[int]:
        for number in range(5):
            yield number
            await asyncio.sleep(0)
        gate.open.set()  # Only now the node goes on with the first one.

    async def main() -> None:
        async with here(request).session() as session:
            assert [out.data async for out in session.stream(microphone())] == [0, 1, 2, 3, 4]
            assert not others()
            session.reset()
            assert session.feed(5)[0].data == 5

    asyncio.run(asyncio.wait_for(main(), LIMIT))


def test_the_source_is_read_while_a_worker_works(tmp_path: Path) -> None:
    async def microphone() -> AsyncIterator[str]:
        for name in "abcde":
            yield name
        for name in "abcde":
            (tmp_path / name).touch()

    async def main() -> None:
        async with elsewhere(tmp_path).session() as session:
            for _ in range(2):
                assert [out.data[0] async for out in session.stream(microphone())] == list("abcde")
                assert not others()
                assert session.dropped == (0, 0)

    asyncio.run(asyncio.wait_for(main(), LIMIT))


@pytest.mark.parametrize("queue", [1, 3])
def test_no_more_is_read_than_the_queue_holds(gate: Gate, request: pytest.FixtureRequest, queue: int) -> None:
    read = 0

    def source() -> Any:
        nonlocal read
        while read < 50:
            read += 1
            yield read

    async def main() -> None:
        async with here(request).session(queue=queue) as session:
            outs: list[Any] = []

            async def take() -> None:
                outs.extend([out.data async for out in session.stream(source())])

            task = asyncio.create_task(take())
            while not gate.begun.is_set():
                await asyncio.sleep(0)
            for _ in range(200):
                await asyncio.sleep(0)
            # One is at work, and one was read and waits for room.
            assert read == queue + 2
            gate.open.set()
            await task
            assert outs == list(range(1, 51))

    asyncio.run(asyncio.wait_for(main(), LIMIT))


def test_a_full_queue_drops_as_push_does(tmp_path: Path) -> None:
    async def main() -> None:
        async with elsewhere(tmp_path).session(queue=2, when_full="drop_oldest") as session:

            def source() -> Any:
                for number in range(40):
                    (tmp_path / str(number)).touch()
                    yield str(number)

            outs = [out async for out in session.stream(source())]
            assert outs[-1].data[0] == "39"
            assert sum(session.dropped) == 40 - len(outs)

    asyncio.run(asyncio.wait_for(main(), LIMIT))


@pytest.mark.parametrize("place", ["here", "elsewhere", "natively"])
def test_what_the_source_raises_comes_after_the_results_of_before(
    gate: Gate, request: pytest.FixtureRequest, tmp_path: Path, place: str
) -> None:
    gate.open.set()
    (tmp_path / "a").touch()
    made = {"here": lambda: here(request), "elsewhere": lambda: elsewhere(tmp_path)}
    pipe = made[place]() if place in made else rm.Pipeline([rm.nodes.TextCase(mode="lower")])

    async def source(error: BaseException) -> AsyncIterator[str]:
        yield "a"
        yield "a"
        raise error

    async def main() -> None:
        async with pipe.session() as session:
            for error in (KeyError("gone"), asyncio.CancelledError()):
                outs = []
                with pytest.raises(type(error)):
                    async for out in session.stream(source(error)):
                        outs.append(out.data)
                assert len(outs) == 2
                assert not others()

    asyncio.run(asyncio.wait_for(main(), LIMIT))


@pytest.mark.parametrize("place", ["here", "elsewhere"])
def test_a_failure_of_a_node_ends_the_reading(
    gate: Gate, request: pytest.FixtureRequest, tmp_path: Path, place: str
) -> None:
    gate.open.set()
    one = node("n", "Python", **{"class": "live_nodes:Fails"})
    worker = rm.Pipeline(manifest({**one, "execution": {"placement": "process"}}), allow_python=True)
    pipe = here(request) if place == "here" else worker

    async def source() -> AsyncIterator[str]:
        yield "a"
        yield "bad"
        await asyncio.Event().wait()

    async def main() -> None:
        async with pipe.session() as session:
            outs = []
            with pytest.raises(rm.NodeError, match="bad"):
                async for out in session.stream(source()):
                    outs.append(out.data)
            assert outs == ["a"]
            assert not others()
            with pytest.raises(rm.NodeError, match="bad"):
                async for out in session.stream(["b"]):
                    outs.append(out.data)
            session.reset()
            assert [out.data async for out in session.stream(["c"])] == ["c"]

    asyncio.run(asyncio.wait_for(main(), LIMIT))


@pytest.mark.parametrize("place", ["here", "elsewhere"])
def test_who_leaves_takes_the_reader_along(
    gate: Gate, request: pytest.FixtureRequest, tmp_path: Path, place: str
) -> None:
    gate.open.set()
    for name in "ab":
        (tmp_path / name).touch()
    pipe = here(request) if place == "here" else elsewhere(tmp_path)

    async def endless() -> AsyncIterator[str]:
        while True:
            yield "a"
            await asyncio.sleep(0)

    def text(out: rm.Output) -> Any:
        return out.data if place == "here" else out.data[0]

    async def main() -> None:
        async with pipe.session() as session:
            async for out in session.stream(endless()):
                assert text(out) == "a"
                break
            # Another one may begin at once: what was under way is not in it.
            assert {text(out) async for out in session.stream(["b", "b"])} == {"b"}
            gc.collect()
            for _ in range(5):
                await asyncio.sleep(0)
            assert not others()
            waiting = asyncio.create_task(drain(session, endless()))
            for _ in range(20):
                await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            for _ in range(5):
                await asyncio.sleep(0)
            assert not others()

    async def drain(session: rm.Session, source: Any) -> None:
        async for _ in session.stream(source):
            pass

    asyncio.run(asyncio.wait_for(main(), LIMIT))


def test_two_loops_over_one_session(gate: Gate, request: pytest.FixtureRequest) -> None:
    async def main() -> None:
        async with here(request).session() as session:
            first = asyncio.create_task(anext(aiter(session.stream(["a"]))))
            while not gate.begun.is_set():
                await asyncio.sleep(0)
            with pytest.raises(rm.BusyError, match="stream"):
                await anext(aiter(session.stream(["b"])))
            gate.open.set()
            assert (await first).data == "a"

    asyncio.run(asyncio.wait_for(main(), LIMIT))


def test_a_loop_that_another_one_has_ended_says_so(gate: Gate, request: pytest.FixtureRequest) -> None:
    gate.open.set()

    async def main() -> None:
        async with here(request).session() as session:
            with pytest.raises(rm.BusyError, match="another stream"):
                async for _ in session.stream(["a", "b"]):
                    assert [out.data async for out in session.stream(["c"])] == ["c"]

    asyncio.run(asyncio.wait_for(main(), LIMIT))


@pytest.mark.parametrize("place", ["here", "elsewhere"])
def test_an_interrupt_drops_what_was_read_and_does_not_hang(
    gate: Gate, request: pytest.FixtureRequest, tmp_path: Path, place: str
) -> None:
    """Also after the source has ended."""
    pipe = here(request) if place == "here" else elsewhere(tmp_path)

    async def main() -> None:
        async with pipe.session() as session:
            read = asyncio.Event()

            async def source() -> AsyncIterator[str]:
                yield "a"
                yield "b"
                read.set()

            async def take() -> list[Any]:
                return [out.data async for out in session.stream(source())]

            task = asyncio.create_task(take())
            await read.wait()
            begun = tmp_path / "a.begun"
            while not (gate.begun.is_set() or begun.exists()):
                await asyncio.sleep(0)
            session.interrupt()
            gate.open.set()
            for name in "abc":
                (tmp_path / name).touch()
            assert await task == []
            assert len([out async for out in session.stream(["c"])]) == 1

    asyncio.run(asyncio.wait_for(main(), LIMIT))


def test_long_native_work_is_done_beside(gate: Gate) -> None:
    """Items that are too long for the event loop's thread: the tail comes, too."""
    pipe = rm.Pipeline([rm.nodes.AudioResample(target_rate=16000)])
    parts = [np.random.default_rng(n).standard_normal(480_000).astype(np.float32) for n in range(3)]

    async def main() -> list[np.ndarray[Any, Any]]:
        async with pipe.session(48000, 1) as session:
            return [out.data async for out in session.stream(parts)]

    with pipe.session(48000, 1) as session:
        expected = [session.process(part) for part in parts] + [session.flush()]
    np.testing.assert_allclose(np.concatenate(asyncio.run(main())), np.concatenate(expected), atol=1e-5)
