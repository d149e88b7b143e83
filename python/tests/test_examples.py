"""Every example runs in an empty folder and says something; the manifests among them are valid."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import must

import remotemedia as rm

# `asr` needs a package more, and is run by `cargo xtask test`.
EXAMPLES = ["manifest_file", "map_clips", "published_v04", "quickstart", "thousand_streams", "video_scale"]


def test_all_examples_are_listed(root: Path) -> None:
    assert sorted(path.stem for path in (root / "examples").glob("*.py")) == sorted(["asr", *EXAMPLES])


def test_the_notebook_runs_and_has_no_outputs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = json.loads((root / "examples" / "notebook.ipynb").read_text(encoding="utf-8"))
    monkeypatch.chdir(root / "examples")
    names: dict[str, object] = {}
    shown = 0
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        assert cell["outputs"] == [] and cell["execution_count"] is None
        body = ast.parse("".join(cell["source"]))
        last = body.body.pop() if isinstance(body.body[-1], ast.Expr) else None
        exec(compile(body, "notebook", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "notebook", "eval"), names)
            shown += hasattr(value, "_repr_html_") and "<svg" in value._repr_html_()
    assert shown == 2


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs(root: Path, tmp_path: Path, name: str) -> None:
    script = root / "examples" / f"{name}.py"
    environment = {**os.environ, "PYTHONWARNINGS": "error", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(script)]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert must(done)


def test_the_manifests_are_valid(root: Path) -> None:
    paths = sorted((root / "examples" / "manifests").glob("*.json"))
    assert paths
    for path in paths:
        assert rm.Pipeline(path).warnings == []


def test_the_demo_runs_the_manifest_that_is_shown(root: Path) -> None:
    import json

    from remotemedia._demo import MANIFEST

    shown = json.loads((root / "examples" / "manifests" / "speech.json").read_text(encoding="utf-8"))
    assert shown == MANIFEST
