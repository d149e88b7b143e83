"""Workers and hosts that end at the worst moment, and sides that write over the memory which they share.

Moments are found by files, by `/proc` and by what is in `/dev/shm`, not by the clock.
"""

from __future__ import annotations

import gc
import mmap
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import must
from test_workers import Call, begun, doctor, is_alive, one, pipe_of, residue, run_host, script, until
from worker_end_nodes import BAD_HEADS, FUTEX, field, heads, outgoing, scribble, stop, storm

import remotemedia as rm

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(sys.platform != "linux", reason="worker processes are for Linux"),
]

CHILD = (
    "from test_worker_ends import *\nfrom worker_end_nodes import *\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
)
"""What a host of its own starts with. Whoever started the tests may ignore Ctrl-C."""

MB64 = 64 << 20
VIEW = np.zeros(40_000, np.float32)
"""Above what is copied for a node."""


def ends(name: str, params: dict[str, Any] | None = None, **execution: Any) -> rm.Pipeline:
    node = one(name, params, **execution)
    node["params"]["class"] = f"worker_end_nodes:{name}"
    return rm.Pipeline({"version": "v1", "nodes": [node]}, allow_python=True)


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """After a test nothing is in shared memory that was not there before it."""
    before = set(residue())
    yield
    gc.collect()
    until(lambda: set(residue()) <= before, 3)


def pid_of(session: rm.Session) -> int:
    return session.feed("pid")[0].data


def killed(pid: int, call: Call, kind: type[BaseException] = rm.WorkerCrashedError) -> None:
    """Kill a worker; whoever waits for it has the error within a second."""
    at = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    call.wait()
    assert type(call.error) is kind and "signal 9 (SIGKILL)" in str(call.error), call.error
    assert call.ended - at < 1


def works(pipe: rm.Pipeline, but: int) -> None:
    """A next session has another worker, and it works."""
    with pipe.session() as session:
        assert pid_of(session) != but
        assert session.feed(b"next")[0].data == b"next"


# --- in the middle of a copy, with a view, before hello, before the wake-up -----------------------------------------


def segments() -> set[str]:
    """Where frames of 64 MB are written: one slot for the way in, then one for the way out."""
    found = set()
    for run in residue():
        for path in Path("/dev/shm", run).glob("frames-*"):
            with suppress(OSError):
                found |= {path} if path.stat().st_size > MB64 else set()
    return found


@pytest.mark.parametrize(("way", "parts"), [("in", [0, 2, 4]), ("out", [1, 4])])
def test_kills_while_a_frame_is_copied(way, parts):
    pipe, in_the_middle = ends("Echo"), 0
    for part in parts:
        session = pipe.session()
        pid = pid_of(session)
        call = Call(session.feed, np.ones(MB64, np.uint8))
        path = until(segments).pop()
        if way == "out":
            path = until(lambda: segments() - {path}).pop()  # noqa: B023
        # Memory that nobody has written to yet is zero.
        with path.open("rb") as file, mmap.mmap(file.fileno(), MB64, access=mmap.ACCESS_READ) as memory:
            end = time.monotonic() + 10
            while part and memory[MB64 * part // 6] == 0:
                assert time.monotonic() < end
            in_the_middle += memory[MB64 - 1] == 0
        killed(pid, call)
        session.close()
        works(pipe, pid)
        until(lambda: not segments())
    assert in_the_middle >= 2, "no kill has met a copy"


def test_a_session_that_is_opened_right_after_a_kill():
    """The worker is dead, and nobody has seen it yet."""
    pipe = ends("Echo")
    for _ in range(4):
        with pipe.session() as session:
            pid = pid_of(session)
            os.kill(pid, signal.SIGKILL)
            works(pipe, pid)


@pytest.mark.parametrize(("when", "restart"), [("idle", "on_failure"), ("at work", "never")])
def test_kill_while_a_view_is_held(when, restart, tmp_path):
    at_work = tmp_path / "begun"
    pipe = ends("Holds", {"begun": str(at_work)}, restart=restart, restart_delay_ms=1)
    session = pipe.session()
    assert [session.feed(VIEW)[0].data for _ in range(2)] == [1, 2]
    pid = pid_of(session)
    call = Call(session.feed, VIEW + 1) if when == "at work" else None
    assert call is None or begun(at_work) == pid
    os.kill(pid, signal.SIGKILL)
    # With a restart the error comes with the next worker.
    call = (call or Call(session.feed, "x")).wait(1 if restart == "never" else 5)
    assert type(call.error) is rm.WorkerCrashedError
    if restart == "on_failure":
        assert [session.feed(VIEW)[-1].data for _ in range(2)] == [1, 2]
    session.close()
    works(pipe, pid)


def children() -> set[int]:
    """The workers of this process."""
    found = set()
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == os.getpid():
                found |= {int(entry.name)} if b"remotemedia.worker" in (entry / "cmdline").read_bytes() else set()
    return found


@pytest.mark.parametrize("has_got_to", ["", "libremotemedia", "/dev/shm/rm_"])
def test_kill_before_it_has_said_hello(has_got_to, tmp_path):
    """When it has just begun, when it loads the library, and when it opens its channel."""
    pipe, before = pipe_of("SlowSetup", {"path": str(tmp_path / "never")}), children()
    call = Call(pipe.session)
    pid = until(lambda: children() - before).pop()
    until(lambda: has_got_to in Path(f"/proc/{pid}/maps").read_text())
    killed(pid, call, rm.WorkerStartError)


@pytest.mark.skipif(FUTEX is None, reason="the number of the call is known for two machines")
def test_the_worker_ends_between_its_reply_and_the_wake_up():
    """What it has said counts; what comes then is an error. Who is awake is not woken, so it may take some frames."""
    pipe = ends("Echo")
    with pipe.session() as session:
        pid = pid_of(session)
        assert session.feed("die at the wake-up")[0].data == "die at the wake-up"
        call = Call(lambda: [session.feed(n)[0].data for n in range(10_000)]).wait()
        assert type(call.error) is rm.WorkerCrashedError and "signal 31" in str(call.error)
    works(pipe, pid)


def swept(pid: int, how: str = "start") -> None:
    """What a dead host has left is removed by the next start of a worker, or by the command."""
    if how == "start":
        # Once in the life of a process: not in this one.
        assert must(run_host(CHILD + 'print(ends("Echo").run("x"))')) == "x\n"
    else:
        doctor("--clean")
    assert residue(f"rm_{pid:x}_") == []


@pytest.mark.skipif(FUTEX is None, reason="the number of the call is known for two machines")
def test_the_host_ends_between_a_frame_and_the_wake_up():
    code = 'session = ends("Echo").session()\nprint(pid_of(session), flush=True)\ndie_at_wake_up()\n'
    with script(CHILD + code + "while True: session.feed('x')") as host:
        pid = int(host.stdout.readline())
        assert host.wait(10) == -signal.SIGSYS
        until(lambda: not is_alive(pid), 2)
    swept(host.pid)


# --- at the end -----------------------------------------------------------------------------------------------------


def test_kill_in_close_when_a_stream_is_begun_anew(tmp_path):
    """The object of the stream before never closes: its worker is killed, and another one takes the frame."""
    at_work = tmp_path / "begun"
    with ends("NeverCloses", {"begun": str(at_work)}).session() as session:
        pid = pid_of(session)
        session.reset()
        call = Call(pid_of, session)
        assert begun(at_work) == pid
        os.kill(pid, signal.SIGKILL)
        assert call.wait(5).error is None and call.result != pid
        os.kill(call.result, signal.SIGKILL)


def test_kill_in_close_when_the_pipeline_is_dropped(tmp_path):
    at_work, before = tmp_path / "begun", set(residue())
    pipe = ends("NeverCloses", {"begun": str(at_work)}, stop_timeout_ms=60_000)
    session = pipe.session()
    pid = pid_of(session)
    began = time.monotonic()
    session.close()
    del session, pipe
    gc.collect()
    assert time.monotonic() - began < 1
    assert begun(at_work) == pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: set(residue()) <= before, 1)


def test_kill_in_close_when_the_host_ends(tmp_path):
    at_work = tmp_path / "begun"
    code = 'session = ends("NeverCloses", {"begun": sys.argv[1]}, stop_timeout_ms=60_000).session()\n'
    with script(CHILD + code + "print(pid_of(session), flush=True)", str(at_work)) as host:
        pid = int(host.stdout.readline())
        assert begun(at_work) == pid
        at = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        assert host.communicate(timeout=10) == ("", "") and host.returncode == 0
        assert time.monotonic() - at < 1
        assert residue(f"rm_{host.pid:x}_") == []


# --- before a restart -----------------------------------------------------------------------------------------------


def test_the_error_of_a_crash_does_not_wait_for_the_restart():
    with ends("Echo", restart="on_failure", restart_delay_ms=2000).session() as session:
        pid = pid_of(session)
        call = Call(session.feed, "die kill")
        until(lambda: not is_alive(pid))
        ended = time.monotonic()
        assert type(call.wait().error) is rm.WorkerCrashedError
        assert call.ended - ended < 1


def test_a_session_that_is_closed_is_not_restarted():
    before = set(residue())
    session = ends("Echo", restart="on_failure", restart_delay_ms=2000, on_crash="skip").session()
    assert session.feed("die kill")[0].data is None, "the gap"
    # The next caller waits for the restart, and the worker is gone with all that it had.
    call = Call(session.feed, "x")
    until(lambda: set(residue()) <= before)
    closed = time.monotonic()
    session.close()
    assert time.monotonic() - closed < 1
    call.wait()
    assert isinstance(call.error, rm.RemoteMediaError) and call.ended - closed < 1
    assert set(residue()) <= before


LONG: dict[str, Any] = {"restart": "on_failure", "restart_delay_ms": 20_000, "max_restart_delay_ms": 20_000}


def test_the_timeout_of_a_run_ends_the_wait_for_a_restart():
    began = time.monotonic()
    with pytest.raises(rm.TimeoutError):
        ends("Echo", on_crash="skip", **LONG).run("die kill", timeout=1)
    assert time.monotonic() - began < 2


BACKS_OFF = f"""{CHILD}
pipe = ends("Echo", **LONG)
session, another = pipe.session(), ends("Echo").session()
print(pid_of(session), pid_of(another), flush=True)
def back_off():
    with suppress(rm.WorkerCrashedError):
        session.feed("die kill")
    session.feed("x")
"""


def in_back_off(host: Any) -> int:
    """Wait until a host waits for a restart; its other worker."""
    first, other = map(int, host.stdout.readline().split())
    until(lambda: not Path(f"/proc/{first}").exists())
    until(lambda: len({name.split("_")[3] for name in residue(f"rm_{host.pid:x}_")}) == 1)
    return other


def test_ctrl_c_while_a_restart_is_waited_for():
    code = "try: back_off()\nexcept KeyboardInterrupt: print('interrupted', time.monotonic())\n"
    with script(BACKS_OFF + code) as host:
        in_back_off(host)
        at = time.monotonic()
        host.send_signal(signal.SIGINT)
        word, when = host.communicate(timeout=10)[0].split()
        assert (host.returncode, word) == (0, "interrupted") and float(when) - at < 1
        assert residue(f"rm_{host.pid:x}_") == []


def test_ctrl_c_while_a_session_is_opened_that_waits_for_a_restart_of_another():
    code = "threading.Thread(target=back_off, daemon=True).start()\nsys.stdin.readline()\nprint('go', flush=True)\n"
    with script(BACKS_OFF + code + "try: pipe.session()\nexcept KeyboardInterrupt: print('interrupted')") as host:
        in_back_off(host)
        host.stdin.write("go\n")
        host.stdin.flush()
        assert host.stdout.readline() == "go\n"
        until(lambda: Path(f"/proc/{host.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "S")
        host.send_signal(signal.SIGINT)
        assert host.communicate(timeout=3)[0] == "interrupted\n" and host.returncode == 0


def test_a_host_that_ends_does_not_wait_for_a_restart():
    with script(BACKS_OFF + "threading.Thread(target=back_off, daemon=True).start()\nsys.stdin.readline()") as host:
        other = in_back_off(host)
        at = time.monotonic()
        host.communicate("end\n", timeout=10)
        assert host.returncode == 0 and time.monotonic() - at < 2
        assert not is_alive(other) and residue(f"rm_{host.pid:x}_") == []


@pytest.mark.parametrize("how", ["start", "command"])
def test_a_host_that_is_killed_while_it_waits_for_a_restart(how):
    with script(BACKS_OFF + "back_off()") as host:
        other = in_back_off(host)
        host.kill()
        host.wait()
        until(lambda: not is_alive(other), 2)
        swept(host.pid, how)


# --- garbage, each time in a host of its own ------------------------------------------------------------------------


def typed(limit: float, words: str, call: Callable[..., Any], *args: Any) -> None:
    """The call ends in time, with an error of ours."""
    began = time.monotonic()
    done = Call(call, *args).wait()
    assert isinstance(done.error, rm.RemoteMediaError) and words in str(done.error), repr(done.error)
    assert done.ended - began < limit


def changed(*changes: tuple[int, bytes], shape: tuple[int, ...] = (1000,)) -> dict[str, Any]:
    return {"shape": shape, "changes": [[at, list(garbage)] for at, garbage in changes]}


def bad_replies() -> None:
    """Each is an error, the worker ends, and the session has another one after a reset."""
    pipe = ends("Scribbles")
    for change in BAD_HEADS.values():
        with pipe.session() as session:
            pid = pid_of(session)
            typed(1, "malformed", session.feed, changed(change))
            until(lambda: not is_alive(pid), 2)  # noqa: B023
            session.reset()
            assert pid_of(session) != pid


def bad_reply_with_restart() -> None:
    """The worker is replaced as one that has crashed."""
    with ends("Scribbles", restart="on_failure", restart_delay_ms=1).session() as session:
        pid = pid_of(session)
        typed(2, "malformed", session.feed, changed(BAD_HEADS["magic"]))
        assert pid_of(session) != pid


def axis_beside_an_axis_of_0() -> None:
    """The product is right whatever the other axis says; numpy does not take them all."""
    with ends("Scribbles").session() as session:
        typed(1, "", session.feed, changed(field(72, "Q", 2**64 - 1), shape=(0, 3)))


def length_of_a_slot() -> None:
    """Before our head are iceoryx2's length of a frame and ours. Here they are above `max_frame_bytes`."""
    lengths = (
        field(-32, "Q", 1 << 34),
        field(-24, "Q", 1 << 40),
        field(56, "Q", (1 << 40) - 128),
        field(64, "Q", (1 << 40) - 128),
    )
    with ends("Scribbles").session() as session:
        typed(1, "", session.feed, changed(*lengths))


def text_that_changes() -> None:
    """A text that is written to while it is read is right, or an error of ours."""
    for _ in range(5):
        with ends("Flickers").session() as session, suppress(rm.RemoteMediaError):
            for _ in range(20):
                assert set(session.feed(1)[0].data) == {"x"}


def bad_requests() -> None:
    """The worker ends; who waits has an error that says why."""
    pipe, text = ends("Echo", frame_timeout_ms=3000), "x" * 1000
    for change in list(BAD_HEADS.values())[::3]:
        with pipe.session() as session:
            pid = pid_of(session)
            stop(pid)
            call = Call(session.feed, text)
            memory = outgoing()
            until(lambda: any(memory[at + 128 : at + 1128] == text.encode() for at in heads(memory)))  # noqa: B023
            scribble(*change)
            os.kill(pid, signal.SIGCONT)
            at = time.monotonic()
            assert type(call.wait().error) is rm.WorkerCrashedError and "malformed" in str(call.error), call.error
            assert call.ended - at < 1
        until(lambda: not residue())


def storms() -> None:
    """A thread of the worker, then one of the host, never stops to write over heads while frames go."""
    for name in ["Storms"] * 2 + ["Echo"] * 2:
        is_over = threading.Event()
        try:
            with suppress(rm.RemoteMediaError), ends(name, frame_timeout_ms=1000).session() as session:
                if name == "Echo":
                    threading.Thread(target=storm, args=(is_over,), daemon=True).start()
                for _ in range(500):
                    session.feed(np.zeros(8 << 20, np.uint8))
                raise AssertionError("no frame was met")
        finally:
            is_over.set()
    works(ends("Echo"), 0)


@pytest.mark.parametrize(
    "work",
    [
        bad_replies,
        bad_reply_with_restart,
        axis_beside_an_axis_of_0,
        length_of_a_slot,
        text_that_changes,
        bad_requests,
        storms,
    ],
)
def test_garbage(work):
    """Whatever the other side writes: a host does not crash or hang, and its errors are ours."""
    done = run_host(f"{CHILD}{work.__name__}()\nprint('alive')")
    assert (done.returncode, done.stdout) == (0, "alive\n"), f"{done.returncode}\n{done.stdout}\n{done.stderr}"
