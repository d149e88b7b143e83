"""Small things that people try first: completion, a bar in a notebook, a path as an item, what hints name."""

from __future__ import annotations

import io
import re
import rlcompleter
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import remotemedia as rm

SAME = rm.Pipeline([rm.nodes.PassThrough()])


def completed(text: str) -> set[str]:
    completer = rlcompleter.Completer({"rm": rm})
    found: set[str] = set()
    while (one := completer.complete(text, len(found))) is not None:
        found.add(one)
    return {one.rstrip("()").removeprefix(text) for one in found}


def test_completion_shows_what_is_meant_to_be_used() -> None:
    assert completed("rm.nodes.") == set(rm.nodes.__all__) - {"Node"}
    assert completed("rm.") == {name for name in rm.__all__ if not name.startswith("_")}


def test_a_path_is_no_item() -> None:
    with pytest.raises(rm.InputTypeError, match=r"remotemedia\.read\(path\)"):
        SAME.run(Path("a.wav"))
    with pytest.raises(rm.InputTypeError, match=r"remotemedia\.read\(path\)"):
        SAME.map([Path("a.wav")])


@pytest.mark.parametrize("package", ["ipykernel.iostream", "pyodide_kernel.streams"])
def test_a_bar_is_drawn_in_a_notebook(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Streams of a notebook say that they are no terminal.
    stream: Any = type("OutStream", (io.StringIO,), {"__module__": package})()
    monkeypatch.setattr(sys, "stderr", stream)
    assert SAME.map(["a", "b", "c"], progress=True) == ["a", "b", "c"]
    text = stream.getvalue()
    assert text.startswith("\r[..") and text.endswith(f"\r[{'#' * 30}] 3 of 3 clips\n")


def test_a_bar_is_not_drawn_into_a_file_nor_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    SAME.map(["a"] * 3, progress=True)
    assert stream.getvalue() == ""
    monkeypatch.setattr(sys, "stderr", None)
    SAME.map(["a"] * 3, progress=True)
    terminal: Any = type("Terminal", (io.StringIO,), {"isatty": lambda self: True})()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(rm._map, "time", types.SimpleNamespace(monotonic=lambda: 1.0))
    SAME.map(["a"] * 500, progress=True)
    assert terminal.getvalue().count("\r") == 2


def test_what_hints_name_is_there(root: Path) -> None:
    table = (root / "src/graph/hints.rs").read_text(encoding="utf-8")
    names = re.findall(r'^    \("([a-z0-9]+)",', table, re.MULTILINE)
    assert len(names) > 90
    for name in names:
        with pytest.raises(rm.ManifestError) as caught:
            rm.Pipeline([{"node_type": name}])
        fix = caught.value.problems[0].fix or ""
        for word in re.findall(r"`rm\.([\w.]+)`", fix):
            assert hasattr(rm, word), fix
        for word in re.findall(r"`Session\.(\w+)`", fix):
            assert hasattr(rm.Session, word), fix
        for word in re.findall(r"`(\w+)=`", fix):
            calls = (rm.Session.feed, rm.Pipeline.session)
            assert any(word in call.__annotations__ for call in calls), fix
    assert np.zeros((2, 2))[:, 0].shape == (2,)
