"""Python nodes in worker processes: everything that can come, and everything that can go wrong."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import worker_nodes  # noqa: F401 -- registers the classes that have a name
from support import must, run_python

import remotemedia as rm

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(sys.platform != "linux", reason="worker processes are for Linux"),
]

KILLS = int(os.environ.get("REMOTEMEDIA_KILLS", "40"))
EXITS = int(os.environ.get("REMOTEMEDIA_EXITS", "10"))

PREFIX = f"rm_{os.getpid():x}_"


def one(name: str, params: dict[str, Any] | None = None, id: str = "n", **execution: Any) -> dict[str, Any]:
    return {
        "id": id,
        "node_type": "Python",
        "params": {"class": f"worker_nodes:{name}", "params": params or {}},
        "execution": {"placement": "process", "stop_timeout_ms": 1000, **execution},
    }


def pipe_of(name: str, params: dict[str, Any] | None = None, **execution: Any) -> rm.Pipeline:
    return rm.Pipeline({"version": "v1", "nodes": [one(name, params, **execution)]}, allow_python=True)


def values(outputs: list[rm.Output]) -> list[Any]:
    return [out.data for out in outputs]


def until(what: Callable[[], Any], limit: float = 10.0, instead: Callable[[], Any] | None = None) -> Any:
    """Wait for a condition; it must come true."""
    end = time.monotonic() + limit
    while not (found := what()):
        assert time.monotonic() < end, f"not within {limit} s: {instead() if instead else ''}"
        time.sleep(0.002)
    return found


def begun(path: Path) -> int:
    """Wait until a node says that it is at work; its process id."""
    until(path.exists)
    pid = int(path.read_text())
    path.unlink()
    return pid


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def residue(prefix: str = PREFIX) -> list[str]:
    return [name for name in os.listdir("/dev/shm") if name.startswith((prefix, f".{prefix}"))]


def fds() -> list[str]:
    """What this process has open."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            found.append(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
    return found


class Call:
    """A call on a thread of its own: its result, or its error, and when it ended."""

    def __init__(self, call: Callable[..., Any], *args: Any) -> None:
        self.result: Any = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(call, *args), daemon=True)
        self._thread.start()

    def _run(self, call: Callable[..., Any], *args: Any) -> None:
        try:
            self.result = call(*args)
        except BaseException as error:
            self.error = error
        self.ended = time.monotonic()

    def wait(self, limit: float = 20.0) -> Call:
        self._thread.join(limit)
        assert not self._thread.is_alive(), f"the call hangs for more than {limit} s"
        return self


@contextmanager
def script(code: str, *args: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(Path(__file__).parent), *sys.path]))},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def run_host(code: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, [str(Path(__file__).parent), *sys.path]))
    return run_python(code, PYTHONPATH=path)


def run_script(code: str) -> str:
    return must(run_host(code))


HOST = """
import os, sys, time, signal, threading
# Whoever started the tests may ignore it, as a shell does for what it runs in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)
import numpy as np, remotemedia as rm
def pipe_of(name, params=None, **execution):
    node = {"id": "n", "node_type": "Python", "params": {"class": "worker_nodes:" + name, "params": params or {}},
            "execution": {"placement": "process", **execution}}
    return rm.Pipeline({"version": "v1", "nodes": [node]}, allow_python=True)
"""


# --- every kind, type and size -------------------------------------------------------------------------------------

DTYPES = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"]


@pytest.fixture(scope="module")
def identity() -> Iterator[rm.Session]:
    with pipe_of("Identity").session() as session:
        yield session


@pytest.fixture(scope="module")
def describe() -> Iterator[rm.Session]:
    with pipe_of("Describe").session() as session:
        yield session


def test_arrays_of_every_type_byte_order_and_rank(identity, describe):
    rng = np.random.default_rng(3)
    for dtype in DTYPES:
        for order in "<>":
            for rank in (0, 1, 2, 3, 8):
                wanted = np.dtype(order + dtype)
                shape = tuple(range(1, rank + 1))[:3] + (2,) * max(0, rank - 3)
                x = rng.integers(0, 100, shape, np.int32).astype(wanted)
                y = identity.feed(x)[0].data
                assert (y.dtype, y.shape) == (wanted, shape)
                assert np.asarray(y).tobytes() == np.asarray(x).tobytes()
    for rank in range(9):
        x = np.zeros((1,) * rank, ">i2")
        assert describe.feed(x)[0].data == {"type": "ndarray", "dtype": ">i2", "shape": [1] * rank}


def test_strided_and_empty_arrays(identity):
    base = np.arange(24.0).reshape(2, 3, 4)
    for x in (
        base[::-1],
        base.T,
        base[:, 1],
        base[:, :, ::2],
        np.asfortranarray(base),
        np.broadcast_to(base[0], (5, 3, 4)),
    ):
        assert np.array_equal(identity.feed(x)[0].data, x)
    for shape in ((0,), (0, 3), (3, 0, 2)):
        y = identity.feed(np.empty(shape, np.int16))[0].data
        assert (y.shape, y.dtype) == (shape, np.int16)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int16", "int32", "uint8", ">i2", ">f4"])
def test_audio_of_every_type(dtype, describe):
    native_pipe = rm.Pipeline([rm.nodes.PassThrough()])
    with pipe_of("Identity").session() as session, native_pipe.session() as other:
        for channels in (1, 2, 3):
            x = (np.arange(30 * channels) % 90).reshape(30, channels).astype(dtype)
            audio = rm.Audio(x if channels > 1 else x[:, 0], 44100)
            session.reset()
            other.reset()
            out, expected = session.feed(audio)[0].data, other.feed(audio)[0].data
            assert (out.sample_rate, out.channels) == (44100, channels)
            assert (out.samples.dtype, out.samples.shape) == (expected.samples.dtype, expected.samples.shape)
            assert np.array_equal(out.samples, expected.samples)
    assert describe.feed(rm.Audio(np.zeros((7, 2), np.int16), 8000))[0].data["type"] == "Audio"


def test_video_text_json_and_bytes(identity, describe):
    pixels = np.arange(48 * 32 * 3, dtype=np.uint8).reshape(32, 48, 3)
    frame = identity.feed(rm.VideoFrame(pixels, "rgb24"))[0].data
    assert (frame.width, frame.height, frame.pixel_format) == (48, 32, "rgb24")
    assert np.array_equal(frame.data, pixels)
    for item in (
        "", "a", "Grüße 🎵 \0 end", b"", b"\0\xff", bytes(range(256)), {}, {"a": [1, 2.5, None, True, "x"]}, [], [1],
        1, -1.5, True, False, 2**53, {"deep": {"er": {"est": []}}},
    ):  # fmt: skip
        got = identity.feed(item)[0].data
        assert (got, type(got)) == (item, type(item))
    assert describe.feed("text")[0].data["type"] == "str"
    assert describe.feed(b"text")[0].data["type"] == "bytes"
    assert describe.feed({"a": 1})[0].data["type"] == "dict"
    assert describe.feed(rm.VideoFrame(pixels, "rgb24"))[0].data["type"] == "VideoFrame"


def test_sizes_that_grow_and_shrink_in_mid_stream(identity):
    rng = np.random.default_rng(5)
    for size in (0, 1, 100, 65_536, 65_537, (1 << 20) + 1, 3, 1920 * 1080 * 3, 64 << 20, 1, (1 << 20) + 1):
        x = rng.integers(0, 256, size, np.uint8)
        assert np.array_equal(identity.feed(x)[0].data, x)
        if size < 7 << 20:
            assert identity.feed(x.tobytes())[0].data == x.tobytes()
            text = "ä" * (size // 2)
            assert identity.feed(text)[0].data == text


def test_a_frame_that_is_too_long_is_refused_both_ways_and_nothing_breaks():
    with pipe_of("Identity", max_frame_bytes=1000).session() as session:
        with pytest.raises(rm.InputValueError, match=r"1001 bytes, expected at most 1000.*max_frame_bytes"):
            session.feed(bytes(1001))
        session.reset()
        assert session.feed(bytes(1000))[0].data == bytes(1000)
    with pipe_of("Big", max_frame_bytes=1000).session() as session:
        assert len(session.feed({"bytes": 1000})[0].data) == 1000
        with pytest.raises(rm.NodeError, match=r"1001 bytes, expected at most 1000.*max_frame_bytes"):
            session.feed({"bytes": 1001})
        session.reset()
        assert len(session.feed({"bytes": 5})[0].data) == 5


# --- results, life and parameters -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("plain", [["x", 0]]),
        ("none", []),
        ("generator", [["x", 0], ["x", 1], ["x", 2]]),
        ("coroutine", [["x", 0]]),
        ("async_generator", [["x", 0], ["x", 1], ["x", 2]]),
        ("empty_generator", []),
    ],
)
def test_every_way_to_give_results(how, expected):
    pipe = pipe_of("Plain", {"how": how})
    with pipe.session() as session:
        assert values(session.feed("x")) == expected
        assert values(session.feed("x")) == expected
        assert values(session.flush()) == []


def test_many_results_of_one_frame_come_in_order_and_none_is_lost():
    pipe = pipe_of("Plain", {"how": "many"}, max_in_flight=2)
    assert pipe.run(500, 0, 300) == [list(range(500)), [], list(range(300))] or pipe.run(500) == list(range(500))
    with pipe.session() as session:
        assert values(session.feed(1000)) == list(range(1000))


def test_results_before_an_error_do_not_disturb_the_next_frame():
    with pipe_of("Plain", {"how": "late_error"}).session() as session:
        for _ in range(2):
            with pytest.raises(rm.NodeError, match="ValueError: after one"):
                session.feed("x")
            session.reset()


def test_flush_gives_the_tail_and_times_are_exact():
    x = np.arange(960, dtype=np.float32) / 960
    with pipe_of("Delay").session() as session:
        outs = [out for index in range(3) for out in session.feed(rm.Audio(x + index, 48000))]
        outs += session.flush()
    assert np.array_equal(np.concatenate([out.data.samples for out in outs]), np.concatenate([x, x + 1, x + 2]))


def test_setup_reset_flush_and_close_are_called_and_params_come(tmp_path):
    path = tmp_path / "life"
    pipe = pipe_of("Life", {"path": str(path), "name": "Ä"})
    session = pipe.session()
    assert values(session.feed("x")) == [1]
    assert values(session.feed("x")) == [2]
    assert values(session.flush()) == ["tail", 2]
    session.reset()
    assert values(session.feed("x")) == [1]
    session.close()
    del session, pipe
    until(lambda: "close" in path.read_text())
    words = path.read_text().split("\n")[:-1]
    assert {line.split()[1] for line in words} == {"Ä"}
    words = [line.split()[0] for line in words]
    assert words[:5] == ["init", "setup", "process", "process", "flush"]
    assert words[-1] == "close"
    assert "reset" in words and (words.count("init"), words.count("close")) == (1, 1)


def test_without_reset_the_next_stream_has_a_new_object(tmp_path):
    path = tmp_path / "life"
    with pipe_of("Life", {"path": str(path), "with_reset": False}).session() as session:
        assert values(session.feed("x")) + values(session.feed("x")) == [1, 2]
        session.reset()
        assert values(session.feed("x")) == [1]
    words = [line.split()[0] for line in path.read_text().splitlines()]
    assert words[:6] == ["init", "setup", "process", "process", "close", "init"]


def test_close_does_not_wait_for_the_frames_of_other_sessions(tmp_path):
    path, at_work, go_on = tmp_path / "life", tmp_path / "begun", tmp_path / "go"
    params = {"path": str(path), "begun": str(at_work), "until": str(go_on)}
    pipe = pipe_of("LifeOrWaits", params, frame_timeout_ms=5000)
    busy, other = pipe.session(), pipe.session()
    other.feed("x")
    call = Call(busy.feed, "wait")
    begun(at_work)
    began = time.monotonic()
    other.close()
    took = time.monotonic() - began
    go_on.touch()
    call.wait()
    busy.close()
    assert took < 1, took
    assert call.error is None
    # Its instance goes at the latest with the pipeline.
    del busy, other, call, pipe
    until(lambda: path.read_text().count("close") == 2, 5)


def test_close_is_called_when_the_host_ends(tmp_path):
    path = tmp_path / "life"
    run_script(
        HOST
        + f"""
session = pipe_of("Life", {{"path": {str(path)!r}}}).session()
session.feed("x")
"""
    )
    assert path.read_text().split()[::2] == ["init", "setup", "process", "close"]


# --- start ----------------------------------------------------------------------------------------------------------


def test_a_worker_is_ready_after_its_setup(tmp_path):
    go_on, at_setup = tmp_path / "go", tmp_path / "setup"
    pipe = pipe_of("SlowSetup", {"path": str(go_on), "begun": str(at_setup)})

    def first() -> Any:
        with pipe.session() as session:
            return session.feed("x")[0].data

    call = Call(first)
    begun(at_setup)
    went_on = time.monotonic()
    go_on.touch()
    call.wait()
    assert call.error is None
    assert went_on <= call.result <= call.ended


def fails(pipe: rm.Pipeline, item: object = "x") -> rm.RemoteMediaError:
    with pytest.raises(rm.RemoteMediaError) as caught, pipe.session() as session:
        session.feed(item)
    return caught.value


@pytest.mark.parametrize(
    ("class_", "words"),
    [
        ("worker_nodes:FailsInit", ["ValueError: no such model: swan", "Traceback", "worker_nodes.py", "__init__"]),
        ("worker_nodes:FailsSetup", ["OSError: the disk is full of ducks", "Traceback", "in setup"]),
        ("worker_nodes:NoSuchClass", ["NoSuchClass", "worker_nodes"]),
        ("worker_nodes:begin", ["is not a node", "process(self, data)"]),
        ("no_such_module_of_ours:Node", ["ModuleNotFoundError", "no_such_module_of_ours"]),
        ("worker_nodes_broken:Node", ["RuntimeError: broken on purpose"]),
    ],
)
def test_a_node_that_cannot_be_made_says_why(class_, words, tmp_path, monkeypatch):
    (tmp_path / "worker_nodes_broken.py").write_text("raise RuntimeError('broken on purpose')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    node = one("Identity")
    node["params"]["class"] = class_
    error = fails(rm.Pipeline({"version": "v1", "nodes": [node]}, allow_python=True))
    assert type(error) is rm.WorkerStartError
    assert error.node == "n"
    assert all(word in str(error) for word in words), str(error)


def test_unknown_and_missing_parameters_of_a_class_are_named():
    for name, params, words in (("Keeps", {"speed": 3}, "speed"), ("Life", {}, "path")):
        error = fails(pipe_of(name, params))
        assert isinstance(error, (rm.WorkerStartError, rm.ManifestError))
        assert words in str(error)


def test_an_interpreter_that_there_is_not():
    error = fails(pipe_of("Identity", python="/nonexistent/python"))
    assert type(error) is rm.WorkerStartError
    assert "/nonexistent/python" in str(error) and "execution.python" in str(error)
    error = fails(pipe_of("Identity", python="/bin/true"))
    assert type(error) is rm.WorkerStartError
    assert "exit code 0" in str(error)


def test_the_name_of_an_interpreter_is_no_shell_text(tmp_path):
    for name in (f"touch {tmp_path}/made", f"$(touch {tmp_path}/made)", f"{sys.executable}; touch {tmp_path}/made"):
        error = fails(pipe_of("Identity", python=name))
        assert type(error) is rm.WorkerStartError
        assert name in str(error)
    assert list(tmp_path.iterdir()) == []


def test_a_setup_that_takes_too_long():
    began = time.monotonic()
    error = fails(pipe_of("SlowSetup", startup_timeout_ms=1500))
    assert type(error) is rm.TimeoutError
    assert "1500 ms" in str(error) and "startup_timeout_ms" in str(error)
    assert time.monotonic() - began < 6


def test_an_end_in_setup_tells_status_and_last_lines():
    error = fails(pipe_of("ExitsInSetup"))
    assert type(error) is rm.WorkerStartError
    assert "exit code 7" in str(error)
    assert "line 24 of the end" in str(error) and "line 5 of the end" in str(error)
    assert "line 4 of the end" not in str(error)


# --- exceptions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("class_", ["Raises", "AsyncRaises"])
@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("value", "ValueError: a bad frame"),
        ("exit", "SystemExit: 4"),
        ("interrupt", "KeyboardInterrupt: stop"),
        ("base", "BaseException: bare"),
        ("cancelled", "CancelledError"),
        ("unicode", "RuntimeError: Übel"),
    ],
)
def test_an_exception_is_an_error_of_the_node_and_the_worker_lives_on(class_, what, text):
    with pipe_of(class_, frame_timeout_ms=3000).session() as session:
        pid = session.feed("ok")[0].data
        with pytest.raises(rm.NodeError) as caught:
            session.feed(what)
        assert text in str(caught.value)
        assert "Traceback" in str(caught.value) or what == "cancelled"
        assert caught.value.node == "n"
        session.reset()
        assert session.feed("ok")[0].data == pid


def test_in_a_run_the_error_names_the_item():
    with pytest.raises(rm.NodeError, match="a bad frame") as caught:
        pipe_of("Raises").run("ok", "ok", "value", "ok", "ok", "ok")
    assert caught.value.item_index == 2


def test_on_error_skip_goes_on_and_counts():
    pipe = pipe_of("Raises", on_error="skip")
    with pipe.session(metrics=True) as session:
        pid = values(session.feed("ok"))
        assert values(session.feed("value")) == []
        assert values(session.feed("exit")) == []
        assert values(session.feed("ok")) == pid
        figures = session.metrics()["node_metrics"][0]
    assert 2 in [value for key, value in figures.items() if "skip" in key or "error" in key], figures


@pytest.mark.parametrize("what", ["object", "dtype", "nan"])
def test_a_result_that_is_no_value_of_a_pipeline(what):
    with pipe_of("Odd").session() as session:
        with pytest.raises(rm.NodeError):
            session.feed(what)
        session.reset()
        assert values(session.feed("ok")) == ["ok"]


# --- crashes --------------------------------------------------------------------------------------------------------

ENDS = [
    ("kill", "signal 9 (SIGKILL)"),
    ("segfault", "signal 11 (SIGSEGV)"),
    ("abort", "signal 6 (SIGABRT)"),
    ("exit3", "exit code 3"),
    ("exit0", "exit code 0"),
]


@pytest.mark.parametrize(("how", "status"), ENDS)
def test_a_worker_that_dies_in_process(how, status):
    pipe = pipe_of("Dies")
    with pipe.session() as session:
        first = session.feed("pid")[0].data
        began = time.monotonic()
        with pytest.raises(rm.WorkerCrashedError) as caught:
            session.feed(f"die {how}")
        assert time.monotonic() - began < 1
        assert status in str(caught.value) and f"about to die by {how}" in str(caught.value)
        assert caught.value.node == "n"
        with pytest.raises(rm.WorkerCrashedError):
            session.feed("pid")
    with pipe.session() as session:
        assert session.feed("pid")[0].data != first


def test_the_session_itself_works_again_after_reset():
    with pipe_of("Dies").session() as session:
        with pytest.raises(rm.WorkerCrashedError):
            session.feed("die kill")
        session.reset()
        assert session.feed("x")


@pytest.mark.parametrize("at", ["init", "setup", "flush"])
@pytest.mark.parametrize(("how", "status"), [ENDS[0], ENDS[4]])
def test_a_worker_that_dies_at_another_phase(at, how, status):
    pipe = pipe_of("Dies", {"at": at, "how": how})
    session = pipe.session() if at == "flush" else None
    if session is None:
        error = fails(pipe)
        assert type(error) is rm.WorkerStartError
    else:
        session.feed("x")
        with pytest.raises(rm.WorkerCrashedError) as caught:
            session.flush()
        error = caught.value
        session.close()
        with pipe.session() as another:
            assert another.feed("x")
    assert status in str(error) and f"about to die by {how}" in str(error)


def test_kill_while_idle():
    pipe = pipe_of("Dies")
    with pipe.session() as session:
        pid = session.feed("pid")[0].data
        os.kill(pid, signal.SIGKILL)
        began = time.monotonic()
        with pytest.raises(rm.WorkerCrashedError, match=r"signal 9 \(SIGKILL\)"):
            session.feed("x")
        assert time.monotonic() - began < 1
    with pipe.session() as session:
        assert session.feed("pid")[0].data != pid


@pytest.mark.parametrize("phase", ["process", "flush", "setup"])
def test_kill_from_outside_reaches_the_caller_within_a_second(phase, tmp_path):
    at_work = tmp_path / "begun"
    if phase == "setup":
        pipe = pipe_of("SlowSetup", {"begun": str(at_work)})
    else:
        pipe = pipe_of("Waits", {"begun": str(at_work)})

    def work() -> None:
        with pipe.session() as session:
            session.feed("pid")
            if phase == "process":
                session.feed("x")
            else:
                session.flush()

    call = Call(work)
    pid = begun(at_work)
    killed = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    call.wait()
    assert call.ended - killed < 1
    assert type(call.error) is (rm.WorkerStartError if phase == "setup" else rm.WorkerCrashedError)
    assert "signal 9 (SIGKILL)" in str(call.error)


@pytest.mark.parametrize("how", ["stop", "hang"])
def test_a_worker_that_hangs_is_ended_at_the_deadline(how):
    pipe = pipe_of("Dies", frame_timeout_ms=400)
    with pipe.session() as session:
        pid = session.feed("pid")[0].data
        began = time.monotonic()
        with pytest.raises(rm.TimeoutError, match=r"400 ms.*frame_timeout_ms"):
            session.feed(f"die {how}")
        assert 0.39 < time.monotonic() - began < 1.4
        until(lambda: not is_alive(pid), 5)
    with pipe.session() as session:
        assert session.feed("pid")[0].data != pid


def test_every_waiting_caller_has_the_error(tmp_path):
    at_work = tmp_path / "begun"
    pipe = pipe_of("Waits", {"begun": str(at_work)})
    sessions = [pipe.session() for _ in range(4)]
    for session in sessions:
        session.feed("pid")
    calls = [Call(session.feed, "x") for session in sessions]
    pid = begun(at_work)
    time.sleep(0.05)  # the others are to wait; where they are then does not matter
    killed = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    for call in calls:
        call.wait()
        assert type(call.error) is rm.WorkerCrashedError
        assert call.ended - killed < 1
    for session in sessions:
        session.close()


def test_kills_at_random_moments_leave_nothing():
    rng = random.Random(20)
    pipe = pipe_of("Dies")
    x = np.zeros(50_000, np.float32)
    errors, before = 0, set(fds())
    for _ in range(KILLS):
        session = pipe.session()
        pid = session.feed("pid")[0].data
        stop = threading.Event()

        def load(session: rm.Session = session, stop: threading.Event = stop) -> None:
            while not stop.is_set():
                session.feed(x)

        call = Call(load)
        delay = rng.uniform(0, 0.02)
        end = time.monotonic() + delay
        while time.monotonic() < end:
            pass
        killed = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        call.wait()
        assert type(call.error) is rm.WorkerCrashedError, call.error
        assert call.ended - killed < 1
        errors += 1
        session.close()
        del session, call
    assert errors == KILLS
    del pipe, load
    # An error that a thread has kept refers to the thread's frame.
    gc.collect()
    # All that a worker had open goes with it.
    until(lambda: len(fds()) <= len(before) + 4, 10, lambda: sorted(set(fds()) - before))
    until(only_fixtures, 10, residue)


def only_fixtures() -> bool:
    """Whether no more is left than the workers that live have."""
    return len({name.split("_")[3] for name in residue()}) <= workers()


def workers() -> int:
    """How many worker processes this process has."""
    count = 0
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError):
                if int(Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()[1]) == os.getpid():
                    count += b"remotemedia.worker" in Path(f"/proc/{entry}/cmdline").read_bytes()
    return count


# --- restart --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("restart", "how"), [("on_failure", "kill"), ("always", "exit0"), ("on_failure", "exit3")])
def test_with_restart_the_frame_fails_and_the_session_goes_on(restart, how):
    with pipe_of("Dies", restart=restart, restart_delay_ms=1).session(metrics=True) as session:
        before = session.feed("pid")[0].data
        with pytest.raises(rm.WorkerCrashedError):
            session.feed(f"die {how}")
        gap, after = values(session.feed("pid"))
        assert gap is None and after != before
        assert session.metrics()["node_metrics"][0]["worker"]["restarts"] == 1


@pytest.mark.parametrize(("restart", "how"), [("never", "kill"), ("on_failure", "exit0")])
def test_without_one_the_session_has_failed(restart, how):
    with pipe_of("Dies", restart=restart, restart_delay_ms=1).session() as session:
        for _ in range(2):
            with pytest.raises(rm.WorkerCrashedError):
                session.feed(f"die {how}")


def test_a_frame_that_is_skipped_leaves_a_gap_of_exact_length(tmp_path):
    params = {"frame": 3, "how": "kill", "once": str(tmp_path / "once")}
    pipe = pipe_of("Dies", params, restart="on_failure", restart_delay_ms=1, on_crash="skip")
    outs = []
    with pipe.session(44100) as session:
        for index in range(8):
            outs.append(session.feed(rm.Audio(np.full(441, index, np.float32), 44100)))
        rest = session.flush()
    assert [len(of) for of in outs] == [1] * 8 and rest == []
    for index, (out,) in enumerate(outs):
        assert out.pts == Fraction(index, 100)
        # The gap is marked where the frame would be.
        assert (out.data is None) if index == 3 else (out.data.samples[0] == index)


def test_a_frame_that_is_skipped_is_missing_in_process(tmp_path):
    params = {"frame": 3, "how": "kill", "once": str(tmp_path / "once")}
    pipe = pipe_of("Dies", params, restart="on_failure", restart_delay_ms=1, on_crash="skip")
    with pipe.session(44100) as session:
        outs = [session.process(np.full(441, index, np.float32)) for index in range(6)]
    assert [len(out) for out in outs] == [441, 441, 441, 0, 441, 441]
    assert [out[0] for out in outs if len(out)] == [0, 1, 2, 4, 5]


def test_the_limit_of_restarts_ends_the_session_with_the_last_cause():
    pipe = pipe_of("Dies", restart="on_failure", restart_delay_ms=1, max_restarts=2)
    with pipe.session() as session:
        for how in ("kill", "exit3"):
            with pytest.raises(rm.WorkerCrashedError):
                session.feed(f"die {how}")
            assert session.feed("pid")
        with pytest.raises(rm.WorkerCrashedError, match="SIGSEGV"):
            session.feed("die segfault")
        with pytest.raises(rm.WorkerCrashedError, match="SIGSEGV"):
            session.feed("pid")


def test_a_restart_that_fails_tells_both_causes(tmp_path):
    once = tmp_path / "once"
    pipe = pipe_of("DiesThenFails", {"once": str(once)}, restart="on_failure", restart_delay_ms=1)
    with pipe.session() as session:
        with pytest.raises(rm.WorkerCrashedError, match="SIGKILL"):
            session.feed("x")
        with pytest.raises(rm.WorkerStartError) as caught:
            session.feed("x")
    assert "second start" in str(caught.value) and "SIGKILL" in str(caught.value)


def test_a_hung_frame_under_a_policy_fails_alone():
    pipe = pipe_of("Dies", restart="on_failure", restart_delay_ms=1, frame_timeout_ms=400)
    with pipe.session() as session:
        before = session.feed("pid")[0].data
        with pytest.raises(rm.TimeoutError):
            session.feed("die hang")
        gap, after = values(session.feed("pid"))
        assert gap is None and after != before


def test_a_crash_upstream_does_not_lose_frames_of_the_next_node(tmp_path):
    """A gap resets what is behind it; what that has under way still comes out."""
    params = {"frame": 5, "how": "kill", "once": str(tmp_path / "once")}
    nodes = [
        one("Dies", params, id="a", restart="on_failure", restart_delay_ms=1, on_crash="skip", max_in_flight=1),
        one("Identity", id="b"),
    ]
    manifest = {"version": "v1", "nodes": nodes, "connections": [{"from": "a", "to": "b"}]}
    out = rm.Pipeline(manifest, allow_python=True).run(*[{"n": n} for n in range(12)])
    assert [one and one["n"] for one in out] == [n if n != 5 else None for n in range(12)]


@pytest.mark.parametrize("on_crash", ["fail", "skip"])
def test_nodes_behind_a_worker_that_was_started_again_begin_afresh(on_crash):
    nodes = [
        one("Dies", id="a", restart="on_failure", restart_delay_ms=1, on_crash=on_crash),
        {"id": "b", "node_type": "TestCounts"},
    ]
    manifest = {"version": "v1", "nodes": nodes, "connections": [{"from": "a", "to": "b"}]}
    with rm.Pipeline(manifest, allow_python=True).session() as session:
        assert values(session.feed("x")) + values(session.feed("x")) == [1, 2]
        try:
            assert (values(session.feed("die kill")), on_crash) == ([None], "skip")
        except rm.WorkerCrashedError:
            assert on_crash == "fail"
        assert [value for value in values(session.feed("x")) if value is not None] == [1]


# --- several at a time ----------------------------------------------------------------------------------------------


def test_many_frames_in_flight_keep_their_order():
    items = [{"n": n} for n in range(300)]
    assert pipe_of("Identity").run(*items) == items
    x = [np.full(1000 + n, n, np.int32) for n in range(50)]
    for got, expected in zip(pipe_of("Identity", max_in_flight=16).run(*x), x, strict=True):
        assert np.array_equal(got, expected)


def stateless(name: str, **execution: Any) -> rm.Pipeline:
    node = {"id": "n", "node_type": name, "execution": {"placement": "process", **execution}}
    return rm.Pipeline({"version": "v1", "nodes": [node]}, allow_python=True)


def test_a_node_without_state_is_spread_over_workers_and_order_is_restored():
    out = stateless("TestStateless", workers=2).run(*[{"n": n} for n in range(60)])
    assert [one["n"] for one in out] == list(range(60))
    assert len({one["pid"] for one in out}) == 2


def test_a_worker_of_several_that_dies_loses_only_its_frames():
    pipe = stateless(
        "TestStatelessDies", workers=2, restart="on_failure", restart_delay_ms=1, on_crash="skip", max_in_flight=2
    )
    out = pipe.run(*[{"n": n, "die": 7} for n in range(40)])
    assert {type(n) for n in out} == {int, type(None)}, out
    came = [n for n in out if n is not None]
    assert came == sorted(came)
    assert 36 <= len(came) <= 39 and 7 not in came
    assert len(out) == 40


def test_sessions_are_spread_over_workers():
    pipe = pipe_of("Pid", workers=3)
    sessions = [pipe.session() for _ in range(6)]
    pids = [session.feed("x")[0].data["pid"] for session in sessions]
    assert len(set(pids)) == 3
    assert all(pids.count(pid) == 2 for pid in pids)
    for session in sessions:
        session.close()
    del sessions, session, pipe
    until(lambda: not any(map(is_alive, pids)), 5)


def test_sessions_of_one_worker_do_not_mix():
    pipe = pipe_of("Identity")
    sessions = [pipe.session() for _ in range(4)]
    wrong: list[Any] = []

    def work(index: int) -> None:
        for n in range(100):
            got = sessions[index].feed({"s": index, "n": n})[0].data
            if got != {"s": index, "n": n}:
                wrong.append(got)

    for call in [Call(work, index) for index in range(4)]:
        assert call.wait().error is None
    assert wrong == []
    for session in sessions:
        session.close()


@pytest.mark.parametrize("lines", [False, True])
def test_output_is_drained(lines):
    with pipe_of("Chatty", {"lines": lines}, frame_timeout_ms=20_000).session() as session:
        for n in range(2):  # 10 MB each time to each of both
            assert values(session.feed(n)) == [n]


def test_twenty_workers_at_once_and_equal_ids():
    pipes = [pipe_of("Pid") for _ in range(10)] + [pipe_of("Pid", workers=10)]
    sessions = [pipe.session() for pipe in pipes[:10]] + [pipes[10].session() for _ in range(10)]
    calls = [Call(session.feed, "x") for session in sessions]
    pids = {call.wait(60).result[0].data["pid"] for call in calls}
    assert len(pids) == 20
    for session in sessions:
        session.close()
    del sessions, session, pipes, calls
    until(lambda: not any(map(is_alive, pids)), 8)


def test_two_hosts_at_once():
    code = (
        HOST
        + """
with pipe_of("Pid").session() as session:
    print(session.feed("x")[0].data["pid"], flush=True)
    sys.stdin.readline()
    print(session.feed("x")[0].data["pid"], flush=True)
"""
    )
    with script(code) as a, script(code) as b:
        first = [process.stdout.readline() for process in (a, b)]
        out, err = a.communicate("go\n", timeout=20)
        assert (a.returncode, out, err) == (0, first[0], "")
        out, err = b.communicate("go\n", timeout=20)
        assert (b.returncode, out, err) == (0, first[1], "")
        assert first[0] != first[1]


# --- views ----------------------------------------------------------------------------------------------------------

BIG = 40_000  # float32: above what is copied


def big(value: float) -> np.ndarray:
    return np.full(BIG, value, np.float32)


def test_views_that_are_kept_stay_right_until_there_are_too_many():
    with pipe_of("Keeps", max_in_flight=4).session() as session:
        for n in range(2):
            assert values(session.feed(big(n))) == [n + 1]
        for _ in range(10):
            session.feed("y" * BIG * 4)
        assert values(session.feed("look")) == [[0.0, 1.0, 0.0, 1.0]]
        with pytest.raises(rm.NodeError, match=r"\.copy\(\)"):
            for n in range(2, 10):
                session.feed(big(n))
        session.reset()


def test_a_view_that_is_dropped_is_given_back():
    with pipe_of("Keeps", max_in_flight=4).session() as session:
        for n in range(10):
            session.feed(big(n))
            assert values(session.feed("look")) == [[n, n]]
            session.feed("drop")


def test_the_first_view_that_is_kept_warns_once():
    code = (
        HOST
        + """
import logging
rm.log_to_python()
logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.INFO)
with pipe_of("Keeps").session() as session:
    for n in range(3):
        session.feed(np.full(40_000, n, np.float32))
"""
    )
    out = run_script(code)
    assert out.count("keeps a view of its input") == 1, out


@pytest.mark.parametrize("how", ["copy", "cycle"])
def test_copies_and_cycles_are_no_views(how):
    with pipe_of("Keeps", {"how": how}).session() as session:
        for n in range(20):
            session.feed(big(n))


def test_a_view_that_is_kept_by_an_error_stays_right():
    """Memory that somebody looks at is not given back because the call has failed."""
    with pipe_of("Keeps", {"how": "raise"}, on_error="skip", max_in_flight=4).session() as session:
        session.feed(big(1))
        for _ in range(10):
            session.feed("y" * BIG * 4)
        assert values(session.feed("look")) == [[1.0, 1.0]]


@pytest.mark.parametrize(("how", "step"), [("pass", 1), ("slice", 2)])
def test_input_that_is_passed_through(how, step):
    with pipe_of("Keeps", {"how": how}).session() as session:
        x = np.arange(BIG, dtype=np.float32)
        for n in range(20):
            assert np.array_equal(session.feed(x + n)[0].data, (x + n)[::step])


@pytest.mark.parametrize("frames", [100, BIG])
def test_inputs_are_read_only_unless_they_are_copies(frames):
    with pipe_of("Keeps", {"how": "write"}).session() as session, pytest.raises(rm.NodeError, match="read-only"):
        session.feed(np.zeros(frames, np.float32))
    with pipe_of("Keeps", {"how": "flags"}).session() as session:
        assert values(session.feed(np.zeros(frames, np.float32))) == ["refused"]
    with pipe_of("Keeps", {"how": "writeable"}, copy_inputs=True).session() as session:
        for n in range(10):
            assert values(session.feed(np.full(frames, n, np.float32))) == [True]
        assert values(session.feed("look"))[0][:10] == [float(min(n, n + 1)) for n in range(10)]


# --- asyncio, Ctrl-C, fork, ends of hosts ---------------------------------------------------------------------------


def test_a_thread_with_an_event_loop_must_not_wait():
    async def main() -> None:
        with pipe_of("Identity").session(48000) as session:
            with pytest.raises(rm.UnsupportedError):
                session.process(np.zeros(960, np.float32))
            with pytest.raises(rm.UnsupportedError):
                session.feed("x")

    asyncio.run(main())


def test_asyncio():
    async def main() -> None:
        pipe = pipe_of("Identity")
        async with pipe.session() as session:
            for n in range(100):
                await session.push({"n": n})
                assert (await session.next()).data == {"n": n}
            for n in range(20):
                await session.push(n)
            session.end()
            assert [out.data async for out in session] == list(range(20))
        async with pipe.session() as session:
            assert [out.data async for out in session.stream(range(50))] == list(range(50))
        assert await asyncio.gather(*[pipe.run_async(n) for n in range(8)]) == list(range(8))

    asyncio.run(asyncio.wait_for(main(), 30))


def test_the_loop_stays_free_while_a_worker_works(tmp_path):
    at_work, go_on = tmp_path / "begun", tmp_path / "go"

    async def main() -> None:
        task = asyncio.create_task(pipe_of("Waits", {"begun": str(at_work), "until": str(go_on)}).run_async("x"))
        while not at_work.exists():
            await asyncio.sleep(0.002)
        go_on.touch()
        assert await task == "x"

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_run_that_is_cancelled_does_not_hang(tmp_path):
    at_work = tmp_path / "begun"

    async def main() -> None:
        pipe = pipe_of("Waits", {"begun": str(at_work)}, frame_timeout_ms=3000)
        task = asyncio.create_task(pipe.run_async("x"))
        while not at_work.exists():
            await asyncio.sleep(0.002)
        task.cancel()
        began = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - began < 1

    asyncio.run(asyncio.wait_for(main(), 30))
    pid = begun(at_work)
    until(lambda: not is_alive(pid), 10)


def test_the_timeout_of_a_run(tmp_path):
    at_work = tmp_path / "begun"
    began = time.monotonic()
    with pytest.raises(rm.TimeoutError):
        pipe_of("Waits", {"begun": str(at_work)}, frame_timeout_ms=3000).run("x", timeout=1.5)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("call", ["session.process(x)", "session.feed(x)", "pipe.run(x)"])
def test_ctrl_c_while_a_worker_works(call, tmp_path):
    at_work = tmp_path / "begun"
    code = (
        HOST
        + f"""
x = np.zeros(960, np.float32)
pipe = pipe_of("Waits", {{"begun": sys.argv[1]}})
session = pipe.session(48000)
try:
    x = rm.Audio(x, 48000) if {call!r} == "pipe.run(x)" else x
    {call}
except KeyboardInterrupt:
    print("interrupted", time.monotonic(), flush=True)
"""
    )
    with script(code, str(at_work)) as process:
        until(at_work.exists)
        pid = begun(at_work)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (0, "")
        word, at = out.split()
        assert word == "interrupted" and float(at) - sent < 1
        assert not is_alive(pid)
        assert residue(f"rm_{process.pid:x}_") == []


def test_a_fork_does_not_touch_the_worker_of_its_parent():
    code = (
        HOST
        + """
import warnings
warnings.simplefilter("ignore")
pipe = pipe_of("Pid")
session = pipe.session()
pid = session.feed("x")[0].data["pid"]
for end in ("sys.exit()", "os._exit(0)"):
    child = os.fork()
    if child == 0:
        try:
            session.feed("x")
        except rm.RemoteMediaError as error:
            print(type(error).__name__, flush=True)
        exec(end)
    _, status = os.waitpid(child, 0)
    print(status, session.feed("x")[0].data["pid"] == pid, flush=True)
"""
    )
    assert run_script(code).split("\n")[:4] == ["ClosedError", "0 True"] * 2


def test_a_fork_that_drops_everything_does_not_end_the_worker_of_its_parent():
    code = (
        HOST
        + """
import gc, warnings
warnings.simplefilter("ignore")
pipe = pipe_of("Identity")
session = pipe.session()
session.feed("x")
child = os.fork()
if child == 0:
    session.close()
    del session, pipe
    gc.collect()
    sys.exit()
print(os.waitpid(child, 0)[1])
for n in range(50):
    assert session.feed(np.full(50_000, n))[0].data[0] == n
"""
    )
    assert run_script(code) == "0\n"


def doctor(*options):
    """What the command says of shared memory."""
    command = [sys.executable, "-m", "remotemedia", "doctor", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return next(line for line in done.stdout.splitlines() if "shared memory" in line)


def test_the_end_of_the_host_ends_its_worker_and_the_next_start_sweeps():
    code = (
        HOST
        + """
session = pipe_of("Pid").session()
print(session.feed("x")[0].data["pid"], flush=True)
sys.stdin.readline()
"""
    )
    with script(code) as process:
        pid = int(process.stdout.readline())
        assert residue(f"rm_{process.pid:x}_")
        process.kill()
        killed = time.monotonic()
        process.wait()
        until(lambda: not is_alive(pid), 5)
        assert time.monotonic() - killed < 2
        assert residue(f"rm_{process.pid:x}_")
        done = run_host(HOST + 'print(pipe_of("Pid").run("x")["data"])')
        assert (done.returncode, done.stdout) == (0, "x\n"), done.stderr
        assert residue(f"rm_{process.pid:x}_") == []
        assert "nothing is left" in doctor()


def test_the_host_dies_while_its_worker_is_busy_or_stopped(tmp_path):
    at_work = tmp_path / "begun"
    code = HOST + 'pipe_of("Waits", {"begun": sys.argv[1]}).run("x")'
    with script(code, str(at_work)) as process:
        pid = begun(at_work)
        process.kill()
        process.wait()
        until(lambda: not is_alive(pid), 2)
    assert "removed the files of 1 run" in doctor("--clean")
    assert "nothing is left" in doctor()


def test_a_script_that_just_ends_is_quiet():
    code = (
        HOST
        + """
import atexit
session = pipe_of("Pid").session()
pid = session.feed("x")[0].data["pid"]
print(pid, os.getpid())
"""
    )
    for _ in range(EXITS):
        worker, host = map(int, run_script(code).split())
        assert not is_alive(worker)
        assert residue(f"rm_{host:x}_") == []


def test_a_class_of_the_script_itself(tmp_path):
    path = tmp_path / "app.py"
    path.write_text(
        textwrap.dedent("""
        import os, sys
        import remotemedia as rm

        @rm.node
        class Mine:
            def process(self, data):
                return [data, os.getpid()]

        if __name__ == "__main__":
            node = {"id": "n", "node_type": "Mine", "execution": {"placement": "process"}}
            out = rm.Pipeline([node]).run("x")
            print(out[0], out[1] != os.getpid())
        """)
    )
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=60, check=False)
    assert must(done) == "x True\n"


def test_the_working_folder_is_no_place_for_modules(tmp_path):
    """A worker imports what its host would: `python app.py` does not look into the working folder."""
    folder = tmp_path / "work"
    (folder / "remotemedia").mkdir(parents=True)
    for name in ("remotemedia/__init__", "numpy", "json", "typing", "signal"):
        (folder / f"{name}.py").write_text("raise RuntimeError('a module of the working folder')\n")
    path = tmp_path / "app.py"
    path.write_text(HOST + 'print(pipe_of("Identity").run("x"))')
    places = os.pathsep.join(filter(None, [str(Path(__file__).parent), *sys.path]))
    done = subprocess.run(
        [sys.executable, str(path)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": places},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert must(done) == "x\n"


# --- figures --------------------------------------------------------------------------------------------------------


def test_metrics_split_the_time_of_frames():
    with pipe_of("Identity").session(48000, metrics=True) as session:
        for _ in range(10):
            session.process(np.zeros(960, np.float32))
        worker = session.metrics()["node_metrics"][0]["worker"]
    assert worker["frames"] == 10 and worker["restarts"] == 0
    assert all(0 < worker[part] < 1e6 for part in ("queue_us", "copy_us", "process_us", "reply_us")), worker


def test_process_gives_the_frames_of_a_session():
    with pipe_of("Identity").session(48000) as session:
        for n in range(20):
            x = np.full(960, n / 20, np.float32)
            assert np.array_equal(session.process(x), x)
        assert len(session.flush()) == 0


def test_nothing_is_left_of_all_this():
    """The last test of the file: what lives still belongs to pipelines that live."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        until(only_fixtures, 10)
    assert workers() <= 6
