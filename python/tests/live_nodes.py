"""Nodes that the tests of live streams run in worker processes."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

import remotemedia as rm


class Gated:
    """Answers a text when the file of that name is there; says in another file that it has begun."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def process(self, data: Any) -> Any:
        (self.folder / f"{data}.begun").touch()
        end = time.monotonic() + 30
        while not (self.folder / str(data)).exists():
            if time.monotonic() > end:
                raise TimeoutError(f"nobody has made {data}")
            time.sleep(0.002)
        return [data, os.getpid()]


@rm.node(name="LnStateless", stateless=True)
class Stateless(Gated):
    """The same, declared to be without state."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder)


@rm.node(name="LnSettings", changeable=["factor"])
class Settings:
    """Multiplies, and says when it is set up."""

    def __init__(self, log: str, factor: int = 1) -> None:
        self.log, self.factor = log, factor

    def setup(self) -> None:
        with open(self.log, "a") as log:
            log.write("setup\n")

    def set_param(self, name: str, value: int) -> None:
        assert name == "factor"
        self.factor = value

    def process(self, data: Any) -> Any:
        return data * self.factor


class Fails:
    """Raises at "bad", ends the process at "die"."""

    def process(self, data: Any) -> Any:
        if data == "bad":
            raise ValueError("bad")
        if data == "die":
            os._exit(7)
        return data


class Keeps:
    """Keeps every input, and gives the sum of all of them."""

    def __init__(self) -> None:
        self.kept: list[np.ndarray[Any, Any]] = []

    def process(self, data: rm.Audio) -> rm.Audio:
        self.kept.append(data.samples)
        return rm.Audio(np.sum(self.kept, axis=0, dtype=np.float32), data.sample_rate)


class Steps:
    """Yields, and goes on when a file is there."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def process(self, data: Any) -> Any:
        for step in range(3):
            yield [data, step]
            wait_for(self.folder / f"{data}{step}")


class Closes:
    """Writes on what thread it is closed, and whether it was at work then."""

    def __init__(self, folder: str) -> None:
        self.folder, self.works = Path(folder), False

    def process(self, data: Any) -> Any:
        self.works = True
        (self.folder / f"{data}.begun").touch()
        wait_for(self.folder / str(data))
        self.works = False
        return data

    def close(self) -> None:
        (self.folder / "closed.part").write_text(
            f"{threading.current_thread() is threading.main_thread()} {self.works}"
        )
        (self.folder / "closed.part").rename(self.folder / "closed")


def wait_for(path: Path) -> None:
    end = time.monotonic() + 30
    while not path.exists():
        if time.monotonic() > end:
            raise TimeoutError(f"nobody has made {path.name}")
        time.sleep(0.002)


@rm.node(name="LnFactor", changeable=["factor"])
class Factor:
    """Multiplies; dies when told."""

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def set_param(self, name: str, value: Any) -> None:
        self.factor = value

    def process(self, data: Any) -> Any:
        if data == "die":
            os._exit(7)
        return data * self.factor


@rm.node(name="LnOnce", stateless=True)
class Once:
    """Dies at the first frame that holds a certain sample, once."""

    def __init__(self, once: str) -> None:
        self.once = Path(once)

    def process(self, data: Any) -> Any:
        if data.samples[0] == 0 and not self.once.exists():
            self.once.touch()
            os._exit(7)
        return data


class Endless:
    """Yields for ever; says in files how often, and that it was ended."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.file = os.open(self.folder / "count", os.O_CREAT | os.O_WRONLY)

    def count(self, step: int) -> None:
        os.pwrite(self.file, b"%12d" % step, 0)

    def close(self) -> None:
        os.close(self.file)

    def process(self, data: Any) -> Any:
        step = 0
        try:
            while True:
                self.count(step)
                yield [data, step]
                step += 1
        finally:
            (self.folder / f"{data}.ended").touch()


class EndlessLater(Endless):
    """The same, asynchronous."""

    async def process(self, data: Any) -> Any:
        try:
            for step in range(10**9):
                self.count(step)
                yield [data, step]
        finally:
            (self.folder / f"{data}.ended").touch()
