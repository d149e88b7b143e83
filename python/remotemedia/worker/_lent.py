"""Memory of results that the host sees: what a node has written there is sent without a copy."""

from __future__ import annotations

import weakref
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from remotemedia._arrays import Exporter, address
from remotemedia._lib import NativeError, reraise

if TYPE_CHECKING:
    from remotemedia._arrays import Array
    from remotemedia._lib import RawServing

__all__ = ["Lender", "Lent"]


class Lent(NamedTuple):
    """Memory of a result that was lent: where it is, and its length in bytes."""

    place: int
    nbytes: int


class Lender:
    """Lends memory that is shared with the host, and sends it once nobody looks at it any more."""

    def __init__(self, serving: RawServing) -> None:
        self._serving = serving
        # By address. Who asked for the memory has an array over it, which keeps the exporter alive.
        self._owners: dict[int, weakref.ref[Exporter]] = {}
        self._sizes: dict[int, int] = {}
        self._claimed: set[int] = set()
        self.sent = 0
        """Results that were sent without a copy."""

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array | None:
        """Return an array over shared memory; None when as much is lent as may be."""
        nbytes = prod(shape) * dtype.itemsize
        try:
            place = self._serving.lend(nbytes)
        except NativeError as error:
            reraise(error)
        if place == 0:
            return None
        owner = Exporter(place, dtype.str, shape, None)
        self._sizes[place] = nbytes
        self._owners[place] = weakref.ref(owner, lambda _: self._ended(place))
        return np.asarray(owner)

    def _ended(self, place: int) -> None:
        self._owners.pop(place, None)
        if place not in self._claimed:
            self._sizes.pop(place, None)
            self._serving.take_back(place)

    def claim(self, memory: Array) -> Lent | None:
        """Return what was lent, if this is all of it. It stays where it is until `send`, whoever else lets go of it."""
        if not self._sizes:
            return None
        place = address(memory)
        if self._sizes.get(place) != memory.nbytes:
            return None
        self._claimed.add(place)
        return Lent(place, memory.nbytes)

    def send(self, lent: Lent, head: bytes) -> Exporter | None:
        """Send what was claimed, if nobody looks at it any more; else return its owner, and it is to be copied."""
        place = lent.place
        reference = self._owners.get(place)
        owner = reference() if reference is not None else None
        self._claimed.discard(place)
        if owner is not None:
            return owner
        self._sizes.pop(place, None)
        try:
            self._serving.reply_lent(place, head)
        except NativeError as error:
            reraise(error)
        self.sent += 1
        return None
