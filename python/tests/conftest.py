"""Where recordings and examples are; nothing is left out in silence."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import remotemedia


def _root() -> Path | None:
    """The repository, when the tests run beside it: the environment's word, else two folders up."""
    named = os.environ.get("REMOTEMEDIA_ROOT")
    if named:
        return Path(named)
    above = Path(__file__).resolve().parents[2]
    return above if (above / "examples" / "quickstart.py").is_file() else None


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's folder."""
    found = _root()
    if found is None:
        pytest.skip("no repository beside the tests: set REMOTEMEDIA_ROOT")
    return found


@pytest.fixture(scope="session")
def data(request: pytest.FixtureRequest) -> Path:
    """The folder of recordings: REMOTEMEDIA_DATA, else the repository's examples/data."""
    named = os.environ.get("REMOTEMEDIA_DATA")
    return Path(named) if named else Path(request.getfixturevalue("root")) / "examples" / "data"


@pytest.fixture(scope="session")
def clip() -> Path:
    """The recording in the package: 9.34 s of speech, 16 kHz mono, FLAC."""
    return Path(remotemedia.__file__).parent / "_demo_data" / "librivox_ss_a.flac"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what was left out, and why."""
    for report in terminalreporter.stats.get("skipped", []):
        terminalreporter.write_line(f"left out: {report.nodeid}: {report.longrepr[2]}")
