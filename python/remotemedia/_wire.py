"""Records in which items and results cross to the native library and back; ``src/ffi/wire.rs`` is the other side."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "ARRAY",
    "AUDIO",
    "BINARY",
    "JSON",
    "META",
    "NOTHING",
    "SAME",
    "TEXT",
    "VIDEO",
    "Record",
    "pack",
    "records",
    "records_after",
    "table",
]

TEXT, JSON, BINARY, ARRAY, AUDIO, VIDEO, SAME, NOTHING, META = range(9)
"""Kinds of records."""

ONE_AXIS = 2
"""On audio: the array has one axis."""
_INLINE = 4
"""On a result: its bytes follow."""

pack = Struct("<BBhIQ").pack
"""Pack an item: kind, flags, dtype, length of the extra that follows, position of its memory or length of its text."""

_TABLES = [Struct(f"<IIQ{2 * count}Q").pack for count in range(9)]


def table(places: list[int], run: int) -> bytes:
    """Return the start of a batch: the memory that its records may name, address and length of each, and for which run.

    No record has an address: whatever is in them, nothing but this memory is read.
    """
    count = len(places) // 2
    if count < len(_TABLES):
        return _TABLES[count](count, 0, run, *places)
    return Struct(f"<IIQ{2 * count}Q").pack(count, 0, run, *places)


_unpack = Struct("<BBhIIIQQ").unpack_from
_RECORD = 32
_NO_HEAD = Struct("")


class Record(NamedTuple):
    """A result: where its bytes are, and what they mean."""

    kind: int
    dtype: int
    port: int
    item: int
    extra: bytes
    place: int
    """The number of a buffer, or the position of memory that went in."""
    start: int
    """Where its bytes start in the answer; -1 when they are in a buffer."""
    byte_len: int


def records(answer: bytes) -> Iterator[Record]:
    """Yield the results in an answer."""
    for _, record in records_after(answer, _NO_HEAD):
        yield record


def records_after(answer: bytes, head: Struct) -> Iterator[tuple[tuple[int, ...], Record]]:
    """Yield the results in an answer, each with the head that stands before it."""
    at, end = 0, len(answer)
    while at < end:
        before = head.unpack_from(answer, at)
        at += head.size
        kind, flags, dtype, port, item, extra_len, place, byte_len = _unpack(answer, at)
        at += _RECORD
        extra = answer[at : at + extra_len]
        at += extra_len
        if flags & _INLINE:
            yield before, Record(kind, dtype, port, item, extra, place, at, byte_len)
            at += byte_len
        else:
            yield before, Record(kind, dtype, port, item, extra, place, -1, byte_len)
