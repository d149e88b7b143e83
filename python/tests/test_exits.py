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
from remotemedia._run import Job
jobs = [Job(pipe._compiled, Inputs([audio]), 0, 0) for _ in range(4)]
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
    "with a loop in a daemon thread that waits for a result": """
loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()
waits = threading.Event()
async def main():
    session = pipe.session(48000, 1)
    await session.push(frame)
    waits.set()
    while await session.next():
        pass
asyncio.run_coroutine_threadsafe(main(), loop)
waits.wait()
""",
    "with a task that waits for a result": """
async def main():
    session = pipe.session(48000, 1)
    asyncio.ensure_future(session.next())
    await asyncio.sleep(0.01)
asyncio.new_event_loop().run_until_complete(main())
""",
    "with a task that waits for room": """
async def main():
    session = pipe.session(48000, 1, queue=1)
    async def feed():
        while True:
            await session.push(frame)
    asyncio.ensure_future(feed())
    await asyncio.sleep(0.01)
asyncio.new_event_loop().run_until_complete(main())
""",
    "with a task that waits for a run": """
async def main():
    asyncio.ensure_future(pipe.run_async(audio))
    await asyncio.sleep(0.001)
asyncio.new_event_loop().run_until_complete(main())
""",
    "with daemon threads in nodes in Python": """
@rm.node
class Works:
    def process(self, data):
        return rm.Audio(-data.samples, data.sample_rate)
@rm.node
class Sleeps:
    def process(self, data):
        began.set()
        time.sleep(100)
began = threading.Event()
def work(node):
    try:
        session = rm.Pipeline([{"node_type": node}]).session(48000, 1)
        while True:
            session.process(frame.samples)
    except rm.ClosedError:  # The interpreter goes away.
        return
for node in ("Works", "Works", "Sleeps"):
    threading.Thread(target=work, args=(node,), daemon=True).start()
began.wait()
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
import asyncio, logging, os, threading, time
logging.getLogger("asyncio").disabled = True  # What it says of tasks that are left is its own.
# And of loops that are left: Python 3.10 may end a loop's sockets before the loop.
del asyncio.base_events.BaseEventLoop.__del__
{pin}
import numpy as np, remotemedia as rm
pipe = rm.Pipeline({RESAMPLE!r})
audio = rm.Audio(np.zeros(2_880_000, np.float32), 48_000)
frame = rm.Audio(np.zeros(960, np.float32), 48_000)
{ending}
"""
        )
        assert (done.returncode, done.stderr) == (0, ""), f"round {number}, {name}: {done.returncode}\n{done.stderr}"
