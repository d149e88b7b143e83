"""A native run's results into Python values, in the kind that went in."""

from __future__ import annotations

import ctypes
import json
import sys
import warnings
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from remotemedia import errors
from remotemedia._arrays import copied, to_float32, view
from remotemedia._audio import Audio, audio_of
from remotemedia._owner import own
from remotemedia._video import VideoFrame
from remotemedia._wire import ARRAY, AUDIO, BINARY, JSON, META, NOTHING, SAME, TEXT, VIDEO, records

if TYPE_CHECKING:
    from remotemedia._inputs import Inputs
    from remotemedia._lib import Buffers
    from remotemedia._wire import Record

__all__ = ["Port", "Ports", "audio_dict", "to_python", "value", "warn"]

_empty_bytes: Any = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_ssize_t)(
    ("PyBytes_FromStringAndSize", ctypes.pythonapi)
)
_SHAPES = [Struct(f"<{axes}Q").unpack for axes in range(65)]
_AUDIO = Struct("<QII").unpack
_VIDEO = Struct("<II").unpack_from

_UINT8 = 5
_PARSED_AT_ONCE = 256 * 1024
"""About so many bytes of JSON are parsed in one call, which no other thread can come between."""
_WARNINGS: dict[str, type[errors.RemoteMediaWarning]] = {
    "AssumedFormat": errors.AssumedFormatWarning,
    "UnhandledKind": errors.UnhandledKindWarning,
}


class Port(NamedTuple):
    """A port whose output is a result."""

    name: str
    """``node`` for its port ``out``, else ``node.port``."""
    node: str
    port: str
    stream: bool
    """Whether it gives a stream of its own (events) instead of something for each item."""


Ports = list[Port]


def to_python(answer: bytes, ports: Ports, inputs: Inputs, metrics: bool, buffers: Buffers | None = None) -> Any:
    """Return what a run gave.

    One result port: its value, or a list with one entry per item. Several: a dict by ``node`` or ``node.port``.
    With ``metrics``: ``{"outputs": ..., "metrics": {...}}``.
    """
    by_port: list[list[tuple[int, object]]] = [[] for _ in ports]
    figures: object = None
    texts: list[bytes] = []
    places: list[tuple[int, int]] = []
    for record in records(answer):
        if record.kind == JSON:
            # JSON is parsed below, many at once: a stream of events may have thousands of them.
            texts.append(answer[record.start : record.start + record.byte_len])
            places.append((record.port, len(by_port[record.port])))
            by_port[record.port].append((record.item, None))
        elif record.kind == META:
            meta = json.loads(answer[record.start : record.start + record.byte_len])
            figures = meta["metrics"]
            for warning in meta["warnings"]:
                warn(warning["text"], _WARNINGS.get(warning["code"], errors.RemoteMediaWarning))
        else:
            by_port[record.port].append((record.item, value(answer, record, inputs, buffers)))
    at = 0
    while at < len(texts):
        # Short ones many at once, which is fastest; yet no more than keeps other threads waiting for a moment.
        end, length = at + 1, len(texts[at])
        while end < len(texts) and length < _PARSED_AT_ONCE:
            length += len(texts[end])
            end += 1
        for parsed, (port, place) in zip(json.loads(b"[%b]" % b",".join(texts[at:end])), places[at:end], strict=True):
            by_port[port][place] = (by_port[port][place][0], parsed)
        at = end
    outputs: object
    if len(ports) == 1:
        outputs = _port(ports[0], by_port[0], inputs.count)
    elif inputs.count == 0 and not any(by_port):
        outputs = None
    else:
        outputs = {port.name: _port(port, by_port[index], inputs.count) for index, port in enumerate(ports)}
    return {"outputs": outputs, "metrics": figures} if metrics else outputs


def _port(port: Port, values: list[tuple[int, object]], count: int) -> object:
    if port.stream:
        return [value for _, value in values]
    if not values:
        return None
    if count == 1 and len(values) == 1:
        return values[0][1]
    if count == 0:
        return _bare([value for _, value in values])
    by_item: list[list[object]] = [[] for _ in range(count)]
    for index, value in values:
        by_item[index].append(value)
    results = [_bare(one) for one in by_item]
    return results[0] if len(results) == 1 else results


def _bare(values: list[object]) -> object:
    if not values:
        return None
    return values[0] if len(values) == 1 else values


def value(answer: bytes, record: Record, inputs: Inputs, buffers: Buffers | None) -> object:
    """Return what one record holds; JSON excepted, which is parsed in one go."""
    kind = record.kind
    if kind == SAME:
        return _same(inputs.shown[record.place], record.item in inputs.dicts)
    if kind == TEXT:
        return str(memoryview(answer)[record.start : record.start + record.byte_len], "utf-8")
    if kind == ARRAY:
        shape = _SHAPES[len(record.extra) // 8](record.extra)
        return _memory(answer, record, record.dtype, shape, buffers)
    if kind == AUDIO:
        frames, sample_rate, channels = _AUDIO(record.extra)
        shape = (frames,) if channels == 1 else (frames, channels)
        audio = audio_of(_memory(answer, record, record.dtype, shape, buffers), sample_rate)
        return audio_dict(audio) if record.item in inputs.dicts else audio
    if kind == VIDEO:
        width, height = _VIDEO(record.extra)
        data = _memory(answer, record, _UINT8, (record.byte_len,), buffers)
        frame = VideoFrame(data, cast("Any", record.extra[8:].decode()), width=width, height=height)
        return _video_dict(frame) if record.item in inputs.dicts else frame
    if kind == BINARY:
        if buffers is None or record.start >= 0:
            return answer[record.start : record.start + record.byte_len]
        return _bytes(buffers, record)
    if kind == NOTHING:
        return None
    raise errors.InternalError(f"the native library gave a value of kind {kind}; please report this")


def _memory(
    answer: bytes, record: Record, dtype: int, shape: tuple[int, ...], buffers: Buffers | None
) -> np.ndarray[Any, Any]:
    """Return a writable array: a copy of what is short, a view of a buffer of its own otherwise."""
    if buffers is None or record.start >= 0:
        return copied(answer, record.start, dtype, shape)
    return view(lambda owner: buffers.raw_buffer(record.place, owner), dtype, shape)


def _bytes(buffers: Buffers, record: Record) -> bytes:
    """Return a bytes object with what is in a buffer. Others run while it is copied: it may be long."""
    if record.byte_len == 0:
        return b""
    owner = own()
    source = buffers.raw_buffer(record.place, owner.number)
    found: bytes = _empty_bytes(None, record.byte_len)
    # Nobody has seen the new object yet.
    ctypes.memmove(ctypes.cast(ctypes.c_char_p(found), ctypes.c_void_p), source, record.byte_len)
    del owner
    return found


def _same(shown: object, as_dict: bool) -> object:
    """Return what came through untouched: a view of the caller's own memory."""
    if isinstance(shown, Audio):
        return audio_dict(shown) if as_dict else audio_of(shown.samples.view(), shown.sample_rate)
    if isinstance(shown, VideoFrame):
        if as_dict:
            return _video_dict(shown)
        return VideoFrame(shown.data.view(), shown.pixel_format, width=shown.width, height=shown.height)
    return cast("np.ndarray[Any, Any]", shown).view()


def audio_dict(audio: Audio) -> dict[str, object]:
    """Return the published form of audio: a dict with a list of interleaved floats."""
    samples = to_float32(audio.samples).ravel().tolist()
    return {"type": "audio", "samples": samples, "sample_rate": audio.sample_rate, "channels": audio.channels}


def _video_dict(frame: VideoFrame) -> dict[str, object]:
    return {
        "type": "video",
        "data": frame.data,
        "width": frame.width,
        "height": frame.height,
        "pixel_format": frame.pixel_format,
    }


def warn(text: str, category: type[errors.RemoteMediaWarning]) -> None:
    """Warn at the first line outside of this package."""
    level = 1
    frame = sys._getframe(0)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "remotemedia":
        frame = frame.f_back  # type: ignore[assignment]
        level += 1
    warnings.warn(text, category, stacklevel=level)
