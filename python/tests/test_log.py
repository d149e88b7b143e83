"""The core's log records in Python's logging."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

import remotemedia as rm

SCRIPT = """
import logging, os, sys, threading
import remotemedia as rm

class Keep(logging.Handler):
    def __init__(self):
        super().__init__(1)
        self.records = []
        self.came = threading.Event()
    def emit(self, record):
        self.records.append(record)
        self.came.set()

keep = Keep()
logger = logging.getLogger("remotemedia")
logger.addHandler(keep)
logger.setLevel(1)
logger.propagate = False
rm.log_to_python("debug")
def compiled(nodes):
    keep.came.clear()
    keep.records.clear()
    pipe = rm.Pipeline([rm.nodes.PassThrough() for _ in range(nodes)])
    assert keep.came.wait(60), "no record came"
    return keep.records[0].getMessage()
"""


def script(rest: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", SCRIPT + rest], capture_output=True, text=True, timeout=120)


def test_records_reach_the_logger_and_not_stderr() -> None:
    done = script("compiled(3); record = keep.records[0]; print(record.name, record.levelno, record.getMessage())")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "remotemedia.runtime 10 pipeline compiled pipeline=pipeline nodes=3\n"


def test_the_level_changes_with_another_call() -> None:
    done = script(
        "compiled(1); rm.log_to_python(logging.ERROR); rm.Pipeline([rm.nodes.PassThrough()]);"
        "rm.log_to_python('debug'); print(compiled(2))"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "pipeline compiled pipeline=pipeline nodes=2\n"


@pytest.mark.skipif(not hasattr(sys.modules["os"], "fork"), reason="this platform has no fork")
def test_a_forked_child_logs_too() -> None:
    rest = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 and later: of a fork beside threads, which is the point
compiled(1)
child = os.fork()
if child == 0:
    os._exit(0 if "nodes=2" in compiled(2) else 1)
assert os.waitpid(child, 0)[1] == 0
assert "nodes=3" in compiled(3)
"""
    done = script(rest)
    assert (done.returncode, done.stderr) == (0, "")


def test_levels_are_checked() -> None:
    for wrong in (True, 1.5, [], b"info"):
        with pytest.raises(rm.InputTypeError, match="level"):
            rm.log_to_python(wrong)  # type: ignore[arg-type]
    for bad in ("", "remotemedia=loud", "a=b=c"):
        with pytest.raises(rm.InputValueError, match="level"):
            rm.log_to_python(bad)
    assert logging.getLogger("remotemedia").handlers == []
