"""Interpreters that end straight after use, with work in flight: exit code 0, nothing on stderr.

20 rounds by default; `cargo xtask exits --runs 200` sets REMOTEMEDIA_EXIT_RUNS.
"""

from __future__ import annotations

import os

import pytest
from support import RESAMPLE, run_python

RUNS = int(os.environ.get("REMOTEMEDIA_EXIT_RUNS", "20"))

ENDINGS = {
    "after a blocking run": "pipe.run(audio)",
    "after short runs": "[pipe.run(frame) for _ in range(20)]",
    "in the middle of a run of asyncio": """
async def main():
    tasks = [asyncio.ensure_future(pipe.run_async(audio)) for _ in range(4)]
    await asyncio.sleep(0)
asyncio.run(main())
""",
    "with jobs that nobody waits for": """
from remotemedia._inputs import Inputs
jobs = [pipe._compiled.native.raw_start(Inputs([audio]).lend(), False, False, 0) for _ in range(4)]
""",
    "with a daemon thread in a call": """
def work():
    try:
        for _ in range(1000):
            pipe.run(audio)
    except rm.ClosedError:  # The run that the end of the interpreter stopped.
        pass
thread = threading.Thread(target=work, daemon=True)
thread.start()
pipe.run(frame)
""",
    "by sys.exit in a map": """
import sys
pipe.map((audio for _ in range(20)), progress=lambda done, total: sys.exit(0) if done == 2 else None)
""",
    "with a timer running and logs on": """
rm.log_to_python()
pipe.run(audio, timeout=600)
""",
    "with views that outlive everything": """
y = pipe.run(audio)
part = y.samples[10:20]
del pipe, audio, y
""",
}


@pytest.mark.parametrize("pinned", [False, True], ids=["any core", "one core"])
def test_interpreters_exit_with_0(pinned: bool) -> None:
    if pinned and not hasattr(os, "sched_setaffinity"):
        pytest.skip("this platform does not pin processes to cores")
    pin = "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})" if pinned else ""
    for number in range(RUNS):
        name, ending = list(ENDINGS.items())[number % len(ENDINGS)]
        done = run_python(
            f"""
import asyncio, os, threading
{pin}
import numpy as np, remotemedia as rm
pipe = rm.Pipeline({RESAMPLE!r})
audio = rm.Audio(np.zeros(2_880_000, np.float32), 48_000)
frame = rm.Audio(np.zeros(960, np.float32), 48_000)
{ending}
"""
        )
        assert (done.returncode, done.stderr) == (0, ""), f"round {number}, {name}: {done.returncode}\n{done.stderr}"
