"""Nodes that are killed at an awkward moment, or that write over the memory they share with their host."""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import random
import re
import signal
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from worker_nodes import begin, die

MAGIC = b"RM\x04\0"
LOOKED_AT = 12 << 20
"""Bytes of a segment that are searched for heads: the first slots are the ones in use."""

# --- calls that kill ------------------------------------------------------------------------------------------------

FUTEX = {"x86_64": 202, "aarch64": 98}.get(platform.machine())
"""Waking the other side is this call; the frame itself is sent without any."""


def die_at_wake_up() -> None:
    """From now on this process is killed when this thread wakes another process: after a frame, before its wake-up."""
    call, operation = (0x20, 0, 0, 0), (0x20, 0, 0, 24)
    is_futex, is_shared_wake = (0x15, 0, 3, FUTEX), (0x15, 0, 1, 1)
    kill, allow = (0x06, 0, 0, 0x80000000), (0x06, 0, 0, 0x7FFF0000)
    lines = (call, is_futex, operation, is_shared_wake, kill, allow)
    code = b"".join(struct.pack("HBBI", *line) for line in lines)
    memory = ctypes.create_string_buffer(code)
    program = ctypes.create_string_buffer(struct.pack("H6xQ", 6, ctypes.addressof(memory)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong]
    assert prctl(38, 1, None, 0, 0) == 0  # no new privileges
    assert prctl(22, 2, ctypes.addressof(program), 0, 0) == 0, os.strerror(ctypes.get_errno())  # a filter of calls


class Echo:
    """Gives back what it gets; some texts tell it to do something."""

    def __init__(self, begun: str = "") -> None:
        self.begun = begun
        self.kept: list[Any] = []

    def process(self, data: Any) -> Any:
        if isinstance(data, str):
            if data == "pid":
                return os.getpid()
            if data == "die at the wake-up":
                die_at_wake_up()
            elif data.startswith("die "):
                die(data[4:])
        return data

    def _wait(self) -> None:
        begin(self.begun)
        while True:
            time.sleep(1)


class Holds(Echo):
    """Keeps a view of every array; waits at the one that is all 1."""

    def process(self, data: Any) -> Any:
        if isinstance(data, np.ndarray):
            self.kept.append(data[1:])
            if data[0] == 1:
                self._wait()
            return len(self.kept)
        return super().process(data)


class NeverCloses(Echo):
    """Its end never ends."""

    def close(self) -> None:
        self._wait()


# --- garbage --------------------------------------------------------------------------------------------------------


def field(at: int, form: str, *numbers: int) -> tuple[int, bytes]:
    return at, struct.pack("<" + form, *numbers)


BAD_HEADS = {
    "magic": field(0, "H", 0xDEAD),
    "kind": field(4, "B", 250),
    "dtype": field(5, "B", 200),
    "axes": field(6, "B", 255),
    "denominator": field(36, "I", 0),
    "head length": field(48, "I", 0xFFFFFFFF),
    "payload length": field(56, "Q", 2**64 - 1),
    "shape": field(64, "Q", 2**63),
    "zeros": (0, bytes(64)),
}
"""What no head may say: where in the head, and the bytes. Each is to be found by whoever reads it."""


def heads(memory: mmap.mmap) -> list[int]:
    """Where frames lie in a segment."""
    words = np.frombuffer(memory, "<u4", count=len(memory) // 4)[::16]
    return [int(at) * 64 for at in np.flatnonzero(words == struct.unpack("<I", MAGIC)[0])]


def outgoing() -> mmap.mmap:
    """The memory that this process sends frames in: the slot of long ones if there is one, else that of short ones."""
    names = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        # A file has been mapped before it got its name.
        found = re.search(r" rw-s .* (/dev/shm/rm_\S+(?:\.data|/frames-\S+))", line)
        # What is mapped of a worker that has ended has none any more.
        if found and os.path.exists(found[1]):
            names.append(found[1])
    with open(max(names, key=lambda name: "/frames-" in name), "r+b") as file:
        return mmap.mmap(file.fileno(), min(LOOKED_AT, os.fstat(file.fileno()).st_size))


def scribble(at: int, garbage: bytes) -> None:
    """Write over the same place of every frame that lies in the outgoing memory."""
    memory = outgoing()
    for head in heads(memory):
        memory[head + at : head + at + len(garbage)] = garbage


def stop(pid: int) -> None:
    """Stop a process, and wait until all of its threads stand still."""
    os.kill(pid, signal.SIGSTOP)
    for task in Path(f"/proc/{pid}/task").iterdir():
        while (task / "stat").read_text().rsplit(")", 1)[1].split()[0] not in "TXZ":
            time.sleep(0.001)


class Scribbles:
    """Changes a result after it was sent and before the host, which it stops meanwhile, has looked at it."""

    def process(self, data: Any) -> Iterator[Any]:
        if data == "pid":
            yield os.getpid()
            return
        host = os.getppid()
        stop(host)
        try:
            yield np.zeros(data["shape"], np.uint8)
            for at, garbage in data["changes"]:
                scribble(at, bytes(garbage))
        finally:
            os.kill(host, signal.SIGCONT)


def storm(is_over: threading.Event) -> None:
    """Write garbage over heads as fast as it goes."""
    rng = random.Random(7)
    anywhere = [(8, rng.randbytes(16)), (rng.randrange(100), rng.randbytes(8))]
    bad = [*BAD_HEADS.values(), *anywhere]
    while not is_over.is_set():
        try:
            memory = outgoing()
        except (ValueError, OSError):
            continue  # It grows, or it is gone.
        places = heads(memory)
        at, garbage = rng.choice(bad)
        for _ in range(1000):
            for head in places:
                memory[head + at : head + at + len(garbage)] = garbage


class Storms(Echo):
    """Never stops to write over the heads of what it sends."""

    is_calm = True

    def process(self, data: Any) -> Any:
        if self.is_calm:
            self.is_calm = False
            threading.Thread(target=storm, args=(threading.Event(),), daemon=True).start()
        return data


class Flickers(Echo):
    """Returns a text of which one byte changes between right and wrong all the time."""

    LEN = 4 << 20

    def setup(self) -> None:
        threading.Thread(target=self._flicker, daemon=True).start()

    def _flicker(self) -> None:
        while True:
            try:
                memory = outgoing()
            except (ValueError, OSError):
                continue
            head = next((at for at in heads(memory) if memory[at + 56 : at + 64] == struct.pack("<Q", self.LEN)), None)
            while head is not None:
                memory[head + 128 + self.LEN - 5] = 0xFF
                memory[head + 128 + self.LEN - 5] = ord("x")

    def process(self, data: Any) -> Any:
        return "x" * self.LEN
