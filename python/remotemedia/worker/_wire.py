"""The form in which data crosses to a Python node and back; ``src/ipc/wire.rs`` is the other side, and says it all."""

from __future__ import annotations

import ctypes
import json
import weakref
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from remotemedia import _json
from remotemedia._arrays import address, as_array, check_audio, dense, dtype_code, is_array_like
from remotemedia._audio import Audio, audio_of
from remotemedia._video import VideoFrame
from remotemedia.errors import InputTypeError

if TYPE_CHECKING:
    from remotemedia._arrays import Array

__all__ = ["ERROR", "LAST", "Head", "Result", "data_of", "head_bytes", "read_head", "result_of"]

_MAGIC, _VERSION = 0x4D52, 1
_HEAD = Struct("<HHBBBBQIIqIIqIIQ")
_BEHIND = Struct("<4I2q")
_SHAPES = [Struct(f"<{axes}Q") for axes in range(65)]
_PADDING = [bytes(count) for count in range(64)]

CONTROL, AUDIO, VIDEO, ARRAY, BINARY, TEXT, JSON = range(7)
LAST, ERROR = 1, 2
_SWAPPED = 100

_PIXELS = ("gray8", "rgb24", "rgba", "nv12", "i420")
_COPIED_BYTES = 64 * 1024
"""Frames up to this are copied for the node: that takes less time than guarding a view."""

_TYPES = "? i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 c8 c16".split()
_DTYPES: dict[int, np.dtype[Any]] = {}
for _number, _type in enumerate(_TYPES):
    _DTYPES[_number] = np.dtype(_type)
    _DTYPES[_number + _SWAPPED] = np.dtype(_type).newbyteorder("S")


class Head(NamedTuple):
    """What a request says of itself."""

    kind: int
    dtype: int
    sequence: int
    generation: int
    stream: int
    shape: tuple[int, ...]
    numbers: tuple[int, ...]
    payload_len: int


class Result(NamedTuple):
    """A result on its way: what its head says, and the memory of its payload."""

    kind: int
    dtype: int
    shape: tuple[int, ...]
    numbers: tuple[int, int, int]
    memory: Array


class _Lent:
    """Shows memory that is lent for one call to numpy, read-only. It lives as long as any view of it."""

    __slots__ = ("__array_interface__", "__weakref__")

    def __init__(self, address: int, typestr: str, shape: tuple[int, ...]) -> None:
        self.__array_interface__ = {
            "version": 3,
            "shape": shape,
            "typestr": typestr,
            "data": (address, True),
            "strides": None,
        }


def read_head(data: bytes) -> Head:
    """Read a head that the native side has checked."""
    _, _, kind, dtype, axes, _, sequence, generation, stream, _, _, _, _, _, _, length = _HEAD.unpack_from(data)
    shape = _SHAPES[axes].unpack_from(data, 64)
    numbers = _BEHIND.unpack_from(data, 64 + 8 * axes)
    return Head(kind, dtype, sequence, generation, stream, shape, numbers, length)


def data_of(head: Head, payload: int, lend: bool, own: bool) -> tuple[Any, weakref.ref[_Lent] | None]:
    """Return what a node gets for a request, and what tells whether somebody still looks at its memory.

    Arrays are read-only. With ``lend``, long ones are views; with ``own``, all are copies that may be written to.
    """
    kind = head.kind
    if kind == TEXT:
        return ctypes.string_at(payload, head.payload_len).decode(), None
    if kind in (JSON, CONTROL):
        return json.loads(ctypes.string_at(payload, head.payload_len)), None
    if kind == BINARY:
        return ctypes.string_at(payload, head.payload_len), None
    dtype, shape = _DTYPES[head.dtype], head.shape
    lent: weakref.ref[_Lent] | None = None
    if head.payload_len == 0:
        array = cast("Array", np.empty(shape, dtype))
    elif own or not lend or head.payload_len <= _COPIED_BYTES:
        array = cast("Array", np.ndarray(shape, dtype, ctypes.string_at(payload, head.payload_len)))
        if own:
            array = array.copy()
    else:
        owner = _Lent(payload, dtype.str, shape)
        lent = weakref.ref(owner)
        array = np.asarray(owner)
    if kind == ARRAY:
        return array, lent
    if kind == AUDIO:
        if array.ndim == 2 and shape[1] == 1:
            array = array[:, 0]
        return audio_of(array, head.numbers[0]), lent
    width, height, pixels, _ = head.numbers[:4]
    return VideoFrame(array, cast("Any", _PIXELS[pixels]), width=width, height=height), lent


def result_of(value: object) -> Result:
    """Return a node's result in the form in which it is sent: anything that a pipeline takes as input.

    Raises
    ------
    InputTypeError, InputValueError, FormatError
        For what it does not take.
    """
    if isinstance(value, Audio):
        samples = dense(value.samples)
        check_audio(samples, value.channels if samples.ndim == 2 else None)
        numbers = (value.sample_rate, value.channels, 0)
        return Result(AUDIO, cast("int", dtype_code(samples.dtype)), samples.shape, numbers, samples)
    if isinstance(value, str):
        return _bytes(TEXT, value.encode())
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _bytes(BINARY, bytes(cast("bytes", value)))
    if isinstance(value, VideoFrame):
        pixels = dense(value.data)
        numbers = (value.width, value.height, _PIXELS.index(value.pixel_format))
        return Result(VIDEO, 5, (pixels.nbytes,), numbers, pixels)
    if isinstance(value, (np.ndarray, np.generic)) or is_array_like(value):
        array = dense(as_array(value))
        code = dtype_code(array.dtype)
        if code is None:
            raise InputTypeError(f"the result is an array of dtype {array.dtype}, expected numbers or bool")
        return Result(ARRAY, code, array.shape, (0, 0, 0), array)
    try:
        return _bytes(JSON, _json.dumps(value).encode())
    except _json.NotJsonError as error:
        raise InputTypeError(f"the result is no value of a pipeline: {error.reason}") from None


def _bytes(kind: int, data: bytes) -> Result:
    return Result(kind, 5, (len(data),), (0, 0, 0), np.frombuffer(data, np.uint8))


NOTHING = _bytes(CONTROL, b"")
"""A reply that says only that the request is answered."""


def control(value: object) -> Result:
    """Return an answer about the node."""
    return _bytes(CONTROL, json.dumps(value).encode())


def head_bytes(request: Head, result: Result, flags: int, taken_ns: int, now_ns: int) -> tuple[bytes, int]:
    """Return the head of a reply, and where its payload lies."""
    kind, dtype, shape, numbers, memory = result
    axes = len(shape)
    behind = 64 + 8 * axes + 32
    offset = behind + 63 & ~63
    head = _HEAD.pack(
        _MAGIC, _VERSION, kind, dtype, axes, flags, request.sequence, request.generation, request.stream,
        0, 1, 1, 0, behind, offset, memory.nbytes,
    )  # fmt: skip
    tail = _BEHIND.pack(*numbers, 0, taken_ns, now_ns)
    return head + _SHAPES[axes].pack(*shape) + tail + _PADDING[offset - behind], address(memory)
