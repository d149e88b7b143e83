"""What the system refuses is the builtin error as well, with number and name; waiting for a pipe can be interrupted."""

from __future__ import annotations

import copy
import errno
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import remotemedia as rm

NOISE = rm.Audio(np.full(800, 0.25, np.float32), 8000)
READING: dict[str, Callable[[Any], object]] = {
    "read": rm.read,
    "info": rm.info,
    "stream": rm.stream,
    "Pipeline": rm.Pipeline,
}
posix = pytest.mark.skipif(os.name != "posix", reason="pipes with names, and permissions, of POSIX")


def _is(error: rm.IoError, kind: type[OSError], number: int, name: Path) -> None:
    assert isinstance(error, kind) and type(error).__module__ == "remotemedia.errors"
    for twin in (error, pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (twin.errno, twin.filename, twin.strerror) == (number, str(name), os.strerror(number))
        assert str(twin) == str(error) and str(name.name) in str(error)
        assert (twin.kind, twin.code, twin.path) == ("Io", "RM0700", str(name))


@pytest.mark.parametrize("call", READING.values(), ids=list(READING))
def test_what_is_not_there_or_a_folder(call: Callable[[Any], object], tmp_path: Path) -> None:
    for name in (tmp_path / "none.wav", str(tmp_path / "none.wav")):
        with pytest.raises(FileNotFoundError) as missing:
            call(name)
        _is(missing.value, FileNotFoundError, errno.ENOENT, tmp_path / "none.wav")  # type: ignore[arg-type]
    with pytest.raises(IsADirectoryError) as folder:
        call(tmp_path)
    _is(folder.value, IsADirectoryError, errno.EISDIR, tmp_path)  # type: ignore[arg-type]
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError) as below:
        call(tmp_path / "file" / "a.wav")
    _is(below.value, NotADirectoryError, errno.ENOTDIR, tmp_path / "file" / "a.wav")  # type: ignore[arg-type]


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        rm.write(tmp_path / "no" / "a.wav", NOISE)
    _is(missing.value, FileNotFoundError, errno.ENOENT, tmp_path / "no" / "a.wav")  # type: ignore[arg-type]
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(IsADirectoryError):
        rm.write(tmp_path / "folder.wav", NOISE)
    long = tmp_path / f"{'n' * 251}.wav"
    rm.write(long, NOISE)
    assert rm.read(long).frames == 800
    with pytest.raises(rm.IoError) as longer:
        rm.write(tmp_path / f"{'n' * 252}.wav", NOISE)
    assert longer.value.errno == errno.ENAMETOOLONG


@posix
def test_what_may_not_be_read(tmp_path: Path) -> None:
    rm.write(tmp_path / "a.wav", NOISE)
    (tmp_path / "a.wav").chmod(0)
    code = f"""
        import os, remotemedia as rm
        if os.getuid() == 0: os.setuid(65534)
        for call in (rm.read, rm.info, rm.stream, rm.Pipeline):
            try: call({str(tmp_path / "a.wav")!r})
            except PermissionError as error: print(error.errno, isinstance(error, rm.IoError))
    """
    for folder in [tmp_path, *tmp_path.parents]:
        if folder.stat().st_uid == os.getuid() and folder != Path(folder.anchor):
            folder.chmod(folder.stat().st_mode | 0o755)
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert done.stdout == f"{errno.EACCES} True\n" * 4, done.stderr


def test_a_failure_inside_of_a_file_has_no_number(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"no audio at all" * 10)
    with pytest.raises(rm.IoError) as caught:
        rm.read(tmp_path / "a.wav")
    assert (type(caught.value), caught.value.errno) == (rm.IoError, None)
    assert caught.value.filename == str(tmp_path / "a.wav")


@posix
def test_a_pipe_is_read_when_somebody_writes(tmp_path: Path) -> None:
    file, pipe = tmp_path / "a.wav", tmp_path / "pipe.wav"
    rm.write(file, NOISE)
    os.mkfifo(pipe)

    def written(call: Callable[[], Any]) -> Any:
        writer = threading.Thread(target=lambda: pipe.write_bytes(file.read_bytes()))
        writer.start()
        try:
            return call()
        finally:
            writer.join()

    assert written(lambda: rm.read(pipe)) == rm.read(file)
    assert written(lambda: rm.read(pipe, start=100, frames=50, sample_rate=16000)).frames == 100
    assert written(lambda: rm.info(pipe)) == rm.info(file)
    parts = written(lambda: [part.frames for part in rm.stream(pipe, chunk_ms=30)])
    assert parts == [240, 240, 240, 80]
    with pytest.raises(rm.IoError, match=r"it is a pipe, expected a file"):
        rm.write(pipe, NOISE)


@posix
@pytest.mark.parametrize("call", READING)
def test_waiting_for_a_writer_can_be_interrupted(call: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    code = f"""
        import threading, remotemedia as rm
        try:
            print("ready", flush=True)
            rm.{call}("pipe")
        except KeyboardInterrupt:
            print("interrupted", threading.active_count())
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as child:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
        try:
            child.send_signal(signal.SIGINT)
            assert child.wait(60) == 0
            assert child.stdout.read() == "interrupted 1\n"
        finally:
            child.kill()
