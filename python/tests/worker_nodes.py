"""Nodes that the tests run in worker processes."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import remotemedia as rm


class Identity:
    def process(self, data: Any) -> Any:
        return data


class Describe:
    """Says what it got."""

    def process(self, data: Any) -> Any:
        array = data.samples if isinstance(data, rm.Audio) else data
        if isinstance(array, np.ndarray):
            return {"type": type(data).__name__, "dtype": array.dtype.str, "shape": list(array.shape)}
        return {"type": type(data).__name__, "len": len(data) if isinstance(data, (str, bytes)) else None}


class Pid:
    def process(self, data: Any) -> Any:
        return {"pid": os.getpid(), "data": data if isinstance(data, (str, int)) else None}


class Big:
    """Returns as many bytes as it is told."""

    def process(self, data: Any) -> Any:
        return bytes(int(data["bytes"]))


class Plain:
    """Every way to give a result; `how` says which."""

    def __init__(self, how: str = "plain") -> None:
        self.process = getattr(self, f"_{how}")

    def process(self, data: Any) -> Any: ...

    def _plain(self, data: Any) -> Any:
        return [data, 0]

    def _none(self, data: Any) -> Any:
        return None

    def _generator(self, data: Any) -> Any:
        for index in range(3):
            yield [data, index]

    async def _coroutine(self, data: Any) -> Any:
        await asyncio.sleep(0)
        return [data, 0]

    async def _async_generator(self, data: Any) -> Any:
        for index in range(3):
            await asyncio.sleep(0)
            yield [data, index]

    def _empty_generator(self, data: Any) -> Any:
        yield from ()

    def _many(self, data: Any) -> Any:
        yield from range(int(data))

    def _late_error(self, data: Any) -> Any:
        yield 1
        raise ValueError("after one")


class Life:
    """Writes down what is called."""

    def __init__(self, path: str, name: str = "nobody", with_reset: bool = True) -> None:
        self.path, self.name = path, name
        self.count = 0
        self._note("init")
        if with_reset:
            self.reset = self._reset

    def _note(self, text: str) -> None:
        with Path(self.path).open("a") as file:
            file.write(f"{text} {self.name}\n")

    def setup(self) -> None:
        self._note("setup")

    def process(self, data: Any) -> Any:
        self.count += 1
        self._note("process")
        return self.count

    def flush(self) -> Any:
        self._note("flush")
        yield "tail"
        yield self.count

    def _reset(self) -> None:
        self.count = 0
        self._note("reset")

    def close(self) -> None:
        self._note("close")


class Delay:
    """Gives what came before; flush gives the last."""

    def __init__(self) -> None:
        self.before: Any = None

    def process(self, data: Any) -> Any:
        before, self.before = self.before, rm.Audio(data.samples.copy(), data.sample_rate)
        return before

    def flush(self) -> Any:
        return self.before


class FailsInit:
    def __init__(self) -> None:
        raise ValueError("no such model: swan")

    def process(self, data: Any) -> Any: ...


class FailsSetup:
    def setup(self) -> None:
        raise OSError("the disk is full of ducks")

    def process(self, data: Any) -> Any: ...


class SlowSetup:
    """Ready when the file is there."""

    def __init__(self, path: str = "/nonexistent", begun: str = "") -> None:
        self.path, self.begun = path, begun

    def setup(self) -> None:
        if self.begun:
            begin(self.begun)
        while not Path(self.path).exists():
            time.sleep(0.005)
        self.at = time.monotonic()

    def process(self, data: Any) -> Any:
        return self.at


class ExitsInSetup:
    def setup(self) -> None:
        for line in range(25):
            print(f"line {line} of the end", file=sys.stderr)
        sys.stderr.flush()
        os._exit(7)

    def process(self, data: Any) -> Any: ...


class Raises:
    """Raises what the text names."""

    def process(self, data: Any) -> Any:
        if data == "ok":
            return os.getpid()
        raise self.error(data)

    @staticmethod
    def error(data: str) -> BaseException:
        return {
            "value": ValueError("a bad frame"),
            "exit": SystemExit(4),
            "interrupt": KeyboardInterrupt("stop"),
            "base": BaseException("bare"),
            "cancelled": asyncio.CancelledError("cancelled"),
            "unicode": RuntimeError("Übel \ud800 \0 end"),
        }[data]


class AsyncRaises:
    async def process(self, data: Any) -> Any:
        await asyncio.sleep(0)
        if data == "ok":
            return os.getpid()
        raise Raises.error(data)


class Odd:
    """Returns what no pipeline takes."""

    def process(self, data: Any) -> Any:
        if data == "ok":
            return "ok"
        return {
            "object": object(),
            "dtype": np.array(["a", "b"]),
            "nan": float("nan"),
            "audio": rm.Audio(np.zeros(3, np.float32), 16000) if data == "audio" else None,
        }[data]


def begin(path: str) -> None:
    """Say by a file which process has got here."""
    written = Path(path + ".new")
    written.write_text(str(os.getpid()))
    written.rename(path)


def die(how: str) -> None:
    print(f"about to die by {how}", file=sys.stderr, flush=True)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "segfault":
        ctypes.string_at(0)
    elif how == "exit3":
        os._exit(3)
    elif how == "exit0":
        os._exit(0)
    elif how == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif how == "hang":
        while True:
            time.sleep(1)
    elif how == "abort":
        os.abort()


class Dies:
    """Dies when told, by a text, or at the frames that are named; audio and anything else passes."""

    def __init__(self, at: str = "process", how: str = "", frame: int = -1, begun: str = "", once: str = "") -> None:
        self.at, self.how, self.frame, self.begun, self.once, self.count = at, how, frame, begun, once, 0
        if at == "init":
            die(how)

    def setup(self) -> None:
        if self.at == "setup":
            die(self.how)

    def process(self, data: Any) -> Any:
        if isinstance(data, str) and data.startswith("die "):
            die(data[4:])
        if self.once and self.count == self.frame and not Path(self.once).exists():
            Path(self.once).touch()
            die(self.how)
        if not self.once and self.count == self.frame:
            die(self.how)
        self.count += 1
        return os.getpid() if isinstance(data, str) else data

    def flush(self) -> Any:
        if self.at == "flush":
            die(self.how)


class Waits:
    """Says that it has begun, and ends when a file is there, or never."""

    def __init__(self, begun: str, until: str = "/nonexistent") -> None:
        self.begun, self.until = begun, until

    def process(self, data: Any) -> Any:
        if data == "pid":
            return os.getpid()
        begin(self.begun)
        while not Path(self.until).exists():
            time.sleep(0.005)
        return data

    def flush(self) -> Any:
        begin(self.begun)
        while not Path(self.until).exists():
            time.sleep(0.005)


class Chatty:
    def __init__(self, lines: bool = False) -> None:
        self.text = ("x" * 99 + "\n" if lines else "x" * 100) * 10_000

    def process(self, data: Any) -> Any:
        for _ in range(5):
            sys.stdout.write(self.text)
            sys.stderr.write(self.text)
        return data


class Keeps:
    """Keeps what it gets: views, copies, or in cycles."""

    def __init__(self, how: str = "view") -> None:
        self.how = how
        self.kept: list[Any] = []

    def process(self, data: Any) -> Any:
        if isinstance(data, str):
            if data == "drop":
                self.kept.clear()
            return [float(one.min()) for one in self.kept] + [float(one.max()) for one in self.kept]
        if self.how == "view":
            self.kept.append(data[1:])
        elif self.how == "raise":
            self.kept.append(data[1:])
            raise ValueError("kept it and failed")
        elif self.how == "error":
            try:
                raise ValueError(data[1:])
            except ValueError as error:
                self.kept.append(error)
        elif self.how == "copy":
            self.kept.append(data.copy())
        elif self.how == "cycle":
            cycle: list[Any] = [data[1:]]
            cycle.append(cycle)
        elif self.how == "write":
            data[0] = 1
        elif self.how == "flags":
            try:
                data.flags.writeable = True
            except ValueError:
                return "refused"
            return "taken"
        elif self.how == "writeable":
            was = bool(data.flags.writeable)
            data[0] += 1
            self.kept.append(data)
            return was
        elif self.how == "pass":
            return data
        elif self.how == "slice":
            return data[::2]
        return len(self.kept)


@rm.node(name="TestStateless", stateless=True)
class Stateless:
    """Takes a different time for each frame."""

    def process(self, data: Any) -> Any:
        time.sleep(0.004 * (data["n"] % 3))
        return {"n": data["n"], "pid": os.getpid()}


@rm.node(name="TestCounts")
class Counts:
    """Says how many it has had since it began."""

    def __init__(self) -> None:
        self.count = 0

    def process(self, data: Any) -> Any:
        self.count += 1
        return self.count


@rm.node(name="TestStatelessDies", stateless=True)
class StatelessDies:
    """Dies at a frame."""

    def process(self, data: Any) -> Any:
        if data["n"] == data.get("die"):
            die("kill")
        return data["n"]


class LifeOrWaits(Life):
    """Waits when told to."""

    def __init__(self, path: str, begun: str, until: str) -> None:
        super().__init__(path)
        self.begun, self.until = begun, until

    def process(self, data: Any) -> Any:
        if data == "wait":
            begin(self.begun)
            while not Path(self.until).exists():
                time.sleep(0.005)
        return data


class DiesThenFails:
    def __init__(self, once: str) -> None:
        if Path(once).exists():
            raise ValueError("the second start")
        self.once = once

    def process(self, data: Any) -> Any:
        Path(self.once).touch()
        die("kill")
