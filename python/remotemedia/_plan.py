"""What is known of a pipeline before it runs: latency and copies."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CopyPlace", "NodeLatency", "PathLatency"]


class NodeLatency(NamedTuple):
    """What one node adds to the latency of a path."""

    node: str
    """Its id."""
    delay_ms: float
    """How far it looks ahead, in milliseconds."""
    block_ms: float
    """The block that it works in, in milliseconds."""


class PathLatency(NamedTuple):
    """The latency from one node that takes input to one result."""

    source: str
    """The id of the node that takes the input."""
    result: str
    """The result: ``node``, or ``node.port``."""
    delay_ms: float
    """How far the nodes on the way look ahead, in milliseconds."""
    block_ms: float
    """The longest block that a node on the way works in, in milliseconds."""
    min_ms: float | None
    """How long the luckiest frame is held back; None where it depends on what is in the stream, as for events."""
    max_ms: float | None
    """How long the unluckiest frame is held back."""
    nodes: list[NodeLatency]
    """The nodes that hold audio back, the largest first."""


class CopyPlace(NamedTuple):
    """A place where bytes of media are copied or converted."""

    place: str
    """``input``, the id of a node, or ``result`` and its name."""
    reason: str
    """Why."""
