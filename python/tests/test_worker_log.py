"""What a worker process says, in the log of its host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import remotemedia as rm

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="worker processes are for Linux")

HOST = """
import json, logging, sys
import remotemedia as rm

class Print(logging.Handler):
    def emit(self, record):
        print(json.dumps([record.name, record.levelname, record.getMessage()]), flush=True)

logger = logging.getLogger("remotemedia.worker")
logger.addHandler(Print())
logger.setLevel(1)
logger.propagate = False
def feed(*what, execution={}):
    node = rm.nodes.Python(class_="log_nodes:Says").with_execution(placement="process", **execution)
    with rm.Pipeline([node], allow_python=True).session() as session:
        for one in what:
            session.feed(one)
"""


def records(rest: str, attach: str = "rm.log_to_python({level!r})", level: str | None = None) -> list[Any]:
    """The records of workers in a host that runs this, in order."""
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    code = f"{HOST}{attach.format(level=level)}\n{rest}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": path, "RUST_LOG": "info"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_records_keep_their_logger_and_level():
    said = records("feed({'error': 'e', 'warning': 'w', 'info': 'i', 'debug': 'd'})")
    assert said == [
        ["remotemedia.worker.log_nodes", "INFO", 'setup 50 % node="python"'],
        ["remotemedia.worker.log_nodes", "ERROR", 'e node="python"'],
        ["remotemedia.worker.log_nodes", "WARNING", 'w node="python"'],
        ["remotemedia.worker.log_nodes", "INFO", 'i node="python"'],
    ]


@pytest.mark.parametrize(("level", "least"), [("debug", "DEBUG"), ("warn", "WARNING"), ("error", "ERROR")])
def test_a_worker_logs_from_the_level_of_its_host_on(level, least):
    levels = ["ERROR", "WARNING", "INFO", "DEBUG"]
    said = records("feed({'error': '', 'warning': '', 'info': '', 'debug': ''})", level=level)
    expected = levels[: levels.index(least) + 1]
    assert [one[1] for one in said if not one[2].startswith("setup")] == expected


def test_prints_and_warnings_and_tracebacks():
    said = records("feed('print', 'warn', 'exception')")[1:]
    by_level = {
        level: [(name, text) for name, of, text in said if of == level] for level in ("INFO", "WARNING", "ERROR")
    }
    assert by_level["INFO"] == [("remotemedia.worker", 'on stdout node="python"')]
    assert by_level["WARNING"][0] == ("remotemedia.worker", 'on stderr node="python"')
    name, text = by_level["WARNING"][1]
    assert name == "remotemedia.worker.py.warnings" and "UserWarning: careful" in text
    name, text = by_level["ERROR"][0]
    assert name == "remotemedia.worker.log_nodes"
    assert text.startswith("it failed\nTraceback") and "ZeroDivisionError" in text


def test_lines_that_are_odd():
    """A record behind a line without an end, one that is long, one that is no JSON, and any character."""
    said = records("feed('partial', 'long', 'broken', 'odd', 'surrogate')")[1:]
    texts = [text.removesuffix(' node="python"') for _, _, text in said]
    assert texts[:2] == ["no end", "a record"]
    # Of 100,000 characters of four bytes each.
    assert texts[2].endswith("... (391848 bytes more)") and len(texts[2].encode()) <= 8 << 10
    assert "not json" in texts[3] and said[3][:2] == ["remotemedia.worker", "WARNING"]
    assert texts[4] == "a\nb\x1ec \U0001f3b5"
    assert texts[5] == "\\udce9" and said[5][1] == "INFO"


def test_an_error_is_told_behind_much_else():
    said = records("feed('much')")
    assert ["remotemedia.worker.log_nodes", "ERROR", 'at last node="python"'] in said
    assert 150 <= len(said) < 410 and "dropped=2" in said[-1][2]


def test_records_are_the_last_lines_of_an_error():
    node = rm.nodes.Python(class_="log_nodes:Says").with_execution(placement="process")
    lines = pytest.raises(rm.WorkerCrashedError, match=r"its last lines:\n(  setup 50 %\n)?  about to\n  end$")
    with rm.Pipeline([node], allow_python=True).session() as session, lines:
        session.feed("die")


def test_a_start_that_takes_too_long_says_how_far_it_came():
    node = rm.nodes.Python(class_="log_nodes:Hangs").with_execution(placement="process", startup_timeout_ms=1500)
    pipe = rm.Pipeline([node], allow_python=True)
    with pytest.raises(rm.TimeoutError, match=r"not ready within 1500 ms; its last lines:\n  10 %\n  20 %"):
        pipe.session()


def test_without_the_bridge_they_go_to_stderr():
    code = f"{HOST}\nfeed({{'warning': 'w'}})"
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    env = {**os.environ, "PYTHONPATH": path, "RUST_LOG": "info", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=env, check=True
    )
    assert 'WARN remotemedia::worker: w node="python" logger="log_nodes"' in done.stderr
