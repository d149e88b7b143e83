"""Workers where people run them: little shared memory, containers that share it, few descriptors, hosts of every kind.

What needs a mount or a process namespace of its own needs root. Without it the tests marked `own_memory` are left out,
and the reason says so.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from test_workers import is_alive, residue, until

import remotemedia as rm

HERE = Path(__file__).parent

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(sys.platform != "linux", reason="worker processes are for Linux"),
]


def may_unshare() -> bool:
    """Whether this user may make a mount and a process namespace."""
    try:
        made = subprocess.run(["unshare", "-m", "--pid", "--fork", "mount", "-t", "tmpfs", "none", "/mnt"], check=False)
    except FileNotFoundError:
        return False
    return made.returncode == 0


NAMESPACES = may_unshare()
own_memory = pytest.mark.skipif(not NAMESPACES, reason="a /dev/shm of its own needs root, or CAP_SYS_ADMIN")

HOST = f"""
import os, signal, sys, time, warnings
sys.path.insert(0, {str(HERE)!r})
import numpy as np, remotemedia as rm
def pipe_of(name, **execution):
    node = {{"id": "n", "node_type": "Python", "params": {{"class": "place_nodes:" + name}},
            "execution": {{"placement": "process", "startup_timeout_ms": 20000, **execution}}}}
    return rm.Pipeline({{"version": "v1", "nodes": [node]}}, allow_python=True)
def tried(call):
    try:
        return "worked", call()
    except rm.RemoteMediaError as error:
        return type(error).__name__, str(error)
"""


def run(code: str, *before: str, **more: Any) -> subprocess.CompletedProcess[str]:
    command = [*before, sys.executable, "-W", "ignore", "-c", HOST + textwrap.dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **more)


def in_memory_of(options: str, code: str) -> str:
    """Run with a /dev/shm of its own; what it prints. It must end by itself."""
    mount = f'mount -t tmpfs -o {options} none /dev/shm && exec "$@"'
    done = run(code, "unshare", "-m", "sh", "-c", mount, "sh")
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    return done.stdout


# --- little shared memory -------------------------------------------------------------------------------------------


@own_memory
@pytest.mark.parametrize("size", ["64k", "300k", "1m", "2m", "16m", "64m"])
def test_full_memory_is_an_error_and_no_signal(size):
    """Frames of every length up to more than there is: each works, or says what is missing."""
    said = in_memory_of(
        f"size={size}",
        """
        pipe = pipe_of("Same")
        kind, session = tried(pipe.session)
        if kind == "worked":
            for exponent in range(10, 28):
                x = np.ones(1 << exponent, np.uint8)
                kind, found = tried(lambda: session.feed(x)[0].data)
                if kind == "worked":
                    assert found.nbytes == x.nbytes
                    continue
                print(1 << exponent, kind, found)
                # What is full now is not full for ever: short frames work.
                kind, _ = tried(session.reset)
                kind, found = tried(lambda: session.feed(x[:100])[0].data)
                print("then", kind, "" if kind == "worked" else found)
                break
        else:
            print(kind, session)
        """,
    )
    assert "--shm-size" in said and "are needed" in said and "are free in /dev/shm" in said, said
    assert "SIGBUS" not in said
    if size in ("16m", "64m"):
        assert "then worked" in said, said


@own_memory
def test_others_who_fill_the_memory_kill_nobody():
    """Somebody else takes all that is free, again and again, while workers start and frames become longer."""
    said = in_memory_of(
        "size=24m",
        """
        import subprocess, collections
        fill = '''
        import os
        while True:
            file = os.open("/dev/shm/other", os.O_RDWR | os.O_CREAT)
            try:
                while True: os.write(file, bytes(1 << 16))
            except OSError: pass
            os.ftruncate(file, 0)
            os.close(file)
        '''
        import textwrap
        other = subprocess.Popen([sys.executable, "-c", textwrap.dedent(fill)])
        kinds = collections.Counter()
        try:
            end = time.monotonic() + 8
            while time.monotonic() < end:
                kind, session = tried(pipe_of("Same").session)
                kinds[kind] += 1
                if kind != "worked":
                    assert "SIGBUS" not in session, session
                    continue
                for length in (100, 10_000, 100_000, 1_000_000, 3_000_000):
                    kind, found = tried(lambda: session.feed(np.ones(length, np.uint8))[0].data.nbytes)
                    kinds[kind] += 1
                    assert "SIGBUS" not in str(found), found
                session.close()
        finally:
            other.kill()
        print(dict(kinds))
        """,
    )
    assert "worked" in said, said


@own_memory
def test_memory_that_cannot_be_written_to_is_named():
    said = in_memory_of("ro", 'print(tried(lambda: pipe_of("Same").run("x")))')
    assert "IoError" in said and "/dev/shm" in said and "Read-only" in said, said


# --- containers that share memory -----------------------------------------------------------------------------------

STARTS = """
kinds = {}
for number in range(int(sys.argv[1])):
    kind, found = tried(lambda: pipe_of("Same", startup_timeout_ms=20000).run("x"))
    kinds[kind if kind == "worked" else found] = kinds.get(kind if kind == "worked" else found, 0) + 1
print(kinds)
"""


@own_memory
def test_containers_side_by_side_leave_each_other_alone():
    """Two process namespaces over one /dev/shm, each with a host that starts workers and processes that sweep."""
    starts = int(os.environ.get("REMOTEMEDIA_STARTS", "10"))
    container = ["unshare", "-m", "--pid", "--fork", "--mount-proc"]
    one = [sys.executable, "-W", "ignore", "-c", HOST + STARTS]
    sides = [
        subprocess.Popen([*container, *one, str(starts)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    sweeps = 0
    while any(side.poll() is None for side in sides):
        # Each is a first start: it sweeps.
        done = subprocess.run([*container, *one, "1"], capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout == "{'worked': 1}\n", (done.stdout, done.stderr)
        sweeps += 1
    for side in sides:
        said, wrong = side.communicate()
        assert said == f"{{'worked': {starts}}}\n", (said, wrong)
    assert sweeps >= 2


def test_files_in_shared_memory_are_their_owners_alone():
    code = """
    os.umask(0)
    session = pipe_of("Same").session()
    session.feed(np.ones(100_000, np.uint8))
    from pathlib import Path
    for run in Path("/dev/shm").glob(f"rm_{os.getpid():x}_*"):
        for path in (run, *run.rglob("*")):
            print(oct(path.stat().st_mode & 0o077), path.is_dir() and path.parent == run, path.name)
    """
    done = run(code)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    # Nobody else gets through the folder of the run.
    assert lines[0].startswith("0o0 ") and len(lines) > 5
    assert not [line for line in lines if int(line.split()[0], 8) & 0o022 and "True" not in line.split()[1]], lines


# --- what a process may have ----------------------------------------------------------------------------------------


def test_too_few_descriptors_are_named():
    code = """
    import resource
    session = pipe_of("Same").session()
    open_now = len(os.listdir("/proc/self/fd"))
    for more in range(1, 24):
        resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + more, 4096))
        kind, found = tried(pipe_of("Same").session)
        if kind == "worked":
            break
        assert "open files" in found and "ulimit -n" in found or "os error 24" in found, found
    print(more, session.feed("x")[0].data)
    """
    done = run(code)
    assert done.returncode == 0, (done.stdout, done.stderr)
    more, word = done.stdout.split()
    assert word == "x" and int(more) < 16, done.stdout


def test_a_worker_holds_few_descriptors():
    code = """
    pipe_of("Same").session().close()
    before = len(os.listdir("/proc/self/fd"))
    sessions = [pipe_of("Same").session() for _ in range(4)]
    [session.feed(np.ones(100_000, np.uint8)) for session in sessions]
    print((len(os.listdir("/proc/self/fd")) - before) / 4)
    """
    # Three pipes, the process, the lock.
    assert float(run(code).stdout) <= 5


@pytest.mark.parametrize("folder", ["/tmp/" + "long" * 40, "/nowhere/at/all", "/proc"])
def test_the_temporary_folder_does_not_matter(folder):
    done = run('print(pipe_of("Same").run("x"))', env={**os.environ, "TMPDIR": folder})
    assert (done.returncode, done.stdout) == (0, "x\n"), done.stderr


# --- the interpreter of the host ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        (["-O"], "optimize", 1),
        (["-OO"], "optimize", 2),
        (["-I"], "isolated", 1),
        (["-I"], "planted", False),
        (["-E"], "ignore_environment", 1),
        (["-E"], "planted", False),
        ([], "planted", True),
        (["-X", "utf8"], "utf8_mode", 1),
        (["-X", "dev"], "dev_mode", True),
        (["-X", "tracemalloc=3"], "xoptions", ["tracemalloc"]),
        (["-W", "error::DeprecationWarning"], "warnoptions", ["error::DeprecationWarning"]),
    ],
)
def test_a_worker_has_the_flags_of_its_host(given, name, value, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("planted = True\n")
    command = [sys.executable, *given, "-c", HOST + f'print(repr(pipe_of("Flags").run("x")[{name!r}]))']
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert (done.returncode, done.stdout) == (0, f"{value!r}\n"), done.stderr


SCRIPT = """
import os, sys
import numpy as np, remotemedia as rm
print("top", __name__, file=sys.stderr)
@rm.node
class Twice:
    def process(self, data):
        return 2 * data
pipe = rm.Pipeline([{"node_type": "Twice", "execution": {"placement": "process"}}])
"""
RUNS = "print(pipe.run(np.ones(3, np.float32)))\n"


@pytest.mark.parametrize(
    ("text", "works", "times"),
    [
        (SCRIPT + 'if __name__ == "__main__":\n    ' + RUNS, True, 2),
        # Without a guard the worker does not even begin it.
        (SCRIPT + RUNS, False, 1),
        # With one that does not keep it, it comes as far as the pipeline.
        (SCRIPT + RUNS + 'if __name__ == "__main__":\n    pass\n', False, 2),
    ],
)
def test_a_script_says_what_is_its_main_part(text, works, times, tmp_path):
    file = tmp_path / "program.py"
    file.write_text(text)
    done = subprocess.run([sys.executable, file], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == ("[2. 2. 2.]\n" if works else "")
    if works:
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode == 1 and "WorkerStartError" in done.stderr.splitlines()[-1]
        assert 'if __name__ == "__main__":' in done.stderr.splitlines()[-1]
    assert done.stderr.count("top __main__") == 1
    assert done.stderr.count("top __remotemedia_worker__") == times - 1, done.stderr


def test_a_script_from_standard_input_has_no_file():
    done = subprocess.run(
        [sys.executable, "-"], input=SCRIPT + RUNS, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1 and "RM0121" in done.stderr and "cannot import it" in done.stderr, done.stderr


# --- hosts of every kind --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["ignores", "reaps"])
def test_a_host_that_takes_the_ends_of_its_children(how):
    """The end of the worker is seen all the same, and within a second."""
    code = """
    import threading
    if sys.argv[1] == "ignores":
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    else:
        def reap():
            while True:
                try: os.waitpid(-1, 0)
                except ChildProcessError: time.sleep(0.001)
        threading.Thread(target=reap, daemon=True).start()
    session = pipe_of("Dies").session()
    began = time.monotonic()
    kind, found = tried(lambda: session.feed("x"))
    assert time.monotonic() - began < 2
    print(kind, found.splitlines()[0])
    print(pipe_of("Same").run("x"))
    """
    command = [sys.executable, "-W", "ignore", "-c", HOST + textwrap.dedent(code), how]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, (done.stdout, done.stderr)
    first, last = done.stdout.splitlines()
    assert first.startswith("WorkerCrashedError") and "the worker ended with" in first, first
    assert last == "x"


@own_memory
def test_a_process_id_that_is_used_again_is_left_alone():
    """The id of the worker is another process's as soon as the host has reaped it. That one is not ended."""
    code = """
    import threading
    session = pipe_of("Dies").session()
    children = open(f"/proc/self/task/{os.getpid()}/children").read().split()
    for task in os.listdir("/proc/self/task"):
        children += open(f"/proc/self/task/{task}/children").read().split()
    worker, ends = int(children[0]), []
    def reap():
        while True:
            try: pid, status = os.waitpid(-1, 0)
            except ChildProcessError: time.sleep(0.0005); continue
            if pid == worker:
                open("/proc/sys/kernel/ns_last_pid", "w").write(str(worker - 1))
                other = os.fork()
                if other == 0:
                    os.setpgid(0, 0); time.sleep(0.6); os._exit(7)
                ends.append((other == worker, os.waitstatus_to_exitcode(os.waitpid(other, 0)[1])))
                return
    thread = threading.Thread(target=reap); thread.start()
    tried(lambda: session.feed("x"))
    thread.join(10)
    print(*ends[0], flush=True)
    os._exit(0)
    """
    met = 0
    for _ in range(3):
        done = run(code, "unshare", "-m", "--pid", "--fork", "--mount-proc")
        assert done.returncode == 0, done.stderr
        is_same, status = done.stdout.split()
        met += is_same == "True"
        assert status == "7"
    assert met, "the id was never used again"


def test_a_log_that_nobody_reads_stops_no_worker():
    """The pipe of standard error is full after 64 KiB; the worker says a hundred times as much."""
    code = """
    session = pipe_of("Says").session()
    for _ in range(40): session.feed(200_000)
    print("done", flush=True)
    os._exit(0)
    """
    reader, writer = os.pipe()
    try:
        command = [sys.executable, "-W", "ignore", "-c", HOST + textwrap.dedent(code)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=writer, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout) == (0, "done\n")
    finally:
        os.close(reader)
        os.close(writer)


def test_a_host_that_closes_its_descriptors_is_not_ended():
    code = """
    session = pipe_of("Same").session()
    session.feed(np.ones(100_000, np.uint8))
    os.closerange(3, 2000)
    kind, _ = tried(lambda: session.feed("x"))
    tried(session.close)
    del session
    print("alive", flush=True)
    """
    for _ in range(3):
        done = run(code)
        assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr


def test_a_forked_child_ends_as_quickly_as_others():
    """It does not wait for copies of its parent's workers."""
    code = """
    kept, took = [], {}
    for count in (0, 3):
        while len(kept) < count:
            kept.append(pipe_of("Same")); kept[-1].run("x")
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            pipe_of("Same").run("x")
            os.write(writer, repr(time.time()).encode())
            sys.exit(0)
        os.waitpid(pid, 0)
        took[count] = time.time() - float(os.read(reader, 99))
    print(took[3] - took[0])
    print([pipe.run("y") for pipe in kept])
    """
    done = run(code)
    assert done.returncode == 0, done.stderr
    longer, results = done.stdout.splitlines()
    assert float(longer) < 0.5 and results == "['y', 'y', 'y']"


# --- the end of a worker --------------------------------------------------------------------------------------------

NODE = rm.nodes.Python(class_="place_nodes:Same").with_execution(placement="process")


@contextmanager
def nothing_is_left() -> Iterator[None]:
    before = set(residue())
    yield
    until(lambda: set(residue()) <= before, 3)


def test_a_closed_session_that_is_still_held_keeps_no_worker():
    with nothing_is_left():
        session = rm.Pipeline([NODE], allow_python=True).session()
        pid = session.feed("pid")[0].data
        session.close()
        until(lambda: not is_alive(pid), 3)
    assert session is not None


def test_a_pipeline_that_is_closed_ends_its_workers():
    with nothing_is_left():
        with rm.Pipeline([NODE], allow_python=True) as pipe:
            pid = pipe.run("pid")
            assert pipe.run("pid") == pid
        until(lambda: not is_alive(pid), 3)
        for call in (lambda: pipe.run("x"), pipe.session, lambda: pipe.map(["x"]), lambda: pipe.formats):
            with pytest.raises(rm.ClosedError, match="the pipeline is closed"):
                call()
        pipe.close()
        assert "Python" in repr(pipe)


def test_a_session_outlives_its_pipeline():
    with nothing_is_left():
        pipe = rm.Pipeline([NODE], allow_python=True)
        session = pipe.session()
        pid = session.feed("pid")[0].data
        pipe.close()
        assert session.feed("pid")[0].data == pid
        session.close()
        until(lambda: not is_alive(pid), 3)


# --- doctor ---------------------------------------------------------------------------------------------------------


def doctor(*before: str) -> tuple[int, str]:
    command = [*before, sys.executable, "-m", "remotemedia", "doctor"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


def test_the_doctor_runs_a_worker_and_says_what_it_needs():
    code, said = doctor()
    lines = {line[9:28].strip(): line for line in said.splitlines()}
    assert code == 0 and lines["worker process"].startswith("ok "), said
    assert {"memory of workers", "open files", "temporary folder"} <= set(lines)


@own_memory
@pytest.mark.parametrize(("options", "words"), [("ro", "Read-only"), ("size=64k", "--shm-size")])
def test_the_doctor_says_when_workers_cannot_run(options, words):
    code, said = doctor("unshare", "-m", "sh", "-c", f'mount -t tmpfs -o {options} none /dev/shm && exec "$@"', "sh")
    line = next(line for line in said.splitlines() if "worker process" in line)
    assert code == 1 and line.startswith("problem") and words in line, said
