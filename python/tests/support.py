"""Small helpers that several test files use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from itertools import pairwise
from pathlib import Path
from typing import Any


def node(id: str = "a", node_type: str = "PassThrough", **params: Any) -> dict[str, Any]:
    """One entry of a manifest's nodes."""
    return {"id": id, "node_type": node_type, **({"params": params} if params else {})}


def manifest(*nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A manifest of nodes, connected one after the other unless `connections` are given."""
    ids = [one["id"] for one in nodes]
    chain = [{"from": first, "to": second} for first, second in pairwise(ids)]
    return {"version": "v1", "metadata": {"name": "test"}, "nodes": list(nodes), "connections": chain, **more}


PASS = json.dumps(manifest(node()))
"""One PassThrough."""

RESAMPLE = json.dumps(manifest(node("resample", "AudioResample", target_rate=16000)))
"""The published README's manifest: to 16 kHz."""


def run_python(code: str, *, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter of the same environment and return what it said."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=120,
        env={**os.environ, "NO_COLOR": "1", **environment},
        check=False,
    )


def must(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a process printed; it must have ended with 0 and said nothing on stderr."""
    assert (done.returncode, done.stderr) == (0, ""), f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
