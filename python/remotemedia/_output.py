"""One result of a live stream, and how it is read from an answer."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from remotemedia._results import value
from remotemedia._wire import JSON

if TYPE_CHECKING:
    from remotemedia._inputs import Inputs
    from remotemedia._lib import Buffers
    from remotemedia._wire import Record

__all__ = ["Output", "data_of"]


class Output:
    """One result of a session.

    Attributes
    ----------
    node, port : str
        Where it came from.
    data : object
        What came: an array if arrays went in, `Audio`, `VideoFrame`, str, bytes, or a JSON value.
    generation : int
        How many interrupts there were before it.
    dropped : int
        How many results a full queue has dropped since the one before.
    """

    __slots__ = ("_pts", "data", "dropped", "generation", "node", "port")

    def __init__(
        self, node: str, port: str, data: Any, pts: tuple[int, int, int], generation: int, dropped: int = 0
    ) -> None:
        self.node = node
        self.port = port
        self.data = data
        self._pts = pts
        self.generation = generation
        self.dropped = dropped

    @property
    def pts(self) -> Fraction:
        """When its first frame is, in seconds of the input's time: exact."""
        ticks, numerator, denominator = self._pts
        return Fraction(ticks * numerator, denominator)

    def __repr__(self) -> str:
        data = f"array{self.data.shape}" if isinstance(self.data, np.ndarray) else repr(self.data)
        return f"Output({self.node}.{self.port} at {float(self.pts):.6f} s: {data})"


def data_of(answer: bytes, record: Record, inputs: Inputs, buffers: Buffers | None = None) -> object:
    """Return what one record of an answer holds."""
    if record.kind == JSON:
        return json.loads(answer[record.start : record.start + record.byte_len])
    return value(answer, record, inputs, buffers)
