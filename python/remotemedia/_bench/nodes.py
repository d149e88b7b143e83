"""Every built-in node: what it costs, against the estimate that decides where a run computes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import remotemedia as rm
from remotemedia._bench.measure import Contender, Row, compare, pinned
from remotemedia._lib import native

__all__ = ["rows"]

_PARAMS: dict[str, dict[str, Any]] = {
    "AudioResample": {"target_rate": 16_000},
    "AudioChannels": {"channels": 2},
    "Chunk": {"frames": 480},
    "Python": {"class": "remotemedia._bench.nodes:Same"},
    "TextCase": {"mode": "upper"},
    "VideoScale": {"width": 320, "height": 180},
}


class Same:
    """A node in Python that does nothing: what is left is the way to it and back."""

    def process(self, data: Any) -> Any:
        """Give what came."""
        return data


def rows(effort: float) -> Iterator[tuple[str, Callable[[], Row]]]:
    """Yield a row for each node of the registry."""
    for node in json.loads(native.node_catalog()):
        id = f"node: {node['name']}, a frame"
        yield id, partial(_node, id, node, max(3, int(15 * effort)))


def _node(id: str, node: dict[str, Any], rounds: int) -> Row:
    name, declared = node["name"], float(node["cost_ns_per_frame"])
    kinds = node["inputs"][0]["kinds"]
    params = _PARAMS.get(name, {})
    manifest = {"version": "v1", "nodes": [{"id": "a", "node_type": name, "params": params}]}
    pipe = rm.Pipeline(manifest, allow_python=True)
    item: object
    if "audio" in kinds:
        frames, item = 480_000, rm.Audio(np.random.default_rng(3).standard_normal(480_000).astype(np.float32), 48_000)
    elif "video" in kinds:
        frames, item = 1, rm.VideoFrame(np.zeros((720, 1280, 3), np.uint8))
    else:
        frames, item = 1, "a short text"
    # What a call costs is not the node's: the same item through a PassThrough is taken off.
    nothing = rm.Pipeline([rm.nodes.PassThrough()])
    with pinned():
        figures = compare(
            [Contender(name, lambda: pipe.run(item)), Contender("PassThrough", lambda: nothing.run(item))], rounds, 5
        )
    spent = max(0.0, figures[0].median - figures[1].median) / frames
    row = Row(id, "us", figures, note=f"{spent:.2f} ns a frame, declared {declared:g}")
    # Under a nanosecond, 50 us a second of audio, does not matter to where a run computes.
    if max(spent, declared) > 1.0 and not declared / 3 <= spent <= declared * 3:
        row.note += ": THE ESTIMATE IS OFF by more than 3"
    return row
