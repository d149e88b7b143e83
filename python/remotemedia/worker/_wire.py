"""The form in which data crosses to a Python node and back; ``src/ipc/wire.rs`` is the other side, and says it all."""

from __future__ import annotations

import ctypes
import json
import weakref
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from remotemedia import _json
from remotemedia._arrays import DTYPES, Exporter, as_array, dense, dtype_code, is_array_like
from remotemedia._audio import Audio, audio_of
from remotemedia._formats import PIXEL_FORMATS
from remotemedia._inputs import exact_bytes, exact_utf8
from remotemedia._video import VideoFrame
from remotemedia.errors import InputTypeError

if TYPE_CHECKING:
    from remotemedia._arrays import Array

__all__ = [
    "AUDIO",
    "CONTROL",
    "COPIED_BYTES",
    "ERROR",
    "LAST",
    "NOTHING",
    "NO_TIMES",
    "Form",
    "Lent",
    "Result",
    "audio_reply",
    "control",
    "data_of",
    "form_of",
    "head_bytes",
    "pack_times",
    "result_of",
    "stream_of",
]

_MAGIC, _VERSION = 0x4D52, 4
_HEAD = Struct("<HHBBBBQIIqIIqIIQ")
_BEHIND = Struct("<4I2q")
pack_times = Struct("<2q").pack
NO_TIMES = bytes(16)
COPIED_BYTES = 64 * 1024
"""Frames up to this are copied for the node: that takes less time than guarding a view."""
_MOST_HEAD = 640
"""Where the payload of memory that was lent starts: behind any head."""
_SHAPES = [Struct(f"<{axes}Q") for axes in range(65)]

AUDIO, VIDEO, ARRAY, TEXT, JSON, BINARY, CONTROL = range(7)
LAST, ERROR = 1, 2

_UINT8 = 5


class Lent(NamedTuple):
    """Memory of a result that was lent: where it is, its length in bytes, its number."""

    place: int
    nbytes: int
    number: int


class Result(NamedTuple):
    """A result on its way: what its head says, and the memory of its payload."""

    kind: int
    dtype: int
    shape: tuple[int, ...]
    numbers: tuple[int, int, int]
    memory: Array | Lent


_ECHOED = slice(8, 24)
"""Of a head: number of the request, generation, stream. A reply has the same."""
_MOST_REMEMBERED = 256


class Form(NamedTuple):
    """What a request is made of; the same for one frame after the other."""

    kind: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    numbers: tuple[int, ...]
    payload_len: int


_forms: dict[bytes, Form] = {}
_heads: dict[tuple[Any, ...], tuple[bytes, bytes, bytes]] = {}
_audio_heads: dict[tuple[Any, ...], tuple[bytes, bytes, bytes]] = {}


def stream_of(head: bytes) -> int:
    """Return the stream of a request."""
    return int.from_bytes(head[20:24], "little")


def form_of(head: bytes) -> Form:
    """Return what a request is made of, from a head that the native side has checked."""
    # Kind, dtype, axes, flags; length, shape, numbers: all but what differs from frame to frame.
    key = head[4:8] + head[56:]
    form = _forms.get(key)
    if form is None:
        kind, dtype, axes = head[4], head[5], head[6]
        shape = _SHAPES[axes].unpack_from(head, 64)
        numbers = _BEHIND.unpack_from(head, 64 + 8 * axes)[:4]
        length = int.from_bytes(head[56:64], "little")
        if len(_forms) >= _MOST_REMEMBERED:
            _forms.clear()
        # Of audio with one channel, the frames.
        if kind == AUDIO and len(shape) == 2 and shape[1] == 1:
            shape = shape[:1]
        form = _forms[key] = Form(kind, DTYPES[dtype], shape, numbers, length)
    return form


def data_of(form: Form, payload: int, lend: bool, own: bool) -> tuple[Any, weakref.ref[Exporter] | None]:
    """Return what a node gets for a request, and what tells whether somebody still looks at its memory.

    Arrays are read-only. With ``lend``, long ones are views; with ``own``, all are copies that may be written to.
    """
    kind, dtype, shape, numbers, length = form
    lent: weakref.ref[Exporter] | None = None
    if kind in (AUDIO, ARRAY, VIDEO):
        if length == 0:
            array = cast("Array", np.empty(shape, dtype))
        elif own or not lend or length <= COPIED_BYTES:
            array = cast("Array", np.ndarray(shape, dtype, ctypes.string_at(payload, length)))
            if own:
                array = array.copy()
        else:
            owner = Exporter(payload, dtype.str, shape, None, read_only=True)
            lent = weakref.ref(owner)
            array = np.asarray(owner)
        if kind == AUDIO:
            return audio_of(array, numbers[0]), lent
        if kind == ARRAY:
            return array, lent
        frame = VideoFrame(array, cast("Any", PIXEL_FORMATS[numbers[2]]), width=numbers[0], height=numbers[1])
        return frame, lent
    data = ctypes.string_at(payload, length)
    if kind == TEXT:
        return data.decode(), None
    return (data if kind == BINARY else json.loads(data)), None


def result_of(value: object) -> Result:
    """Return a node's result in the form in which it is sent: anything that a pipeline takes as input.

    Raises
    ------
    InputTypeError, InputValueError, FormatError
        For what it does not take.
    """
    if isinstance(value, Audio):
        samples = dense(as_array(value.samples))
        shape = samples.shape
        numbers = (value.sample_rate, 1 if len(shape) == 1 else shape[1], 0)
        return Result(AUDIO, cast("int", dtype_code(samples.dtype)), shape, numbers, samples)
    if isinstance(value, str):
        return _bytes(TEXT, exact_utf8(value))
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _bytes(BINARY, exact_bytes(value))
    if isinstance(value, VideoFrame):
        pixels = dense(as_array(value.data))
        numbers = (value.width, value.height, PIXEL_FORMATS.index(value.pixel_format))
        return Result(VIDEO, _UINT8, (pixels.nbytes,), numbers, pixels)
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
    return Result(kind, _UINT8, (len(data),), (0, 0, 0), np.frombuffer(data, np.uint8))


NOTHING = _bytes(CONTROL, b"")
"""A reply that says only that the request is answered."""


def control(value: object) -> Result:
    """Return an answer about the node."""
    return _bytes(CONTROL, json.dumps(value).encode())


def audio_reply(request: bytes, audio: Audio, times: bytes) -> tuple[bytes, bytes]:
    """Return head and payload of the one reply that is this audio: the short way for the usual frame."""
    samples = audio._samples
    key = (audio._rate, samples.shape, samples.dtype)
    parts = _audio_heads.get(key)
    if parts is None:
        if len(_audio_heads) >= _MOST_REMEMBERED:
            _audio_heads.clear()
        parts = _audio_heads[key] = _parts(result_of(audio), LAST)
    return _joined(parts, request, times), samples.tobytes()


def head_bytes(request: bytes | bytearray, result: Result, flags: int, times: bytes) -> bytes:
    """Return the head of a reply to the request with this head."""
    key = (*result[:4], flags, type(result.memory) is Lent)
    parts = _heads.get(key)
    if parts is None:
        if len(_heads) >= _MOST_REMEMBERED:
            _heads.clear()
        parts = _heads[key] = _parts(result, flags)
    return _joined(parts, request, times)


def _parts(result: Result, flags: int) -> tuple[bytes, bytes, bytes]:
    """Return a head without what differs from reply to reply: before, between and behind that."""
    kind, dtype, shape, numbers, memory = result
    axes = len(shape)
    behind = 64 + 8 * axes + 32
    offset = _MOST_HEAD if type(memory) is Lent else behind + 63 & ~63
    text = _HEAD.pack(_MAGIC, _VERSION, kind, dtype, axes, flags, 0, 0, 0, 0, 1, 1, 0, behind, offset, memory.nbytes)
    shown = text[24:] + _SHAPES[axes].pack(*shape) + _BEHIND.pack(*numbers, 0, 0, 0)[:16]
    return text[:8], shown, bytes(offset - behind)


def _joined(parts: tuple[bytes, bytes, bytes], request: bytes | bytearray, times: bytes) -> bytes:
    return parts[0] + request[_ECHOED] + parts[1] + times + parts[2]
