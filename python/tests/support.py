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

import numpy as np


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


def same_signal(got: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> bool:
    """Whether two arrays are the same to -120 dB, or a step of their type.

    A stream is resampled in blocks of 20 ms, a whole signal in longer ones: the two differ by the rounding of float32.
    """
    if got.shape != expected.shape or got.dtype.newbyteorder("=") != expected.dtype.newbyteorder("="):
        return False
    wide, other = got.astype(np.float64), expected.astype(np.float64)
    step = 1.0 if got.dtype.kind in "iu" else float(np.finfo(got.dtype).eps) * float(np.abs(other).max())
    level = float(np.sqrt(np.mean(other**2)))
    return bool(
        np.abs(wide - other).max() <= max(step, 1e-5 * level) and np.std(wide - other) <= max(step, 1e-6 * level)
    )


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
