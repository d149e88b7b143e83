"""Memory of results that the host sees: what a node has written there is sent without a copy."""

from __future__ import annotations

import itertools
import weakref
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from remotemedia._arrays import Exporter, address
from remotemedia._lib import NativeError, reraise
from remotemedia.worker._wire import COPIED_BYTES, Lent

if TYPE_CHECKING:
    from remotemedia._arrays import Array
    from remotemedia._lib import RawServing

__all__ = ["Lender"]


class _Owner(Exporter):
    """Keeps memory lent: all arrays over it refer to it."""

    __slots__ = ("lent",)
    lent: Lent


class Lender:
    """Lends memory that is shared with the host, and sends it once nobody looks at it any more."""

    def __init__(self, serving: RawServing) -> None:
        self._serving = serving
        self._numbers = itertools.count(1)
        # By number and not by address: an address is used again while the end of the array before is still on its way.
        self._owners: dict[int, weakref.ref[_Owner]] = {}
        self._claimed: set[int] = set()
        self.sent = 0
        """Results that were sent without a copy."""

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array | None:
        """Return an array over shared memory; None for a short one, and when as much is lent as may be."""
        nbytes = prod(shape) * dtype.itemsize
        if nbytes <= COPIED_BYTES or min(shape) < 0:
            return None
        number = next(self._numbers)
        try:
            place = self._serving.lend(number, nbytes)
        except NativeError as error:
            reraise(error)
        if place == 0:
            return None
        owner = _Owner(place, dtype.str, shape, None)
        owner.lent = Lent(place, nbytes, number)
        self._owners[number] = weakref.ref(owner, lambda _: self._ended(number))
        return np.asarray(owner)

    def _ended(self, number: int) -> None:
        self._owners.pop(number, None)
        if number not in self._claimed:
            self._serving.take_back(number)

    def claim(self, memory: Array) -> Lent | None:
        """Return what was lent, if this is all of it. It stays where it is until `send`, whoever else lets go of it."""
        base: Any = memory
        while isinstance(base, np.ndarray):
            base = base.base
        if type(base) is not _Owner or (address(memory), memory.nbytes) != base.lent[:2]:
            return None
        self._claimed.add(base.lent.number)
        return base.lent

    def send(self, lent: Lent, head: bytes) -> Exporter | None:
        """Send what was claimed, if nobody looks at it any more; else return its owner, and it is to be copied."""
        reference = self._owners.get(lent.number)
        owner = reference() if reference is not None else None
        if owner is not None:
            self._claimed.discard(lent.number)
            return owner
        # Whoever is in `_ended` for it finds it claimed until it is sent.
        try:
            self._serving.reply_lent(lent.number, head)
        except NativeError as error:
            reraise(error)
        finally:
            self._claimed.discard(lent.number)
        self.sent += 1
        return None
