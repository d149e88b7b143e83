"""Every example in a docstring runs, in an empty folder."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import remotemedia

# Public members name `remotemedia` as their module, so their examples are found there.
MODULES = ["remotemedia", "remotemedia.errors", "remotemedia.runtime"]


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name: str, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = doctest.testmod(importlib.import_module(name), extraglobs={"clip": clip})
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_the_public_calls_have_examples() -> None:
    named = [remotemedia.Audio, remotemedia.Pipeline, remotemedia.Pipeline.run, remotemedia.Pipeline.run_async]
    named += [remotemedia.VideoFrame, remotemedia.AudioFormat, remotemedia.read, remotemedia.write, remotemedia.info]
    named += [remotemedia.resample, remotemedia.speech_segments, remotemedia.RemoteMediaError]
    named += [getattr(remotemedia.runtime, name) for name in remotemedia.runtime.__all__ if "execute" in name]
    for one in named:
        assert ">>> " in (one.__doc__ or ""), one
