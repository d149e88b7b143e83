"""Memory and time that strangers' input asks for: what cannot be had is an error that names it, and nothing ends."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from support import must, run_python

GIB = 1 << 30
HEAD = """
    import resource, sys
    import numpy as np
    import remotemedia as rm
    N = rm.nodes
    resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))
"""

pytestmark = pytest.mark.skipif("not sys.platform.startswith('linux')", reason="RLIMIT_AS is needed")


def limited(code: str, limit: int = 3 * GIB) -> str:
    """Run code with so much address space, and return what it printed."""
    return must(run_python(HEAD.format(limit=limit) + code)).strip()


@pytest.mark.parametrize(
    "call",
    [
        "rm.Pipeline([N.AudioResample(target_rate=16000)]).run(rm.Audio(np.zeros(200_000, np.float32), 1))",
        "rm.Pipeline([N.AudioResample(target_rate=1536000)]).run(rm.Audio(np.zeros(60_000, np.float32), 1))",
        "rm.Pipeline([N.AudioResample(target_rate=1536000)]).session(1, 1).feed(np.zeros(60_000, np.float32))",
        "rm.Pipeline([N.AudioResample(target_rate=1536000)]).session(1, 1).process(np.zeros(60_000, np.float32))",
        "rm.Pipeline([N.AudioChannels(channels=64)]).run(rm.Audio(np.zeros(100_000_000, np.int16), 48000))",
        "rm.resample(np.zeros(60_000, np.float32), 1, 1536000)",
    ],
)
def test_what_comes_out_may_be_too_much(call: str) -> None:
    found = limited(f"""
    try:
        {call}
    except rm.InputValueError as error:
        print(error.code, str(error))
    # All that was made on the way is free again.
    print(rm.Pipeline([N.Gain()]).run(rm.Audio(np.zeros(48000, np.float32), 48000)).frames)
    """)
    error, after = found.splitlines()
    assert error.startswith("RM0320") and ("MiB" in error or "bytes" in error), error
    assert after == "48000"


@pytest.mark.parametrize(("channels", "gap"), [(1, 599), (8, 599), (64, 599), (64, 40)])
def test_a_gap_is_bounded_by_what_its_silence_takes(channels: int, gap: int) -> None:
    found = limited(f"""
    frame = np.zeros((160, {channels}), np.float32)
    session = rm.Pipeline([N.Gain()]).session(48000, {channels})
    session.feed(frame, pts=0)
    try:
        print(sum(len(out.data) for out in session.feed(frame, pts={gap})))
    except rm.InputValueError as error:
        print(error)
    print(len(session.feed(frame)[0].data))
    """)
    answer, after = found.splitlines()
    silence = gap * 48000 * channels * 4
    assert answer == str(gap * 48000) if silence <= 512 << 20 else "silence" in answer and "MiB" in answer
    assert after == "160", "the stream is as it was"


def test_a_gap_counts_at_the_rate_that_it_becomes() -> None:
    found = limited("""
    session = rm.Pipeline([N.AudioResample(target_rate=1536000)]).session(8000, 1)
    session.feed(np.zeros(160, np.float32), pts=0)
    try:
        session.feed(np.zeros(160, np.float32), pts=500)
    except rm.InputValueError as error:
        print(error)
    """)
    assert "2930 MiB" in found


def test_a_timeout_ends_the_work_and_frees_its_memory() -> None:
    found = limited(
        """
    import time
    pipe = rm.Pipeline([N.AudioResample(target_rate=1536000)])
    resident = lambda: int(open("/proc/self/statm").read().split()[1]) * 4096
    pipe.run(rm.Audio(np.zeros(8000, np.float32), 8000))
    before = resident()
    for frames, rate in ((8_000_000, 48000), (60_000, 300)):
        try:
            pipe.run(rm.Audio(np.zeros(frames, np.float32), rate), timeout=0.2)
        except rm.TimeoutError:
            print("late")
    until = time.monotonic() + 20
    while resident() > before + (200 << 20):
        assert time.monotonic() < until, resident() - before
        time.sleep(0.01)
    print("free")
    """,
        6 * GIB,
    )
    assert found.splitlines() == ["late", "late", "free"]


@pytest.mark.parametrize("channels", [1, 24])
def test_a_header_that_promises_more_than_the_file_holds(tmp_path: Path, channels: int) -> None:
    form = struct.pack("<HHIIHH", 1, channels, 48000, 48000 * channels, channels, 8)
    head = b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"WAVEfmt " + struct.pack("<I", 16) + form
    path = tmp_path / "much.wav"
    path.write_bytes(head + b"data" + struct.pack("<I", 0xFFFFFFF0) + bytes(24 * 4))
    found = limited(
        f"""
    try:
        print(rm.read({str(path)!r}).frames)
    except rm.IoError as error:
        print("refused")
    """,
        GIB,
    )
    assert found in {"refused", str(24 * 4 // channels)}


def test_a_stranger_s_stamp_far_before_the_first_is_late() -> None:
    found = limited("""
    session = rm.Pipeline([N.JitterBuffer()]).session(48000, 1)
    frame = np.ones(480, np.float32)
    session.feed(frame, pts=0)
    print([out.data["event"] for out in session.feed(frame, pts=-1e5) if out.port == "events"])
    # One that has only been overtaken moves the beginning, as before.
    session.feed(frame, pts=-0.01)
    print(sum(len(out.data) for out in session.flush() if out.port == "out"))
    """)
    assert found.splitlines() == ["['late']", "960"]


def test_many_short_items_take_time_in_proportion() -> None:
    """Each item looks at each result port once; the counts say so without a clock."""
    found = limited("""
    pipe = rm.Pipeline([N.TextCase(mode="upper")])
    print(len(pipe.run(*["a"] * 60_000)))
    """)
    assert found == "60000"
