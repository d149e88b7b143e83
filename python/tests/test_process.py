"""The life of a process: import, silence, signals, fork and exit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from support import PASS, RESAMPLE, must, run_python

USE = f"""
import asyncio, numpy as np, remotemedia as rm
pipe = rm.Pipeline({RESAMPLE!r})
pipe.run(rm.Audio(np.zeros(960, np.float32), 48000))
result = asyncio.run(pipe.run_async(rm.Audio(np.zeros(480000, np.float32), 48000)))
"""


THREAD = """
import contextlib, threading

def late():
    with contextlib.suppress(rm.ClosedError):
        pipe.run(rm.Audio(np.zeros(48000, np.float32), 48000))

threading.Thread(target=late, daemon=True).start()
"""


def test_import_starts_no_thread_and_says_nothing() -> None:
    code = """
        import numpy, asyncio, os, sys
        def threads():
            return len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 0
        before = threads()
        import remotemedia
        assert threads() == before
        assert not [name for name in ("argparse", "remotemedia._report", "remotemedia._demo") if name in sys.modules]
    """
    assert must(run_python(code)) == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("sys._is_gil_enabled = lambda: False", "PYTHON_GIL=1"),
        ("sys.implementation = types.SimpleNamespace(name='pypy', cache_tag='x', version=sys.version_info)", "pypy"),
    ],
)
def test_other_pythons_are_refused_in_one_line(change: str, said: str) -> None:
    done = run_python(f"import sys, types, numpy\n{change}\nimport remotemedia")
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1 and last.startswith("ImportError: remotemedia") and said in last, done.stderr


def test_a_quiet_run_prints_nothing() -> None:
    assert must(run_python(USE)) == ""
    assert must(run_python(USE, RUST_LOG="info")) == ""


def test_rust_log_speaks_on_stderr_only() -> None:
    done = run_python(USE, RUST_LOG="trace")
    assert done.returncode == 0
    assert done.stdout == ""


@pytest.mark.parametrize("round", range(5))
@pytest.mark.parametrize(
    "ending",
    [
        "",
        "view = result.samples[::2]",
        "raise SystemExit(0)",
        THREAD,
    ],
    ids=["plain", "view", "exit", "thread"],
)
def test_exit_right_after_use(round: int, ending: str) -> None:
    must(run_python(f"{USE}\n{ending}"))


def test_exit_with_work_in_flight() -> None:
    for _ in range(5):
        must(
            run_python(f"""
                import asyncio, numpy as np, remotemedia as rm
                pipe = rm.Pipeline({RESAMPLE!r})

                async def main():
                    tasks = [asyncio.ensure_future(pipe.run_async(rm.Audio(np.zeros(4800000, np.float32), 44100)))
                             for _ in range(3)]
                    await asyncio.sleep(0)

                asyncio.run(main())
            """)
        )


def test_calls_during_shutdown_raise_or_work() -> None:
    out = must(
        run_python(f"""
            import atexit

            def late():
                try:
                    pipe.run(rm.Audio(np.zeros(4800000, np.float32), 48000))
                    print("worked")
                except rm.RemoteMediaError as error:
                    print(error.kind)

            atexit.register(late)
            import numpy as np, remotemedia as rm
            pipe = rm.Pipeline({RESAMPLE!r})
            pipe.run(rm.Audio(np.zeros(4800000, np.float32), 48000))
        """)
    )
    assert out.strip() in ("worked", "Closed", "Unsupported")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.parametrize("used", [False, True], ids=["before first use", "after use"])
def test_fork(used: bool) -> None:
    out = must(
        run_python(f"""
            import asyncio, os, sys, warnings, numpy as np, remotemedia as rm
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of every fork beside threads.
            pipe = rm.Pipeline({RESAMPLE!r})
            big = rm.Audio(np.zeros(480000, np.float32), 48000)
            if {used}:
                asyncio.run(pipe.run_async(big))
            child = os.fork()
            if child == 0:
                assert pipe.run(big).frames == 160000
                assert asyncio.run(pipe.run_async(big)).frames == 160000
                sys.exit(7)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
            assert asyncio.run(pipe.run_async(big)).frames == 160000
            print("both")
        """)
    )
    assert out == "both\n"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(tmp_path: Path, method: str) -> None:
    import multiprocessing

    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this platform has no {method}")
    script = tmp_path / "pool.py"
    script.write_text(
        textwrap.dedent(f"""
            import multiprocessing, numpy as np, remotemedia as rm

            def work(pair):
                pipe, seed = pair
                return pipe.run(rm.Audio(np.full(480000, seed / 10, np.float32), 48000)).frames

            if __name__ == "__main__":
                pipe = rm.Pipeline({RESAMPLE!r})
                assert work((pipe, 1)) == 160000
                with multiprocessing.get_context({method!r}).Pool(2) as pool:
                    print(pool.map(work, [(pipe, seed) for seed in range(4)]))
        """),
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script)], capture_output=True, text=True, timeout=120, check=False
    )
    assert must(done) == "[160000, 160000, 160000, 160000]\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize("way", ["run", "run_async"])
def test_ctrl_c_stops_a_waiting_call(way: str) -> None:
    """The child says when it starts; the work would take minutes."""
    code = f"""
        import asyncio, signal, numpy as np, remotemedia as rm
        # A shell that starts its tests in the background lets them inherit an ignored SIGINT.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        nodes = [{{"id": f"n{{i}}", "node_type": "AudioResample",
                  "params": {{"target_rate": 44100 + 3900 * (i % 2), "quality": "very_high"}}}} for i in range(40)]
        pipe = rm.Pipeline(nodes)
        audio = rm.Audio(np.zeros(48000 * 1200, np.float32), 48000)
        async def wait():
            # Said inside of the loop: a signal while it is being set up leaves half of one behind.
            print("started", flush=True)
            await pipe.run_async(audio)
        def start():
            print("started", flush=True)
            pipe.run(audio)
        try:
            {"start()" if way == "run" else "asyncio.run(wait())"}
        except KeyboardInterrupt:
            print("interrupted")
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "started\n"
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert (out, err, child.returncode) == ("interrupted\n", "", 0)


def test_the_other_distribution_is_named_in_one_line(tmp_path: Path) -> None:
    """It installs `remotemedia/runtime.abi3.so` into our folder."""
    import shutil

    import remotemedia

    copy = tmp_path / "remotemedia"
    shutil.copytree(Path(remotemedia.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "runtime.abi3.so").write_bytes(b"not a library")
    done = run_python(
        "import remotemedia.runtime; print(remotemedia.runtime.is_available())", cwd=tmp_path, PYTHONPATH=str(tmp_path)
    )
    assert (done.returncode, done.stdout) == (0, "True\n")
    assert "pip uninstall remotemedia-ffi" in done.stderr
    assert done.stderr.count("RemoteMediaWarning") == 1


def test_the_published_calls_in_a_fresh_process() -> None:
    out = must(
        run_python(f"""
            import asyncio, remotemedia_ffi
            print(asyncio.run(remotemedia_ffi.execute_pipeline_with_input({PASS!r}, ["Hello"])))
        """)
    )
    assert out == "Hello\n"
